"""Assertions for tests in Python: a decision and what is expected of it in, an `AssertionError` that says what
is different out.

    decision = session.check_call("issue_refund", {"customer_id": "c-9", "amount": 40})
    assert_decision(decision, outcome="deny", by=["own_customer"])
"""

from __future__ import annotations

from typing import Any

from guardrails.diagnostics import did_you_mean
from guardrails.model import Decision, Outcome
from guardrails.testing.expecting import COMPARISONS, mismatches
from guardrails.testing.reporting import failure_text
from guardrails.testing.running import Failure, Lines, statements_of
from guardrails.testing.yaml_tree import span_at


def assert_decision(decision: Decision, **expected: Any) -> None:
    """Raise AssertionError, with what is different, unless the decision is as expected.

    What can be expected is what `expect` of a test file can: `outcome`, `by`, `applied`, `payload`, `errors` and
    so on; nothing else is looked at but errors of evaluation, of which there must be none that is not named.
    Raises TypeError for anything else, and for no expectation at all.
    """
    __tracebackhide__ = True
    found = mismatches(wanted(expected).items(), decision)
    if found:
        errors = tuple(each.message for each in decision.errors)
        place = span_at("", 0, 0, 0)
        failure = Failure("the decision", place, found, statements_of(decision, Lines()), errors)
        raise AssertionError(failure_text(failure))


def wanted(expected: dict[str, Any]) -> dict[str, Any]:
    """Expectations as they are compared: lists as tuples, short forms written out."""
    if not expected:
        raise TypeError("assert_decision() needs something that is expected, such as `outcome`")
    for name in expected:
        if name not in COMPARISONS:
            near = did_you_mean(name, COMPARISONS) or f"it can be one of {', '.join(COMPARISONS)}"
            raise TypeError(f"assert_decision() knows no `{name}`; {near}")
    return {name: _value(name, value) for name, value in expected.items()}


_SHORT = {"transforms": "kind", "obligations": "kind", "errors": "kind"}


def _value(name: str, value: Any) -> Any:
    if isinstance(value, Outcome):
        return value.value
    if name == "payload":
        return (value,)
    if name in ("message", "retry_after") and not isinstance(value, dict):
        return {"is": value}
    if name == "denial" and isinstance(value, str):
        return {"kind": value}
    if name in ("outcome", "message", "retry_after", "denial"):
        return value
    items = (value,) if isinstance(value, str | dict) else tuple(value)
    return tuple({_SHORT[name]: each} if name in _SHORT and isinstance(each, str) else each for each in items)
