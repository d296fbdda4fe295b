"""Diagnostics as data: what is wrong with a policy, where, and what to do about it.

One type serves the parser, the checker, the compiler and the linter; text, JSON, SARIF and GitHub
output (`guardrails.renderings`) are views of it. A message is one sentence in lower case without a full
stop, user text stands in backticks, advice goes into `help`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Literal, NamedTuple, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "info"]
Safety: TypeAlias = Literal["safe", "unsafe"]


class Span(NamedTuple):
    """A stretch of a file. Lines and columns count from 1 (columns in code points), the end is exclusive;
    `start` and `end` are offsets in code points."""

    file: str
    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int

    def to(self, other: Span) -> Span:
        """The stretch from the start of this span to the end of `other`."""
        return Span(
            self.file, self.start, other.end, self.line, self.column, other.end_line, other.end_column
        )

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Note:
    """A second place that explains the first."""

    span: Span
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """`safe` edits keep the meaning (or restore what was plainly meant); `unsafe` ones need a look."""

    title: str
    edits: tuple[Edit, ...]
    safety: Safety = "safe"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `rule` is a kebab-case name that reads well after "allow ...", `code` is short and stable."""

    rule: str
    message: str
    span: Span
    severity: Severity = "error"
    help: str = ""
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None
    code: str = field(default="")

    @property
    def is_error(self) -> bool:
        return self.severity == "error"


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(diagnostic.is_error for diagnostic in diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, each finding once."""
    unique = dict.fromkeys(diagnostics)
    return sorted(unique, key=lambda found: (found.span.file, found.span.start, found.rule, found.message))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """ "did you mean `x`?" for the nearest known word, or an empty string. The one source of suggestions."""
    nearest = nearest_word(word, known)
    return f"did you mean `{nearest}`?" if nearest else ""


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, where one is like it at all."""
    candidates = {name.lower(): name for name in sorted(known, reverse=True)}
    close = get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return candidates[close[0]] if close else None
