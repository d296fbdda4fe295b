"""Standard input and output: a server as a child of this process, and the client that started this process.

A frame is a line. A server's line that is no message is dropped and said on standard error, because many servers
print what they should not; but if somebody waits for its id, that request fails at once. A line that is too long
ends the server: nobody knows what was in it.
"""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from guardrails.gateway import messages
from guardrails.gateway.frames import Frames
from guardrails.gateway.links import LINK_FAILED, Limits, LinkError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.gateway.links import Ears, Id, Local, Message

CHUNK = 65_536
IS_POSIX = os.name == "posix"


def say(text: str) -> None:
    """A line for people: standard output belongs to the protocol. What servers say holds no signs for terminals."""
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    sys.stderr.write(f"guard mcp: {shown}\n")
    sys.stderr.flush()


class LocalLink:
    """A server that runs as a child. What it says on standard error goes to ours."""

    def __init__(self, place: Local, limits: Limits) -> None:
        self.name = place.name
        self._place = place
        self._limits = limits
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._closing = False

    async def open(self, ears: Ears) -> None:
        place = self._place
        try:
            self._process = await asyncio.create_subprocess_exec(
                place.command,
                *place.args,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=environment(place),
                cwd=place.cwd,
                start_new_session=IS_POSIX,
            )
        except (OSError, ValueError) as error:
            raise LinkError(_not_started(place, error)) from None
        self._reading = asyncio.create_task(self._read(self._process, ears))

    async def send(self, message: Message) -> None:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            raise LinkError("it is not running")
        try:
            process.stdin.write(messages.write(message) + b"\n")
            await process.stdin.drain()
        except (ConnectionError, RuntimeError):
            raise LinkError("it does not read any more") from None

    def agreed(self, version: str) -> None:
        """Nothing on a pipe depends on the version."""

    async def close(self) -> None:
        """Its input ends; if that does not end it, a signal does, and then another one."""
        process, self._closing = self._process, True
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        each = self._limits.closing / 3
        for stop in (None, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            if stop is not None:
                _signal(process, stop)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(process.wait(), each)
                break
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        if self._reading is not None:
            self._reading.cancel()
        # What is still in its output is not read any more, and without that asyncio would keep the pipes for ever.
        process._transport.close()  # type: ignore[attr-defined]  # there is no public way

    async def _read(self, process: asyncio.subprocess.Process, ears: Ears) -> None:
        assert process.stdout is not None, "it was started with a pipe"
        frames = Frames(self._limits.most_bytes)
        while data := await process.stdout.read(CHUNK):
            for line in frames.feed(data):
                if line is None:
                    await self._give_up(
                        ears, f"it sent a message of more than {self._limits.most_bytes:,} bytes"
                    )
                    return
                await self._hear(line, ears)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), self._limits.closing / 3)
        await self._give_up(ears, _ended(process))

    async def _hear(self, line: bytes, ears: Ears) -> None:
        try:
            message = messages.read(line)
        except messages.Refused as refused:
            say(f"`{self.name}` sent a line that is dropped: {refused.why}")
            for id in refused.ids:
                await ears.heard(messages.failure(id, LINK_FAILED, f"its answer is refused: {refused.why}"))
            return
        await ears.heard(message)

    async def _give_up(self, ears: Ears, why: str) -> None:
        if not self._closing:
            say(f"`{self.name}` is lost: {why}")
            await ears.lost(why)
            self._ending = asyncio.get_running_loop().create_task(self.close())


def _not_started(place: Local, error: Exception) -> str:
    """Why there is no process, and what to look at."""
    if place.cwd is not None and not os.path.isdir(place.cwd):
        return f"`{place.command}` cannot be started: there is no folder `{place.cwd}`, which is its `cwd`"
    why = (getattr(error, "strerror", None) or str(error)).lower()
    if isinstance(error, FileNotFoundError) and os.path.basename(place.command) == place.command:
        why += "; is it installed, and on the `PATH` of the client that starts this gateway?"
    return f"`{place.command}` cannot be started: {why}"


def environment(place: Local) -> dict[str, str]:
    """What a server sees of our environment: all but Guard's own settings, which may hold keys."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    return {**ours, **place.env}


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """To the server and all that it started."""
    with suppress(ProcessLookupError, PermissionError):
        if IS_POSIX:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)


def _ended(process: asyncio.subprocess.Process) -> str:
    code = process.returncode
    if code is None:
        return "it closed its output"
    return f"it ended with exit code {code}" if code >= 0 else f"it was ended by signal {-code}"


# --- the client --------------------------------------------------------------------------------


class StdioClient:
    """Whoever started this process, and reads its standard output."""

    def __init__(self, write: Callable[[bytes], None], drain: Callable[[], object]) -> None:
        self._write = write
        self._drain = drain

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        with suppress(ConnectionError, RuntimeError):
            self._write(messages.write(message) + b"\n")
            waiting = self._drain()
            if asyncio.iscoroutine(waiting):
                await waiting


async def standard_input() -> asyncio.StreamReader:
    """Our standard input, read without blocking; a file is read by a thread, and so is a device like /dev/null."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2 * CHUNK)
    try:
        _check_watchable(0)
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), _own(0, "rb"))
    except (ValueError, NotImplementedError, OSError):
        loop.run_in_executor(None, _copy, loop, reader)
    return reader


def _check_watchable(descriptor: int) -> None:
    """Raise `OSError` where the system cannot tell when there is something to read: asyncio finds out too late."""
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)


def _own(descriptor: int, mode: str) -> Any:
    """A file of our own for standard input or output: the loop closes it, and nobody else's."""
    return os.fdopen(os.dup(descriptor), mode, buffering=0)


def _copy(loop: asyncio.AbstractEventLoop, reader: asyncio.StreamReader) -> None:
    with suppress(OSError):  # there is no input, or no more of it
        while data := os.read(0, CHUNK):
            loop.call_soon_threadsafe(reader.feed_data, data)
    loop.call_soon_threadsafe(reader.feed_eof)


async def standard_output() -> StdioClient:
    """Our standard output, written without blocking where it is a pipe."""
    loop = asyncio.get_running_loop()
    try:
        transport, protocol = await loop.connect_write_pipe(
            lambda: asyncio.streams.FlowControlMixin(loop), _own(1, "wb")
        )
    except (ValueError, NotImplementedError, OSError):
        return StdioClient(_write_all, lambda: None)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    return StdioClient(writer.write, writer.drain)


def _write_all(data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(1, left) :]
