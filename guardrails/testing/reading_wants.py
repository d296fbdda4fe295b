"""What a case expects, as it is written: a `Node` in, `Want`s out.

expect: deny
expect: {outcome: ask, by: [size], approvals: [{reviewers: [finance], within: 4h}]}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from guardrails.testing import shapes
from guardrails.testing.cases import Want
from guardrails.testing.shapes import Problems, Read
from guardrails.testing.yaml_tree import Node

OUTCOMES = ("allow", "ask", "deny", "halt")
ERRORS = ("missing", "type", "number", "ambiguous", "size", "unavailable", "error")
DENIALS = ("never", "change_arguments", "needs_approval", "retry_after")
CHANGES = ("redact", "only fields", "only rows", "drop fields", "reveal")
DUTIES = ("flag", "review", "fallback", "warn")


def wants_of(problems: Problems, node: Node) -> tuple[Want, ...]:
    """Everything that `expect` names. One that names nothing asserts nothing, which is an error."""
    if node.kind != "object":
        outcome = problems.choice(node, OUTCOMES, "an outcome, or an object that says what is expected,")
        return (Want("outcome", outcome, node.span),) if outcome else ()
    if not node.pairs:
        problems.say("this expects nothing", node.span, "name an outcome, such as `expect: deny`")
    found = problems.fields(node, EXPECTED, "`expect`")
    return tuple(Want(key.value, found[key.value], key.span) for key, _ in node.pairs if key.value in found)


def _outcome(problems: Problems, node: Node) -> str | None:
    return problems.choice(node, OUTCOMES, "an outcome")


def _outcomes(problems: Problems, node: Node) -> dict[str, int]:
    """How often each outcome comes out of a repeated event."""
    known: dict[str, Read] = dict.fromkeys(OUTCOMES, shapes.count)
    return problems.fields(node, known, "`outcomes`")


def _text_test(problems: Problems, node: Node) -> dict[str, str]:
    if node.kind != "object":
        return {"is": shapes.text(problems, node)}
    known: dict[str, Read] = {"is": shapes.text, "contains": shapes.text, "matches": _pattern}
    found = problems.fields(node, known, "a test of a text")
    if not found:
        problems.say("this expects nothing", node.span, "use `is`, `contains` or `matches`")
    return found


def _pattern(problems: Problems, node: Node) -> str:
    written = shapes.text(problems, node)
    try:
        re.compile(written)
    except re.error as error:
        problems.say(f"this is no regular expression: {error}", node.span)
        return ""
    return written


def _retry(problems: Problems, node: Node) -> dict[str, float]:
    if node.kind != "object":
        return {"is": shapes.seconds(problems, node)}
    known: dict[str, Read] = {"at_least": shapes.seconds, "at_most": shapes.seconds}
    return problems.fields(node, known, "`retry_after`")


def _payload(problems: Problems, node: Node) -> tuple[Any]:
    """In a tuple, because null is a payload too."""
    return (node.plain(),)


def _records(known: Mapping[str, Read], what: str, short: str | None) -> Read:
    """A list of objects; where `short` is a key, one value of it stands for the object."""

    def read(problems: Problems, node: Node) -> tuple[dict[str, Any], ...]:
        items = node.items if node.kind == "list" else () if node.kind == "null" else (node,)
        return tuple(one(problems, item) for item in items)

    def one(problems: Problems, node: Node) -> dict[str, Any]:
        if short is not None and node.kind != "object":
            return {short: known[short](problems, node)}
        return problems.fields(node, known, what)

    return read


def _one_of(names: tuple[str, ...], what: str) -> Read:
    return lambda problems, node: problems.choice(node, names, what)


def _denial(problems: Problems, node: Node) -> dict[str, Any]:
    known: dict[str, Read] = {
        "kind": _one_of(DENIALS, "a kind of denial"),
        "counterfactual": shapes.anything,
    }
    if node.kind != "object":
        return {"kind": known["kind"](problems, node)}
    return problems.fields(node, known, "`denial`")


_AMOUNT: dict[str, Read] = {
    "used": shapes.anything, "limit": shapes.anything, "values": shapes.texts, "per": shapes.text,
    "full": shapes.boolean, "state": _one_of(("closed", "open", "half open"), "a state of a breaker"),
    "failures": shapes.count,
}  # fmt: skip


def limits_of(problems: Problems, node: Node) -> dict[str, tuple[dict[str, Any], ...]]:
    """How full limits are, by the name of their statement; one number is what is used."""
    return problems.named(node, _records(_AMOUNT, "a limit", "used"), "limits by the name of their statement")


EXPECTED: dict[str, Read] = {
    "outcome": _outcome,
    "outcomes": _outcomes,
    "by": shapes.texts,
    "by_at_least": shapes.texts,
    "applied": shapes.texts,
    "applied_at_least": shapes.texts,
    "not_applied": shapes.texts,
    "shadow": shapes.texts,
    "labels": shapes.texts,
    "message": _text_test,
    "payload": _payload,
    "transforms": _records(
        {"kind": _one_of(CHANGES, "a kind of change"), "by": shapes.text, "paths": shapes.texts},
        "a transform",
        "kind",
    ),
    "obligations": _records(
        {"kind": _one_of(DUTIES, "a kind of obligation"), "by": shapes.text, "details": shapes.record},
        "an obligation",
        "kind",
    ),
    "approvals": _records(
        {
            "by": shapes.text, "reviewers": shapes.texts, "quorum": shapes.count, "within": shapes.seconds,
            "otherwise": shapes.texts, "calls": shapes.count, "up_to": shapes.texts,
        },
        "an approval",
        None,
    ),
    "errors": _records(
        {"kind": _one_of(ERRORS, "a kind of error"), "by": shapes.text, "message": shapes.text},
        "an error",
        "kind",
    ),
    "denial": _denial,
    "retry_after": _retry,
    "limits": limits_of,
}  # fmt: skip
"""The keys of `expect`, and how each is read."""
