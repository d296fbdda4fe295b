"""Tests of policies: cases as data, what runs and reports them, and tools for tests in Python.

    from guardrails.testing import assert_decision, events, histories, order_never_matters

The command `guard test` and the pytest plugin read `*.test.yaml` files; see `grammar/TESTING.md`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.testing.asserting import assert_decision
    from guardrails.testing.drawing import events, histories
    from guardrails.testing.properties import errors_never_loosen, never_allows_more_than, order_never_matters
    from guardrails.testing.reading import SuiteError, read_suite
    from guardrails.testing.running import Result, run_suite

__all__ = [
    "Result",
    "SuiteError",
    "assert_decision",
    "errors_never_loosen",
    "events",
    "histories",
    "never_allows_more_than",
    "order_never_matters",
    "read_suite",
    "run_suite",
]

_HOMES = {
    "Result": "running", "run_suite": "running", "SuiteError": "reading", "read_suite": "reading",
    "assert_decision": "asserting", "events": "drawing", "histories": "drawing",
    "errors_never_loosen": "properties",
    "never_allows_more_than": "properties", "order_never_matters": "properties",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
