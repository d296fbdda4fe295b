"""Requests for people: a line each, a page for who has to decide, and as data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from guardrails.approvals.answering import nobody
from guardrails.approvals.batches import Batch
from guardrails.approvals.desk import Approvals
from guardrails.approvals.report import Habits
from guardrails.approvals.request import WAITING, Need, Request
from guardrails.approvals.reusing import good_for, used
from guardrails.listings import moment
from guardrails.runtime.clock import SystemClock
from guardrails.runtime.refusals import span_of
from guardrails.strict_json import write_json

from .terminal import plain

SHORT = 10
"""Letters of an id that lists show; they are enough to name it."""

GLANCE = 60
"""Letters of the arguments that lists show."""

RISKS = {
    "destructive": "the tool says that it changes or deletes what cannot be brought back",
    "open world": "the tool says that it reaches systems outside",
}

DEFAULTS = {
    "ask": "if nobody answers, the call is denied",
    "review": "it happened already; nothing waits for the review",
}


# --- lines -------------------------------------------------------------------------------------


def line_of(request: Request, desk: Approvals) -> str:
    last = request.answers[-1] if request.answers else None
    by = f" ({last.verdict} by {last.by}{f': {last.reason}' if last.reason else ''})" if last else ""
    state = desk.state_of(request)
    until = f", {_usable(request)}until {moment(request.until)}" if state == "approved" else ""
    return plain(f"{request.id} {state} {request.tool}: {_asked(request)}{by}{until}")


def _usable(request: Request) -> str:
    far = good_for(request) if request.reuse is not None else ""
    return f"good for {far}, " if far else "to be used "


def requests_table(requests: Sequence[Request], desk: Approvals) -> str:
    """A line each; empty for none."""
    now = SystemClock().now()
    rows = [
        (
            request.id[:SHORT],
            desk.state_of(request),
            _age(now - request.created),
            _left(request, desk, now),
            request.tool,
            _asked(request),
            request.subject.session,
            _how_far(request) + _in_short(request.subject.args),
        )
        for request in requests
    ]
    return _table(("id", "state", "age", "left", "tool", "asked", "session", "what"), rows)


def _how_far(request: Request) -> str:
    return f"{request.reuse[0]} calls such as: " if request.reuse is not None else ""


def _in_short(args: Any) -> str:
    """The beginning of what is asked about."""
    text = (
        ", ".join(f"{name} {write_json(each)}" for name, each in args.items())
        if isinstance(args, dict)
        else str(args)
    )
    return text if len(text) <= GLANCE else f"{text[: GLANCE - 1]}…"


def batch_lines(batches: Iterable[Batch]) -> str:
    return "\n".join(
        plain(f"{len(batch.requests)} x {batch.tool} by {', '.join(batch.statements)}{_each(batch)}: ")
        + " ".join(id[:SHORT] for id in batch.ids)
        for batch in batches
    )


def _each(batch: Batch) -> str:
    first = batch.requests[0]
    return f", each good for {good_for(first)}" if first.reuse is not None else ""


def habits_table(habits: Sequence[Habits]) -> str:
    rows = [
        (
            each.by,
            *(str(number) for number in (each.approved, each.denied, each.unread, each.quick, each.together)),
            "" if each.median is None else _age(each.median),
        )
        for each in habits
    ]
    return _table(("who", "approved", "denied", "unread", "at once", "together", "reading"), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    if not rows:
        return ""
    lines = [head, *([plain(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _asked(request: Request) -> str:
    return " and ".join(_who(need) for need in request.needs)


def _who(need: Need) -> str:
    people = " or ".join(need.reviewers) or "anybody"
    return f"{need.quorum} of {people}" if need.quorum > 1 else people


def _age(microseconds: int) -> str:
    return span_of(max(microseconds, 0) // 1_000_000 or 1) if microseconds >= 1_000_000 else "0s"


def _left(request: Request, desk: Approvals, now: int) -> str:
    return _age(request.deadline - now) if desk.state_of(request) in WAITING else ""


# --- the page ----------------------------------------------------------------------------------


def page_of(request: Request, desk: Approvals) -> str:
    """What a person has to know to decide, the most important first."""
    lines = [f"{request.kind} {request.id}: {desk.state_of(request)}"]
    for heading, entries in _parts(request, desk):
        found = [f"  {plain(entry)}" for entry in entries]
        lines += [heading, *found] if found else []
    return "\n".join(lines)


def _parts(request: Request, desk: Approvals) -> Iterator[tuple[str, Iterable[str]]]:
    what = "wants to call" if request.kind == "ask" else f"got `{request.outcome}` for"
    point = "the call of" if request.subject.point == "call" else f"the {request.subject.point} of"
    named = request.tool if request.kind == "ask" else f"{point} {request.tool}"
    yield f"{_agent(request)} {what} {plain(named)}", _arguments(request.subject.args)
    yield "why it is asked", _reasons(request)
    yield "who decides", _people(request, desk)
    yield "what happens", _consequences(request, desk)
    yield (
        "answers",
        (
            f"{a.by}: {a.verdict}{f', {a.reason}' if a.reason else ''} ({moment(a.at)})"
            for a in request.answers
        ),
    )
    yield "risk", (RISKS.get(hint, hint) for hint in request.dossier.risk)
    yield "where values came from", (f"{what}: {found}" for what, found in request.dossier.origins)
    yield "limits", (f"{name}: {used} of {limit} used" for name, used, limit in request.dossier.fills)
    yield (
        "what led there",
        (
            f"{moment(at)} {point} {tool} {outcome}".rstrip()
            for point, tool, outcome, at in request.dossier.events
        ),
    )
    yield "what it is bound to", _bound(request)


def _agent(request: Request) -> str:
    agent = f"agent {request.subject.agent}" if request.subject.agent else "the agent"
    principal = f" for {request.subject.principal}" if request.subject.principal else ""
    return plain(f"{agent}{principal}")


def _arguments(args: Any) -> Iterator[str]:
    if not isinstance(args, dict):
        yield args if isinstance(args, str) else write_json(args)
        return
    for name, value in args.items():
        yield f"{name}: {write_json(value)}"


def _reasons(request: Request) -> Iterator[str]:
    for need in request.needs:
        because = f": {need.because}" if need.because else ""
        yield f"{need.statement}{f' at {need.place}' if need.place != need.statement else ''}{because}"
        for path, value, bound in need.bounds:
            yield f"  {path} is {value}; the policy has a bound at {bound}"


def _people(request: Request, desk: Approvals) -> Iterator[str]:
    now = SystemClock().now()
    for index, need in enumerate(request.needs):
        stage = need.stage(request.created, now)
        met = "done" if request.is_met(index) else f"{request.votes(index, stage)} of {need.quorum}"
        asked = " or ".join(need.asked(stage)) or "anybody"
        yield f"{asked}: {met}{' (it went on to them)' if stage else ''}"
    problem = nobody(request, desk.groups, now) if desk.state_of(request) in WAITING else ""
    if problem and desk.groups.members:
        yield f"careful: {problem}"


def _consequences(request: Request, desk: Approvals) -> Iterator[str]:
    state = desk.state_of(request)
    if state in WAITING:
        later = request.escalates(SystemClock().now())
        if later is not None:
            others = ", ".join(name for need in request.needs for name in need.otherwise)
            yield f"at {moment(later)} it goes on to {others}"
        yield f"at {moment(request.deadline)} it runs out: {DEFAULTS[request.kind]}"
        if request.kind == "ask":
            yield from _approved(request)
    if state == "approved":
        yield f"it can be used until {moment(request.until)}"
    if state in ("approved", "consumed") and used(request):
        yield f"used: {used(request)}"
    if request.why and state in ("denied", "void", "wrong", "upheld"):
        yield f"{state}: {request.why}"


def _approved(request: Request) -> Iterator[str]:
    """What an approval lets through."""
    if request.reuse is None:
        yield "approved, it lets this one call through, once"
        if request.alone:
            yield f"  no more than that, because {request.alone}"
        return
    yield f"approved, it is good for {good_for(request)}"
    yield "  that covers other arguments than these; answered with --once it covers this call alone"


def _bound(request: Request) -> Iterator[str]:
    subject = request.subject
    yield f"session {subject.session}"
    yield f"arguments {subject.digest}" if request.reuse is None else f"calls of {subject.tool}"
    yield f"policy {subject.policy_name} {subject.policy}"
    if subject.tool_digest:
        yield f"tool {subject.tool_digest}"
