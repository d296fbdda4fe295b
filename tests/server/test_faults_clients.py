"""Clients that are huge, or never read: each hurts itself at most."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from served import Served

PING = b'{"type": "call", "tool": "ping", "args": {}}'
POST = b"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n"


def resident(server: Served) -> int:
    """The bytes of memory that the server holds."""
    for line in Path(f"/proc/{server.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("there is no VmRSS")


def test_a_long_body_that_comes_at_once_is_answered(serve: Any, folder: Path) -> None:
    serve("plain.guard", binds=(f"unix:{folder}/guard.sock",))
    text = json.dumps({"type": "output", "text": "x" * 200_000}).encode()
    with socket.socket(socket.AF_UNIX) as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1_000_000)
        raw.settimeout(20)
        raw.connect(f"{folder}/guard.sock")
        raw.sendall(POST % len(text) + text)
        assert raw.recv(65_536).startswith(b"HTTP/1.1 200")


def push(raw: socket.socket, data: bytes, most: int) -> int:
    """Send the same again and again until the other side takes nothing any more; gives how much it took."""
    raw.setblocking(False)
    sent, quiet = 0, monotonic()
    while sent < most and monotonic() - quiet < 0.5:
        try:
            sent += raw.send(data[sent % len(data) :])
            quiet = monotonic()
        except BlockingIOError:
            sleep(0.01)
    return sent


def test_who_sends_frames_and_never_reads_is_not_read_any_more(serve: Any, folder: Path) -> None:
    path = f"{folder}/frames.sock"
    server = serve("plain.guard", "--frames", f"unix:{path}")
    before = resident(server)
    with socket.socket(socket.AF_UNIX) as raw:
        raw.connect(path)
        taken = push(raw, (len(PING).to_bytes(4) + PING) * 500, 20_000_000)
        assert taken < 10_000_000
        assert resident(server) - before < 30_000_000
        assert server.call("ping", {})["outcome"] == "allow"


def test_who_sends_requests_and_never_reads_is_not_read_any_more(serve: Any) -> None:
    server = serve("plain.guard")
    before = resident(server)
    with socket.create_connection(("127.0.0.1", server.port)) as raw:
        taken = push(raw, (POST % len(PING) + PING) * 300, 40_000_000)
        assert taken < 30_000_000
        assert resident(server) - before < 30_000_000
        assert server.call("ping", {})["outcome"] == "allow"
