"""Layout and keywords: gives each token of a scanned policy its place in the grammar.

Takes a run of tokens, gives them to the parser as terminals. What a word *is* (keyword or name) and whether a
new line separates is decided here while parsing, from what the parser can take next; that is the one
idea, and it is why no word is reserved where it does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from lark.lexer import Lexer, TerminalDef

from guardrails.diagnostics import Diagnostic
from guardrails.language import problems
from guardrails.language.scanner import CLOSERS, LITERALS, MAX_DEPTH, OPENERS, RESERVED, Token, is_word, words

if TYPE_CHECKING:
    from lark.common import LexerConf

# A line that begins with one of these goes on with the line before, where the grammar lets it.
CONTINUES: Final = words(
    "when unless because within and or in matches like contains is has else with warn by per sample to of "
    "burst degrade was where checksum context only for"
)
CONTINUES_KINDS: Final = words(
    "RPAR RSQB COMMA COLON DOT EACH COMPARE LESSTHAN MORETHAN EQUAL PLUS STAR SLASH MODULO VBAR AMPERSAND"
)
_AFTER_NOT: Final = words("in matches like contains within")
_POINTS: Final = words("input call result output")


class Stream:
    """A run of tokens for one parse, and the problems repaired on the way."""

    __slots__ = ("long", "problems", "tokens")

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.long: list[Token] = []  # where runs without a separator begin that could be too deep
        self.problems: list[Diagnostic] = []


def keywords_of(terminals: Iterable[TerminalDef]) -> Mapping[str, tuple[str, ...]]:
    """Each keyword with the terminals it may stand for (`within` has two)."""
    words: dict[str, tuple[str, ...]] = {}
    for term in terminals:
        if is_word(term):
            words[term.pattern.value] = (*words.get(term.pattern.value, ()), term.name)
    return words


_END: Final = Token("END", "", 0, 1, 1, "")


def _begins_operand(token: Token) -> bool:
    return token.kind in LITERALS or (token.kind == "WORD" and token.value not in CONTINUES)


_CAPITAL_LITERALS: Final = words("True TRUE False FALSE Null NULL None NOT Not")
_SMALL: Final = {"none": "null"}

# `count(call x)` counts events, `count(result)` and `count(input in inputs)` what their names stand for.
_EVENTS: Final = words("CALL RESULT INPUT OUTPUT")
_AFTER_NAME: Final = words("in matches like contains within has is and or not else")
_AFTER_EVENT: Final = words("where after before within")


def _is_event(name: str, after: Token) -> bool:
    if name in ("INPUT", "OUTPUT"):
        return after.kind == "RPAR" or after.value in _AFTER_EVENT
    return after.kind == "STRING" or (after.kind == "WORD" and after.value not in _AFTER_NAME)


# Where a word could be a keyword or a name, the token after it tells.
_DECIDED_BY_NEXT: Final = {
    "SUM": lambda after: after.kind == "LPAR",
    "MIN": lambda after: after.kind == "LPAR",
    "MAX": lambda after: after.kind == "LPAR",
    "COUNT": lambda after: after.kind == "LPAR",
    "SEEN": lambda after: after.kind == "LPAR",
    "LAST": lambda after: after.value in _POINTS,
    "WITHIN": lambda after: after.kind != "DURATION",
    "LASTING": lambda after: after.kind == "DURATION",
    "ELAPSED": _begins_operand,
    "RETRIES": _begins_operand,
    "THRASHING": _begins_operand,
}


class LayoutLexer(Lexer):
    """Lark's lexer: walks a `Stream`, names each word for what it is, and sets the separators."""

    __future_interface__ = 2

    def __init__(self, conf: LexerConf) -> None:
        self._keywords = keywords_of(conf.terminals)

    def lex(  # type: ignore[override]  # of a token, Lark only asks its type
        self, lexer_state: Any, parser_state: Any
    ) -> Iterator[Token]:
        stream: Stream = lexer_state.text
        states, stack = parser_state.parse_conf.parse_table.states, parser_state.state_stack
        separable = [True]
        semicolon: Token | None = None
        tokens, since = stream.tokens, 0
        for at, (token, after) in enumerate(pairwise([*tokens, _END])):
            actions = states[stack[-1]]
            kind = token.kind
            if kind == "SEMICOLON":
                semicolon = token
                continue
            if (semicolon or token.first) and separable[-1] and kind != "RBRACE" and "_SEP" in actions:
                if semicolon or not self._continues(token, after, actions):
                    yield (semicolon or token).read_as("_SEP", "")
                    actions = states[stack[-1]]
                    if at - since > MAX_DEPTH:
                        stream.long.append(tokens[since])
                    since = at
                semicolon = None
            if kind == "WORD":
                token.type = self._word_type(token, after, actions)
                if token.type not in actions or token.value in _CAPITAL_LITERALS:
                    token = self._repair_word(token, after, actions, stream)
            elif kind == "EQUAL" and "EQUAL" not in actions and "COMPARE" in actions:
                stream.problems.append(problems.equals_for_comparison(token.span))
                token = token.read_as("COMPARE", "==")
            elif kind in OPENERS:
                separable.append(kind == "LBRACE" and "NUMBER" not in actions)
            elif kind in CLOSERS and len(separable) > 1:
                separable.pop()
            semicolon = None
            yield token
        if len(tokens) - since > MAX_DEPTH:
            stream.long.append(tokens[since])

    def _continues(self, token: Token, after: Token, actions: Mapping[str, Any]) -> bool:
        """Does the line that begins with this token go on with the line before?"""
        if token.kind != "WORD":
            return token.kind in CONTINUES_KINDS or (token.kind == "LBRACE" and "LBRACE" in actions)
        if token.value == "not":
            return after.value in _AFTER_NOT and "NOT" in actions
        if token.value not in CONTINUES or after.kind == "COLON":
            return False
        return any(name in actions for name in self._keywords[token.value])

    def _word_type(self, token: Token, after: Token, actions: Mapping[str, Any]) -> str:
        word = token.value
        if "MARK" in actions and after.kind == "COLON":
            return "MARK"
        names = self._keywords.get(word, ())
        for name in names:
            if name in actions and (name not in _DECIDED_BY_NEXT or _DECIDED_BY_NEXT[name](after)):
                if name in _EVENTS and "NAME" in actions and not _is_event(name, after):
                    continue
                return name
        if "WORD" in actions:
            return "WORD"
        if "NAME" in actions and word not in RESERVED:
            return "NAME"
        return names[0] if names else "NAME"

    def _repair_word(self, token: Token, after: Token, actions: Mapping[str, Any], stream: Stream) -> Token:
        """A keyword in capitals is taken for the keyword."""
        small = token.value.lower()
        small = _SMALL.get(small, small)
        if small == token.value or small not in self._keywords:
            return token
        repaired = token.read_as("WORD", small)
        repaired.type = self._word_type(repaired, after, actions)
        if repaired.type not in actions:
            return token
        stream.problems.append(problems.capital_keyword(token.span, token.value, small))
        return repaired
