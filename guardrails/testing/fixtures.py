"""Fixtures as they are written: what the cases of a file share.

params: {max_refund: 250}
principals: {ana: {id: ana, customers: [c-1]}}
defaults: {principal: ana}
functions: {credit_limit: {takes: [string], gives: decimal, returns: 500}}
detectors: {pii: [{text: Ana, entity: PERSON}]}
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from guardrails.diagnostics import did_you_mean
from guardrails.errors import EvaluationError
from guardrails.testing import shapes
from guardrails.testing.cases import KEY, START, Fixtures, Found, Stub
from guardrails.testing.shapes import Problems, Read
from guardrails.testing.yaml_tree import Node


def _records(problems: Problems, node: Node) -> dict[str, Any]:
    return problems.named(node, shapes.record, "records by name")


def _sessions(problems: Problems, node: Node) -> dict[str, Any]:
    found = _records(problems, node)
    return {name: {"id": name, **each} for name, each in found.items()}


def _defaults(problems: Problems, node: Node) -> dict[str, Node]:
    known: dict[str, Read] = dict.fromkeys(("principal", "agent", "session"), lambda problems, inner: inner)
    return problems.fields(node, known, "`defaults`")


# --- stubs -------------------------------------------------------------------------------------


def _found(problems: Problems, node: Node) -> Found:
    known: dict[str, Read] = {"text": shapes.text, "entity": shapes.text, "score": shapes.anything}
    found = problems.fields(node, known, "what a detector finds")
    if not found.get("text") or not found.get("entity"):
        problems.say("what a detector finds has a `text` and an `entity`", node.span)
    score = found.get("score", 1)
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        problems.say("a score is a number from 0 to 1", node.span)
        score = 1
    return Found(found.get("text") or "?", found.get("entity", ""), float(score))


def _detectors(problems: Problems, node: Node) -> dict[str, tuple[Found, ...]]:
    def listed(problems: Problems, inner: Node) -> tuple[Found, ...]:
        if inner.kind != "list":
            problems.expected("a list of what the detector finds", inner, "`[]` finds nothing")
        return tuple(_found(problems, item) for item in inner.items)

    return problems.named(node, listed, "stubs of detectors by name")


def _type(problems: Problems, node: Node) -> object:
    """`decimal`, `list<string>`, `map<string, int>`, as `runtime.binding` describes it."""
    found = described(shapes.text(problems, node).replace(" ", ""))
    if found is None:
        problems.expected("a type", node, "such as `string`, `decimal` or `list<string>`")
    return found or "any"


_SCALARS = (
    "any",
    "bool",
    "int",
    "decimal",
    "string",
    "time",
    "duration",
    "email",
    "host",
    "url",
    "path",
    "ip",
)


def described(written: str) -> object:
    """The description of a type; None for what is none."""
    if written in _SCALARS:
        return written
    kind, opened, rest = written.partition("<")
    if not opened or not rest.endswith(">"):
        return None
    inner = rest[:-1]
    if kind in ("list", "set"):
        item = described(inner)
        return None if item is None else (kind, item)
    key, _, value = inner.partition(",")
    parts = described(key), described(value)
    return None if kind != "map" or None in parts else ("map", *parts)


def _answer(problems: Problems, node: Node) -> tuple[tuple[Any, ...], Any]:
    known: dict[str, Read] = {"to": shapes.anything, "returns": shapes.anything}
    found = problems.fields(node, known, "an answer")
    to = found.get("to")
    if not isinstance(to, list) or "returns" not in found:
        problems.say("an answer has `to`, the list of arguments, and `returns`", node.span)
        return (), None
    return tuple(to), found["returns"]


def _answers(problems: Problems, node: Node) -> tuple[tuple[tuple[Any, ...], Any], ...]:
    return tuple(_answer(problems, item) for item in node.items)


def _stub(problems: Problems, node: Node) -> Stub:
    known: dict[str, Read] = {
        "takes": lambda problems, inner: tuple(_type(problems, item) for item in inner.items), "gives": _type,
        "returns": lambda problems, inner: (inner.plain(),), "answers": _answers, "fails": shapes.text,
    }  # fmt: skip
    found = problems.fields(node, known, "a stub of a function")
    if not {"returns", "answers", "fails"} & found.keys():
        problems.say("the stub gives no answer", node.span, "use `returns`, `answers` or `fails`")
    return Stub(
        "", found.get("takes", ()), found.get("gives", "any"), found.get("answers", ()),
        found.get("returns", ()), found.get("fails"),
    )  # fmt: skip


def _functions(problems: Problems, node: Node) -> dict[str, Stub]:
    return problems.named(node, _stub, "stubs of functions by name")


def _plain_table(problems: Problems, node: Node) -> Any:
    """A price table, or the path of one; its reader wants numbers as they are written."""
    return _written(node), node.span


def _written(node: Node) -> Any:
    if node.kind == "object":
        return {key.value: _written(value) for key, value in node.pairs}
    return [_written(item) for item in node.items] if node.kind == "list" else node.raw


def _clock(problems: Problems, node: Node) -> str | None:
    return problems.choice(node, ("frozen", "system"), "a clock")


def _store(problems: Problems, node: Node) -> str | None:
    return problems.choice(node, ("fresh", "shared"), "a store")


def _key(problems: Problems, node: Node) -> str:
    found = shapes.text(problems, node)
    if len(found.encode()) < 16:
        problems.say("a key has 16 bytes or more", node.span)
    return found


FIXTURES: dict[str, Read] = {
    "params": shapes.record,
    "principals": _records,
    "agents": _records,
    "sessions": _sessions,
    "defaults": _defaults,
    "tools": lambda problems, node: (shapes.text(problems, node), node.span),
    "prices": _plain_table,
    "detectors": _detectors,
    "functions": _functions,
    "key": _key,
    "now": shapes.moment,
    "clock": _clock,
    "store": _store,
}
"""The keys of a test file beside `policy` and `cases`."""


def fixtures_of(problems: Problems, root: Node, found: Mapping[str, Any], folder: Path) -> Fixtures:
    """The fixtures of a file whose keys were read as `found`."""
    functions = {name: _renamed(stub, name) for name, stub in found.get("functions", {}).items()}
    people = {name: found.get(name, {}) for name in ("principals", "agents", "sessions")}
    return Fixtures(
        params=found.get("params", {}),
        **people,
        defaults=_chosen(problems, found.get("defaults", {}), people),
        digests=_digests(problems, found.get("tools"), folder),
        prices=_prices(problems, found.get("prices"), folder),
        detectors=found.get("detectors", {}),
        functions=functions,
        key=found.get("key", KEY),
        now=found.get("now", START),
        system_clock=found.get("clock") == "system",
        shared_store=found.get("store") == "shared",
    )


def _renamed(stub: Stub, name: str) -> Stub:
    from dataclasses import replace

    return replace(stub, name=name)


def _chosen(problems: Problems, defaults: Mapping[str, Node], people: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, node in defaults.items():
        known = people[f"{name}s"]
        if node.kind == "object":
            found[name] = node.plain()
        elif node.raw in known:
            found[name] = known[node.raw]
        else:
            near = did_you_mean(node.raw, known)
            problems.say(f"there is no {name} `{node.raw}`", node.span, near or f"name it under `{name}s`")
    return found


def _digests(problems: Problems, given: Any, folder: Path) -> dict[str, str]:
    """The digests of live tools, which the policy's pinned ones are held against."""
    if given is None:
        return {}
    from guardrails.language.schema import read_tools

    name, span = given
    try:
        text = (folder / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        problems.say(f"the tool file `{name}` cannot be read", span)
        return {}
    tools, wrong = read_tools(text, name)
    for each in wrong:
        if each.is_error:
            problems.say(f"`{name}`: {each.message}", span)
    return {tool.name: tool.digest for tool in tools}


def _prices(problems: Problems, given: Any, folder: Path) -> Any:
    if given is None:
        return None
    from guardrails.runtime.prices import prices_of, read_prices

    table, span = given
    try:
        return read_prices(folder / table) if isinstance(table, str) else prices_of(table, "prices")
    except EvaluationError as error:
        problems.say(str(error), span)
        return None
