"""Nonces: random ones, asked of the system many at a time.

Every question to the system lets another thread go first, which costs a busy process more than the nonce does. A
nonce that was given is gone from the store, and a child process draws its own, so none is ever used twice.
"""

from __future__ import annotations

import os

from guardrails.audit.forking import in_each_child

SIZE = 12
"""Bytes of a nonce, as AES-GCM takes them."""

AT_ONCE = 256

_drawn: list[bytes] = []


def new_nonce() -> bytes:
    """A nonce that nobody had. Thread-safe."""
    try:
        return _drawn.pop()
    except IndexError:
        data = os.urandom(SIZE * AT_ONCE)
        _drawn.extend(data[at : at + SIZE] for at in range(SIZE, len(data), SIZE))
        return data[:SIZE]


in_each_child(_drawn.clear)
