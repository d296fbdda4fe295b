"""Circuit breakers: what opens them, and what they answer.

A breaker is closed, open or half open. Closed lets every call through and counts outcomes. It opens when one
of its openings is reached, and refuses every call for `retry_after`. Then it is half open: it lets one call
through, the probe, and refuses all others until the probe's outcome is known or its reservation has run out.
A probe that succeeds closes the breaker and forgets what was counted; one that fails opens it again; one that
was not run, or ran out, leaves it half open for the next. Outcomes of calls that were let through while it
was closed and come in later are counted while it is closed and ignored while it is not. Openings are judged
when an outcome comes in, and a reservation has one outcome: the first of its commit or its failed release.
A probe that ran out is a call like the others.

A breaker goes by the latest time at which something changed it (an outcome that was counted, a probe that
began or ended), and by the caller's time from there on; it is not moved by being asked.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    State = Literal["closed", "open", "half open"]

PROBE = 300_000_000
"""Microseconds after which a probe whose reservation never runs out (`ttl` None) is taken for lost."""

MOST_OUTCOMES = 10_000
"""Outcomes of a breaker that are kept; beyond them the oldest no longer count, in however long a window."""

FORGOTTEN = 604_800_000_000
"""Microseconds after which a breaker that nothing happened to is forgotten, when its windows and waits are
over: a row of failures is not continued a week later."""


class Opening(Value):
    """When a breaker opens: after `failures` failures within `window` microseconds (in (t - window, t]).

    Without a window: after so many failures one after another, with no success between. With `share`, an
    exact fraction `(numerator, denominator)`: when at least that share of the outcomes within `window` are
    failures, and there are at least `failures` outcomes (then the minimum volume, not a number of failures).
    """

    __slots__ = ("failures", "share", "window")

    def __init__(
        self, failures: int, window: int | None = None, share: tuple[int, int] | None = None
    ) -> None:
        if failures < 1 or (window is not None and window < 1) or (share is not None and window is None):
            raise EvaluationError("a breaker opens after at least one failure, in a window of at least 1 µs")
        if window is not None and failures > MOST_OUTCOMES:
            raise EvaluationError(
                f"a breaker keeps {MOST_OUTCOMES} outcomes, so it cannot wait for {failures}"
            )
        self.failures = failures
        self.window = window
        self.share = share


class Gate(Value):
    """The breaker `key` must let a call through. All who use a key give the same openings."""

    __slots__ = ("key", "openings", "retry_after")

    def __init__(self, key: str, openings: tuple[Opening, ...], retry_after: int) -> None:
        self.key = key
        self.openings = openings
        self.retry_after = retry_after


class Shut(Value):
    """Nothing was reserved, because the gate at `index` is not open to this call.

    `retry_after` microseconds from now a call may be let through; None: a probe is under way, and nobody
    knows when it ends.
    """

    __slots__ = ("index", "retry_after")

    def __init__(self, index: int, retry_after: int | None) -> None:
        self.index = index
        self.retry_after = retry_after


class Gauge(Value):
    """The breaker `key` as it is: its state, failures and outcomes that count now (within the longest window
    of its openings; without one: in a row), and for an open one the microseconds until it is half open."""

    __slots__ = ("failures", "key", "outcomes", "retry_after", "state")

    def __init__(self, key: str, state: State, failures: int, outcomes: int, retry_after: int | None) -> None:
        self.key = key
        self.state = state
        self.failures = failures
        self.outcomes = outcomes
        self.retry_after = retry_after
