"""A limit kept by this process alone while the store cannot be reached (`degrade to local`).

Only a share of each limit is used here, because other processes may be cut off as well. What was counted
here is not carried over when the store is back.
"""

from __future__ import annotations

from guardrails.stores.demands import Demand, Granted, Refused, amount_of
from guardrails.stores.memory import MemoryStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from fractions import Fraction

    from guardrails.runtime.accounts import Event, Wanted


class LocalShare:
    """`share` of every limit that may be kept here, rounded down."""

    def __init__(self, share: Fraction) -> None:
        self.share = share
        self._store = MemoryStore()

    def reserve(self, wanted: Wanted, event: Event) -> Granted | Refused | None:
        """The answer of this process; None when one of the limits must not be kept here."""
        if not all(meter.degrade for meter in wanted.meters):
            return None
        demands = list(map(self._shared, wanted.demands))
        answer = self._store.reserve(demands, now=event.now, ttl=None, request=event.request)
        assert isinstance(answer, Granted | Refused)  # without gates and notes there is no third way
        return answer

    def _shared(self, demand: Demand) -> Demand:
        ceiling = demand.ceiling * self.share.numerator // self.share.denominator
        limit = amount_of(ceiling, demand.decimals)
        return Demand(demand.key, demand.amount, limit, demand.window, demand.decimals, member=demand.member)
