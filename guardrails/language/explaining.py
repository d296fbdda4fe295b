"""From a parse that failed to the one problem a person can act on.

Takes where the parser stopped and what it could have gone on with, gives a `Diagnostic`. The one idea: a
list of readers, from the most particular mistake to the most general; the first that recognises the
failure words it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from guardrails.diagnostics import Diagnostic
from guardrails.language import explaining_past as past
from guardrails.language import explaining_reuse as far
from guardrails.language import explaining_statements as statements
from guardrails.language import explaining_values as values
from guardrails.language.failure import Failure, shown
from guardrails.language.problems import extra_brace, problem


def explain(failure: Failure) -> Diagnostic:
    """The problem behind a failed parse."""
    if failure.problem is not None:
        return failure.problem
    for reader in _READERS:
        found = reader(failure)
        if found is not None:
            return found
    if failure.token.kind == "END":
        return problem(failure.before.span, f"`{shown(failure.before.value)}` cannot stand at the end")
    return problem(failure.token.span, f"unexpected `{shown(failure.token.value)}`")


# --- whatever is left ----------------------------------------------------------------------------

_SPELLED: Final = {
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "COLON": "`:`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "DOT": "`.`",
    "LESSTHAN": "`<`",
    "MORETHAN": "`>`",
    "STRING": "a text in quotes",
    "NUMBER": "a number",
    "PERCENT": "a percentage such as `5%`",
    "DURATION": "a duration such as `1d`",
    "COMPARE": "`==`",
    "OPTIONAL": "`?`",
    "MODULO": "`%`",
    "VBAR": "`|`",
    "REGEX": "a pattern such as `/[0-9]+/`",
    "LASTING": "`within`",
    "ELAPSED": "`duration`",
    "NAME": "a name",
    "WORD": "a name",
}


# Terminals that say nothing where others may follow, too.
_UNTOLD: Final = frozenset(
    {
        "_SEP",
        "$END",
        "EACH",
        "MARK",
        "OPTIONAL",
        "DOT",
        "LSQB",
        "LPAR",
        "COMPARE",
        "LESSTHAN",
        "MORETHAN",
        "PLUS",
    }
    | {
        "MINUS",
        "STAR",
        "SLASH",
        "MODULO",
        "VBAR",
        "AMPERSAND",
        "ELSE",
        "WHERE",
        "IN",
        "NOT",
        "IS",
        "AND",
        "OR",
    }
    | {"MATCHES", "LIKE", "CONTAINS", "WITHIN", "HAS"}
)


def _expected(failure: Failure) -> Diagnostic | None:
    """The few things that may follow, by name."""
    before = shown(failure.before.value)
    if failure.at == 0:
        return None
    if failure.token.kind == "RBRACE" and failure.may_end:
        return extra_brace(failure.token.span)
    if failure.token.kind in ("RPAR", "RSQB") and (failure.may_end or failure.ends_operand):
        return problem(failure.token.span, f"this `{failure.token.value}` closes nothing")
    if failure.accepts <= {"_SEP", "$END"}:
        return problem(failure.token.span, f"expected the end of the line after `{before}`{failure.found}")
    if "LBRACE" in failure.accepts and not failure.wants_operand:
        return problem(failure.span, f"expected `{{` after `{before}`{failure.found}")
    wanted = sorted(failure.accepts - _UNTOLD) or sorted(failure.accepts)
    if failure.may_end or len(wanted) > 5:
        return None
    names = [_SPELLED.get(name) or f"`{name.lower()}`" for name in wanted]
    either = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
    return problem(failure.span, f"expected {either} after `{before}`{failure.found}")


_READERS: Final[tuple[Callable[[Failure], Diagnostic | None], ...]] = (
    statements.misplaced,
    statements.conditional,
    statements.unknown_start,
    far.reuse,
    far.misplaced,
    statements.unknown_point,
    statements.where_for_when,
    statements.assignment,
    statements.row,
    statements.quoted_reason,
    statements.late_total,
    statements.tool_spelling,
    past.event,
    past.last,
    past.order,
    values.chained,
    values.operand,
    statements.late_option,
    statements.record_comma,
    values.missing_comma,
    values.after_operand,
    statements.name,
    statements.window,
    _expected,
)
