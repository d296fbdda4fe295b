"""A store that does not answer is left alone for a while, longer each time, and asked again afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails import Guard, Outcome, state
from guardrails.stores.memory import MemoryStore
from guardrails.stores.port import StoreUnavailable


class Moody:
    """A store that answers or not; it counts how often a reservation was asked for."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.is_away = True
        self.asked = 0

    def reserve(self, *positional: Any, **named: Any) -> Any:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("the store is away")
        return self.inner.reserve(*positional, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def test_pauses_double_and_end_with_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    store, ticks = Moody(), [1_000.0]
    monkeypatch.setattr(state, "monotonic", lambda: ticks[0])
    guard = Guard.from_text("policy p\non call pay { allow; l: limit 9 per 1h by args.n }", store=store)  # type: ignore[arg-type]  # it stands in for one

    def asked_after(seconds: float) -> tuple[int, Outcome]:
        ticks[0] += seconds
        before = store.asked
        outcome = guard.session().check_call("pay", {"n": 1}).outcome
        return min(store.asked - before, 1), outcome

    denied = Outcome.DENY
    # Pauses of 0.05, 0.1, 0.2 and 0.4 seconds, each begun by the question before it.
    answers = [asked_after(pause) for pause in (0, 0.04, 0.02, 0.09, 0.02, 0.19, 0.02)]
    assert answers == [
        (1, denied),
        (0, denied),
        (1, denied),
        (0, denied),
        (1, denied),
        (0, denied),
        (1, denied),
    ]
    assert guard.state.health.error == "the store is away"
    store.is_away = False
    assert asked_after(0.39) == (0, denied)
    assert asked_after(0.02) == (1, Outcome.ALLOW)
    assert guard.state.health.error is None
