"""The canonical form of a policy: a tree in, text out, every comment kept.

Nodes with a body (blocks, thresholds, records, breakers, label orders) are `units.Unit`s, set line by line;
everything within a line comes from `printing`. The one idea: a `_Weaver` walks the units in the order of
the text with the comments as a queue, and takes each comment where it belongs.
"""

from __future__ import annotations

from collections import deque

from guardrails.diagnostics import Diagnostic, Span
from guardrails.language import problems, syntax
from guardrails.language.layout import STEP, WIDTH, Group, flat, render
from guardrails.language.parser import parse
from guardrails.language.tree import comments_of, same_meaning
from guardrails.language.units import Unit, units_of


def format_text(text: str, file: str) -> tuple[str | None, list[Diagnostic]]:
    """The canonical text; None with the reasons where it does not parse or its meaning would move."""
    tree, found = parse(text, file)
    if tree is None:
        return None, found
    formatted = format_file(tree)
    again, _ = parse(formatted, file)
    if again is None or not same_meaning(tree, again) or comments_of(tree) != comments_of(again):
        return None, [problems.format_changed(tree.span)]
    return formatted, found


def format_file(file: syntax.File) -> str:
    """The canonical text of a file."""
    weaver = _Weaver(file)
    weaver.run()
    return "".join(f"{line}\n" for line in weaver.lines)


class _Weaver:
    """Sets units line by line, and each comment before, behind or after the unit it belongs to."""

    def __init__(self, file: syntax.File) -> None:
        self.units = units_of(file)
        self.comments = deque(file.comments)
        self.lines: list[str] = []
        self.indent = 0
        self.last: int | None = None  # the line of the text where what was set last ended

    def run(self) -> None:
        before: Unit | None = None
        for unit in self.units:
            if before is not None and not self._together(before, unit) and not self._has_gap(unit):
                self.lines.append("")
                self.last = None
            self._unit(unit)
            before = unit
        self._flush_comments()

    def _together(self, first: Unit, second: Unit) -> bool:
        """May two items stand without a blank line between them?"""
        return first.kind == second.kind and self._is_line(first) and self._is_line(second)

    def _is_line(self, unit: Unit) -> bool:
        return self._on_one_line(unit) is not None or (unit.body is None and "\n" not in self._text(unit))

    def _has_gap(self, unit: Unit) -> bool:
        """Is there a blank line in the text anywhere between what was set last and this unit?"""
        ends = [] if self.last is None else [self.last]
        begins: list[int] = []
        for comment in self.comments:
            if comment.span.start >= unit.span.start:
                break
            begins.append(comment.span.line)
            ends.append(comment.span.line)
        return any(begin - end > 1 for end, begin in zip(ends, [*begins, unit.span.line], strict=True))

    def _unit(self, unit: Unit) -> None:
        self._comments_before(unit.body.start if unit.body else unit.span.end, unit.span)
        line = self._on_one_line(unit)
        if unit.body is None:
            self._set(self._text(unit), unit.span.line)
        elif line is not None:
            self._set(line, unit.span.line)
        else:
            self._body(unit)
        self.last = unit.span.end_line
        self._comment_behind(unit.span)

    def _text(self, unit: Unit) -> str:
        return render(unit.head, self.indent)

    def _on_one_line(self, unit: Unit) -> str | None:
        """A body the author set on one line stays there, if it fits."""
        body = unit.body
        if body is None or not body.is_line or (self.comments and self.comments[0].span.start < body.end):
            return None
        line = flat(unit.on_one_line())
        return line if self.indent + len(line) <= WIDTH else None

    def _body(self, unit: Unit) -> None:
        body = unit.body
        if body is None:
            return
        self._set(render(Group((unit.head, " {")), self.indent), unit.span.line)
        self._comment_behind(body.opening)
        self.last = None
        self.indent += STEP
        for child in body.units:
            self._unit(child)
        self._comments_before(body.end - 1)
        self.indent -= STEP
        self.last = None
        self._set(render(Group(("}", unit.tail)), self.indent), unit.span.line)

    def _set(self, text: str, line: int) -> None:
        """Add lines; a blank line of the author's before them is kept, as one."""
        if self.last is not None and line - self.last > 1:
            self.lines.append("")
        first, *others = text.split("\n")
        self.lines.append(" " * self.indent + first)
        self.lines += others

    def _comments_before(self, end: int, unit: Span | None = None) -> None:
        """Set the comments that begin before `end` on lines of their own, those inside the unit, too."""
        while self.comments and self.comments[0].span.start < end:
            comment = self.comments.popleft()
            inside = unit is not None and comment.span.start >= unit.start
            line = unit.line if unit is not None and inside else comment.span.line
            self._set(comment.text.rstrip(), line)
            self.last = line

    def _comment_behind(self, span: Span) -> None:
        """Set the comment that ends a line behind it."""
        if not self.comments:
            return
        comment = self.comments[0]
        if not comment.own_line and comment.span.line == span.end_line and comment.span.start >= span.end:
            self.comments.popleft()
            self.lines[-1] += "  " + comment.text.rstrip()

    def _flush_comments(self) -> None:
        for comment in self.comments:
            self._set(comment.text.rstrip(), comment.span.line)
            self.last = comment.span.line
