"""A parse that failed: where it stopped, what it could have gone on with, and the edits that may cure it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guardrails.diagnostics import Diagnostic, Edit, Fix, Span
from guardrails.language.problems import end_of, start_of
from guardrails.language.scanner import Token

_END: Final = Token("END", "", 0, 1, 1, "")


@dataclass(frozen=True, slots=True)
class Failure:
    """The tokens of a piece, the index of the one that did not fit, and the terminals that would have.

    `start` is the rule it was read as; `problem` is set where a part was built and found wrong.
    """

    tokens: list[Token]
    at: int
    accepts: frozenset[str]
    start: str
    problem: Diagnostic | None = None

    @property
    def token(self) -> Token:
        """The token that did not fit; one of kind END where the piece ended too early."""
        return self.tokens[self.at] if self.at < len(self.tokens) else _END

    @property
    def before(self) -> Token:
        return self.tokens[self.at - 1] if 0 < self.at <= len(self.tokens) else _END

    @property
    def after(self) -> Token:
        return self.tokens[self.at + 1] if self.at + 1 < len(self.tokens) else _END

    @property
    def head(self) -> int:
        """The index of the word that says what this piece is, after its mark and `shadow`."""
        at = 2 if len(self.tokens) > 1 and self.tokens[1].kind == "COLON" else 0
        return at + 1 if at < len(self.tokens) and self.tokens[at].value == "shadow" else at

    @property
    def effect(self) -> str:
        return self.tokens[self.head].value if self.head < len(self.tokens) else ""

    @property
    def is_cut_short(self) -> bool:
        """Did the text end, or its line, where something was still missing?"""
        return self.token.kind in ("END", "RBRACE") or self.token.first

    @property
    def may_end(self) -> bool:
        """Could the piece have ended before this token?"""
        return bool(self.accepts & {"_SEP", "$END"})

    @property
    def wants_operand(self) -> bool:
        return "NUMBER" in self.accepts and "NAME" in self.accepts

    @property
    def ends_operand(self) -> bool:
        return "AND" in self.accepts or "PLUS" in self.accepts

    @property
    def span(self) -> Span:
        """The token that did not fit, or the last one that did where the text was cut short."""
        return self.before.span if self.is_cut_short and self.at > 0 else self.token.span

    @property
    def found(self) -> str:
        """ ", found `x`" where something stands in the wrong place."""
        return "" if self.is_cut_short and self.at > 0 else f", found `{shown(self.token.value)}`"


def shown(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def replace(span: Span, text: str, title: str = "") -> Fix:
    return Fix(title or f"write `{text}`", (Edit(span, text),))


def insert_before(span: Span, text: str) -> Fix:
    return Fix(f"insert `{text.strip()}`", (Edit(start_of(span), text),))


def insert_after(span: Span, text: str) -> Fix:
    return Fix(f"insert `{text.strip()}`", (Edit(end_of(span), text),))
