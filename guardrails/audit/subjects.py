"""Subjects: the people in a log, each under a pseudonym and with a key that can be destroyed.

    names/<hidden name>   which pseudonym a person has, sealed
    <pseudonym>           the key behind it, sealed

Takes the id of a person, gives a pseudonym and a cipher. The pseudonym is drawn, not derived: once both files
are gone, nobody can tell whose records they were, nor open what they hold, not even with the key of the log.
Whoever has no id is the subject of their session.
"""

from __future__ import annotations

import os
from base64 import b64decode
from binascii import b2a_base64
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from guardrails.audit.errors import AuditError, needs_extra
from guardrails.audit.nonces import new_nonce

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from guardrails.audit.keys import Keys

FRESH = 1.0
"""Seconds after which a process asks again whether somebody was erased."""

MOST_KEPT = 4096
"""Subjects whose keys a process keeps at hand."""


class Subject:
    """One person: `handle` is the pseudonym."""

    __slots__ = ("_cipher", "_digest", "handle")

    def __init__(self, handle: str, key: bytes) -> None:
        self.handle = handle
        self._cipher = cipher_of(key)
        self._digest = blake2b(b"digest", key=key, digest_size=32).digest()

    def seal(self, text: bytes, record: str) -> str:
        """`text` for the holder of the key alone, bound to the id of its record."""
        nonce = new_nonce()
        data = nonce + self._cipher.encrypt(nonce, text, record.encode())
        return b2a_base64(data, newline=False).decode()

    def open(self, sealed: str, record: str) -> bytes:
        """Raises `AuditError` for what was sealed otherwise."""
        from cryptography.exceptions import InvalidTag

        try:
            data = b64decode(sealed, validate=True)
            return self._cipher.decrypt(data[:12], data[12:], record.encode())
        except (InvalidTag, ValueError) as error:
            raise AuditError(
                f"the body of record `{record}` cannot be opened: it is not as it was sealed"
            ) from error

    def digest(self, text: bytes) -> str:
        """A digest that only the holder of the key can compare; it goes when the key goes."""
        return blake2b(text, key=self._digest, digest_size=16).hexdigest()


class Box(Protocol):
    """Where sealed keys are kept: small values under names that exist at most once."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, value: bytes) -> bytes:
        """Keep a value, on disk when it returns; gives the one that was there before, if there was one."""
        ...

    def destroy(self, name: str) -> bool:
        """Overwrite and remove; False when there was none."""
        ...

    def version(self) -> object:
        """Changes whenever something was destroyed."""
        ...


class Subjects:
    """Finds and makes subjects. Thread-safe."""

    def __init__(self, box: Box, keys: Keys) -> None:
        self._box = box
        self._index = keys.index
        self._wrap = cipher_of(keys.wrap)
        self._kept: dict[str, Subject] = {}
        self._version: object = None
        self._fresh_until = 0.0
        self._lock = Lock()

    def of(self, id: str) -> Subject:
        """The subject of a person, made when there is none. Raises OSError and `AuditError`."""
        if monotonic() >= self._fresh_until:
            self._refresh()
        found = self._kept.get(id)
        return found if found is not None else self._fetched(id)

    def _refresh(self) -> None:
        """Forget who was erased by others."""
        self._fresh_until = monotonic() + FRESH
        version = self._box.version()
        if version != self._version:
            with self._lock:
                self._kept.clear()
                self._version = version

    def handle_of(self, id: str) -> str | None:
        """The pseudonym of a person; None for who is not in the log, or was erased."""
        wrapped = self._box.get(self._hidden(id))
        return None if wrapped is None else self._unwrapped(wrapped).decode()

    def by_handle(self, handle: str) -> Subject | None:
        """The subject behind a pseudonym; None when its key is gone."""
        wrapped = self._box.get(handle) if handle.isalnum() else None
        return None if wrapped is None else Subject(handle, self._unwrapped(wrapped))

    def erase(self, id: str) -> str | None:
        """Destroy the key of a person; gives the pseudonym, which says nothing from now on. None when there
        was none."""
        handle = self.handle_of(id)
        if handle is None:
            return None
        with self._lock:
            self._box.destroy(handle)
            self._box.destroy(self._hidden(id))
            self._kept.clear()
        return handle

    def _fetched(self, id: str) -> Subject:
        with self._lock:
            while len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]
            found = self._kept[id] = self._made(id)
            return found

    def _made(self, id: str) -> Subject:
        hidden = self._hidden(id)
        wrapped = self._box.get(hidden)
        if wrapped is None:
            handle = os.urandom(8).hex()
            self._box.put(handle, self._wrapped(os.urandom(32)))
            wrapped = self._box.put(hidden, self._wrapped(handle.encode()))
        handle = self._unwrapped(wrapped).decode()
        key = self._box.get(handle)
        if key is None:
            raise AuditError(
                f"the key of `{handle}` is gone, but its name is not: finish with `guard audit erase`"
            )
        return Subject(handle, self._unwrapped(key))

    def _hidden(self, id: str) -> str:
        name = blake2b(id.encode("utf-8", "surrogatepass"), key=self._index, digest_size=16).hexdigest()
        return f"names/{name}"

    def _wrapped(self, secret: bytes) -> bytes:
        nonce = os.urandom(12)
        return nonce + self._wrap.encrypt(nonce, secret, b"guard subject")

    def _unwrapped(self, data: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag

        try:
            return self._wrap.decrypt(data[:12], data[12:], b"guard subject")
        except InvalidTag as error:
            raise AuditError("the keys of the subjects were made with another key of the log") from error


class FolderOfKeys:
    """A box as a folder of small files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, name: str) -> Path:
        stem = name.rpartition("/")[2]
        return self._folder / name.removesuffix(stem) / stem[:2] / stem

    def get(self, name: str) -> bytes | None:
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, value: bytes) -> bytes:
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        passing = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
        handle = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, value)
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(passing, path)
        except FileExistsError:
            value = path.read_bytes()
        finally:
            os.unlink(passing)
        _sync(path.parent)
        return value

    def destroy(self, name: str) -> bool:
        path = self._path(name)
        try:
            handle = os.open(path, os.O_WRONLY)
        except FileNotFoundError:
            return False
        try:
            os.write(handle, os.urandom(os.fstat(handle).st_size))
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()
        _sync(path.parent)
        (self._folder / "erased").write_bytes(os.urandom(8).hex().encode())
        return True

    def version(self) -> object:
        try:
            return os.stat(self._folder / "erased").st_mtime_ns
        except FileNotFoundError:
            return 0


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cipher_of(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise needs_extra("audit", "cryptography") from error
    return AESGCM(key)
