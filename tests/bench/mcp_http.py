"""Both ways to a server over HTTP: a pump that passes bodies on unread, and `guard mcp --listen`.

The pump runs on the same HTTP server as the gateway, with a child behind it as the gateway has one; so what is left
is what the gateway does. One client keeps one connection, and waits for each answer.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from time import perf_counter
from typing import Any

PUMP = """
import asyncio, sys
import uvicorn
try:
    from uvloop import new_event_loop
except ImportError:
    new_event_loop = None

class Pump:
    child = None

    async def __call__(self, scope, receive, send):
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        if self.child is None:
            self.child = await asyncio.create_subprocess_exec(sys.executable, "-c", sys.argv[1], stdin=-1, stdout=-1)
        self.child.stdin.write(body + b"\\n")
        await self.child.stdin.drain()
        has_answer = b'"id"' in body
        answer = await self.child.stdout.readline() if has_answer else b""
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200 if has_answer else 202, "headers": head})
        await send({"type": "http.response.body", "body": answer})

async def main():
    config = uvicorn.Config(Pump(), port=0, http="httptools", log_config=None, access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(f"listening on http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}/mcp", flush=True)
    await task

with asyncio.Runner(loop_factory=new_event_loop) as runner:
    runner.run(main())
"""
HEADERS = {"content-type": "application/json", "accept": "application/json, text/event-stream"}


class HttpDoor:
    """One way to the server, over HTTP."""

    def __init__(self, words: list[str], environment: dict[str, str], hello: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("listening on http://"), line
        self._connection = http.client.HTTPConnection("127.0.0.1", int(line.split(":")[2].split("/")[0]))
        self._headers = dict(HEADERS)
        self._last = 0
        self.ask("initialize", hello)
        self._said({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def ask(self, method: str, params: Any) -> Any:
        self._last += 1
        return json.loads(
            self._said({"jsonrpc": "2.0", "id": self._last, "method": method, "params": params})
        )

    def _said(self, message: Any) -> bytes:
        self._connection.request("POST", "/mcp", json.dumps(message), self._headers)
        answer = self._connection.getresponse()
        session = answer.getheader("mcp-session-id")
        if session is not None:
            self._headers |= {"mcp-session-id": session, "mcp-protocol-version": "2025-11-25"}
        return answer.read()

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
        self._connection.close()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(20)


def doors(
    guard: list[str], server: str, environment: dict[str, str], hello: dict[str, Any]
) -> dict[str, HttpDoor]:
    """The pump first; `guard` is the command up to its options, `server` the program of the server."""
    child = ["--", sys.executable, "-c", server]
    listening = [*guard, "--listen", "127.0.0.1:0"]
    quiet = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")} | environment
    ways = {
        "pump": [sys.executable, "-c", PUMP, server],
        "guard mcp --listen, a file as store": [*listening, *child],
        "guard mcp --listen, memory as store": [*listening, "--store", "memory:", *child],
    }
    return {name: HttpDoor(words, quiet, hello) for name, words in ways.items()}
