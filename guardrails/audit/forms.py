"""Forms: the bytes of the records that most decisions make, with the stretches that they have in common kept.

Takes a sketch, gives the text of its record up to what is sealed, or None for a record that is out of the ordinary
and is made field by field (see `guardrails.audit.record.body_of`). The idea: of a record only ids, times and the
body differ from those before it; where it happened, and what was decided by which statements, come again and again.
What is given here is the same, byte for byte, as what is made field by field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orjson import dumps

from guardrails.audit.record import second_of
from guardrails.audit.tracing import trace_id
from guardrails.version import VERSION

if TYPE_CHECKING:
    from guardrails.audit.drafts import Sketch
    from guardrails.model import Decision

MOST = 1024
"""Stretches of each kind that are kept; with more of them all are forgotten."""


class Forms:
    """Keeps stretches of records. Thread-safe: what is kept is only ever added or dropped as a whole."""

    __slots__ = ("_places", "_verdicts")

    def __init__(self) -> None:
        self._places: dict[tuple[Any, ...], Place] = {}
        self._verdicts: dict[tuple[int, str | None], Verdict] = {}

    def begun(self, sketch: Sketch, handle: str) -> str | None:
        """The record without its body, which follows; None for one that has to be made field by field."""
        try:
            return self._text(sketch, handle)
        except TypeError:  # names that are no texts, null characters, and halves of surrogate pairs
            return None

    def _text(self, sketch: Sketch, handle: str) -> str:
        where, decision, us, number = sketch.place, sketch.decision, sketch.us, sketch.id
        place = self._places.get(where)
        if place is None or place.handle != handle:
            place = _kept(self._places, where, Place(where, handle))
        key = id(decision.applied), sketch.status
        verdict = self._verdicts.get(key)
        if verdict is None or not verdict.fits(decision):
            verdict = _kept(self._verdicts, key, Verdict(decision, sketch.status))
        trace, span = sketch.trace or (place.trace, number[:16])
        ref, call, held = sketch.ref, sketch.call_id, sketch.reservation or decision.reservation
        micros = str(us)  # of which the last six digits are those after the point
        return (
            f'"at":"{second_of(us // 1_000_000)}.{micros[-6:]}Z","us":{micros},"kind":"{sketch.kind}","id":"{number}",'
            f'{_named("ref", ref) if ref else ""}"trace":"{trace}","span":"{span}",{place.text}'
            f'{_named("call_id", call) if call else ""}{verdict.text}"latency_us":{sketch.latency_us},'
            f"{_named('reservation', held) if held else ''}"
        )


class Place:
    """What a record says of where it happened; `trace` is that of the session."""

    __slots__ = ("handle", "text", "trace")

    def __init__(self, place: tuple[str, str | None, str, str | None], handle: str) -> None:
        session, agent, point, tool = place
        told = {"session": session, "principal": handle, "agent": agent, "point": point, "tool": tool}
        self.handle = handle
        self.text = _stretch({name: each for name, each in told.items() if each})
        self.trace = trace_id(session)


class Verdict:
    """What a record says of a decision, and the objects of which that was made."""

    __slots__ = ("applied", "obligations", "outcome", "policy", "shadow", "text", "transforms")

    def __init__(self, decision: Decision, status: str | None) -> None:
        self.applied = decision.applied
        self.shadow = decision.shadow
        self.transforms = decision.transforms
        self.obligations = decision.obligations
        self.outcome = decision.outcome
        self.policy = decision.policy
        told = {"outcome": decision.outcome.value, "status": status} | told_of(decision)
        self.text = _stretch({name: each for name, each in told.items() if each})

    def fits(self, decision: Decision) -> bool:
        """Whether the same was decided. The very objects are compared: those of a program are the same each time,
        and while they are kept here no others can take their place."""
        return (
            decision.applied is self.applied
            and decision.shadow is self.shadow
            and decision.transforms is self.transforms
            and decision.obligations is self.obligations
            and decision.outcome is self.outcome
            and decision.policy == self.policy
        )


def is_ordinary(decision: Decision) -> bool:
    """Whether a form has a place for all that is to be told of a decision."""
    return not (decision.errors or decision.consent or decision.labels or decision.origins)


def told_of(decision: Decision) -> dict[str, Any]:
    """What a decision says of statements and policy, without anything of the event."""
    outcome, applied = decision.outcome, decision.applied
    return {
        "statements": [each.name for each in applied],
        "reasons": [each.name for each in applied if each.outcome is outcome],
        "shadow": [each.name for each in decision.shadow],
        "transforms": [
            {"kind": each.kind, "statement": each.statement, "paths": list(each.paths)}
            for each in decision.transforms
        ],
        "obligations": [{"kind": each.kind, "statement": each.statement} for each in decision.obligations],
        "policy": decision.policy,
        "engine": VERSION,
    }


def _named(name: str, text: Any) -> str:
    if text.__class__ is not str:
        raise TypeError("a name that is no text")
    return _stretch({name: text})


def _stretch(fields: dict[str, Any]) -> str:
    text = dumps(fields)[1:-1].decode()
    if "\\u0000" in text:
        raise TypeError("no database keeps a null character in JSON")
    return f"{text},"


def _kept(kept: dict[Any, Any], key: Any, value: Any) -> Any:
    if len(kept) >= MOST:
        kept.clear()
    kept[key] = value
    return value
