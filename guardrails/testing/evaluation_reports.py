"""Evaluations for people and for machines: an `Evaluation` and what it was held against in, a text out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from guardrails.renderings import visible
from guardrails.testing.evaluation import Evaluation, Judged, Pair, Score
from guardrails.testing.evaluation_baseline import Change, Drift, Terms
from guardrails.testing.evaluation_data import OUTCOMES
from guardrails.testing.evaluation_statistics import Share

VERSION = 1
NOTHING = "nothing"
"""How people read the side of a pair that has nothing."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that must not be below `least`; `value` is None where there is nothing to count."""

    name: str
    least: Fraction
    value: Fraction | None

    @property
    def is_met(self) -> bool:
        return self.value is not None and self.value >= self.least


@dataclass(frozen=True, slots=True)
class Verdict:
    """An evaluation, its drift (None without a baseline) and the bars it was held against. `show` is how many
    mistakes a text lists."""

    dataset: str
    evaluation: Evaluation
    terms: Terms
    drift: Drift | None = None
    bars: tuple[Bar, ...] = ()
    show: int = 10

    @property
    def failures(self) -> tuple[str, ...]:
        """Why it fails, in lines; empty where it does not."""
        drops = () if self.drift is None else self.drift.drops
        return (
            *(f"{each.name} dropped {_why(each, self.terms)}" for each in drops),
            *(f"{bar.name} is {_percent(bar.value)}, below {_percent(bar.least)}" for bar in self.bars if not bar.is_met),
        )  # fmt: skip


def _why(change: Change, terms: Terms) -> str:
    told = [f"from {_percent(change.before.exact)} to {_percent(change.now.exact)}"]
    if change.is_beyond and terms.tolerance:
        told.append(f"more than the tolerance of {_percent(terms.tolerance)}")
    if change.is_significant:
        told.append(f"which chance does not explain (p = {change.probability:.2g})")
    return ", ".join(told)


def figures_of(evaluation: Evaluation) -> dict[str, Fraction | None]:
    """All figures by the names that reports give them: `accuracy`, `accuracy:GROUP`, `recall:LABEL`, ..."""
    found = {"accuracy": evaluation.accuracy.exact}
    found |= {f"accuracy:{name}": share.exact for name, share in evaluation.groups.items()}
    for score in evaluation.scores:
        found[f"precision:{score.label}"] = score.precision.exact
        found[f"recall:{score.label}"] = score.recall.exact
        both = score.precision.total + score.recall.total
        found[f"f1:{score.label}"] = Fraction(2 * score.recall.hits, both) if both else None
    return found


# --- text --------------------------------------------------------------------------------------


def render_text(verdict: Verdict) -> str:
    """The figures, the first mistakes, what changed, and why it fails."""
    parts = [
        [_headline(verdict)],
        _matrix(verdict.evaluation),
        _scores(verdict),
        _groups(verdict),
        _mistakes(verdict),
        _errors(verdict),
        _drift(verdict.drift) if verdict.drift else [],
        [f"FAIL {line}" for line in verdict.failures],
    ]
    return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"


def _headline(verdict: Verdict) -> str:
    evaluation = verdict.evaluation
    count = len(evaluation.judged)
    share = _share(evaluation.accuracy, verdict.terms.confidence)
    errors = sum(bool(each.errors) for each in evaluation.judged)
    notes = [f"{errors:,} with errors of evaluation"] if errors else []
    if looser := _looser(evaluation):
        notes.insert(0, f"{looser:,} looser than expected")
    return "; ".join(
        [f"{evaluation.subject}: {count:,} example{'' if count == 1 else 's'}, right {share}", *notes]
    )


def _looser(evaluation: Evaluation) -> int | None:
    """How many outcomes are looser than expected; None of what has no outcomes."""
    if evaluation.labels != OUTCOMES:
        return None
    rank: dict[str | None, int] = {name: number for number, name in enumerate(OUTCOMES)}
    return sum(count for (expected, got), count in evaluation.confusion.items() if rank[got] < rank[expected])


def _matrix(evaluation: Evaluation) -> list[str]:
    confusion = evaluation.confusion
    sides = [*(score.label for score in evaluation.scores), None]
    names = [side for side in sides if side is not None or any(None in pair for pair in confusion)]
    if not confusion:
        return []
    rows = [["expected \\ got", *(name or NOTHING for name in names)]]
    rows += [[one or NOTHING, *(_count(confusion[one, other]) for other in names)] for one in names]
    return _table(rows)


def _count(number: int) -> str:
    return f"{number:,}" if number else "."


def _scores(verdict: Verdict) -> list[str]:
    sure = verdict.terms.confidence
    rows = [["", "precision", "recall", "F1"]]
    for each in verdict.evaluation.scores:
        rows.append([each.label, _share(each.precision, sure), _share(each.recall, sure), _f1(each, sure)])
    return _table(rows) if len(rows) > 1 else []


def _f1(score: Score, confidence: float) -> str:
    low, high = score.f1_interval(confidence)
    return "-" if score.f1 is None else f"{score.f1:.1%} [{low:.1%}, {high:.1%}]"


def _groups(verdict: Verdict) -> list[str]:
    """The groups, the one with the least right first."""
    found = sorted(verdict.evaluation.groups.items(), key=lambda each: (each[1].value or 0, each[0]))
    if not found:
        return []
    return _table(
        [["group", "right"], *([name, _share(share, verdict.terms.confidence)] for name, share in found)]
    )


