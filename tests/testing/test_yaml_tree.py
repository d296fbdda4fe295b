"""The tree of a test file is the same, places and all, by both parsers of PyYAML: the quick one may be missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from guardrails.testing import yaml_tree
from guardrails.testing.writing import flow
from guardrails.testing.yaml_tree import Node, parse_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted([*ROOT.glob("policies/*/*.test.yaml"), *ROOT.glob("tests/testing/data/*.yaml")])
ODD = (
    "a: ü𝒳 # 𝒳\nb𝒳: [é, '𝒳𝒳', x]\r\nc: \"a\\\n  b\"\nd: |\n  hello\n\ne:\nf: &x {a: 1, b: '${q}'}\n"
    "g: *x\nh: [a:b, {a: b:c}]\n? i\n: - j\n  - - k\n"
)

needs_both = pytest.mark.skipif(not hasattr(yaml, "CBaseLoader"), reason="PyYAML is without libyaml here")


def by_both(text: str) -> list[Node]:
    return [yaml_tree._document(text, "x", loader) for loader in (yaml.BaseLoader, yaml.CBaseLoader)]


@needs_both
@pytest.mark.parametrize("text", [*(path.read_text("utf-8") for path in FILES), ODD])
def test_both_parsers_give_the_same_tree(text: str) -> None:
    slow, quick = by_both(text)
    assert slow == quick


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Cn"]), max_size=8)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-9, 10**6), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=8,
)


@needs_both
@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=3))
def test_what_is_written_is_read_by_both_parsers(value: dict[str, object]) -> None:
    slow, quick = by_both(flow(value))
    assert slow == quick
    assert quick.plain() == value


def test_spans_are_of_the_text_that_they_name() -> None:
    root, _ = parse_yaml(ODD, "x")
    assert root is not None
    for node in root.walk():
        if node.kind in ("text", "number") and node.span.end - node.span.start == len(node.raw):
            assert ODD[node.span.start : node.span.end] == node.raw


def test_without_the_quick_parser_all_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with_it = parse_yaml(ODD, "x"), parse_yaml("a: [1", "x")
    monkeypatch.delattr(yaml, "CBaseLoader", raising=False)
    assert (parse_yaml(ODD, "x"), parse_yaml("a: [1", "x")) == with_it


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: &x [1, 2]\nb: " + "[" * 50 + "*x" + "]" * 50, None),
        ("".join(f"k{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9 if n else ['1'] * 9)}]\n" for n in range(9)), "values"),
        ("a: " + "[" * 200 + "]" * 200, "100 levels"),
    ],
    ids=["nested", "a bomb", "deep"],
)  # fmt: skip
def test_aliases_and_depth_are_bounded(text: str, said: str | None) -> None:
    root, found = parse_yaml(text, "x")
    assert (root is not None) is (said is None)
    assert all(said is not None and said in each.message for each in found)
