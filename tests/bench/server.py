"""The sidecar beside a bare application on the same server: requests a second and latency at 64 connections.

Both run under uvicorn with httptools and uvloop in a process each, and are asked by one client over kept connections; the
client shares the machine, so only the ratios say something. Frames are measured beside an echo of the same framing.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter

from tables import Ratio, Seconds, Table

EVENT = {
    "type": "call",
    "tool": "issue_refund",
    "args": {"customer_id": "c-17", "amount": 40},
    "principal": {"id": "ana", "customers": ["c-17", "c-18"]},
}
POLICY = """\
policy refunds
type principal { id: string; customers: set<string> }
on call issue_refund {
  require args.customer_id in principal.customers
  threshold args.amount {
    up to 100: allow
    up to 500: ask finance
    above: deny
  }
}
"""
CONNECTIONS = 64
EACH = 200
ROUNDS = 3
HTTP_AIM = "0.70x of the bare one, and its p99 at most twice"
FRAMES_AIM = "0.60x of the echo"

BARE = """
import sys, uvicorn
BODY = b'{"outcome": "allow"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"20")]
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})
uvicorn.run(app, fd=int(sys.argv[1]), http="httptools", loop="uvloop", lifespan="off", log_config=None,
            access_log=False, ws="none")
"""
ECHO = """
import asyncio, socket, sys, uvloop
class Echo(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.data = transport, bytearray()
    def data_received(self, data):
        self.data += data
        while len(self.data) >= 4 and len(self.data) >= 4 + (n := int.from_bytes(self.data[:4])):
            self.transport.write(bytes(self.data[:4 + n]))
            del self.data[:4 + n]
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Echo, sock=socket.socket(fileno=int(sys.argv[1])))
    await server.serve_forever()
uvloop.run(main())
"""


def run() -> list[Table]:
    http = Table(
        "HTTP, 64 connections", ("server", "requests/s", "p50", "p99", "of the bare one"), aim=HTTP_AIM
    )
    frames = Table(
        "frames, 64 connections", ("server", "events/s", "p50", "p99", "of the echo"), aim=FRAMES_AIM
    )
    body = json.dumps(EVENT).encode()
    head = f"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    request, framed = head.encode() + body, len(body).to_bytes(4) + body
    with tempfile.TemporaryDirectory() as folder:
        rows(http, [_bare(BARE, folder), _guard(folder, "--bind")], request)
        rows(frames, [_bare(ECHO, folder), _guard(folder, "--frames")], framed)
    return [http, frames]


def rows(table: Table, servers: list[object], request: bytes) -> None:
    """Both servers in turn, several times; the medians of the rounds."""
    names = ("bare", "guard serve")
    with servers[0] as first, servers[1] as second:  # type: ignore[attr-defined]
        rounds = [[asyncio.run(_load(path, request)) for path in (first, second)] for _ in range(ROUNDS)]
    found = [[median(each[index][part] for each in rounds) for part in range(3)] for index in range(2)]
    for name, (rate, middle, slow) in zip(names, found, strict=True):
        table.add(name, round(rate), Seconds(middle), Seconds(slow), Ratio(rate / found[0][0]))


@contextmanager
def _bare(program: str, folder: str) -> Iterator[str]:
    path = f"{folder}/bare-{abs(hash(program))}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(256)
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(listener.fileno())], pass_fds=[listener.fileno()]
        )
        try:
            yield path
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _guard(folder: str, option: str) -> Iterator[str]:
    policy, path = Path(folder, "refunds.guard"), f"{folder}/guard{option}.sock"
    policy.write_text(POLICY, encoding="utf-8")
    words = [
        option,
        f"unix:{path}",
        *(["--bind", f"unix:{folder}/unused.sock"] if option != "--bind" else []),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("guard")), "serve", str(policy), *words],
        stdout=subprocess.PIPE,
        env=clean | {"XDG_STATE_HOME": folder},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "guard serve does not start"
        yield path
    finally:
        process.terminate()
        process.wait()


async def _load(path: str, request: bytes) -> tuple[float, float, float]:
    """Requests a second, and the median and the 99th percentile of their times in seconds."""
    for _ in range(200):
        if os.path.exists(path):
            break
        await asyncio.sleep(0.05)
    await _client(path, request, [])
    times: list[float] = []
    started = perf_counter()
    await asyncio.gather(*(_client(path, request, times) for _ in range(CONNECTIONS)))
    elapsed = perf_counter() - started
    times.sort()
    return len(times) / elapsed, median(times), times[int(len(times) * 0.99)]


async def _client(path: str, request: bytes, times: list[float]) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    is_http = request.startswith(b"POST")
    for _ in range(EACH):
        started = perf_counter()
        writer.write(request)
        length = int.from_bytes(await reader.readexactly(4)) if not is_http else await _length(reader)
        answer = await reader.readexactly(length)
        times.append(perf_counter() - started)
        assert b"allow" in answer or b"issue_refund" in answer, answer
    writer.close()


async def _length(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
