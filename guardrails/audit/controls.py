"""Negative controls: before a verifier is trusted, it has to find damage that is known to be there.

Takes nothing, gives nothing, and raises where the verifier misses something or cries wolf. A small log is made in
memory with a key of its own and damaged in every way that there is a word for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import urandom

from guardrails.audit.chain import Head
from guardrails.audit.errors import AuditError
from guardrails.audit.keys import Keys
from guardrails.audit.linking import Linker, own_record
from guardrails.audit.port import Part
from guardrails.audit.verifying import Verifier

RECORDS = 12

Lines = list[bytes]


class Control:
    """A small log: its keys, its lines, and an anchor of its end."""

    def __init__(self) -> None:
        self.keys = Keys(urandom(32))
        self.linker = Linker(urandom(16).hex(), self.keys)
        bodies = [own_record("note", {"control": number}) for number in range(RECORDS)]
        growing = self.linker.grown(Head(), bodies, begins=True)
        self.linker.check(growing)
        self.lines = growing.lines
        self.anchor = self.linker.signed(growing.head())

    def branch(self, at: int) -> Lines:
        """Another history from record `at` on, as somebody with the key could write it."""
        growing = self.linker.growing(Head())
        for line in self.lines[:at]:
            growing.absorb(line.rstrip(b"\n"))
        for number in range(at, len(self.lines)):
            growing.add(own_record("note", {"other": number}))
        return [*self.lines[:at], *growing.lines]

    def kind(self, lines: Sequence[bytes], keys: Keys) -> str:
        """What the verifier says of these lines; empty for a sound log."""

        def parts() -> Iterator[Part]:
            yield Part("control", iter(lines))

        verifier = Verifier(
            parts,
            key=keys.chain,
            fingerprint=keys.fingerprint,
            public=self.keys.public(),
            anchors=[self.anchor],
        )
        damage = verifier.run().damage
        return damage.kind if damage else ""


def damages(control: Control) -> dict[str, Callable[[], tuple[Lines, Keys]]]:
    """A log damaged in each way, by the kind of damage."""
    lines, keys = control.lines, control.keys
    flipped = lines[5][:60] + bytes([lines[5][60] ^ 1]) + lines[5][61:]
    return {
        "": lambda: (lines, keys),
        "edit": lambda: ([*lines[:5], flipped, *lines[6:]], keys),
        "gap": lambda: ([*lines[:5], *lines[6:]], keys),
        "reorder": lambda: ([*lines[:5], lines[6], lines[5], *lines[7:]], keys),
        "duplicate": lambda: ([*lines[:6], lines[5], *lines[6:]], keys),
        "truncation": lambda: (lines[:-2], keys),
        "fork": lambda: (control.branch(5), keys),
        "wrong key": lambda: (lines, Keys(urandom(32))),
    }


def prove_that_it_can_fail() -> int:
    """Run all controls; gives how many there were. Raises `AuditError` for a verifier that cannot be trusted."""
    control = Control()
    found = damages(control)
    for expected, make in found.items():
        said = control.kind(*make())
        if said != expected:
            raise AuditError(
                f"the verifier failed its own test: a log with {expected or 'no damage'} was said to have "
                f"{said or 'none'}; nothing that it says can be trusted"
            )
    return len(found)
