"""The service: a guard, and all that requests need of it.

Takes events, gives decisions. What may block (a store that is a file or a server, a durable log, a function of the
host, a long text) is decided in one of a fixed number of threads, and no more than `most_waiting` requests wait for
one: whoever comes then is told at once to come again. All else is decided where it is, which is quicker than to hand
it over.
"""

from __future__ import annotations

from asyncio import get_running_loop
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from guardrails.errors import EventError, GuardError, PolicyError
from guardrails.model import Outcome
from guardrails.runtime.events import check_event
from guardrails.server.bindings import bound
from guardrails.server.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from guardrails.guard import Guard, Source
    from guardrails.model import Decision
    from guardrails.server.keys import Caller, Keys
    from guardrails.streaming import OutputStream

    T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """Bytes of a body; seconds in which it has to be there; threads, and requests that wait for one of them;
    bytes from which an event is decided in a thread; the address that others reach the server at."""

    most_body: int = 4_000_000
    patience: float = 10.0
    threads: int = 16
    most_waiting: int = 1_000
    long_event: int = 20_000
    address: str = ""

    @property
    def quick_length(self) -> int:
        """Bytes from which a body is not for the quick way: it is long, or too large."""
        return min(self.long_event, self.most_body + 1)


class Service:
    """One per process. `ask_reload` tells the other workers to reload, where there are any."""

    def __init__(self, guard: Guard, keys: Keys | None = None, settings: Settings | None = None) -> None:
        self.guard = guard
        self.keys = keys
        self.settings = settings or Settings()
        self.ask_reload: Callable[[], None] = lambda: None
        self.problem: PolicyError | None = None
        self.closing = False
        self._pool = ThreadPoolExecutor(self.settings.threads, thread_name_prefix="guard-serve")
        self._waiting = 0
        self._reloading = Lock()

    # --- deciding ------------------------------------------------------------------------------

    async def decide(self, event: Any, caller: Caller, size: int = 0) -> Decision:
        """The decision on an event from outside. Raises `EventError` for a malformed one."""
        if size < self.settings.long_event and self.is_quick:
            return self.decided(event, caller)
        return await self.apart(lambda: self.decided(event, caller))

    def decided(self, event: Any, caller: Caller) -> Decision:
        """The same, at once: whoever calls this may block.

        A policy that keeps nothing needs no store, until it halts a session: from then on it has one, so that
        the session stays halted."""
        guard = self.guard
        if event.__class__ is dict:
            check_origin(event, caller)
        has_session = event.__class__ is dict and "session" in event
        if guard._state is not None:
            return guard.decide(bound(guard, event) if has_session else event)
        decision = guard.decide(event)
        if decision.outcome is Outcome.HALT and has_session:
            _ = guard.state
            return guard.decide(event)
        return decision

    def stream(self, event: dict[str, Any], caller: Caller) -> OutputStream:
        """The check of an output in pieces, of which `event` says who speaks."""
        from guardrails.server.streams import session_parts

        check_origin(event, caller)
        check_event(event)
        if self.guard._state is not None and "session" in event:
            event = bound(self.guard, event)
        return self.guard.session(**session_parts(event)).stream_output()

    @property
    def is_quick(self) -> bool:
        """Whether no event can block: nothing is asked outside of this process."""
        guard = self.guard
        if guard.observers or guard.host.functions:
            return False
        state = guard._state
        if state is None:
            return not guard.engine.program.head["stateful"]
        return state.url.startswith("memory:")

    async def apart(self, work: Callable[[], T]) -> T:
        """What `work` gives, in a thread. Raises `Problem` when too many wait already."""
        if self._waiting >= self.settings.most_waiting:
            raise Problem(
                503, "busy", f"{self._waiting:,} requests wait already", advice="come again in a second"
            )
        self._waiting += 1
        try:
            return await get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    # --- the policy ----------------------------------------------------------------------------

    def reload(self) -> bool:
        """Load the policy anew; the one in force stays when that fails. Raises `PolicyError`."""
        with self._reloading:
            try:
                changed = self.guard.reload()
            except PolicyError as error:
                self.problem = error
                raise
            except GuardError as error:
                self.problem = PolicyError((), str(error))
                raise self.problem from error
            self.problem = None
            return changed

    @property
    def source(self) -> Source | None:
        """Where the policy comes from, for who watches its files."""
        return self.guard.source

    def close(self) -> None:
        """Finish what is under way, and write what waits."""
        self.closing = True
        self._pool.shutdown(wait=True)
        if self.guard.audit is not None:
            self.guard.audit.close()
        if self.guard._state is not None:
            with suppress(Exception):  # it may be unreachable; nothing of it is kept here
                self.guard._state.close()


def check_origin(event: dict[str, Any], caller: Caller) -> None:
    """What an agent may not say of itself: the time, and that it is somebody else."""
    if "time" in event:
        raise EventError("the server knows what time it is: leave `time` out", "/time")
    if caller.agent is None:
        return
    agent = event.setdefault("agent", {"id": caller.agent})
    if agent.__class__ is not dict or agent.get("id") != caller.agent:
        raise Problem(
            403, "another_agent", f"this key speaks for the agent `{caller.agent}` only", at="/agent/id"
        )
