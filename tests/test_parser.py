"""The parser: every node type, the layout, recovery, and inputs meant to break it."""

from __future__ import annotations

import re
import time
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from soaking import SOAK

from guardrails.diagnostics import Diagnostic
from guardrails.language import syntax
from guardrails.language.parser import parse, parse_expression
from guardrails.language.printing import format_expression
from guardrails.language.tree import same_meaning, walk

EXAMPLE = (Path(__file__).parent / "golden" / "format" / "everything.guard").read_text(encoding="utf-8")


def tree_of(text: str) -> syntax.File:
    file, found = parse(text, "policy.guard")
    assert found == []
    assert file is not None
    return file


def problems_of(text: str) -> list[Diagnostic]:
    file, found = parse(text, "policy.guard")
    assert (file is None) == bool(found)
    return found


def statement_of(text: str) -> syntax.Statement:
    block = tree_of(f"on call x {{\n{text}\n}}").items[0]
    assert isinstance(block, syntax.Block)
    (statement,) = block.body
    assert isinstance(statement, syntax.Statement)
    return statement


def expression_of(text: str) -> syntax.Expr:
    tree, found = parse_expression(text, "policy.guard")
    assert found == []
    assert tree is not None
    return tree


def test_the_example_has_every_node_type() -> None:
    kinds = {type(node) for node in walk(tree_of(EXAMPLE))}
    bases = {syntax.Node, syntax.Comment, syntax.InTask}  # the last is only made by the checker
    known = {
        kind for kind in vars(syntax).values() if isinstance(kind, type) and issubclass(kind, syntax.Node)
    }
    assert known - bases - kinds == set()


def test_spans_point_at_what_was_read() -> None:
    text = "on call x {\n  deny when (args.n > 10) and has args.note # why\n}\n"
    found = {type(node).__name__: text[node.span.start : node.span.end] for node in walk(tree_of(text))}
    assert found["Has"] == "has args.note"
    assert found["Comparison"] == "(args.n > 10)"
    assert found["And"] == "(args.n > 10) and has args.note"
    assert found["Statement"] == "deny when (args.n > 10) and has args.note"
    assert found["Comment"] == "# why"
    assert found["File"] == text


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("1_000", "number", 1000),
        ("0.50", "number", Decimal("0.5")),
        ("15m", "duration", 900_000_000),
        ("1.5h", "duration", 5_400_000_000),
        ("500ms", "duration", 500_000),
        ("2w", "duration", 1_209_600_000_000),
        ("10MB", "size", 10_000_000),
        ("64KiB", "size", 65_536),
        ("80%", "percent", Decimal("0.8")),
        ("5.00 USD", "money", (Decimal("5.00"), "USD")),
        (r'"a\"b\\\n\u{1F600}"', "string", 'a"b\\\n\U0001f600'),
        (r"/a\/b\d/", "pattern", r"a/b\d"),
        ("true", "bool", True),
        ("null", "null", None),
    ],
)
def test_literals(text: str, kind: str, value: object) -> None:
    tree = expression_of(text)
    assert isinstance(tree, syntax.Literal)
    assert (tree.kind, tree.value, tree.text) == (kind, value, text)


@pytest.mark.parametrize(
    ("loose", "strict"),
    [
        ("a or b and c", "a or (b and c)"),
        ("not a == b", "not (a == b)"),
        ("not a and b", "(not a) and b"),
        ("a | b & c", "a | (b & c)"),
        ("a & b + c", "a & (b + c)"),
        ("a + b * c", "a + (b * c)"),
        ("a - b - c", "(a - b) - c"),
        ("-a * b", "(-a) * b"),
        ("args.n else 0 + 1", "(args.n else 0) + 1"),
        ("-args.n else 0", "-(args.n else 0)"),
        ("a else b else c", "a else (b else c)"),
        ("a else -1", "a else (-1)"),
        ("has args.n and a", "(has args.n) and a"),
        ("a in b | c", "a in (b | c)"),
        ("any x in xs: a or b", "any x in xs: (a or b)"),
        ("a and any x in xs: b or c", "a and (any x in xs: (b or c))"),
        ("not any x in xs: a and b", "not (any x in xs: (a and b))"),
        ("10%3", "10 % 3"),
        ("a / b / c", "(a / b) / c"),
    ],
)
def test_precedence(loose: str, strict: str) -> None:
    assert same_meaning(expression_of(loose), expression_of(strict))


@pytest.mark.parametrize(
    ("text", "op", "negated"),
    [
        ("a not in b", "in", True),
        ("a is not b", "is", True),
        ("a has b", "has", False),
        ("a <= b", "<=", False),
    ],
)
def test_comparisons(text: str, op: str, negated: bool) -> None:  # noqa: FBT001  # given by the table above
    tree = expression_of(text)
    assert isinstance(tree, syntax.Comparison)
    assert (tree.op, tree.negated) == (op, negated)


