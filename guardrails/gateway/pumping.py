"""Pumping: one client on our standard input and output, until it is gone or a signal comes."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from guardrails.gateway import messages
from guardrails.gateway.frames import Frames
from guardrails.gateway.stdio import CHUNK, say, standard_input, standard_output

if TYPE_CHECKING:
    from asyncio import StreamReader

    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.hub import Hub
    from guardrails.gateway.links import Client

LAST = 0.9
"""Of the time for closing, the part in which what is under way may be answered when the input ends."""

HOW = "an MCP client starts this command and keeps its input open, and with `--listen` clients come over HTTP"


def run(hub: Hub) -> None:
    """Serve the client that started this process."""
    if os.isatty(0):
        say(f"waits for a client on standard input: {HOW}")
    asyncio.run(_run(hub))


async def _run(hub: Hub) -> None:
    reader, client = await standard_input(), await standard_output()
    exchange = hub.open(hub.who())
    pumping = asyncio.create_task(pump(exchange, reader, client))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, pumping.cancel)
    try:
        with suppress(asyncio.CancelledError):
            await pumping
    finally:
        await exchange.close()


async def pump(exchange: Exchange, reader: StreamReader, client: Client) -> None:
    """Pass on what the client writes, until its input ends; what is under way then may still be answered."""
    frames, is_used = Frames(exchange.limits.most_bytes), False
    while data := await reader.read(CHUNK):
        is_used = True
        for line in frames.feed(data):
            await _heard(exchange, line, client)
    for line in frames.end():
        await _heard(exchange, line, client)
    if not is_used:
        say(f"standard input ended before a client said anything: {HOW}")
    with suppress(TimeoutError):
        async with asyncio.timeout(exchange.limits.closing * LAST):
            await exchange.idle()


async def _heard(exchange: Exchange, line: bytes | None, client: Client) -> None:
    try:
        if line is None:
            raise messages.Refused(f"the message has more than {exchange.limits.most_bytes:,} bytes")
        message = messages.read(line)
    except messages.Refused as refused:
        await client.send(messages.refusal(refused))
        return
    await exchange.heard(message, client)
