"""Forms: values that are the same although they are written in more than one way.

Takes a text, gives for a kind of value the stretches of the text that are such values, each with a key: two
stretches are the same value exactly if their keys are equal. The one idea: a reading that two careful people
could disagree about (`11/12/2026`, `1.000,50`) has no key, so it can never be the same as anything but itself.
"""

from __future__ import annotations

import re
from itertools import islice

from guardrails.provenance.addresses import email_spans, hex_spans, host_spans, url_spans
from guardrails.provenance.aligned import belongs
from guardrails.provenance.dates import MONTHS, date_spans
from guardrails.provenance.numbers import grouped_spans, iban_spans, number_spans, same_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    Span: TypeAlias = tuple[int, int, str]
    Finder: TypeAlias = Callable[..., Iterator[Span]]

KINDS: dict[str, Finder] = {
    "email": email_spans,
    "url": url_spans,
    "iban": iban_spans,
    "hex": hex_spans,
    "date": date_spans,
    "number": number_spans,
    "grouped": grouped_spans,
    "host": host_spans,
}

INSIDE = ("email", "url", "iban", "hex", "date", "grouped", "number")
"""Kinds that are parts of their own inside a longer text; an earlier one keeps its place from later ones."""

CUT = 4
"""Characters before the end of a stretch in which a value may be cut off."""

LONGEST = 60
"""Characters of a date or number."""

_CODE = re.compile(
    r"(?<![\w@.\\/-])(?=[\w-]{0,40}\d)(?=[\d_-]{0,40}[A-Za-z])[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*(?![\w@-])"
    r"|(?<![\w@.:/])~?(?:/[\w.-]*\w)+(?![\w@/])"
)
"""Ids of letters and digits, and paths."""

_OF_DIGITS = frozenset({"iban", "hex", "date", "number", "grouped"})
_DIGIT = re.compile(r"\d")

MOST_INSIDE = 128
"""Values inside a text that are parts of their own; more of them are words like all others."""


class Form:
    """A value of a kind: `key` is equal for all its spellings."""

    __slots__ = ("key", "kind")

    def __init__(self, kind: str, key: str) -> None:
        self.kind = kind
        self.key = key


def read(text: str) -> tuple[Form, ...]:
    """The forms of a text that is one value as a whole; digits alone may be a quantity or a phone number."""
    found: list[Form] = []
    digits = _DIGIT.search(text) is not None
    for kind, spans in KINDS.items():
        if kind in _OF_DIGITS and not digits:
            continue
        for start, end, key in spans(text):
            if start == 0 and end == len(text):
                found.append(Form(kind, key))
                break
        if found and kind not in ("number", "grouped"):
            break
    return tuple(found)


def inside(text: str) -> list[tuple[int, int, tuple[Form, ...]]]:
    """The values inside `text`, in order and without overlaps; of very many, some."""
    found: list[tuple[int, int, tuple[Form, ...]]] = []
    for start, end, forms in _all_inside(text):
        if len(found) < MOST_INSIDE and not _is_cut(text, start, end) and _is_free(start, end, found):
            found.append((start, end, forms))
    return sorted(found, key=lambda each: each[0])


def _all_inside(text: str) -> Iterator[tuple[int, int, tuple[Form, ...]]]:
    for kind in INSIDE:
        for start, end, key in islice(KINDS[kind](text), MOST_INSIDE):
            yield start, end, (Form(kind, key),)
    for each in islice(_CODE.finditer(text), MOST_INSIDE):
        yield (*each.span(), ())


def _is_free(start: int, end: int, taken: list[tuple[int, int, tuple[Form, ...]]]) -> bool:
    return all(end <= first or start >= last for first, last, _ in taken)


def is_address(form: Form) -> bool:
    """Whether a value names somebody or something by itself wherever it stands."""
    return form.kind in ("email", "url", "iban")


def anchors(form: Form, *, alone: bool) -> list[tuple[str, tuple[str, ...]]]:
    """The keys by which a value is found, and the layers that they are in; none: by its words. `alone` says that the
    value has no other form, by which it would be found as plain digits."""
    if form.kind in ("url", "host", "hex"):
        return []
    entries: list[tuple[str, tuple[str, ...]]] = [
        (entry, (form.kind,)) for entry in entries_of_form(form.kind, form.key)
    ]
    return [(form.key, ("word", "number")), *entries] if form.kind == "grouped" and alone else entries


def entries_of_form(kind: str, key: str) -> tuple[str, ...]:
    """The keys of a value in the layer of its kind: of a day without the time, of a phone number also what all its
    spellings share."""
    if kind == "date":
        return (key[:10],)
    if kind == "grouped":
        return (f"={key}", f"+{key[-7:]}") if len(key) <= 16 else (f"={key}",)
    return (key,)


def same(text: str, form: Form) -> Iterator[tuple[int, int]]:
    """Where the value stands in `text`, in any of its spellings."""
    spans = KINDS[form.kind]
    for first, last in _near(text, form):
        for start, end, key in spans(text, first, last):
            if end > last - CUT and last < len(text):
                continue  # what follows could make it longer
            if _is_cut(text, start, end):
                continue
            if key == form.key or (form.kind == "grouped" and same_number(key, form.key)):
                yield start, end


def _is_cut(text: str, start: int, end: int) -> bool:
    """Whether a character beyond ASCII next to a value makes it longer; the kinds see to ASCII themselves."""
    beside = text[start - 1 : start] if start else "", text[end : end + 1]
    return any(not character.isascii() and belongs(character) for character in beside)


def _near(text: str, form: Form) -> list[tuple[int, int]]:
    """The stretches of `text` in which the value can be, by something that all its spellings have."""
    before, after = _AROUND.get(form.kind, (0, 0))
    needles = _NEEDLES[form.kind](form.key) if form.kind in _NEEDLES else ()
    if not needles:
        return [(0, len(text))]
    there = text.lower()
    if len(there) != len(text):
        return [(0, len(text))]
    found: list[tuple[int, int]] = []
    for needle in needles:
        place = there.find(needle)
        while place >= 0:
            if form.kind != "date" or _can_be(there[max(0, place - before) : place + 12], form.key):
                found.append((max(0, place - before), min(len(text), place + after)))
                place += max(0, after - LONGEST - 1)
            place = there.find(needle, place + 1)
    return found


def _can_be(text: str, key: str) -> bool:
    """Whether a day may stand here, by its numbers or the name of its month."""
    month, day = key[5:7], key[8:10]
    return day.lstrip("0") in text and (month.lstrip("0") in text or MONTHS[int(month) - 1] in text)


def _number_needles(key: str) -> tuple[str, ...]:
    whole = key.lstrip("-").partition(".")[0]
    return (whole, f"{int(whole):,}") if len(whole) > 3 and whole.isdigit() else (whole,)


def _iban_needles(key: str) -> tuple[str, ...]:
    return key, f"{key[:4]} {key[4:8]}", f"{key[:4]}-{key[4:8]}"


_NEEDLES: dict[str, Callable[[str], tuple[str, ...]]] = {
    "email": lambda key: (key,),
    "number": _number_needles,
    "iban": _iban_needles,
    "date": lambda key: (key[:4],),
    "host": lambda key: (key,),
    "hex": lambda key: (key,),
}
_AROUND = {
    "email": (0, 400),
    "number": (1, 180),
    "iban": (0, 80),
    "date": (24, 120),
    "host": (300, 400),
    "hex": (1, 200),
}
"""How far around a needle the value goes, before and after its start."""