@pytest.mark.parametrize(
    "text",
    [
        "count(x in xs where x > 1)",
        "count(x in xs)",
        "sum(x.price for x in xs where x.ok)",
        "count(xs)",
        "min(1, 2)",
        "seen(call a where call.args.x == 1 within 30m)",
        'count(call a, "b.*" within 1h)',
        "seen(result a where result.ok after call b)",
        'count(input where text contains "x" before output within 90m)',
        "seen(call after after call before)",
        "count(result a, b before input)",
        "count(result)",
        "count(result.rows)",
        "count(input in inputs where input > 1)",
        "count(call in calls)",
        "(last result of a where result.ok).id",
        "last input",
        "now within window within_hours",
        "call.args.x",
        "count + sum - last",
        "any to in args.to: to in limit",
        "args.when.and.in",
        "{}",
        '{"a": 1, "b": {1, 2}}',
    ],
)
def test_an_expression_reads_back(text: str) -> None:
    if "window within_hours" in text:
        assert parse_expression(text, "x")[1]
        return
    assert format_expression(expression_of(text)) == text


def test_keywords_are_names_where_they_do_no_harm() -> None:
    file = tree_of(
        "on call limit, when, by { to: allow when by.to > limit }\n"
        "type t {\n  when: int\n  by?: string\n}\nlet of(to: email) = to.per in sample\n"
    )
    block = file.items[0]
    assert isinstance(block, syntax.Block)
    assert [tool.text for tool in block.tools] == ["limit", "when", "by"]


@pytest.mark.parametrize(
    "text",
    [
        'deny\n  when a\n  unless b\n  because "c"',
        'deny because "c" unless b when a',
        "deny when a; ",
        "deny when (a ==\n\n b)",
        "deny when a ==\n b",
        "deny when a\n and b\n or not c",
        "deny when a in {\n1,\n2,\n}",
        "limit 3\n  per 1d\n  by args.x",
        "deny when a\n not in b",
        "deny # one\n  # two\n  when a # three",
    ],
)
def test_a_statement_goes_on_over_lines(text: str) -> None:
    assert statement_of(text).effect is not None


def test_lines_and_semicolons_separate() -> None:
    block = tree_of("on input { allow; deny when a\n\n;; flag b\n - 1 }".replace("\n - 1", "")).items[0]
    assert isinstance(block, syntax.Block)
    assert [type(part.effect).__name__ for part in block.body if isinstance(part, syntax.Statement)] == [
        "Allow",
        "Deny",
        "Flag",
    ]


def test_byte_order_mark_and_windows_lines() -> None:
    file = tree_of("\ufeffpolicy x\r\n\r\non call y {\r\n\tallow # c\r\n}\r\n")
    block = file.items[1]
    assert (block.span.line, block.span.end_line) == (3, 5)
    assert file.comments[0].text == "# c"


BEGINNER_MISTAKES = [
    ("on tool x { allow }", "after `on`, found `tool`", "did you mean `call`?"),
    ("on call x { allow when a = 1 }", "`=` gives a name to a value", "write `==`"),
    ("on call x { alow }", "unknown statement `alow`", "did you mean `allow`?"),
    ("on call x { allow when }", "expected a condition after `when`", ""),
    ("on call x {\n  allow\n\non call y { deny }", "missing `}` before this", ""),
    ("on call x { deny when a && b }", "`&&` is not an operator", "write `and`"),
    ("on call x { deny because 'no' }", "a string stands in double quotes", 'write `"no"`'),
    ('on call x { deny because "no }', "no closing", "ends on the line"),
    ("on call x { deny if a }", "`if` is written `when`", ""),
    ("on call x { deny when 1 < a < 3 }", "comparisons do not chain", "a < b and b < c"),
    ("deny when a", "`deny` belongs in a block", ""),
    ("on call x { limit 3 per 5min }", "unknown unit `min`", "did you mean `5m`?"),
]


@pytest.mark.parametrize(("text", "message", "cure"), BEGINNER_MISTAKES)
def test_a_beginners_mistake_is_told_once_with_its_cure(text: str, message: str, cure: str) -> None:
    (found,) = problems_of(text)
    assert message in found.message
    assert cure in found.help


def test_safe_fixes_cure() -> None:
    text = "on call x { deny when a = 1 && 'b' != c AND d }"
    edits = [edit for found in problems_of(text) if found.fix for edit in found.fix.edits]
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == 'on call x { deny when a == 1 and "b" != c and d }'
    assert problems_of(text) == []


