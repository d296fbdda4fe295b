"""`guard replay`: recorded events decided by a policy, and what a change of the policy changes for them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from tempfile import NamedTemporaryFile
from typing import Any

import click

from guardrails.errors import GuardError
from guardrails.testing.replay_files import Recording, UnknownForm, recording
from guardrails.testing.replay_gates import CHANGES, KINDS, Gate, broken, gate
from guardrails.testing.replay_jobs import Recipe, recipe_of
from guardrails.testing.replay_opening import is_log, log_url, segments, spooled_log, why_sealed
from guardrails.testing.replay_reading import FORMS, People
from guardrails.testing.replay_reports import REPORTS, Report
from guardrails.testing.replay_running import Account, Here, Order, Pool, Processes, replay

from . import exits
from .json_values import json_of, text_of_file
from .options import Decorator, chosen, format_option, functions_option, param_option
from .policies import functions_of, load_or_stop
from .problems import Stop, malformed, unreadable, usage
from .terminal import plain

RECORDED = "recorded"

SMALL = 16 << 20
"""Bytes of recordings for which one process is as fast as many."""

MOST_NAMED = 20
"""Bad lines that are named; all of them are counted."""


def gate_options(command: Any) -> Any:
    for option, words in ((CHANGES, "decided otherwise"), *((k.option, k.words) for k in reversed(KINDS))):
        text = f"Fail when more events are {words}: a number, or a share such as 0.1%."
        command = click.option(f"--{option}", metavar="N|N%", help=text)(command)
    return command


def places_option() -> Decorator:
    return click.option(
        "--on",
        "places",
        metavar="ray|dask[:ADDRESS]",
        help="Replay on a cluster, or on one that is started here.",
    )


@click.command("replay")
@click.argument("traces", metavar="TRACES...", nargs=-1, required=True, type=click.Path())
@click.option(
    "--policy",
    "policies",
    metavar="NEW",
    multiple=True,
    required=True,
    type=click.Path(),
    help="The policy that decides; may be repeated for one of several files.",
)
@click.option(
    "--against",
    metavar="OLD|recorded",
    type=click.Path(),
    help="The policy before the change, or `recorded`: what was decided then. What differs is reported.",
)
@click.option(
    "--from", "origin", type=click.Choice(list(FORMS)), help="The form of the traces; else it is recognised."
)
@click.option(
    "--principals",
    metavar="FILE",
    help="A JSON object of records of principals by id; `*` is for all others.",
)
@click.option("--prices", metavar="FILE", help="The price table for budgets of cost.")
@gate_options
@click.option("--strict", is_flag=True, help="Fail when a line is no event.")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Processes; else as many as there are processors."
)
@places_option()
@format_option(*REPORTS)
@click.option("--output", metavar="FILE", type=click.Path(), help="Write the report there.")
@click.option("--no-examples", is_flag=True, help="Leave the recorded events out of the report.")
@param_option
@functions_option
def command(**given: Any) -> int:
    """Decide recorded events anew (`-`: standard input), and report what a change of the policy changes.

    TRACES are events, audit logs, OpenTelemetry spans, or conversations of the OpenAI and Anthropic APIs. Limits
    count in memory, from nothing, by the time of the events. Without a gate (`--max-...`) it exits with 1 when
    something is looser; with gates when one of them does not hold.
    """
    gates = _gates(given)
    new, old = _recipes(given)
    compared = given["against"] is not None
    if gates and not compared:
        raise usage(
            f"`--{gates[0].option}` needs something to compare with",
            "add `--against OLD` or `--against recorded`",
        )
    with _traces(given["traces"]) as places:
        order = Order(
            tuple(_recording(path, log, given["origin"]) for path, log in places), new, old,
            given["against"] == RECORDED, _people(given["principals"]), _prices(given["prices"]),
        )  # fmt: skip
        account = _replayed(order, given)
    _complain(account)
    report = Report(account, compared, gates, not given["no_examples"])
    _write(REPORTS[given["form"]](report), given["output"])
    return _code(report, strict=given["strict"])


# --- what is asked for ---------------------------------------------------------------------------


def _gates(given: Mapping[str, Any]) -> list[Gate]:
    options = (*(kind.option for kind in KINDS), CHANGES)
    try:
        return [
            gate(each, given[each.replace("-", "_")]) for each in options if given[each.replace("-", "_")]
        ]
    except GuardError as error:
        raise usage(str(error)) from error


def _recipes(given: Mapping[str, Any]) -> tuple[Recipe, Recipe | None]:
    values, modules = chosen(given["params"]), given["modules"]
    functions = functions_of(modules)

    def made(paths: tuple[str, ...]) -> Recipe:
        return recipe_of(load_or_stop(paths, values, functions), paths, values, modules=modules)

    against = given["against"]
    old = None if against in (None, RECORDED) else made((against,))
    return made(given["policies"]), old


@contextmanager
def _traces(traces: tuple[str, ...]) -> Iterator[list[tuple[str, str]]]:
    """The files of the traces, each with the URL of the audit log that it is a part of. Standard input and logs
    in databases become files, because they may be read more than once."""
    with ExitStack() as stack:

        def spooled() -> Any:
            return stack.enter_context(NamedTemporaryFile(prefix="guard-replay-"))

        yield [found for trace in traces for found in _files_of(trace, spooled)]


def _files_of(trace: str, spooled: Callable[[], Any]) -> list[tuple[str, str]]:
    if trace != "-" and not is_log(trace):
        return [(trace, "")]
    if trace == "-":
        stream = spooled()
        while block := sys.stdin.buffer.read(1 << 20):
            stream.write(block)
        stream.flush()
        return [(stream.name, "")]
    try:
        files, url = segments(trace), log_url(trace)
        if files is None:
            stream = spooled()
            spooled_log(trace, stream)
            stream.flush()
            files = [stream.name]
    except GuardError as error:
        raise usage(str(error)) from error
    sealed = why_sealed(url)
    if sealed:
        sys.stderr.write(f"warning: the bodies of `{trace}` stay sealed: {sealed}\n")
    return [(file, "" if sealed else url) for file in files]


def _recording(path: str, log: str, form: str | None) -> Recording:
    try:
        return replace(recording(path, "audit" if log else form), log=log)
    except UnknownForm as error:
        raise malformed(str(error)) from error
    except OSError as error:
        raise unreadable(path, error) from error


def _people(path: str | None) -> People:
    if path is None:
        return People()
    known = json_of(text_of_file(path, usage), path)
    if not isinstance(known, dict) or not all(isinstance(each, dict) for each in known.values()):
        raise usage(f"`{path}` is a JSON object of records of principals by their id")
    return People(known)


def _prices(path: str | None) -> Any:
    if path is None:
        return None
    from guardrails.runtime.prices import read_prices

    try:
        return read_prices(path)
    except OSError as error:
        raise unreadable(path, error) from error
    except GuardError as error:
        raise usage(str(error)) from error


# --- the replay ----------------------------------------------------------------------------------


def _replayed(order: Order, given: Mapping[str, Any]) -> Account:
    bar = Bar()
    try:
        with _pool(order, given, bar) as pool:
            return replay(order, pool, bar.show)
    except GuardError as error:
        raise usage(str(error)) from error
    except OSError as error:
        raise unreadable(error.filename or "the recording", error) from error
    finally:
        bar.clear()


@contextmanager
def _pool(order: Order, given: Mapping[str, Any], bar: Bar) -> Iterator[Pool]:
    name, _, address = (given["places"] or "").partition(":")
    if name:
        with _cluster(name, address, given["jobs"]) as cluster:
            yield cluster
        return
    size = sum(each.size for each in order.recordings)
    jobs = given["jobs"] or (1 if size < SMALL else _processors())
    if jobs == 1:
        yield Here(bar.count)
        return
    with Processes(jobs) as processes:
        yield processes


def _cluster(name: str, address: str, size: int | None) -> Any:
    if name == "ray":
        from guardrails.testing.replay_ray import Ray

        return Ray(address, size=size)
    if name == "dask":
        from guardrails.testing.replay_dask import Dask

        return Dask(address, size=size)
    raise usage(f"`--on {name}` names no cluster", "write `ray` or `dask`, or one of them with an address")


def _processors() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Bar:
    """A line on the terminal that says how far it is."""

    WIDTH = 30

    def __init__(self) -> None:
        self._shows = sys.stderr.isatty()
        self._events = 0
        self._said = ""

    def show(self, what: str, done: int, of: int) -> None:
        full = self.WIDTH * done // of if of else 0
        self._say(f"{what} [{'#' * full}{'.' * (self.WIDTH - full)}] {100 * done // of if of else 0}%")

    def count(self, events: int) -> None:
        self._events += events
        if self._events % 10_000 == 0:
            self._say(f"replaying: {self._events:,} events")

    def clear(self) -> None:
        self._say("")

    def _say(self, text: str) -> None:
        if self._shows and text != self._said:
            sys.stderr.write(f"\r\x1b[K{text}")
            sys.stderr.flush()
        self._said = text


# --- what came of it -----------------------------------------------------------------------------


def _complain(account: Account) -> None:
    """Name bad lines, the first of them one by one."""
    for bad in account.bad[:MOST_NAMED]:
        sys.stderr.write(f"error: {bad.file}:{bad.line}: {plain(bad.message)}\n")
    if account.bad_count > MOST_NAMED:
        sys.stderr.write(f"error: {account.bad_count - MOST_NAMED:,} more lines are no events\n")


def _write(text: str, path: str | None) -> None:
    if path is None:
        click.echo(text, nl=False)
        return
    try:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise unreadable(path, error) from error


def _code(report: Report, *, strict: bool) -> int:
    review, bad = report.review, report.account.bad_count
    if bad and (strict or not review.events):
        return exits.DATA
    if report.compared and review.events and not review.compared:
        raise Stop(
            exits.DATA, "error: no event holds what was decided then, so there is nothing to compare with"
        )
    if report.gates:
        return exits.FINDINGS if broken(report.gates, review) else exits.ALLOW
    return exits.FINDINGS if review.is_looser else exits.ALLOW
