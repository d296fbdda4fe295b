"""Gates: how much a change may change before a replay fails.

A gate is a number of events (`25`) or a share of those that were compared (`0.1%`), exactly as written: a share
is compared as a fraction, so that nothing is rounded in favour of the change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from guardrails.errors import GuardError
from guardrails.testing.replay_review import Review

PASSING, REFUSING = ("allow", "ask"), ("deny", "halt")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a gate counts: events whose outcome went from one of `before` to one of `after`."""

    option: str
    words: str
    before: tuple[str, ...]
    after: tuple[str, ...]


KINDS = (
    Kind("max-new-denials", "newly denied", PASSING, REFUSING),
    Kind("max-new-asks", "newly in need of approval", ("allow",), ("ask",)),
    Kind("max-new-allows", "newly allowed", ("ask", *REFUSING), ("allow",)),
)
CHANGES = "max-changes"
"""The gate of all events that are decided otherwise, in whichever way."""


@dataclass(frozen=True, slots=True)
class Gate:
    """At most `most` events, or that share of them."""

    option: str
    text: str
    most: Fraction
    is_share: bool

    def count(self, review: Review) -> int:
        kind = next((kind for kind in KINDS if kind.option == self.option), None)
        return review.altered if kind is None else review.moved(kind.before, kind.after)

    def holds(self, review: Review) -> bool:
        most = self.most * review.compared if self.is_share else self.most
        return self.count(review) <= most

    def said(self, review: Review) -> str:
        """The gate in words, with what it counted."""
        kind = next((kind for kind in KINDS if kind.option == self.option), None)
        words = "decided otherwise" if kind is None else kind.words
        count, of = self.count(review), review.compared
        share = f" ({100 * count / of:.3g}%)" if of else ""
        verb = "at most" if self.holds(review) else "more than"
        return f"{count:,} of {of:,} events{share} are {words}: {verb} {self.text}"


def gate(option: str, text: str) -> Gate:
    """The gate of an option and its value, such as `0.1%` or `25`. Raises `GuardError`."""
    is_share = text.endswith("%")
    try:
        most = Fraction(text.removesuffix("%").strip())
    except (ValueError, ZeroDivisionError):
        most = Fraction(-1)
    if most < 0 or "/" in text or (is_share and most > 100) or (not is_share and most.denominator != 1):
        raise GuardError(
            f"`--{option}` is a number of events such as `25`, or a share such as `0.1%`, not `{text}`"
        )
    return Gate(option, text, most / 100 if is_share else most, is_share)


def broken(gates: Iterable[Gate], review: Review) -> list[Gate]:
    return [each for each in gates if not each.holds(review)]
