"""The journal: records from many threads, written together.

Takes records, returns when they are on disk (`write`) or soon will be (`put`). The idea is a group commit: the
thread that finds nobody at work leads, and makes and writes the records of all who wait; the disk is waited for
once. Those whose records it wrote wake one another, each the next: woken all at once they would only queue up for
the interpreter. Who leads next waits a moment for them, so that they are written together again. For tasks of event
loops one thread leads (see `guardrails.audit.tasks`). What nobody waits for is written by a thread of its own, at
most PAUSE later; it is held in a queue of MOST records and MOST_BYTES, and whoever finds the queue full waits for
PATIENCE, then is refused.

When the home cannot be written, whoever waits is refused, or it goes to a second log (`spill`). What was
accepted is never dropped: it is tried again, and how much was refused or spilled stands in a record afterwards.
"""

from __future__ import annotations

import atexit
import os
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Event, Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError, AuditUnavailable
from guardrails.audit.forking import in_each_child
from guardrails.audit.linking import own_record
from guardrails.audit.tasks import Writer, refusal, tell
from guardrails.audit.works import Work, interrupted, wake

if TYPE_CHECKING:
    from asyncio import Future

    from guardrails.audit.port import Home
    from guardrails.audit.scribe import Unmade

MOST = 8192
MOST_BYTES = 64 << 20
"""Records, and bytes of their bodies, that may wait for being written later."""

PAUSE = 0.02
"""Seconds that a record waits for others at most, before it is written later."""

PATIENCE = 1.0
"""Seconds that a caller waits for room in a full queue."""

TOGETHER = 512
"""Records of one write, at most: a bound on how long a caller waits for those of others."""

LONGEST_GATHERING = 0.002
"""Seconds that a write waits, at most, for those who took part in the last one."""

_READY = (bytes, type(None))

FIRST_REST, LONGEST_REST = 0.05, 2.0
"""Seconds that a log is left alone after it could not be written: doubled each time, up to the longest."""


