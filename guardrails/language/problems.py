"""The words for everything that can be wrong with the syntax of a policy: one function per mistake.

Each takes where it is and what was written, and gives the `Diagnostic`; the stages before (`lexer`,
`builder`, `parser`) only decide which mistake it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from guardrails.diagnostics import Diagnostic, Edit, Fix, Note, Span, did_you_mean, nearest_word
from guardrails.language.literals import BYTES, MICROSECONDS

if TYPE_CHECKING:
    from guardrails.language.scanner import Token

SYNTAX: Final = "syntax-error"
CODES: Final = {
    "syntax-error": "G001",
    "unclosed-brace": "G002",
    "unclosed-string": "G003",
    "unreadable-character": "G004",
    "nested-too-deep": "G005",
    "wrong-operator": "G006",
    "misplaced-statement": "G007",
    "format-changed-meaning": "G008",
}


class Mistake(Exception):
    """A part of the policy that cannot be built, with the one problem that says why."""

    def __init__(self, problem: Diagnostic) -> None:
        super().__init__(problem.message)
        self.problem = problem


def problem(
    span: Span,
    message: str,
    help: str = "",
    *,
    rule: str = SYNTAX,
    notes: tuple[Note, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """A syntax problem; its code follows from its rule."""
    return Diagnostic(rule, message, span, help=help, notes=notes, fix=fix, code=CODES[rule])


def _instead(span: Span, text: str) -> Fix:
    return Fix(f"write `{text}`", (Edit(span, text),))


def start_of(span: Span) -> Span:
    """The empty stretch before a span."""
    return Span(span.file, span.start, span.start, span.line, span.column, span.line, span.column)


def end_of(span: Span) -> Span:
    """The empty stretch after a span."""
    return Span(span.file, span.end, span.end, span.end_line, span.end_column, span.end_line, span.end_column)


# --- spelling ----------------------------------------------------------------------------------


def unreadable(span: Span, character: str) -> Diagnostic:
    point = f"U+{ord(character):04X}"
    return problem(
        span,
        f"unreadable character {point}",
        "write it as `\\u{...}` inside a string, or remove it",
        rule="unreadable-character",
    )


def too_many(span: Span) -> Diagnostic:
    return problem(span, "too many problems, the rest of the file was not read")


def too_deep(span: Span, most: int) -> Diagnostic:
    return problem(
        span,
        f"nested more than {most} levels deep",
        "name a part of it with `let`",
        rule="nested-too-deep",
    )


def open_string(span: Span) -> Diagnostic:
    return problem(
        span,
        'this string has no closing `"`',
        "a string ends on the line it began on; write a new line in it as `\\n`",
        rule="unclosed-string",
    )


def open_pattern(span: Span) -> Diagnostic:
    return problem(
        span,
        "this pattern has no closing `/`",
        "a pattern ends on the line it began on; write a slash in it as `\\/`",
        rule="unclosed-string",
    )


def foreign_comment(span: Span) -> Diagnostic:
    return problem(span, "a comment begins with `#`", fix=None)


def bad_escape(span: Span, escape: str) -> Diagnostic:
    return problem(
        span,
        f"`{escape}` means nothing in a string",
        'the escapes are `\\"` `\\\\` `\\n` `\\t` `\\r` and `\\u{1F600}`',
    )


def wrong_quotes(span: Span, cure: str) -> Diagnostic:
    return problem(span, "a string stands in double quotes", f"write `{cure}`", fix=_instead(span, cure))


def foreign_operator(span: Span, written: str, cure: str) -> Diagnostic:
    text = cure + " " if written == "!" else cure
    return problem(
        span,
        f"`{written}` is not an operator here",
        f"write `{cure}`",
        rule="wrong-operator",
        fix=_instead(span, text),
    )


def equals_for_comparison(span: Span) -> Diagnostic:
    return problem(
        span,
        "`=` gives a name to a value, it does not compare",
        "to compare, write `==`",
        rule="wrong-operator",
        fix=_instead(span, "=="),
    )


def capital_keyword(span: Span, written: str, cure: str) -> Diagnostic:
    return problem(
        span,
        f"`{written}` is written `{cure}`",
        f"write `{cure}`",
        rule="wrong-operator",
        fix=_instead(span, cure),
    )


def foreign_word(span: Span, word: str) -> Diagnostic:
    return problem(
        span,
        f"`{word}` is no name",
        "names are made of the letters a to z and A to Z, digits and `_`; quote a tool's name",
    )


def foreign_space(span: Span, space: str) -> Diagnostic:
    return problem(
        span,
        f"unusual space U+{ord(space[0]):04X}",
        "write a plain space",
        fix=Fix("write a plain space", (Edit(span, " "),)),
    )


def unknown_character(span: Span, character: str) -> Diagnostic:
    return problem(span, f"`{character}` has no meaning here")


_UNIT_WORDS: Final = {
    "m": ("min", "mins", "minute", "minutes"),
    "s": ("sec", "secs", "second", "seconds"),
    "h": ("hr", "hrs", "hour", "hours"),
    "d": ("day", "days"),
    "w": ("wk", "week", "weeks"),
    "ms": ("msec", "millis", "milliseconds"),
}
_SIZE_WORDS: Final = {
    "KB": ("k", "kb"),
    "MB": ("mb", "meg"),
    "GB": ("g", "gb", "gig"),
    "TB": ("t", "tb"),
    "KiB": ("kib",),
    "MiB": ("mib",),
    "GiB": ("gib",),
    "TiB": ("tib",),
}


def bad_number(span: Span, written: str) -> tuple[Diagnostic, str, str]:
    """The problem, and the kind and text of the literal that was probably meant."""
    found = re.match(r"(\d[\d_]*(?:\.\d[\d_]*)?)(.*)", written)
    digits, unit = (found[1], found[2]) if found else (written, "")
    for kind, table in (("DURATION", _UNIT_WORDS), ("SIZE", _SIZE_WORDS)):
        for cure, spellings in table.items():
            if unit in spellings or unit.lower() in spellings:
                return _unknown_unit(span, unit, digits + cure), kind, digits + cure
    if unit and unit[0].isalpha() and unit.isalpha():
        return problem(span, f"unknown unit `{unit}`", _units_help()), "NUMBER", digits
    return problem(span, f"`{written}` is no number", "a number looks like `1_000` or `0.5`"), "NUMBER", "1"


def _unknown_unit(span: Span, unit: str, cure: str) -> Diagnostic:
    return problem(span, f"unknown unit `{unit}`", f"did you mean `{cure}`?", fix=_instead(span, cure))


def _units_help() -> str:
    return f"durations end in {listed(MICROSECONDS)}, sizes in {listed(BYTES)}"


def listed(words: Iterable[str]) -> str:
    """`a` `b` `c`"""
    return " ".join(f"`{word}`" for word in words)


def bad_literal(span: Span, text: str, reason: str) -> Diagnostic:
    shown = text if len(text) <= 40 else text[:37] + "..."
    return problem(span, f"`{shown}` has no value", reason)


# --- brackets ------------------------------------------------------------------------------------


def missing_brace(span: Span, opener: Span) -> Diagnostic:
    return problem(
        span,
        "missing `}` before this",
        rule="unclosed-brace",
        notes=(Note(opener, "this `{` is never closed"),),
        fix=Fix("insert `}`", (Edit(start_of(span), "}\n"),), "unsafe"),
    )


def brace_missing_at_end(span: Span, opener: Span) -> Diagnostic:
    return problem(
        span,
        "missing `}` at the end of the file",
        rule="unclosed-brace",
        notes=(Note(opener, "this `{` is never closed"),),
        fix=Fix("insert `}`", (Edit(end_of(span), "\n}"),), "unsafe"),
    )


def extra_brace(span: Span) -> Diagnostic:
    return problem(
        span, "this `}` closes nothing", rule="unclosed-brace", fix=Fix("remove `}`", (Edit(span, ""),))
    )


def missing_open_brace(span: Span, before: str) -> Diagnostic:
    fix = Fix("insert `{`", (Edit(end_of(span), " {"),))
    return problem(span, f"expected `{{` after `{before}`", rule="unclosed-brace", fix=fix)


def open_bracket(opener: Token) -> Diagnostic:
    return problem(opener.span, f"this `{opener.value}` is never closed", rule="unclosed-brace")


# --- parts that do not fit together --------------------------------------------------------------


def duplicate_clause(span: Span, word: str, first: Span) -> Diagnostic:
    cures = {
        "when": "join the two conditions with `and`",
        "unless": "join the two conditions with `or`",
    }
    return problem(
        span,
        f"a second `{word}`",
        cures.get(word, "keep one of them"),
        notes=(Note(first, f"the first `{word}`"),),
    )


def threshold_without_above(span: Span) -> Diagnostic:
    return problem(
        span,
        "this threshold does not say what holds above its last bound",
        "end it with a row such as `above: deny`",
    )


def second_above(span: Span, first: Span) -> Diagnostic:
    return problem(span, "a second `above`", "keep one of them", notes=(Note(first, "the first `above`"),))


def above_not_last(span: Span) -> Diagnostic:
    return problem(span, "`above` is the last row of a threshold", "move it below the other rows")


def bad_quorum(span: Span, written: str) -> Diagnostic:
    return problem(
        span,
        f"`{written}` is no number of approvals",
        "write a whole number from 1, as in `ask 2 of finance`",
    )


def several_detectors(span: Span) -> Diagnostic:
    return problem(
        span,
        "one `redact` looks for one thing",
        "write a `redact` for each detector, or `redact args.a, args.b` to redact whole fields",
    )


def method_argument(span: Span, message: str) -> Diagnostic:
    return problem(span, message)


def unknown_word(span: Span, what: str, word: str, known: Iterable[str]) -> Diagnostic:
    known = list(known)
    return problem(
        span,
        f"unknown {what} `{word}`",
        did_you_mean(word, known) or f"it is one of {listed(known)}",
        fix=_nearest_fix(span, word, known),
    )


def _nearest_fix(span: Span, word: str, known: Iterable[str]) -> Fix | None:
    nearest = nearest_word(word, known)
    return Fix(f"write `{nearest}`", (Edit(span, nearest),), "unsafe") if nearest else None


def not_a_measure(span: Span) -> Diagnostic:
    return problem(
        span,
        "expected `sum(...)` or `distinct(...)` before `to`",
        "as in `limit sum(args.amount) to 1000 per 1d`",
    )


def incomplete_breaker(span: Span, missing: str) -> Diagnostic:
    example = {"open after": "open after 5 failures in 1m", "retry after": "retry after 60s"}[missing]
    return problem(span, f"this breaker has no `{missing}`", f"add a line such as `{example}`")


def count_without_variable(span: Span) -> Diagnostic:
    return problem(
        span, "expected a variable and a collection before `where`", "as in `count(x in xs where x > 1)`"
    )


def not_a_function(span: Span) -> Diagnostic:
    return problem(span, "only a function's name can be called", "as in `lower(args.name)`")


def named_argument_first(span: Span) -> Diagnostic:
    return problem(span, "arguments with a name come last")


def format_changed(span: Span) -> Diagnostic:
    return problem(
        span,
        "formatting would have changed what this policy means, so the file was left as it is",
        "this is a defect of the formatter, please report it with the file",
        rule="format-changed-meaning",
    )
