"""The gateway over HTTP, toward clients: one address that speaks both eras, as a plain ASGI object.

Takes requests at `/mcp`. A POST brings one message; its answer comes as JSON when there is nothing else to say, and as a
stream of events when the client is asked something or told of progress first. In the old era GET opens the session's own
stream and DELETE ends the session. Streams cannot be taken up again once they broke off: no event has an id. Whatever is
refused is refused before a message is looked at: the caller, the page it comes from, its types, its size, its time.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from traceback import format_exc
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras
from guardrails.gateway.http.admission import (
    GUARD_SESSION,
    Gate,
    Head,
    check_accept,
    check_body,
    session_name,
)
from guardrails.gateway.http.headers import (
    SESSION,
    VERSION,
    Mismatch,
    check_routing,
)
from guardrails.gateway.http.outlet import Outlet, answer, stream, told, watch
from guardrails.gateway.http.refusals import Refusal, of_error
from guardrails.gateway.http.responses import EVENTS, JSON
from guardrails.gateway.http.sessions import Keeping, Once, Sessions
from guardrails.gateway.links import Limits, Who
from guardrails.gateway.messages import (
    HEADER_MISMATCH,
    INTERNAL_ERROR,
    INVALID_PARAMS,
    UNSUPPORTED_VERSION,
    Refused,
    is_request,
    is_response,
    params_of,
    read,
    refusal,
)
from guardrails.gateway.stdio import say
from guardrails.server.keys import LOCAL
from guardrails.server.problems import Problem
from guardrails.server.reading import Gone, body_of
from guardrails.server.service import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.gateway.http.outlet import Header, Receive, Send
    from guardrails.gateway.http.sessions import Hub, OldSession, Shared
    from guardrails.gateway.links import Message
    from guardrails.server.keys import Caller

PATH = "/mcp"
ABORT = "guard.abort"
"""The extension of the ASGI server by which a connection is cut."""
SWEEPING = 30.0


@dataclass(frozen=True, slots=True)
class Serving:
    """What the gateway is like toward clients. `base` is for whom it is where a key says nothing else, `patience` the
    seconds in which a body has to be there."""

    base: Who = field(default_factory=Who)
    limits: Limits = field(default_factory=Limits)
    keeping: Keeping = field(default_factory=Keeping)
    patience: float = 10.0


class Visit:
    """One HTTP request, and the way back."""

    __slots__ = ("_send", "abort", "caller", "has_begun", "head", "is_read", "receive")

    def __init__(self, scope: Any, receive: Receive, send: Send) -> None:
        self.head = Head(scope["method"], scope["headers"])
        self.receive = receive
        self.caller: Caller = LOCAL
        self.abort = (scope.get("extensions") or {}).get(ABORT)
        self.has_begun = False
        self.is_read = self.head.method != "POST"
        self._send = send

    async def send(self, piece: Any) -> None:
        self.has_begun = True
        await self._send(piece)

    async def tell(self, refused: Refusal) -> None:
        """Refuse, where nothing was said yet; who is in the middle of an answer is cut off. A body that was not read
        is not waited for."""
        if not self.has_begun:
            end = () if self.is_read else ((b"connection", b"close"),)
            await told(self.send, refused.status, refused.body, (*refused.headers, *end))
        elif self.abort is not None:
            self.abort()


class Endpoint:
    """The application. `gate` says who may come in."""

    def __init__(self, hub: Hub, gate: Gate | None = None, serving: Serving | None = None) -> None:
        self.gate = gate or Gate()
        self.is_closing = False
        self._serving = serving or Serving()
        self._sessions = Sessions(hub, self._serving.keeping, self._serving.limits.answering)
        self._reading = Settings(most_body=self._serving.limits.most_bytes, patience=self._serving.patience)
        self._sweeper: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._met(scope, receive, send)
        else:
            raise RuntimeError(f"the gateway speaks HTTP, not {scope['type']}")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return
            self._sweeper = asyncio.create_task(self._sweep())
            await send({"type": "lifespan.startup.complete"})

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEPING)
            with suppress(Exception):  # the next round tries again
                await self._sessions.sweep()

    def let_in(self, gate: Gate) -> None:
        """Let others in from now on. Streams that last end, so that whoever listens has to show a key again."""
        self.gate = gate
        self._sessions.hush()

    def hush(self) -> None:
        """Take nothing new, and end the streams on which nothing is under way."""
        self.is_closing = True
        self._sessions.hush()

    async def close(self) -> None:
        """End every session; whoever still waits is told so."""
        await asyncio.shield(self.close_soon())

    def close_soon(self) -> asyncio.Task[None]:
        """The same, without waiting for it."""
        self.hush()
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._closing is None:
            self._closing = asyncio.create_task(self._sessions.close_all())
        return self._closing

    # --- one request -----------------------------------------------------------------------------

    async def _met(self, scope: Any, receive: Receive, send: Send) -> None:
        visit = Visit(scope, receive, send)
        try:
            await self._served(visit, scope["path"])
        except Gone:
            return
        except Refusal as refused:
            await visit.tell(refused)
        except Problem as problem:
            await visit.tell(Refusal(problem.status, str(problem)))
        except Exception:
            say(f"a request failed: {format_exc()}")
            why = "the gateway made a mistake: nothing was allowed"
            await visit.tell(Refusal(500, why, INTERNAL_ERROR))

    async def _served(self, visit: Visit, path: str) -> None:
        if path != PATH:
            raise Refusal(404, f"the gateway is at `{PATH}`")
        visit.caller = self.gate.admit(visit.head)
        if self.is_closing:
            raise Refusal(503, "the gateway is about to end: come again later", INTERNAL_ERROR)
        method = visit.head.method
        if method == "POST":
            await self._post(visit)
        elif method == "GET":
            await self._get(visit)
        elif method == "DELETE":
            await self._delete(visit)
        else:
            raise Refusal(
                405, f"`{PATH}` takes POST, GET and DELETE", headers=((b"allow", b"POST, GET, DELETE"),)
            )

    async def _post(self, visit: Visit) -> None:
        check_body(visit.head)
        check_accept(visit.head, JSON, EVENTS)
        length = visit.head.get("content-length") or ""
        if length.isdecimal() and int(length) > self._reading.most_body:
            raise Refusal(413, f"the message has more than {self._reading.most_body:,} bytes")
        data = await body_of(visit.receive, self._reading)
        visit.is_read = True
        try:
            message = read(data)
        except Refused as refused:
            raise of_error(refusal(refused)) from None
        if _is_new(visit.head, message):
            await self._post_new(visit, message)
        else:
            await self._post_old(visit, message)

    def _who(self, caller: Caller, name: str) -> Who:
        """For whom an exchange is. A name that a caller gives a session means nothing to other callers."""
        base = self._serving.base
        key = "" if self.gate.keys is None else caller.name
        session = f"{key}:{name}" if name and key else name or base.session
        agent = base.agent if caller.agent is None else {**base.agent, "id": caller.agent}
        return replace(base, key=key, session=session, agent=agent)

    # --- the old era -------------------------------------------------------------------------------

    async def _post_old(self, visit: Visit, message: Message) -> None:
        if message.get("method") == "initialize" and is_request(message):
            await self._begin(visit, message)
            return
        session = self._session(visit)
        if not is_request(message):
            with session:
                await session.exchange.heard(message, session)
            if message.get("method") == "notifications/cancelled":
                session.withdraw(params_of(message).get("requestId"))
            await told(visit.send, 202, b"")
            return
        await self._ask_old(visit, session, message)

    def _session(self, visit: Visit) -> OldSession:
        """The session that a request names. Raises `Refusal`."""
        id = visit.head.get(SESSION)
        if not id:
            raise Refusal(400, "the header `Mcp-Session-Id` is missing: begin with `initialize`")
        session = self._sessions.find(id, self._who(visit.caller, "").key)
        if visit.head.get(GUARD_SESSION) is not None:
            who = self._who(visit.caller, session_name(visit.head))
            if who.session != session.who.session:
                raise Refusal(400, "the header `Guard-Session` is not that of `initialize`", HEADER_MISMATCH)
        return session

    async def _begin(self, visit: Visit, message: Message) -> None:
        """A session lasts when its `initialize` gets a result."""
        if visit.head.get(SESSION) is not None:
            raise Refusal(400, "a session begins without the header `Mcp-Session-Id`", id=message["id"])
        who = self._who(visit.caller, session_name(visit.head))
        session = await self._sessions.begin(who)
        try:
            await self._ask_old(visit, session, message)
        finally:
            if not session.has_begun:
                await self._sessions.close(session)

    async def _ask_old(self, visit: Visit, session: OldSession, message: Message) -> None:
        id = message["id"]
        if id in session.streams:
            raise Refusal(400, "a request with this id is under way", id=id)
        outlet = Outlet(self._room, abort=visit.abort)
        session.streams[id] = outlet
        watching = asyncio.create_task(watch(visit.receive, outlet))
        try:
            with session:
                await session.exchange.heard(message, session)
                is_answered = await answer(outlet, visit.send, lambda: _named(session), new=False)
                if not is_answered and not outlet.was_cut:
                    raise Refusal(404, "the session has ended", id=id)
        finally:
            watching.cancel()
            if session.streams.get(id) is outlet:
                del session.streams[id]

    async def _get(self, visit: Visit) -> None:
        check_accept(visit.head, EVENTS)
        _check_old(visit.head)
        session = self._session(visit)
        outlet = Outlet(self._room, lasts=True, abort=visit.abort)
        session.listen(outlet)
        watching = asyncio.create_task(watch(visit.receive, outlet))
        try:
            with session:
                await stream(outlet, visit.send, _named(session))
        finally:
            watching.cancel()
            outlet.end()

    async def _delete(self, visit: Visit) -> None:
        _check_old(visit.head)
        await self._sessions.close(self._session(visit))
        await told(visit.send, 204, b"")

    @property
    def _room(self) -> int:
        """Bytes that may wait for one reader: a message of any size, and one more."""
        return 2 * self._serving.limits.most_bytes

    # --- the new era -------------------------------------------------------------------------------

    async def _post_new(self, visit: Visit, message: Message) -> None:
        if is_response(message):
            raise Refusal(400, "a client of the new era has nothing to answer: it calls again")
        if not is_request(message):
            # The new era has none over HTTP: to cancel is to close the stream.
            await told(visit.send, 202, b"")
            return
        head, id = visit.head, message["id"]
        meta = params_of(message)["_meta"]
        try:
            check_routing(head.headers, message, meta[eras.VERSION_KEY])
        except Mismatch as error:
            raise Refusal(400, str(error), HEADER_MISMATCH, id=id) from None
        misfit = eras.misfit(message)
        if misfit is not None:
            raise of_error(misfit)
        who = self._who(visit.caller, session_name(head, meta.get(eras.SESSION_KEY)))
        shared = await self._sessions.shared(who)
        with shared:
            if message["method"] == "tools/call":
                try:
                    await shared.marks.check(head.headers, message)
                except Mismatch as error:
                    raise Refusal(400, str(error), HEADER_MISMATCH, id=id) from None
            await self._ask_new(visit, shared, message)

    async def _ask_new(self, visit: Visit, shared: Shared, message: Message) -> None:
        lasts = message["method"] == "subscriptions/listen"
        outlet = Outlet(self._room, lasts=lasts, abort=visit.abort)
        client = Once(shared, outlet, message["method"])
        shared.outlets.add(outlet)
        watching = asyncio.create_task(watch(visit.receive, outlet))
        try:
            await shared.exchange.heard(message, client)
            if not await answer(outlet, visit.send, tuple, new=True) and not outlet.was_cut:
                raise Refusal(503, "the gateway ended before the answer", INTERNAL_ERROR, id=message["id"])
        finally:
            watching.cancel()
            shared.outlets.discard(outlet)
            if not outlet.is_answered:
                shared.exchange.gone(client)


def _named(session: OldSession) -> Sequence[Header]:
    """The id of a session, once it has begun."""
    return ((SESSION.encode(), session.id.encode()),) if session.has_begun else ()


def _is_new(head: Head, message: Message) -> bool:
    """Which era a message is of, by its body and its headers, which have to agree. Raises `Refusal`."""
    said = head.get(VERSION)
    id = message.get("id") if is_request(message) else None
    is_old = said is None or said in eras.OLD_VERSIONS
    if message.get("method") == "initialize" and said not in eras.NEW_VERSIONS:
        return False
    if eras.is_new(message):
        if is_old:
            why = f"the header `{VERSION}` does not say what the version in `_meta` says"
            raise Refusal(400, why, HEADER_MISMATCH, id=id)
        return True
    if is_old:
        return False
    if said not in eras.NEW_VERSIONS:
        data = {"supported": list(eras.NEW_VERSIONS), "requested": str(said)[:100]}
        raise Refusal(400, "this protocol version is not supported", UNSUPPORTED_VERSION, id=id, data=data)
    if is_request(message):
        raise Refusal(400, f"`_meta` of a request has `{eras.VERSION_KEY}`", INVALID_PARAMS, id=id)
    return True


def _check_old(head: Head) -> None:
    """GET and DELETE are of the old era."""
    said = head.get(VERSION)
    if said is not None and said not in eras.OLD_VERSIONS:
        raise Refusal(405, "this protocol version knows POST only", headers=((b"allow", b"POST"),))
