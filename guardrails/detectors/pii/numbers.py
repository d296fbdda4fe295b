"""Numbers written with digits: cards, phones, social security, health service, accounts.

Takes a plain text, gives candidates. The one idea: digits are read once, as runs of groups with what stands
between them, and every kind of number is a shape of groups. A window is tried at each group, so what is found
depends on the neighbourhood only, and the work is linear however long a table of numbers is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from guardrails.detectors.pii.candidates import Candidate
from guardrails.detectors.pii.phones import foreign_phone, local_phone, phone_of_ten, trunk_phone
from guardrails.detectors.validators import card, card_network, itin, nhs, ssn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeAlias

    Step: TypeAlias = tuple[int, int, tuple[int, ...], bool]

    Shape: TypeAlias = Callable[["Window"], "Iterator[Candidate]"]

RUN = re.compile(r"[0-9](?:[ \t\r\n.\-/()·•∙_]{0,3}[0-9]){6,}")
_GROUP = re.compile("[0-9]+")
_GLUE = re.compile(r"[^\W_][.\-/]?\Z|[$€£#][.\-/]?\Z")
_GLUED_AFTER = re.compile(r"[A-Za-z_$€£%]|[.\-/:][A-Za-z0-9_]")

LONGEST = 19
"""Digits of the longest number known here."""

LEAST = 7
"""Digits of the shortest."""

MOST_GROUPS = 20

ENTITIES = frozenset({
    "CREDIT_CARD", "PHONE_NUMBER", "UK_NHS", "US_BANK_NUMBER", "US_DRIVER_LICENSE", "US_ITIN", "US_PASSPORT",
    "US_SSN",
})  # fmt: skip
"""What this module finds."""

_CARD_STARTS = frozenset("2345689")
_CARD_SHAPES = frozenset({(4, 6, 5), (4, 6, 4), (4, 4, 4, 3), (4, 5, 6), (4, 4, 5), (4, 3, 3, 3), (6, 13)})


class Run:
    """A run of digit groups: where they are in `text`."""

    __slots__ = ("groups", "lengths", "text")

    def __init__(self, text: str, start: int, end: int) -> None:
        self.text = text
        self.groups = [found.span() for found in _GROUP.finditer(text, start, end)]
        self.lengths = tuple([b - a for a, b in self.groups])

    def gap(self, index: int) -> str:
        """What stands between a group and the next."""
        return self.text[self.groups[index][1] : self.groups[index + 1][0]]


class Window:
    """Groups `first` to `last` of a run, as one number."""

    __slots__ = ("digits", "first", "last", "run", "shape")

    def __init__(self, run: Run, first: int, last: int, shape: tuple[int, ...]) -> None:
        self.run = run
        self.first = first
        self.last = last
        self.shape = shape
        self.digits = "".join(run.text[a:b] for a, b in run.groups[first : last + 1])

    @property
    def start(self) -> int:
        return self.run.groups[self.first][0]

    @property
    def end(self) -> int:
        return self.run.groups[self.last][1]

    @property
    def text(self) -> str:
        return self.run.text

    @property
    def whole(self) -> bool:
        """Whether the window is all of its run."""
        return self.first == 0 and self.last == len(self.run.groups) - 1

    def gaps(self) -> list[str]:
        return [self.run.gap(i) for i in range(self.first, self.last)]

    def even(self) -> str:
        """The mark between all groups, without spaces around it; `?` when they differ, empty for one group."""
        marks = {gap.strip() or " " for gap in self.gaps()}
        return "" if not marks else marks.pop() if len(marks) == 1 else "?"

    def free(self) -> bool:
        """Whether the number stands by itself: no letter, sign or joined group on either side."""
        return self._free_before() and self._free_after()

    def _free_before(self) -> bool:
        if self.first:
            gap = self.run.gap(self.first - 1)
            return bool(gap) and (gap[-1] in " \n\t(" or " " in gap)
        return _GLUE.search(self.text, max(0, self.start - 2), self.start) is None

    def _free_after(self) -> bool:
        if self.last < len(self.run.groups) - 1:
            return self.run.gap(self.last)[0] in " \n\t\r)" or ". " in self.run.gap(self.last)
        return _GLUED_AFTER.match(self.text, self.end) is None


def numbers(text: str) -> Iterator[Candidate]:
    """Candidates among the runs of seven or more digits of a plain text."""
    for found in RUN.finditer(text):
        run = Run(text, *found.span())
        if not _is_something_else(run):
            yield from _of_run(run)


def _of_run(run: Run) -> Iterator[Candidate]:
    lengths = run.lengths
    plan: Iterable[Step] = _remembered_plan(lengths) if len(lengths) <= MOST_GROUPS else _plan(lengths)
    begin, end = run.groups[0][0], run.groups[-1][1]
    if "+" in run.text[max(0, begin - 2) : end]:
        begun = {i for i, (start, _) in enumerate(run.groups) if "+" in run.text[max(0, start - 2) : start]}
        for first in sorted(begun):
            yield from foreign_phone([Window(run, first, *one) for one in _windows(lengths, first)])
        plan = [step for step in plan if step[0] not in begun]
    for first, last, shape, is_card in plan:
        if is_card and run.text[run.groups[first][0]] in _CARD_STARTS:
            yield from _card(Window(run, first, last, shape))
        yield from _of_shape(Window(run, first, last, shape))


def _plan(lengths: tuple[int, ...]) -> Iterator[Step]:
    """The windows worth a look in a run of groups of these lengths: first and last group, the lengths between,
    and whether they can be a card."""
    count = len(lengths)
    for first in range(count):
        if first and lengths[first] < LEAST and lengths[first : first + 2] not in BEGINNINGS:
            continue
        for last, shape in _windows(lengths, first):
            whole = first == 0 and last == count - 1
            is_card = sum(shape) >= 12 and (whole or len(shape) == 1 or _is_card_shape(shape))
            if is_card or whole or len(shape) == 1 or shape in SHAPES:
                yield first, last, shape, is_card


@lru_cache(maxsize=4096)
def _remembered_plan(lengths: tuple[int, ...]) -> tuple[Step, ...]:
    return tuple(_plan(lengths))


def _windows(lengths: tuple[int, ...], first: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The last group and the lengths of each window of enough digits from a group on."""
    total = 0
    for last in range(first, min(len(lengths), first + MOST_GROUPS)):
        total += lengths[last]
        if total > LONGEST:
            return
        if total >= LEAST:
            yield last, lengths[first : last + 1]


