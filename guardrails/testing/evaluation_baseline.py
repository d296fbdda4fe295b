"""Baselines: an evaluation is kept, and a later one held against it.

The idea: a baseline keeps what came of every example and not only the figures, so that the same examples are
compared one by one. Ten that were lost and ten that were gained are no change of a share, and still a change;
and examples that are new are no drop.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from guardrails.errors import GuardError
from guardrails.strict_json import read_json, write_json
from guardrails.testing.evaluation import (
    Evaluation,
    Judged,
    Pair,
    confusion_of,
    groups_of,
    right_of,
    score_of,
)
from guardrails.testing.evaluation_data import DatasetError
from guardrails.testing.evaluation_statistics import (
    Paired,
    Share,
    change_interval,
    significant,
    worse_in_pairs,
    worse_in_samples,
)

VERSION = 1
KIND = "guard eval baseline"


@dataclass(frozen=True, slots=True)
class Baseline:
    """An evaluation of some time ago. `kind` is what kind of subject it was of."""

    kind: str
    subject: str
    labels: tuple[str, ...]
    judged: tuple[Judged, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """When a drop fails: from more than `tolerance` (a share), or when it is improbable at `level` that it came
    by chance. `confidence` is that of intervals."""

    tolerance: Fraction = Fraction(0)
    level: float = 0.05
    confidence: float = 0.95


@dataclass(frozen=True, slots=True)
class Change:
    """How one figure changed. `probability` is that of such a drop by chance, `interval` where the true change
    lies, `lost` and `gained` count answers to the same questions (None for two samples)."""

    name: str
    before: Share
    now: Share
    probability: float
    interval: tuple[float, float]
    lost: int | None = None
    gained: int | None = None
    is_beyond: bool = False
    is_significant: bool = False

    @property
    def change(self) -> Fraction:
        assert self.before.exact is not None, "others are not compared"
        assert self.now.exact is not None, "as above"
        return self.now.exact - self.before.exact

    @property
    def is_drop(self) -> bool:
        return self.is_beyond or self.is_significant


@dataclass(frozen=True, slots=True)
class Drift:
    """All changes; how many examples were in both sets, in how many of the baseline and of this one, and whether
    they were compared one by one."""

    changes: tuple[Change, ...]
    common: int
    before: int
    now: int
    paired: bool

    @property
    def drops(self) -> tuple[Change, ...]:
        return tuple(each for each in self.changes if each.is_drop)


# --- keeping one -------------------------------------------------------------------------------


def baseline_text(kind: str, evaluation: Evaluation) -> str:
    """An evaluation as a file: one example a line, so that a diff of it can be read."""
    head = {"kind": KIND, "version": VERSION, "of": kind, "subject": evaluation.subject,
            "labels": list(evaluation.labels)}  # fmt: skip
    lines = [write_json(head)]
    for each in sorted(evaluation.judged, key=lambda judged: judged.key):
        group = {"group": each.group} if each.group else {}
        lines.append(write_json({"example": each.key, **group, "pairs": [list(pair) for pair in each.pairs]}))
    return "\n".join(lines) + "\n"


def read_baseline(text: str, source: str) -> Baseline:
    """The baseline in a file. Raises `DatasetError` for what is none."""
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        head, *rest = [read_json(line) for line in lines]
        if head["kind"] != KIND:
            raise ValueError
        if head["version"] != VERSION:
            version = head["version"]
            raise DatasetError(
                [f"`{source}` is a baseline of version {version}, and this is {VERSION}; save a new one"]
            )
        examples = tuple(_example(each, number) for number, each in enumerate(rest, 2))
        return Baseline(str(head["of"]), str(head["subject"]), tuple(map(str, head["labels"])), examples)
    except (GuardError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError([f"`{source}` is no baseline; `guard eval --save-baseline` writes one"]) from error


def _example(data: Mapping[str, Any], line: int) -> Judged:
    return Judged(str(data["example"]), line, tuple(map(_pair, data["pairs"])), str(data.get("group", "")))


def _pair(data: Sequence[Any]) -> Pair:
    expected, got = data
    return _label(expected), _label(got)


def _label(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError
    return value


# --- comparing ---------------------------------------------------------------------------------


def drift(baseline: Baseline, evaluation: Evaluation, terms: Terms) -> Drift:
    """What changed since the baseline. Where at least half of the smaller set is in the other one too, those examples
    are compared one by one and the others left out; else the two sets are compared as samples."""
    old = {each.key: each for each in baseline.judged}
    both = [(old[each.key], each) for each in evaluation.judged if each.key in old]
    paired = 2 * len(both) >= min(len(old), len(evaluation.judged)) and bool(both)
    before = [each for each, _ in both] if paired else list(baseline.judged)
    now = [each for _, each in both] if paired else list(evaluation.judged)
    labels = tuple(dict.fromkeys((*evaluation.labels, *baseline.labels)))
    changes = [
        *_by_examples(before, now, terms, paired=paired),
        *_by_labels(before, now, labels, terms, paired=paired),
    ]
    return Drift(_marked(changes, terms), len(both), len(old), len(evaluation.judged), paired)


def _by_examples(
    before: Sequence[Judged], now: Sequence[Judged], terms: Terms, *, paired: bool
) -> list[Change]:
    """How many are right: of all, and of each group."""
    if not paired:
        old, new = {"accuracy": right_of(before)}, {"accuracy": right_of(now)}
        old |= {_group(name): share for name, share in groups_of(before).items()}
        new |= {_group(name): share for name, share in groups_of(now).items()}
        return [_of_samples(name, old[name], new[name], terms) for name in new if name in old]
    answers = [(a.is_right, b.is_right, b.group) for a, b in zip(before, now, strict=True)]
    names = sorted({group for _, _, group in answers if group})
    found = [_of_pairs("accuracy", [(a, b) for a, b, _ in answers], terms)]
    return found + [
        _of_pairs(_group(name), [(a, b) for a, b, g in answers if g == name], terms) for name in names
    ]


def _group(name: str) -> str:
    return f"accuracy:{name}"


def _by_labels(
    before: Sequence[Judged], now: Sequence[Judged], labels: tuple[str, ...], terms: Terms, *, paired: bool
) -> list[Change]:
    """Precision and recall of each label. What is called so is no fixed set of questions, so precisions are
    compared as samples."""
    old, new = confusion_of(before), confusion_of(now)
    found = []
    for label in labels:
        one, other = score_of(label, old), score_of(label, new)
        found.append(_of_samples(f"precision:{label}", one.precision, other.precision, terms))
        if paired:
            found.append(_of_pairs(f"recall:{label}", _recalled(label, before, now), terms))
        else:
            found.append(_of_samples(f"recall:{label}", one.recall, other.recall, terms))
    return [each for each in found if each.before.total and each.now.total]


def _recalled(label: str, before: Sequence[Judged], now: Sequence[Judged]) -> list[tuple[bool, bool]]:
    """For everything that is expected to be called so, whether it was. An example's key stands for what is
    expected of it, so its expected pairs are the same ones, in the same order, both times."""
    return [
        (a == label, b == label)
        for one, other in zip(before, now, strict=True)
        for (expected, a), (_, b) in zip(one.pairs, other.pairs, strict=False)
        if expected == label
    ]


def _of_pairs(name: str, answers: Sequence[tuple[bool, bool]], terms: Terms) -> Change:
    table = Paired(
        *(answers.count(each) for each in ((True, True), (True, False), (False, True), (False, False)))
    )
    interval = change_interval(table.before, table.now, terms.confidence, table.correlation)
    probability = worse_in_pairs(table.lost, table.gained)
    return Change(name, table.before, table.now, probability, interval, table.lost, table.gained)


def _of_samples(name: str, before: Share, now: Share, terms: Terms) -> Change:
    interval = change_interval(before, now, terms.confidence)
    return Change(name, before, now, worse_in_samples(before, now), interval)


def _marked(changes: Sequence[Change], terms: Terms) -> tuple[Change, ...]:
    from dataclasses import replace

    clear = significant([each.probability for each in changes], terms.level)
    return tuple(
        replace(each, is_beyond=-each.change > terms.tolerance, is_significant=is_clear and each.change < 0)
        for each, is_clear in zip(changes, clear, strict=True)
    )
