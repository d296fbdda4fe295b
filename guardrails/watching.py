"""Hot reload: a background thread that loads the policy again when one of its files changes.

The swap is atomic, and a policy that does not load leaves the last good one in force; `Watch.problem` then
holds the reason, and every further change is tried again.
"""

from __future__ import annotations

import os
from threading import Event, Thread
from typing import TYPE_CHECKING

from guardrails.errors import GuardError

if TYPE_CHECKING:
    from guardrails.guard import Guard


class Watch:
    """Watches the files of a guard until `stop`; also a context manager."""

    def __init__(self, guard: Guard, interval: float) -> None:
        self.guard = guard
        self.interval = interval
        self.problem: GuardError | None = None
        self.reloads = 0
        self._seen = self._stamps()
        self._stopped = Event()
        self._thread = Thread(target=self._run, daemon=True, name="guard-watch")
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def check(self) -> bool:
        """Look once; True when a new policy came into force."""
        stamps = self._stamps()
        if stamps == self._seen:
            return False
        self._seen = stamps
        try:
            changed = self.guard.reload()
        except GuardError as error:  # also a log that the policy wants and nobody named
            self.problem = error
            return False
        self.problem = None
        self._seen = self._stamps()
        self.reloads += changed
        return changed

    def _run(self) -> None:
        while not self._stopped.wait(self.interval):
            self.check()

    def _stamps(self) -> dict[str, tuple[int, int] | None]:
        files = self.guard.source.files if self.guard.source else ()
        return {path: _stamp(path) for path in files}


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
