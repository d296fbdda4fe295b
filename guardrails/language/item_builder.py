"""Builds items and statements while the parser runs (see `guardrails.language.builder`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from guardrails.language import problems, syntax
from guardrails.language.builder import (
    ExpressionBuilder,
    Parts,
    Several,
    TypeBuilder,
    cover,
    literal_of,
    members_of,
    nodes_of,
    text_of,
    value_of,
    words_of,
)
from guardrails.language.problems import Mistake
from guardrails.language.scanner import Token
from guardrails.language.statement_builder import (
    BoundBuilder,
    EffectBuilder,
    breaker_of,
    clause_values,
    spanned,
)

AUDIT_MODES: Final = ("durable", "buffered")
AUDIT_FALLBACKS: Final = ("deny", "spill")


class TreeBuilder(EffectBuilder, BoundBuilder, ExpressionBuilder, TypeBuilder):
    """All rules; items and statements are here."""

    @staticmethod
    def file(parts: Parts) -> tuple[Any, ...]:
        return nodes_of(parts)

    @staticmethod
    def policy(parts: Parts) -> syntax.PolicyHeader:
        shadow, _, name = parts
        return syntax.PolicyHeader(cover(parts), name.value, shadow is not None)

    @staticmethod
    def use_tools(parts: Parts) -> syntax.UseTools:
        return syntax.UseTools(cover(parts), text_of(parts[2]) or "")

    @staticmethod
    def use_policy(parts: Parts) -> syntax.UsePolicy:
        _, path, _, settings = parts
        return syntax.UsePolicy(cover(parts), text_of(path) or "", tuple(settings or ()))

    settings = staticmethod(members_of)
    parameters = staticmethod(members_of)
    tools = staticmethod(members_of)
    names = staticmethod(members_of)
    strings = staticmethod(members_of)

    @staticmethod
    def setting(parts: Parts) -> syntax.Setting:
        return syntax.Setting(cover(parts), parts[0].value, parts[2])

    @staticmethod
    def type_item(parts: Parts) -> syntax.TypeItem:
        return syntax.TypeItem(cover(parts), parts[1].value, parts[-1])

    @staticmethod
    def label_order(parts: Parts) -> syntax.LabelOrder:
        return syntax.LabelOrder(cover(parts), tuple(words_of(chain) for chain in nodes_of(parts)))

    @staticmethod
    def chain(parts: Parts) -> Several:
        return members_of(parts)

    @staticmethod
    def param(parts: Parts) -> syntax.Param:
        _, name, _, definition, _, default = parts
        return syntax.Param(cover(parts), name.value, definition, default)

    @staticmethod
    def let(parts: Parts) -> syntax.Let:
        _, name, opening, parameters, _, _, value = parts
        known = None if opening is None else tuple(parameters or ())
        return syntax.Let(cover(parts), name.value, known, value)

    @staticmethod
    def parameter(parts: Parts) -> syntax.Parameter:
        return syntax.Parameter(cover(parts), parts[0].value, parts[2])

    @staticmethod
    def default(parts: Parts) -> syntax.Default:
        _, point, effect, _, because = parts
        return syntax.Default(cover(parts), point.value, effect, text_of(because))

    @staticmethod
    def block(parts: Parts) -> syntax.Block:
        return _block(parts, tuple(parts[3]), parts[4:-1])

    @staticmethod
    def open_block(parts: Parts) -> syntax.Block:
        return _block(parts, (), parts[3:-1])

    @staticmethod
    def body(parts: Parts) -> Several:
        items = Several(nodes_of(parts))
        items.span = cover(parts)
        return items

    condition = staticmethod(spanned)
    clause = staticmethod(spanned)

    @staticmethod
    def statement(parts: Parts) -> syntax.Statement:
        mark, _, shadow, effect, *clauses = parts
        given = clause_values(clauses)
        return syntax.Statement(
            cover(parts),
            value_of(mark),
            shadow is not None,
            effect,
            given.get("when"),
            given.get("unless"),
            text_of(given.get("because")),
        )

    @staticmethod
    def breaker_item(parts: Parts) -> syntax.BreakerItem:
        _, name, _, _, tools, lines = parts
        span = cover(parts)
        return syntax.BreakerItem(span, name.value, tuple(tools), breaker_of(span, lines))

    @staticmethod
    def detector(parts: Parts) -> syntax.Detector:
        _, name, _, _, pattern, _, checksum, _, context = parts
        words = tuple(text_of(token) or "" for token in context or ())
        return syntax.Detector(cover(parts), name.value, literal_of(pattern), value_of(checksum), words)

    @staticmethod
    def flow(parts: Parts) -> syntax.Flow:
        _, labels, _, _, tools, _, _, when, _, because = parts
        return syntax.Flow(cover(parts), words_of(labels), tuple(tools), when, text_of(because))

    @staticmethod
    def task(parts: Parts) -> syntax.Task:
        _, name, opening, parameters, *_ = parts
        known = () if opening is None else tuple(parameters or ())
        inside = tuple(part for part in nodes_of(parts) if isinstance(part, syntax.Block | syntax.OnlyCalls))
        return syntax.Task(cover(parts), name.value, known, inside)

    @staticmethod
    def only_calls(parts: Parts) -> syntax.OnlyCalls:
        return syntax.OnlyCalls(cover(parts), tuple(parts[2]))

    @staticmethod
    def reveal(parts: Parts) -> syntax.Reveal:
        return syntax.Reveal(cover(parts), parts[3], parts[5])

    @staticmethod
    def reveal_output(parts: Parts) -> syntax.Reveal:
        return syntax.Reveal(cover(parts), None, None)

    @staticmethod
    def audit(parts: Parts) -> syntax.Audit:
        _, mode, _, otherwise = parts
        _check_word(mode, "audit mode", AUDIT_MODES)
        if otherwise is not None:
            _check_word(otherwise, "audit fallback", AUDIT_FALLBACKS)
        return syntax.Audit(cover(parts), mode.value, value_of(otherwise))

    @staticmethod
    def tool(parts: Parts) -> syntax.ToolPattern:
        token = parts[0]
        quoted = token.type == "STRING"
        return syntax.ToolPattern(token.span, (text_of(token) or "") if quoted else token.value, quoted)


def _check_word(token: Token, what: str, known: tuple[str, ...]) -> None:
    if token.value not in known:
        raise Mistake(problems.unknown_word(token.span, what, token.value, known))


def _block(
    parts: Parts, tools: tuple[syntax.ToolPattern, ...], conditions: Sequence[Several]
) -> syntax.Block:
    given = clause_values(conditions)
    return syntax.Block(
        cover(parts),
        parts[2].value,
        tools,
        parts[0] is not None,
        given.get("when"),
        given.get("unless"),
        tuple(parts[-1]),
        cover(parts[:-1]),
    )
