"""After a failed parse: cuts the tokens into pieces, so that each mistake is met on its own.

Takes the tokens of a file that does not parse, gives pieces that are parsed one by one: the items of a file,
and the statements of a block. Nothing here knows the grammar; the cuts follow brackets, lines, indentation
and the words that open items and statements. A brace that is missing or too many is found here, told once,
and set right in the pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from guardrails.diagnostics import Diagnostic
from guardrails.language import problems
from guardrails.language.lexer import CONTINUES, CONTINUES_KINDS
from guardrails.language.scanner import CLOSERS, LITERALS, OPENERS, RESERVED, Token

_POINTS: Final = frozenset({"call", "result", "input", "output", "session"})
# The words an item may begin with, and what may follow where not just any word may.
ITEM_WORDS: Final[dict[str, frozenset[str] | None]] = {
    "policy": None,
    "use": frozenset({"tools"}),
    "type": None,
    "param": None,
    "let": None,
    "default": _POINTS,
    "on": None,
    "breaker": None,
    "detector": None,
    "flow": None,
    "task": None,
    "reveal": frozenset({"in"}),
    "audit": None,
    "shadow": frozenset({"on", "policy"}),
}
STATEMENT_WORDS: Final = (
    *("allow", "deny", "halt", "ask", "flag", "review", "require", "threshold", "limit", "budget"),
    *("breaker", "redact", "only", "drop", "schema", "label", "shadow", "let"),
)

# A line never ends in one of these: the next one goes on.
_WANTS_MORE_KINDS: Final = (CONTINUES_KINDS | {"MINUS", "LPAR", "LSQB"}) - {"RPAR", "RSQB", "EACH", "DOT"}
_WANTS_MORE_WORDS: Final = RESERVED - {"true", "false", "null", "allow", "deny", "halt", "ask"}
_INNER_BODIES: Final = ("threshold", "breaker")
_AFTER_STATEMENT_WORD: Final = LITERALS | {"WORD", "LBRACE", "RBRACE", "SEMICOLON", "END"}
_END: Final = Token("END", "", 0, 1, 1, "")


@dataclass(slots=True)
class Piece:
    """Tokens that belong together: an item or a statement.

    `open` are brackets in it that nothing closes, `strays` closing braces that close nothing.
    """

    tokens: list[Token]
    open: list[Token] = field(default_factory=list)
    strays: list[Token] = field(default_factory=list)


@dataclass(slots=True)
class Pieces:
    """The pieces, in order, and the brace problems found while cutting."""

    pieces: list[Piece] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)


@dataclass(slots=True)
class _Opener:
    token: Token
    body: bool
    indent: int
    indented: bool = False


def begins_item(tokens: Sequence[Token], at: int) -> bool:
    """Does an item begin here, by its first two words?"""
    word, after = tokens[at], _next(tokens, at)
    if word.kind != "WORD" or word.value not in ITEM_WORDS:
        return False
    if word.value == "breaker":
        return after.kind == "WORD" and _next(tokens, at + 1).value == "on"
    if word.value == "let":
        return after.kind == "WORD" and _next(tokens, at + 1).kind in ("EQUAL", "LPAR")
    if after.kind == "STRING":
        return word.value == "use"
    followers = ITEM_WORDS[word.value]
    return after.kind == "WORD" and (followers is None or after.value in followers)


def begins_statement(tokens: Sequence[Token], at: int) -> bool:
    """Does a statement begin here, by its first word or its mark?"""
    word, after = tokens[at], _next(tokens, at)
    if word.kind != "WORD":
        return False
    if after.kind == "COLON":
        return True
    return word.value in STATEMENT_WORDS and (after.kind in _AFTER_STATEMENT_WORD or after.first)


def begins_line(tokens: Sequence[Token], at: int) -> bool:
    """Does this token begin a line that does not go on with the line before?"""
    token, before = tokens[at], tokens[at - 1]
    if before.kind in _WANTS_MORE_KINDS or (before.kind == "WORD" and before.value in _WANTS_MORE_WORDS):
        return at > 1 and tokens[at - 2].kind == "DOT"
    if token.kind != "WORD":
        return token.kind not in CONTINUES_KINDS and token.kind != "LBRACE"
    return token.value not in CONTINUES or _next(tokens, at).kind == "COLON"


def _next(tokens: Sequence[Token], at: int) -> Token:
    return tokens[at + 1] if at + 1 < len(tokens) else _END


def _opens_body(tokens: Sequence[Token], at: int) -> bool:
    """Is this brace a block's, or a set's?"""
    if tokens[at].kind != "LBRACE" or at == 0:
        return False
    before = tokens[at - 1]
    if before.kind == "WORD":
        return before.value not in _WANTS_MORE_WORDS or (at > 1 and tokens[at - 2].kind == "DOT")
    return before.kind not in _WANTS_MORE_KINDS and before.kind != "LBRACE"


class _Cutter:
    """Cuts a run of tokens at depth 0; `inside` a body at statements, else at items."""

    def __init__(self, tokens: Sequence[Token], *, inside: bool) -> None:
        self.tokens = tokens
        self.inside = inside
        self.found = Pieces()
        self.piece = Piece([])
        self.stack: list[_Opener] = []
        self.at = 0
        self.indent = 1
        self.headless_at = 0

    def run(self) -> Pieces:
        for at, token in enumerate(self.tokens):
            self.at = at
            if token.first:
                self.indent = token.column
                self._meet_line(at)
            if token.kind == "SEMICOLON" and not self.stack and not self.headless_at:
                self._flush()
            elif token.kind in OPENERS:
                self.stack.append(_Opener(token, _opens_body(self.tokens, at), self.indent))
                self.piece.tokens.append(token)
            elif token.kind in CLOSERS:
                self._close(token)
            else:
                self.piece.tokens.append(token)
        self._flush()
        return self.found

    def _meet_line(self, at: int) -> None:
        """Cut before this line, where it begins something new."""
        if not self.piece.tokens:
            return
        bodies = [opener.indent for opener in self.stack if opener.body]
        bodies += [self.piece.tokens[0].column] if self.headless_at else []
        if begins_item(self.tokens, at) and (not bodies or self._is_outside(at, bodies[0])):
            self._flush(self.tokens[at])
        elif not bodies and begins_statement(self.tokens, at) and self.inside:
            self._flush()
        elif not self.stack and not self.headless_at and begins_line(self.tokens, at):
            if self._is_headless():
                self.headless_at = len(self.piece.tokens)
            else:
                self._flush()

    def _is_outside(self, at: int, indent: int) -> bool:
        token = self.tokens[at]
        return not self.inside and token.value != "let" and token.column <= indent

    def _is_headless(self) -> bool:
        """Is this an item with a body whose `{` is missing?"""
        words = [token.value for token in self.piece.tokens[:2]]
        bodied = words[0] in ("on", "type", "breaker") or words == ["shadow", "on"]
        unclear = ("LBRACE", "EQUAL")
        return not self.inside and bodied and all(token.kind not in unclear for token in self.piece.tokens)

    def _close(self, token: Token) -> None:
        if token.kind == "RBRACE":
            while self.stack and not self._may_close(token):
                self.piece.open.append(self.stack.pop().token)
            if self.stack and self._adopt(token):
                return
            if self._is_stray(token):
                self.piece.strays.append(token)
                self.piece.tokens.append(token)
                return
            if not self.stack and not self.headless_at:
                self._drop(token)
                return
        self.piece.tokens.append(token)
        if self.stack and OPENERS[self.stack[-1].token.kind] == token.kind:
            self.stack.pop()
        elif token.kind == "RBRACE":
            self._flush()

    def _may_close(self, brace: Token) -> bool:
        """Is the innermost bracket one that this brace closes? A set is not closed in its block's column."""
        top = self.stack[-1]
        if top.token.kind != "LBRACE":
            return False
        outer = any(opener.body and opener.indent >= brace.column for opener in self.stack)
        return top.body or not (brace.first and (outer or self.inside))

    def _is_stray(self, brace: Token) -> bool:
        """Does this brace belong to a `{` missing on its own line? What follows shows its block goes on."""
        if brace.first:
            return False
        if not self.stack:
            return bool(self.piece.tokens) and not self.headless_at
        top, after = self.stack[-1], _next(self.tokens, self.at)
        if not top.body or not after.first or top.token.line == brace.line:
            return False
        return after.column > top.indent or (after.kind == "RBRACE" and after.column == top.indent)

    def _adopt(self, brace: Token) -> bool:
        """Give a brace in the column of a `threshold` or `breaker` line without `{` to that line."""
        tokens = self.piece.tokens
        if not brace.first or brace.column <= self.stack[-1].indent:
            return False
        end = len(tokens)
        for start in range(end - 1, -1, -1):
            if not tokens[start].first:
                continue
            if tokens[start].column == brace.column:
                break
            end = start
        line = tokens[start:end]
        if not any(token.value in _INNER_BODIES for token in line[:3]) or "LBRACE" in _kinds(line):
            return False
        tokens.insert(end, self._missing_head(line[-1]))
        tokens.append(brace)
        return True

    def _missing_head(self, last: Token) -> Token:
        self.found.problems.append(problems.missing_open_brace(last.span, last.value))
        return _after(last, "{", "LBRACE")

    def _drop(self, token: Token) -> None:
        """A brace that closes nothing."""
        self.found.problems.append(problems.extra_brace(token.span))

    def _flush(self, following: Token | None = None) -> None:
        if self.piece.tokens:
            self._settle(following)
            self.found.pieces.append(self.piece)
        self.piece = Piece([])
        self.stack = []
        self.headless_at = 0

    def _settle(self, following: Token | None) -> None:
        """Set right what is missing in the piece that ends here."""
        piece = self.piece
        if self.headless_at:
            piece.tokens = self._with_head(piece.tokens)
        brackets = [opener for opener in self.stack if not opener.body]
        missing = len(self.stack) - len(brackets)
        piece.open += [opener.token for opener in brackets]
        if missing:
            piece.tokens, found = close_braces(piece.tokens, missing, following)
            self.found.problems += found

    def _with_head(self, tokens: list[Token]) -> list[Token]:
        brace = self._missing_head(tokens[self.headless_at - 1])
        rest = tokens[self.headless_at :]
        if rest[-1].kind != "RBRACE":
            rest.append(_after(rest[-1], "}", "RBRACE"))
        return [*tokens[: self.headless_at], brace, *rest]


