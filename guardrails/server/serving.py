"""Serving: sockets in, answers out, until a signal says that it is enough.

Takes a plan. SIGTERM and SIGINT end it: nothing new is taken, what is under way is finished, what waits is written.
SIGHUP loads policy and keys anew; so does a change of a policy file. What does not load changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from guardrails.errors import GuardError
from guardrails.server.app import App
from guardrails.server.binding import Address, check_reach, listening, shown
from guardrails.server.keys import Keys
from guardrails.server.service import Service, Settings
from guardrails.server.uvicorn_server import uvicorn_server

if TYPE_CHECKING:
    import socket

    from guardrails.guard import Guard

EXTRA = "install `guard-policy[server]`"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to serve, and how. `open_guard` loads the policy; it is called once in every process that answers.
    `grace` is how many seconds what is under way may take at the end, `watch` how often files are looked at."""

    open_guard: Callable[[], Guard]
    addresses: tuple[Address, ...]
    frames: tuple[Address, ...] = ()
    keys_file: str | None = None
    settings: Settings = field(default_factory=Settings)
    workers: int = 1
    grace: int = 10
    watch: float | None = 1.0
    tls: dict[str, Any] = field(default_factory=dict)

    @property
    def keys(self) -> Keys | None:
        return Keys.read(self.keys_file) if self.keys_file else None

    @property
    def wants_certificates(self) -> bool:
        return "ssl_ca_certs" in self.tls


def serve(plan: Plan) -> int:
    """Serve until a signal comes; gives an exit code. Raises `GuardError` for what cannot be served."""
    _check_packages()
    check_reach(list(plan.addresses), authenticated=plan.keys is not None or plan.wants_certificates)
    sockets = [listening(each) for each in plan.addresses]
    framed = [listening(each) for each in plan.frames]
    try:
        if plan.workers > 1:
            from guardrails.server.workers import supervise

            def worker(life: int) -> int:
                return work(plan, sockets, framed, life=life)

            return supervise(plan.workers, worker, lambda: _say(sockets, framed))
        return work(plan, sockets, framed, begun=lambda: _say(sockets, framed))
    finally:
        for each in (*plan.addresses, *plan.frames):
            _unlink(each)


def _check_packages() -> None:
    for name in ("uvicorn", "httptools"):
        try:
            __import__(name)
        except ImportError:
            raise GuardError(f"`guard serve` needs the package `{name}`: {EXTRA}") from None


def _say(sockets: list[socket.socket], framed: list[socket.socket]) -> None:
    for each in sockets:
        sys.stdout.write(f"listening on {shown(each)}\n")
    for each in framed:
        sys.stdout.write(f"frames on {shown(each)}\n")
    sys.stdout.flush()


def _unlink(address: Address) -> None:
    if address.path:
        try:
            os.unlink(address.path)
        except FileNotFoundError:
            return


# --- one process -------------------------------------------------------------------------------


def work(
    plan: Plan,
    sockets: list[socket.socket],
    framed: list[socket.socket],
    begun: Callable[[], None] = lambda: None,
    *,
    life: int | None = None,
) -> int:
    """Answer on these sockets until a signal comes, or the file `life` ends."""
    service = Service(plan.open_guard(), plan.keys, plan.settings)
    if plan.workers > 1:
        parent = os.getppid()
        service.ask_reload = lambda: os.kill(parent, signal.SIGHUP)
    with asyncio.Runner(loop_factory=_loop()) as runner:
        return runner.run(_run(plan, service, sockets, framed, begun, life))


def _loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop, where there is one for this system."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return None
    return cast("Callable[[], asyncio.AbstractEventLoop]", new_event_loop)


async def _run(
    plan: Plan,
    service: Service,
    sockets: list[socket.socket],
    framed: list[socket.socket],
    begun: Callable[[], None],
    life: int | None,
) -> int:
    from guardrails.server.frames import open_frames

    server = _server(plan, service)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _stop, server, service)
    if life is not None:
        loop.add_reader(life, _orphaned, loop, life, server, service)
    loop.add_signal_handler(signal.SIGHUP, _reload_soon, plan, service)
    listeners = [await open_frames(service, each) for each in framed]
    watching = _watched(plan, service)
    loop.call_soon(begun)
    try:
        await server.serve(sockets)
    finally:
        if watching is not None:
            watching.stop()
        for listener in listeners:
            listener.close()
    return 0


def _server(plan: Plan, service: Service) -> Any:
    from guardrails.server.quick import QuickProtocol

    return uvicorn_server(App(service.guard, service=service), QuickProtocol, grace=plan.grace, **plan.tls)


def _stop(server: Any, service: Service) -> None:
    """A second signal does not wait for what is under way."""
    server.force_exit = server.should_exit
    server.should_exit = True
    service.closing = True


def _orphaned(loop: asyncio.AbstractEventLoop, life: int, server: Any, service: Service) -> None:
    """The parent is gone, and nobody would end this worker any more."""
    loop.remove_reader(life)
    _stop(server, service)


def _watched(plan: Plan, service: Service) -> Any:
    from guardrails.watching import Watch

    return None if plan.watch is None else Watch(cast("Guard", service), plan.watch)


def _reload_soon(plan: Plan, service: Service) -> None:
    asyncio.get_running_loop().run_in_executor(None, _reload, plan, service)


def _reload(plan: Plan, service: Service) -> None:
    """Policy and keys anew; each keeps what it had where the new one cannot be used."""
    try:
        changed = service.reload()
        sys.stderr.write(f"guard serve: the policy is {'another one now' if changed else 'the same'}\n")
    except GuardError as error:
        sys.stderr.write(f"guard serve: the policy in force stays: {error}\n")
    if plan.keys_file is None:
        return
    try:
        service.keys = plan.keys
    except GuardError as error:
        sys.stderr.write(f"guard serve: the keys stay: {error}\n")
