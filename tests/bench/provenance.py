"""What it costs to know where a value came from: look-ups by kind of value and size of the session, beside a plain
search through the text, which finds fewer spellings and more accidents; the first question to a process that starts
with all of the text; taking text in; memory.

The texts are made up: mail in prose, tables as JSON and logs, a third each.
"""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any

from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails.provenance import Index

SIZES = (1_000_000, 50_000_000)
VALUES = 100
LABELS = frozenset({"untrusted"})


class Texts:
    """Events of a session, and values that are in them."""

    def __init__(self, size: int) -> None:
        self._chance = random.Random(7)
        letters = "abcdefghijklmnopqrstuvwxyz"
        self._words = [
            "".join(self._chance.choices(letters, k=self._chance.randint(2, 10))) for _ in range(30_000)
        ]
        self._weights = list(accumulate(1 / (number + 10) for number in range(len(self._words))))
        makers = (self.prose, self.table, self.log)
        self.events: list[Any] = []
        left = size
        while left > 0:
            event = makers[len(self.events) % 3]()
            self.events.append(event)
            left -= len(event if isinstance(event, str) else json.dumps(event))

    def prose(self, count: int = 1_500) -> str:
        return " ".join(self._chance.choices(self._words, cum_weights=self._weights, k=count))

    def table(self) -> list[dict[str, Any]]:
        return [self._row() for _ in range(50)]

    def _row(self) -> dict[str, Any]:
        chance = self._chance
        first, last = chance.choice(self._words[:50]), chance.choice(self._words[1_000:9_000])
        return {
            "id": chance.randrange(10**7, 10**8),
            "name": f"{first.title()} {last.title()}",
            "email": f"{first}.{last}{chance.randrange(100)}@{chance.choice(self._words)}.com",
            "iban": iban(chance),
            "amount": chance.randrange(10**7) / 100,
            "note": self.prose(12),
        }

    def log(self) -> str:
        chance = self._chance
        return "\n".join(
            f"2026-11-{chance.randint(1, 28):02} {chance.randint(0, 23):02}:{chance.randint(0, 59):02}:00 INFO "
            f"{chance.choice(self._words)} {chance.getrandbits(64):016x} took {chance.randint(1, 999)} ms at "
            f"https://{chance.choice(self._words)}.com/{chance.choice(self._words)}/{chance.randrange(10**6)}"
            for _ in range(80)
        )

    def values(self) -> dict[str, list[Any]]:
        rows = [row for event in self.events if isinstance(event, list) for row in event]
        some = [self._chance.choice(rows) for _ in range(VALUES)]
        prose = [event for event in self.events if isinstance(event, str) and "INFO" not in event]
        return {
            "e-mail address": [row["email"] for row in some],
            "e-mail address in capitals": [row["email"].upper() for row in some],
            "account number in groups": [grouped(row["iban"]) for row in some],
            "name": [row["name"] for row in some],
            "amount": [row["amount"] for row in some],
            "id": [row["id"] for row in some],
            "e-mail address, unknown": [f"{row['email']}x" for row in some],
            "account number, unknown": [iban(self._chance) for _ in some],
            "300 characters, copied": [self._stretch(prose) for _ in some],
            "300 characters, new": [self.prose(60)[:300] for _ in some],
        }

    def _stretch(self, texts: list[str]) -> str:
        text = self._chance.choice(texts)
        place = self._chance.randrange(len(text) - 300)
        return text[place : place + 300]


def iban(chance: random.Random) -> str:
    number = f"{chance.randrange(10**18):018}"
    return f"DE{98 - int(number + '131400') % 97:02}{number}"


def grouped(text: str) -> str:
    return " ".join(text[place : place + 4] for place in range(0, len(text), 4))


def run() -> list[Table]:
    return [*lookups(), first_question(), taking_in()]


def lookups() -> Iterator[Table]:
    for size in SIZES:
        texts = Texts(size)
        index, whole = filled(texts.events, patience=0), json.dumps(texts.events, ensure_ascii=False)
        aim = f"at most {50 if size < 10_000_000 else 200} µs for a short value"
        table = Table(
            f"look-ups in {size // 1_000_000} MB",
            ("value", "found", "look-up", "plain search", "ratio"),
            aim=aim,
        )
        for name, values in texts.values().items():
            table.add(name, *measured(index, whole, values))
        yield table


def measured(index: Index, whole: str, values: list[Any]) -> tuple[Any, ...]:
    calls = [(value, str(value)) for value in values]
    ours = Contender("look-up", lambda value, _: index.look_up(value), calls)
    plain = Contender("search", lambda _, text: text in whole, calls)
    compare([ours, plain])
    found = sum(any(s.exact for part in index.look_up(v) for s in part.sources) for v in values)
    return f"{found} of {len(values)}", Seconds(ours.cost), Seconds(plain.cost), Ratio(ours.ratio_to(plain))


def first_question() -> Table:
    """A process that takes a session in and asks once, as a hook of a coding agent does."""
    table = Table(
        "one question to 1 MB that was never asked about",
        ("value", "taking in and asking", "sorting in and asking", "ratio"),
        aim="under 60 ms in all",
    )
    events = Texts(SIZES[0])
    kinds = events.values()
    for name in ("name", "e-mail address, unknown", "account number, unknown", "300 characters, new"):
        calls = [(value, 0.0) for value in kinds[name][:5]]
        searched = Contender("searched", lambda value, _: filled(events.events).look_up(value), calls)
        sorted_in = Contender("sorted", lambda value, now: filled(events.events, now).look_up(value), calls)
        compare([searched, sorted_in])
        table.add(name, Seconds(searched.cost), Seconds(sorted_in.cost), Ratio(searched.ratio_to(sorted_in)))
    return table


def taking_in() -> Table:
    table = Table(
        "taking in text",
        ("text", "taking in 1 MB", "sorting it in for names and addresses", "memory"),
        aim="taking in under 20 ms; memory at most 2.5x the text",
    )
    makers: dict[str, Callable[[Texts], Any]] = {
        "prose": Texts.prose,
        "tables": Texts.table,
        "logs": Texts.log,
    }
    texts = Texts(1)
    for name, make in makers.items():
        events = [make(texts) for _ in range(150)]
        start = time.perf_counter()
        index = filled(events)
        kept = (time.perf_counter() - start) / index.size * 1e6
        index = filled(events, patience=0)
        start = time.perf_counter()
        ask(index)
        sorted_in = (time.perf_counter() - start) / index.size * 1e6
        table.add(name, Seconds(kept), Seconds(sorted_in), Ratio(memory_of(events) / index.size))
    return table


def memory_of(events: list[Any]) -> int:
    tracemalloc.start()
    try:
        index = filled(events, patience=0)
        ask(index)
        return tracemalloc.get_traced_memory()[0] if index.size else 0
    finally:
        tracemalloc.stop()


def ask(index: Index) -> None:
    index.look_up(["Nobody Quorvex", "nobody@quorvex.example"])


def filled(events: list[Any], patience: float = 1.0) -> Index:
    index = Index(patience)
    for number, event in enumerate(events):
        index.add(number, "result", "read", event, LABELS)
    return index


if __name__ == "__main__":
    for found in run():
        print(found.text(), flush=True)
