"""Places: what the rules say at one place of a JSON value, and how its plain values are redacted there.

Takes rules and the way down, gives the place below; takes a text or number, gives what goes on in its place,
or DROPPED. A place is made once and used for every value there.
"""

from __future__ import annotations

from guardrails.redaction.methods import strictest
from guardrails.redaction.overlaps import LONG
from guardrails.redaction.passes import Passes
from guardrails.redaction.placeholders import MASKED, is_tail, tail, tail_start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from guardrails.redaction.methods import Method, Rule
    from guardrails.redaction.passes import Counts
    from guardrails.redaction.placeholders import Writer

VALUE = "VALUE"
"""The entity of a value that a rule redacts as a whole."""

NUMBERS = frozenset({"CREDIT_CARD"})
"""Entities that a number is wherever it stands; their form carries a checksum."""

# fmt: off
SENSITIVE = frozenset((
    "aba", "account", "bank", "bic", "birth", "card", "cell", "cvc", "cvv", "dob", "fax", "iban", "itin", "licence",
    "license", "medical", "mobile", "msisdn", "nhs", "pan", "passport", "phone", "pin", "routing", "sin", "social",
    "ssn", "tax", "tel", "telephone", "tin", "vat",
))
# fmt: on
"""Words of keys under which a number may be any entity."""


class Dropped:
    """Stands for what a redaction removes."""


DROPPED = Dropped()


class Place:
    """The rules at one place. `whole`: how all that is here is replaced, if it is; `passes`: what looks into
    texts, if any rule does."""

    __slots__ = ("_below", "_element", "_rules", "_writer", "passes", "whole")

    def __init__(self, rules: tuple[Rule, ...], writer: Writer) -> None:
        here = [rule for rule in rules if not rule.path]
        whole = [rule.method for rule in here if rule.detector is None]
        parts = [rule for rule in here if rule.detector is not None]
        self._rules = rules
        self._writer = writer
        self.whole = strictest(whole) if whole else None
        self.passes = Passes(parts, writer) if parts else None
        self._below: dict[str, Place] = {}
        self._element: Place | None = None

    @property
    def hold(self) -> int:
        """The most characters that a text here or below keeps back while it grows."""
        parts = [rule for rule in self._rules if rule.detector is not None]
        return max(LONG, Passes(parts, self._writer).hold)

    def field(self, name: str) -> Place:
        """The place of the field `name`: reached by rules that name it or `*`, and by those of all here."""
        if all(not rule.path for rule in self._rules):
            return self
        known = any(rule.path[:1] == (name,) for rule in self._rules)
        found = self._below.get(name if known else "*")
        if found is None:
            found = self._below[name if known else "*"] = self._at(lambda step: step in (name, "*"))
        return found

    def element(self) -> Place:
        """The place of the elements of a list: `*` names them, any other step passes through."""
        if self._element is None:
            self._element = self._of(
                tuple(rule.below() if rule.path[:1] == ("*",) else rule for rule in self._rules)
            )
        return self._element

    def text(self, text: str, context: Sequence[str], counts: Counts) -> Any:
        """What goes on in place of a text."""
        if self.whole is not None:
            return self._whole_text(text, context, counts)
        return self.passes.whole(text, context, counts) if self.passes else text

    def plain(self, value: Any, context: Sequence[str], counts: Counts) -> Any:
        """What goes on in place of a number, boolean or null: the text of `hash`, `token` and `replace`, null
        for `mask` and `last`."""
        if self.whole is not None:
            counts[VALUE] = counts.get(VALUE, 0) + 1
            return self._instead(self.whole, VALUE, value)
        digits = digits_of(value)
        found = self.passes.find(digits, context) if self.passes and digits else []
        whole = [each for each in found if each.start == 0 and each.end == len(digits)]
        fitting = [each for each in whole if each.entity in NUMBERS or is_sensitive(context)]
        if not fitting:
            return value
        entity = min(fitting, key=lambda each: each.order).entity
        counts[entity] = counts.get(entity, 0) + 1
        return self._instead(strictest([each.method for each in fitting]), entity, value)

    def _at(self, is_on_way: Callable[[str], bool]) -> Place:
        rules = [rule.below() if rule.path else rule for rule in self._rules if _leads(rule, is_on_way)]
        return self._of(tuple(rules))

    def _of(self, rules: tuple[Rule, ...]) -> Place:
        return self if rules == self._rules else Place(rules, self._writer)

    def _instead(self, method: Method, entity: str, value: Any) -> Any:
        """What stands for a value that is no text."""
        if method.kind in ("drop", "replace"):
            return DROPPED if method.kind == "drop" else method.argument
        digits = digits_of(value)
        if method.kind in ("mask", "last") or not digits:
            return None
        if method.kind == "hash":
            return self._writer.hashed(entity, digits)
        return self._writer.token(entity, value if value.__class__ is int else digits)

    def _whole_text(self, text: str, context: Sequence[str], counts: Counts) -> Any:
        method = self.whole
        assert method is not None
        counts[VALUE] = counts.get(VALUE, 0) + 1
        if method.kind in ("drop", "replace"):
            return DROPPED if method.kind == "drop" else method.argument
        if method.kind == "mask" or len(text) > LONG:
            return MASKED
        if method.kind == "last":
            return self._whole_tail(text, method.argument, context)
        if self._writer.is_own(text):
            return text
        return self._writer.match(method, VALUE, text)

    def _whole_tail(self, text: str, count: int, context: Sequence[str]) -> str:
        """A text of which the end is shown must not show what a detector finds."""
        found = self.passes.find(text, context) if self.passes else []
        if is_tail(text, count):
            return text
        start = tail_start(text, count)
        return MASKED if any(each.end > start for each in found) else MASKED + tail(text, count)


def digits_of(value: Any) -> str:
    """A number as it would be written by hand; empty for what is no number, or none that could be a code."""
    if value.__class__ is bool or value is None:
        return ""
    if value.__class__ is int:
        return str(value)
    whole = int(value) if value == value and abs(value) < 1e40 else 0
    return str(whole) if whole == value else str(value)


def is_sensitive(context: Sequence[str]) -> bool:
    """Whether one of the keys on the way has a word of SENSITIVE."""
    return any(not SENSITIVE.isdisjoint(words_of(key)) for key in context)


def words_of(key: str) -> list[str]:
    """`cardNumber`, `card_number` and `Card-Number` as `card`, `number`."""
    split = "".join(
        f" {c}" if c.isupper() and not before.isupper() else c if c.isalnum() else " "
        for before, c in zip(" " + key, key, strict=False)
    )
    return split.lower().split()


def _leads(rule: Rule, is_on_way: Callable[[str], bool]) -> bool:
    return not rule.path or is_on_way(rule.path[0])
