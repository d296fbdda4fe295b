"""Checkpoints: the size and the Merkle root of a log, signed, so that others can hold the log to them.

A checkpoint is a record like others, so the chain holds it too. It is what is written down in a second place
(see `guardrails.audit.anchors`) and what a proof of inclusion ends at. Who has only the public key can check
it; who has only the chain's key cannot make one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import AuditError

if TYPE_CHECKING:
    from guardrails.audit.chain import Growing
    from guardrails.audit.keys import Keys

EVERY = 1024
"""Records between two checkpoints, at most."""


def signed_text(log: str, size: int, root: str, us: int) -> bytes:
    """The bytes that are signed."""
    return f"guard audit checkpoint v1\n{log}\n{size}\n{root}\n{us}\n".encode()


class Signer:
    """Makes the checkpoints of one log."""

    __slots__ = ("_key", "log")

    def __init__(self, log: str, keys: Keys) -> None:
        self.log = log
        self._key = keys.signer()

    def checkpoint(self, growing: Growing, us: int) -> dict[str, Any]:
        """The checkpoint of all records so far. `peaks` let a writer go on without reading them again."""
        root = growing.root().hex()
        signature = self._key.sign(signed_text(self.log, growing.size, root, us)).hex()
        return {
            "log": self.log,
            "size": growing.size,
            "root": root,
            "us": us,
            "peaks": [peak.hex() for peak in growing.peaks()],
            "signature": signature,
        }


def is_signed(checkpoint: dict[str, Any], public: bytes) -> bool:
    """Whether a checkpoint was signed by the holder of the key behind `public`. False as well for one that is
    malformed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        text = signed_text(checkpoint["log"], checkpoint["size"], checkpoint["root"], checkpoint["us"])
        Ed25519PublicKey.from_public_bytes(public).verify(bytes.fromhex(checkpoint["signature"]), text)
    except (InvalidSignature, KeyError, TypeError, ValueError, AttributeError):
        return False
    return True


def public_key(text: str) -> bytes:
    """A public key as people pass it on: 64 hexadecimal digits. Raises `AuditError`."""
    try:
        found = bytes.fromhex(text.strip())
    except ValueError:
        found = b""
    if len(found) != 32:
        raise AuditError(
            "a public key is 64 hexadecimal digits, as the file `public.key` of a log holds them"
        )
    return found
