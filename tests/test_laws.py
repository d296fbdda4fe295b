"""The laws that every decision keeps, as properties of the engine (and L12 of its sources).

L3 is also in the corpus (`redaction`), L7 in `test_differential`.
"""

from __future__ import annotations

import ast
import copy
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import strategies
from hypothesis import given, settings
from hypothesis import strategies as st
from test_differential import COMPARED, NOW, found, guard_of, trees_of

from guardrails.errors import EventError
from guardrails.guard import Guard
from guardrails.language import syntax
from guardrails.language.formatter import format_file
from guardrails.model import Decision, Outcome

Files = list[tuple[str, str]]
SOAK = bool(os.environ.get("GUARD_SOAK"))
FEWER = settings(COMPARED, max_examples=60)


def decide(files: Files, event: dict[str, Any], tools: str | None = None) -> Decision:
    return guard_of(files, tools).decide(event, now=NOW)


# --- L1: order never matters -------------------------------------------------------------------


def shuffled(file: syntax.File, draw: Callable[[Any], Any]) -> syntax.File:
    """The same items in another order (the header stays first), with the same statements in another order."""
    head = tuple(item for item in file.items if isinstance(item, syntax.PolicyHeader))
    rest = [_shuffled_block(item, draw) for item in file.items if not isinstance(item, syntax.PolicyHeader)]
    return replace(file, items=(*head, *draw(st.permutations(rest))), comments=())


def _shuffled_block(item: syntax.Item, draw: Callable[[Any], Any]) -> syntax.Item:
    if not isinstance(item, syntax.Block):
        return item
    return replace(item, body=tuple(draw(st.permutations(item.body))))


@FEWER
@given(strategies.policies("typed"), strategies.calls(), st.data())
def test_l1_order_of_statements_items_and_files(
    files: Files, event: dict[str, Any], data: st.DataObject
) -> None:
    before = found(decide(files, event, strategies.TOOLS))
    trees = [shuffled(tree, data.draw) for tree in trees_of(files)]
    names = data.draw(st.permutations([name for name, _ in files]))
    other = [(name, format_file(tree)) for name, tree in zip(names, reversed(trees), strict=True)]
    assert repr(found(decide(other, event, strategies.TOOLS))) == repr(before)


@FEWER
@given(strategies.result_policies(), strategies.results(), st.data())
def test_l1_order_of_transforms(policy: str, event: dict[str, Any], data: st.DataObject) -> None:
    files = [("policy.guard", policy)]
    before = decide(files, event)
    trees = [shuffled(tree, data.draw) for tree in trees_of(files)]
    after = decide([("policy.guard", format_file(trees[0]))], event)
    assert (after.outcome, repr(after.payload)) == (before.outcome, repr(before.payload))


# --- L2: errors never loosen -------------------------------------------------------------------

BREAKAGES: list[Any] = [None, "?", 5, True, [None], {}, float("nan"), "\ud800"]


@settings(COMPARED, max_examples=100)
@given(strategies.policies("typed"), strategies.calls(), st.data())
def test_l2_an_error_is_as_strict_as_fired_and_as_not_fired(
    files: Files, event: dict[str, Any], data: st.DataObject
) -> None:
    broken = break_field(event, data)
    decision = decide(files, broken, strategies.TOOLS)
    for failure in decision.errors[:3]:
        label = failure.statement.rpartition(".")[2]
        for other in alternatives(files, label):
            either = decide(other, broken, strategies.TOOLS)
            assert either.outcome <= decision.outcome, (label, other)


def break_field(event: dict[str, Any], data: st.DataObject) -> dict[str, Any]:
    """The event with one field of its arguments or principal gone or replaced."""
    event = copy.deepcopy(event)
    record = event[data.draw(st.sampled_from(["args", "args", "principal"]))]
    if record:
        name = data.draw(st.sampled_from(sorted(record)))
        if data.draw(st.booleans()):
            del record[name]
        else:
            record[name] = data.draw(st.sampled_from(BREAKAGES))
    return event


