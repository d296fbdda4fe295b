"""The exchange: one client on one side, its servers on the other, the policy in between.

Takes the client's messages as its transport hears them; every request is a task of its own, so that a slow server
holds up nothing else. What is not known here is refused, whoever sends it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras, messages
from guardrails.gateway.calls import CALLS
from guardrails.gateway.catalogue import Catalogue
from guardrails.gateway.flights import Declined, Flight, flight_of
from guardrails.gateway.governing import Governor
from guardrails.gateway.greeting import GREETINGS
from guardrails.gateway.judging import Judge
from guardrails.gateway.links import LINK_FAILED, Remote
from guardrails.gateway.listening import LISTENING
from guardrails.gateway.listing import LISTS
from guardrails.gateway.passing import excuse
from guardrails.gateway.people import People
from guardrails.gateway.stdio import say
from guardrails.gateway.telling import Teller
from guardrails.gateway.upstream import ServerError, Unanswered, Upstream

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from guardrails.gateway.hub import Hub
    from guardrails.gateway.links import Client, Id, Message, Place, Who

METHODS: Mapping[str, Callable[[Exchange, Flight], Awaitable[dict[str, Any]]]] = {
    **GREETINGS, **LISTS, **CALLS, **LISTENING,
}  # fmt: skip
"""What a client can ask for; nothing else passes."""

AGAIN = 1.0
"""Seconds after which a server that is gone is tried again, when somebody needs it."""

NO_SERVER = ("initialize", "ping")
"""What is answered without waiting for the era to be known."""


class Exchange:
    """What goes on between one client and its servers. Opened by `Hub.open`, fed by `heard`."""

    def __init__(self, hub: Hub, who: Who) -> None:
        self.hub = hub
        self.who = who
        self.judge = Judge(hub.guard, who)
        self.people = People(self.judge, hub.present, anybody=hub.plan.anybody)
        self.naming = hub.naming
        self.limits = hub.limits
        self.client: Client | None = None
        self.new: bool | None = None
        self.version = ""
        self.abilities: Mapping[str, Any] = {}
        self.client_info: Mapping[str, Any] = eras.ME
        self.flights: dict[tuple[int, Id], tuple[Flight, asyncio.Task[None]]] = {}
        self.governor = Governor(self)
        self.teller = Teller(self)
        self.upstreams: dict[str, Upstream] = {}
        self.catalogues: dict[str, Catalogue] = {}
        self._places = {place.name: place for place in hub.places}
        for place in hub.places:
            self._connect(place)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_closed = False

    # --- from the client -----------------------------------------------------------------------

    async def heard(self, message: Message, client: Client) -> None:
        """The client said this. Its answer goes to `client`, when there is one."""
        if self._is_closed:
            return
        if messages.is_response(message):
            self.governor.settle(message)
        elif "id" in message:
            await self._request(message, client)
        else:
            await self._notification(message, client)

    async def _request(self, message: Message, client: Client) -> None:
        refused = self._misfit(message, client)
        if refused is not None:
            await client.send(refused, about=message["id"])
            return
        flight = flight_of(message, client, self.abilities)
        if flight.new:
            said = flight.meta.get(eras.CLIENT_KEY)
            self.client_info = said if said.__class__ is dict else self.client_info
        task = asyncio.get_running_loop().create_task(self._fly(flight))
        self.flights[id(client), flight.id] = (flight, task)
        task.add_done_callback(lambda _: self.flights.pop((id(client), flight.id), None))

    def _misfit(self, message: Message, client: Client) -> Message | None:
        """Why a request is not even begun."""
        number, method = message["id"], message["method"]
        if (id(client), number) in self.flights:
            return messages.failure(number, messages.INVALID_REQUEST, "a request with this id is under way")
        if len(self.flights) >= self.limits.most_waiting:
            why = f"{self.limits.most_waiting} requests are under way; come again when some are answered"
            return messages.failure(number, LINK_FAILED, why)
        if method not in METHODS:
            return messages.failure(
                number, messages.METHOD_NOT_FOUND, f"`{method}` does not pass this gateway"
            )
        return self._out_of_era(message)

    def _out_of_era(self, message: Message) -> Message | None:
        """A client stays in the era that it began with, as servers do."""
        number, new = message["id"], eras.is_new(message)
        if new:
            misfit = eras.misfit(message)
            if misfit is not None:
                return misfit
        if self.new is None and (new or message["method"] == "initialize"):
            self.new = new
        if self.new is None and message["method"] not in NO_SERVER:
            return messages.failure(number, messages.INVALID_REQUEST, "begin with `initialize`")
        if self.new is not None and new != self.new and message["method"] != "ping":
            data = {"supported": list(eras.NEW_VERSIONS if self.new else eras.OLD_VERSIONS)}
            why = "this connection speaks the other protocol era"
            return messages.failure(number, messages.UNSUPPORTED_VERSION, why, data)
        return None

    async def _fly(self, flight: Flight) -> None:
        """Answer one request."""
        answer = await self._answer(flight)
        if flight.cancelled is None:
            await flight.client.send(answer, about=flight.id)

    async def _answer(self, flight: Flight) -> Message:
        try:
            result = await METHODS[flight.method](self, flight)
            return messages.response(flight.id, eras.complete(result, new=flight.new, method=flight.method))
        except Declined as declined:
            return messages.failure(flight.id, declined.code, str(declined), declined.data)
        except ServerError as error:
            return messages.failure(flight.id, error.code, await excuse(self, flight.method, error))
        except Unanswered as error:
            return messages.failure(flight.id, LINK_FAILED, str(error))
        except Exception as error:
            say(f"`{flight.method}` failed: {error.__class__.__name__}: {error}")
            return messages.failure(
                flight.id, messages.INTERNAL_ERROR, "the gateway failed, so this is refused"
            )

    async def _notification(self, message: Message, client: Client) -> None:
        method, params = message["method"], messages.params_of(message)
        if method == "notifications/cancelled":
            self._cancel(client, params)
        elif method == "notifications/roots/list_changed" and not self.new:
            for upstream in self.upstreams.values():
                if upstream.version in eras.OLD_VERSIONS:
                    await upstream.notify(method)
        elif method == "notifications/progress":
            await self.governor.progress(params)
        elif method != "notifications/initialized":
            say(f"the client's `{method}` does not pass")

    def _cancel(self, client: Client, params: dict[str, Any]) -> None:
        number = params.get("requestId")
        found = self.flights.get((id(client), number)) if messages.is_id(number) else None
        if found is not None:
            reason = params.get("reason")
            self._give_up(*found, reason[:500] if reason.__class__ is str else "")

    def _give_up(self, flight: Flight, task: asyncio.Task[None], reason: str) -> None:
        flight.cancelled = reason
        task.cancel()

    def gone(self, client: Client) -> None:
        """This client hears nothing any more: what it waited for is given up."""
        for (each, _), (flight, task) in list(self.flights.items()):
            if each == id(client):
                self._give_up(flight, task, "the client is gone")

    # --- servers -------------------------------------------------------------------------------

    def _connect(self, place: Place) -> Upstream:
        hub = self.hub
        upstream = self.upstreams[place.name] = Upstream(hub.link_to(place), hub.limits, self)
        self.catalogues[place.name] = Catalogue(
            upstream, place, hub.naming, hub.pins, accepts=hub.accepts_changes
        )
        return upstream

    def _current(self, name: str) -> Upstream:
        """The way to a server; a new one where it has been gone for a while, and nobody stopped it."""
        upstream = self.upstreams[name]
        if self._is_closed or self.judge.halted is not None or not upstream.is_over(AGAIN):
            return upstream
        self.begin(upstream.close())
        fresh = self._connect(self._places[name])
        fresh.level = upstream.level
        return fresh

    async def server(self, name: str) -> Upstream:
        """A server that is ready. Raises `Unanswered`."""
        upstream = self._current(name)
        upstream.askable = self.governor.askable(upstream)
        place, is_first = self._places[name], not upstream.version
        await upstream.ready(
            new=bool(self.new),
            version=place.version if isinstance(place, Remote) else "",
            abilities={} if self.new else self.governor.offered(upstream),
            client=self.client_info,
        )
        if is_first and upstream.new and not self.new and not upstream.is_followed:
            upstream.is_followed = True
            self.begin(self.teller.follow(upstream))
        return upstream

    async def servers(self) -> list[Upstream]:
        """All servers that can be used; the others were said on standard error. Raises `Unanswered` where none can."""
        found = await asyncio.gather(*map(self.server, self.upstreams), return_exceptions=True)
        ready = [each for each in found if isinstance(each, Upstream)]
        troubles = [each for each in found if isinstance(each, BaseException)]
        for trouble in troubles:
            say(str(trouble))
        if not ready:
            raise troubles[0]
        return ready

    async def told(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        if message["method"] == "notifications/tools/list_changed":
            self.catalogues[upstream.name].spoil()
        await self.teller.told(upstream, message, flight)

    async def asked(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        self.begin(self.governor.asked(upstream, message, flight))

    def begin(self, work: Any) -> asyncio.Task[Any]:
        """Something that goes on beside requests, until it or the exchange ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def idle(self) -> None:
        """Wait until nothing is under way."""
        while self.flights:
            await asyncio.wait([task for _, task in self.flights.values()])
            await asyncio.sleep(0)

    # --- the end -------------------------------------------------------------------------------

    async def stop_servers(self) -> None:
        """The session is halted: no server runs on."""
        await asyncio.gather(*(each.close() for each in self.upstreams.values()), return_exceptions=True)

    async def close(self) -> None:
        """End it all: requests, servers, questions."""
        if self._is_closed:
            return
        self._is_closed = True
        for flight, task in list(self.flights.values()):
            self._give_up(flight, task, "the gateway ends")
        for task in self._tasks:
            task.cancel()
        await self.stop_servers()
