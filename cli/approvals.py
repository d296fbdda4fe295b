"""`guard approvals`: what waits for people, and their answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar

import click

from guardrails.approvals.answering import Rejected
from guardrails.approvals.desk import Approvals, moment_of
from guardrails.approvals.groups import groups_of
from guardrails.approvals.request import STATES, Request
from guardrails.errors import EvaluationError
from guardrails.listings import request_as_json
from guardrails.runtime.clock import SystemClock
from guardrails.strict_json import write_json

from . import exits
from .approvals_log import audit_option, chronicle_of
from .approvals_pages import batch_lines, habits_table, line_of, page_of, requests_table
from .check_options import Request as Request_
from .check_options import parameter
from .halt import _user
from .options import Decorator, format_option, param_option, store_option
from .policies import Policy
from .problems import Stop, usage
from .stores import asked, opened, shared_store, shown
from .terminal import plain

Answer = TypeVar("Answer")
Desk = Callable[[], tuple[Approvals, str]]

reviewers_option: Decorator = click.option(
    "--reviewers", metavar="FILE", help="Who is in which group (YAML, TOML or JSON); else GUARD_REVIEWERS."
)
as_option: Decorator = click.option(
    "--as", "by", metavar="NAME", help="Who answers; the user of this machine when left out."
)
reason_option: Decorator = click.option(
    "--reason", default="", metavar="TEXT", help="Why; it is kept, and agents are told of a denial."
)
once_option: Decorator = click.option(
    "--once",
    is_flag=True,
    help="For the call that is shown alone, where the policy would let it be for more.",
)
kind_option: Decorator = click.option(
    "--kind", type=click.Choice(("ask", "review")), help="Only requests before, or reviews after."
)


@click.group("approvals")
def command() -> None:
    """Show what waits for people, and answer it.

    \b
      guard approvals list
      guard approvals show ID --as ana
      guard approvals approve ID --as ana --reason "a known customer"

    ID is an id or its beginning. With `--store` these commands look where the agents write.
    """


def _desk(store: str | None, reviewers: str | None, audit: str | None) -> tuple[Approvals, str]:
    url = shared_store(store)
    try:
        groups = groups_of(reviewers)
    except EvaluationError as error:
        raise Stop(exits.DATA, f"error: {error}") from error
    clock = SystemClock()
    state = opened(url)
    desk = Approvals(asked(lambda: state.store), clock, groups, chronicle=chronicle_of(audit, clock))
    return desk, shown(url)


def at_desk(command: Callable[..., int]) -> Callable[..., int]:
    """The options that say where requests are, who may answer and where that is written down. The command is
    given what opens the desk, so that it can look at its own options first."""

    @wraps(command)
    def run(*, store: str | None, reviewers: str | None, audit: str | None, **more: Any) -> int:
        return command(partial(_desk, store, reviewers, audit), **more)

    return store_option(audit_option(reviewers_option(run)))


def answering(by: str | None) -> str:
    """Who answers: `--as`, else the user of this machine. Stops for an empty name, which is nobody's."""
    if by is None:
        return _user()
    if not by.strip():
        raise usage("`--as` needs the name of who answers", "leave it out for the user of this machine")
    return by


def _done(work: Callable[[], Answer]) -> Answer:
    """What the desk gives. Stops with its reason when it refuses, or the store does not answer."""
    try:
        return asked(work)
    except Rejected as error:
        raise Stop(exits.FINDINGS, f"error: {plain(str(error))}") from error


@command.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    metavar="STATE",
    help=f"One of {', '.join(STATES)} or any; may be repeated.",
)
@click.option("--session", metavar="ID", help="Only of this session.")
@kind_option
@click.option("--batches", is_flag=True, help="Put like requests together.")
@at_desk
@format_option("text", "json")
def list_(
    desk_at: Desk,
    *,
    states: tuple[str, ...],
    session: str | None,
    kind: str | None,
    batches: bool,
    form: str,
) -> int:
    """List what waits for an answer, the oldest first."""
    for state in states:
        if state not in (*STATES, "any"):
            raise usage(f"there is no state `{state}`", f"use one of {', '.join(STATES)} or any")
    desk, url = desk_at()
    if batches:
        groups = _done(lambda: desk.batches(kind=kind or "ask"))
        data = [{"tool": b.tool, "statements": b.statements, "requests": b.ids} for b in groups]
        return _told(form, {"store": url, "batches": data}, batch_lines(groups) or "nothing waits")
    found = _done(lambda: desk.list(*states, session=session, kind=kind))
    data = [request_as_json(request, desk) for request in found]
    return _told(
        form, {"store": url, "requests": data}, requests_table(found, desk) or f"nothing waits in {url}"
    )


@command.command("show")
@click.argument("id")
@as_option
@at_desk
@format_option("text", "json")
def show(desk_at: Desk, id: str, by: str | None, form: str) -> int:
    """Show all that a person needs to decide about a request.

    With --as it is kept that this person read it.
    """
    reader = None if by is None else answering(by)
    desk, _ = desk_at()
    request = _done(lambda: desk.show(id, by=reader))
    return _told(form, request_as_json(request, desk), page_of(request, desk))


