"""What content costs in a decision: an output of 1 KB through the engine with and without redaction, and in pieces.

A stream is fed in pieces of 4 characters, about a token of a model; its figures are per piece, with what it costs to
open and close the stream in them.
"""

from __future__ import annotations

from typing import Any

from measuring import Contender, compare
from redaction import CLEAN, FOUND, PIECE, SIZE, cut, filled
from tables import Ratio, Seconds, Table

from guardrails import Guard

PLAIN = "on output { flag seen }"
POLICIES = {
    "no redaction": PLAIN, "redact /pattern/": r"on output { redact /\b\d{4} ?\d{4} ?\d{4} ?\d{4}\b/ }",
    "redact pii": "on output { redact pii }", "redact pii, secrets": "on output { redact pii; redact secrets }",
    "deny when secrets": "on output { deny when secrets(text) }",
    "deny when injection": "on output { deny when injection(text) >= 0.8 }",
    "deny unless links": 'on output { require all l in links(text): l.host in {"example.com"} }',
}  # fmt: skip
STREAMED = ("no redaction", "redact /pattern/", "redact pii", "redact pii, secrets", "deny when secrets")


def run() -> list[Table]:
    return [wholes(), streams(), arguments()]


def wholes() -> Table:
    table = Table(
        "an output of 1 KB decided",
        ("policy", "text", "time", "ratio to no redaction"),
        aim="redact pii within 150 µs",
    )
    for what, sentence in (("clean", CLEAN), ("with finds", FOUND)):
        text = filled(sentence, SIZE)
        contenders = [_whole(name, policy, text) for name, policy in POLICIES.items()]
        compare(contenders)
        for each in contenders:
            table.add(each.name, what, Seconds(each.cost), Ratio(each.ratio_to(contenders[0])))
    return table


def _whole(name: str, policy: str, text: str) -> Contender:
    session = Guard.from_text(policy).session()
    return Contender(name, lambda given, _: session.check_output(given), [(text, None)])


def streams() -> Table:
    table = Table(
        f"an output of 8 KB in pieces of {PIECE} characters",
        ("policy", "text", "per piece", "ratio to no redaction"),
    )
    for what, sentence in (("clean", CLEAN), ("with finds", FOUND)):
        pieces = cut(filled(sentence, 8 * SIZE), PIECE)
        contenders = [_streamed(name, POLICIES[name], pieces) for name in STREAMED]
        compare(contenders)
        for each in contenders:
            table.add(each.name, what, Seconds(each.cost / len(pieces)), Ratio(each.ratio_to(contenders[0])))
    return table


def _streamed(name: str, policy: str, pieces: list[str]) -> Contender:
    session = Guard.from_text(policy).session()
    return Contender(name, lambda given, _: _drained(session.stream_output(), given), [(pieces, None)])


def arguments() -> Table:
    table = Table(f"arguments of 8 KB in pieces of {PIECE} characters", ("policy", "per piece"))
    pieces = cut(f'{{"to": "ann.lee@example.org", "body": "{filled(FOUND, 8 * SIZE)}"}}', PIECE)
    for name, redaction in (("no redaction", ""), ("redact pii", "; redact pii")):
        session = Guard.from_text(f"on call send {{ allow{redaction} }}").session()
        one = Contender(
            name, lambda given, opened: _drained(opened("send"), given), [(pieces, session.stream_args)]
        )
        compare([one])
        table.add(name, Seconds(one.cost / len(pieces)))
    return table


def _drained(stream: Any, pieces: list[str]) -> int:
    return sum(len(stream.feed(piece)) for piece in pieces) + len(stream.close())


if __name__ == "__main__":
    for found in run():
        print(found.text(), flush=True)
