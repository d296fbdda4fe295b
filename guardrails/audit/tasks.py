"""Tasks: those of event loops that wait for the disk, without a thread for each.

Takes works of a journal that tasks wait for. The idea: one thread leads for all of them, of whatever loop; while it
writes and syncs, the loops go on and their records gather, and each loop hears once of all that was written for it.
"""

from __future__ import annotations

import weakref
from contextlib import suppress
from threading import Lock, Thread
from typing import TYPE_CHECKING

from guardrails.audit.errors import AuditUnavailable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, Future
    from collections.abc import Callable, Iterable

    from guardrails.audit.works import Work


class Writer:
    """The thread that leads for tasks. Started when it is first rung; it ends with its journal, of which `lead` is a
    method, and is not kept from the end of the process."""

    __slots__ = ("_bell", "_lead", "_thread")

    def __init__(self, lead: Callable[[], None]) -> None:
        self._bell = Lock()
        self._bell.acquire()
        # Whoever is told that the journal is gone must not be kept by it.
        self._lead = weakref.WeakMethod(lead, _ringing(self._bell))
        self._thread: Thread | None = None

    def ring(self) -> None:
        """Have it lead. Raises `RuntimeError` where no thread can be started."""
        if self._thread is None or not self._thread.is_alive():
            thread = Thread(
                target=_serve, args=(self._lead, self._bell), name="guard-audit-tasks", daemon=True
            )
            thread.start()
            self._thread = thread
        self._bell.release()


def _ringing(bell: Lock) -> Callable[[object], None]:
    def ring(_: object) -> None:
        with suppress(RuntimeError):  # it was rung already
            bell.release()

    return ring


def _serve(known: weakref.WeakMethod[Callable[[], None]], bell: Lock) -> None:
    while True:
        bell.acquire()
        lead = known()
        if lead is None:
            return
        # Whoever waited was told that the write failed; the others still need a thread.
        with suppress(BaseException):
            lead()
        del lead


def tell(works: Iterable[Work]) -> None:
    """Let the tasks go on whose records were written, or refused: one message to each loop."""
    loops: dict[AbstractEventLoop, list[Work]] = {}
    for work in works:
        loops.setdefault(work.future.get_loop(), []).append(work)
    for loop, mine in loops.items():
        with suppress(RuntimeError):  # the loop is closed: nobody is left who could be told
            loop.call_soon_threadsafe(_told, mine)


def _told(works: Iterable[Work]) -> None:
    for work in works:
        future: Future[None] = work.future
        if future.done():  # its task was cancelled
            continue
        if work.error is None:
            future.set_result(None)
        else:
            future.set_exception(refusal(work.error))


def refusal(error: Exception) -> AuditUnavailable:
    """What is raised to whoever waited for a record that was not written."""
    refused = AuditUnavailable(str(error))
    refused.__cause__ = error
    return refused
