"""Telling: what servers say of their own accord, as far as it may reach the client.

Progress and log lines hold texts. They are judged by the rules for results of the tools that run at that server just
then, and by those for `mcp.SERVER.notifications/progress` and `mcp.SERVER.notifications/message`; a text that is
withheld is left out, and the number of a progress still arrives. That lists or resources have changed is passed on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras, messages
from guardrails.gateway.judging import plain
from guardrails.gateway.passing import stop_if_halted
from guardrails.gateway.stdio import say
from guardrails.gateway.upstream import ServerError, Unanswered
from guardrails.integrations.judging import changes
from guardrails.model import Outcome

if TYPE_CHECKING:
    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.gateway.links import Message
    from guardrails.gateway.upstream import Upstream

CHANGES = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
UPDATED = "notifications/resources/updated"
NOTHING = object()


class Teller:
    """Tells clients what servers say. `uris` are the resources that a policy lets the client hear of, and
    `listeners` the streams of clients of the new era with what each wants."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.uris: set[tuple[str, str]] = set()
        self.listeners: list[tuple[Flight, dict[str, Any]]] = []
        self._ready: dict[tuple[str, int], asyncio.Event] = {}
        self._watching: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def told(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        """One notification of a server."""
        method, params = message["method"], messages.params_of(message)
        if method == "notifications/progress" and flight is not None:
            await self._progress(upstream, params, flight)
        elif method == "notifications/message":
            await self._line(upstream, params, flight)
        elif method in CHANGES:
            await self._spread(messages.notification(method), CHANGES[method], flight)
        elif method == UPDATED:
            await self._updated(upstream, params)
        elif method == "notifications/cancelled":
            self._exchange.governor.taken_back(upstream, params.get("requestId"))
        elif method == "notifications/subscriptions/acknowledged":
            self._acknowledge(upstream, params, flight)
        else:
            say(f"`{method}` of `{upstream.name}` does not pass")

    # --- texts ---------------------------------------------------------------------------------

    async def _progress(self, upstream: Upstream, params: dict[str, Any], flight: Flight) -> None:
        told = {name: params[name] for name in ("progress", "total") if _is_number(params.get(name))}
        text = await self._text(upstream, "notifications/progress", params.get("message"), [flight])
        if text.__class__ is str:
            told["message"] = text
        if "progress" in told:
            note = messages.notification("notifications/progress", {"progressToken": flight.token, **told})
            await flight.client.send(note, about=flight.id)

    async def _line(self, upstream: Upstream, params: dict[str, Any], flight: Flight | None) -> None:
        """A log line, of any JSON value."""
        data = await self._text(upstream, "notifications/message", params.get("data"), upstream.flights)
        if data is NOTHING or params.get("level").__class__ is not str:
            return
        line = {"level": params["level"], "data": data}
        if params.get("logger").__class__ is str:
            line["logger"] = params["logger"]
        target = flight.client if flight is not None else self._exchange.client
        if target is not None:
            about = flight.id if flight is not None else None
            await target.send(messages.notification("notifications/message", line), about=about)

    async def _text(self, upstream: Upstream, method: str, value: Any, flights: list[Flight]) -> Any:
        """A value as all rules that it falls under let it through; NOTHING where one withholds it. Those of the tools
        that run come first, so that no record of the rest holds what they take out."""
        judge = self._exchange.judge
        for flight in flights:
            if value is None or not flight.tool:
                continue
            decision = await judge.look(flight.tool, value, flight.args)
            if decision.outcome is not Outcome.ALLOW:
                return NOTHING
            value = plain(decision.payload) if changes(decision, value) else value
        tool = self._exchange.naming.in_policy(upstream.name, method)
        if value is None or not judge.rules_results(tool):
            return NOTHING if value is None else value
        decision = await judge.result(tool, value, {})
        stop_if_halted(self._exchange, decision)
        if decision.outcome is not Outcome.ALLOW:
            return NOTHING
        return plain(decision.payload) if changes(decision, value) else value

    # --- changes -------------------------------------------------------------------------------

    async def _spread(self, note: Message, kind: str, flight: Flight | None) -> None:
        """To a client of the old era, and to every stream of the new one that wants it; what came on the stream that
        belongs to one listener goes to that one. A call that runs just then has nothing to do with it."""
        owner = next((each for each, _ in self.listeners if each is flight), None)
        if self._exchange.client is not None:
            await self._exchange.client.send(note)
        for listener, wants in list(self.listeners):
            if owner in (None, listener) and wants.get(kind) is True:
                await self._to_listener(listener, note)

    async def _updated(self, upstream: Upstream, params: dict[str, Any]) -> None:
        uri = params.get("uri")
        if uri.__class__ is not str or (upstream.name, uri) not in self.uris:
            return
        place = self._exchange.naming.uri_outward(upstream.name, uri)
        note = messages.notification(UPDATED, {"uri": place})
        if self._exchange.client is not None:
            await self._exchange.client.send(note)
        for listener, wants in list(self.listeners):
            if place in wants.get("resourceSubscriptions", ()):
                await self._to_listener(listener, note)

    async def _to_listener(self, listener: Flight, note: Message) -> None:
        params = {**messages.params_of(note), "_meta": {eras.LISTENING_KEY: listener.id}}
        await listener.client.send({**note, "params": params}, about=listener.id)

    async def acknowledged(self, upstream: Upstream, flight: Flight) -> None:
        """Wait until a server has said that it tells this listener."""
        key = (upstream.name, id(flight))
        event = self._ready[key] = asyncio.Event()
        try:
            await event.wait()
        finally:
            del self._ready[key]

    def _acknowledge(self, upstream: Upstream, params: dict[str, Any], flight: Flight | None) -> None:
        number = (params.get("_meta") or {}).get(eras.LISTENING_KEY)
        listener = upstream.flight_about(number) if messages.is_id(number) else flight
        event = self._ready.get((upstream.name, id(listener)))
        if event is not None:
            event.set()

    # --- servers of the new era, for clients of the old one ------------------------------------

    async def follow(self, upstream: Upstream, uri: str | None = None) -> None:
        """Listen to a server of the new era, as the client's era has no such thing."""
        wanted: dict[str, Any] = (
            dict.fromkeys(CHANGES.values(), True) if uri is None else {"resourceSubscriptions": [uri]}
        )
        try:
            await upstream.ask("subscriptions/listen", {"notifications": wanted})
        except (ServerError, Unanswered):
            return

    def watch(self, upstream: Upstream, uri: str) -> None:
        key = (upstream.name, uri)
        if key not in self._watching:
            self._watching[key] = self._exchange.begin(self.follow(upstream, uri))

    def unwatch(self, upstream: Upstream, uri: str) -> None:
        task = self._watching.pop((upstream.name, uri), None)
        if task is not None:
            task.cancel()


def _is_number(value: Any) -> bool:
    return value.__class__ in (int, float)
