"""A server over streamable HTTP, in both eras: a link that posts messages and hears what comes back.

Takes messages, sends each as a POST of its own, and hands over what the responses bring. In the old era it keeps the
server's session id, holds one stream open for what the server says unasked, and takes up a stream that broke off where
the server offers that. In the new era every request carries headers that are computed from its body, and to cancel is to
close the request's stream. A request always gets an answer: the server's own, or an error that says why there is none.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from guardrails.gateway.eras import NEW_VERSIONS, VERSION_KEY, is_new
from guardrails.gateway.http.address import address_of, headers_of, reason
from guardrails.gateway.http.headers import SESSION, VERSION, Mark, Mismatch, headers_for, marks_of
from guardrails.gateway.http.responses import (
    EVENTS,
    JSON,
    Resumption,
    Unanswered,
    messages_of,
    refusal_of,
    told_error,
)
from guardrails.gateway.links import LINK_FAILED, Limits, LinkError
from guardrails.gateway.messages import failure, is_request, is_response, params_of, write
from guardrails.gateway.stdio import say

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Mapping

    import httpx

    from guardrails.gateway.links import Ears, Id, Message, Remote

BOTH = f"{JSON}, {EVENTS}"
LASTING = "subscriptions/listen"
MOST_TRIES = 3
"""How often in a row a stream that broke off is taken up without a word from it."""
MOST_PAUSE = 60.0
MOST_UNSENT = 1_000
MOST_REDIRECTS = 5
HERE = ("all://localhost", "all://127.0.0.1", "all://[::1]")
"""What is reached without the proxy that the environment names: it would be another machine's."""
KEPT = 4.0
"""Seconds that an unused connection is kept; less than servers keep it, who else would close it under a request."""


