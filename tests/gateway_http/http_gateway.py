"""`guard mcp --listen` as a process, and MCP servers of both lines of the official SDK behind it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
SCRIPT = Path(sys.executable).with_name("guard")
ECHO = [sys.executable, str(HERE / "http_echo_server.py")]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}

POLICY = """\
policy shop

on call "mcp.*.add", "mcp.*.count", "mcp.*.sleep", "mcp.*.fail", "mcp.*.read_card", "mcp.*.confirm" { allow }
on call "mcp.*.change", "mcp.*.stop" { allow }
on call "mcp.*.route" { allow; redact /[0-9]{16}/ in args.region }
on call "mcp.*.pay" { ask owner }
on call "mcp.*.resources/read", "mcp.*.prompts/get", "server.*.elicitation" { allow }
on result "mcp.*.read_card", "mcp.*.resources/read" { redact /[0-9]{16}/ }
on session { limit 500 calls }
"""


def peer(line: int) -> str:
    """A Python with the official SDK of this line. Skips the test where there is none; fails where all has to be."""
    own = os.environ.get("GUARD_TEST_MCP1") or str(ROOT / ".peers/mcp1/bin/python")
    found = sys.executable if line == 2 else own
    if not has_sdk(found):
        missing(f"no MCP SDK of line {line} here: `make peers` installs it")
    return found


def inspector() -> str:
    """The command of the MCP Inspector. Skips the test without it: programs from npm are not asked of anybody."""
    found = ROOT / ".peers/node/node_modules/.bin/mcp-inspector"
    if not found.exists():
        pytest.skip("no MCP Inspector here: `make peers` installs it")
    return str(found)


def missing(why: str) -> None:
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(why)


@cache
def has_sdk(python: str) -> bool:
    look = "from importlib.util import find_spec; raise SystemExit(not (find_spec('mcp') and find_spec('uvicorn')))"
    return os.path.exists(python) and subprocess.run([python, "-c", look]).returncode == 0


class PeerServer:
    """A server over HTTP."""

    def __init__(self, python: str, *words: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "http_peer_server.py"), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/mcp"

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


class Gateway:
    """The command, listening."""

    def __init__(
        self,
        folder: Path,
        servers: dict[str, Any],
        *words: str,
        policy: str = POLICY,
        address: str = "127.0.0.1:0",
    ) -> None:
        (folder / "shop.guard").write_text(policy)
        (folder / "servers.json").write_text(json.dumps({"mcpServers": servers}))
        self.errors = (folder / "errors.txt").open("w+")
        self.process = subprocess.Popen(
            [str(SCRIPT), "mcp", "shop.guard", "--config", "servers.json", "--listen", address, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=ENVIRONMENT | {"XDG_STATE_HOME": str(folder / "state")},
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on http"), (line, self.said)
        self.url = line.split(" on ")[1].strip()
        self.port = int(self.url.split(":")[2].split("/")[0])

    @property
    def said(self) -> str:
        """What it wrote to standard error."""
        self.errors.flush()
        return Path(self.errors.name).read_text()

    def stop(self) -> int:
        """End it; gives its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the gateway does not stop: {self.said}") from None
        finally:
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.errors.close()


def visit(python: str, url: str, prefixes: list[str], mode: str, *key: str) -> dict[str, Any]:
    """What a client of the official SDK sees."""
    words = [python, str(HERE / "http_peer_client.py"), url, ",".join(prefixes), mode, *key]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-4_000:]
    found: dict[str, Any] = json.loads(done.stdout)
    return found
