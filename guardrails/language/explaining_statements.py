"""Readers of failures in items, statements and their clauses (see `guardrails.language.explaining`)."""

from __future__ import annotations

from typing import Final

from guardrails.diagnostics import Diagnostic, Edit, Fix, nearest_word
from guardrails.language.failure import Failure, replace, shown
from guardrails.language.problems import listed, problem
from guardrails.language.recovery import ITEM_WORDS, STATEMENT_WORDS
from guardrails.language.scanner import RESERVED, Token

# --- how a piece begins --------------------------------------------------------------------------

_FOREIGN_STATEMENTS: Final = {
    "permit": "allow",
    "grant": "allow",
    "accept": "allow",
    "forbid": "deny",
    "block": "deny",
    "reject": "deny",
    "refuse": "deny",
    "approve": "ask",
    "confirm": "ask",
    "stop": "halt",
    "abort": "halt",
    "must": "require",
    "assert": "require",
    "mask": "redact",
    "var": "let",
    "const": "let",
    "set": "let",
    "def": "let",
}
_FOREIGN_ITEMS: Final = {
    "import": "use",
    "include": "use",
    "var": "let",
    "const": "let",
    "def": "let",
    "function": "let",
    "rule": "on",
    "when": "on",
    "parameter": "param",
}


def misplaced(failure: Failure) -> Diagnostic | None:
    """A statement at file level, or an item in a block."""
    word = failure.token.value
    if failure.at != failure.head or failure.token.kind != "WORD":
        return None
    if failure.start != "body_item" and word in STATEMENT_WORDS:
        return problem(
            failure.token.span,
            f"`{word}` belongs in a block such as `on call x {{ ... }}`",
            rule="misplaced-statement",
        )
    if failure.start == "body_item" and word == "on":
        return problem(
            failure.token.span,
            "a block cannot stand inside another block",
            "close the block before with `}` first",
            rule="misplaced-statement",
        )
    if failure.start == "body_item" and word in ITEM_WORDS:
        return problem(
            failure.token.span,
            f"`{word}` belongs to the file, outside of any block",
            rule="misplaced-statement",
        )
    return None


def conditional(failure: Failure) -> Diagnostic | None:
    """`if`, `elif`, `then` of other languages."""
    word = failure.token.value
    if failure.token.kind != "WORD" or word not in ("if", "elif", "then", "else", "elseif"):
        return None
    if word == "if" and failure.at > failure.head and "WHEN" in failure.accepts:
        return problem(failure.token.span, "`if` is written `when`", fix=replace(failure.token.span, "when"))
    if word == "else" and failure.after.value != "if" and failure.at > failure.head:
        return None
    return problem(
        failure.token.span,
        f"there is no `{word}`" if word != "else" else "there is no `else` branch",
        "write one statement for each case, with its condition after `when`: `deny when args.amount > 100`",
    )


def unknown_start(failure: Failure) -> Diagnostic | None:
    """A first word that begins nothing."""
    token = failure.token
    if failure.at != failure.head or failure.start == "expression":
        return None
    inside = failure.start == "body_item"
    what, known = ("statement", list(STATEMENT_WORDS)) if inside else ("item", list(ITEM_WORDS))
    one = "a statement" if inside else "an item"
    if token.kind == "END":
        return problem(failure.before.span, f"expected {one} after `{failure.before.value}`")
    if token.kind != "WORD":
        return problem(token.span, f"expected {one}, found `{shown(token.value)}`")
    foreign = (_FOREIGN_STATEMENTS if inside else _FOREIGN_ITEMS).get(token.value.lower())
    nearest = foreign or nearest_word(token.value, known)
    if nearest is None and not inside:
        nearest = nearest_word(token.value, STATEMENT_WORDS)
    fix = Fix(f"write `{nearest}`", (Edit(token.span, nearest),), "unsafe") if nearest else None
    help = f"did you mean `{nearest}`?" if nearest else f"{one} begins with one of {listed(known)}"
    return problem(token.span, f"unknown {what} `{shown(token.value)}`", help, fix=fix)


_POINT_WORDS: Final = {
    "tool": "call",
    "tools": "call",
    "calls": "call",
    "results": "result",
    "response": "result",
    "inputs": "input",
    "prompt": "input",
    "outputs": "output",
    "answer": "output",
    "sessions": "session",
}


