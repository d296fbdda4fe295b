"""Anchoring: the head of a log that is written to goes to its second places again and again.

Takes a log with anchors, starts a thread that looks every few seconds and writes down a head that is new. No
decision waits for it. An anchor that fails is tried again, and a record says since when.
"""

from __future__ import annotations

import weakref
from threading import Event, Thread
from typing import TYPE_CHECKING

from guardrails.audit.anchors import write_anchor
from guardrails.audit.errors import AuditError

if TYPE_CHECKING:
    from guardrails.audit.log import AuditLog

EVERY = 10.0
"""Seconds between two anchors: records that are younger can be cut off unseen."""


class Anchoring:
    """Writes the head of a log to its anchors."""

    def __init__(self, log: AuditLog, every: float = EVERY) -> None:
        self._log = weakref.ref(log)
        self._every = every
        self._size = 0
        self._failing: set[str] = set()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="guard-audit-anchors", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            if not self.once():
                return

    def once(self) -> bool:
        """Write down the head if it is new; False when the log is gone."""
        log = self._log()
        if log is None:
            return False
        try:
            head = log.home.head()
        except AuditError:
            return True  # the journal tells of it
        if head.size == self._size:
            return True
        checkpoint = log.home.linker.signed(head)
        failed = {target for target in log.anchors if not self._write(log, target, checkpoint)}
        if not failed:
            self._size = head.size
        self._failing = failed
        return True

    def _write(self, log: AuditLog, target: str, checkpoint: dict[str, object]) -> bool:
        try:
            write_anchor(target, checkpoint)
        except AuditError as error:
            if target not in self._failing:
                self._tell(log, str(error))
            return False
        return True

    def _tell(self, log: AuditLog, why: str) -> None:
        try:
            log.append("note", {"anchor": "failed", "why": why}, durable=False)
        except AuditError:
            return  # it cannot be written either, and whoever decides is told that

    def stop(self) -> None:
        """Write down the last head, and stop."""
        self._stopped.set()
        self.once()
