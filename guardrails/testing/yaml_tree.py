"""YAML as a tree that knows its places: text in, `Node`s and diagnostics out.

The idea: PyYAML only splits the text up; what a plain scalar means is decided here, as JSON would. So `no` is
a text and not false, `1:30` is no number of seconds, and 0.1 is a tenth and not a binary fraction near it.
Nodes are built right from the parser's events, which is where the time of a large file goes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, Literal, NamedTuple, TypeAlias

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
_YAML = "tag:yaml.org,2002:"
_PLAIN = {None, "!", f"{_YAML}str", f"{_YAML}seq", f"{_YAML}map"}


class Node(NamedTuple):
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
    import yaml

    quick = getattr(yaml, "CBaseLoader", None)
    if quick is not None:
        try:
            return _document(text, file, quick), []
        except _Bad as error:
            return None, [error.diagnostic]
        except (yaml.YAMLError, RecursionError):
            pass  # what is wrong is told in the words of the other parser, whether or not there is this one
    return _explained(text, file, yaml)


def _explained(text: str, file: str, yaml: Any) -> tuple[Node | None, list[Diagnostic]]:
    try:
        return _document(text, file, yaml.BaseLoader), []
    except _Bad as error:
        return None, [error.diagnostic]
    except yaml.MarkedYAMLError as error:
        return None, [_not_yaml(error, file)]
    except (yaml.YAMLError, RecursionError) as error:
        message = f"this is not YAML: {str(error).splitlines()[0]}"
        return None, [Diagnostic(RULE, message, span_at(file, 0, 0, 0))]


def _document(text: str, file: str, loader: Any) -> Node:
    """The one document of a text. Raises `_Bad`, and what the parser raises."""
    source = loader(text)
    try:
        return _Reader(file, source.get_event).document()
    finally:
        source.dispose()


def _not_yaml(error: Any, file: str) -> Diagnostic:
    mark = error.problem_mark or error.context_mark
    span = span_at(file, mark.index, mark.line, mark.column) if mark else span_at(file, 0, 0, 0)
    return Diagnostic(RULE, f"this is not YAML: {error.problem or error.context}", span)


def span_at(file: str, index: int, line: int, column: int, width: int = 1) -> Span:
    """A place on one line; line and column count from 0 here."""
    return Span(file, index, index + width, line + 1, column + 1, line + 1, column + 1 + width)


def _too_much(span: Span) -> _Bad:
    most = f"{MAX_NODES:,} values, aliases counted each time, or {MAX_DEPTH} levels"
    return _Bad(f"the file has more than {most}", span, "split it into several files")


class _Reader:
    """Turns events of PyYAML into nodes; an alias that holds itself is an error, and so is a bomb."""

    def __init__(self, file: str, following: Callable[[], Any]) -> None:
        from yaml import events

        self.file = file
        self.following = following
        self.events = events
        self.count = 0
        self.anchors: dict[str, tuple[Node | None, int]] = {}

    def document(self) -> Node:
        self.following()  # the stream begins
        if self.following().__class__ is self.events.StreamEndEvent:
            raise _Bad(
                "the file is empty", span_at(self.file, 0, 0, 0), "a test file has `policy` and `cases`"
            )
        root = self.node(self.following(), 0)
        self.following()  # the document ends
        more = self.following()
        if more.__class__ is not self.events.StreamEndEvent:
            raise _Bad("a second document begins here", self._span(more), "a test file is one document")
        return root

    def node(self, event: Any, depth: int) -> Node:
        """The value that an event begins."""
        kind = event.__class__
        if kind is self.events.AliasEvent:
            return self._alias(event)
        before = self.count
        self.count = before + 1
        if before >= MAX_NODES or depth > MAX_DEPTH:
            raise _too_much(self._span(event))
        if event.tag not in _PLAIN:
            raise _Bad(f"the tag `{event.tag}` means nothing here", self._span(event), "leave it out")
        if event.anchor is not None:
            self.anchors[event.anchor] = None, 0
        if kind is self.events.ScalarEvent:
            node = self._scalar(event)
        elif kind is self.events.MappingStartEvent:
            pairs, end = self._pairs(depth + 1)
            node = Node("object", pairs, self._stretch(event.start_mark, end.end_mark))
        else:
            items, end = self._items(depth + 1)
            node = Node("list", items, self._stretch(event.start_mark, end.end_mark))
        if event.anchor is not None:
            self.anchors[event.anchor] = node, self.count - before
        return node

    def _alias(self, event: Any) -> Node:
        if event.anchor not in self.anchors:
            raise _Bad(f"there is no `&{event.anchor}` above this", self._span(event))
        node, size = self.anchors[event.anchor]
        if node is None:
            raise _Bad("this alias stands inside of what it stands for", self._span(event))
        self.count += size
        if self.count > MAX_NODES:
            raise _too_much(self._span(event))
        return node

    def _items(self, depth: int) -> tuple[tuple[Node, ...], Any]:
        """The items of a list, and the event that ends it."""
        found, end = [], self.events.SequenceEndEvent
        while (event := self.following()).__class__ is not end:
            found.append(self.node(event, depth))
        return tuple(found), event

    def _pairs(self, depth: int) -> tuple[tuple[tuple[Node, Node], ...], Any]:
        """The keys and values of an object, and the event that ends it."""
        found: dict[str, tuple[Node, Node]] = {}
        end = self.events.MappingEndEvent
        while (event := self.following()).__class__ is not end:
            key = self._key(event)
            if key.raw in found:
                raise _Bad(f"`{key.raw}` stands here twice", key.span, "keep one of them")
            found[key.raw] = key, self.node(self.following(), depth)
        return tuple(found.values()), event

    def _key(self, event: Any) -> Node:
        span = self._span(event)
        if event.__class__ is not self.events.ScalarEvent:
            raise _Bad("a key is a text", span)
        name = event.value
        if name == "<<" and not event.style:
            raise _Bad("`<<` does not merge here", span, "name what is shared under `principals`")
        return Node("text", name, span, name)

    def _scalar(self, event: Any) -> Node:
        raw, span = event.value, self._span(event)
        if event.style:
            return Node("text", raw, span, raw)
        if len(raw) > MAX_DIGITS and _NUMBER.fullmatch(raw):
            raise _Bad(f"a number has at most {MAX_DIGITS} characters", span)
        return scalar_of(raw, span)

    def _span(self, event: Any) -> Span:
        return self._stretch(event.start_mark, event.end_mark)

    def _stretch(self, start: Any, end: Any) -> Span:
        """From one mark to another; of what goes over several lines, the first character."""
        width = end.column - start.column if end.line == start.line else 1
        return span_at(self.file, start.index, start.line, start.column, width or 1)


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
