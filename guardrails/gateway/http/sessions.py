"""Sessions over HTTP: which exchange a request belongs to, and where messages to its client go.

In the old era a session begins at `initialize`, has an id that nobody can guess, and belongs to the key that began it:
for any other key it is not there. In the new era a caller's exchange is found by key and by the name of the policy's
session. Either is kept for a while after its last use; how many there are of one caller is bounded, and whoever wants one
more loses the one of their own that was unused for longest.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Protocol

from guardrails.gateway.http.marks import Marks
from guardrails.gateway.http.outlet import Outlet
from guardrails.gateway.http.refusals import Refusal
from guardrails.gateway.links import Client, Who
from guardrails.gateway.messages import INTERNAL_ERROR, failure, is_id, is_request, is_response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.gateway.links import Id, Message

CANCELLED = -32800
"""The code of the error that ends the stream of a request which its client took back."""
GENERAL_WAIT = 5.0
"""Seconds that a message which belongs to no request waits for the client's own stream."""
MOST_KEPT = 256


class Exchange(Protocol):
    """What a client's messages are fed to."""

    async def heard(self, message: Message, client: Client) -> None: ...

    def gone(self, client: Client) -> None: ...

    async def close(self) -> None: ...


class Hub(Protocol):
    """What opens exchanges."""

    def open(self, who: Who) -> Exchange: ...


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long a session is kept unused, in seconds, and how many one caller may have."""

    idle: float = 1_800.0
    most: int = 64


class Kept:
    """An exchange, whose it is, and when it was last used."""

    def __init__(self, exchange: Exchange, who: Who) -> None:
        self.exchange = exchange
        self.who = who
        self.used = asyncio.get_running_loop().time()
        self._busy = 0

    def __enter__(self) -> None:
        self._busy += 1

    def __exit__(self, *_: object) -> None:
        self._busy -= 1
        self.used = asyncio.get_running_loop().time()

    @property
    def is_busy(self) -> bool:
        return self._busy > 0

    def end(self) -> None:
        """Nothing more is written to its client."""


class OldSession(Kept):
    """A session of the old era; it is the client that the exchange speaks to."""

    def __init__(self, exchange: Exchange, who: Who) -> None:
        super().__init__(exchange, who)
        self.id = token_urlsafe(32)
        self.has_begun = False
        self.streams: dict[Id, Outlet] = {}
        self.general: Outlet | None = None
        self._early: deque[Message] = deque()
        self._refusing: set[asyncio.Task[None]] = set()

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        """Put a message on the stream of the request that it belongs to, else on the client's own."""
        if is_response(message):
            outlet = self.streams.pop(message["id"], None) if message["id"] is not None else None
            self.has_begun = self.has_begun or "result" in message
            if outlet is not None:
                outlet.push(message)
            return
        outlet = self.general if about is None else self.streams.get(about)
        if outlet is not None and outlet.push(message):
            return
        if about is None:
            self._keep(message)
        else:
            await self._undelivered(message)

    def _keep(self, message: Message) -> None:
        """A client opens its own stream a moment after it began: until then a few messages wait."""
        if len(self._early) < MOST_KEPT:
            self._early.append(message)
            asyncio.get_running_loop().call_later(GENERAL_WAIT, self._give_up, message)
        else:
            self._refuse_soon(message)

    def _give_up(self, message: Message) -> None:
        kept = [each for each in self._early if each is not message]
        if len(kept) < len(self._early):
            self._early = deque(kept)
            self._refuse_soon(message)

    def _refuse_soon(self, message: Message) -> None:
        task = asyncio.get_running_loop().create_task(self._undelivered(message))
        self._refusing.add(task)
        task.add_done_callback(self._refusing.discard)

    async def _undelivered(self, message: Message) -> None:
        """A question that cannot reach the client is answered in its place, so that nobody waits for ever."""
        if is_request(message):
            why = "the client has no open stream on which it could be asked"
            await self.exchange.heard(failure(message["id"], INTERNAL_ERROR, why), self)

    def withdraw(self, id: object) -> None:
        """The client takes a request back, which the exchange does not answer then: its stream ends with an error."""
        if isinstance(id, str | int) and is_id(id) and id in self.streams:
            self.streams[id].push(failure(id, CANCELLED, "the request was cancelled"))

    def listen(self, outlet: Outlet) -> None:
        """The client's own stream is there. Raises `Refusal` when it has one already."""
        if self.general is not None and not self.general.is_over:
            raise Refusal(409, "this session has its stream already: close the other one first")
        self.general = outlet
        while self._early:
            outlet.push(self._early.popleft())

    def end(self) -> None:
        for outlet in (*self.streams.values(), *([self.general] if self.general else [])):
            outlet.end()
        self.streams.clear()


