"""What a test can expect of a decision, aspect by aspect: a wanted value and a decision in, a `Mismatch` or
None out.

Names of statements are labels (`own_customer`), with or without the policy (`support.own_customer`); one
without a label is named by its file and line (`support.guard:12`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePath
from typing import Any

from guardrails.decision_text import duration
from guardrails.model import Applied, Decision
from guardrails.testing.comparing import Mismatch, differences, names_difference, same, shown, text_difference

Comparison = Callable[[Any, Decision], Mismatch | None]


def mismatches(wants: Iterable[tuple[str, Any]], decision: Decision) -> tuple[Mismatch, ...]:
    """Everything that is not as wanted. An error of evaluation that nobody expects is always among it: a test
    that passes because something could not be evaluated proves nothing of the condition."""
    wanted = dict(wants)
    if "errors" not in wanted:
        wanted["errors"] = ()
    found = [COMPARISONS[aspect](value, decision) for aspect, value in wanted.items()]
    return tuple(each for each in found if each is not None)


# --- statements --------------------------------------------------------------------------------


def name_of(applied: Applied) -> str:
    """How a test names a statement: its label, or the file and line."""
    return applied.label or f"{PurePath(applied.place.file).name}:{applied.place.line}"


def is_named(applied: Applied, name: str) -> bool:
    """Whether a name in a test means this statement."""
    return name in (name_of(applied), applied.name, str(applied.place))


def _statements(aspect: str, part: Callable[[Decision], Iterable[Applied]]) -> Comparison:
    """Exactly these, in any order. One without a label need not be named: its line may change any day."""

    def compare(want: tuple[str, ...], decision: Decision) -> Mismatch | None:
        there = tuple(part(decision))
        missing = [name for name in want if not any(is_named(each, name) for each in there)]
        labelled = [each for each in there if each.label]
        surplus = [name_of(each) for each in labelled if not any(is_named(each, name) for name in want)]
        if not missing and not surplus:
            return None
        got = sorted({name_of(each) for each in there})
        return Mismatch(aspect, _listed(want), _listed(got), names_difference((*missing,), (*surplus,)))

    return compare


def _some(aspect: str, part: Callable[[Decision], Iterable[Applied]]) -> Comparison:
    """At least these."""

    def compare(want: tuple[str, ...], decision: Decision) -> Mismatch | None:
        there = tuple(part(decision))
        missing = tuple(name for name in want if not any(is_named(each, name) for each in there))
        got = sorted({name_of(each) for each in there})
        return (
            Mismatch(aspect, _listed(want), _listed(got), names_difference(missing, ())) if missing else None
        )

    return compare


def _none_of(want: tuple[str, ...], decision: Decision) -> Mismatch | None:
    there = [name for name in want if any(is_named(each, name) for each in decision.applied)]
    got = sorted({name_of(each) for each in decision.applied})
    return (
        Mismatch("not_applied", _listed(want), _listed(got), names_difference((), there)) if there else None
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "nothing"


# --- texts -------------------------------------------------------------------------------------


def _outcome(want: str, decision: Decision) -> Mismatch | None:
    got = decision.outcome.value
    return None if got == want else Mismatch("outcome", want, got)


def _message(want: Mapping[str, str], decision: Decision) -> Mismatch | None:
    return text_mismatch("message", want, decision.message)


def text_mismatch(aspect: str, want: Mapping[str, str], got: str) -> Mismatch | None:
    """A text `is` another, `contains` a part, or `matches` a pattern."""
    for how, text in want.items():
        if how == "is" and got != text:
            return Mismatch(aspect, shown(text), shown(got), text_difference(text, got))
        if how == "contains" and text not in got:
            return Mismatch(aspect, f"a text with {shown(text)} in it", shown(got))
        if how == "matches" and re.search(text, got) is None:
            return Mismatch(aspect, f"a text that matches /{text}/", shown(got))
    return None


def _payload(want: tuple[Any], decision: Decision) -> Mismatch | None:
    if not decision.transforms:
        return Mismatch("payload", shown(want[0]), "no change of the payload")
    if same(want[0], decision.payload):
        return None
    diff = differences(want[0], decision.payload)
    return Mismatch("payload", shown(want[0]), shown(decision.payload), diff)


# --- lists of records --------------------------------------------------------------------------


def _records(aspect: str, part: Callable[[Decision], Iterable[dict[str, Any]]]) -> Comparison:
    """As many as are wanted, each with all that is said of it; what is not said of it may be anything."""

    def compare(want: tuple[Mapping[str, Any], ...], decision: Decision) -> Mismatch | None:
        there = list(part(decision))
        left, missing = list(there), []
        for each in want:
            fits = next((record for record in left if _has(record, each)), None)
            if fits is None:
                missing.append(each)
            else:
                left.remove(fits)
        if not missing and not left:
            return None
        told = [f"missing: {_brief(each)}" for each in missing] + [f"not expected: {_brief(r)}" for r in left]
        return Mismatch(aspect, _briefs(want), _briefs(there), tuple(told))

    return compare


def _has(record: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return all(_fits(record.get(name), value, name) for name, value in wanted.items())


def _fits(got: Any, wanted: Any, name: str) -> bool:
    if name == "by":
        return wanted in (got or ())
    if name == "message":
        return wanted in (got or "")
    if isinstance(wanted, Mapping):
        return isinstance(got, Mapping) and all(same(v, got.get(k)) for k, v in wanted.items())
    return same(list(wanted) if isinstance(wanted, tuple) else wanted, got)


def _briefs(records: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(map(_brief, records)) or "nothing"


def _brief(record: Mapping[str, Any]) -> str:
    rest = {k: (v[0] if k == "by" and isinstance(v, tuple) else v) for k, v in record.items() if k != "kind"}
    words = [
        f"{key} {value if isinstance(value, str) else shown(value)}" for key, value in rest.items() if value
    ]
    kind = [str(record["kind"])] if "kind" in record else []
    return " ".join([*kind, f"({', '.join(words)})"] if words else kind)


def _named(decision: Decision, statement: str) -> tuple[str, ...]:
    """All names of a statement that a decision calls `statement`."""
    found = [each for each in (*decision.applied, *decision.shadow) if each.name == statement]
    return (name_of(found[0]), statement) if found else (statement, statement.rpartition(".")[2])


def _transforms(decision: Decision) -> Iterable[dict[str, Any]]:
    for each in decision.transforms:
        yield {"kind": each.kind, "by": _named(decision, each.statement), "paths": list(each.paths)}


def _obligations(decision: Decision) -> Iterable[dict[str, Any]]:
    for each in decision.obligations:
        details = {name: _plain(name, value) for name, value in each.details if value is not None}
        yield {"kind": each.kind, "by": _named(decision, each.statement), "details": details}


def _approvals(decision: Decision) -> Iterable[dict[str, Any]]:
    for each in decision.approvals:
        yield {
            "by": _named(decision, each.statement), "reviewers": list(each.reviewers), "quorum": each.quorum,
            "within": each.within, "otherwise": list(each.otherwise),
            "calls": each.reuse.calls if each.reuse else 1,
            "up_to": [str(bound) for bound in each.reuse.bounds] if each.reuse else [],
        }  # fmt: skip


def _plain(name: str, value: Any) -> Any:
    """A detail as a test file writes it: reviewers as a list, a deadline as `2d`."""
    if name == "within" and isinstance(value, int):
        return duration(value / 1_000_000)
    return list(value) if isinstance(value, tuple | frozenset) else value


def _errors(want: tuple[Mapping[str, Any], ...], decision: Decision) -> Mismatch | None:
    """Errors are wanted by kind: each kind that came, and none that did not."""
    there = [
        {"kind": each.kind, "by": _named(decision, each.statement), "message": each.message}
        for each in decision.errors
    ]
    missing = [each for each in want if not any(_has(record, each) for record in there)]
    surplus = [
        record
        for record in there
        if not any(each.get("kind", record["kind"]) == record["kind"] for each in want)
    ]
    if not missing and not surplus:
        return None
    told = [f"missing: {_brief(each)}" for each in missing] + [f"not expected: {_brief(r)}" for r in surplus]
    return Mismatch("errors", _kinds(want), _kinds(there), tuple(told))


def _kinds(errors: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(sorted({str(each.get("kind", "any")) for each in errors})) or "nothing"


# --- the denial --------------------------------------------------------------------------------


def _labels(want: tuple[str, ...], decision: Decision) -> Mismatch | None:
    """The labels that what came in was given."""
    if set(want) == set(decision.labels):
        return None
    return Mismatch("labels", shown(sorted(want)), shown(list(decision.labels)))


def _denial(want: Mapping[str, Any], decision: Decision) -> Mismatch | None:
    denial = decision.denial
    if denial is None:
        return Mismatch("denial", shown(dict(want)), "no denial")
    got = {"kind": denial.kind, "counterfactual": denial.counterfactual}
    if _has(got, want):
        return None
    return Mismatch(
        "denial", shown(dict(want)), shown(got), differences(dict(want), {k: got[k] for k in want})
    )


def _retry_after(want: Mapping[str, float], decision: Decision) -> Mismatch | None:
    got = decision.denial.retry_after if decision.denial else None
    words = " and ".join(f"{how.replace('_', ' ')} {seconds:g} s" for how, seconds in want.items())
    if got is None:
        return Mismatch("retry_after", words.removeprefix("is "), "not known")
    right = {"is": lambda s: got == s, "at_least": lambda s: got >= s, "at_most": lambda s: got <= s}
    if all(right[how](seconds) for how, seconds in want.items()):
        return None
    return Mismatch("retry_after", words.removeprefix("is "), f"{got:g} s")


COMPARISONS: dict[str, Comparison] = {
    "outcome": _outcome,
    "by": _statements("by", lambda decision: decision.reasons),
    "by_at_least": _some("by_at_least", lambda decision: decision.reasons),
    "applied": _statements("applied", lambda decision: decision.applied),
    "applied_at_least": _some("applied_at_least", lambda decision: decision.applied),
    "not_applied": _none_of,
    "shadow": _statements("shadow", lambda decision: decision.shadow),
    "labels": _labels,
    "message": _message,
    "payload": _payload,
    "transforms": _records("transforms", _transforms),
    "obligations": _records("obligations", _obligations),
    "approvals": _records("approvals", _approvals),
    "errors": _errors,
    "denial": _denial,
    "retry_after": _retry_after,
}
"""Aspect -> how a decision is compared with what is wanted of it."""
