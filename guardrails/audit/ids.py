"""Ids of decisions: unique without asking the system for every one.

32 hexadecimal digits: a number that goes around all of 64 bits from where a process began, which is also the span
id, and 64 bits that the process drew. A child process draws its own. They are names and no secrets.
"""

from __future__ import annotations

import os
from itertools import count

_STEP = 0x9E3779B97F4A7C15  # odd, so that it comes to every number; far from regular, so that ids look apart


class Ids:
    """Gives ids. Thread-safe."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self._own = os.urandom(8).hex()
        self._numbers = count(int.from_bytes(os.urandom(8)), _STEP)

    def __call__(self) -> str:
        return f"{next(self._numbers) & 0xFFFFFFFFFFFFFFFF:016x}{self._own}"


new_id = Ids()
os.register_at_fork(after_in_child=new_id.renew)
