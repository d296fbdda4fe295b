"""The parser: the text of a policy in, its syntax tree and every syntax problem out.

    text -> tokens (lexer) -> one LALR parse that builds the tree -> File

A file that is right is done in that one pass. A file that is not is cut into items and statements
(`recovery`), each is parsed on its own, and each that fails is explained by itself (`explaining`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import IO, Any, Final

from lark import Lark
from lark.exceptions import UnexpectedToken

from guardrails.diagnostics import Diagnostic, Span, in_order
from guardrails.language import problems, syntax
from guardrails.language.explaining import explain
from guardrails.language.failure import Failure
from guardrails.language.item_builder import TreeBuilder
from guardrails.language.lexer import LayoutLexer, Stream
from guardrails.language.recovery import Piece, cut_block, cut_items
from guardrails.language.scanner import MAX_DEPTH, MAX_PROBLEMS, Scan, Scanner, Token
from guardrails.language.tree import node_at_depth

STARTS: Final = ["file", "item", "body_item", "expression"]


def parse(text: str, file: str) -> tuple[syntax.File | None, list[Diagnostic]]:
    """The tree of a policy file and its syntax problems, in order; the tree is None where there are any."""
    scan = _scanner().scan(text, file)
    if scan.given_up:
        return None, scan.problems
    items, found, failure = _attempt(scan.tokens, "file")
    if failure is not None:
        found = _Recovery(scan).run()
    found = in_order(scan.problems + found)
    if found:
        return None, found
    return syntax.File(_whole(scan), items, tuple(scan.comments), text), []


def parse_expression(text: str, file: str) -> tuple[syntax.Expr | None, list[Diagnostic]]:
    """The tree of a single expression and its syntax problems."""
    scan = _scanner().scan(text, file)
    if scan.given_up:
        return None, scan.problems
    tree, found, failure = _attempt(scan.tokens, "expression")
    if failure is not None and not (scan.problems or found):
        found = [explain(failure)]
    found = in_order(scan.problems + found)
    return (None if found else tree), found


def grammar() -> str:
    """The text of the grammar."""
    return files("guardrails.grammar").joinpath("guard.lark").read_text(encoding="utf-8")


def save_tables(out: IO[bytes]) -> None:
    """Write the parser's tables, which take half a second to work out; `use_tables` takes them in a new
    process."""
    _lark().save(out)


def use_tables(stored: IO[bytes]) -> None:
    """Take tables that `save_tables` wrote for this grammar and this version of Lark. They are unpickled, so
    they must come from where nobody else can write."""
    parser: Any = Lark.__new__(Lark)
    _prepared.append(parser._load(stored, transformer=TreeBuilder()))


_prepared: list[Lark] = []


@cache
def _lark() -> Lark:
    if _prepared:
        return _prepared[-1]
    return Lark(
        grammar(),
        parser="lalr",
        lexer=LayoutLexer,
        start=STARTS,
        keep_all_tokens=True,
        maybe_placeholders=True,
        transformer=TreeBuilder(),
    )


@cache
def _scanner() -> Scanner:
    return Scanner(_lark().terminals)


def _attempt(tokens: list[Token], start: str) -> tuple[Any, list[Diagnostic], Failure | None]:
    """The tree, the problems that were repaired on the way, and what made the parse fail, if it did."""
    stream = Stream(tokens)
    try:
        tree: Any = _lark().parse(stream, start=start)
    except problems.Mistake as mistake:
        return None, stream.problems, Failure(tokens, len(tokens), frozenset(), start, mistake.problem)
    except UnexpectedToken as unexpected:
        return None, stream.problems, _failure(tokens, start, unexpected)
    deep = _too_deep(tree if start == "file" else (tree,), stream.long)
    return tree, [*stream.problems, *deep], None


def _failure(tokens: list[Token], start: str, unexpected: UnexpectedToken) -> Failure:
    parser: Any = unexpected.interactive_parser
    accepts = frozenset(parser.accepts()) if parser else frozenset()
    token, at = unexpected.token, len(tokens)
    if isinstance(token, Token):
        at = next(index for index, other in enumerate(tokens) if other.start >= token.start)
    return Failure(tokens, at, accepts, start)


class _Recovery:
    """Parses a failing file piece by piece and gathers one problem for each mistake."""

    def __init__(self, scan: Scan) -> None:
        self.tokens = scan.tokens
        self.spelling = [problem.span.start for problem in scan.problems]
        self.found: list[Diagnostic] = []

    def run(self) -> list[Diagnostic]:
        cut = cut_items(self.tokens)
        self.found += cut.problems
        for piece in cut.pieces:
            if len(self.found) > MAX_PROBLEMS:
                break
            self._item(piece)
        return self._first(in_order(self.found))

    def _first(self, found: list[Diagnostic]) -> list[Diagnostic]:
        if len(found) <= MAX_PROBLEMS:
            return found
        return [*found[:MAX_PROBLEMS], problems.too_many(found[MAX_PROBLEMS].span)]

    def _item(self, piece: Piece) -> None:
        _, repaired, failure = _attempt(piece.tokens, "item")
        block = cut_block(piece) if failure and _is_block(piece.tokens) else None
        if block is None:
            self._keep(piece, repaired, failure)
            return
        header, body = block
        self.found += body.problems
        self._parse(Piece(header), "item")
        for statement in body.pieces:
            if len(self.found) > MAX_PROBLEMS:
                break
            self._parse(statement, "body_item")

    def _parse(self, piece: Piece, start: str) -> None:
        _, repaired, failure = _attempt(piece.tokens, start)
        self._keep(piece, repaired, failure)

    def _keep(self, piece: Piece, repaired: list[Diagnostic], failure: Failure | None) -> None:
        self.found += repaired
        if failure is None or self._is_misspelled(piece.tokens):
            return
        self.found.append(problems.open_bracket(piece.open[0]) if piece.open else explain(failure))

    def _is_misspelled(self, tokens: list[Token]) -> bool:
        """Is a spelling problem told already that would make this piece fail?"""
        return any(tokens[0].start <= start <= tokens[-1].end for start in self.spelling)


def _is_block(tokens: list[Token]) -> bool:
    return tokens[0].value == "on" or [token.value for token in tokens[:2]] == ["shadow", "on"]


def _too_deep(trees: Sequence[syntax.Node], long: Iterable[Token]) -> list[Diagnostic]:
    """The first node that stands below too many others, in each tree that has a long run of tokens."""
    starts = [tree.span.start for tree in trees]
    suspects = {max(bisect_right(starts, token.start) - 1, 0) for token in long}
    deep = [node_at_depth(trees[at], MAX_DEPTH) for at in sorted(suspects)]
    return [problems.too_deep(node.span, MAX_DEPTH) for node in deep if node is not None]


def _whole(scan: Scan) -> Span:
    end = scan.end
    return Span(scan.file, 0, end.end, 1, 1, end.end_line, end.end_column)
