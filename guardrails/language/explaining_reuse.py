"""Readers of failures in how far an approval goes (see `guardrails.language.explaining`)."""

from __future__ import annotations

from typing import Final

from guardrails.diagnostics import Diagnostic
from guardrails.language.failure import Failure, shown
from guardrails.language.problems import problem

_EXAMPLE: Final = "as in `ask finance for 3 calls in session, args.amount up to 200 each`"
_EARLIER: Final = ("within", "else", "of")


def reuse(failure: Failure) -> Diagnostic | None:
    """`ask finance for session`, `for 3 times`, `up to 200` of nothing in particular."""
    if not _is_inside(failure):
        return None
    before = shown(failure.before.value)
    if "APIECE" in failure.accepts:
        message = f"say what `{before}` is for: `each` call, or all of them in `total`{failure.found}"
        return problem(failure.span, message, _EXAMPLE)
    if "CALLS" in failure.accepts:
        return problem(failure.span, f"expected `calls in session` after `{before}`{failure.found}", _EXAMPLE)
    if failure.accepts <= {"IN", "SESSION"}:
        return problem(failure.span, f"expected `in session` after `for ... calls`{failure.found}", _EXAMPLE)
    if failure.token.value == "up" and "UP" not in failure.accepts:
        return problem(failure.token.span, "say what is up to that: `, args.amount up to 200 each`", _EXAMPLE)
    if failure.token.value == "to" and failure.before.value == "up":
        return problem(
            failure.before.span, "say what is up to that: `, args.amount up to 200 each`", _EXAMPLE
        )
    if "UP" in failure.accepts and not failure.wants_operand:
        return problem(failure.span, f"expected `up to` after `{before}`{failure.found}", _EXAMPLE)
    if failure.token.value in _EARLIER and failure.may_end:
        return problem(failure.token.span, f"`{failure.token.value}` comes before `for`", _EXAMPLE)
    return None


def misplaced(failure: Failure) -> Diagnostic | None:
    """`ask finance when c for 3 calls in session`, `deny for 3 calls in session`."""
    if failure.token.value != "for" or failure.effect not in ("ask", "deny", "allow", "halt"):
        return None
    if failure.effect != "ask":
        message = f"`{failure.effect}` is not for a number of calls; only an approval is"
        return problem(failure.token.span, message)
    message = (
        "`for ... calls in session` belongs to `ask` and comes before its `when`, `unless` and `because`"
    )
    return problem(failure.token.span, message)


def _is_inside(failure: Failure) -> bool:
    """Whether the piece stopped behind the `for` of an `ask`."""
    words = [token.value for token in failure.tokens[: failure.at] if token.kind == "WORD"]
    asks = [at for at, word in enumerate(words) if word == "ask"]
    if not asks:
        return False
    since = words[asks[-1] + 1 :]
    return "for" in since and not {"when", "unless", "because"} & set(since)