def unknown_point(failure: Failure) -> Diagnostic | None:
    if failure.before.value not in ("on", "default") or "RESULT" not in failure.accepts:
        return None
    points = ["call", "result", "input", "output"] + (["session"] if failure.before.value == "on" else [])
    message = f"expected {', '.join(f'`{point}`' for point in points[:-1])} or `{points[-1]}`"
    word = failure.token.value
    cure = _POINT_WORDS.get(word) or (nearest_word(word, points) if word not in STATEMENT_WORDS else None)
    if failure.is_cut_short or failure.token.kind != "WORD" or cure is None:
        help = "name the event, as in `on call send_email { ... }`"
        return problem(failure.span, f"{message} after `{failure.before.value}`{failure.found}", help)
    return problem(
        failure.token.span,
        f"{message} after `{failure.before.value}`, found `{word}`",
        f"did you mean `{cure}`?",
        fix=replace(failure.token.span, cure),
    )


# --- clauses -------------------------------------------------------------------------------------

_CLAUSES: Final = ("when", "unless", "because")


def where_for_when(failure: Failure) -> Diagnostic | None:
    if failure.token.value != "where" or "WHEN" not in failure.accepts:
        return None
    return problem(
        failure.token.span, "`where` is written `when` here", fix=replace(failure.token.span, "when")
    )


def late_option(failure: Failure) -> Diagnostic | None:
    """`ask when c within 4h`: what belongs to the effect comes before the clauses."""
    word = failure.token.value
    clause = next((t for t in failure.tokens[: failure.at] if t.kind == "WORD" and t.value in _CLAUSES), None)
    options = ("within", "else", "of", "sample", "by", "per", "warn", "burst", "degrade", "was", "with", "in")
    if clause is None or word not in options or not failure.ends_operand | ("WHEN" in failure.accepts):
        return None
    return problem(
        failure.token.span,
        f"`{word}` belongs to `{failure.effect}` and comes before `{clause.value}`",
        f"write it right after `{failure.effect}` and its names",
    )


_ROW_HELP: Final = "a row looks like `up to 100: allow` or `above: deny`"


def row(failure: Failure) -> Diagnostic | None:
    """The lines of a threshold."""
    if "UP" in failure.accepts:
        return problem(failure.token.span, f"expected a row of the threshold{failure.found}", _ROW_HELP)
    line = _line_of(failure)
    if not line or line[0].value not in ("up", "above") or failure.effect != "threshold":
        return None
    if "COLON" in failure.accepts:
        name = "above" if line[0].value == "above" else "the bound"
        shown_name = f"`{name}`" if name == "above" else name
        return problem(failure.span, f"expected `:` after {shown_name}{failure.found}", _ROW_HELP)
    if failure.token.value in ("when", "unless"):
        return problem(
            failure.token.span,
            f"a row of a threshold takes no `{failure.token.value}`",
            "a condition for the whole threshold stands after its `}`",
        )
    if "ALLOW" in failure.accepts and "LIMIT" not in failure.accepts:
        return problem(failure.span, f"expected `allow`, `ask`, `deny` or `halt` in a row{failure.found}")
    return None


def _line_of(failure: Failure) -> list[Token]:
    """The tokens before the failure that stand on the same line or statement part."""
    start = failure.at
    while start > 0:
        start -= 1
        if failure.tokens[start].first or failure.tokens[start - 1].kind in ("SEMICOLON", "LBRACE"):
            break
    return failure.tokens[start : failure.at]


def quoted_reason(failure: Failure) -> Diagnostic | None:
    """A word where a text in quotes is due."""
    if failure.accepts != {"STRING"}:
        return None
    fix = None
    if failure.token.kind == "WORD" and failure.after.first | (failure.after.kind in ("END", "RBRACE")):
        fix = replace(failure.token.span, f'"{failure.token.value}"')
    return problem(
        failure.span, f"expected a text in quotes after `{failure.before.value}`{failure.found}", fix=fix
    )


# --- names and declarations ----------------------------------------------------------------------


def assignment(failure: Failure) -> Diagnostic | None:
    """`let x == 3`, `let x := 3`, `param x = 3`."""
    token = failure.token
    if "EQUAL" in failure.accepts and token.value == "==":
        return problem(
            token.span, "`==` compares, it gives no name", "write `=`", fix=replace(token.span, "=")
        )
    if "EQUAL" in failure.accepts and token.kind == "COLON" and failure.after.kind == "EQUAL":
        return problem(token.span, "`:=` is written `=`", fix=replace(token.span, "", "remove `:`"))
    if (
        "COLON" in failure.accepts
        and failure.effect == "param"
        and (token.kind == "EQUAL" or failure.is_cut_short)
    ):
        return problem(
            token.span,
            f"expected `:` and a type after `{failure.before.value}`",
            "as in `param max_refund: decimal = 500`",
        )
    return None