@command.command("approve")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_option
@reason_option
@click.option("--for", "lasting", metavar="DURATION", help="For how long it can be used, such as 10m.")
@once_option
@at_desk
@format_option("text", "json")
def approve(
    desk_at: Desk,
    ids: tuple[str, ...],
    *,
    by: str | None,
    reason: str,
    lasting: str | None,
    once: bool,
    form: str,
) -> int:
    """Approve of requests: each lets one call through, once.

    Where the policy lets an approval be good for more calls, `show` says for which.
    """
    seconds = None
    if lasting is not None:
        given = lasting
        seconds = asked(lambda: moment_of(given))
    desk, _ = desk_at()
    who = answering(by)

    def answer(id: str) -> Request:
        return desk.approve(id, by=who, reason=reason, seconds=seconds, once=once, together=len(ids))

    return _answered(desk, ids, answer, form)


@command.command("deny")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@as_option
@reason_option
@once_option
@at_desk
@format_option("text", "json")
def deny(desk_at: Desk, ids: tuple[str, ...], *, by: str | None, reason: str, once: bool, form: str) -> int:
    """Deny requests, or take back approvals of which something is left.

    What they are about stays denied in their sessions.
    """
    desk, _ = desk_at()
    who = answering(by)

    def answer(id: str) -> Request:
        return desk.deny(id, by=who, reason=reason, once=once, together=len(ids))

    return _answered(desk, ids, answer, form)


@command.command("judge")
@click.argument("id")
@click.argument("verdict", type=click.Choice(("upheld", "wrong")))
@as_option
@reason_option
@at_desk
@format_option("text", "json")
def judge(desk_at: Desk, id: str, verdict: str, by: str | None, reason: str, form: str) -> int:
    """Answer a review: what the agent did was right (upheld) or wrong."""
    desk, _ = desk_at()
    who = answering(by)
    return _answered(desk, (id,), lambda id: desk.judge(id, verdict, by=who, reason=reason), form)


@command.command("watch")
@click.option(
    "--interval", default=1.0, type=click.FloatRange(0.05, 3600), metavar="SECONDS", show_default=True
)
@kind_option
@at_desk
@format_option("text", "json")
def watch(desk_at: Desk, interval: float, kind: str | None, form: str) -> int:
    """Print every request that comes in, and whatever happens to it, until it is interrupted."""
    desk, _ = desk_at()
    requests = desk.watch(interval=interval, kind=kind)
    while True:
        request = _done(lambda: next(requests))
        _told(form, request_as_json(request, desk), line_of(request, desk))


@command.command("report")
@click.option(
    "--within", default="10s", metavar="DURATION", show_default=True, help="In less nobody reads a request."
)
@at_desk
@format_option("text", "json")
def report(desk_at: Desk, within: str, form: str) -> int:
    """Show how people decide: how many answers each gave, and how many unread or at once."""
    quick = asked(lambda: moment_of(within))
    desk, url = desk_at()
    found = _done(lambda: desk.report(quick=quick))
    names = ("by", "approved", "denied", "unread", "quick", "together", "median")
    people = [{name: getattr(each, name) for name in names} for each in found]
    for person in people:
        person["median"] = None if person["median"] is None else person["median"] / 1_000_000
    return _told(
        form, {"store": url, "quick": quick, "people": people}, habits_table(found) or "nobody answered yet"
    )


@command.command("groups")
@click.argument("paths", nargs=-1, required=True, metavar="POLICY...", type=click.Path())
@reviewers_option
@param_option
@format_option("text", "json")
def groups(paths: tuple[str, ...], reviewers: str | None, params: tuple[str, ...], form: str) -> int:
    """Check that there are people for everything that a policy asks.

    Ends with 1 where a statement asks a group that nobody, or too few people, are in.
    """
    request = Request_()
    request.paths[:] = paths
    request.params.update(map(parameter, params))
    guard = Policy(request).guard(opened("memory:"))
    try:
        known = groups_of(reviewers)
    except EvaluationError as error:
        raise Stop(exits.DATA, f"error: {error}") from error
    desk = Approvals(guard.state.store, SystemClock(), known, asked=guard.engine.program.head["asked"])
    found = desk.problems()
    told = "\n".join(map(plain, found)) or "everybody who is asked is known"
    _told(form, {"policy": guard.digest, "problems": found}, told)
    return exits.FINDINGS if found else exits.ALLOW


@command.command("export")
@click.option("--tests", is_flag=True, required=True, help="As cases of a test file.")
@click.option("--policy", "paths", multiple=True, metavar="FILE", help="The policy that the cases test.")
@at_desk
def export(desk_at: Desk, *, tests: bool, paths: tuple[str, ...]) -> int:
    """Write what people corrected as tests: denied requests, and reviews that found something wrong.

    A case says what should have come out. It fails until the policy says so too; `guard test` runs it.
    """
    from .approvals_export import test_file

    desk, _ = desk_at()
    found = _done(lambda: desk.list("denied", "wrong", "upheld"))
    click.echo(test_file(found, paths), nl=False)
    return exits.ALLOW


def _answered(desk: Approvals, ids: tuple[str, ...], answer: Callable[[str], Request], form: str) -> int:
    """Give the same answer to each; the exit code says whether all of them counted."""
    failed, results = 0, []
    for id in ids:
        try:
            request = asked(lambda: answer(id))  # noqa: B023 - it is called at once
        except Rejected as error:
            failed += 1
            results.append({"id": id, "error": str(error)})
            if form == "text":
                click.echo(f"error: {plain(str(error))}", err=True)
            continue
        results.append(request_as_json(request, desk))
        if form == "text":
            click.echo(line_of(request, desk))
    if form == "json":
        click.echo(write_json({"answers": results}))
    return exits.FINDINGS if failed else exits.ALLOW


def _told(form: str, data: dict[str, Any], text: str) -> int:
    click.echo(write_json(data) if form == "json" else text)
    return exits.ALLOW
