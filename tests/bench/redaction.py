"""What redaction costs: a text as a whole and as a stream, beside asking the same detectors alone.

A stream is fed in pieces of 4 characters, about a token of a model; its figures are per piece.
"""

from __future__ import annotations

import json
from typing import Any

from measuring import Contender, compare, seconds_of
from tables import Ratio, Seconds, Table

from guardrails.detectors.pii import PiiDetector
from guardrails.detectors.secrets import SecretDetector
from guardrails.redaction.methods import HASH, MASK, Rule
from guardrails.redaction.patterns import PatternDetector
from guardrails.redaction.redactor import Redactor
from guardrails.redaction.streams import Redacting, redacted_pieces
from guardrails.redaction.vault import Vault

KEY = bytes(range(32))
CLEAN = "The parcel left the warehouse on time and should reach the customer within a few days. "
FOUND = "Ann (ann.lee@example.org, card 4111 1111 1111 1111) asked when her parcel will come. "
SIZE = 1_024
PIECE = 4


def run() -> list[Table]:
    return [wholes(), streams(), long_streams(), tokens()]


def wholes() -> Table:
    table = Table("1 KB redacted as a whole", ("detectors", "text", "find alone", "redact", "ratio"))
    for name, rules in kinds().items():
        for what, sentence in (("clean", CLEAN), ("with finds", FOUND)):
            text = filled(sentence, SIZE)
            detectors = {id(rule.detector): rule.detector for rule in rules}.values()
            alone = Contender("find", lambda t, each: [one.find(t) for one in each], [(text, detectors)])
            redact = Contender("redact", lambda t, one: one.redact(t), [(text, Redactor(rules, key=KEY))])
            compare([alone, redact])
            table.add(name, what, Seconds(alone.cost), Seconds(redact.cost), Ratio(redact.ratio_to(alone)))
    return table


def streams() -> Table:
    table = Table(
        f"streams of 8 KB in pieces of {PIECE} characters",
        ("detectors", "what", "per piece", "most kept back"),
    )
    clean, text = filled(CLEAN, 8 * SIZE), filled(FOUND, 8 * SIZE)
    arguments = json.dumps({"to": "ann.lee@example.org", "body": text})
    for name, rules in kinds().items():
        redactor = Redactor(rules, key=KEY)
        streams = (
            ("clean text", clean, redactor.stream),
            ("with finds", text, redactor.stream),
            ("JSON", arguments, redactor.json_stream),
        )
        for what, whole, opened in streams:
            pieces = cut(whole, PIECE)
            seconds = seconds_of(lambda opened=opened, pieces=pieces: drained(opened(), pieces), 3)
            table.add(name, what, Seconds(seconds / len(pieces)), most_kept(opened(), pieces))
    return table


def long_streams() -> Table:
    table = Table(
        "streams in pieces of 4,096 characters, by their length", ("detectors", "1 MB", "10 MB", "ratio")
    )
    for name, rules in kinds().items():
        redactor = Redactor(rules, key=KEY)
        one, ten = (seconds_long(redactor, size) for size in (1_000_000, 10_000_000))
        table.add(name, Seconds(one), Seconds(ten), Ratio(ten / one))
    return table


def tokens() -> Table:
    table = Table("reversible tokens", ("step", "each"))
    vault = Vault("bench", KEY)
    values = [f"ann{number}@example.org" for number in range(2_000)]
    made = seconds_of(lambda: [vault.tokenise("EMAIL_ADDRESS", value) for value in values], 1)
    again = seconds_of(lambda: [vault.tokenise("EMAIL_ADDRESS", value) for value in values])
    text = " and ".join(vault.tokenise("EMAIL_ADDRESS", value) for value in values)
    restored = seconds_of(lambda: vault.restore(text))
    learnt = seconds_of(lambda: Vault.from_records("bench", KEY, vault.records()))
    for step, seconds in (
        ("new value", made),
        ("known value", again),
        ("restore", restored),
        ("learn", learnt),
    ):
        table.add(step, Seconds(seconds / len(values)))
    return table


def kinds() -> dict[str, list[Rule]]:
    return {
        "pattern": [Rule(PatternDetector(r"\b\d{4} ?\d{4} ?\d{4} ?\d{4}\b"), MASK)],
        "pii": [Rule(PiiDetector(), HASH)],
        "secrets": [Rule(SecretDetector(), MASK)],
        "pii and secrets": [Rule(PiiDetector(), HASH), Rule(SecretDetector(), MASK)],
    }


def seconds_long(redactor: Redactor, size: int) -> float:
    pieces = cut(filled(FOUND, size), 4_096)
    return seconds_of(lambda: drained(redactor.stream(), pieces), 1)


def filled(sentence: str, size: int) -> str:
    return (sentence * (size // len(sentence) + 1))[:size]


def cut(text: str, size: int) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def drained(stream: Redacting, pieces: list[str]) -> int:
    return sum(map(len, redacted_pieces(stream, pieces)))


def most_kept(stream: Any, pieces: list[str]) -> int:
    most = 0
    for piece in pieces:
        stream.feed(piece)
        most = max(most, stream.pending)
    return most


if __name__ == "__main__":
    for found in run():
        print(found.text(), flush=True)
