"""How parts of a test file are read: a `Node` in, a plain value out, and a diagnostic where it is none.

The idea: every object of the file is read by a table of its keys, so a key that nobody knows is always an
error, with the one that was probably meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from guardrails.diagnostics import Diagnostic, Span, did_you_mean
from guardrails.testing.yaml_tree import RULE, Node

Read: TypeAlias = Callable[["Problems", Node], Any]

_KINDS = {
    "object": "an object", "list": "a list", "text": "a text", "number": "a number", "bool": "true or false",
    "null": "nothing",
}  # fmt: skip


class Problems:
    """What is wrong with a file, as far as it was read."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []

    def say(self, message: str, span: Span, help: str = "") -> None:
        self.found.append(Diagnostic(RULE, message, span, help=help))

    def expected(self, what: str, node: Node, help: str = "") -> None:
        got = f"`{node.raw[:60]}`" if node.raw else _KINDS[node.kind]
        self.say(f"{what} is expected here, and this is {got}", node.span, help)

    # --- objects ---------------------------------------------------------------------------------

    def fields(self, node: Node, known: Mapping[str, Read], what: str) -> dict[str, Any]:
        """The values of an object's keys; each key must be one of `known`."""
        if node.kind != "object":
            self.expected(what, node, f"its keys are {', '.join(f'`{name}`' for name in known)}")
            return {}
        found = {}
        for key, value in node.pairs:
            if key.value in known:
                found[key.value] = known[key.value](self, value)
            else:
                self.unknown(key, known, what)
        return found

    def unknown(self, key: Node, known: Mapping[str, Any], what: str) -> None:
        near = did_you_mean(key.value, known)
        help = near or f"its keys are {', '.join(f'`{name}`' for name in known)}"
        self.say(f"{what} has no `{key.value}`", key.span, help)

    def named(self, node: Node, read: Read, what: str) -> dict[str, Any]:
        """An object whose keys are names that the author chose."""
        if node.kind == "null":
            return {}
        if node.kind != "object":
            self.expected(what, node)
            return {}
        return {key.value: read(self, value) for key, value in node.pairs}

    def choice(self, node: Node, known: Mapping[str, Any] | tuple[str, ...], what: str) -> str | None:
        if node.kind == "text" and node.value in known:
            return str(node.value)
        near = did_you_mean(node.raw, known) if node.raw else ""
        self.expected(what, node, near or f"it is one of {', '.join(f'`{name}`' for name in known)}")
        return None


# --- simple values -----------------------------------------------------------------------------


def text(problems: Problems, node: Node) -> str:
    """A text; a number or word is meant as it is written, so that names need no quotes."""
    if node.kind in ("object", "list", "null"):
        problems.expected("a text", node)
        return ""
    return node.raw


def anything(problems: Problems, node: Node) -> Any:
    return node.plain()


def record(problems: Problems, node: Node) -> dict[str, Any]:
    if node.kind != "object":
        problems.expected("an object", node)
        return {}
    plain: dict[str, Any] = node.plain()
    return plain


def boolean(problems: Problems, node: Node) -> bool:
    if node.kind != "bool":
        problems.expected("true or false", node)
    return node.value is True


def count(problems: Problems, node: Node) -> int:
    if node.value.__class__ is not int or not 0 <= node.value <= MAX_COUNT:
        problems.expected(f"a whole number up to {MAX_COUNT:,}", node)
        return 1
    return int(node.value)


MAX_COUNT = 1_000_000


def times(problems: Problems, node: Node) -> int:
    found = count(problems, node)
    if found == 0:
        problems.expected("a number of times, 1 or more,", node)
    return max(1, found)


def texts(problems: Problems, node: Node) -> tuple[str, ...]:
    """One text, or a list of them."""
    if node.kind == "null":
        return ()
    return tuple(text(problems, item) for item in (node.items if node.kind == "list" else (node,)))


def duration(problems: Problems, node: Node) -> int:
    """Microseconds of `90s`, `1d` or `1d 2h`."""
    from guardrails.language import literals

    try:
        parts = [literals.duration(part) for part in text(problems, node).split()]
    except (ValueError, KeyError):
        parts = []
    if not parts:
        problems.expected(
            "a duration", node, "such as `90s`, `4h` or `1d 12h`; units are ms, s, m, h, d and w"
        )
    return sum(parts)


def seconds(problems: Problems, node: Node) -> float:
    return duration(problems, node) / 1_000_000


def moment(problems: Problems, node: Node) -> int:
    """Microseconds since 1970 of `2026-01-31T12:00:00Z`."""
    written = text(problems, node)
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        at = datetime.min
    if at.tzinfo is None:
        problems.expected("a time with its offset", node, "such as `2026-01-31T12:00:00Z`")
        return 0
    from datetime import UTC

    passed = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (passed.days * 86_400 + passed.seconds) * 1_000_000 + passed.microseconds


def reason(problems: Problems, node: Node) -> str:
    """Why a case is left out; an empty reason is none."""
    found = text(problems, node) if node.kind == "text" else ""
    if not found.strip():
        problems.expected("a reason, as a text,", node, "say why, so that somebody can judge it later")
    return found or "no reason"
