"""SQL text before it is parsed: text → the statements in it, each a slice of the text.

The one idea: where databases disagree about what is a comment or a string, nothing that is parsed later can
be trusted, so such spots are refused here, on tokens. Without a dialect the text must read the same in all
of them; with one, only what that dialect's own versions disagree about is refused.
"""

from __future__ import annotations

from guardrails.canonical.text import MAX_LONG, ambiguous, require_bounded, require_visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_NESTING = 40
"""How deep parentheses, brackets, CASEs and prefix operators may nest."""

_OPENERS = frozenset({"L_PAREN", "L_BRACKET", "L_BRACE", "CASE"})
_CLOSERS = frozenset({"R_PAREN", "R_BRACKET", "R_BRACE", "END"})
_PREFIXES = frozenset({"NOT", "DASH", "PLUS", "TILDE", "TILDA", "INTERVAL"})
_MYSQL = frozenset({"", "mysql", "doris", "starrocks", "singlestore"})
_WHITE = "\n\r\t"

_DIVIDED = (
    (r"\\", "contains a backslash, which escapes in some dialects; name the dialect"),
    (r"\$\w*\$", "contains a dollar quote, which only some dialects know; name the dialect"),
    (r"'''|\"\"\"", "contains three quotes in a row, which some dialects read as one; name the dialect"),
    (r"(?i)(?<!\w)n?q'", "contains an alternative quote, which only some dialects know; name the dialect"),
    (r"\[\s*['\"`]", "contains a bracket before a quote, which is a name in some dialects; name the dialect"),
)
"""What dialects read differently, with what to say about it."""


def statements(text: str, dialect: str) -> list[str]:
    """The non-empty statements of `text`, without their semicolons."""
    require_bounded(text, MAX_LONG)
    _require_settled_comments(text, dialect)
    if not dialect:
        _require_undivided(text)
    tokens = tokenized(text, dialect)
    _require_visible_code(text, tokens)
    _require_shallow(text, tokens)
    if not dialect and any(token.token_type.name == "HASH" for token in tokens):
        raise ambiguous(text, "contains `#`, which starts a comment in some dialects; name the dialect")
    return _split(text, tokens)


def tokenized(text: str, dialect: str) -> list[Any]:
    """The tokens of `text`; a text that does not even tokenise is ambiguous."""
    from sqlglot.dialects.dialect import Dialect
    from sqlglot.errors import SqlglotError

    try:
        return list(Dialect.get_or_raise(dialect).tokenize(text))
    except SqlglotError:
        raise ambiguous(text, "does not parse as SQL") from None


def _split(text: str, tokens: list[Any]) -> list[str]:
    found, start, filled = [], 0, False
    for token in tokens:
        if token.token_type.name == "SEMICOLON":
            if filled:
                found.append(text[start : token.start].strip())
            start, filled = token.end + 1, False
        else:
            filled = True
    return [*found, text[start:].strip()] if filled else found


def _require_undivided(text: str) -> None:
    import re

    for pattern, why in _DIVIDED:
        if re.search(pattern, text):
            raise ambiguous(text, why)


def _require_settled_comments(text: str, dialect: str) -> None:
    if "\0" in text:
        raise ambiguous(text, "contains a NUL, where some databases stop reading")
    if "/*!" in text or "/*M!" in text:
        raise ambiguous(text, "contains an executable comment, which only some databases run")
    if "/*+" in text:
        raise ambiguous(text, "contains an optimizer hint, which can change settings")
    opened = text.find("/*")
    while opened >= 0:
        closed = text.find("*/", opened + 2)
        if closed < 0 or text.find("/*", opened + 2, closed) >= 0:
            raise ambiguous(text, "contains an open or nested comment, whose end differs between databases")
        opened = text.find("/*", closed + 2)
    if dialect in _MYSQL and any(not after[:1].isspace() for after in text.split("--")[1:] if after):
        raise ambiguous(text, "contains `--` without a space, which is no comment in MySQL")


def _require_visible_code(text: str, tokens: list[Any]) -> None:
    """Invisible characters are refused everywhere but in string literals, which are data."""
    if text.isascii() and text.isprintable():
        return
    code, start = [], 0
    for token in tokens:
        if token.token_type.name.endswith("STRING"):
            code.append(text[start : token.start])
            start = token.end + 1
    require_visible("".join([*code, text[start:]]), allowed=_WHITE)


def _require_shallow(text: str, tokens: list[Any]) -> None:
    depth = run = 0
    for token in tokens:
        kind = token.token_type.name
        depth = depth + 1 if kind in _OPENERS else max(0, depth - 1) if kind in _CLOSERS else depth
        run = run + 1 if kind in _PREFIXES else 0
        if depth > MAX_NESTING or run > MAX_NESTING:
            raise ambiguous(text, f"nests deeper than {MAX_NESTING} levels")