def alternatives(files: Files, label: str) -> Iterator[Files]:
    """The policy with the labelled statement left out, and with it in force whatever its conditions say."""
    trees = trees_of(files)
    for place, tree in enumerate(trees):
        for index, item in enumerate(tree.items):
            if isinstance(item, syntax.Block) and (statement := labelled(item, label)):
                for effect in (None, *in_force(item, statement)):
                    items = (*tree.items[:index], *without(item, statement, effect), *tree.items[index + 1 :])
                    yield [
                        (
                            name,
                            format_file(replace(tree, items=items, comments=())) if other == place else text,
                        )
                        for other, (name, text) in enumerate(files)
                    ]


def labelled(block: syntax.Block, label: str) -> syntax.Statement | None:
    return next((s for s in block.body if isinstance(s, syntax.Statement) and s.label == label), None)


def in_force(block: syntax.Block, statement: syntax.Statement) -> list[syntax.Effect]:
    """What the statement does once it applies: a `require` may be broken, a threshold may be on any row."""
    effect = statement.effect
    conditions = (block.when, block.unless, statement.when, statement.unless)
    if any(conditions):
        return [effect]
    if isinstance(effect, syntax.Require):
        return [syntax.Deny(effect.span)]
    return [row.effect for row in effect.rows] if isinstance(effect, syntax.Threshold) else [effect]


def without(
    block: syntax.Block, statement: syntax.Statement, effect: syntax.Effect | None
) -> Iterator[syntax.Block]:
    """The block without the statement, and, in a block of its own without conditions, the effect."""
    rest = tuple(item for item in block.body if item is not statement)
    if rest:
        yield replace(block, body=rest)
    if effect is not None:
        forced = replace(statement, effect=effect, when=None, unless=None)
        yield replace(block, body=(forced,), when=None, unless=None)


READS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "a number": ("args.n > 5", {"n": 6}, {"n": 5}),
    "a text": ('args.s contains "x"', {"s": "x"}, {"s": "y"}),
    "a set": ('args.xs <= {"a"}', {"xs": ["a"]}, {"xs": ["b"]}),
    "an element": ("any x in args.xs: x.n == 1", {"xs": [{"n": 1}]}, {"xs": [{"n": 2}]}),
    "a mailbox": ('email(args.to).domain == "acme.com"', {"to": "a@acme.com"}, {"to": "a@evil.com"}),
    "a path": ('args.p within "/workspace"', {"p": "/workspace/a"}, {"p": "/etc"}),
    "a sum": ("sum(x.n for x in args.xs) > 1", {"xs": [{"n": 2}]}, {"xs": [{"n": 1}]}),
    "an unless": ("not (args.n in {1, 2})", {"n": 3}, {"n": 1}),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("breakage", [*BREAKAGES, "gone"], ids=repr)
@pytest.mark.parametrize(
    "effect", ["allow when", "deny when", "ask when", "halt when", "allow unless", "require"]
)
def test_l2_breaking_a_field_is_never_looser(name: str, breakage: Any, effect: str) -> None:
    condition, yes, no = READS[name]
    policy = f"on call t {{ base: allow when args.base\n s: {effect} {condition} }}"
    guard = Guard.from_text(policy)
    field = next(iter(yes))
    broken = {} if breakage == "gone" else {field: breakage}
    for base in (True, False):
        event: dict[str, Any] = {"type": "call", "tool": "t"}
        outcomes = [
            guard.decide({**event, "args": {**args, "base": base}}, now=NOW) for args in (yes, no, broken)
        ]
        if outcomes[2].errors:
            assert outcomes[2].outcome == max(one.outcome for one in outcomes)


# --- L3: transforms survive --------------------------------------------------------------------


@FEWER
@given(strategies.result_policies(), strategies.results(), st.sampled_from(["ask", "deny", "halt", "allow"]))
def test_l3_no_verdict_changes_what_is_redacted(policy: str, event: dict[str, Any], verdict: str) -> None:
    before = decide([("policy.guard", policy)], event)
    after = decide([("policy.guard", policy + f"on result t {{ more: {verdict} }}\n")], event)
    assert repr(after.payload) == repr(before.payload)
    assert [change.paths for change in after.transforms] == [change.paths for change in before.transforms]
    assert after.outcome >= before.outcome


# --- L4: deciding is total ---------------------------------------------------------------------

JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(), max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
TOTAL = """
let big = args.amount > 100
on call "*" {
  a: allow when args.amount + args.items[0].price <= 5 and args.note matches /(a+)+/
  b: deny when any x in args.items: x.price in {1, 2} or email(x.to).domain == "acme.com"
  c: require sum(x.price for x in args.items) < 100
  d: threshold args.amount / args.count { up to 1: allow; above: ask }
  e: redact /[0-9]+/ in args
  f: halt when args.a == args.b or sql.read_only(args.q) or shell.programs(args.q) == {}
  g: flag odd when text(args.amount) == "5" or length(args.items) > 2 or path(args.note) within "/w"
}
on result "*" { h: only rows where row.a == row.b
  i: only fields a, b.*
  j: redact result.a with last 4 }
on input { k: deny when text contains "x"; l: redact /x+/ }
"""


@settings(COMPARED, max_examples=300)
@given(JSON)
def test_l4_any_json_is_decided_or_refused_as_an_event(event: Any) -> None:
    assert isinstance(outcome_of(Guard.from_text(TOTAL), event), Outcome)


def outcome_of(guard: Guard, event: Any) -> Outcome:
    """The outcome; an event that is none is refused, which is a deny to every host."""
    try:
        return guard.decide(event, now=NOW).outcome
    except EventError:
        return Outcome.DENY


FIELDS = ["amount", "items", "note", "count", "a", "b", "q"]
EXTREMES: list[Any] = [
    10**5_000, -(10**400), 5e-324, 1.7e308, float("nan"), "x" * 100_000, ["1"] * 5_000, [[]] * 50, {"": {"": ""}},
    "\x00", "\ud800", "\U0010ffff", [{"price": 10**5_000, "to": "@"}], [{"price": 1}] * 100_001,
]  # fmt: skip


@settings(COMPARED, max_examples=500 if SOAK else 50)
@given(
    st.dictionaries(st.sampled_from(FIELDS), st.one_of(JSON, st.sampled_from(EXTREMES))),
    JSON,
    st.text(max_size=5),
)
def test_l4_any_arguments_results_and_texts_are_decided(args: dict[str, Any], result: Any, text: str) -> None:
    guard = Guard.from_text(TOTAL)
    events = [
        {"type": "call", "tool": text or "t", "args": args, "principal": args},
        {"type": "result", "tool": "t", "args": args, "result": result},
        {"type": "input", "text": text},
    ]
    for event in events:
        assert isinstance(guard.decide(event, now=NOW).outcome, Outcome)


def nested(depth: int) -> Any:
    value: Any = "1"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("depth", [10, 500, 5_000])
@pytest.mark.parametrize("field", ["a", "items", "amount", "note"])
def test_l4_deep_values_are_decided(field: str, depth: int) -> None:
    args = {"b": nested(depth), field: nested(depth)}
    decision = Guard.from_text(TOTAL).decide({"type": "call", "tool": "t", "args": args}, now=NOW)
    assert decision.outcome >= Outcome.DENY


# --- L5: spellings of one thing are one thing --------------------------------------------------

SPELLINGS: dict[str, list[Any]] = {
    'path(args.x) == "/w/a"': ["/w/a", "/w/./a", "/w//a", "/w/b/../a", "/w/a/"],
    'args.x within "/w"': ["/w/a", "/w/./a", "/w/b/../a", "/w/a/", "/x/../w/a"],
    'email(args.x) == "bob@acme.com"': [
        "bob@acme.com",
        "BOB@ACME.COM",
        "Bob <bob@acme.com>",
        '"B, ob" <bob@Acme.com>',
    ],
    'url(args.x).host == "acme.com"': [
        "https://acme.com",
        "HTTPS://ACME.com:443/",
        "http://acme.com.:80/x?y#z",
    ],
    'host(args.x) == "10.0.0.1"': ["10.0.0.1", "0xa.0.0.1", "167772161", "10.1"],
    'ip(args.x) == "2001:db8::1"': ["2001:db8::1", "2001:DB8:0:0:0:0:0:1"],
    "args.x == 100": [100, 100.0, 1e2],
    'sql.tables(args.x) == {"t"}': ["select * from t", "SELECT a FROM T", 'select * from "t"'],
    'shell.programs(args.x) == {"rm"}': ["rm x", "/bin/rm x", "r''m x", "'rm' x"],
}


