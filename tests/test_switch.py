"""The kill switch: how stale its knowledge may be, what it names, and that not knowing stops."""

from __future__ import annotations

import pytest

from guardrails import Guard
from guardrails.errors import EvaluationError
from guardrails.runtime import switch
from guardrails.runtime.switch import KillSwitch, checked_scope
from guardrails.stores import Halt, StoreUnavailable, open_store

NOW = 1_800_000_000_000_000


class Counted:
    """A store that counts how often it is asked for halts, and can be away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False
        self.inner = open_store("memory:")

    def halts(self, *, now: int) -> tuple[Halt, ...]:
        self.asked += 1
        if self.away:
            raise StoreUnavailable("the store is away")
        return self.inner.halts(now=now)


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The clock that only runs forwards, in our hands."""
    at = [100.0]
    monkeypatch.setattr(switch, "monotonic", lambda: at[0])
    return at


def test_it_asks_once_per_stretch_of_time(tick: list[float]) -> None:
    store = Counted()
    kill = KillSwitch(lambda: store, 0.05)  # type: ignore[arg-type, return-value]  # only `halts` is used
    for _ in range(40):
        tick[0] += 0.001
        assert kill.halts(NOW) == ()
    store.inner.halt("all", "ana", "stop", now=NOW, until=NOW + 60)
    assert store.asked == 1
    tick[0] += 0.011
    assert [halt.scope for halt in kill.halts(NOW)] == ["all"]
    assert kill.halts(NOW + 60) == ()
    assert store.asked == 2


def test_a_strict_one_asks_each_time_and_passes_failures_on(tick: list[float]) -> None:
    store = Counted()
    kill = KillSwitch(lambda: store, 0)  # type: ignore[arg-type, return-value]  # only `halts` is used
    kill.halts(NOW)
    kill.halts(NOW)
    assert store.asked == 2
    store.away = True
    with pytest.raises(StoreUnavailable):
        kill.halts(NOW)


@pytest.mark.parametrize("scope", ["", "al", "tools:x", "tool:", "agent", ":x"])
def test_a_scope_that_names_nothing_is_refused(scope: str) -> None:
    with pytest.raises(EvaluationError, match="names nothing to halt"):
        checked_scope(scope)
    with pytest.raises(EvaluationError):
        Guard.from_text("on call a { allow }").halt(scope, by="ana", why="drill")


@pytest.mark.parametrize("scope", ["all", "tool:a", "tool:*", "agent:bot", "principal:ana", "session:s1"])
def test_a_policy_that_counts_nothing_is_halted_as_well(scope: str) -> None:
    guard = Guard.from_text("on call a, b { allow }")
    session = guard.session(principal={"id": "ana"}, agent={"id": "bot"}, id="s1")
    assert session.check_call("a", {}).allowed
    guard.halt(scope, by="ana", why="It loops.")
    decision = session.check_call("a", {})
    assert str(decision.outcome) == "deny"
    assert "It loops" in decision.message
    assert session.check_call("b", {}).allowed == (scope == "tool:a")
    assert guard.resume(scope)
    assert session.check_call("a", {}).allowed
    assert not guard.resume(scope)