class Journal:
    """Writes to `home`, or to `spill` while that fails. `prepared` makes the bytes of records that are not yet
    bytes; it must not raise."""

    def __init__(
        self,
        home: Home,
        prepared: Callable[[Sequence[Any]], Sequence[bytes | Unmade]],
        spill: Home | None = None,
    ) -> None:
        self.home = home
        self.spill = spill
        self._prepared = prepared
        self._refused = self._spilled = 0
        self._start()
        _care_for(self)

    def _start(self) -> None:
        self._mutex = Lock()
        self._room = Condition(self._mutex)
        self._waiting: deque[Work] = deque()
        self._busy = False
        self._unawaited = self._unawaited_bytes = 0
        self._bell = Event()
        self._rung = False
        self._thread: Thread | None = None
        self._writer = Writer(self.lead_for_tasks)
        self._writers_own = Work(None, 0)
        self._gate = Lock()
        self._gate.acquire()
        self._gathers = False
        self._expected = 0
        self._took = 0.0
        self._error: AuditError | None = None
        self._again = 0.0
        self._rest = FIRST_REST
        self._closed = False

    # --- callers -------------------------------------------------------------------------------

    @property
    def error(self) -> AuditError | None:
        """Why the log cannot be written at the moment."""
        return self._error

    @property
    def is_full(self) -> bool:
        """Whether whoever puts a record has to wait for room."""
        return self._lacks_room(1)

    def write(self, record: Any, *, spills: bool = True) -> None:
        """Write a record; it is on disk when this returns. Raises `AuditUnavailable`."""
        turn = Lock()
        turn.acquire()
        work = Work(record, 0, turn, spills=spills)
        with self._mutex:
            self._waiting.append(work)
            if not self._busy:
                self._busy = work.leads = True
            elif self._gathers and len(self._waiting) >= self._expected:
                self._gathers = False
                if self._gate.locked():
                    self._gate.release()
        try:
            if not work.leads:
                turn.acquire()
                work.wake_following()
            if work.leads:
                self._lead(work)
        except BaseException:
            self._abandon(work)
            raise
        if work.error is not None:
            raise refusal(work.error)

    def write_later(self, record: Any, *, spills: bool = True) -> Future[None]:
        """Write a record for a task of the running event loop, which waits for what is given; it is on disk when
        that is done. It raises `AuditUnavailable`; a task that is cancelled takes nothing back."""
        from asyncio import get_running_loop  # not above: a program without a loop does without all of it

        future = get_running_loop().create_future()
        work = Work(record, 0, None, future, spills=spills)
        with self._mutex:
            self._waiting.append(work)
            leads = not self._busy
            self._busy = True
        if leads:
            self._call_writer()
        return future

    def put(self, record: Any, size: int, *, spills: bool = True) -> None:
        """Take a record of about `size` bytes to be written soon. Raises `AuditUnavailable` when the log cannot be
        written, or the queue stays full."""
        if self._error is not None and (self.spill is None or not spills):
            with self._mutex:
                self._refused += 1
            raise AuditUnavailable(str(self._error)) from self._error
        self.keep(record, size, patience=PATIENCE, spills=spills)

    def keep(self, record: Any, size: int, *, patience: float, spills: bool = True) -> None:
        """Take a record to be written as soon as that can be, also while the log cannot be written."""
        with self._mutex:
            if self._lacks_room(size):
                self._wait_for_room(size, patience)
            self._waiting.append(Work(record, size, spills=spills))
            self._unawaited += 1
            self._unawaited_bytes += size
            if self._rung:
                return
            self._rung = True
        self._ring()

    def flush(self) -> None:
        """Return when all that was taken is on disk. Raises `AuditUnavailable`."""
        while True:
            self.write(None)
            with self._mutex:
                if not self._unawaited:
                    return
                if self._error is not None:
                    raise AuditUnavailable(str(self._error)) from self._error

    def close(self) -> None:
        """Write what waits, and stop. Raises `AuditUnavailable` when it cannot be written."""
        try:
            self.flush()
        finally:
            self._closed = True
            self._bell.set()
            self.home.close()
            if self.spill is not None:
                self.spill.close()

    def _lacks_room(self, size: int) -> bool:
        return self._unawaited >= MOST or self._unawaited_bytes + size > MOST_BYTES

    def _wait_for_room(self, size: int, patience: float) -> None:
        until = monotonic() + patience
        while self._lacks_room(size):
            left = until - monotonic()
            if left <= 0 or not self._room.wait(left):
                self._refused += 1
                why = self._error or f"{self._unawaited} records wait to be written"
                raise AuditUnavailable(f"the audit log takes no more: {why}")

    # --- the thread for what nobody waits for --------------------------------------------------

    def _ring(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(
                target=_run, args=(weakref.ref(self), self._bell), name="guard-audit", daemon=True
            )
            self._thread.start()
        self._bell.set()

    def write_waiting(self) -> float:
        """Write what waits; gives the seconds after which to try again, 0 when all is written."""
        self._bell.clear()
        with self._mutex:
            self._rung = False
        try:
            self.write(None)
        except AuditUnavailable:
            return self._rest
        with self._mutex:
            if not self._unawaited:
                return 0.0
            return PAUSE if self._error is None else self._rest

    # --- the leader ----------------------------------------------------------------------------

    def _lead(self, own: Work) -> None:
        """Write all that waits, and hand over to whoever came in the meantime."""
        batch = self._round(own)
        if own.turn is not None and own not in batch:
            own.turn.acquire()
            own.wake_following()
            if own.leads:
                self._lead(own)

    def lead_for_tasks(self) -> None:
        """Write as long as it is for tasks that a leader is needed. Raises what stopped a write, after the others."""
        own, stopped = self._writers_own, None
        own.leads = True
        while own.leads:
            try:
                self._round(own)
            except BaseException as error:  # whoever waited was told; the next ones still need a leader
                stopped = error
        if stopped is not None:
            raise stopped

    def _call_writer(self) -> None:
        try:
            self._writer.ring()
        except RuntimeError:  # there can be no more threads: better to keep a loop waiting than all who wait
            self.lead_for_tasks()

    def _round(self, own: Work) -> Sequence[Work]:
        """Write what waits, up to a bound, and say who leads next; gives what was written."""
        if len(self._waiting) < self._expected:
            self._gather()
        with self._mutex:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), TOGETHER))]
        left: list[Work] = []
        try:
            left = self._written(batch)
        except BaseException as error:
            left = interrupted(batch, error)
            raise
        finally:
            self._hand_over(batch, left, own)
        return batch

    def _gather(self) -> None:
        """Wait for those who were here a moment ago, as long as the last write took: they are on their way, and a
        write for a few of them would only keep the others waiting."""
        with self._mutex:
            self._gathers = len(self._waiting) < self._expected
        if self._gathers:
            self._gate.acquire(timeout=min(self._took, LONGEST_GATHERING))
            with self._mutex:
                self._gathers = False
                self._gate.acquire(blocking=False)  # it may have been opened a moment too late

    def _abandon(self, work: Work) -> None:
        """The thread of `work` was interrupted: its record is written, but nobody may wait for it to lead."""
        with self._mutex:
            work.turn, leads = None, work.leads
            work.leads = False
            if work in self._waiting:
                work.is_counted = True
                self._unawaited += 1
        work.wake_following()
        if leads:
            self._hand_over((), (), work)

    def _hand_over(self, batch: Sequence[Work], left: Sequence[Work], own: Work) -> None:
        with self._mutex:
            own.leads = False
            self._waiting.extendleft(reversed(left))
            done = [work for work in batch if work.is_counted]
            if done:
                self._unawaited -= len(done) - len(left)
                self._unawaited_bytes -= sum(work.size for work in done) - sum(work.size for work in left)
                self._room.notify_all()
            threads = [work for work in batch if work.turn is not None]
            # Those who wait already take part in the next write; what nobody waits for says nothing of them.
            again = sum(work.record is not None for work in threads)
            self._expected = again + (0 if self._unawaited else len(self._waiting)) if again else 0
            calls = self._is_led_by_writer(own)
            wake([work for work in threads if work is not own])
        tell(work for work in batch if work.future is not None)
        if calls:
            self._call_writer()

    def _is_led_by_writer(self, own: Work) -> bool:
        """Let whoever came first lead; whether the thread for tasks has to be called for that."""
        following = next((work for work in self._waiting if not work.is_counted), None)
        self._busy = following is not None
        if following is None:
            return False
        if following.future is None:
            following.leads = True
            following.turn.release()
            return False
        own.leads = own is self._writers_own
        return not own.leads

    def _written(self, batch: Sequence[Work]) -> list[Work]:
        """Write a batch; gives what is to be tried again."""
        self._prepare([work for work in batch if work.record.__class__ not in _READY])
        try:
            self._append([work.record for work in batch if work.record is not None])
        except AuditError as error:
            return self._elsewhere(batch, error)
        return []

    def _prepare(self, batch: Sequence[Work]) -> None:
        if not batch:
            return
        for work, made in zip(batch, self._prepared([work.record for work in batch]), strict=True):
            if isinstance(made, bytes):
                work.record = made
            elif work.is_awaited:
                work.record, work.error = None, made.error
            else:
                work.record = made.note

    def _append(self, bodies: Sequence[bytes]) -> None:
        if self._error is not None and monotonic() < self._again:
            raise self._error
        if not bodies and self._error is None:
            return
        try:
            began = monotonic()
            self.home.append([*self._told(), *bodies])
            self._took = monotonic() - began
        except AuditError as error:
            self._failed(error)
            raise
        self._error, self._rest = None, FIRST_REST
        self._refused = self._spilled = 0

    def _failed(self, error: AuditError) -> None:
        self._error = error
        self._again = monotonic() + self._rest
        self._rest = min(self._rest * 2, LONGEST_REST)

    def _elsewhere(self, batch: Sequence[Work], error: AuditError) -> list[Work]:
        """Write what may go to the second log there, and refuse the rest; gives what is to be tried again."""
        taken = [work for work in batch if work.spills] if self.spill is not None else []
        try:
            self._spill([work.record for work in taken if work.record is not None])
        except AuditError as second:
            error = AuditUnavailable(f"{error}; and neither can the second log: {second}")
            taken = []
        left = [work for work in batch if work not in taken]
        awaited = [work for work in left if not work.is_counted]
        for work in awaited:
            work.error = work.error or error
        with self._mutex:
            self._refused += sum(work.record is not None for work in awaited)
        return [work for work in left if work.is_counted]

    def _spill(self, bodies: Sequence[bytes]) -> None:
        if self.spill is not None and bodies:
            self.spill.append(bodies)
            self._spilled += len(bodies)

    def _told(self) -> list[bytes]:
        """What the log missed, as its first record after that."""
        if self._error is None and not self._refused:
            return []
        facts: dict[str, Any] = {
            "missed": "the log could not be written",
            "why": str(self._error or "it was full"),
        }
        facts["refused"] = self._refused
        if self._spilled and self.spill is not None:
            head = self.spill.head()
            facts["spilled"] = {"records": self._spilled, "log": self.spill.linker.log, "size": head.size}
        return [own_record("note", facts)]

    def renew(self) -> None:
        """Start afresh in a child process: what its parent has still to write is the parent's."""
        self._start()


def _run(known: weakref.ref[Journal], bell: Event) -> None:
    while True:
        bell.wait()
        sleep(PAUSE)
        journal = known()
        if journal is None or journal._closed:
            return
        rest = journal.write_waiting()
        del journal
        if rest:
            bell.set()
            sleep(max(0.0, rest - PAUSE))


def _care_for(journal: Journal) -> None:
    """Nothing that was taken is lost at an orderly end of the process, and no child inherits it."""
    known = weakref.ref(journal)

    def renew() -> None:
        survivor = known()
        if survivor is not None:
            survivor.renew()

    def finish() -> None:
        survivor = known()
        if survivor is not None and not survivor._closed and (survivor._unawaited or survivor._busy):
            try:
                survivor.flush()
            except AuditError as error:
                os.write(2, f"guard: the audit log could not be finished: {error}\n".encode())

    in_each_child(renew)
    atexit.register(finish)
