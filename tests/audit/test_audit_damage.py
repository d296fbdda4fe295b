"""Damage: whatever happens to a record, the verifier says where and what."""

from __future__ import annotations

import os
from io import BytesIO
from random import Random

import pytest
from audit_logs import KEYS, damage_of, note

from guardrails.audit.chain import Head
from guardrails.audit.checkpoints import signed_text
from guardrails.audit.controls import Control, damages, prove_that_it_can_fail
from guardrails.audit.errors import AuditError
from guardrails.audit.keys import Keys
from guardrails.audit.linking import Linker
from guardrails.audit.verifying import Verifier

RECORDS = 2_000 if os.environ.get("GUARD_SOAK") else 150
BITS = 4
"""Bits that are flipped in each record, drawn from all of them."""


def log_of(count: int, keys: Keys = KEYS) -> tuple[list[bytes], dict[str, object]]:
    linker = Linker("11" * 16, keys)
    growing = linker.grown(
        Head(), [note(number=number, text="x" * (number % 7)) for number in range(count - 1)], begins=True
    )
    return growing.lines, linker.signed(growing.head())


LINES, ANCHOR = log_of(RECORDS)
COUNT = len(LINES)


def said(lines: list[bytes], **more: object) -> tuple[str, int]:
    damage = damage_of(lines, anchors=[ANCHOR], **more)
    assert damage is not None, "the damage was not found"
    assert damage.message
    return damage.kind, damage.seq


def test_a_sound_log_has_no_damage() -> None:
    assert damage_of(LINES, anchors=[ANCHOR]) is None


@pytest.mark.parametrize("at", range(COUNT))
def test_every_flipped_bit_is_an_edit_of_that_record(at: int) -> None:
    line = LINES[at]
    draw = Random(at)
    chosen = {len(line) - 1, 0, *(draw.randrange(len(line)) for _ in range(BITS))}
    for place in chosen:
        changed = bytearray(line)
        changed[place] ^= 1 << draw.randrange(8)
        kind, seq = said([*LINES[:at], *_as_lines(bytes(changed)), *LINES[at + 1 :]])
        assert (kind, seq) == ("edit", at), f"bit in byte {place} of {len(line)}"


def _as_lines(data: bytes) -> list[bytes]:
    """As a reader of the file gets them: a flipped bit can make a line feed, or take one away."""
    return list(BytesIO(data))


@pytest.mark.parametrize("at", range(COUNT))
def test_every_removed_record_is_a_gap(at: int) -> None:
    kind, seq = said([*LINES[:at], *LINES[at + 1 :]])
    assert (kind, seq) == ("truncation" if at == COUNT - 1 else "gap", at)


@pytest.mark.parametrize("at", range(COUNT))
def test_every_repeated_record_is_a_duplicate(at: int) -> None:
    assert said([*LINES[: at + 1], *LINES[at:]]) == ("duplicate", at + 1)


@pytest.mark.parametrize("at", range(COUNT - 1))
def test_every_swap_is_a_reorder(at: int) -> None:
    draw = Random(at)
    for other in {at + 1, draw.randrange(at + 1, COUNT)}:
        lines = list(LINES)
        lines[at], lines[other] = lines[other], lines[at]
        assert said(lines) == ("reorder", at)


@pytest.mark.parametrize("at", range(1, COUNT))
def test_every_cut_end_is_a_truncation(at: int) -> None:
    assert said(LINES[:at]) == ("truncation", at)
    half = LINES[at][: Random(at).randrange(1, len(LINES[at]))]
    assert said([*LINES[:at], half]) == ("truncation", at)


@pytest.mark.parametrize("at", range(0, COUNT, 10))
def test_another_history_is_a_fork(at: int) -> None:
    linker = Linker("11" * 16, KEYS)
    growing = linker.growing(Head())
    for line in LINES[:at]:
        assert growing.absorb(line[:-1])
    branch = linker.grown(
        growing.head(), [note(other=number) for number in range(COUNT - at)], begins=False
    ).lines
    assert said([*LINES[:at], *branch])[0] == "fork"
    if at:
        assert said([*LINES[: at + 1], *branch[:2]]) == ("fork", at + 1)


@pytest.mark.parametrize("at", [1, 2, COUNT // 2, COUNT - 20])
def test_records_by_another_key_are_named(at: int) -> None:
    other = Linker("11" * 16, Keys(b"another key, long enough"))
    growing = other.growing(Head())
    for line in LINES[:at]:
        growing._tree.add(line[:-1])
        growing.chain = line[-67:-3]
    for number in range(20):
        growing.add(note(forged=number))
    assert said([*LINES[:at], *growing.lines]) == ("wrong key", at)


def test_the_wrong_key_is_named() -> None:
    damage = damage_of(LINES, keys=Keys(b"another key, long enough"))
    assert damage is not None
    assert (damage.kind, damage.seq) == ("wrong key", 0)


def test_the_neighbours_are_named() -> None:
    damage = damage_of([*LINES[:7], *LINES[8:]])
    assert damage is not None
    assert damage.before.startswith("record 6,")
    assert damage.after.startswith("record 9,")


# --- what only checkpoints and anchors show ----------------------------------------------------


def test_who_has_the_public_key_alone_finds_edits_before_a_checkpoint() -> None:
    lines, _ = log_of(1_200)
    place = 500
    changed = lines[place].replace(b'"number"', b'"lumber"')
    parts = [*lines[:place], changed, *lines[place + 1 :]]
    damage = _by_public_key(parts)
    assert damage == "fork"
    assert _by_public_key(lines) == ""


def _by_public_key(lines: list[bytes]) -> str:
    from guardrails.audit.port import Part

    damage = Verifier(lambda: [Part("lines", iter(lines))], key=None, public=KEYS.public()).run().damage
    return damage.kind if damage else ""


def test_who_has_the_chain_but_not_the_signing_key_cannot_make_a_checkpoint() -> None:
    linker = Linker("11" * 16, KEYS)
    growing = linker.grown(Head(), [note(number=1)], begins=True)
    facts = {
        "log": linker.log, "size": growing.size, "root": growing.root().hex(), "us": 1, "peaks": [],
        "signature": "00" * 64,
    }  # fmt: skip
    from guardrails.audit.linking import own_record

    growing.add(own_record("checkpoint", facts))
    damage = damage_of(growing.lines)
    assert damage is not None
    assert (damage.kind, damage.seq) == ("wrong key", 2)
    assert signed_text("a", 1, "b", 2) != signed_text("a", 1, "b", 3)


def test_a_changed_anchor_is_worth_nothing() -> None:
    for name, value in (
        ("size", 3),
        ("root", "00" * 32),
        ("us", 1),
        ("log", "22" * 16),
        ("signature", "00" * 64),
    ):
        damage = damage_of(LINES, anchors=[{**ANCHOR, name: value}])
        assert damage is not None
        assert damage.kind == "wrong key"


def test_an_old_copy_that_was_put_back_is_found() -> None:
    assert said(LINES[: COUNT // 2])[0] == "truncation"


# --- the verifier itself -----------------------------------------------------------------------


def test_the_controls_pass() -> None:
    assert prove_that_it_can_fail() == 8


def test_every_kind_of_damage_has_a_control() -> None:
    from guardrails.audit.damage import KINDS

    assert set(damages(Control())) == {"", *KINDS}


@pytest.mark.parametrize("blind", ["_damaged", "_end"])
def test_a_verifier_that_sees_nothing_is_not_trusted(blind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Verifier, blind, lambda *_: None)
    with pytest.raises(AuditError, match="failed its own test"):
        prove_that_it_can_fail()
