"""Frames: events on a Unix socket, each behind its length, for hosts where microseconds count.

A frame is four bytes (its length, the highest byte first) and JSON. Where the server has keys, the first frame is
`{"key": "..."}`. Every other one is an event, as `/v1/check` takes it (and `/v1/outcome` and `/v1/usage`), or work as
`guardrails.server.lines` takes it; its answer is a frame with the decision, or with `{"error": ...}`. Answers come in the
order of the questions.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from guardrails.server.app import refused_of
from guardrails.server.checks import written
from guardrails.server.keys import LOCAL, Caller, holders
from guardrails.server.lines import Lines
from guardrails.server.problems import Problem
from guardrails.server.reading import json_of
from guardrails.strict_json import write_json

if TYPE_CHECKING:
    import socket

    from guardrails.server.service import Service

HEAD = 4
MOST_BEHIND = 128
"""Events of one connection that wait for their turn; beyond them nothing is read from it."""
AT_ONCE = 64
"""Events of one connection that are answered in one go; then others have their turn."""


async def open_frames(service: Service, sock: socket.socket) -> asyncio.Server:
    """Answer frames on a socket that listens."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Frames(service), sock=sock)


class Frames(asyncio.Protocol):
    """One connection. A frame that is begun has to be whole in time; who does not read answers is not read."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: Any = None
        self._data = bytearray()
        self._wanted = HEAD
        self._keys = service.keys
        self._key = ""
        self._caller: Caller | None = LOCAL if service.keys is None else None
        self._lines = Lines(service)
        self._behind: deque[bytes | Problem] = deque()
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._is_paused = False
        self._is_over = False

    # --- what the connection tells -------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._behind.clear()
        self._settle()
        self._writable.set()
        if self._lines.stream is not None:
            asyncio.get_running_loop().run_in_executor(None, self._lines.close)

    def pause_writing(self) -> None:
        self._writable.clear()
        self._mind_the_flow()

    def resume_writing(self) -> None:
        self._writable.set()
        self._mind_the_flow()

    def eof_received(self) -> bool:
        """Nothing more comes; what came is answered before the connection is closed."""
        self._is_over = True
        if self._data:
            self._give_up(Problem(400, "cut_short", "the connection ended within a frame"))
        return self._task is not None

    def data_received(self, data: bytes) -> None:
        if self._is_over or self._is_answered(data):
            return
        if self._data:
            self._data += data
            if len(self._data) < self._wanted:
                return
            data = bytes(self._data)
            self._data.clear()
            self._settle()
        rest = self._take_all(data)
        if rest and not self._is_over:
            self._data += rest
            self._timer = asyncio.get_running_loop().call_later(self._service.settings.patience, self._late)

    # --- frames --------------------------------------------------------------------------------

    def _is_answered(self, data: bytes) -> bool:
        """Answer what is one whole frame, as most reads are; False where there is more to it."""
        if self._data or self._task is not None or len(data) != HEAD + int.from_bytes(data[:HEAD]):
            return False
        answer = self._at_once(data[HEAD:])
        if answer is None:
            return False
        self._write(answer)
        return True

    def _take_all(self, data: bytes) -> bytes:
        """Answer the frames that are whole, in one write; gives the beginning of the next."""
        at, end, most = 0, len(data), self._service.settings.most_body
        answers: list[bytes] = []
        while end - at >= HEAD:
            length = int.from_bytes(data[at : at + HEAD])
            if length > most:
                self._transport.write(b"".join(answers))
                self._give_up(Problem(413, "too_large", f"a frame has more than {most:,} bytes"))
                return b""
            if end - at - HEAD < length:
                self._wanted = HEAD + length
                break
            self._take(data[at + HEAD : at + HEAD + length], answers)
            at += HEAD + length
        else:
            self._wanted = HEAD
        if answers:
            self._transport.write(b"".join(answers))
        return data[at:]

    def _take(self, frame: bytes, answers: list[bytes]) -> None:
        """Put the answer of a frame to the others; or the frame to those that wait."""
        answer = self._at_once(frame) if self._task is None and len(answers) < AT_ONCE else None
        if answer is not None:
            answers.append(len(answer).to_bytes(HEAD) + answer)
            return
        self._behind.append(frame)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._catch_up())
        self._mind_the_flow()

    def _at_once(self, frame: bytes) -> bytes | None:
        """The answer to a short event that nobody has to be asked about; None for all else."""
        service, caller = self._service, self._caller
        if caller is None or self._keys is not service.keys or len(frame) >= service.settings.long_event:
            return None
        if self._lines.stream is not None or not service.is_quick:
            return None
        try:
            event = json_of(frame)
            if event.__class__ is dict and "type" not in event:
                return None
            return written(service.decided(event, deciding(caller)))
        except Exception as error:
            return _told(error)

    async def _catch_up(self) -> None:
        """Answer what waits, in its order, and let others have their turn in between."""
        count = 0
        try:
            while self._behind and not self._transport.is_closing():
                await self._writable.wait()
                first = self._behind.popleft()
                self._write(await self._answered(first))
                self._mind_the_flow()
                count += 1
                if count % AT_ONCE == 0:
                    await asyncio.sleep(0)
        finally:
            self._task = None
            if self._is_over:
                self._transport.close()

    def _mind_the_flow(self) -> None:
        """Read on only while not too much waits, here or on its way out."""
        is_full = len(self._behind) > MOST_BEHIND or not self._writable.is_set()
        if is_full == self._is_paused or self._transport.is_closing():
            return
        self._is_paused = is_full
        if is_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _settle(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        """A frame is not whole yet: that of a client, unless it is the server that does not read."""
        patience = self._service.settings.patience
        if self._is_paused:
            self._timer = asyncio.get_running_loop().call_later(patience, self._late)
        else:
            self._give_up(Problem(408, "too_slow", f"the frame was not there within {patience:g} seconds"))

    async def _answered(self, frame: bytes | Problem) -> bytes:
        if isinstance(frame, Problem):
            return _told(frame)
        try:
            event, caller = json_of(frame), self._caller
            if self._keys is not self._service.keys:
                caller = self._caller = self._known_still()
            if caller is None:
                return self._known(event)
            if caller is LOCAL and event.__class__ is dict and event.keys() == {"key"}:
                raise Problem(400, "no_keys", "the server has no keys: leave the key out")
            if self._lines.takes(event):
                return await self._lines.answer(event, caller, len(frame))
            return written(await self._service.decide(event, deciding(caller), len(frame)))
        except Exception as error:
            return _told(error)

    def _known(self, event: Any) -> bytes:
        """Who is on the other side. Raises `Problem` for nobody whom the server knows."""
        keys = self._service.keys
        key = event.get("key") if event.__class__ is dict else None
        caller = keys.caller(key) if keys is not None and isinstance(key, str) else None
        if caller is None or not isinstance(key, str):
            said = "the server wants a key, and none was sent" if key is None else "the key is not known"
            raise Problem(401, "no_key", said, advice='send `{"key": "..."}` as the first frame')
        self._caller, self._key, self._keys = caller, key, keys
        return write_json({"welcome": caller.name}).encode()

    def _known_still(self) -> Caller | None:
        """Who is on the other side, by the keys as they are now. Raises `Problem` for a key that was taken away."""
        keys = self._keys = self._service.keys
        if keys is None:
            return LOCAL
        if not self._key:
            return None
        caller = keys.caller(self._key)
        if caller is None:
            self._key, self._caller = "", None
            raise Problem(401, "no_key", "the key is not known any more")
        return caller

    def _write(self, body: bytes) -> None:
        self._transport.write(len(body).to_bytes(HEAD) + body)

    def _give_up(self, problem: Problem) -> None:
        """The last answer, behind those that are still to come."""
        self._is_over = True
        if self._task is not None:
            self._behind.append(problem)
            return
        self._write(_told(problem))
        self._transport.close()


def deciding(caller: Caller) -> Caller:
    """The caller, who may ask for decisions. Raises `Problem` for one who may not."""
    if "agent" not in caller.may:
        message = f"the key `{caller.name}` has the role {caller.role}, and this takes {holders('agent')}"
        raise Problem(403, "wrong_role", message, advice="use a key of that role")
    return caller


def _told(error: Exception) -> bytes:
    return refused_of(error).body
