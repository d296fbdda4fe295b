"""Serving the gateway over HTTP: a socket in, the endpoint behind it, until a signal says that it is enough.

Takes a plan. SIGTERM and SIGINT end it: streams on which nothing is under way end at once, requests have their grace, then
servers are closed and whoever still waits is told so; a second signal gives no grace. SIGHUP reads the keys anew, and the
policy where the plan says how; what cannot be read changes nothing. An address that others reach is not listened on unless
they have to show a key or a certificate.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from guardrails.errors import GuardError
from guardrails.gateway.http.admission import Gate
from guardrails.gateway.http.server import ABORT, PATH, Endpoint, Serving
from guardrails.gateway.reloading import say_kept
from guardrails.gateway.stdio import say
from guardrails.server.binding import Address, check_reach, listening, shown
from guardrails.server.keys import Keys
from guardrails.server.uvicorn_server import uvicorn_server

if TYPE_CHECKING:
    from guardrails.gateway.http.sessions import Hub

LAST_WORDS = 5
"""Seconds for the last answers to be written, once all is closed."""
STUCK = 30.0
"""Seconds in which a reader has to take something of what waits for it."""
EXTRA = "install `guard-policy[server]`"


@dataclass(frozen=True, slots=True)
class HttpPlan:
    """What to serve, and where. `open_hub` is called once, in the loop that serves. `grace` is how many seconds what is
    under way may take at the end; `reload` loads the policy anew, and may raise `GuardError`."""

    open_hub: Callable[[], Hub]
    address: Address
    keys_file: str | None = None
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    serving: Serving = field(default_factory=Serving)
    grace: int = 10
    tls: dict[str, Any] = field(default_factory=dict)
    reload: Callable[[], None] | None = None

    @property
    def wants_certificates(self) -> bool:
        return "ssl_ca_certs" in self.tls

    def gate(self) -> Gate:
        """Who may come in. Raises `KeysError`."""
        keys = Keys.read(self.keys_file) if self.keys_file else None
        return Gate(keys, self.hosts, self.origins, certified=self.wants_certificates)


def serve_http(plan: HttpPlan) -> int:
    """Serve until a signal comes; gives an exit code. Raises `GuardError` for what cannot be served."""
    for name in ("uvicorn", "httptools"):
        try:
            __import__(name)
        except ImportError:
            raise GuardError(f"`guard mcp --listen` needs the package `{name}`: {EXTRA}") from None
    check_reach([plan.address], authenticated=plan.keys_file is not None or plan.wants_certificates)
    gate = plan.gate()
    found = listening(plan.address)
    if found.family != getattr(socket, "AF_UNIX", None):
        found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with asyncio.Runner(loop_factory=_loop()) as runner:
        return runner.run(_run(plan, gate, found))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, where there is one for this system."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", new_event_loop)


async def _run(plan: HttpPlan, gate: Gate, found: socket.socket) -> int:
    endpoint = Endpoint(plan.open_hub(), gate, plan.serving)
    server = server_of(endpoint, grace=plan.grace + LAST_WORDS, **plan.tls)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server, endpoint, plan.grace)
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, _reload, plan, endpoint)
    loop.call_soon(_say_where, found, "https" if plan.tls else "http")
    await server.serve([found])
    return 0


def _say_where(found: socket.socket, scheme: str) -> None:
    where = shown(found)
    if where.startswith("http:"):
        where = f"{scheme}:{where.removeprefix('http:')}{PATH}"
    sys.stdout.write(f"listening on {where}\n")
    sys.stdout.flush()


def server_of(endpoint: Endpoint, *, grace: int = 10, **more: Any) -> Any:
    """A uvicorn server that runs an endpoint. It leaves signals alone."""
    return uvicorn_server(endpoint, _protocol(), grace=grace, **more)


def _protocol() -> Any:
    from guardrails.server.patience import PatientProtocol

    class AbortableProtocol(PatientProtocol):
        """Lets the endpoint cut a connection whose reader does not read, and cuts one on which nothing moves: to close
        it would be to wait for it."""

        _stuck: asyncio.TimerHandle | None = None
        _left = 0

        def on_headers_complete(self) -> None:
            extensions = {**(self.scope.get("extensions") or {}), ABORT: self.transport.abort}
            cast("dict[str, Any]", self.scope)["extensions"] = extensions
            super().on_headers_complete()

        def eof_received(self) -> bool:  # type: ignore[override]  # the base says nothing, which means no
            """A client that closes the stream of a request takes the request back, and is not kept waiting for."""
            return False

        def pause_writing(self) -> None:
            super().pause_writing()
            self._left = self.transport.get_write_buffer_size()
            self._stuck = self.loop.call_later(STUCK, self._look)

        def resume_writing(self) -> None:
            super().resume_writing()
            self._settle_writing()

        def connection_lost(self, exc: Exception | None) -> None:
            self._settle_writing()
            super().connection_lost(exc)

        def _settle_writing(self) -> None:
            if self._stuck is not None:
                self._stuck.cancel()
                self._stuck = None

        def _look(self) -> None:
            """Less has to wait than before, or nobody reads."""
            left, self._left = self._left, self.transport.get_write_buffer_size()
            if self._left >= left:
                self.transport.abort()
            else:
                self._stuck = self.loop.call_later(STUCK, self._look)

    return AbortableProtocol


def _stop(server: Any, endpoint: Endpoint, grace: int) -> None:
    if server.should_exit:
        endpoint.close_soon()
        return
    server.should_exit = True
    endpoint.hush()
    asyncio.get_running_loop().call_later(grace, endpoint.close_soon)


def _reload(plan: HttpPlan, endpoint: Endpoint) -> None:
    """Keys and policy anew; each stays as it was where the new one cannot be used."""
    try:
        endpoint.let_in(plan.gate())
    except GuardError as error:
        say(f"the keys stay: {error}")
    if plan.reload is None:
        return
    try:
        plan.reload()
    except GuardError as error:
        say_kept(error)
