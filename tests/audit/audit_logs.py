"""What tests of logs share: bodies of records, readers, verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orjson import loads

from guardrails.audit.damage import Damage
from guardrails.audit.keys import Keys
from guardrails.audit.linking import own_record
from guardrails.audit.port import Home, Part
from guardrails.audit.verifying import Report, Verifier

KEY = "a key of tests, long enough"
KEYS = Keys(KEY.encode())


def note(**facts: Any) -> bytes:
    return own_record("note", facts)


def lines_of(home: Home) -> list[bytes]:
    return [line for part in home.parts() for line in part.lines]


def records_of(home: Home) -> list[dict[str, Any]]:
    return [loads(line) for line in lines_of(home)]


def report_of(home: Home, **more: Any) -> Report:
    verifier = Verifier(
        home.parts,
        key=KEYS.chain,
        fingerprint=KEYS.fingerprint,
        public=KEYS.public(),
        claim=home.claim(),
        **more,
    )
    return verifier.run()


def damage_of(lines: Sequence[bytes], *, keys: Keys = KEYS, **more: Any) -> Damage | None:
    """What the verifier says of these lines as a log."""

    def parts() -> Iterator[Part]:
        yield Part("lines", iter(lines))

    return (
        Verifier(parts, key=keys.chain, fingerprint=keys.fingerprint, public=KEYS.public(), **more)
        .run()
        .damage
    )
