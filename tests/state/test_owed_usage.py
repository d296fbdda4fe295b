"""Usage that is reported while the store is away is charged when it is back, before anything else."""

from __future__ import annotations

from typing import Any

from guardrails import Guard, Outcome
from guardrails.runtime.usage import Usage
from guardrails.state import Health
from guardrails.stores import StoreUnavailable, open_store

POLICY = "on call search { allow }\non session { spent: budget tokens 1_000 }"


class Away:
    """A store in memory that can be away."""

    def __init__(self) -> None:
        self.away = False
        self._inner = open_store("memory:")

    def __getattr__(self, name: str) -> Any:
        if self.away and name in ("reserve", "commit", "halts"):

            def gone(*_: object, **__: object) -> None:
                raise StoreUnavailable("the store is away")

            return gone
        return getattr(self._inner, name)


def test_usage_is_not_lost_with_the_store(monkeypatch: Any) -> None:
    monkeypatch.setattr(Health, "refuse_early", lambda _: None)
    monkeypatch.setattr("guardrails.state.Guarded.__getattr__", lambda self, name: getattr(self._inner, name))
    store = Away()
    guard = Guard.from_text(POLICY, store=store)  # type: ignore[arg-type]  # it passes on the whole port
    session, other = guard.session(id="s1"), guard.session(id="s2")
    assert session.check_call("search", {}).allowed
    store.away = True
    assert session.report(Usage(input_tokens=600)).outcome is Outcome.DENY
    assert session.report(Usage(input_tokens=600)).outcome is Outcome.DENY
    assert session.check_call("search", {}).outcome is Outcome.DENY
    store.away = False
    refused = session.check_call("search", {})
    assert [reason.label for reason in refused.reasons] == ["spent"]
    assert other.check_call("search", {}).allowed
    assert session.report(Usage(input_tokens=1)).message.count("1201 of that are used") == 1
