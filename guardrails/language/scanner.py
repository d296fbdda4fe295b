"""Text to tokens: cuts a policy into tokens by spelling alone.

Takes the text and the terminals of the grammar, gives tokens, comments and spelling problems (an open string,
a foreign operator). The one idea: every such problem is repaired on the spot, so that one slip is reported once
and the rest still parses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from lark.lexer import TerminalDef

from guardrails.diagnostics import Diagnostic, Span
from guardrails.language import problems
from guardrails.language.syntax import Comment


def words(words: str) -> frozenset[str]:
    return frozenset(words.split())


MAX_DEPTH: Final = 64
MAX_PROBLEMS: Final = 100

# Words that are never a NAME: the ones an expression is made of, and the verbs that open a statement.
RESERVED: Final = words(
    "and or not in is matches like contains within has any all true false null when unless because else "
    "allow deny halt ask require on"
)


OPENERS: Final = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
CLOSERS: Final = frozenset(OPENERS.values())
LITERALS: Final = words("NUMBER STRING DURATION SIZE MONEY PERCENT REGEX")
_ENDS_OPERAND: Final = LITERALS | CLOSERS
# After these words a slash opens a pattern; after any other it divides.
_BEFORE_PATTERN: Final = (RESERVED - words("true false null")) | words("pattern redact where")


class Token:
    """One token. `kind` is its spelling, `type` the terminal it was taken for, `first` on its line or not."""

    __slots__ = ("column", "end", "file", "first", "kind", "line", "start", "type", "value")

    # What Lark asks of a token beyond its type.
    start_pos = end_pos = end_line = end_column = None

    def __init__(self, kind: str, value: str, start: int, line: int, column: int, file: str) -> None:
        self.kind = self.type = kind
        self.value = value
        self.start = start
        self.end = start + len(value)
        self.line = line
        self.column = column
        self.file = file
        self.first = False

    @property
    def span(self) -> Span:
        end_column = self.column + self.end - self.start
        return Span(self.file, self.start, self.end, self.line, self.column, self.line, end_column)

    def read_as(self, kind: str, value: str) -> Token:
        """This token, in the same place, as it should have been written."""
        token = Token(kind, value, self.start, self.line, self.column, self.file)
        token.end, token.first = self.end, self.first
        return token

    def __repr__(self) -> str:
        return f"Token({self.type}, {self.value!r})"


# --- scanning ----------------------------------------------------------------------------------

# Spelling that is not Guard's, tried before and after the grammar's own terminals.
_BEFORE: Final = {
    "NEWLINE": r"\r\n|\n|\r",
    "COMMENT": r"#[^\n\r]*",
    "FOREIGN_COMMENT": r"/[/*][^\n\r]*",
    "FOREIGN_OPERATOR": r"&&|\|\||===|!==|<>|=>",
}
_AFTER: Final = {
    "SEMICOLON": ";",
    "BAD_NUMBER": r"\d[\w.]*",
    "OPEN_STRING": r'"[^\n\r]*',
    "SINGLE_QUOTED": r"'(?:[^'\n\r]*'|[^\n\r]*)",
    "SMART_QUOTED": r"[“”„«][^“”„»\"\n\r]*[“”»\"]?|[‘’‚][^‘’'\n\r]*[‘’']?",
    "BANG": "!",
    "FOREIGN_WORD": r"[^\W\d]\w*",
    "FOREIGN_SPACE": r"[^\S \t\r\n]+",
    "UNKNOWN": r"\S",
}
_CONTEXTUAL: Final = frozenset({"NAME", "MARK", "REGEX", "_SEP"})
_OPERATOR_CURES: Final = {
    "&&": ("WORD", "and"),
    "||": ("WORD", "or"),
    "!": ("WORD", "not"),
    "===": ("COMPARE", "=="),
    "!==": ("COMPARE", "!="),
    "<>": ("COMPARE", "!="),
    "=>": ("COMPARE", ">="),
}
_UNREADABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufeff]"
)
_LINE_TAIL: Final = re.compile(r"[ \t]*(?:[{};]|#.*)?[ \t]*$")


class Scan:
    """A scanned text: tokens, comments, spelling problems, and whether it was given up half way."""

    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.tokens: list[Token] = []
        self.comments: list[Comment] = []
        self.problems: list[Diagnostic] = []
        self.given_up = False

    @property
    def end(self) -> Span:
        """The empty stretch after the last character."""
        line = self.text.count("\n") + 1
        column = len(self.text) - (self.text.rfind("\n") + 1) + 1
        return Span(self.file, len(self.text), len(self.text), line, column, line, column)

    def report(self, problem: Diagnostic) -> None:
        if self.given_up:
            return
        self.problems.append(problem)
        if len(self.problems) >= MAX_PROBLEMS:
            self.give_up(problems.too_many(problem.span))

    def give_up(self, problem: Diagnostic) -> None:
        self.problems.append(problem)
        self.given_up = True


class Scanner:
    """The one regular expression made of the grammar's terminals, and the loop that applies it."""

    def __init__(self, terminals: Iterable[TerminalDef]) -> None:
        terminals = list(terminals)
        rules = dict(_BEFORE)
        rules.update((term.name, term.pattern.to_regexp()) for term in _by_precedence(terminals))
        rules.update(_AFTER)
        self._master = re.compile("[ \t]*(?:" + "|".join(f"(?P<{k}>{v})" for k, v in rules.items()) + ")")
        pattern = next(term.pattern for term in terminals if term.name == "REGEX")
        self._regex = re.compile(pattern.to_regexp())

    def scan(self, text: str, file: str) -> Scan:
        """All tokens of `text`; spelling problems are reported and repaired."""
        scan = Scan(text, file)
        unreadable = _UNREADABLE.search(text, text.startswith("\ufeff"))
        if unreadable:
            scan.give_up(problems.unreadable(_span_at(scan, unreadable.start()), unreadable.group()))
            return scan
        self._run(scan, int(text.startswith("\ufeff")))
        return scan

    def _run(self, scan: Scan, position: int) -> None:
        match, text, file, tokens = self._master.match, scan.text, scan.file, scan.tokens
        line, line_start, first, depth = 1, 0, True, 0
        while not scan.given_up:
            found = match(text, position)
            if found is None:
                return
            kind = found.lastgroup or ""
            start, position = found.span(kind)
            if kind == "NEWLINE":
                line, line_start, first = line + 1, position, True
                continue
            token = Token(kind, text[start:position], start, line, start - line_start + 1, file)
            if kind == "COMMENT":
                scan.comments.append(Comment(token.span, token.value, first))
                continue
            if kind == "SLASH" and not _ends_operand(tokens):
                token = self._pattern(token, scan)
                position = token.end
            elif kind in _REPAIRS:
                repaired = _REPAIRS[kind](token, scan)
                position = token.end
                if repaired is None:
                    continue
                token = repaired
            if kind in OPENERS:
                depth += 1
                if depth > MAX_DEPTH:
                    scan.give_up(problems.too_deep(token.span, MAX_DEPTH))
            elif kind in CLOSERS:
                depth = max(0, depth - 1)
            token.first, first = first, False
            tokens.append(token)

    def _pattern(self, slash: Token, scan: Scan) -> Token:
        """The pattern that begins at this slash."""
        found = self._regex.match(scan.text, slash.start)
        if found is not None:
            return Token("REGEX", found.group(), slash.start, slash.line, slash.column, slash.file)
        rest = _rest_of_line(scan.text, slash.start)
        token = Token("REGEX", rest, slash.start, slash.line, slash.column, slash.file)
        scan.report(problems.open_pattern(token.span))
        return token