def _is_something_else(run: Run) -> bool:
    """Whether a run as a whole is a date, or four octets."""
    if len(run.lengths) == 4:
        return max(run.lengths) <= 3 and run.gap(0) == run.gap(1) == run.gap(2) == "."
    return len(run.lengths) == 3 and looks_like_date(Window(run, 0, 2, run.lengths))


def _of_shape(window: Window) -> Iterator[Candidate]:
    shape, total = window.shape, sum(window.shape)
    reader = SHAPES.get(shape)
    if reader is not None:
        yield from reader(window)
    elif len(shape) == 1 and 8 <= total <= 17:
        yield from _single(window)
    elif window.whole and total <= 15:
        yield from trunk_phone(window)


def _card(window: Window) -> Iterator[Candidate]:
    if not _is_printed_as_card(window) or not card(window.digits):
        return
    network = card_network(window.digits)
    grouped = len(window.shape) > 1
    alone = 0.9 if grouped else 0.75
    if network == "maestro":
        alone = 0.55 if len(window.digits) == 16 or grouped else 0.3
    if not window.free():
        alone = 0.55 if grouped and _is_common(window.shape) else 0.3
    yield Candidate(
        (window.start, window.end), "CREDIT_CARD", (alone, 1.0), f"{network} number, checksum holds"
    )


def _is_printed_as_card(window: Window) -> bool:
    shape = window.shape
    return len(shape) == 1 or _is_card_shape(shape) or not looks_like_date(window)


