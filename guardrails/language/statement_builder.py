"""Builds effects while the parser runs (see `guardrails.language.builder`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from guardrails.diagnostics import Span
from guardrails.language import problems, syntax
from guardrails.language.builder import (
    Parts,
    Several,
    cover,
    literal_of,
    maybe_literal,
    members_of,
    nodes_of,
    text_of,
    value_of,
    words_of,
)
from guardrails.language.problems import Mistake
from guardrails.language.scanner import Token

PLAIN_METHODS: Final = ("mask", "hash", "drop", "token")
METHODS: Final = (*PLAIN_METHODS, "replace", "last")
_EVENT_ROOTS: Final = frozenset({"args", "text", "result", "input", "output"})


def clause_values(clauses: Sequence[Several]) -> dict[str, Any]:
    """The clauses by their word; a word that comes twice is a mistake."""
    found: dict[str, Several] = {}
    for clause in clauses:
        word = clause[0].value
        if word in found:
            raise Mistake(problems.duplicate_clause(clause[0].span, word, found[word][0].span))
        found[word] = clause
    return {word: clause[1] for word, clause in found.items()}


def spanned(parts: Parts) -> Several:
    several = Several(parts)
    several.span = cover(parts)
    return several


class EffectBuilder:
    """The rules of effects."""

    @staticmethod
    def allow(parts: Parts) -> syntax.Allow:
        return syntax.Allow(parts[0].span)

    @staticmethod
    def deny(parts: Parts) -> syntax.Deny:
        return syntax.Deny(parts[0].span)

    @staticmethod
    def halt(parts: Parts) -> syntax.Halt:
        return syntax.Halt(parts[0].span)

    @staticmethod
    def ask(parts: Parts) -> syntax.Ask:
        _, quorum, _, reviewers, _, within, _, otherwise, reuse = parts
        deadline = maybe_literal(within)
        return syntax.Ask(
            cover(parts), words_of(reviewers), _quorum(quorum), deadline, words_of(otherwise), reuse
        )

    @staticmethod
    def reuse(parts: Parts) -> syntax.Reuse:
        bounds = tuple(part for part in parts if type(part) is syntax.ReuseBound)
        return syntax.Reuse(cover(parts), parts[1], bounds)

    @staticmethod
    def reuse_bound(parts: Parts) -> syntax.ReuseBound:
        amount, _, _, most, per = parts
        return syntax.ReuseBound(cover(parts), amount, most, per.value)

    @staticmethod
    def flag(parts: Parts) -> syntax.Flag:
        token = parts[1]
        name = text_of(token) if token.type == "STRING" else token.value
        return syntax.Flag(cover(parts), name or "")

    @staticmethod
    def review(parts: Parts) -> syntax.Review:
        _, _, reviewers, _, within, _, sample = parts
        return syntax.Review(cover(parts), words_of(reviewers), maybe_literal(within), maybe_literal(sample))

    @staticmethod
    def require(parts: Parts) -> syntax.Require:
        return syntax.Require(cover(parts), parts[1])

    @staticmethod
    def threshold(parts: Parts) -> syntax.Threshold:
        rows = tuple(part for part in parts if type(part) is syntax.Row)
        _check_rows(cover(parts), rows)
        return syntax.Threshold(cover(parts), parts[1], rows)

    @staticmethod
    def row(parts: Parts) -> syntax.Row:
        _, _, bound, _, effect, _, because = parts
        return syntax.Row(cover(parts), bound, effect, text_of(because))

    @staticmethod
    def row_above(parts: Parts) -> syntax.Row:
        _, _, effect, _, because = parts
        return syntax.Row(cover(parts), None, effect, text_of(because))

    @staticmethod
    def redact(parts: Parts) -> syntax.Redact:
        _, heads, _, targets, _, method, argument = parts
        _check_method(method, argument)
        what, where = _redaction(heads, targets)
        return syntax.Redact(cover(parts), what, where, value_of(method), maybe_literal(argument))

    redactables = staticmethod(members_of)
    targets = staticmethod(members_of)

    @staticmethod
    def only_fields(parts: Parts) -> syntax.OnlyFields:
        return syntax.OnlyFields(cover(parts), tuple(parts[2]))

    @staticmethod
    def drop_fields(parts: Parts) -> syntax.DropFields:
        return syntax.DropFields(cover(parts), tuple(parts[2]))

    @staticmethod
    def only_rows(parts: Parts) -> syntax.OnlyRows:
        return syntax.OnlyRows(cover(parts), parts[3])

    field_paths = staticmethod(members_of)

    @staticmethod
    def field_path(parts: Parts) -> syntax.FieldPath:
        names = tuple("*" if part.type == "EACH" else part.value for part in parts if part.type != "DOT")
        return syntax.FieldPath(cover(parts), names)

    @staticmethod
    def schema(parts: Parts) -> syntax.Schema:
        return syntax.Schema(cover(parts), text_of(parts[1]) or "")

    @staticmethod
    def label(parts: Parts) -> syntax.Label:
        _, names, _, targets, _, where = parts
        return syntax.Label(cover(parts), words_of(names), tuple(targets or ()), where)


def _quorum(token: Token | None) -> int:
    if token is None:
        return 1
    value = literal_of(token).value
    if not isinstance(value, int) or value < 1:
        raise Mistake(problems.bad_quorum(token.span, token.value))
    return value


def _check_rows(span: Span, rows: Sequence[syntax.Row]) -> None:
    last = [row for row in rows if row.bound is None]
    if not last:
        raise Mistake(problems.threshold_without_above(span))
    if len(last) > 1:
        raise Mistake(problems.second_above(last[1].span, last[0].span))
    if rows[-1].bound is not None:
        raise Mistake(problems.above_not_last(last[0].span))


def _redaction(
    heads: Sequence[syntax.Expr], targets: Sequence[syntax.Expr] | None
) -> tuple[syntax.Expr | None, tuple[syntax.Expr, ...]]:
    """What to look for and where: `redact pii in args.body`, `redact pii`, `redact args.body`."""
    if targets is not None:
        if len(heads) > 1:
            raise Mistake(problems.several_detectors(heads[1].span))
        return heads[0], tuple(targets)
    if len(heads) == 1 and _is_detector(heads[0]):
        return heads[0], ()
    for head in heads:
        if _is_detector(head):
            raise Mistake(problems.several_detectors(head.span))
    return None, tuple(heads)


def _is_detector(head: syntax.Expr) -> bool:
    if isinstance(head, syntax.Name):
        return head.id not in _EVENT_ROOTS
    return isinstance(head, syntax.Literal | syntax.Call)


def _check_method(method: Token | None, argument: Token | None) -> None:
    if method is None:
        return
    name = method.value
    if name not in METHODS:
        raise Mistake(problems.unknown_word(method.span, "redaction", name, METHODS))
    wanted = {"replace": "STRING", "last": "NUMBER"}.get(name)
    if wanted is None and argument is not None:
        raise Mistake(problems.method_argument(argument.span, f"`with {name}` takes nothing after it"))
    if wanted is not None and (argument is None or argument.type != wanted):
        example = {"replace": '`with replace "..."`', "last": "`with last 4`"}[name]
        raise Mistake(problems.method_argument(method.span, f"expected {example}"))


class BoundBuilder:
    """The rules of limits, budgets and breakers."""

    @staticmethod
    def limit(parts: Parts) -> syntax.Limit:
        _, bounds, tail = parts
        return _limit(parts, "count", (None, tuple(bounds), tail))

    @staticmethod
    def limit_total(parts: Parts) -> syntax.Limit:
        _, total, _, bounds, tail = parts
        measure, subject = _measured(total)
        return _limit(parts, measure, (subject, tuple(bounds), tail))

    @staticmethod
    def limit_events(parts: Parts) -> syntax.Limit:
        _, amount, measure, _, window, tail = parts
        bound = syntax.Bound(amount.span, amount, maybe_literal(window))
        return _limit(parts, measure.value, (None, (bound,), tail))

    @staticmethod
    def limit_session(parts: Parts) -> syntax.Limit:
        _, measure, amount, tail = parts
        bound = syntax.Bound(amount.span, amount, None)
        return _limit(parts, measure.value, (None, (bound,), tail))

    bounds = staticmethod(members_of)
    values = staticmethod(members_of)

    @staticmethod
    def bound(parts: Parts) -> syntax.Bound:
        amount, _, window = parts
        return syntax.Bound(cover(parts), amount, maybe_literal(window))

    @staticmethod
    def limit_tail(parts: Parts) -> Several:
        return Several(parts)

    @staticmethod
    def budget(parts: Parts) -> syntax.Budget:
        _, resource, amount, per, _, by, *rest = parts
        period, zone = per or (None, None)
        warnings = tuple(literal_of(token) for token in rest if token is not None and token.type == "PERCENT")
        was = rest[-1]
        return syntax.Budget(
            cover(parts), resource.value, amount, period, zone, tuple(by or ()), warnings, value_of(was)
        )

    @staticmethod
    def per(parts: Parts) -> Several:
        _, period, *zone = parts
        reading = literal_of(period) if period.type == "DURATION" else period.value
        several = Several((reading, text_of(zone[1]) if zone else None))
        several.span = cover(parts)
        return several

    @staticmethod
    def breaker(parts: Parts) -> syntax.Breaker:
        return breaker_of(cover(parts), parts[1])

    @staticmethod
    def breaker_body(parts: Parts) -> Several:
        lines = Several(nodes_of(parts))
        lines.span = cover(parts)
        return lines

    @staticmethod
    def open_after(parts: Parts) -> syntax.OpenAfter:
        _, _, amount, _, _, window = parts
        return syntax.OpenAfter(cover(parts), literal_of(amount), False, None, literal_of(window))

    @staticmethod
    def open_after_consecutive(parts: Parts) -> syntax.OpenAfter:
        return syntax.OpenAfter(cover(parts), literal_of(parts[2]), True, None, None)

    @staticmethod
    def open_after_share(parts: Parts) -> syntax.OpenAfter:
        _, _, share, _, _, minimum, _, window = parts
        return syntax.OpenAfter(
            cover(parts), literal_of(share), False, literal_of(minimum), literal_of(window)
        )

    retry_after = staticmethod(spanned)
    fallback = staticmethod(spanned)
    keyed = staticmethod(spanned)


def _limit(parts: Parts, measure: str, rest: tuple[Any, tuple[syntax.Bound, ...], Several]) -> syntax.Limit:
    subject, bounds, tail = rest
    _, by, _, burst, degrade, _, _, _, was = tail
    span = cover([*parts[:-1], *tail])
    return syntax.Limit(
        span, measure, subject, bounds, tuple(by or ()), burst, degrade is not None, value_of(was)
    )


def _measured(total: syntax.Expr) -> tuple[str, syntax.Expr]:
    """`sum` and its subject for `sum(args.amount)`."""
    if (
        isinstance(total, syntax.Call)
        and total.function in ("sum", "distinct")
        and len(total.arguments) == 1
        and not total.named
    ):
        return total.function, total.arguments[0]
    raise Mistake(problems.not_a_measure(total.span))


def breaker_of(span: Span, lines: Several) -> syntax.Breaker:
    opens = tuple(line for line in lines if isinstance(line, syntax.OpenAfter))
    settings: dict[str, Several] = {}
    for line in lines:
        if isinstance(line, Several):
            word = line[0].value
            if word in settings:
                raise Mistake(problems.duplicate_clause(line[0].span, word, settings[word][0].span))
            settings[word] = line
    if not opens or "retry" not in settings:
        raise Mistake(problems.incomplete_breaker(span, "open after" if not opens else "retry after"))
    fallback, by = settings.get("fallback"), settings.get("by")
    return syntax.Breaker(
        span,
        opens,
        literal_of(settings["retry"][2]),
        text_of(fallback[1]) if fallback else None,
        tuple(by[1]) if by else (),
    )
