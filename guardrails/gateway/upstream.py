"""Upstream: one MCP server, as the gateway talks to it.

Takes requests of the gateway, gives the server's results; what the server says of its own accord goes to the
`Master`. The server is opened when it is first needed, in the era of the client where it speaks that one, so that
little has to be translated. Ids and progress tokens toward the server are the gateway's own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from guardrails.gateway import eras, messages
from guardrails.gateway.links import LinkError
from guardrails.gateway.stdio import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.gateway.flights import Flight
    from guardrails.gateway.links import Id, Limits, Link, Message

PROBING = 10.0
"""Seconds that a server has for the first of two handshakes: some do not answer what they do not know."""


class ServerError(Exception):
    """The server answered a request with an error. `said_by` is the server whose words these are, which may have to
    be judged before anybody reads them; empty for the gateway's own."""

    def __init__(self, code: int, message: str, data: Any = None, *, said_by: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data
        self.said_by = said_by


class Unanswered(Exception):
    """The server did not answer: it is gone, cannot be reached, or took too long. What it did is not known."""


class Unsent(Unanswered):
    """The server was gone before it was asked: it did nothing."""


class Master(Protocol):
    """Who is told what servers say of their own accord."""

    async def told(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        """A notification; `flight` is the client's request that it belongs to, where that is known."""
        ...

    async def asked(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        """A request of the server, which `Upstream.answer` answers."""
        ...


class Waiting:
    """A request to the server that is not answered yet."""

    __slots__ = ("flight", "future", "moved")

    def __init__(self, future: asyncio.Future[dict[str, Any]], flight: Flight | None) -> None:
        self.future = future
        self.flight = flight
        self.moved = False


class Upstream:
    """One server of one exchange."""

    def __init__(self, link: Link, limits: Limits, master: Master) -> None:
        self.name = link.name
        self.version = ""
        self.abilities: Mapping[str, Any] = {}
        self.instructions = ""
        self.level = ""
        self.is_followed = False
        self.askable: frozenset[str] = frozenset()
        """What this server may ever ask of a client; no more is offered to it."""
        self._link = link
        self._limits = limits
        self._master = master
        self._waiting: dict[Id, Waiting] = {}
        self._questions: set[Id] = set()
        self._last = 0
        self._gone = ""
        self._gone_at = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._client: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, eras.ME)

    @property
    def new(self) -> bool:
        return self.version in eras.NEW_VERSIONS

    def is_over(self, seconds: float) -> bool:
        """Whether it has been gone for so long."""
        return bool(self._gone) and asyncio.get_running_loop().time() - self._gone_at >= seconds

    def has(self, ability: str) -> bool:
        return self.abilities.get(ability).__class__ is dict

    # --- opening -------------------------------------------------------------------------------

    async def ready(
        self,
        *,
        new: bool,
        version: str = "",
        abilities: Mapping[str, Any] | None = None,
        client: Mapping[str, Any] | None = None,
    ) -> None:
        """Open the server and shake hands, once. `new` says which era is tried first, and `version` the one that it
        speaks, where that is known: then no other is tried. `abilities` and `client` are what the server is told of
        the client. Raises `Unanswered`."""
        if self._opening is None:
            self._client = (abilities or {}, client or eras.ME)
            self._opening = asyncio.create_task(self._open(version, new=new))
        await asyncio.shield(self._opening)

    async def _open(self, version: str, *, new: bool) -> None:
        try:
            async with asyncio.timeout(self._limits.opening):
                await self._link.open(self)
                await self._shake_hands(version, new=new)
        except TimeoutError:
            await self._fail(f"it was not ready within {self._limits.opening:g} s")
        except (LinkError, Unanswered) as error:
            await self._fail(str(error))
        except ServerError as error:
            if error.said_by:
                say(f"`{self.name}` refuses to begin: {error.message[:500]}")
            why = f"error {error.code}" if error.said_by else error.message
            await self._fail(f"it refuses to begin ({why})")

    async def _fail(self, why: str) -> None:
        self._go(why)
        await self._link.close()
        raise Unanswered(f"the server `{self.name}` cannot be used: {self._gone}")

    async def _shake_hands(self, version: str, *, new: bool) -> None:
        """In the era that is known, or in that of the client, else in the other one."""
        if version:
            await (self._discover() if version in eras.NEW_VERSIONS else self._initialize())
            return
        first, second = (self._discover, self._initialize) if new else (self._initialize, self._discover)
        try:
            async with asyncio.timeout(PROBING):
                await first()
            return
        except (ServerError, TimeoutError, Unanswered) as error:
            if self._gone:
                raise LinkError(self._gone) from None
            refused = error
        try:
            await second()
        except ServerError:
            raise (
                refused if isinstance(refused, ServerError) else LinkError("it answers no handshake")
            ) from None

    async def _discover(self) -> None:
        meta = eras.envelope({}, *self._client)
        found = await self._ask("server/discover", {"_meta": meta}, None)
        offered = found.get("supportedVersions")
        known = [each for each in eras.NEW_VERSIONS if each in (offered if offered.__class__ is list else ())]
        if not known:
            raise ServerError(
                messages.UNSUPPORTED_VERSION, "it speaks no protocol version that is known here"
            )
        self._learn(known[-1], found)

    async def _initialize(self) -> None:
        abilities, client = self._client
        params = {
            "protocolVersion": eras.OLD_VERSIONS[-1], "capabilities": dict(abilities), "clientInfo": dict(client),
        }  # fmt: skip
        found = await self._ask("initialize", params, None)
        version = found.get("protocolVersion")
        if version not in eras.OLD_VERSIONS:
            raise ServerError(
                messages.UNSUPPORTED_VERSION, f"it wants protocol version `{str(version)[:40]}`, unknown here"
            )
        self._learn(version, found)
        await self._link.send(messages.notification("notifications/initialized"))

    def _learn(self, version: str, found: Mapping[str, Any]) -> None:
        self.version = version
        abilities, instructions = found.get("capabilities"), found.get("instructions")
        self.abilities = abilities if isinstance(abilities, dict) else {}
        self.instructions = instructions if isinstance(instructions, str) else ""
        self._link.agreed(version)

    # --- asking --------------------------------------------------------------------------------

    async def ask(self, method: str, params: dict[str, Any], flight: Flight | None = None) -> dict[str, Any]:
        """The server's result. Raises `ServerError`, and `Unanswered` where there is no answer. Who is cancelled
        while waiting cancels at the server too."""
        return await self._ask(method, self._with_meta(params, flight), flight)

    def _with_meta(self, params: dict[str, Any], flight: Flight | None) -> dict[str, Any]:
        meta = eras.plain_meta(flight.meta) if flight is not None else {}
        meta.pop("progressToken", None)
        meta.pop(eras.SESSION_KEY, None)
        if self.new:
            abilities, client = self._client
            if flight is not None and flight.new:
                abilities = {name: each for name, each in flight.abilities.items() if name in self.askable}
            level = flight.meta.get(eras.LEVEL_KEY, self.level) if flight is not None else self.level
            meta = eras.envelope(meta, abilities, client, level if isinstance(level, str) else "")
        return {**params, "_meta": meta} if meta else params

    async def _ask(self, method: str, params: dict[str, Any], flight: Flight | None) -> dict[str, Any]:
        if self._gone:
            raise Unsent(f"the server `{self.name}` is gone: {self._gone}")
        self._last += 1
        id = self._last
        if flight is not None and flight.token is not None:
            params = {**params, "_meta": {**params.get("_meta", {}), "progressToken": id}}
        waiting = Waiting(asyncio.get_running_loop().create_future(), flight)
        self._waiting[id] = waiting
        try:
            await self._sent(messages.request(id, method, params))
            return await self._answer_to(waiting, method)
        except LinkError as error:
            raise Unanswered(f"the server `{self.name}` is gone: {error}") from None
        except (asyncio.CancelledError, Unanswered):
            if method not in ("initialize", "server/discover"):
                await self._cancel(id, flight)
            raise
        finally:
            del self._waiting[id]

    async def _sent(self, message: Message) -> None:
        """A server that does not read holds up nobody for ever."""
        try:
            async with asyncio.timeout(self._limits.answering):
                await self._link.send(message)
        except TimeoutError:
            raise LinkError("it does not read what it is sent") from None

    async def _answer_to(self, waiting: Waiting, method: str) -> dict[str, Any]:
        """Wait; a server that tells of progress, or asks something, has its time anew. Listening has no end."""
        seconds = None if method == "subscriptions/listen" else self._limits.answering
        while True:
            done, _ = await asyncio.wait((waiting.future,), timeout=seconds)
            if done:
                return waiting.future.result()
            if not waiting.moved and not self._questions:
                raise Unanswered(f"the server `{self.name}` did not answer within {seconds:g} s")
            waiting.moved = False

    async def _cancel(self, id: Id, flight: Flight | None) -> None:
        params: dict[str, Any] = {"requestId": id}
        if flight is not None and flight.cancelled:
            params["reason"] = flight.cancelled
        await self.notify("notifications/cancelled", params)

    async def notify(self, method: str, params: dict[str, Any] | None = None) -> None:
        """Tell the server something; one that is gone need not know."""
        try:
            async with asyncio.timeout(self._limits.closing):
                if not self._gone:
                    await self._link.send(messages.notification(method, params))
        except (LinkError, TimeoutError):
            return

    async def answer(self, message: Message) -> None:
        """Answer a request of the server, unless it took it back."""
        if message["id"] not in self._questions:
            return
        self._questions.discard(message["id"])
        try:
            await self._sent(message)
        except LinkError:
            return

    async def close(self) -> None:
        """End the server."""
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
        self._end("it was closed")
        await self._link.close()

    # --- hearing -------------------------------------------------------------------------------

    async def heard(self, message: Message, about: Id | None = None) -> None:
        if messages.is_response(message):
            self._settle(message)
            return
        method, params = message["method"], messages.params_of(message)
        if "id" in message:
            await self._question(message, about)
        elif method == "notifications/progress":
            await self._progress(message, params)
        else:
            await self._master.told(self, message, self.flight_about(about))

    def _settle(self, message: Message) -> None:
        waiting = self._waiting.get(message["id"]) if message["id"] is not None else None
        if waiting is None or waiting.future.done():
            return
        if "result" in message:
            waiting.future.set_result(message["result"])
        else:
            waiting.future.set_exception(self._error(message["error"]))

    def _error(self, error: dict[str, Any]) -> Exception:
        """What a link says for a server that did not answer is no answer; the rest are the server's words."""
        if isinstance(error["message"], messages.OwnWords):
            return Unanswered(str(error["message"]))
        return ServerError(error["code"], error["message"], error.get("data"), said_by=self.name)

    async def _question(self, message: Message, about: Id | None) -> None:
        self._questions.add(message["id"])
        if message["method"] == "ping":
            await self.answer(messages.response(message["id"], {}))
        else:
            await self._master.asked(self, message, self.flight_about(about))

    async def _progress(self, message: Message, params: dict[str, Any]) -> None:
        """Only of a request that is under way, and whose client wanted to know."""
        token = params.get("progressToken")
        waiting = self._waiting.get(token) if messages.is_id(token) else None
        if waiting is None:
            return
        waiting.moved = True
        if waiting.flight is not None and waiting.flight.token is not None:
            await self._master.told(self, message, waiting.flight)

    def flight_about(self, about: Id | None) -> Flight | None:
        """The client's request that something belongs to: the one that the transport names, else the only one."""
        if about is not None:
            return self._waiting[about].flight if about in self._waiting else None
        flights = self.flights
        return flights[0] if len(flights) == 1 else None

    @property
    def flights(self) -> list[Flight]:
        """What clients wait for from this server."""
        return [each.flight for each in self._waiting.values() if each.flight is not None]

    def withdrawn(self, id: Any) -> None:
        """The server takes a request back: it is not answered any more."""
        if messages.is_id(id):
            self._questions.discard(id)

    async def lost(self, why: str) -> None:
        self._end(why)

    def _go(self, why: str) -> None:
        if not self._gone:
            self._gone, self._gone_at = why, asyncio.get_running_loop().time()

    def _end(self, why: str) -> None:
        self._go(why)
        for waiting in self._waiting.values():
            if not waiting.future.done():
                waiting.future.set_exception(Unanswered(f"the server `{self.name}` is gone: {self._gone}"))
