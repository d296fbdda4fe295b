"""Sealing: the values of a vault as texts that only the holder of its key can read or change.

AES-256-GCM, a fresh nonce for each record; session and token are bound to it, so that a record cannot be
moved to another session or token. Needs the package `cryptography`, which is imported when first used.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = "v1"


class Seal:
    """Seals and opens the records of one session. Raises `Unavailable` without `cryptography`."""

    __slots__ = ("_cipher", "_session")

    def __init__(self, session: str, key: bytes) -> None:
        self._session = session
        self._cipher = _cipher(key)

    def close(self, token: str, text: str) -> str:
        """The record of a value under its token: version, token, and the sealed text."""
        from base64 import urlsafe_b64encode
        from os import urandom

        nonce = urandom(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), self._bound(token))
        return f"{_VERSION} {token} {urlsafe_b64encode(nonce + sealed).decode('ascii')}"

    def open(self, record: str) -> tuple[str, str]:
        """The token and value of a record. Raises `EvaluationError` for one that is not of this session and
        key, or was changed."""
        from base64 import urlsafe_b64decode

        from cryptography.exceptions import InvalidTag

        try:
            version, token, body = record.split(" ")
            data = urlsafe_b64decode(body)
            if version != _VERSION:
                raise ValueError(version)
            text = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], self._bound(token))
        except (ValueError, InvalidTag) as error:
            raise EvaluationError(
                f"a token record of session `{self._session}` cannot be opened: it was changed, or written "
                "with another key or for another session"
            ) from error
        return token, text.decode("utf-8", "surrogatepass")

    def _bound(self, token: str) -> bytes:
        return f"guard vault {len(self._session)}:{self._session}{token}".encode("utf-8", "surrogatepass")


def _cipher(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise Unavailable(
            "reversible tokens need the package `cryptography`; install `guard-policy[tokens]`"
        ) from error
    return AESGCM(key)
