"""Forms: the bytes of the records that most decisions make, with the stretches that they have in common kept.

Takes a draft, gives the text of its record up to what is sealed, or None for a record that is out of the ordinary
and is made field by field (see `guardrails.audit.record.body_of`). The idea: of a record only ids, times and the
body differ from those before it; where it happened, and what was decided by which statements, come again and again.
What is given here is the same, byte for byte, as what is made field by field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from orjson import dumps

from guardrails.audit.record import rfc3339
from guardrails.version import VERSION

if TYPE_CHECKING:
    from guardrails.audit.scribe import Draft
    from guardrails.model import Decision

MOST = 1024
"""Stretches of each kind that are kept; with more of them all are forgotten."""

ORDINARY = frozenset(
    ("agent", "call_id", "clock", "id", "kind", "latency_us", "point", "ref", "reservation", "session", "span", "status",
     "tool", "trace")
)  # fmt: skip
"""Fields that a form has a place for; for `clock` only where it says nothing."""


class Forms:
    """Keeps stretches of records. Thread-safe: what is kept is only ever added or dropped as a whole."""

    __slots__ = ("_places", "_verdicts")

    def __init__(self) -> None:
        self._places: dict[tuple[Any, ...], str] = {}
        self._verdicts: dict[tuple[Any, ...], tuple[Any, str]] = {}

    def begun(self, draft: Draft, handle: str) -> str | None:
        """The record without its body, which follows; None for one that has to be made field by field."""
        decision = draft.decision
        if decision is None or not _is_ordinary(draft.fields, decision):
            return None
        try:
            text = self._text(draft, decision, handle)
        except TypeError:  # names that are no texts, and halves of surrogate pairs
            return None
        return None if "\\u0000" in text else text

    def _text(self, draft: Draft, decision: Decision, handle: str) -> str:
        fields = draft.fields
        get = fields.get
        place = self._place((get("session"), handle, get("agent"), get("point"), get("tool")))
        verdict = self._verdict(decision, get("status"))
        ref, call, held = get("ref"), get("call_id"), get("reservation") or decision.reservation
        ref = f'"ref":{_quoted(ref)},' if ref else ""
        call = f'"call_id":{_quoted(call)},' if call else ""
        held = f'"reservation":{_quoted(held)},' if held else ""
        return (
            f'"at":"{rfc3339(draft.us)}","us":{draft.us},"kind":"{fields["kind"]}","id":"{fields["id"]}",{ref}'
            f'"trace":"{fields["trace"]}","span":"{fields["span"]}",{place}{call}{verdict}'
            f'"latency_us":{fields["latency_us"]},{held}'
        )

    def _place(self, key: tuple[Any, ...]) -> str:
        found = self._places.get(key)
        if found is None or key[0].__class__ is not str:
            names = ("session", "principal", "agent", "point", "tool")
            found = _stretch({name: each for name, each in zip(names, key, strict=True) if each})
            _keep(self._places, key, found)
        return found

    def _verdict(self, decision: Decision, status: str | None) -> str:
        """What was decided, found again by the very objects: those of a program are the same each time, and
        while they are kept here no others can take their place."""
        applied, shadow, transforms, owed = (
            decision.applied, decision.shadow, decision.transforms, decision.obligations,
        )  # fmt: skip
        outcome, policy = decision.outcome, decision.policy
        key = (id(outcome), policy, status, id(applied), id(shadow), id(transforms), id(owed))
        found = self._verdicts.get(key)
        if found is None:
            told = {"outcome": outcome.value, "status": status} | told_of(decision)
            kept = (applied, shadow, transforms, owed)
            found = kept, _stretch({name: each for name, each in told.items() if each})
            _keep(self._verdicts, key, found)
        return found[1]


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


def _is_ordinary(fields: dict[str, Any], decision: Decision) -> bool:
    """Whether a form has a place for all that is to be told."""
    return (
        not (decision.errors or decision.consent or decision.labels or decision.origins)
        and fields.get("clock") is None
        and ORDINARY.issuperset(fields)
        and "latency_us" in fields
    )


def _quoted(text: Any) -> str:
    if text.__class__ is not str:
        raise TypeError("a name that is no text")
    return dumps(text).decode()


def _stretch(fields: dict[str, Any]) -> str:
    return dumps(fields)[1:-1].decode() + ","


def _keep(kept: dict[Any, Any], key: Any, value: Any) -> None:
    if len(kept) >= MOST:
        kept.clear()
    kept[key] = value
