"""Readers of failures in expressions and lists (see `guardrails.language.explaining`)."""

from __future__ import annotations

from typing import Final

from guardrails.diagnostics import Diagnostic, did_you_mean
from guardrails.language.failure import Failure, insert_after, insert_before, shown
from guardrails.language.lexer import CONTINUES
from guardrails.language.problems import problem
from guardrails.language.recovery import begins_item, begins_statement
from guardrails.language.scanner import LITERALS, RESERVED, Token

# --- expressions ---------------------------------------------------------------------------------

_CONDITION_WORDS: Final = ("when", "unless", "require", "where", "and", "or", "not")
_COMPARE_KINDS: Final = ("COMPARE", "LESSTHAN", "MORETHAN")
_COMPARING: Final = ("in", "matches", "like", "contains", "within", "is", "has")


def operand(failure: Failure) -> Diagnostic | None:
    """Nothing, or nothing that can be read, where a condition or a value is due."""
    if not failure.wants_operand or failure.at == 0:
        return None
    before = failure.before
    head = failure.head
    after_head = [token.kind for token in failure.tokens[head + 1 : head + 2]]
    if failure.effect == "threshold" and after_head == ["LBRACE"]:
        return problem(failure.tokens[head].span, "expected a value after `threshold`")
    if before.kind == "LBRACE" and failure.at > 1 and begins_statement(failure.tokens, failure.at):
        before = failure.tokens[failure.at - 2]
        return problem(before.span, f"expected {_wanted(before)} after `{shown(before.value)}`")
    message = f"expected {_wanted(before)} after `{shown(before.value)}`{failure.found}"
    return problem(failure.span, message, _hint(failure))


def _wanted(before: Token) -> str:
    return "a condition" if before.value in _CONDITION_WORDS or before.kind == "COLON" else "a value"


def _hint(failure: Failure) -> str:
    if failure.token.kind in ("COMPARE", "EQUAL") and failure.before.kind in _COMPARE_KINDS:
        return "write one comparison operator"
    if failure.token.value in RESERVED and not failure.is_cut_short:
        return f"`{failure.token.value}` is a word of the language"
    return ""


def chained(failure: Failure) -> Diagnostic | None:
    """`a < b < c`."""
    token = failure.token
    compares = token.kind in _COMPARE_KINDS or token.value in _COMPARING
    if not compares or "AND" not in failure.accepts or "COMPARE" in failure.accepts:
        return None
    return problem(token.span, "comparisons do not chain", "compare twice: `a < b and b < c`")


def missing_comma(failure: Failure) -> Diagnostic | None:
    """Two members of a list side by side."""
    token = failure.token
    if "COMMA" not in failure.accepts or failure.is_cut_short or not _is_operand(token):
        return None
    in_brackets = failure.accepts & {"RPAR", "RSQB", "RBRACE"} and not failure.may_end
    is_tool = "LBRACE" in failure.accepts and not failure.ends_operand
    if not in_brackets and (not is_tool or begins_statement(failure.tokens, failure.at)):
        return None
    fix = insert_after(failure.before.span, ",")
    return problem(token.span, f"missing `,` before `{shown(token.value)}`", fix=fix)


def _is_operand(token: Token) -> bool:
    return token.kind in LITERALS or (token.kind == "WORD" and token.value not in RESERVED)


def after_operand(failure: Failure) -> Diagnostic | None:
    """Two statements on one line, or two values side by side."""
    token = failure.token
    if token.kind == "END" or failure.at == 0:
        return None
    starts = begins_item if failure.start == "item" else begins_statement
    if failure.may_end and starts(failure.tokens, failure.at):
        fix = insert_before(token.span, "; ")
        return problem(token.span, f"expected a new line or `;` before `{token.value}`", fix=fix)
    if not failure.ends_operand:
        return None
    if token.kind == "COMMA":
        return problem(token.span, "unexpected `,`", "join conditions with `and` or `or`")
    return _side_by_side(failure) if _is_operand(token) else None


def _side_by_side(failure: Failure) -> Diagnostic:
    token, before = failure.token, failure.before
    if before.kind == "WORD" and before.value in CONTINUES and failure.at > 1:
        earlier = failure.tokens[failure.at - 2].value
        return problem(before.span, f"expected a value after `{shown(earlier)}`, found `{before.value}`")
    return problem(
        token.span,
        f"expected an operator between `{shown(before.value)}` and `{shown(token.value)}`",
        did_you_mean(token.value, _words_after(failure)) if token.kind == "WORD" else "",
    )


def _words_after(failure: Failure) -> tuple[str, ...]:
    return (*_OPERATOR_WORDS, *(_COUNTED if failure.effect == "limit" else ()))


_COUNTED: Final = ("calls", "inputs", "outputs", "results")
_OPERATOR_WORDS: Final = ("and", "or", "not", *_COMPARING, "else")