@pytest.mark.parametrize("condition", SPELLINGS)
def test_l5_spellings_decide_alike(condition: str) -> None:
    guard = Guard.from_text(f"on call t {{ ok: allow when {condition} }}")
    events = [{"type": "call", "tool": "t", "args": {"x": spelling}} for spelling in SPELLINGS[condition]]
    outcomes = {str(event["args"]): str(guard.decide(event, now=NOW).outcome) for event in events}
    assert set(outcomes.values()) == {"allow"}, outcomes


# --- L11: every check is accounted for ---------------------------------------------------------


@FEWER
@given(strategies.policies("typed"), strategies.calls())
def test_l11_what_errs_is_listed_and_stands_unless_it_only_grants(
    files: Files, event: dict[str, Any]
) -> None:
    decision = decide(files, event, strategies.TOOLS)
    listed = {one.label for one in (*decision.applied, *decision.shadow) if one.kept_by_error}
    erring = {failure.statement.rpartition(".")[2] for failure in decision.errors}
    assert listed <= erring
    assert erring - listed <= only_granting(files)
    assert all(failure.place.line > 0 and failure.message for failure in decision.errors)


def only_granting(files: Files) -> set[str | None]:
    """Labels of statements that an error need not keep: those without a restrict part, and a `require` under
    a condition, which may err while the requirement itself is met."""
    blocks = [item for tree in trees_of(files) for item in tree.items if isinstance(item, syntax.Block)]
    return {
        statement.label
        for block in blocks
        for statement in block.body
        if isinstance(statement, syntax.Statement)
        if _only_grants(statement.effect) or _is_guarded(block, statement)
    }


def _is_guarded(block: syntax.Block, statement: syntax.Statement) -> bool:
    conditions = (block.when, block.unless, statement.when, statement.unless)
    return isinstance(statement.effect, syntax.Require) and any(each is not None for each in conditions)


def _only_grants(effect: syntax.Effect) -> bool:
    if isinstance(effect, syntax.Threshold):
        return all(isinstance(row.effect, syntax.Allow) for row in effect.rows)
    return isinstance(effect, syntax.Allow)


@FEWER
@given(strategies.policies("typed"), strategies.calls())
def test_l11_statements_without_conditions_are_always_listed(files: Files, event: dict[str, Any]) -> None:
    bare = [
        (name, format_file(unconditional(tree)))
        for (name, _), tree in zip(files, trees_of(files), strict=True)
    ]
    decision = decide(bare, event, strategies.TOOLS)
    listed = {one.label for one in (*decision.applied, *decision.shadow)}
    blocks = [item for tree in trees_of(bare) for item in tree.items if isinstance(item, syntax.Block)]
    named = [block for block in blocks if any(tool.text == event["tool"] for tool in block.tools)]
    expected = {s.label for block in named for s in block.body if isinstance(s, syntax.Statement)}
    assert expected <= listed


def unconditional(file: syntax.File) -> syntax.File:
    """The file with no conditions; statements that are conditions themselves become flags."""
    return replace(file, items=tuple(map(_bare_block, file.items)), comments=())


def _bare_block(item: syntax.Item) -> syntax.Item:
    if not isinstance(item, syntax.Block):
        return item
    body = tuple(_bare(part) if isinstance(part, syntax.Statement) else part for part in item.body)
    return replace(item, when=None, unless=None, body=body)


def _bare(statement: syntax.Statement) -> syntax.Statement:
    effect = statement.effect
    if isinstance(effect, syntax.Require | syntax.Threshold):
        effect = syntax.Flag(effect.span, "odd")
    return replace(statement, when=None, unless=None, effect=effect)


# --- L12: the language is pure -----------------------------------------------------------------

IMPURE = {
    "os", "io", "time", "datetime", "socket", "ssl", "threading", "asyncio", "subprocess", "multiprocessing", "random",
    "secrets", "tempfile", "shutil", "urllib.request", "http", "concurrent", "signal", "select", "sqlite3", "logging",
}  # fmt: skip
LANGUAGE = sorted(Path(syntax.__file__).parent.glob("**/*.py"))


@pytest.mark.parametrize("path", LANGUAGE, ids=lambda path: path.stem)
def test_l12_the_language_knows_no_clock_file_socket_or_thread(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not {part for name in imported(tree) for part in (name, name.partition(".")[0])} & IMPURE
    called = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"open", "input", "print", "exec", "eval", "__import__"}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
