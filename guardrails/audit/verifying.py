"""Verifying: is this log what was written, all of it, and nothing else?

Takes a home and its keys, gives a report with the first damage. One pass, a few hashes a record, nothing kept;
only where something is wrong the log is read once more, to tell what it is (`guardrails.audit.damage`).

    chain         edit, gap, reorder, duplicate in the log, by whoever has no key
    checkpoints   the same, checked with the public key alone; records changed by who has the chain's key only
    note, anchors a cut end, an old copy put back, a log written anew from some record on
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b, sha256
from time import perf_counter
from typing import TYPE_CHECKING, Any

from guardrails.audit.chain import CLOSING, FIRST, OPENING, TAIL, seq_of
from guardrails.audit.checkpoints import is_signed
from guardrails.audit.damage import Damage, Place, all_lines, described, named
from guardrails.audit.errors import AuditError
from guardrails.audit.merkle import Tree
from guardrails.audit.segments import facts_of

if TYPE_CHECKING:
    from guardrails.audit.port import Part

KIND, NEAR = b'"kind":"', 160
SPECIAL = frozenset(b"cerl")
"""How the kinds begin that are looked at, and some more: `checkpoint`, `erased`, `repaired`, `log`."""

EACH = 8192
"""Records between two calls of a progress function."""

Progress = Callable[[int, int], None]
"""Is told how many records and bytes were read."""


class Report:
    """What a verification found. `damage` is None for a sound log; `repaired` lists the notes about crashes,
    `anchored` the size up to which a second place vouches for it."""

    __slots__ = (
        "anchored", "bytes", "checkpoints", "damage", "erased", "log", "parts", "records", "repaired", "root", "seconds",
    )  # fmt: skip

    def __init__(self) -> None:
        self.damage: Damage | None = None
        self.records = self.bytes = self.parts = self.checkpoints = self.erased = 0
        self.anchored: int | None = None
        self.log = self.root = ""
        self.repaired: list[dict[str, Any]] = []
        self.seconds = 0.0

    @property
    def is_sound(self) -> bool:
        return self.damage is None

    def as_json(self) -> dict[str, Any]:
        names = [name for name in self.__slots__ if name != "damage"]
        found = {name: getattr(self, name) for name in names}
        return {"sound": self.is_sound, **found, "damage": self.damage.as_json() if self.damage else None}


class Verifier:
    """Verifies one log. `key` is that of its chain (None: the public key alone is used), `anchors` are
    checkpoints from second places, `claim` is how many records the home's note speaks of."""

    def __init__(
        self, parts: Callable[[], Iterable[Part]], *, key: bytes | None, fingerprint: str = "",
        public: bytes | None = None, anchors: Sequence[dict[str, Any]] = (), claim: int | None = None,
    ) -> None:  # fmt: skip
        self._parts = parts
        self._key = key
        self._fingerprint = fingerprint
        self._public = public
        self._anchors = {int(anchor["size"]): anchor for anchor in anchors}
        self._all_anchors = anchors
        self._claim = claim
        self._tree = Tree()
        self._chain = FIRST
        self._previous = b""
        self._roots: dict[int, str] = {}
        self._marks = frozenset(self._anchors)
        self._known: set[int] = set()

    def run(self, progress: Progress | None = None) -> Report:
        """Read the log once. Raises `AuditError` when there is none."""
        report, began = Report(), perf_counter()
        for part in self._parts():
            report.parts += 1
            report.damage = self._read(part, report, progress)
            if report.damage is not None:
                report.damage.part = part.name
                break
        report.records = self._tree.size
        report.root = self._tree.root().hex()
        if report.damage is None:
            report.damage = self._end(report)
        report.seconds = perf_counter() - began
        return report

    def _read(self, part: Part, report: Report, progress: Progress | None) -> Damage | None:
        """Read a part. This loop is all that the rate depends on, so it is written out."""
        tree, key, chain, marks = self._tree, self._key, self._chain, self._marks
        cut, start, previous = -TAIL - 1, -TAIL - 1 + len(OPENING), self._previous
        end, size, seq = -len(CLOSING) - 1, report.bytes, tree.size
        peaks, opening, closing = tree.peaks, OPENING, CLOSING + b"\n"
        for line in part.lines:
            if seq in marks:
                self._roots[seq] = tree.root().hex()
            found = line[start:end]
            if (
                not line.startswith(b'{"v":1,"seq":%d,' % seq)
                or line[cut:start] != opening
                or line[end:] != closing
                or (
                    key is not None
                    and blake2b(chain + line[:cut], key=key, digest_size=32).hexdigest().encode() != found
                )
            ):
                self._chain, self._previous = chain, previous
                return self._damaged(line)
            if line[line.find(KIND, 0, NEAR) + len(KIND)] in SPECIAL:
                damage = self._special(line[:-1], seq, report)
                if damage is not None:
                    damage.before = described(previous) if previous else "the begin of the log"
                    return damage
            node, left = sha256(b"\x00" + line[:-1]).digest(), seq
            while left & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                left >>= 1
            peaks.append(node)
            chain, previous = found, line
            seq += 1
            tree.size = seq
            size += len(line)
            if progress is not None and not seq % EACH:
                progress(seq, size)
        self._chain, self._previous, report.bytes = chain, previous, size
        return None

    def _damaged(self, line: bytes) -> Damage:
        seq, is_cut = self._tree.size, not line.endswith(b"\n")
        place = Place(seq, self._chain, line.removesuffix(b"\n"), self._previous, is_cut=is_cut)
        lines = all_lines(lambda: iter(self._parts()))
        if self._key is None:
            claimed = seq_of(line)
            kind = (
                "truncation" if is_cut else "edit" if claimed < 0 else "gap" if claimed > seq else "duplicate"
            )
            kind = "edit" if claimed == seq and not is_cut else kind
            return Damage(
                kind, seq, f"record {claimed} stands where {seq} belongs", before=described(self._previous)
            )
        return named(self._key, self._fingerprint, place, lines)

    # --- records of the log about itself -------------------------------------------------------

    def _special(self, line: bytes, seq: int, report: Report) -> Damage | None:
        facts = facts_of(line)
        if b'"kind":"repaired"' in line[:160]:
            report.repaired.append({"seq": seq, **facts})
        elif b'"kind":"erased"' in line[:160]:
            report.erased += 1
        elif b'"kind":"log"' in line[:160]:
            return self._first(facts, seq, report)
        elif b'"kind":"checkpoint"' in line[:160]:
            return self._checkpoint(facts, seq, report)
        return None

    def _first(self, facts: dict[str, Any], seq: int, report: Report) -> Damage | None:
        report.log = str(facts.get("log"))
        if seq:
            return Damage("fork", seq, "a second log begins here")
        if self._public is None:
            self._public = bytes.fromhex(facts["public"])
        elif self._public.hex() != facts.get("public"):
            return Damage("wrong key", 0, "the log was made with another key than this public one")
        return None

    def _checkpoint(self, facts: dict[str, Any], seq: int, report: Report) -> Damage | None:
        report.checkpoints += 1
        if facts.get("size") != seq or facts.get("log") != report.log:
            return Damage("fork", seq, "the checkpoint is one of another log, or of another place in it")
        if facts.get("root") != self._tree.root().hex():
            since = "the checkpoint before it"
            return Damage(
                "fork", seq, f"the records between it and {since} are not those that it was made of"
            )
        if self._public is None or not is_signed(facts, self._public):
            return Damage("wrong key", seq, "the checkpoint was not signed with the key of this log")
        return None

    # --- the end -------------------------------------------------------------------------------

    def _end(self, report: Report) -> Damage | None:
        """What only somebody else can know: how long the log was."""
        size = self._tree.size
        self._roots[size] = report.root
        if not size:
            raise AuditError("there is no record in this log")
        for anchor in self._all_anchors:
            damage = self._against(anchor, report, size)
            if damage is not None:
                damage.before = damage.before or described(self._previous)
                return damage
        if self._claim is not None and self._claim > size:
            missing = f"the note of the log speaks of {self._claim} records, and there are {size}"
            return Damage(
                "truncation", size, missing, before=described(self._previous), after="the end of the log"
            )
        return None

    def _against(self, anchor: dict[str, Any], report: Report, size: int) -> Damage | None:
        if self._public is None or not is_signed(anchor, self._public) or anchor.get("log") != report.log:
            return Damage(
                "wrong key",
                size,
                "an anchor is not one of this log: it was signed by another key, or changed",
            )
        if anchor["size"] > size:
            message = f"an anchor vouches for {anchor['size']} records, and there are {size}"
            return Damage("truncation", size, message, after="the end of the log")
        if self._roots.get(anchor["size"]) != anchor["root"]:
            message = f"the first {anchor['size']} records are not those that an anchor vouches for"
            return Damage("fork", anchor["size"], message)
        report.anchored = max(report.anchored or 0, anchor["size"])
        return None
