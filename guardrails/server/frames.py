"""Frames: events on a Unix socket, each behind its length, for hosts where microseconds count.

A frame is four bytes (its length, the highest byte first) and JSON. Where the server has keys, the first frame is
`{"key": "..."}`. Every other one is an event, as `/v1/check` takes it (and `/v1/outcome` and `/v1/usage`); its answer is
a frame with the decision, or with `{"error": ...}`. Answers come in the order of the events.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from guardrails.server.app import mistake_of
from guardrails.server.checks import written
from guardrails.server.keys import LOCAL, Caller
from guardrails.server.problems import Problem, problem_of
from guardrails.server.reading import json_of
from guardrails.strict_json import write_json

if TYPE_CHECKING:
    import socket

    from guardrails.server.service import Service

HEAD = 4
MOST_BEHIND = 128
"""Events of one connection that wait for their turn; beyond them nothing is read from it."""


async def open_frames(service: Service, sock: socket.socket) -> asyncio.Server:
    """Answer frames on a socket that listens."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Frames(service), sock=sock)


class Frames(asyncio.Protocol):
    """One connection."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._transport: Any = None
        self._data = bytearray()
        self._caller: Caller | None = LOCAL if service.keys is None else None
        self._behind: deque[bytes] = deque()
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._behind.clear()

    def data_received(self, data: bytes) -> None:
        buffer = self._data
        buffer += data
        at, end = 0, len(buffer)
        most = self._service.settings.most_body
        while end - at >= HEAD:
            length = int.from_bytes(buffer[at : at + HEAD])
            if length > most:
                self._give_up(Problem(413, "too_large", f"a frame has more than {most:,} bytes"))
                return
            if end - at - HEAD < length:
                break
            self._take(bytes(buffer[at + HEAD : at + HEAD + length]))
            at += HEAD + length
        del buffer[:at]

    def _take(self, frame: bytes) -> None:
        service = self._service
        is_short = len(frame) < service.settings.long_event
        if self._caller is not None and self._task is None and is_short and service.is_quick:
            try:
                self._write(written(service.decided(json_of(frame), self._caller)))
            except Exception as error:
                self._write(_told(error))
            return
        self._behind.append(frame)
        if len(self._behind) > MOST_BEHIND:
            self._transport.pause_reading()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._catch_up())

    async def _catch_up(self) -> None:
        """Answer what waits, in its order."""
        try:
            while self._behind and not self._transport.is_closing():
                self._write(await self._answered(self._behind.popleft()))
                if len(self._behind) == MOST_BEHIND:
                    self._transport.resume_reading()
        finally:
            self._task = None

    async def _answered(self, frame: bytes) -> bytes:
        try:
            event = json_of(frame)
            if self._caller is None:
                return self._known(event)
            return written(await self._service.decide(event, self._caller, len(frame)))
        except Exception as error:
            return _told(error)

    def _known(self, event: Any) -> bytes:
        """Who is on the other side. Raises `Problem` for nobody who may ask."""
        keys = self._service.keys
        key = event.get("key") if event.__class__ is dict else None
        caller = keys.caller(key) if keys is not None and key.__class__ is str else None
        if caller is None or "agent" not in caller.may:
            advice = 'send `{"key": "..."}` of an agent as the first frame'
            raise Problem(401, "no_key", "the key is not known, or may not ask for decisions", advice=advice)
        self._caller = caller
        return write_json({"welcome": caller.name}).encode()

    def _write(self, body: bytes) -> None:
        self._transport.write(len(body).to_bytes(HEAD) + body)

    def _give_up(self, problem: Problem) -> None:
        self._write(write_json(problem.as_json()).encode())
        self._transport.close()


def _told(error: Exception) -> bytes:
    problem = problem_of(error) or mistake_of(error)
    return write_json(problem.as_json()).encode()
