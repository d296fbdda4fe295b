"""Readers of failures in questions about the session's past (see `guardrails.language.explaining`)."""

from __future__ import annotations

from typing import Final

from guardrails.diagnostics import Diagnostic
from guardrails.language.failure import Failure, insert_after, insert_before, shown
from guardrails.language.problems import problem

_PARTS: Final = ("where", "after", "before", "within")
_LISTED: Final = "`call`, `result`, `input` or `output`"


def event(failure: Failure) -> Diagnostic | None:
    """`seen(pay)` for `seen(call pay)`."""
    opened = failure.accepts >= {"CALL", "RESULT", "INPUT", "OUTPUT"} and "NUMBER" not in failure.accepts
    asks = _question(failure) is not None and failure.before.value in ("(", "after", "before")
    if not opened or not asks:
        return None
    message = f"expected {_LISTED} after `{failure.before.value}`{failure.found}"
    if failure.is_cut_short or failure.token.kind not in ("WORD", "STRING"):
        return problem(failure.span, message)
    return problem(failure.token.span, message, fix=insert_before(failure.token.span, "call "))


def last(failure: Failure) -> Diagnostic | None:
    """`last pay` and `last result pay` for `last result of pay`."""
    token, before = failure.token, failure.before
    earlier = failure.tokens[failure.at - 2] if failure.at > 1 else None
    if failure.is_cut_short or token.kind not in ("WORD", "STRING") or not failure.ends_operand:
        return None
    if before.value == "last":
        return problem(
            token.span, f"expected {_LISTED} after `last`, found `{shown(token.value)}`",
            f"write `last result of {token.value}`",
        )  # fmt: skip
    if before.value in ("call", "result") and earlier is not None and earlier.value == "last":
        message = f"missing `of` between `{before.value}` and `{shown(token.value)}`"
        return problem(token.span, message, fix=insert_after(before.span, " of"))
    return None


def order(failure: Failure) -> Diagnostic | None:
    """`seen(call a within 1h where c)`: the parts of a question have their order."""
    word, asked = failure.token.value, _question(failure)
    if word not in _PARTS or asked is None:
        return None
    written = [t.value for t in failure.tokens[asked : failure.at] if t.value in _PARTS]
    later = [part for part in written if _rank(part) >= _rank(word)]
    if not later:
        return None
    message = f"`{word}` cannot stand behind `{later[0]}` here"
    help = "the order is `where`, then `after` or `before`, then `within`, each at most once"
    return problem(failure.token.span, message, help)


def _rank(part: str) -> int:
    return {"where": 0, "after": 1, "before": 1, "within": 2}[part]


def _question(failure: Failure) -> int | None:
    """Where the `seen(` or `count(` begins whose parentheses are the nearest around the failure."""
    closed = 0
    for at in range(min(failure.at, len(failure.tokens)) - 1, 0, -1):
        kind = failure.tokens[at].kind
        closed += kind == "RPAR"
        if kind == "LPAR":
            if closed == 0:
                return at if failure.tokens[at - 1].value in ("seen", "count") else None
            closed -= 1
    return None