def _share(share: Share, confidence: float) -> str:
    """`66.7% (2 of 3) [20.8%, 93.9%]`."""
    if share.value is None:
        return "-"
    low, high = share.interval(confidence)
    return f"{share.value:.1%} ({share.hits:,} of {share.total:,}) [{low:.1%}, {high:.1%}]"


def _percent(value: Fraction | None) -> str:
    return "not known" if value is None else f"{float(value * 100):.4g}%"


def _mistakes(verdict: Verdict) -> list[str]:
    mistakes = verdict.evaluation.mistakes
    if not mistakes or not verdict.show:
        return []
    lines = [line for each in mistakes[: verdict.show] for line in _mistake(verdict.dataset, each)]
    more = len(mistakes) - verdict.show
    return [
        "wrong",
        *lines,
        *([f"  and {more:,} more; `--show {len(mistakes)}` lists all"] if more > 0 else []),
    ]


def _mistake(dataset: str, judged: Judged) -> Iterator[str]:
    wrong = [_told(pair) for pair in judged.pairs if pair[0] != pair[1]]
    yield f"  {dataset}:{judged.line} {'; '.join(wrong)}"
    yield f"    {visible(judged.about)}"
    if judged.because:
        yield f"    {visible(judged.because)}"
    yield from (f"    could not be evaluated: {visible(error)}" for error in judged.errors)


def _errors(verdict: Verdict) -> list[str]:
    """Examples that came out right while something could not be evaluated: right by chance, perhaps."""
    found = [each for each in verdict.evaluation.judged if each.errors and each.is_right]
    lines = [
        f"  {verdict.dataset}:{each.line} {visible('; '.join(each.errors))}" for each in found[: verdict.show]
    ]
    return ["right, and could not be evaluated", *lines] if lines else []


def _told(pair: Pair) -> str:
    expected, got = pair
    return f"expected {expected or NOTHING}, got {got or NOTHING}"


def _drift(drift: Drift) -> list[str]:
    how = "one by one" if drift.paired else "as two samples, because too few are in both"
    counts = f"{drift.common:,} examples in both, of {drift.before:,} then and {drift.now:,} now"
    head = f"since the baseline: {counts}, compared {how}"
    changed = [each for each in drift.changes if each.change or each.lost]
    return [head, *(_table([_changed(each) for each in changed]) if changed else ["  nothing changed"])]


def _changed(change: Change) -> list[str]:
    low, high = change.interval
    moved = "" if change.lost is None else f"{change.lost:,} lost, {change.gained:,} gained"
    return [
        f"  {change.name}", f"{float(change.before.exact or 0):.1%} -> {float(change.now.exact or 0):.1%}",
        f"{float(change.change) * 100:+.1f} [{low * 100:+.1f}, {high * 100:+.1f}]", moved,
        "dropped" if change.is_drop else "",
    ]  # fmt: skip


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


# --- JSON --------------------------------------------------------------------------------------


def render_json(verdict: Verdict) -> str:
    """Everything as one object; shares with their counts and intervals, all mistakes."""
    evaluation, sure = verdict.evaluation, verdict.terms.confidence
    data = {
        "version": VERSION,
        "subject": evaluation.subject,
        "dataset": verdict.dataset,
        "examples": len(evaluation.judged),
        "confidence": sure,
        "accuracy": _share_data(evaluation.accuracy, sure),
        "looser": _looser(evaluation),
        "confusion": [
            {"expected": expected, "got": got, "count": count}
            for (expected, got), count in sorted(evaluation.confusion.items(), key=repr)
        ],
        "scores": [_score_data(each, sure) for each in evaluation.scores],
        "groups": {name: _share_data(share, sure) for name, share in evaluation.groups.items()},
        "mistakes": [_mistake_data(each) for each in evaluation.mistakes],
        "errors": sum(bool(each.errors) for each in evaluation.judged),
        "drift": None if verdict.drift is None else _drift_data(verdict.drift),
        "bars": [{"name": bar.name, "least": float(bar.least), "met": bar.is_met} for bar in verdict.bars],
        "failures": list(verdict.failures),
    }
    return json.dumps(data, indent=2, ensure_ascii=True) + "\n"


def _share_data(share: Share, confidence: float) -> dict[str, Any]:
    return {
        "value": share.value,
        "hits": share.hits,
        "total": share.total,
        "interval": list(share.interval(confidence)),
    }


def _score_data(score: Score, confidence: float) -> dict[str, Any]:
    return {
        "label": score.label,
        "precision": _share_data(score.precision, confidence),
        "recall": _share_data(score.recall, confidence),
        "f1": {"value": score.f1, "interval": list(score.f1_interval(confidence))},
    }


def _mistake_data(judged: Judged) -> dict[str, Any]:
    return {
        "line": judged.line,
        "about": judged.about,
        "group": judged.group or None,
        "pairs": [{"expected": expected, "got": got} for expected, got in judged.pairs],
        "because": judged.because,
        "errors": list(judged.errors),
    }


def _drift_data(drift: Drift) -> dict[str, Any]:
    return {
        "common": drift.common, "before": drift.before, "now": drift.now, "paired": drift.paired,
        "changes": [_change_data(each) for each in drift.changes],
    }  # fmt: skip


def _change_data(change: Change) -> Mapping[str, Any]:
    return {
        "name": change.name, "before": change.before.value, "now": change.now.value,
        "change": float(change.change), "interval": list(change.interval), "probability": change.probability,
        "lost": change.lost, "gained": change.gained, "beyond_tolerance": change.is_beyond,
        "significant": change.is_significant,
    }  # fmt: skip


RENDERINGS: dict[str, Callable[[Verdict], str]] = {"text": render_text, "json": render_json}
