"""Sealing: what the gateway gives a client of the new era to bring back, so that nobody can change or repeat it.

A `requestState` is readable and signed. The signature covers what it is bound to (the session, the caller's key, the
call and its exact arguments), a time at which it is over, and a number by which it is known again: it opens once. The
key is this process's own, so what another process sealed does not open, and the call begins anew.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.gateway.messages import Refused, read_value, text_of
from guardrails.language.toolfile import canonical_json

if TYPE_CHECKING:
    from guardrails.runtime.ports import Clock

MOST_STATE = 200_000
MOST_OPENED = 100_000


class Seal:
    """Seals states and opens them. `seconds` is how long one holds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._lasting = int(seconds * 1_000_000)
        self._key = urandom(32)
        self._opened: dict[str, int] = {}

    def closed(self, data: dict[str, Any], bound: Any) -> str:
        """The state that says `data` to whoever opens it for the same `bound`."""
        until = self._clock.now() + self._lasting
        body = text_of({"data": data, "until": until, "number": urandom(12).hex()}).encode()
        return f"{urlsafe_b64encode(body).decode()}.{self._signature(body, bound)}"

    def opened(self, state: Any, bound: Any) -> dict[str, Any] | None:
        """The data of a state; None for one that is not ours, not for this, over, or was opened before."""
        if state.__class__ is not str or len(state) > MOST_STATE:
            return None
        text, _, signature = state.partition(".")
        try:
            body = urlsafe_b64decode(text.encode("ascii"))
            if not hmac.compare_digest(signature.encode(), self._signature(body, bound).encode()):
                return None
            found = read_value(body)
        except (ValueError, Refused):
            return None
        return found["data"] if self._is_first(found["number"], found["until"]) else None

    def _signature(self, body: bytes, bound: Any) -> str:
        about = canonical_json(bound).encode("utf-8", "surrogatepass")
        return hmac.new(self._key, len(body).to_bytes(8, "big") + body + about, "sha256").hexdigest()

    def _is_first(self, number: str, until: int) -> bool:
        now = self._clock.now()
        if len(self._opened) >= MOST_OPENED:
            self._opened = {each: over for each, over in self._opened.items() if over > now}
        if until <= now or number in self._opened or len(self._opened) >= MOST_OPENED:
            return False
        self._opened[number] = until
        return True
