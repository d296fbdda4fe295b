"""Linking: bodies of records in, lines of a log out, with the records that the log adds by itself.

The first record of a log says which log it is and by which key; a checkpoint stands at the begin of every
segment and after every `checkpoints.EVERY` records, so that nobody has to read more than that to go on.
"""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any

from guardrails.audit.chain import Growing, Head, unsaid
from guardrails.audit.checkpoints import EVERY, Signer
from guardrails.audit.record import body_of, rfc3339
from guardrails.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.audit.keys import Keys


class Linker:
    """Adds records to a log whose id is `log`. Stateless: the head comes in and goes out."""

    __slots__ = ("_keys", "_signer", "_unsaid", "log")

    def __init__(self, log: str, keys: Keys) -> None:
        self.log = log
        self._keys = keys
        self._signer = Signer(log, keys)
        self._unsaid = unsaid(keys.chain)

    def growing(self, head: Head) -> Growing:
        return Growing(self._unsaid, head)

    def grown(self, head: Head, bodies: Sequence[bytes], *, begins: bool) -> Growing:
        """The head with these records; `begins` says that they are the first of a segment."""
        growing = self.growing(head)
        if head.size == 0:
            growing.add(self._first())
            growing.checked = growing.size
        elif begins:
            self.check(growing)
        done = 0
        while done < len(bodies):
            room = max(1, EVERY - (growing.size - growing.checked))
            growing.add_all(bodies[done : done + room])
            done += room
            if growing.size - growing.checked >= EVERY:
                self.check(growing)
        return growing

    def check(self, growing: Growing) -> dict[str, Any]:
        """Add a checkpoint of all records so far."""
        us = time_ns() // 1000
        checkpoint = self._signer.checkpoint(growing, us)
        growing.add(own_record("checkpoint", checkpoint, us))
        growing.checked = growing.size
        return checkpoint

    def signed(self, head: Head) -> dict[str, Any]:
        """A checkpoint of a head, for a second place."""
        checkpoint = self._signer.checkpoint(self.growing(head), time_ns() // 1000)
        return {name: value for name, value in checkpoint.items() if name != "peaks"}

    def _first(self) -> bytes:
        us = time_ns() // 1000
        facts = {"log": self.log, "key": self._keys.fingerprint, "public": self._keys.public().hex()}
        return own_record("log", facts, us)


def own_record(kind: str, facts: dict[str, Any], us: int | None = None) -> bytes:
    """The body of a record that the log writes about itself."""
    moment = time_ns() // 1000 if us is None else us
    said = {"at": rfc3339(moment), "us": moment, "kind": kind, "engine": VERSION, "facts": facts}
    return body_of(said)
