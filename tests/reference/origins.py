"""Labels and origins: a session's earlier events in, answers to `origin(x) ...` and `context has ...` out.

Values are found plainly: equal after case and spaces, on their own or as whole words of a text. That is less than
the engine's index finds, so tests that compare the two stay with values that are spelled alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guardrails.errors import Ambiguous, EvaluationError, Unavailable
from guardrails.language import syntax
from reference.expressions import Environment, truth, value
from reference.values import Typed

VOUCHING = {"user", "records", "policy", "model"}
OWN = {"user", "records"}
WEAK = 6
"""Characters of a value that proves nothing."""


@dataclass(frozen=True)
class Source:
    """A text that came in, and what is said of it."""

    text: str
    labels: frozenset[str]


@dataclass(frozen=True)
class Known:
    """All that came into a session."""

    sources: tuple[Source, ...]
    context: frozenset[str]
    above: Mapping[str, frozenset[str]]


def known_of(
    files: Sequence[syntax.File], event: Mapping[str, Any], past: Sequence[Mapping[str, Any]], names_of: Any
) -> Known:
    """What a session knows after `past`. `names_of(event, past)` gives what the names of an earlier event mean."""
    sources = [
        *[Source(text, frozenset({"records"})) for _, text in leaves(event.get("principal", {}))],
        *[Source(text, frozenset({"policy"})) for text in constants(files, names_of(event, []))],
    ]
    context: set[str] = set()
    for number, earlier in enumerate(past):
        if earlier["type"] not in ("input", "result") or earlier.get("held"):
            continue
        before = past[:number]
        known = known_of(files, earlier, before, names_of)
        found = list(_labelled(files, earlier, replace(names_of(earlier, before), known=known)))
        labels = {label for source in found for label in source.labels}
        if earlier.get("by") == "agent":
            context |= labels - VOUCHING
            continue
        context |= labels
        sources += found
    return Known(tuple(sources), frozenset(context), order_of(files))


def constants(files: Sequence[syntax.File], env: Environment) -> Iterator[str]:
    declared = {item.name for file in files for item in file.items if isinstance(item, syntax.Param)}
    for name, given in env.params.items():
        yield from (text for _, text in leaves(_data(given)) if name in declared)
    for let in env.lets.values():
        if isinstance(let.value, syntax.Literal) and let.value.kind == "string":
            yield str(let.value.value)


def order_of(files: Sequence[syntax.File]) -> dict[str, frozenset[str]]:
    """Each label with all that are at least as high."""
    pairs = {
        (low, high)
        for file in files
        for item in file.items
        if isinstance(item, syntax.LabelOrder)
        for chain in item.chains
        for place, low in enumerate(chain)
        for high in chain[place:]
    }
    names = {name for pair in pairs for name in pair}
    for _ in names:
        pairs |= {(a, d) for a, b in pairs for c, d in pairs if b == c}
    return {name: frozenset({name, *(high for low, high in pairs if low == name)}) for name in names}


# --- what came in ------------------------------------------------------------------------------


def leaves(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(data, dict):
        for name, inner in data.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(data, list | tuple | set | frozenset):
        for place, inner in enumerate(data):
            yield from leaves(inner, (*path, str(place)))
    elif isinstance(data, str):
        if data:
            yield path, data
    elif data is not None and not isinstance(data, bool):
        yield path, str(data)


def names_in(data: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """The names of fields, which are texts that came in as well."""
    if isinstance(data, dict):
        for name, inner in data.items():
            yield (*path, name), name
            yield from names_in(inner, (*path, name))
    elif isinstance(data, list):
        for place, inner in enumerate(data):
            yield from names_in(inner, (*path, str(place)))


def _labelled(files: Sequence[syntax.File], event: Mapping[str, Any], env: Environment) -> Iterator[Source]:
    from reference.deciding import inside, rules

    default = "user" if event["type"] == "input" else "untrusted"
    payload = event["text"] if event["type"] == "input" else event["result"]
    said = [
        one
        for rule in rules(files, event)
        if isinstance(rule.statement.effect, syntax.Label) and not rule.shadow
        for one in _said(rule, inside(rule.block, env), payload)
    ]
    there = [*leaves(payload), *names_in(payload)]
    if not there:  # nothing came in, but what is said of it
        given = {label for labels, test in said if test(()) for label in labels}
        yield Source("", frozenset(given - VOUCHING if "untrusted" in given else given))
    for path, text in there:
        here = {label for labels, test in said if test(path) for label in labels}
        if "untrusted" in here:
            here -= VOUCHING
        elif not here & VOUCHING:
            here |= {default}
        yield Source(text, frozenset(here))


def _said(rule: Any, env: Environment, payload: Any) -> Iterator[tuple[set[str], Any]]:
    """The labels that a statement gives, and a test of the leaves that it gives them to."""
    from reference.deciding import _applies

    effect = rule.statement.effect
    labels, restricting = set(effect.labels), set(effect.labels) - OWN
    paths = [_path(target) for target in effect.targets] or [()]

    def under(path: tuple[str, ...]) -> bool:
        return any(
            len(each) <= len(path) and all(a in ("*", b) for a, b in zip(each, path, strict=False))
            for each in paths
        )

    try:
        applies = _applies(rule, env)
    except EvaluationError:
        yield restricting, under
        return
    if not applies:
        return
    if effect.where is None:
        yield labels, under
        return
    if not isinstance(payload, list):
        yield restricting, under
        return
    sure, unsure = set(), set()
    for place, row in enumerate(payload):
        try:
            inner = replace(env, roots={**env.roots, "row": Typed(row, _any(), "row")})
            if truth(effect.where, inner):
                sure.add(str(place))
        except EvaluationError:
            unsure.add(str(place))
    yield labels, lambda path: bool(path) and path[0] in sure and under(path)
    yield restricting, lambda path: bool(path) and path[0] in unsure and under(path)


def _any() -> Any:
    from guardrails.language import types as t

    return t.ANY


def _path(target: syntax.Expr) -> tuple[str, ...]:
    """`result.*.body` below the result."""
    if isinstance(target, syntax.Attribute):
        return (*_path(target.base), target.name)
    return ()


# --- questions ---------------------------------------------------------------------------------


def asked(node: syntax.Comparison, env: Environment) -> bool:
    """The answer; raises `Ambiguous` where a value proves nothing, `Unavailable` without a past."""
    found = _asked(node, env)
    return not found if node.negated else found


def _asked(node: syntax.Comparison, env: Environment) -> bool:
    if isinstance(node.left, syntax.Name):
        if env.known is None:
            raise Unavailable("the past of the session is not known")
        return bool(env.known.context & wanted(node, env.known))
    assert isinstance(node.left, syntax.Call)
    data = _data(value(node.left.arguments[0], env))
    if env.known is None:
        raise Unavailable("the past of the session is not known")
    labels = wanted(node, env.known)
    answers = [_part(node.op, labels, text, env.known) for _, text in leaves(data)]
    if node.op == "in":
        if False in answers:
            return False
    elif True in answers:
        return True
    if None in answers:
        raise Ambiguous("too short to tell")
    return node.op == "in"


def wanted(node: syntax.Comparison, known: Known) -> set[str]:
    parts = node.right.items if isinstance(node.right, syntax.SetLiteral) else (node.right,)
    names = [part.id for part in parts if isinstance(part, syntax.Name)]
    return {label for name in names for label in known.above.get(name, {name})}


def _data(found: Any) -> Any:
    """A value as data; one of a canonical type is its text."""
    if isinstance(found, Typed):
        return found.raw
    return getattr(found, "text", found)


def _part(op: str, labels: set[str], text: str, known: Known) -> bool | None:
    weak = len(text) < WEAK
    holders = [set(source.labels) for source in known.sources if _holds(source.text, text)]
    written = (set(known.context) - VOUCHING) | ({"model"} if "untrusted" not in known.context else set())
    everyone = holders or [written]
    there = bool((known.context | written) & labels)
    if op == "in":
        found = any(each & labels for each in everyone)
        return None if found and weak else found
    if op == "is":
        if weak and not there:
            return False
        found = all(each & labels for each in everyone)
        return None if weak and not found else found
    if not any(each & VOUCHING for each in holders):
        everyone = [*everyone, written]
    found = any(each & labels for each in everyone)
    return None if weak and not found and there else found


def _holds(source: str, text: str) -> bool:
    """Whether the text stands in a source as whole words."""
    folded = re.escape(" ".join(text.casefold().split()))
    return (
        re.search(rf"(?<![\w@.-]){folded}(?![\w@-])(?!\.\w)", " ".join(source.casefold().split())) is not None
    )
