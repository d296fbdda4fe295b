"""The keys of a log, all made from one secret.

    GUARD_AUDIT_KEY, or `key=`     the secret itself: 16 bytes or more
    ?key=/path in the URL          a file that holds it
    otherwise                      a file beside the log, `<log>.key`, made when the log is

A key file beside the log keeps out who can only write the log (a copy of it, a bucket, a shared folder). It
does not keep out who can read that file as well: give the key another home, and anchor the head.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TYPE_CHECKING

from guardrails.audit.errors import AuditError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

LEAST = 16
"""Bytes of a secret, at least: shorter ones can be guessed."""


class Keys:
    """What is made from the secret: `chain` links records, `wrap` keeps the keys of subjects, `index` hides
    their names, `head` vouches for the note about the end of the log."""

    __slots__ = ("_signing", "chain", "fingerprint", "head", "index", "wrap")

    def __init__(self, secret: bytes) -> None:
        if len(secret) < LEAST:
            raise AuditError(
                f"the key of an audit log needs {LEAST} bytes or more, and this one has {len(secret)}"
            )
        master = blake2b(secret, digest_size=32, person=b"guard audit key").digest()
        self.chain = _derived(master, b"chain")
        self.wrap = _derived(master, b"wrap")
        self.index = _derived(master, b"index")
        self.head = _derived(master, b"head")
        self._signing = _derived(master, b"sign")
        self.fingerprint = _derived(master, b"fingerprint")[:8].hex()
        """Tells keys apart and says nothing of them; the first record of a log holds it."""

    def signer(self) -> Ed25519PrivateKey:
        """The private key that signs checkpoints."""
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._signing)

    def public(self) -> bytes:
        """The 32 bytes that anyone may have to check signatures."""
        return self.signer().public_key().public_bytes_raw()


def _derived(master: bytes, purpose: bytes) -> bytes:
    return blake2b(purpose, key=master, digest_size=32).digest()


def keys_for(given: bytes | str | None, file: str | None, beside: str | None, *, is_new: bool) -> Keys:
    """The keys by the rules above. `file` is what the URL names, `beside` where a new one may be made. Raises
    `AuditError` when there is none."""
    secret = given if given is not None else os.environ.get("GUARD_AUDIT_KEY") or None
    if secret is not None:
        return Keys(secret.encode() if isinstance(secret, str) else secret)
    path = file or beside
    if path is None:
        raise AuditError("the log needs a key: set GUARD_AUDIT_KEY, or name a file with `?key=/path`")
    if not os.path.exists(path) and is_new:
        _make(path)
    return Keys(_read(path))


def _make(path: str) -> None:
    """A new key file, complete or not there at all; whoever is second uses the first one's."""
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    passing = f"{path}.{os.getpid()}.{os.urandom(4).hex()}"
    handle = os.open(passing, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, os.urandom(32).hex().encode() + b"\n")
        os.fsync(handle)
    finally:
        os.close(handle)
    try:
        os.link(passing, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(passing)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read().strip()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AuditError(
            f"the key of the log, `{path}`, cannot be read: {reason}; put it back, or set GUARD_AUDIT_KEY"
        ) from error
