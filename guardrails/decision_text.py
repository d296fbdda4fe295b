"""A decision for people: the outcome, why, what changed, what is owed and what the agent can do about it.

Takes a `Decision`, gives a few lines of text. It is imported on the command's cold path, so it needs
nothing but the decision itself.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from guardrails.model import Applied, Approval, Decision, Denial, Failure, Obligation, Place
    from guardrails.runtime.provenance import Finding

_RESET = "\x1b[0m"
_FAINT = "\x1b[2m"
_BOLD = "\x1b[1m"
_COLORS = {"allow": "\x1b[1;32m", "ask": "\x1b[1;33m", "deny": "\x1b[1;31m", "halt": "\x1b[1;35m"}

MAX_PAYLOAD = 2_000
"""Characters of a changed payload that people are shown."""

MOST_PARTS = 5
"""Parts of a value, and sources of each, that people are shown."""

_COUNTING = ("limit", "budget", "breaker")

_KINDS = {
    "never": "nothing: no change of the arguments makes this pass",
    "change_arguments": "change the arguments",
    "needs_approval": "wait for the approval, and not repeat it before",
    "retry_after": "try again later",
}


def render_decision(decision: Decision, *, color: bool = False) -> str:
    """The decision in lines, each part under its heading; parts that are empty are left out."""
    outcome = decision.outcome.value
    lines = [_paint(outcome, _COLORS[outcome] if color else "")]
    for heading, part in _parts(decision):
        entries = list(part)
        if entries:
            lines.append(_paint(heading, _BOLD if color else ""))
            lines += [f"  {entry}" for entry in entries]
    lines.append(_paint(f"policy {decision.policy}", _FAINT if color else ""))
    return "\n".join(lines) + "\n"


def _parts(decision: Decision) -> Iterator[tuple[str, Iterable[str]]]:
    reasons = decision.reasons
    yield "because", _reasons(decision, reasons)
    yield "also applied", _lines(_applied, (each for each in decision.applied if each not in reasons))
    yield "could not be evaluated", _lines(_failure, decision.errors)
    yield (
        "changed",
        (f"{each.kind}{_pointers(each.paths)}, by {each.statement}" for each in decision.transforms),
    )
    yield "what goes on", _payload(decision)
    yield "where values came from", _lines(_finding, decision.origins)
    yield "approval", map(_approval, decision.approvals)
    yield "waits for" if decision.outcome.value == "ask" else "refused by", _ids("request", decision.request)
    yield "approved by", _ids("request", decision.approval)
    yield "reviewed as", decision.reviews
    yield "held until it is settled", [decision.reservation] if decision.reservation else []
    yield "owed", map(_obligation, decision.obligations)
    yield "in shadow", _lines(_applied, decision.shadow)
    yield "the agent is told", _told(decision, reasons)
    yield "the agent can", _advice(decision.denial)


def _lines(render: Any, values: Iterable[Any]) -> Iterator[str]:
    for value in values:
        yield from render(value)


def _reasons(decision: Decision, reasons: tuple[Applied, ...]) -> Iterator[str]:
    yield from _lines(_applied, reasons)
    if not reasons and not decision.allowed and not decision.errors:
        yield "no statement that allows it applies"


def _applied(applied: Applied) -> Iterator[str]:
    name = f"{applied.name}: " if applied.label else ""
    kept = ", which could not be evaluated and stands" if applied.kept_by_error else ""
    yield f"{name}{applied.effect}{_at(applied.place)}{kept}"
    if applied.message:
        yield f"  {_plain(applied.message)}"


def _failure(failure: Failure) -> Iterator[str]:
    yield f"{failure.statement}: {_plain(failure.message)}{_at(failure.place)}"


def _finding(finding: Finding) -> Iterator[str]:
    """What an answer about an origin rests on: each part of the value, and who supplied it."""
    answer = {True: "yes", False: "no", None: "cannot be known"}[finding.answer]
    yield f"{finding.what or 'a value'} {finding.test}: {answer}{_at(finding.place)}"
    for part in finding.parts[:MOST_PARTS]:
        text = _plain(part.text[:120])
        if not part.sources:
            yield f"  `{text}`: nobody supplied it"
        for source in part.sources[:MOST_PARTS]:
            whence = f"{source.point} of `{source.tool}`" if source.tool else source.point
            like = "" if source.exact else ", in another form"
            labels = ", ".join(sorted(source.labels))
            yield f'  `{text}`: {whence}, event {source.event}{source.path} ({labels}){like}: "{_plain(source.words)}"'
    if len(finding.parts) > MOST_PARTS:
        yield f"  and {len(finding.parts) - MOST_PARTS} more parts"


def _payload(decision: Decision) -> Iterator[str]:
    if decision.transforms:
        from guardrails.strict_json import write_json

        try:
            text = write_json(decision.payload)
        except Exception:  # whatever the host put into its result, the decision can still be read
            text = "a value that JSON cannot write"
        yield text if len(text) <= MAX_PAYLOAD else f"{text[:MAX_PAYLOAD]}…"


def _at(place: Place) -> str:
    return f" at {place}" if place.line else ""


def _pointers(paths: tuple[str, ...]) -> str:
    return f" {', '.join(path or 'everywhere' for path in paths)}" if paths else ""


def _approval(approval: Approval) -> str:
    people = " or ".join(approval.reviewers) or "a person"
    number = f"{approval.quorum} of " if approval.quorum > 1 else ""
    within = f" within {duration(approval.within)}" if approval.within is not None else ""
    otherwise = f", else by {' or '.join(approval.otherwise)}" if approval.otherwise else ""
    reuse = f", good for {approval.reuse}" if approval.reuse else ""
    return f"by {number}{people}{within}{otherwise}, for {approval.statement}{reuse}"


def _ids(what: str, id: str | None) -> list[str]:
    return [f"{what} {id}"] if id else []


def _obligation(obligation: Obligation) -> str:
    details = ", ".join(f"{name} {value}" for name, value in obligation.details if value is not None)
    return f"{obligation.kind}{f' ({_plain(details)})' if details else ''}, for {obligation.statement}"


def _advice(denial: Denial | None) -> Iterator[str]:
    if denial is None:
        return
    later = f" in {_later(denial.retry_after)}" if denial.retry_after is not None else ""
    yield f"{_KINDS.get(denial.kind, denial.kind)}{later}"
    for path, value in (denial.counterfactual or {}).items():
        yield f"  `{path}` = {value} would be allowed"


def _later(seconds: float) -> str:
    from guardrails.runtime.refusals import span_of

    return span_of(seconds)


def _told(decision: Decision, reasons: tuple[Applied, ...]) -> Iterator[str]:
    """What was counted, which only the message says."""
    if decision.denial and not decision.errors and any(each.effect in _COUNTING for each in reasons):
        yield _plain(decision.message)


def duration(seconds: float) -> str:
    """`4h`, `90m`, `1.5s`: a time in the largest unit that divides it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _plain(text: str) -> str:
    """Text of an event or a policy, so that it cannot act on the terminal."""
    return (
        text if text.isprintable() else "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in text)
    )


def _paint(text: str, color: str) -> str:
    return f"{color}{text}{_RESET}" if color else text