def _kinds(tokens: Sequence[Token]) -> set[str]:
    return {token.kind for token in tokens}


def _after(token: Token, text: str, kind: str) -> Token:
    """A token that should stand right after this one; it takes no room."""
    missing = Token(kind, text, token.end, token.line, token.column + token.end - token.start, token.file)
    missing.end = missing.start
    return missing


def close_braces(
    tokens: Sequence[Token], missing: int, following: Token | None
) -> tuple[list[Token], list[Diagnostic]]:
    """The tokens with the missing `}` put in: where a line stands too far left, else at the end."""
    repair = _BraceRepair(missing)
    for at, token in enumerate(tokens):
        repair.take(token, body=_opens_body(tokens, at))
    while repair.missing and repair.stack:
        repair.insert(following)
    return repair.tokens, repair.problems


class _BraceRepair:
    def __init__(self, missing: int) -> None:
        self.missing = missing
        self.tokens: list[Token] = []
        self.problems: list[Diagnostic] = []
        self.stack: list[_Opener] = []
        self.indent = 1

    def take(self, token: Token, *, body: bool) -> None:
        if token.first:
            self._meet_line(token)
        if token.kind == "LBRACE":
            self.stack.append(_Opener(token, body, self.indent))
        elif token.kind == "RBRACE" and self.stack:
            self.stack.pop()
        self.tokens.append(token)

    def _meet_line(self, token: Token) -> None:
        while self.missing and self.stack and self._stands_outside(token, self.stack[-1]):
            self.insert(token)
        if self.stack and token.column > self.stack[-1].indent:
            self.stack[-1].indented = True
        self.indent = token.column

    def _stands_outside(self, token: Token, opener: _Opener) -> bool:
        closes = token.kind == "RBRACE"
        return opener.indented and token.column < opener.indent + (0 if closes else 1)

    def insert(self, before: Token | None) -> None:
        """Close the innermost brace before this token, or at the end of the file."""
        opener, last = self.stack.pop().token.span, self.tokens[-1]
        self.tokens.append(_after(last, "}", "RBRACE"))
        self.problems.append(
            problems.missing_brace(before.span, opener)
            if before
            else problems.brace_missing_at_end(last.span, opener)
        )
        self.missing -= 1


def cut_items(tokens: Sequence[Token]) -> Pieces:
    """The items of a file."""
    return _Cutter(tokens, inside=False).run()


def cut_block(piece: Piece) -> tuple[list[Token], Pieces] | None:
    """A block's header with an empty body, and its statements; None where there is no body."""
    tokens = piece.tokens
    start = next((at for at in range(len(tokens)) if _opens_body(tokens, at)), None)
    if start is None:
        return None
    end = _matching(piece, start)
    header = [*tokens[: start + 1], *tokens[end:]]
    return header, _Cutter(tokens[start + 1 : end], inside=True).run()


def _matching(piece: Piece, start: int) -> int:
    """The index of the brace that closes the one at `start`."""
    depth, unmatched = 0, {*piece.open, *piece.strays}
    for at, token in enumerate(piece.tokens[start:], start):
        if token not in unmatched:
            depth += {"LBRACE": 1, "RBRACE": -1}.get(token.kind, 0)
        if depth == 0:
            return at
    return len(piece.tokens)
