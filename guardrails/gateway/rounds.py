"""Rounds: a call that needs somebody's answer before it can go on.

The policy may want a person's approval, and a server may want a sampled text, a filled form or folders. A client of the
old era is asked while its call waits. A client of the new era gets `input_required`, with a sealed state, and calls
again; the state says which call it was, so that it is charged once, and what the server's own state is. A server of
the new era is called again by the gateway when the client is of the old era.

A person's approval counts for exactly this call: the state is bound to its arguments, and the request in the store is
used up by it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras
from guardrails.gateway.flights import Declined
from guardrails.gateway.messages import INVALID_PARAMS
from guardrails.gateway.passing import Withheld
from guardrails.gateway.upstream import ServerError, Unanswered, Unsent
from guardrails.model import Outcome

if TYPE_CHECKING:
    from guardrails.gateway.calls import Call
    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.gateway.upstream import Upstream
    from guardrails.model import Decision

APPROVAL = "guard.approval"
MOST_ROUNDS = 10
MOST_REQUESTS = 16
PAUSES = (0.05, 0.1, 0.25)
"""Seconds before a server that only wants to be called again is called again."""


class Unfinished(Exception):
    """The client is to answer something and call again; `result` says what."""

    def __init__(self, result: dict[str, Any]) -> None:
        super().__init__("input is required")
        self.result = result


class Rounds:
    """One call, over as many rounds as it takes."""

    def __init__(self, exchange: Exchange, flight: Flight, upstream: Upstream, call: Call) -> None:
        self.call = call
        self._exchange = exchange
        self._flight = flight
        self._upstream = upstream
        self._state = self._opened()

    # --- the client's state --------------------------------------------------------------------

    @property
    def _bound(self) -> list[Any]:
        exchange, call = self._exchange, self.call
        return [exchange.judge.session.id, exchange.who.key, call.server, call.method, call.tool, call.args]

    def _opened(self) -> dict[str, Any]:
        """What an earlier round left; empty in the first one. Raises `Declined` for a state that does not open."""
        state = self._flight.params.get("requestState")
        if not self._flight.new or state is None:
            return {}
        found = self._exchange.hub.seal.opened(state, self._bound)
        if found is None:
            why = "this `requestState` is not of this call, is too old, or was used before: call again without it"
            raise Declined(why, INVALID_PARAMS)
        self.call.id = found["call"]
        return found

    def _sealed(self, **more: Any) -> str:
        return self._exchange.hub.seal.closed({"call": self.call.id, **more}, self._bound)

    @property
    def _responses(self) -> dict[str, Any]:
        found = self._flight.params.get("inputResponses")
        return found if self._state and found.__class__ is dict else {}

    # --- approval ------------------------------------------------------------------------------

    async def decided(self) -> Decision:
        """The decision on the call, after the person at the client was asked where they may answer. Raises
        `Unfinished`."""
        decision = await self._decide()
        if decision.outcome is not Outcome.ASK or not self._flight.can_fill_forms:
            return decision
        form = self._exchange.people.form(
            decision, self.call.tool, self.call.args,
            with_mode=self._flight.new or self._exchange.version >= "2025-11-25",
        )  # fmt: skip
        if form is None or decision.request is None:
            return decision
        reply = await self._reply(form, decision.request)
        if not await self._exchange.people.answer(decision.request, reply):
            return decision
        return await self._decide(decision.request)

    async def _decide(self, approval: str = "") -> Decision:
        call = self.call
        return await self._exchange.judge.call(
            call.tool, call.args, digest=call.digest, call_id=call.id, approval=approval
        )

    async def _reply(self, form: dict[str, Any], request: str) -> Any:
        """What the person answers to the form; None for nothing."""
        if not self._flight.new:
            try:
                return await self._exchange.governor.ask(self._flight, "elicitation/create", form)
            except Declined:
                return None
        if self._state.get("request") == request:
            return self._responses.get(APPROVAL)
        question = {"method": "elicitation/create", "params": form}
        state = self._sealed(
            request=request, server=self._state.get("server"), kinds=self._state.get("kinds", {})
        )
        raise Unfinished(
            {"resultType": "input_required", "inputRequests": {APPROVAL: question}, "requestState": state}
        )

    # --- what servers want ---------------------------------------------------------------------

    async def result(self, params: dict[str, Any]) -> dict[str, Any]:
        """The server's result. Raises `Unfinished`, `Withheld`, and what `Upstream.ask` raises."""
        answers, state = await self._brought()
        for number in range(MOST_ROUNDS):
            more = ({"inputResponses": answers} if answers else {}) | (
                {"requestState": state} if state else {}
            )
            try:
                result = await self._upstream.ask(self.call.method, {**params, **more}, self._flight)
            except Unsent as error:
                if more:  # an earlier round was sent
                    raise Unanswered(str(error)) from None
                raise
            if not (self._upstream.new and eras.is_unfinished(result)):
                return result
            wanted, state = self._wanted(result)
            if self._flight.new:
                raise Unfinished(await self._passed_on(wanted, state))
            answers = {key: await self._asked(each) for key, each in wanted.items()}
            if not wanted:
                await asyncio.sleep(PAUSES[min(number, len(PAUSES) - 1)])
        raise ServerError(-32603, f"the server `{self._upstream.name}` wanted something {MOST_ROUNDS} times")

    def _wanted(self, result: dict[str, Any]) -> tuple[dict[str, dict[str, Any]], str]:
        """What a server wants: requests by its own keys, and its state. Raises `ServerError` for nonsense."""
        wanted, state = result.get("inputRequests") or {}, result.get("requestState")
        whole = (
            wanted.__class__ is dict
            and len(wanted) <= MOST_REQUESTS
            and APPROVAL not in wanted
            and all(
                each.__class__ is dict and each.get("method") in eras.ASKED
                and each.get("params", {}).__class__ is dict
                for each in wanted.values()
            )
            and (state is None or state.__class__ is str)
            and bool(wanted or state)
        )  # fmt: skip
        if not whole:
            raise ServerError(-32603, f"the server `{self._upstream.name}` wants something malformed")
        return wanted, state or ""

    async def _asked(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """The answer of a client of the old era to one request of a server."""
        governor = self._exchange.governor
        try:
            return await governor.relayed(
                self._upstream, wanted["method"], wanted.get("params", {}), self._flight
            )
        except Declined as declined:
            raise Withheld(self._exchange.judge.refusal(str(declined))) from None

    async def _passed_on(self, wanted: dict[str, dict[str, Any]], state: str) -> dict[str, Any]:
        """What a client of the new era is to answer: only what the policy lets the server ask."""
        governor, requests = self._exchange.governor, {}
        for key, each in wanted.items():
            try:
                params = await governor.permitted(
                    self._upstream, each["method"], each.get("params", {}), self._flight
                )
            except Declined as declined:
                raise Withheld(self._exchange.judge.refusal(str(declined))) from None
            requests[key] = {"method": each["method"], "params": params}
        kinds = {key: [each["method"], each["params"]] for key, each in requests.items()}
        sealed = self._sealed(server=state, kinds=kinds)
        more = {"inputRequests": requests} if requests else {}
        return {"resultType": "input_required", "requestState": sealed, **more}

    async def _brought(self) -> tuple[dict[str, Any], str]:
        """What the client brings to the server: answers to what it was asked, as far as the policy lets them."""
        governor, answers = self._exchange.governor, {}
        for key, (method, params) in self._state.get("kinds", {}).items():
            given = self._responses.get(key)
            if given.__class__ is not dict:
                continue
            try:
                answers[key] = await governor.released(self._upstream, method, params, given)
            except Declined as declined:
                raise Withheld(self._exchange.judge.refusal(str(declined))) from None
        return answers, self._state.get("server") or ""
