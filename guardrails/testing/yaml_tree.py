"""YAML as a tree that knows its places: text in, `Node`s and diagnostics out.

The idea: PyYAML only splits the text up; what a plain scalar means is decided here, as JSON would. So `no` is
a text and not false, `1:30` is no number of seconds, and 0.1 is a tenth and not a binary fraction near it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Diagnostic, Span

RULE = "bad-test-file"

Kind: TypeAlias = Literal["object", "list", "text", "number", "bool", "null"]

MAX_NODES = 1_000_000
MAX_DEPTH = 100
MAX_DIGITS = 1_000

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_WORDS: dict[str, tuple[Kind, Any]] = {
    "true": ("bool", True), "false": ("bool", False), "null": ("null", None), "~": ("null", None),
    "": ("null", None),
}  # fmt: skip
_STR = "tag:yaml.org,2002:str"
_PLAIN = {_STR, "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map", None}


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file with its place. `value` holds `(key, value)` pairs of an object, the items of a
    list, or the plain value of anything else; `raw` is a scalar as it is written."""

    kind: Kind
    value: Any
    span: Span
    raw: str = ""

    @property
    def pairs(self) -> tuple[tuple[Node, Node], ...]:
        return self.value if self.kind == "object" else ()

    @property
    def items(self) -> tuple[Node, ...]:
        return self.value if self.kind == "list" else ()

    def get(self, name: str) -> Node | None:
        return next((value for key, value in self.pairs if key.value == name), None)

    def plain(self) -> Any:
        """The value as plain data; fractions that a float cannot show exactly are Decimals."""
        if self.kind == "object":
            return {key.value: value.plain() for key, value in self.value}
        if self.kind == "list":
            return [item.plain() for item in self.value]
        return self.value

    def walk(self) -> Iterator[Node]:
        """The node and all values below it."""
        yield self
        for inner in self.items or tuple(value for _, value in self.pairs):
            yield from inner.walk()


class _Bad(Exception):
    """The text cannot be a test file; `diagnostic` says why."""

    def __init__(self, message: str, span: Span, help: str = "") -> None:
        super().__init__(message)
        self.diagnostic = Diagnostic(RULE, message, span, help=help)


def parse_yaml(text: str, file: str) -> tuple[Node | None, list[Diagnostic]]:
    """The tree of one document, or what is wrong with it."""
    from yaml import BaseLoader, MarkedYAMLError, YAMLError, compose

    try:
        root = compose(text, Loader=BaseLoader)
        if root is None:
            raise _Bad("the file is empty", span_at(file, 0, 0, 0), "a test file has `policy` and `cases`")
        return _Reader(file).node(root, 0), []
    except _Bad as error:
        return None, [error.diagnostic]
    except MarkedYAMLError as error:
        return None, [_not_yaml(error, file)]
    except (YAMLError, RecursionError) as error:
        message = f"this is not YAML: {str(error).splitlines()[0]}"
        return None, [Diagnostic(RULE, message, span_at(file, 0, 0, 0))]


def _not_yaml(error: Any, file: str) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    span = span_at(file, mark.index, mark.line, mark.column) if mark else span_at(file, 0, 0, 0)
    return Diagnostic(RULE, f"this is not YAML: {error.problem or error.context}", span)


def span_at(file: str, index: int, line: int, column: int, width: int = 1) -> Span:
    """A place on one line; line and column count from 0 here."""
    return Span(file, index, index + width, line + 1, column + 1, line + 1, column + 1 + width)


class _Reader:
    """Turns the nodes of PyYAML into ours; an alias that holds itself is an error, and so is a bomb."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.count = 0

    def node(self, source: Any, depth: int) -> Node:
        self.count += 1
        span = self._span(source)
        if self.count > MAX_NODES or depth > MAX_DEPTH:
            raise _Bad("the file is too large, too deep, or an alias in it holds itself", span)
        if source.tag not in _PLAIN:
            raise _Bad(f"the tag `{source.tag}` means nothing here", span, "leave it out")
        if source.id == "mapping":
            return Node("object", self._pairs(source, depth), span)
        if source.id == "sequence":
            return Node("list", tuple(self.node(item, depth + 1) for item in source.value), span)
        return self._scalar(source, span)

    def _pairs(self, source: Any, depth: int) -> tuple[tuple[Node, Node], ...]:
        found: dict[str, tuple[Node, Node]] = {}
        for name, value in source.value:
            if name.id != "scalar":
                raise _Bad("a key is a text", self._span(name))
            key = Node("text", name.value, self._span(name), name.value)
            if key.value == "<<" and name.style is None:
                raise _Bad("`<<` does not merge here", key.span, "name what is shared under `principals`")
            if key.value in found:
                raise _Bad(f"`{key.value}` stands here twice", key.span, "keep one of them")
            found[key.value] = key, self.node(value, depth + 1)
        return tuple(found.values())

    def _scalar(self, source: Any, span: Span) -> Node:
        raw = str(source.value)
        if source.style is not None:
            return Node("text", raw, span, raw)
        if len(raw) > MAX_DIGITS and _NUMBER.fullmatch(raw):
            raise _Bad(f"a number has at most {MAX_DIGITS} characters", span)
        return replace(scalar_of(raw, span), raw=raw)

    def _span(self, source: Any) -> Span:
        start, end = source.start_mark, source.end_mark
        if end.line == start.line:
            return span_at(
                self.file, start.index, start.line, start.column, max(1, end.column - start.column)
            )
        return span_at(self.file, start.index, start.line, start.column)


def scalar_of(raw: str, span: Span) -> Node:
    """What a plain scalar means."""
    if raw in _WORDS:
        kind, value = _WORDS[raw]
        return Node(kind, value, span, raw)
    found = _NUMBER.fullmatch(raw)
    return Node("number", _number(raw, found), span, raw) if found else Node("text", raw, span, raw)


def _number(raw: str, found: re.Match[str]) -> int | float | Decimal:
    """A fraction as a host's JSON would bring it, as long as that is the same number."""
    if found[1] is None and found[2] is None:
        return int(raw)
    exact = Decimal(raw)
    nearest = float(raw)
    is_same = nearest - nearest == 0 and Decimal(repr(nearest)) == exact
    return nearest if is_same else exact