class Shared(Kept):
    """The exchange of a caller in the new era, and which arguments of its tools are marked."""

    def __init__(self, exchange: Exchange, who: Who, patience: float) -> None:
        super().__init__(exchange, who)
        self.marks = Marks(exchange, patience)
        self.outlets: set[Outlet] = set()

    def end(self) -> None:
        for outlet in self.outlets:
            outlet.end()


class Once:
    """The client of one POST of the new era. The stream of one that listens is cut at shutdown."""

    def __init__(self, shared: Shared, outlet: Outlet, method: str) -> None:
        self._shared = shared
        self._outlet = outlet
        self._lists = method == "tools/list"

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        if self._lists and is_response(message):
            self._shared.marks.learn(message)
        elif message.get("method") == "notifications/tools/list_changed":
            self._shared.marks.forget()
        self._outlet.push(message)


class Sessions:
    """All of them. `patience` is how many seconds a list of tools may take."""

    def __init__(self, hub: Hub, keeping: Keeping, patience: float) -> None:
        self._hub = hub
        self._keeping = keeping
        self._patience = patience
        self._old: dict[str, OldSession] = {}
        self._new: dict[tuple[str, str], Shared] = {}

    async def begin(self, who: Who) -> OldSession:
        """A new session of the old era. Raises `Refusal` when its caller has too many that are in use."""
        await self._make_room(who.key)
        session = OldSession(self._hub.open(who), who)
        self._old[session.id] = session
        return session

    def find(self, id: str, key: str) -> OldSession:
        """A caller's session. Raises `Refusal` for one that is not there, or is somebody else's."""
        session = self._old.get(id)
        if session is None or session.who.key != key:
            raise Refusal(404, "there is no such session: begin one with `initialize`")
        return session

    async def shared(self, who: Who) -> Shared:
        """The caller's exchange in the new era. Raises `Refusal` like `begin`."""
        if (who.key, who.session) not in self._new:
            await self._make_room(who.key)
        found = self._new.get((who.key, who.session))
        if found is None:
            found = self._new[who.key, who.session] = Shared(self._hub.open(who), who, self._patience)
        return found

    async def _make_room(self, key: str) -> None:
        mine = [each for each in self._all() if each.who.key == key]
        if len(mine) < self._keeping.most:
            return
        unused = [each for each in mine if not each.is_busy]
        if not unused:
            raise Refusal(503, f"{len(mine)} sessions of this key are in use: end one", INTERNAL_ERROR)
        await self.close(min(unused, key=lambda each: each.used))

    def _all(self) -> Iterator[Kept]:
        yield from self._old.values()
        yield from self._new.values()

    async def close(self, kept: Kept) -> None:
        """End a session, and what is under way in it."""
        if isinstance(kept, OldSession):
            self._old.pop(kept.id, None)
        else:
            self._new.pop((kept.who.key, kept.who.session), None)
        await kept.exchange.close()
        kept.end()

    async def sweep(self) -> None:
        """Close what nobody used for long."""
        before = asyncio.get_running_loop().time() - self._keeping.idle
        for kept in [each for each in self._all() if each.used < before and not each.is_busy]:
            await self.close(kept)

    def hush(self) -> None:
        """End the streams that would last: what is under way may still be answered."""
        for kept in self._all():
            if isinstance(kept, OldSession) and kept.general is not None:
                kept.general.end()
            elif isinstance(kept, Shared):
                for outlet in [each for each in kept.outlets if each.lasts]:
                    outlet.end()

    async def close_all(self) -> None:
        await asyncio.gather(*map(self.close, list(self._all())), return_exceptions=True)
