"""The hub: what all exchanges of a gateway share, and where they begin."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from guardrails.gateway.exchange import Exchange
from guardrails.gateway.links import Limits, Local, Who
from guardrails.gateway.naming import PATTERN, Naming
from guardrails.gateway.pins import Pins
from guardrails.gateway.sealing import Seal
from guardrails.gateway.stdio import LocalLink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.gateway.links import Link, Place
    from guardrails.guard import Guard


@dataclass(frozen=True, slots=True)
class Plan:
    """What a gateway stands in front of, and how. `present` are the groups of reviewers that the person at a client
    belongs to; `anybody` says whether that person may also answer what is asked of nobody in particular. `principal`
    and `agent` are whom the policy sees where the caller does not say."""

    places: Sequence[Place]
    pattern: str = PATTERN
    present: Sequence[str] = ()
    anybody: bool = True
    principal: Mapping[str, Any] = field(default_factory=dict)
    agent: Mapping[str, Any] = field(default_factory=dict)
    session: str = ""
    accepts_changes: bool = False
    limits: Limits = field(default_factory=Limits)


class Hub:
    """One per process. Raises `NamingError` for servers that cannot be told apart."""

    def __init__(self, guard: Guard, plan: Plan) -> None:
        self.guard = guard
        self.plan = plan
        self.places = tuple(plan.places)
        self.limits = plan.limits
        self.present = tuple(plan.present)
        self.accepts_changes = plan.accepts_changes
        self.naming = Naming([place.name for place in plan.places], plan.pattern)
        self.pins = Pins(guard.state.store, guard.clock)
        self._exchanges: WeakSet[Exchange] = WeakSet()
        self.seal = Seal(guard.clock, plan.limits.asking)

    def who(self) -> Who:
        """Whoever the command line says that it is for."""
        plan = self.plan
        return Who(session=plan.session, principal=plan.principal, agent=plan.agent)

    def open(self, who: Who) -> Exchange:
        """A new exchange for a client; its servers are started when they are first needed."""
        exchange = Exchange(self, who)
        self._exchanges.add(exchange)
        return exchange

    async def close(self) -> None:
        """End all exchanges."""
        await asyncio.gather(*(each.close() for each in self._exchanges))

    def link_to(self, place: Place) -> Link:
        """The way to a server."""
        if isinstance(place, Local):
            return LocalLink(place, self.limits)
        from guardrails.gateway.http.client import RemoteLink

        link: Link = RemoteLink(place, self.limits)
        return link
