"""`guard mcp` as a process, spoken to in plain lines."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from parser_tables import with_tables

SCRIPT = Path(sys.executable).with_name("guard")
ROGUE = Path(__file__).with_name("gateway_rogue.py")
SECONDS = 30.0


def environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    return {**kept, "XDG_STATE_HOME": str(folder / "state"), "GUARD_CACHE": with_tables(folder / "cache")}


class Process:
    """A gateway in front of a server; the client is the test."""

    def __init__(self, folder: Path, policy: str, server: list[str], *options: str) -> None:
        path = folder / "p.guard"
        path.write_text(policy)
        words = [str(SCRIPT), "mcp", str(path), *options, *(["--", *server] if server else [])]
        self.errors = (folder / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, env=environment(folder),
            cwd=folder,
        )  # fmt: skip
        self._left = b""
        self._last = 0

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for each in (self.process.stdin, self.process.stdout, self.errors):
            if each is not None:
                each.close()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message: dict[str, Any]) -> None:
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def read(self, seconds: float = SECONDS) -> Any:
        """The next message; None at the end."""
        assert self.process.stdout is not None
        waiting = select.poll()  # `select` itself knows no file beyond the first 1,024 of a process
        waiting.register(self.process.stdout, select.POLLIN)
        while b"\n" not in self._left:
            ready = waiting.poll(seconds * 1000)
            assert ready, f"nothing came in {seconds} s: {self.told()}"
            data = os.read(self.process.stdout.fileno(), 1 << 20)
            if not data:
                return None
            self._left += data
        line, _, self._left = self._left.partition(b"\n")
        return json.loads(line)

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        self._last += 1
        self.send({"id": self._last, "method": method, "params": params or {}})
        while (message := self.read()) is not None and message.get("id") != self._last:
            continue
        return message

    def begin(self) -> Process:
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "1"},
        }
        answer = self.ask("initialize", params)
        assert answer is not None, self.told()
        assert "result" in answer, answer
        self.send({"method": "notifications/initialized"})
        return self

    def call(self, name: str = "do", args: dict[str, Any] | None = None) -> Any:
        return self.ask("tools/call", {"name": name, "arguments": args or {}})

    def told(self) -> str:
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def end(self, how: int | None = None) -> int:
        """Close its input, or send it a signal; its exit code."""
        assert self.process.stdin is not None
        if how is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(how)
        return self.process.wait(SECONDS)


def rogue(how: str) -> list[str]:
    return [sys.executable, str(ROGUE), how]


def children_of(pid: int) -> list[int]:
    """The processes that a process started (Linux)."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in found]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


TERM = signal.SIGTERM
