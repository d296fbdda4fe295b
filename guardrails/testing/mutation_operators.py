"""Mutants: a parsed policy file in, small changes of it out, each of which a good test would notice.

A mutant is made on the syntax tree: a node is replaced, printed, and put in the place of the old one, so that
all else stays as it was written. The number of lines stays too: tests may name a statement by its line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from guardrails.diagnostics import Span
from guardrails.language import syntax
from guardrails.testing.mutation_edits import Made
from guardrails.testing.mutation_effects import OUTCOMES, of_effect, of_outcome
from guardrails.testing.mutation_expressions import of_condition, of_value
from guardrails.testing.mutation_origins import granted_in, narrowing, of_flow, of_only_calls


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: which operator made it, what it did in words, and the new text of a stretch of the file.
    `block` is the block that it is in (None: it may matter anywhere)."""

    operator: str
    what: str
    span: Span
    text: str
    block: Span | None = None

    @property
    def id(self) -> str:
        return f"{self.span.file}:{self.span.start}-{self.span.end}:{self.text.strip()}"

    def applied(self, source: str) -> str:
        """The file with the change in it."""
        return source[: self.span.start] + self.text + source[self.span.end :]


def mutants_of(file: syntax.File) -> Iterator[Mutant]:
    """All mutants of a file in the order of its text, each once."""
    seen: set[tuple[int, int, str]] = set()
    found = sorted(
        _all(file), key=lambda mutant: (mutant.span.start, mutant.span.end, mutant.operator, mutant.text)
    )
    for mutant in found:
        key = (mutant.span.start, mutant.span.end, mutant.text.strip())
        if key not in seen and mutant.text.strip() != file.text[mutant.span.start : mutant.span.end].strip():
            seen.add(key)
            yield mutant


def _all(file: syntax.File) -> Iterator[Mutant]:
    for item in file.items:
        for block, made in _of_item(item, file):
            operator, what, span, text = made
            lines = file.text[span.start : span.end].count("\n") - text.count("\n")
            yield Mutant(operator, what, span, text + "\n" * max(0, lines), block)


Placed: TypeAlias = tuple[Span | None, Made]
"""What was made, and the block that it is in."""


def _of_item(item: syntax.Item, file: syntax.File) -> Iterator[Placed]:
    if isinstance(item, syntax.Task):
        yield from _task(item, file)
        return
    block = item.span if isinstance(item, syntax.Block | syntax.Flow) else None
    yield from ((block, made) for made in _made(item, file.text))


def _made(item: syntax.Item, source: str) -> Iterator[Made]:
    if isinstance(item, syntax.Block):
        yield from _block(item, source)
    elif isinstance(item, syntax.Flow):
        yield from of_flow(item, _shown(item, source))
        yield from () if item.when is None else of_condition(item.when)
    elif isinstance(item, syntax.Default):
        yield from of_outcome(item.effect)
    elif isinstance(item, syntax.Param | syntax.Let):
        value = item.default if isinstance(item, syntax.Param) else item.value
        yield from () if value is None else of_value(value)
    elif isinstance(item, syntax.BreakerItem):
        yield from of_effect(item.breaker)


# --- tasks -------------------------------------------------------------------------------------


def _task(task: syntax.Task, file: syntax.File) -> Iterator[Placed]:
    """A task, and each of its parts. Without the task, whoever opens a session for it is told so."""
    yield None, ("dropped task", f"`task {task.name}` is gone", task.span, "")
    for part in task.parts:
        shown = _shown(part, file.text)
        if isinstance(part, syntax.OnlyCalls):
            yield from ((part.span, made) for made in of_only_calls(part, granted_in(file), shown))
            continue
        yield part.span, ("dropped statement", f"`{shown}` is gone", part.span, "")
        for made in _block(part, file.text):
            yield from ((part.span, each) for each in narrowing(made))


# --- blocks and statements ---------------------------------------------------------------------


def _block(block: syntax.Block, source: str) -> Iterator[Made]:
    yield from _clauses(block, source, block.header.start)
    for part in block.body:
        if isinstance(part, syntax.Let):
            yield from of_value(part.value)
            continue
        yield "dropped statement", f"`{_shown(part, source)}` is gone", part.span, ""
        yield from _clauses(part, source, part.effect.span.end)
        if not (isinstance(part.effect, OUTCOMES) and (part.shadow or block.shadow)):
            yield from of_effect(part.effect)


def _clauses(owner: syntax.Block | syntax.Statement, source: str, start: int) -> Iterator[Made]:
    for word, condition in (("when", owner.when), ("unless", owner.unless)):
        if condition is None:
            continue
        span = _with_word(source, word, condition.span, start)
        if span is not None:
            yield f"dropped {word}", f"`{_shown(condition, source)}` is no longer asked", span, ""
        yield from of_condition(condition)


def _with_word(source: str, word: str, span: Span, start: int) -> Span | None:
    """The clause with its word and with the parentheses around the whole of it."""
    begin, end = span.start, span.end
    while source[start:begin].rstrip().endswith("(") and source[end:].lstrip().startswith(")"):
        begin, end = source.rindex("(", start, begin), source.index(")", end) + 1
    found = source.rfind(word, start, begin)
    if found < 0 or source[found + len(word) : begin].strip():
        return None
    return span._replace(start=found, end=end)


def _shown(node: syntax.Node, source: str) -> str:
    text = " ".join(source[node.span.start : node.span.end].split())
    return text if len(text) <= 60 else f"{text[:57]}..."
