"""The lines of a policy, as the formatter sets them: each item, statement, row, field or setting is a `Unit`.

Takes a file, gives its units with their places in the text, so that comments can be put between them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from guardrails.diagnostics import Span
from guardrails.language import printing_statements as printing
from guardrails.language import syntax
from guardrails.language.layout import Doc, Group, joined
from guardrails.language.printing import field, value


@dataclass(frozen=True, slots=True)
class Unit:
    """A line of a body: its kind, where it stands, its text up to a body of its own, the body, what follows."""

    kind: str
    span: Span
    head: Doc
    body: Body | None = None
    tail: Doc = ""

    def on_one_line(self) -> Doc:
        """The unit with all its bodies on the same line."""
        if self.body is None:
            return self.head
        inner = joined((unit.on_one_line() for unit in self.body.units), "; ")
        return (self.head, " { ", inner, " }" if self.body.units else "}", self.tail)


@dataclass(frozen=True, slots=True)
class Body:
    """What stands between two braces: from the offset `start` to the offset `end`, both braces included."""

    opening: Span
    end: int
    is_line: bool
    units: tuple[Unit, ...]

    @property
    def start(self) -> int:
        return self.opening.start


def units_of(file: syntax.File) -> list[Unit]:
    """The units of a file's items."""
    maker = _Maker(file)
    return [maker.item(item) for item in file.items]


class _Maker:
    def __init__(self, file: syntax.File) -> None:
        self.text = _without_comments(file)

    def item(self, node: syntax.Item) -> Unit:
        kind = type(node).__name__.removesuffix("Tools").removesuffix("Policy")
        match node:
            case syntax.Block():
                head, start = printing.block_head(node), node.header.end
                units = tuple(map(self._statement, node.body))
            case syntax.Task():
                last = node.parameters[-1].span.end if node.parameters else node.span.start
                head, start = printing.task_head(node), last
                units = tuple(map(self._task_part, node.parts))
            case syntax.BreakerItem():
                head, start = printing.breaker_head(node), node.tools[-1].span.end
                units = self._settings(node.breaker)
            case syntax.LabelOrder():
                head, start = "type label", node.span.start
                units = self._chains(node)
            case syntax.TypeItem(definition=syntax.TypeRecord(fields=fields)):
                head, start = f"type {node.name}", node.definition.span.start
                units = tuple(Unit("field", member.span, field(member)) for member in fields)
            case _:
                return Unit(kind, node.span, printing.item(node))
        return Unit(kind, node.span, head, self._body(node.span, start, units))

    def _task_part(self, node: syntax.OnlyCalls | syntax.Block) -> Unit:
        if isinstance(node, syntax.Block):
            return self.item(node)
        return Unit("statement", node.span, printing.only_calls(node))

    def _statement(self, node: syntax.Statement | syntax.Let) -> Unit:
        if isinstance(node, syntax.Let):
            return Unit("let", node.span, printing.let(node))
        lead, effect, clauses = printing.lead(node), node.effect, printing.clauses(node)
        if isinstance(effect, syntax.Threshold):
            head: Doc = (lead, "threshold ", value(effect.value))
            body = self._body(effect.span, effect.value.span.end, tuple(map(_row, effect.rows)))
        elif isinstance(effect, syntax.Breaker):
            head = lead + "breaker"
            body = self._body(effect.span, effect.span.start, self._settings(effect))
        else:
            return Unit("statement", node.span, Group((lead, printing.effect(effect), clauses)))
        return Unit("statement", node.span, head, body, clauses)

    def _body(self, span: Span, start: int, units: tuple[Unit, ...]) -> Body:
        """The body whose brace is the first one after `start`."""
        opening = self._find("{", start, span)
        is_line = opening.line == span.end_line
        return Body(opening, span.end, is_line, units)

    def _settings(self, node: syntax.Breaker) -> tuple[Unit, ...]:
        """The settings of a breaker, in the author's order."""
        spans = [condition.span for condition in node.open_after] + [node.retry_after.span]
        start = node.span.start
        if node.fallback is not None:
            spans.append(self._find("fallback", start, node.span))
        if node.by:
            spans.append(node.by[0].span.to(node.by[-1].span))
        lines = zip(spans, printing.breaker_lines(node), strict=True)
        return _in_order(Unit("setting", span, line) for span, line in lines)

    def _chains(self, node: syntax.LabelOrder) -> tuple[Unit, ...]:
        units, start = [], self._find("{", node.span.start, node.span).end
        for chain in node.chains:
            place = self._find(chain[0], start, node.span)
            start = self._find(chain[-1], place.start, node.span).end
            units.append(Unit("chain", place, joined(chain, " < ")))
        return tuple(units)

    def _find(self, word: str, start: int, within: Span) -> Span:
        """Where a word or brace first stands after an offset; the whole place where there is no text."""
        found = re.compile(rf"(?<!\w){re.escape(word)}(?!\w)" if word != "{" else "{").search(
            self.text, start
        )
        if found is None or found.start() >= within.end:
            return within
        line = within.line + self.text.count("\n", within.start, found.start())
        return Span(within.file, found.start(), found.end(), line, 1, line, 1)


def _row(node: syntax.Row) -> Unit:
    return Unit("row", node.span, printing.with_reason(printing.row_head(node), node.because))


def _in_order(units: Iterable[Unit]) -> tuple[Unit, ...]:
    return tuple(sorted(units, key=lambda unit: unit.span.start))


def _without_comments(file: syntax.File) -> str:
    """The text with its comments blanked out, so that nothing is found in them."""
    parts, end = [], 0
    for comment in file.comments:
        parts += [file.text[end : comment.span.start], " " * len(comment.text)]
        end = comment.span.end
    return "".join([*parts, file.text[end:]])