_NAMED: Final = {
    "policy": "the policy's name",
    "flag": "a name or a text in quotes",
    "tools": "the tool file in quotes",
    "use": "a file name in quotes",
    "label": "a label",
    "flow": "a label",
    "task": "the task's name",
    "to": "`call`",
    "budget": "what is counted, such as `tokens` or `cost`",
    "by": "a name",
    "fields": "a field",
    "redact": "what to redact, such as `pii` or a field",
    "in": "a field",
    "audit": "`durable` or `buffered`",
}


def name(failure: Failure) -> Diagnostic | None:
    """No name, or a word of the language, where a name is due."""
    token, accepts = failure.token, failure.accepts
    if not accepts & {"NAME", "WORD"} or failure.wants_operand:
        return None
    if token.kind == "WORD" and token.value in RESERVED and "NAME" in accepts and not failure.is_cut_short:
        return problem(
            token.span,
            f"`{token.value}` is a word of the language, it cannot be a name",
            "choose another name",
        )
    return problem(failure.span, f"expected {_what_name(failure)} after `{_phrase(failure)}`{failure.found}")


def _what_name(failure: Failure) -> str:
    if "STRING" in failure.accepts and "WORD" in failure.accepts:
        return "a tool name" if "LBRACE" not in failure.accepts else "a type"
    if failure.before.kind == "DOT":
        return "a field name"
    if failure.before.value == "with":
        return "a parameter of that policy" if failure.effect == "use" else "a method such as `mask`"
    return _NAMED.get(failure.before.value, "a name")


def _phrase(failure: Failure) -> str:
    """`on call` rather than `call`."""
    point, leading = failure.before.value, failure.tokens[max(failure.at - 2, 0)].value
    if point in ("call", "result") and leading in ("on", "to", "in"):
        return f"{leading} {point}"
    return shown(point)


_PERIODS: Final = {"second": "1s", "minute": "1m", "hour": "1h", "day": "1d", "week": "1w"}


def window(failure: Failure) -> Diagnostic | None:
    """`per day` where a duration is due."""
    if "DURATION" not in failure.accepts or failure.wants_operand or failure.at == 0:
        return None
    cure = _PERIODS.get(failure.token.value)
    return problem(
        failure.span,
        f"expected a duration such as `1d` after `{failure.before.value}`{failure.found}",
        f"did you mean `{cure}`?" if cure else "",
        fix=replace(failure.token.span, cure) if cure else None,
    )


def record_comma(failure: Failure) -> Diagnostic | None:
    """A comma where lines are separated."""
    if failure.token.kind != "COMMA" or failure.ends_operand or not failure.may_end:
        return None
    what = "fields" if failure.start == "item" else "statements"
    place = failure.token.span
    fix = replace(place, "", "remove `,`") if failure.after.first else replace(place, ";")
    return problem(place, "unexpected `,`", f"{what} are separated by a new line or `;`", fix=fix)


def late_total(failure: Failure) -> Diagnostic | None:
    """`limit sum(e) per 1d to 100`."""
    if failure.token.value != "to" or failure.effect != "limit":
        return None
    return problem(
        failure.token.span, "`to` comes before `per`", "as in `limit sum(args.amount) to 1000 per 1d`"
    )


def tool_spelling(failure: Failure) -> Diagnostic | None:
    """`on call x-y`: a tool name with other characters is quoted."""
    if failure.token.kind not in ("MINUS", "DOT", "EACH", "SLASH", "STAR", "COLON") or failure.wants_operand:
        return None
    if failure.effect != "on" or not failure.accepts & {"LBRACE", "WORD"}:
        return None
    parts = [failure.before]
    for token in failure.tokens[failure.at :]:
        if token.start != parts[-1].end or token.kind in ("LBRACE", "COMMA"):
            break
        parts.append(token)
    text = "".join(token.value for token in parts)
    return problem(
        failure.before.span.to(parts[-1].span),
        "a tool name with other characters than letters, digits and `_` stands in quotes",
        f'write `"{text}"`',
        fix=replace(failure.before.span.to(parts[-1].span), f'"{text}"'),
    )