def is_word(term: TerminalDef) -> bool:
    return term.pattern.type == "str" and term.pattern.value.isalpha()


def _by_precedence(terminals: Iterable[TerminalDef]) -> list[TerminalDef]:
    """The terminals that are told by their spelling alone, longest match first."""
    spelled = [
        term
        for term in terminals
        if term.name not in _CONTEXTUAL and not term.name.startswith("__") and not is_word(term)
    ]
    return sorted(spelled, key=lambda term: (-term.priority, -term.pattern.max_width, term.name))


def _ends_operand(tokens: list[Token]) -> bool:
    if not tokens:
        return False
    last = tokens[-1]
    if last.kind != "WORD":
        return last.kind in _ENDS_OPERAND
    after_dot = len(tokens) > 1 and tokens[-2].kind == "DOT"
    return after_dot or last.value not in _BEFORE_PATTERN


def _rest_of_line(text: str, start: int) -> str:
    """What is left of the line, without the brace that closes it."""
    end = min((at for at in (text.find("\n", start), text.find("\r", start)) if at >= 0), default=len(text))
    tail = _LINE_TAIL.search(text, start + 1, end)
    return text[start : tail.start() if tail else end]


def _span_at(scan: Scan, offset: int) -> Span:
    before = scan.text[:offset].replace("\r\n", " \n").replace("\r", "\n")
    line = before.count("\n") + 1
    column = offset - (before.rfind("\n") + 1) + 1
    return Span(scan.file, offset, offset + 1, line, column, line, column + 1)


