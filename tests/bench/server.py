"""The sidecar beside a bare application on the same server: requests a second and latency at 64 connections.

Both run under uvicorn with httptools and uvloop in a process each, and are asked by one client over kept connections; the
client shares the machine, so only the ratios say something. Frames are measured beside an echo of the same framing. Beside
the refund that is allowed stand events of other kinds, which nothing is tuned for: refused and explained, changed, counted
by a limit in memory.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
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
OTHERS = {
    "refused": {**EVENT, "args": {"customer_id": "c-17", "amount": 4000}},
    "changed": {
        "type": "output",
        "text": "Your card 4111111111111111 was charged 40 EUR today, as you asked.",
    },
    "counted": {"type": "call", "tool": "search", "args": {"q": "refunds"}, "principal": {"id": "ana"}},
}
"""Events of `MORE`, by what becomes of them."""
MORE = (
    POLICY
    + """\
on call search { allow; many: limit 1_000_000_000 per 1d by principal.id }
on output { redact /[0-9]{16}/ }
"""
)
CONNECTIONS = 64
EACH = 80
ROUNDS = 9
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
        "HTTP, 64 connections",
        ("server", "requests/s", "p50", "p99", "of the bare one", "its CPU each"),
        aim=HTTP_AIM,
    )
    frames = Table(
        "frames, 64 connections",
        ("server", "events/s", "p50", "p99", "of the echo", "its CPU each"),
        aim=FRAMES_AIM,
    )
    with tempfile.TemporaryDirectory() as folder:
        rows(http, folder, BARE, "--bind", _request)
        rows(frames, folder, ECHO, "--frames", _framed)
    return [http, frames]


def _request(event: object) -> bytes:
    body = json.dumps(event).encode()
    return f"POST /v1/check HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def _framed(event: object) -> bytes:
    body = json.dumps(event).encode()
    return len(body).to_bytes(4) + body


def rows(table: Table, folder: str, bare: str, option: str, ask: Callable[[object], bytes]) -> None:
    """The bare server and ours in turn, several times; the medians of the rounds."""
    plain, more = _guard(folder, option, POLICY), _guard(folder, option, MORE, "--store", "memory:")
    with _bare(bare, folder) as first, plain as second, more as third:
        contenders = [("bare", first, EVENT), ("guard serve", second, EVENT)]
        contenders += [(f"guard serve, {name}", third, event) for name, event in OTHERS.items()]
        rounds = [
            [asyncio.run(_load(*place, ask(event))) for _, place, event in contenders] for _ in range(ROUNDS)
        ]
    for index, (name, _, _) in enumerate(contenders):
        rate, middle, slow, work = (median(each[index][part] for each in rounds) for part in range(4))
        ratio = median(each[index][0] / each[0][0] for each in rounds)
        table.add(name, round(rate), Seconds(middle), Seconds(slow), Ratio(ratio), Seconds(work))


def _worked(process: int) -> float:
    """The seconds that a process had a processor for, which say something on a busy machine as well; 0 where the
    system does not tell."""
    tasks = Path(f"/proc/{process}/task").glob("*/schedstat")
    return sum(int(each.read_text(encoding="ascii").split()[0]) for each in tasks) / 1e9


@contextmanager
def _bare(program: str, folder: str) -> Iterator[tuple[str, int]]:
    path = f"{folder}/bare-{abs(hash(program))}.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(256)
        process = subprocess.Popen(
            [sys.executable, "-c", program, str(listener.fileno())], pass_fds=[listener.fileno()]
        )
        try:
            yield path, process.pid
        finally:
            process.terminate()
            process.wait()


@contextmanager
def _guard(folder: str, option: str, text: str, *more: str) -> Iterator[tuple[str, int]]:
    name = f"{option.strip('-')}-{len(text)}"
    policy, path = Path(folder, f"{name}.guard"), f"{folder}/{name}.sock"
    policy.write_text(text, encoding="utf-8")
    words = [option, f"unix:{path}", *more]
    if option != "--bind":
        words += ["--bind", f"unix:{folder}/{name}-unused.sock"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("guard")), "serve", str(policy), *words],
        stdout=subprocess.PIPE,
        env=clean | {"XDG_STATE_HOME": folder},
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), "guard serve does not start"
        yield path, process.pid
    finally:
        process.terminate()
        process.wait()


async def _load(path: str, process: int, request: bytes) -> tuple[float, float, float, float]:
    """Requests a second, the median and the 99th percentile of their times in seconds, and the seconds that the server
    worked on each."""
    for _ in range(200):
        if os.path.exists(path):
            break
        await asyncio.sleep(0.05)
    await _client(path, request, [])
    times: list[float] = []
    before, started = _worked(process), perf_counter()
    await asyncio.gather(*(_client(path, request, times) for _ in range(CONNECTIONS)))
    elapsed, worked = perf_counter() - started, _worked(process) - before
    times.sort()
    return len(times) / elapsed, median(times), times[int(len(times) * 0.99)], worked / len(times)


async def _client(path: str, request: bytes, times: list[float]) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    is_http = request.startswith(b"POST")
    for _ in range(EACH):
        started = perf_counter()
        writer.write(request)
        length = int.from_bytes(await reader.readexactly(4)) if not is_http else await _length(reader)
        answer = await reader.readexactly(length)
        times.append(perf_counter() - started)
        assert b'"outcome"' in answer or b'"type"' in answer, answer
    writer.close()


async def _length(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
