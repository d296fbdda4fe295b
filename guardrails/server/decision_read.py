"""Decisions from JSON: the inverse of `guardrails.decision_json`, as far as a decision is compared by."""

from __future__ import annotations

from typing import Any

from guardrails.errors import Unavailable
from guardrails.model import (
    Applied,
    Approval,
    Consent,
    Decision,
    Denial,
    Failure,
    Obligation,
    Outcome,
    Place,
    Reuse,
    ReuseBound,
    Transform,
)
from guardrails.runtime.engine import NOWHERE

Json = dict[str, Any]


def decision_of(data: Json) -> Decision:
    """The decision that was written so. Raises `Unavailable` for what is none."""
    try:
        return _decision(data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unavailable(f"the server's answer is no decision: {error!r}") from None


def _decision(data: Json) -> Decision:
    denial = data["denial"]
    found = Decision(
        Outcome(data["outcome"]),
        data["policy"],
        tuple(map(_applied, data["applied"])),
        tuple(map(_failure, data["errors"])),
        tuple(
            [Transform(each["kind"], tuple(each["paths"]), each["statement"]) for each in data["transforms"]]
        ),
        tuple(map(_obligation, data["obligations"])),
        tuple(map(_approval, data["approvals"])),
        tuple(map(_applied, data["shadow"])),
        data["payload"],
        None if denial is None else _told(denial),
    )
    found.reservation = data["reservation"] or ""
    found.labels = tuple(data["labels"])
    if data["request"] or data["approval"] or data["reviews"]:
        found.consent = Consent(data["request"] or "", data["approval"] or "", tuple(data["reviews"]))
    return found


def _told(denial: Json) -> Any:
    known = Denial(denial["kind"], denial["message"], denial["counterfactual"], denial["retry_after"])
    return lambda _: known


def _place(span: Json | None) -> Place:
    if span is None:
        return NOWHERE
    return Place(span["file"], span["line"], span["column"], span["end_line"], span["end_column"])


def _applied(data: Json) -> Applied:
    outcome = data["outcome"]
    return Applied(
        data["effect"],
        None if outcome is None else Outcome(outcome),
        policy=data["policy"],
        label=data["label"],
        message=data["message"],
        place=_place(data["span"]),
        kept_by_error=data["kept_by_error"],
    )


def _failure(data: Json) -> Failure:
    return Failure(data["statement"], data["kind"], data["message"], _place(data["span"]))


def _obligation(data: Json) -> Obligation:
    details = tuple([(name, _frozen(value)) for name, value in data["details"].items()])
    return Obligation(data["kind"], data["statement"], details)


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _approval(data: Json) -> Approval:
    people, otherwise = tuple(data["reviewers"]), tuple(data["otherwise"])
    reuse = _reuse(data["reuse"]) if data.get("reuse") else None
    return Approval(people, data["quorum"], data["within"], otherwise, data["statement"], reuse)


def _reuse(data: Json) -> Reuse:
    bounds = [ReuseBound(each["amount"], each["per"], each["most"], each["unit"]) for each in data["bounds"]]
    return Reuse(data["calls"], tuple(bounds))