# --- repairs: report a misspelling, and read on as if it had been right ----------------------------


def _check_string(token: Token, scan: Scan) -> Token:
    if "\\" in token.value:
        for span, escape in bad_escapes(token):
            scan.report(problems.bad_escape(span, escape))
    return token


def _cut_open_string(token: Token, scan: Scan) -> Token:
    token.value = _rest_of_line(scan.text, token.start)
    token.end = token.start + len(token.value)
    scan.report(problems.open_string(token.span))
    return token.read_as("STRING", _requoted(token.value[1:]))


def _requote(token: Token, scan: Scan) -> Token:
    closed = len(token.value) > 1 and token.value[-1] in "'“”»\"‘’"
    if not closed:
        token.value = _rest_of_line(scan.text, token.start)
        token.end = token.start + len(token.value)
    inner = token.value[1:-1] if closed else token.value[1:]
    scan.report(problems.wrong_quotes(token.span, _requoted(inner)))
    return token.read_as("STRING", _requoted(inner))


def _requoted(inner: str) -> str:
    escaped = inner.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _translate_operator(token: Token, scan: Scan) -> Token:
    kind, cure = _OPERATOR_CURES[token.value]
    scan.report(problems.foreign_operator(token.span, token.value, cure))
    return token.read_as(kind, cure)


def _guess_number(token: Token, scan: Scan) -> Token:
    problem, kind, value = problems.bad_number(token.span, token.value)
    scan.report(problem)
    return token.read_as(kind, value)


def _skip_comment(token: Token, scan: Scan) -> None:
    scan.report(problems.foreign_comment(token.span))


def _take_foreign_word(token: Token, scan: Scan) -> Token:
    scan.report(problems.foreign_word(token.span, token.value))
    return token.read_as("WORD", token.value)


def _skip_space(token: Token, scan: Scan) -> None:
    scan.report(problems.foreign_space(token.span, token.value))


def _skip_unknown(token: Token, scan: Scan) -> None:
    scan.report(problems.unknown_character(token.span, token.value))
    run = re.compile(f"(?:{re.escape(token.value)})+").match(scan.text, token.start)
    token.end = run.end() if run else token.end


_REPAIRS: Final = {
    "STRING": _check_string,
    "OPEN_STRING": _cut_open_string,
    "SINGLE_QUOTED": _requote,
    "SMART_QUOTED": _requote,
    "FOREIGN_OPERATOR": _translate_operator,
    "BANG": _translate_operator,
    "BAD_NUMBER": _guess_number,
    "FOREIGN_WORD": _take_foreign_word,
    "FOREIGN_SPACE": _skip_space,
    "FOREIGN_COMMENT": _skip_comment,
    "UNKNOWN": _skip_unknown,
}

_ESCAPE: Final = re.compile(r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|(.))", re.DOTALL)
_ESCAPES: Final = {'"': '"', "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}


def unescape(literal: str) -> str:
    """The text a string literal stands for; escapes are taken to be right (see `bad_escapes`)."""
    inner = literal[1:-1]
    return _ESCAPE.sub(_unescaped, inner) if "\\" in inner else inner


def _unescaped(found: re.Match[str]) -> str:
    digits, letter = found.groups()
    if digits is None:
        return _ESCAPES.get(letter, letter)
    return chr(int(digits, 16)) if _is_character(digits) else "\ufffd"


def _is_character(digits: str) -> bool:
    point = int(digits, 16)
    return point <= 0x10FFFF and not 0xD800 <= point <= 0xDFFF


def bad_escapes(token: Token) -> Iterator[tuple[Span, str]]:
    """The escapes of a string that mean nothing."""
    for found in _ESCAPE.finditer(token.value[:-1], 1):
        digits, letter = found.groups()
        if letter not in _ESCAPES if digits is None else not _is_character(digits):
            column = token.column + found.start()
            start = token.start + found.start()
            size = len(found.group())
            yield (
                Span(token.file, start, start + size, token.line, column, token.line, column + size),
                found.group(),
            )
