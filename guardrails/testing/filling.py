"""How full limits are, held against what a test says of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from guardrails.inspection import BreakerState, LimitState
from guardrails.testing.comparing import Mismatch, same, shown


def limit_mismatches(
    wanted: Mapping[str, tuple[Mapping[str, Any], ...]], states: Iterable[LimitState | BreakerState]
) -> tuple[Mismatch, ...]:
    """For each limit that a test names, the counter that is not as wanted."""
    by_name: dict[str, list[LimitState | BreakerState]] = {}
    for state in states:
        for name in {state.name, state.name.rpartition(".")[2]}:
            by_name.setdefault(name, []).append(state)
    found = []
    for name, each in wanted.items():
        there = by_name.get(name, [])
        found += [mismatch for want in each if (mismatch := _missing(name, want, there))]
    return tuple(found)


def _missing(name: str, want: Mapping[str, Any], there: list[LimitState | BreakerState]) -> Mismatch | None:
    if any(_fits(want, state) for state in there):
        return None
    got = "; ".join(_brief(state) for state in there) or "the policy has no such limit"
    words = ", ".join(f"{key} {_plain(value)}" for key, value in want.items())
    return Mismatch(f"limits.{name}", words, got)


def _plain(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else shown(value).strip('"')


def _fits(want: Mapping[str, Any], state: LimitState | BreakerState) -> bool:
    facts = _facts(state)
    return all(name in facts and _same(value, facts[name]) for name, value in want.items())


def _facts(state: LimitState | BreakerState) -> dict[str, Any]:
    """What is known of a counter, by the keys of a test file."""
    if isinstance(state, BreakerState):
        return {"state": state.state, "failures": state.failures, "values": list(state.values)}
    return {
        "used": state.used, "limit": state.limit, "values": list(state.values), "per": state.per,
        "full": state.is_full,
    }  # fmt: skip


def _same(want: Any, got: Any) -> bool:
    return same(list(want) if isinstance(want, tuple) else want, got)


def _brief(state: LimitState | BreakerState) -> str:
    values = f" of {', '.join(state.values)}" if state.values else ""
    if isinstance(state, BreakerState):
        return f"{state.state or 'closed'} with {state.failures} failures{values}"
    most = "" if state.limit is None else f" of {state.limit}"
    return f"used {state.used}{most} per {state.per}{values}"