class RemoteLink:
    """The way to one server that is reached over HTTP."""

    def __init__(self, place: Remote, limits: Limits | None = None) -> None:
        self.name = place.name
        self._place = place
        self._limits = limits or Limits()
        self._version = ""
        self._session = ""
        self._is_closed = False
        self._tasks: dict[Id, asyncio.Task[None]] = {}
        self._marks: dict[str, tuple[Mark, ...]] = {}
        self._unsent: asyncio.Queue[Message] = asyncio.Queue(MOST_UNSENT)
        self._greeted = asyncio.Event()
        self._greeted.set()
        self._others: list[asyncio.Task[None]] = []

    # --- the port ------------------------------------------------------------------------------

    async def open(self, ears: Ears) -> None:
        """Make ready to send; the first request shows whether the server is there. Raises `LinkError`."""
        try:
            import httpx
        except ImportError:
            why = "servers over HTTP need the package `httpx`: install `guard-policy[mcp]`"
            raise LinkError(why) from None
        self._ears = ears
        self._url = address_of(self._place)
        limits = self._limits
        self._http = httpx.AsyncClient(
            headers=headers_of(self._place),
            verify=_trust(),
            mounts=dict.fromkeys(HERE),
            timeout=httpx.Timeout(limits.opening, read=None),
            limits=httpx.Limits(max_connections=limits.most_waiting + 16, keepalive_expiry=KEPT),
        )
        self._others.append(asyncio.create_task(self._send_in_order()))

    async def send(self, message: Message) -> None:
        """Send one message. Raises `LinkError` when the link is closed, or the server takes nothing any more."""
        if self._is_closed:
            raise LinkError("it is not connected")
        if is_request(message):
            id = message["id"]
            self._tasks[id] = asyncio.create_task(self._asked(message))
        elif message.get("method") == "notifications/cancelled" and self._is_new:
            self._abort(params_of(message).get("requestId"))
        elif not self._is_new:
            self._queue(message)

    def agreed(self, version: str) -> None:
        """The protocol version that holds from now on."""
        self._version = version

    async def close(self) -> None:
        """End what is under way, and the session."""
        self._is_closed = True
        tasks = [*self._tasks.values(), *self._others]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(Exception):  # the server is no concern of ours any more
            async with asyncio.timeout(self._limits.closing):
                if self._session:
                    async with self._sent("DELETE", None, self._plain_headers()):
                        pass
        with suppress(Exception):
            await self._http.aclose()

    @property
    def _is_new(self) -> bool:
        return self._version in NEW_VERSIONS

    # --- requests ------------------------------------------------------------------------------

    async def _asked(self, message: Message) -> None:
        """See a request through to its answer."""
        id = message["id"]
        try:
            answer = await self._answer(message)
        except Unanswered as error:
            answer = self._failed(id, str(error))
            if error.is_lost:
                await self._lose(str(error))
        except TimeoutError:
            answer = self._failed(id, f"it did not answer within {self._limits.answering:g} seconds")
        except Exception as error:
            answer = self._failed(id, reason(error))
        finally:
            self._tasks.pop(id, None)
        self._learn(message, answer)
        await self._ears.heard(answer, id)

    def _failed(self, id: Id, why: str) -> Message:
        return failure(id, LINK_FAILED, f"the server `{self.name}` gave no answer: {why}")

    async def _answer(self, message: Message) -> Message:
        if message["method"] != "initialize":
            await self._greeted.wait()
        lasts = message["method"] == LASTING
        async with asyncio.timeout(None if lasts else self._limits.answering) as clock:
            return await self._posted(message, clock, lasts=lasts)

    async def _posted(self, message: Message, clock: asyncio.Timeout, *, lasts: bool) -> Message:
        id, place = message["id"], Resumption()
        async with self._sent("POST", write(message), self._headers(message)) as response:
            if not response.is_success:
                told = await told_error(response, id, self._limits)
                if told is not None and not (response.status_code == 404 and self._session):
                    return told
                raise refusal_of(response, had_session=bool(self._session))
            if response.status_code == 202:
                raise Unanswered("it took the request (HTTP 202) and will not answer")
            if message["method"] == "initialize":
                self._session = _session_of(response)
            answer = await self._heard(response, id, place, clock, lasts=lasts)
        return answer or await self._resumed(id, place, clock)

    async def _heard(
        self,
        response: httpx.Response,
        id: Id,
        place: Resumption,
        clock: asyncio.Timeout,
        *,
        lasts: bool = False,
    ) -> Message | None:
        """The answer in a response; None when its stream breaks off. What comes before is handed over."""
        try:
            async with aclosing(messages_of(response, self._limits, place, lasts=lasts)) as found:
                async for message in found:
                    if is_response(message):
                        return _matching(message, id)
                    self._be_patient(message, clock)
                    await self._ears.heard(message, id)
        except _broken():
            return None
        return None

    def _be_patient(self, message: Message, clock: asyncio.Timeout) -> None:
        """A server that says something is not hung, and one that asks something waits for a person."""
        if clock.when() is not None:
            limits = self._limits
            wait = limits.answering + (limits.asking if is_request(message) else 0.0)
            clock.reschedule(asyncio.get_running_loop().time() + wait)

    async def _resumed(self, id: Id, place: Resumption, clock: asyncio.Timeout) -> Message:
        """The answer from a stream that broke off, where the server says how to take it up."""
        tries = 0
        while place.last is not None and tries < MOST_TRIES and not self._is_new:
            last = place.last
            await asyncio.sleep(place.wait)
            answer = await self._taken_up(id, place, clock)
            if answer is not None:
                return answer
            tries = tries + 1 if place.last == last else 0
        raise Unanswered("its stream broke off before the answer")

    async def _taken_up(self, id: Id, place: Resumption, clock: asyncio.Timeout) -> Message | None:
        headers = {**self._plain_headers(), "accept": EVENTS, "last-event-id": str(place.last)}
        with suppress(*_broken()):
            async with self._sent("GET", None, headers) as response:
                if not response.is_success:
                    raise refusal_of(response, had_session=bool(self._session))
                return await self._heard(response, id, place, clock)
        return None

    def _abort(self, id: Any) -> None:
        task = self._tasks.pop(id, None) if isinstance(id, str | int) else None
        if task is not None:
            task.cancel()

    def _learn(self, message: Message, answer: Message) -> None:
        """Which arguments of which tool a header repeats."""
        tools = answer.get("result", {}).get("tools")
        if message["method"] != "tools/list" or not isinstance(tools, list):
            return
        if "cursor" not in params_of(message):
            self._marks.clear()
        for tool in tools:
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._marks[tool["name"]] = marks_of(tool.get("inputSchema"))

    # --- notifications, and answers to the server ------------------------------------------------

    def _queue(self, message: Message) -> None:
        if message.get("method") == "notifications/initialized":
            self._greeted.clear()
        try:
            self._unsent.put_nowait(message)
        except asyncio.QueueFull:
            raise LinkError("it takes no more messages") from None

    async def _send_in_order(self) -> None:
        while True:
            message = await self._unsent.get()
            try:
                async with asyncio.timeout(self._limits.opening):
                    await self._told(message)
            except Exception as error:
                self._say(f"did not take `{message.get('method', 'an answer')}`: {reason(error)}")
            self._after(message)

    async def _told(self, message: Message) -> None:
        async with self._sent("POST", write(message), self._plain_headers()) as response:
            if response.is_success:
                return
            refused = refusal_of(response, had_session=bool(self._session))
        if refused.is_lost:
            await self._lose(str(refused))
        raise refused

    def _after(self, message: Message) -> None:
        method = message.get("method")
        if method == "notifications/initialized":
            self._greeted.set()
            self._others.append(asyncio.create_task(self._listen()))
        elif method == "notifications/cancelled":
            self._abort(params_of(message).get("requestId"))

    def _say(self, what: str) -> None:
        say(f"the server `{self.name}` {what}")

    # --- what the server says unasked -------------------------------------------------------------

    async def _listen(self) -> None:
        """Keep the server's own stream open, in the old era; a server without one says so once."""
        place, failed = Resumption(), 0
        while not self._is_closed:
            try:
                if not await self._listened(place):
                    return
                failed = 0
            except Unanswered as error:
                if error.is_lost:
                    await self._lose(str(error))
                    return
                self._say(f"has a stream that cannot be read: {error}")
                failed += 1
            except Exception:
                failed += 1
            await asyncio.sleep(min(max(place.wait, 0.1) * 2**failed, MOST_PAUSE))

    async def _listened(self, place: Resumption) -> bool:
        """One stream to its end; whether there is such a stream at all."""
        headers = {**self._plain_headers(), "accept": EVENTS}
        if place.last is not None:
            headers["last-event-id"] = place.last
        async with self._sent("GET", None, headers) as response:
            if response.is_success and response.headers.get("content-type", "").startswith(EVENTS):
                async with aclosing(messages_of(response, self._limits, place, lasts=True)) as found:
                    async for message in found:
                        if not is_response(message):
                            await self._ears.heard(message)
                return True
            refused = refusal_of(response, had_session=bool(self._session))
            if refused.is_lost or response.is_server_error:
                raise refused
            return False

    async def _lose(self, why: str) -> None:
        """The session is gone: nothing more is sent, and who waits is told by their own requests."""
        if not self._is_closed:
            self._is_closed = True
            self._session = ""
            await self._ears.lost(why)

    # --- HTTP ------------------------------------------------------------------------------------

    def _plain_headers(self) -> dict[str, str]:
        found = {"accept": BOTH, "accept-encoding": "identity", "content-type": JSON}
        if self._session:
            found[SESSION] = self._session
        if self._version and not self._is_new:
            found[VERSION] = self._version
        return found

    def _headers(self, message: Message) -> Mapping[str, str]:
        found = self._plain_headers()
        if not is_new(message):
            return found
        params = params_of(message)
        marks = self._marks.get(str(params.get("name")), ())
        try:
            return {**found, **headers_for(message, str(params["_meta"][VERSION_KEY]), marks)}
        except Mismatch as error:
            raise Unanswered(str(error)) from None

    @asynccontextmanager
    async def _sent(
        self, method: str, content: bytes | None, headers: Mapping[str, str]
    ) -> AsyncIterator[httpx.Response]:
        """A response. It is sought elsewhere only on the same server, and only with the same method and body."""
        url = self._url
        for left in range(MOST_REDIRECTS, -1, -1):
            request = self._http.build_request(method, url, content=content, headers=headers)
            response = await self._http.send(request, stream=True, follow_redirects=False)
            try:
                elsewhere = _next(response) if left else None
                if elsewhere is None:
                    yield response
                    return
                url = elsewhere
            finally:
                await response.aclose()


@cache
def _trust() -> ssl.SSLContext:
    """Whose certificates are trusted, read once: it takes longer than many a call."""
    from httpx import create_ssl_context

    return create_ssl_context()


def _next(response: httpx.Response) -> httpx.URL | None:
    """Where a response sends to, if that is the same server."""
    if response.status_code not in (307, 308) or "location" not in response.headers:
        return None
    here = response.request.url
    there = here.join(response.headers["location"])
    is_same = (here.scheme, here.host, here.port) == (there.scheme, there.host, there.port)
    return there if is_same and there.userinfo == here.userinfo else None


def _session_of(response: httpx.Response) -> str:
    found: str = response.headers.get(SESSION, "")
    if len(found) > 1_024 or not all("!" <= letter <= "~" for letter in found):
        raise Unanswered("it gives a session id that cannot be sent")
    return found


def _matching(message: Message, id: Id) -> Message:
    if message.get("id") != id or message["id"].__class__ is not id.__class__:
        raise Unanswered("it answers a request that is not this one")
    return message


def _broken() -> tuple[type[Exception], ...]:
    """What a stream that breaks off raises."""
    from httpx import ReadError, RemoteProtocolError

    return (RemoteProtocolError, ReadError)