def _is_card_shape(shape: tuple[int, ...]) -> bool:
    return shape in _CARD_SHAPES or _is_common(shape)


def _is_common(shape: tuple[int, ...]) -> bool:
    """Groups of four, the last of them shorter or longer, or those of a card of 15 digits."""
    fours = len(shape) >= 4 and shape[:3] == (4, 4, 4) and set(shape[3:-1]) <= {4} and shape[-1] <= 7
    return fours or shape == (4, 6, 5)


def looks_like_date(window: Window) -> bool:
    """Whether the groups begin like a calendar date."""
    lengths = window.shape[:3]
    if (
        len(lengths) < 3
        or not (lengths[0] == 4 or lengths[2] in (2, 4))
        or window.run.gap(window.first) not in "-/."
    ):
        return False
    return max(lengths[1], min(lengths[0], lengths[2])) <= 2


def _nine(window: Window) -> Iterator[Candidate]:
    """Three, two and four digits."""
    mark = window.even()
    if mark not in ("-", " ", ".") or not window.free():
        return
    span = (window.start, window.end)
    if ssn(window.digits):
        alone = 0.85 if mark == "-" else 0.55
        yield Candidate(span, "US_SSN", (alone, 0.95), "three, two and four digits that can be issued")
    if itin(window.digits):
        yield Candidate(span, "US_ITIN", (0.6, 0.95), "nine digits of the range of taxpayer numbers")


def _nine_in_two(window: Window) -> Iterator[Candidate]:
    if window.even() not in ("-", " ") or not window.free():
        return
    span = (window.start, window.end)
    if ssn(window.digits):
        yield Candidate(span, "US_SSN", (0.1, 0.7), "nine digits after words for it")
    if itin(window.digits):
        yield Candidate(span, "US_ITIN", (0.1, 0.7), "nine digits after words for it")


def _ten(window: Window) -> Iterator[Candidate]:
    """Three, three and four digits."""
    mark = window.even()
    if nhs(window.digits) and mark in ("-", " ") and window.free():
        alone = 0.6 if mark == " " and window.digits[0] in "467" else 0.3
        yield Candidate((window.start, window.end), "UK_NHS", (alone, 0.95), "ten digits, checksum holds")
    yield from phone_of_ten(window)


def _single(window: Window) -> Iterator[Candidate]:
    """One group of 8 to 17 digits: nothing by itself, so the words before it decide."""
    if not window.free():
        return
    span, digits = (window.start, window.end), window.digits
    if len(digits) == 9:
        yield from _bare_nine(span, digits)
    if len(digits) == 10 and nhs(digits):
        yield Candidate(span, "UK_NHS", (0.3, 0.95), "ten digits, checksum holds")
    yield Candidate(span, "US_BANK_NUMBER", (0.05, 0.6), "8 to 17 digits after words for an account")
    yield Candidate(span, "US_DRIVER_LICENSE", (0.01, 0.55), "digits after words for a licence")
    if window.whole and len(digits) <= 15:
        yield from trunk_phone(window)


def _bare_nine(span: tuple[int, int], digits: str) -> Iterator[Candidate]:
    if ssn(digits):
        yield Candidate(span, "US_SSN", (0.1, 0.75), "nine digits after words for it")
    if itin(digits):
        yield Candidate(span, "US_ITIN", (0.3, 0.75), "nine digits after words for it")
    yield Candidate(span, "US_PASSPORT", (0.05, 0.65), "nine digits after words for a passport")


SHAPES: dict[tuple[int, ...], Shape] = {
    (3, 2, 4): _nine,
    (5, 4): _nine_in_two,
    (3, 6): _nine_in_two,
    (3, 3, 4): _ten,
    (1, 3, 3, 4): phone_of_ten,
    (3, 4): local_phone,
}

BEGINNINGS = {shape[:2] for shape in (*SHAPES, *_CARD_SHAPES, (4, 4), (4, 6))}
"""The first two groups of everything that can begin inside of a run."""