def test_every_error_of_a_file_is_told_once() -> None:
    text = """policy p
param most = 5

on call a {
  alow
  deny when args.x = 3
  ask finance when
}

on tool b { allow }

on call c {
  threshold args.n {
    up to 3 allow
    above: deny
  }

on result d { redact pii }
"""
    assert [(found.span.line, found.message.split(",")[0]) for found in problems_of(text)] == [
        (2, "expected `:` and a type after `most`"),
        (5, "unknown statement `alow`"),
        (6, "`=` gives a name to a value"),
        (7, "expected a condition after `when`"),
        (10, "expected `call`"),
        (14, "expected `:` after the bound"),
        (18, "missing `}` before this"),
    ]


def test_a_missing_inner_brace_is_found_by_indentation() -> None:
    text = "on call x {\n  threshold args.a {\n    above: deny\n  flag y\n}\non call z { allow }\n"
    (found,) = problems_of(text)
    assert (found.span.line, found.notes[0].span.line) == (4, 2)


HOSTILE = {
    "parentheses": "(" * 100_000,
    "not": "not " * 50_000 + "x",
    "sum": "+".join(["1"] * 50_000),
    "negation": "- " * 50_000 + "1",
    "dots": "a" + ".b" * 50_000,
    "else": " else ".join(["a"] * 50_000),
    "quantifiers": "any x in y: " * 20_000 + "z",
    "digits": "9" * 100_000,
    "quotes": '"' * 50_001,
    "single quotes": "'" * 50_001,
    "letters": "é " * 50_000,
    "surrogate": "a \ud800 b",
    "nul": "a \x00 b",
    "bidi": 'a == "\u202e"',
    "smart quotes": "a == “b”",
    "numbers with tails": "1_" * 50_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_gets_a_clear_answer(name: str) -> None:
    found = problems_of(f"on call x {{ deny when {HOSTILE[name]}\n}}")
    assert found
    assert all(problem.message and problem.code for problem in found)
    assert len(found) <= 101


def test_long_chains_are_no_nesting() -> None:
    tree = expression_of(" and ".join(["a"] * 5_000))
    assert isinstance(tree, syntax.And)
    assert len(tree.operands) == 5_000


def test_many_blocks_deep() -> None:
    (found,) = problems_of("on call x { " * 1_000)
    assert found.rule == "nested-too-deep"


def test_parse_time_is_linear() -> None:
    def seconds(copies: int) -> float:
        text = EXAMPLE * copies
        started = time.process_time()
        tree_of(text)
        return time.process_time() - started

    seconds(1)
    small, large = seconds(10), seconds(80)
    assert large < 8 * small * 2.5


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=200))
def test_any_text_parses_or_is_explained(text: str) -> None:
    file, found = parse(text, "policy.guard")
    assert (file is None) == bool(found)


_PIECES = [
    *'{}()[]"\n=,:;/%.#<>$\\',
    "when ",
    "on call x",
    "allow",
    " and ",
    "not ",
    "5min",
    "“",
    "é",
    "\x00",
    "last ",
]


@settings(max_examples=700, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, EXAMPLE.count("\n") - 12),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(["", *_PIECES])), max_size=4),
)
def test_a_broken_policy_is_explained(line: int, changes: list[tuple[float, int, str]]) -> None:
    text = "\n".join(EXAMPLE.split("\n")[line : line + 12])
    for place, size, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + size :]
    file, found = parse(text, "policy.guard")
    assert (file is None) == bool(found)
    for problem in found:
        assert 0 <= problem.span.start <= problem.span.end <= len(text)
        assert text.count("\n", 0, problem.span.start) + 1 == problem.span.line


BROKEN_FILES = {
    "stray braces": "on call x {\n" + " deny when x }\n" * 20_000,
    "headless thresholds": "on call x {\n" + "  threshold a\n  }\n" * 10_000 + "}",
    "unknown statements": "on call x {\n" + "  alow\n" * 20_000 + "}",
    "unknown items": "x\n" * 50_000,
}


@pytest.mark.parametrize("name", BROKEN_FILES)
def test_a_large_broken_file_is_explained_in_linear_time(name: str) -> None:
    started = time.process_time()
    found = problems_of(BROKEN_FILES[name])
    assert time.process_time() - started < 10
    assert found[-1].message == "too many problems, the rest of the file was not read"


def test_one_missing_token_is_one_problem_nearly_always() -> None:
    tokens = re.finditer(r'[A-Za-z_]+|[{}()\[\],:=]|"[^"\n]*"', re.sub(r"#.*", "", EXAMPLE))
    text = re.sub(r"#.*", "", EXAMPLE)
    each = [*tokens]
    some = each[:: 1 if SOAK else 3]
    counts = [len(parse(text[: found.start()] + text[found.end() :], "x")[1]) for found in some]
    assert len(each) > 400
    assert sum(count > 1 for count in counts) <= 0.02 * len(counts)
