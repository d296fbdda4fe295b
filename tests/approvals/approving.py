"""What tests of approvals share: a policy that asks, a clock that stands still, and a guard over a store."""

from __future__ import annotations

from typing import Any

from guardrails import Guard, Session
from guardrails.runtime.clock import FrozenClock
from guardrails.stores.port import StoreUnavailable

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

POLICY = """
policy desk

type principal { id: string }

on call refund {
  size: threshold args.amount {
    up to 100: allow
    up to 500: ask finance within 4h else security because "Large refunds are looked at."
    above: deny because "Too much."
  }
  daily: limit sum(args.amount) to 1000 per 1d by principal.id
  redact args.card with last 4
}
on call deploy { two: ask 2 of release within 1h; flag deployed }
on call wipe { ask }
on call note { allow }
"""

MORE = """
policy more

type principal { id: string }

on call pay {
  far: ask finance within 4h for 3 calls in session, args.amount up to 200 each, args.amount up to 500 total
  daily: limit sum(args.amount) to 10_000 per 1d by principal.id
}
on call note { allow }
"""

LIMITED = """
policy limited

type principal { id: string }

on call pay {
  each: ask finance within 4h else security
  few: limit 1 per 1h by principal.id
}
on call buy {
  far: ask finance within 4h for 3 calls in session, args.amount up to 200 each
  sums: limit sum(args.amount) to 300 per 1d by principal.id
  who: limit distinct(args.who) to 2 per 1d
}
on call note { allow }
"""

REVIEWERS = {"finance": ["ana", "bob"], "security": ["eve"], "release": ["ana", "bob", "cat"]}
REFUND = {"customer": "c1", "amount": 200, "card": "4111111111111111"}


def guard_of(store: Any = "memory:", policy: str = POLICY, **settings: Any) -> Guard:
    settings = {"clock": FrozenClock(NOW), "reviewers": REVIEWERS, **settings}
    return Guard.from_text(policy, store=store, **settings)


def session_of(guard: Guard, id: str = "s1", **more: Any) -> Session:
    return guard.session(id=id, principal={"id": "paul"}, agent={"id": "bot"}, **more)


def asked_for(session: Session, tool: str = "refund", args: Any = None, **more: Any) -> str:
    """The id of the request that a call waits for."""
    decision = session.check_call(tool, REFUND if args is None else args, **more)
    assert decision.outcome.value == "ask"
    assert decision.request
    return decision.request


def clock_of(guard: Guard) -> FrozenClock:
    assert isinstance(guard.clock, FrozenClock)
    return guard.clock


class Stopping:
    """A store that stops answering, for good, before a call of `operation`."""

    def __init__(self, store: Any, operation: str, number: int) -> None:
        self._store = store
        self._operation = operation
        self._left = number

    def __getattr__(self, name: str) -> Any:
        def ask(*positional: Any, **named: Any) -> Any:
            self._left -= name == self._operation
            if self._left < 0:
                raise StoreUnavailable("gone")
            return getattr(self._store, name)(*positional, **named)

        return ask
