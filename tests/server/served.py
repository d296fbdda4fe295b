"""`guard serve` as a process, and a client that speaks plain HTTP to it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

SCRIPT = Path(sys.executable).with_name("guard")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}

POLICY = """\
policy support

type principal {
  id: string
  customers: set<string>
}

on call issue_refund {
  own_customer: require args.customer_id in principal.customers because "Only your own customers."
  threshold args.amount {
    up to 100: allow
    up to 500: ask finance within 4h
    above: deny because "Too much."
  }
}

on call search { allow; daily: limit 3 per 1d by principal.id }
on call stop { halt }
on call send { allow; redact /[0-9]{16}/ in args.body }

on result get_order { allow; drop fields card }
on input { deny when text contains "ignore previous" }
on output {
  redact /[0-9]{16}/
  deny when text contains "secret"
}
"""

PLAIN = """\
policy plain
on call ping { allow }
on call slow { deny because "Never." }
"""

ANA = {"id": "ana", "customers": ["c1"]}


class Reply(NamedTuple):
    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def code(self) -> str:
        return str(self.json["error"]["code"])


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=20)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(20)
        self.sock.connect(self._path)


class Served:
    """One server. `address` is where it listens first."""

    def __init__(
        self, folder: Path, *words: str, binds: tuple[str, ...] = ("127.0.0.1:0",), **env: str
    ) -> None:
        options = [word for bind in binds for word in ("--bind", bind)]
        self.process = subprocess.Popen(
            [str(SCRIPT), "serve", *words, *options],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT | {"XDG_STATE_HOME": str(folder / "state")} | env,
            text=True,
        )
        self.key: str | None = None
        self.addresses: list[str] = []
        frames = words.count("--frames")
        for _ in range(len(binds) + frames):
            line = self._line()
            self.addresses.append(line.split(" on ")[1].strip())
        self.address = self.addresses[0]

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            assert self.process.stderr is not None
            raise AssertionError(f"the server did not start: {self.process.stderr.read()}")
        return line

    @property
    def port(self) -> int:
        return int(self.address.rsplit(":", 1)[1])

    def connection(self) -> http.client.HTTPConnection:
        if self.address.startswith("unix:"):
            return _Unix(self.address.removeprefix("unix:"))
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request; a body that is no bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key and "authorization" not in sent:
            sent["authorization"] = f"Bearer {self.key}"
        connection = self.connection()
        try:
            connection.request(method, path, data, sent)
            reply = connection.getresponse()
            found = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, found, reply.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Reply:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.ask("POST", path, body, **headers)

    def call(self, tool: str, args: Any, **more: Any) -> dict[str, Any]:
        """The decision on a call."""
        reply = self.post("/v1/check", {"type": "call", "tool": tool, "args": args, **more})
        assert reply.status == 200, reply
        return reply.json  # type: ignore[no-any-return]

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """End it; gives its exit code and what it wrote to standard error."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            _, err = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            _, err = self.process.communicate()
            raise AssertionError(f"the server does not stop: {err}") from None
        return self.process.returncode, err


def make_key(folder: Path, name: str, *words: str) -> str:
    """A key in the file `keys.json` of the folder."""
    done = subprocess.run(
        [str(SCRIPT), "key", name, *words], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()


def policies(folder: Path) -> Path:
    (folder / "support.guard").write_text(POLICY)
    (folder / "plain.guard").write_text(PLAIN)
    (folder / "reviewers.json").write_text('{"finance": ["fin", "ben"]}')
    return folder
