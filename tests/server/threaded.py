"""The application on a server in a thread, for tests that look inside it, or that set what the command does not."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from typing import Any

from uvicorn import Config, Server

from guardrails import Guard
from guardrails.server.app import App
from guardrails.server.keys import Keys
from guardrails.server.patience import PatientProtocol
from guardrails.server.quick import QuickProtocol
from guardrails.server.service import Settings


class One:
    """One server. `ask` is for raw bytes."""

    def __init__(
        self,
        guard: Guard,
        protocol: type[PatientProtocol] = QuickProtocol,
        *,
        keys: Keys | None = None,
        settings: Settings | None = None,
    ) -> None:
        self.app = App(guard, keys=keys, settings=settings)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = Server(
            Config(
                self.app,
                http=protocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
            )
        )
        self.thread = threading.Thread(target=lambda: asyncio.run(self.server.serve([self.socket])))
        self.thread.start()

    @property
    def address(self) -> Any:
        return self.socket.getsockname()

    def ask(self, *parts: bytes) -> bytes:
        """All that comes back until the connection is closed; the last request says that it is the last."""
        with socket.create_connection(self.address) as raw:
            raw.settimeout(20)
            for part in parts:
                raw.sendall(part)
            return everything(raw)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


def everything(raw: socket.socket) -> bytes:
    """All that comes until the other side closes, without dates and ids of mistakes."""
    found = b""
    while part := raw.recv(65_536):
        found += part
    return re.sub(rb"\r\ndate: [^\r]*", b"", re.sub(rb'(id |"at": ")[0-9a-f]{12}', b"", found))
