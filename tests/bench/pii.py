"""Personal data: Guard beside Presidio as it comes, in one run: `make bench-pii`.

Takes nothing, prints Markdown: precision, recall and F2 for each entity on texts that the project makes, and
milliseconds per text with their ratio. Presidio runs without a model, with its default recognisers for English.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parents[1]))

from detectors import pii_stock
from detectors.pii_corpus import LOOKALIKES, PROSE, RECORDS, WORST, Labelled, filled, held_out, lines, texts

from guardrails.detectors.entities import DEFAULT
from guardrails.detectors.pii import PiiDetector

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20_261_121
TEXTS = 1200
ROUNDS = 9
CLEAN = (
    "The quarterly report was written by the team in room 12, and the tool shipped with 35 fixes after two weeks. "
    "Nobody complained about the long list of changes, although the release notes were hard to read at first. "
)


def accuracy(chosen: list[Labelled]) -> str:
    """Counts by entity: found and labelled, found only, labelled only."""
    ours, stock = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    detector = PiiDetector()
    for text in chosen:
        _count(ours, text, [(m.start, m.end, m.entity) for m in detector.find(text.text)])
        _count(stock, text, pii_stock.spans(text.text))
    labelled = {entity for text in chosen for _, _, entity in text.labels}
    rows = [_row(entity, stock, ours) for entity in sorted(DEFAULT & labelled)]
    total = _row("all", _summed(stock), _summed(ours))
    head = "| entity | Presidio P | R | F2 | Guard P | R | F2 |\n|---|---:|---:|---:|---:|---:|---:|"
    return "\n".join([head, *rows, total])


def _count(into: Counter[tuple[str, str]], text: Labelled, found: list[tuple[int, int, str]]) -> None:
    """A label counts as found when one match covers all of it; a match counts as right when it touches one."""
    for start, end, entity in text.labels:
        hit = any(e == entity and s <= start and end <= t for s, t, e in found)
        into[entity, "hit" if hit else "missed"] += 1
    for start, end, entity in found:
        if not any(e == entity and s < end and start < t for s, t, e in text.labels):
            into[entity, "wrong"] += 1


def _summed(counts: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    total = Counter[tuple[str, str]]()
    for (_, what), count in counts.items():
        total["all", what] += count
    return total


def _row(entity: str, stock: Counter[tuple[str, str]], ours: Counter[tuple[str, str]]) -> str:
    cells = [f"{figure:.2f}" for counts in (stock, ours) for figure in _figures(entity, counts)]
    return f"| {entity} | " + " | ".join(cells) + " |"


def _figures(entity: str, counts: Counter[tuple[str, str]]) -> tuple[float, float, float]:
    hit, missed, wrong = (counts[entity, what] for what in ("hit", "missed", "wrong"))
    precision = hit / (hit + wrong) if hit + wrong else 0.0
    recall = hit / (hit + missed) if hit + missed else 0.0
    both = 4 * precision + recall
    return precision, recall, 5 * precision * recall / both if both else 0.0


def cases() -> list[tuple[str, str]]:
    """Texts of one kilobyte and more."""
    random = Random(SEED)
    prose = CLEAN.join(filled(random, line, "prose").text for line in lines(PROSE))
    table = "\n".join(" ".join(str(random.randrange(10_000)) for _ in range(12)) for _ in range(40))
    logs = "\n".join(filled(random, line, "clean").text for line in lines(LOOKALIKES) * 3)
    records = ",\n".join(filled(random, line, "json").text for line in lines(RECORDS) * 3)
    return [
        ("clean, 1 KB", (CLEAN * 6)[:1024]), ("clean, 100 KB", (CLEAN * 600)[:102_400]),
        ("prose with PII, 1 KB", prose[:1024]), ("JSON with PII, 1 KB", records[:1024]),
        ("lookalikes, 1 KB", logs[:1024]), ("table of digits, 1 KB", table[:1024]),
        ("prose with PII, 10 KB", (prose * 9)[:10_240]),
    ]  # fmt: skip


def speed() -> str:
    """Milliseconds per text, and the median of the ratios of nine rounds in which both take turns."""
    detector = PiiDetector(threshold=pii_stock.THRESHOLD)
    rows = ["| text | Presidio, ms | Guard, ms | ratio |", "|---|---:|---:|---:|"]
    for name, text in cases():
        rounds = [
            (_milliseconds(lambda t=text: pii_stock.spans(t)), _milliseconds(lambda t=text: detector.find(t)))
            for _ in range(ROUNDS)
        ]
        theirs, ours = (median(column) for column in zip(*rounds, strict=True))
        rows.append(f"| {name} | {theirs:.2f} | {ours:.4f} | {median(a / b for a, b in rounds):.0f}× |")
    return "\n".join(rows)


def _milliseconds(work: Callable[[], object]) -> float:
    """The mean over 20 ms, after a first call that does not count."""
    work()
    count, begin = 0, perf_counter()
    while count == 0 or perf_counter() - begin < 0.02:
        work()
        count += 1
    return (perf_counter() - begin) / count * 1000


def growth() -> str:
    """Worst cases of one and two megabytes: twice the text should cost twice the time."""
    detector = PiiDetector()
    rows = ["| worst case | 1 MB, ms | 2 MB, ms |", "|---|---:|---:|"]
    for name, unit in WORST.items():
        once, twice = (
            _once(detector, (unit * (size // len(unit) + 1))[:size]) for size in (1_000_000, 2_000_000)
        )
        rows.append(f"| {name} | {once:.0f} | {twice:.0f} |")
    return "\n".join(rows)


def _once(detector: PiiDetector, text: str) -> float:
    begin = process_time()
    detector.find(text)
    return (process_time() - begin) * 1000


if __name__ == "__main__":
    print("known wording", accuracy(texts(SEED, TEXTS)), sep="\n\n", end="\n\n")
    print("held-out wording", accuracy(held_out(SEED, TEXTS)), sep="\n\n", end="\n\n")
    print(speed(), growth(), sep="\n\n")
