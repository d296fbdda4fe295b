"""Files: a log as a folder of segments, which any number of threads and processes add to.

    00000000000000000000.jsonl   records, one a line; the name is the place of the first one
    head                         where the log ends: a note that spares reading the last segment
    public.key                   what signatures are checked with
    lock  keys/                  one writer at a time; the keys of subjects

The one idea: whoever holds the lock first takes over what others wrote since, link by link, and then writes its
own with one write and one sync. A last line that a crash cut is taken away there, and a record says so.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from guardrails.audit.chain import Growing, Head
from guardrails.audit.errors import AuditError, AuditUnavailable
from guardrails.audit.file_notes import note_of, read_note
from guardrails.audit.forking import in_each_child
from guardrails.audit.linking import Linker, own_record
from guardrails.audit.port import Part
from guardrails.audit.segments import first_head, log_id, made_private, segments_of

if TYPE_CHECKING:
    from guardrails.audit.keys import Keys
    from guardrails.audit.subjects import Subjects

try:
    from fcntl import LOCK_EX, LOCK_UN, flock
except ImportError:  # Windows
    flock = None  # type: ignore[assignment]

ROTATE = 16 << 20
"""Bytes of a segment, after which another one is begun."""


class FileHome:
    """A log in a folder. `rotate` is in bytes."""

    def __init__(self, folder: str, keys: Keys, *, rotate: int = ROTATE) -> None:
        if flock is None:
            raise AuditError("a log in files needs locks that this system lacks: use `sqlite:///file.db`")
        self.folder = Path(folder)
        self._keys = keys
        self._rotate = rotate
        made_private(self.folder)
        self.linker = Linker(log_id(self.folder), keys)
        self._start()
        _renew_after_fork(self)

    def _start(self) -> None:
        self._mutex, self._alone = Lock(), Alone(self)
        self._lock_file = self._note_file = self._segment = -1
        self._name = ""
        self._bytes = 0
        self._note = b""
        self._head = Head()
        self._owed: list[bytes] = []

    # --- the port ------------------------------------------------------------------------------

    def append(self, bodies: Sequence[bytes]) -> Head:
        with self._mutex, self._alone:
            self._catch_up()
            if self._bytes >= self._rotate:
                self._begin_segment()
            self._write([*self._owed, *bodies] if self._owed else bodies)
            self._owed.clear()
            return self._head

    def head(self) -> Head:
        with self._mutex, self._alone:
            self._catch_up()
            if self._owed:
                self._write(self._owed)
                self._owed.clear()
            return self._head

    def claim(self) -> int | None:
        note = read_note(self._path("head"), self._keys.head)
        return None if note is None else note.head.size

    def parts(self) -> Iterator[Part]:
        names = segments_of(self.folder)
        if not names:
            raise AuditError(f"there is no log in `{self.folder}`")
        for name in names:
            path = self.folder / name
            yield Part(name, _lines(path), path.stat().st_size)

    def subjects(self) -> Subjects:
        from guardrails.audit.subjects import FolderOfKeys, Subjects

        return Subjects(FolderOfKeys(self.folder / "keys"), self._keys)

    def close(self) -> None:
        with self._mutex:
            self._forget()

    def renew(self) -> None:
        """Start afresh in a child process: a lock that it shares with its parent would keep out neither."""
        for handle in (self._lock_file, self._note_file, self._segment):
            if handle >= 0:
                os.close(handle)
        self._start()

    # --- one at a time -------------------------------------------------------------------------

    def lock(self) -> None:
        """Keep other processes out. Raises `AuditUnavailable`."""
        try:
            if self._lock_file < 0:
                self._lock_file = os.open(self._path("lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            flock(self._lock_file, LOCK_EX)
        except OSError as error:
            raise self._unavailable("cannot be locked", error) from error

    def unlock(self, error: BaseException | None) -> None:
        """Let others in; after an error the segment is looked at anew. Raises `AuditUnavailable` for one of the
        system."""
        try:
            if error is not None:
                self._forget_segment()
            if isinstance(error, OSError):
                raise self._unavailable("cannot be written", error) from error
        finally:
            flock(self._lock_file, LOCK_UN)

    def _unavailable(self, what: str, error: OSError) -> AuditUnavailable:
        return AuditUnavailable(
            f"the audit log `{self.folder}` {what}: {(error.strerror or str(error)).lower()}"
        )

    # --- what others wrote ---------------------------------------------------------------------

    def _catch_up(self) -> None:
        """Know the end of the log as it is now."""
        if self._note_file < 0:
            self._note_file = os.open(self._path("head"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._segment >= 0:
            size = os.fstat(self._segment).st_size
            if size == self._bytes and os.pread(self._note_file, 8192, 0) == self._note:
                return
        self._open()

    def _open(self) -> None:
        """Find the end of the log: by the note, else by the last segment that says where it begins."""
        self._forget_segment()
        names = segments_of(self.folder)
        if not names:
            self._note = b""
            return
        note = read_note(self._path("head"), self._keys.head)
        if note is not None and note.segment in names:
            at, head, offset = names.index(note.segment), note.head, note.bytes
        else:
            at, offset = self._last_begun(names), 0
            head = first_head(self.folder, names, at)
        for name in names[at:]:
            head = self._taken_over(name, offset, head)
            offset = 0
        self._head = head

    def _last_begun(self, names: Sequence[str]) -> int:
        """The last segment with a whole first line."""
        for at in range(len(names) - 1, 0, -1):
            with open(self.folder / names[at], "rb") as file:
                if file.readline().endswith(b"\n"):
                    return at
        return 0

    def _taken_over(self, name: str, offset: int, head: Head) -> Head:
        """The head after a segment from `offset` on. A cut last line is taken away."""
        self._use_segment(name)
        size = os.fstat(self._segment).st_size
        if size < offset:
            raise AuditError(
                f"`{self.folder / name}` was cut: {offset - size} bytes that were written are gone; "
                "`guard audit verify` says more"
            )
        data = os.pread(self._segment, size - offset, offset) if size > offset else b""
        whole = data.rfind(b"\n") + 1
        growing = self.linker.growing(head)
        for line in data[:whole].split(b"\n")[:-1]:
            if not growing.absorb(line):
                raise AuditError(
                    f"`{self.folder / name}` is damaged at record {growing.size}: "
                    "`guard audit verify` says how, `guard audit repair` cuts off what a crash left"
                )
        self._bytes = offset + whole
        if whole < len(data):
            self._take_away(name, data[whole:], growing)
        return growing.head()

    def _take_away(self, name: str, torn: bytes, growing: Growing) -> None:
        """A line that was never finished was never acknowledged; that it was there is recorded."""
        os.ftruncate(self._segment, self._bytes)
        facts = {
            "segment": name,
            "bytes": len(torn),
            "sha256": sha256(torn).hexdigest(),
            "after": growing.size,
        }
        self._owed.append(own_record("repaired", facts))

    # --- writing -------------------------------------------------------------------------------

    def _write(self, bodies: Sequence[bytes]) -> None:
        if self._segment < 0:
            self._begin_segment()
        growing = self.linker.grown(self._head, bodies, begins=self._bytes == 0)
        data = b"".join(growing.lines)
        try:
            _write_all(self._segment, data)
            os.fdatasync(self._segment)
        except OSError:
            os.ftruncate(self._segment, self._bytes)
            raise
        self._bytes += len(data)
        self._head = growing.head()
        note = note_of(self.linker.log, self._head, self._name, self._bytes, self._keys.head)
        os.pwrite(self._note_file, note, 0)
        if len(note) < len(self._note):
            os.ftruncate(self._note_file, len(note))
        self._note = note

    def _begin_segment(self) -> None:
        name = f"{self._head.size:020d}.jsonl"
        # Before anything else: another process whose note still holds would go on in the old segment.
        os.ftruncate(self._note_file, 0)
        handle = os.open(self._path(name), os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.close(handle)
        if not self._head.size:
            Path(self._path("public.key")).write_text(self._keys.public().hex() + "\n")
        sync_folder(self.folder)
        self._use_segment(name)
        self._bytes = 0

    def _use_segment(self, name: str) -> None:
        self._forget_segment()
        self._segment = os.open(self._path(name), os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        self._name = name

    def _forget_segment(self) -> None:
        if self._segment >= 0:
            os.close(self._segment)
            self._segment = -1
        self._bytes = 0

    def _forget(self) -> None:
        self._forget_segment()
        for handle in (self._lock_file, self._note_file):
            if handle >= 0:
                os.close(handle)
        self._lock_file = self._note_file = -1

    def _path(self, name: str) -> str:
        return os.path.join(self.folder, name)


class Alone:
    """One process at a time in a log."""

    __slots__ = ("_home",)

    def __init__(self, home: FileHome) -> None:
        self._home = home

    def __enter__(self) -> None:
        self._home.lock()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._home.unlock(error)


def _write_all(handle: int, data: bytes) -> None:
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, data[written:])


def sync_folder(folder: Path) -> None:
    """Have the names in a folder on disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _lines(path: Path) -> Iterator[bytes]:
    with open(path, "rb", buffering=1 << 20) as file:
        yield from file


def _renew_after_fork(home: FileHome) -> None:
    known = weakref.ref(home)

    def renew() -> None:
        survivor = known()
        if survivor is not None:
            survivor.renew()

    in_each_child(renew)
