"""The formatter: golden files, and its three promises: same meaning, no comment lost, nothing left to do."""

from __future__ import annotations

from pathlib import Path

import pytest
import strategies_syntax as strategies
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from guardrails.language import syntax
from guardrails.language.formatter import format_file, format_text
from guardrails.language.layout import WIDTH
from guardrails.language.parser import parse
from guardrails.language.tree import comments_of, same_meaning

GOLDEN = Path(__file__).parent / "golden" / "format"
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.before")), ids=lambda path: path.stem)
def test_golden(path: Path) -> None:
    formatted, found = format_text(path.read_text(encoding="utf-8"), path.name)
    assert found == []
    assert formatted == path.with_suffix(".guard").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.guard")), ids=lambda path: path.stem)
def test_golden_results_stay_as_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text, path.name) == (text, [])
    assert all(len(line) <= WIDTH or "#" in line or '"' in line for line in text.split("\n"))


def test_a_file_with_errors_is_left_alone() -> None:
    formatted, found = format_text("on call x { alow }", "policy.guard")
    assert formatted is None
    assert [problem.message for problem in found] == ["unknown statement `alow`"]


def reparsed(text: str) -> syntax.File:
    file, found = parse(text, "policy.guard")
    assume(not any(problem.rule == "nested-too-deep" for problem in found))
    assert found == [], text
    assert file is not None
    return file


@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
@given(strategies.files)
def test_what_is_printed_means_the_same(file: syntax.File) -> None:
    text = format_file(file)
    again = reparsed(text)
    assert same_meaning(file, again), text
    settled = format_file(again)
    assert format_file(reparsed(settled)) == settled


@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
@given(
    strategies.files,
    st.lists(st.tuples(st.integers(0, 10**6), st.sampled_from(["own", "end", "blank"])), max_size=6),
)
def test_no_comment_is_lost(file: syntax.File, places: list[tuple[int, str]]) -> None:
    lines = format_file(file).split("\n")
    for number, (place, how) in enumerate(places):
        at = place % len(lines)
        if how == "end":
            lines[at] += f" # end {number}"
        else:
            lines.insert(at, f"# own {number}" if how == "own" else "")
    first = reparsed("\n".join(lines))
    formatted = format_file(first)
    second = reparsed(formatted)
    assert comments_of(second) == comments_of(first)
    assert format_file(second) == formatted
