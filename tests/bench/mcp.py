"""`guard mcp` beside a pump that passes lines on unread: the time of a call, over standard input and output, and over HTTP.

Both stand in front of the same small server, and are asked in turn by one client that waits for each answer; what
the gateway adds is the difference to the pump within a round.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, Protocol

import mcp_http
from tables import Seconds, Table

GUARD = Path(sys.executable).with_name("guard")
POLICY = """\
policy bench
on call "mcp.server.pay" {
  allow when args.amount <= 100 and args.to in {"ana", "bob"}
}
on call "mcp.server.note" { allow; daily: limit 1_000_000 per 1d by session.id }
on result "mcp.server.pay" { redact /[0-9]{16}/ }
"""
CALLS = {
    "one call, its result redacted": ("pay", {"to": "ana", "amount": 40, "note": "for the tickets " * 4}),
    "one call with a limit": ("note", {"text": "a note " * 10}),
}
EACH = 40
ROUNDS = 15
AIM = "the gateway adds at most 1 ms to a call"

SERVER = """
import json, sys
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in ("pay", "note")]
for line in sys.stdin.buffer:
    message = json.loads(line)
    method, id = message.get("method"), message.get("id")
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}},
                  "serverInfo": {"name": "s", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": TOOLS}
    elif method == "tools/call":
        text = json.dumps({"paid": message["params"]["arguments"], "card": "4111111111111111"})
        result = {"content": [{"type": "text", "text": text}]}
    else:
        continue
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": id, "result": result}) + "\\n")
    sys.stdout.flush()
"""
PUMP = """
import asyncio, os, sys
async def main():
    loop = asyncio.get_running_loop()
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", sys.argv[1], stdin=-1, stdout=-1)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async def back():
        while line := await child.stdout.readline():
            os.write(1, line)
    task = asyncio.create_task(back())
    while line := await reader.readline():
        child.stdin.write(line)
        await child.stdin.drain()
    child.stdin.close()
    await task
asyncio.run(main())
"""


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "b", "version": "1"}}


class Way(Protocol):
    """One way to the server."""

    def timed(self, name: str, arguments: Any, each: int) -> float: ...


class Door:
    """One way to the server."""

    def __init__(self, words: list[str], folder: str) -> None:
        environment = {**os.environ, "XDG_STATE_HOME": folder, "GUARD_CACHE": f"{folder}/cache"}
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
        )
        self._last = 0
        self.ask("initialize", HELLO)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: Any) -> Any:
        self._last += 1
        self._write({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def _write(self, message: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def timed(self, name: str, arguments: Any, each: int) -> float:
        """Seconds of a call, over so many of them."""
        params = {"name": name, "arguments": arguments}
        begun = perf_counter()
        for _ in range(each):
            answer = self.ask("tools/call", params)
        seconds = (perf_counter() - begun) / each
        assert not answer["result"].get("isError"), answer
        return seconds

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def run() -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder, "bench.guard")
        policy.write_text(POLICY)
        server = [sys.executable, "-c", SERVER]
        guard = [str(GUARD), "mcp", str(policy), "--no-watch"]
        doors = {
            "pump": Door([sys.executable, "-c", PUMP, SERVER], folder),
            "guard mcp, a file as store": Door([*guard, "--", *server], folder),
            "guard mcp, memory as store": Door([*guard, "--store", "memory:", "--", *server], folder),
        }
        tables = [_table(title, doors, call) for title, call in CALLS.items()]
        for door in doors.values():
            door.close()
        environment = {"XDG_STATE_HOME": folder, "GUARD_CACHE": f"{folder}/cache"}
        over_http = mcp_http.doors(guard, SERVER, environment, HELLO)
        tables += [_table(f"{title}, over HTTP", over_http, call) for title, call in CALLS.items()]
        for way in over_http.values():
            way.close()
    return tables


def _table(title: str, doors: Mapping[str, Way], call: tuple[str, Any]) -> Table:
    table = Table(title, ("way", "a call", "added to the pump"), aim=AIM)
    rounds = [{name: door.timed(*call, EACH) for name, door in doors.items()} for _ in range(ROUNDS)][1:]
    for name in doors:
        added = median(each[name] - each["pump"] for each in rounds)
        table.add(name, Seconds(median(each[name] for each in rounds)), Seconds(max(added, 0.0)))
    return table
