"""`guard replay`: recorded events decided by a policy, and what a change of the policy changes for them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import click

from guardrails.errors import EventError, GuardError
from guardrails.guard import Guard, Source
from guardrails.json_positions import JsonError
from guardrails.state import State
from guardrails.strict_json import read_json
from guardrails.testing.replay import Replay
from guardrails.testing.replay_reports import REPORTS

from . import exits
from .json_values import decoded
from .options import chosen, format_option, functions_option, param_option
from .policies import functions_of, load_or_stop
from .problems import Stop, unreadable, usage

SHOW_EVERY = 1_000
"""Events between two signs of life on a terminal."""


@click.command("replay")
@click.argument("policy", metavar="POLICY", type=click.Path())
@click.argument("events", metavar="EVENTS", type=click.Path())
@click.option(
    "--against",
    metavar="OLD",
    type=click.Path(),
    help="The policy before the change; what differs is reported.",
)
@format_option(*REPORTS)
@param_option
@functions_option
def command(
    policy: str,
    events: str,
    against: str | None,
    form: str,
    params: tuple[str, ...],
    modules: tuple[str, ...],
) -> int:
    """Decide the recorded events of a file (`-`: standard input), one JSON object a line.

    Limits count in memory, from nothing, by the `time` of the events. Exits with 1 when `--against` shows that
    something is looser, and with 65 when a line is no event; the others are still decided.
    """
    new = _guard(policy, params, modules)
    old = None if against is None else _guard(against, params, modules)
    replay = Replay(new, old)
    with _opened(events) as stream:
        malformed = _run(replay, stream, "standard input" if events == "-" else events)
    click.echo(REPORTS[form](replay.review, compared=old is not None), nl=False)
    if malformed:
        return exits.DATA
    return exits.FINDINGS if replay.review.is_looser else exits.ALLOW


def _guard(path: str, params: tuple[str, ...], modules: tuple[str, ...]) -> Guard:
    """The guard of a policy with a store of its own."""
    values, functions = chosen(params), functions_of(modules)
    loaded = load_or_stop([path], values, functions)
    assert loaded.program is not None, "it stops otherwise"
    state = State("memory:", strict_halts=True) if loaded.program.head["stateful"] else None
    return Guard(loaded.program, source=Source([path], values, functions), state=state)


def _opened(path: str) -> BinaryIO:
    try:
        return sys.stdin.buffer if path == "-" else open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from error


def _run(replay: Replay, stream: BinaryIO, source: str) -> int:
    """Decide every line; gives how many were none."""
    malformed = 0
    for number, line in _with_progress(enumerate(stream, 1)):
        if not line.strip():
            continue
        try:
            replay.decide(number, _event(line))
        except (EventError, JsonError, Stop) as problem:
            malformed += 1
            sys.stderr.write(f"error: {source}:{number}: {_said(problem)}\n")
        except GuardError as error:
            raise usage(f"`{source}:{number}` cannot be decided: {error}") from error
    return malformed


def _event(line: bytes) -> Any:
    return read_json(decoded(line.rstrip(b"\r\n"), "the line"))


def _said(problem: Exception) -> str:
    return problem.text.removeprefix("error: ") if isinstance(problem, Stop) else str(problem)


def _with_progress(lines: Iterator[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    shows = sys.stderr.isatty()
    for number, line in lines:
        yield number, line
        if shows and number % SHOW_EVERY == 0:
            sys.stderr.write(f"\r{number:,} events")
            sys.stderr.flush()
    if shows:
        sys.stderr.write("\r\x1b[K")
