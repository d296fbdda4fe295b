"""Workers: several processes that answer on the same sockets.

The parent answers nothing. It starts workers, passes signals on, and starts another one when one is gone, later and
later while they keep going. A worker holds nothing that another one needs: what is counted is in the store.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from time import monotonic

WATCHED = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 10.0
STEADY = 5.0
"""Seconds after which a worker is taken to be well."""


def supervise(count: int, work: Callable[[int], int], begun: Callable[[], None]) -> int:
    """Keep `count` processes at work until a signal ends it; gives the exit code. `work` is given a file that ends when
    the parent does, however it does."""
    return _Parent(count, work).run(begun)


class _Parent:
    def __init__(self, count: int, work: Callable[[int], int]) -> None:
        self._life, self._alive = os.pipe()
        self._count = count
        self._work = work
        self._workers: dict[int, float] = {}
        self._ending = False
        self._pause = FIRST_PAUSE
        self._next = 0.0

    def run(self, begun: Callable[[], None]) -> int:
        signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        self._fill()
        begun()
        while self._workers or not self._ending:
            self._heard(self._wait())
            self._reap()
            self._fill()
        return 0

    def _wait(self) -> int:
        """The next signal; 0 when a worker is to be started instead."""
        if self._ending or len(self._workers) == self._count:
            return signal.sigwait(WATCHED)
        found = signal.sigtimedwait(WATCHED, max(0.0, self._next - monotonic()))
        return found.si_signo if found is not None else 0

    def _heard(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._ending = True
            self._tell(signal.SIGTERM)
        elif number == signal.SIGHUP:
            self._tell(signal.SIGHUP)

    def _tell(self, number: int) -> None:
        for worker in self._workers:
            os.kill(worker, number)

    def _reap(self) -> None:
        while self._workers:
            worker, status = os.waitpid(-1, os.WNOHANG)
            if worker == 0:
                return
            started = self._workers.pop(worker, None)
            if started is not None and not self._ending:
                self._lost(worker, status, monotonic() - started)

    def _lost(self, worker: int, status: int, lived: float) -> None:
        code = os.waitstatus_to_exitcode(status)
        sys.stderr.write(f"guard serve: worker {worker} ended with {code}; another one takes its place\n")
        self._pause = FIRST_PAUSE if lived > STEADY else min(self._pause * 2, LONGEST_PAUSE)
        self._next = monotonic() + self._pause

    def _fill(self) -> None:
        if self._ending or monotonic() < self._next:
            return
        while len(self._workers) < self._count:
            self._workers[self._start()] = monotonic()

    def _start(self) -> int:
        sys.stdout.flush()
        sys.stderr.flush()
        child = os.fork()
        if child:
            return child
        os.close(self._alive)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
        code = 70
        try:
            code = self._work(self._life)
        except BaseException as error:
            sys.stderr.write(f"guard serve: a worker stops: {error}\n")
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
