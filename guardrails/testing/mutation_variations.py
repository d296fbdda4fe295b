"""Variations: an event in, events that differ from it in one place out.

`varied` knows nothing of a policy: it makes texts and numbers a little different. `aimed` knows what a mutant
changed: a member that a set lost comes in where another one stands, a text is bent where a pattern finds
something or has the length of a number that was shifted, and the words of other tests come in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any, TypeAlias

from guardrails.errors import GuardError
from guardrails.patterns.spans import compile_spans
from guardrails.testing.knowing import examples_of
from guardrails.testing.mutation_operators import Mutant
from guardrails.testing.sampling import at, paths_of, texts_of, with_value

Event: TypeAlias = dict[str, Any]
Finds: TypeAlias = Callable[[str], Iterable[tuple[int, int]]]

ODD_CHARACTERS = "xA0 -_./"
"""What is put into a match, and around it, to see whether it still is one."""

MOST_PLACES = 24
"""Places in one match that are bent."""

MOST_WORDS = 32
"""Words of other events that come into a text, one at a time."""

MOST_EXAMPLES = 4
"""Texts of other events that come in place of one, as a pattern finds something in them."""

LONGEST_TEXT = 300
"""Up to here a number may be the length of a text."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What a mutant is about: the `words` that stand only in the policy or only in the mutant, and `beside`
    them those that stand in both; what its patterns find, and texts in which they do; its numbers; and all
    words of the tests."""

    words: tuple[str, ...]
    beside: tuple[str, ...]
    patterns: tuple[Finds, ...]
    examples: tuple[str, ...]
    numbers: tuple[Decimal, ...]
    others: tuple[str, ...]


def aim_of(mutant: Mutant, source: str, events: Iterable[Event]) -> Aim:
    """What to aim at, from the stretch of the file that the mutant replaced. `events` are those of the tests."""
    before, after = source[mutant.span.start : mutant.span.end].strip(), mutant.text.strip()
    was, now = set(_strings(before)), set(_strings(after))
    written = dict.fromkeys(each for text in (before, after) for each in _patterns(text))
    patterns = tuple(finds for each in written for finds in _finding(each))
    texts = tuple(dict.fromkeys(text for event in events for text in texts_of(event)))
    found = [text for text in texts if any(list(finds(text)) for finds in patterns)]
    made_up = [text for each in written for text in examples_of(each)]
    numbers = sorted({Decimal(each) for text in (before, after) for each in _numbers(text)})
    others = dict.fromkeys(word for text in texts for word in text.split())
    return Aim(
        tuple(sorted(was ^ now)), tuple(sorted(was & now)), patterns, (*made_up, *found[:MOST_EXAMPLES]),
        tuple(numbers), tuple(others),
    )  # fmt: skip


def _strings(text: str) -> list[str]:
    return re.findall(r'"([^"\\]+)"', text)


def _numbers(text: str) -> list[str]:
    return [found.replace("_", "") for found in re.findall(r"(?<![\w.])\d[\d_]{0,12}(?:\.\d+)?", text)]


def _patterns(text: str) -> list[str]:
    return [found.replace("\\/", "/") for found in re.findall(r"/((?:[^/\\]|\\.)+)/", text)]


def _finding(pattern: str) -> list[Finds]:
    """What a pattern finds; nothing where it only looks like one."""
    try:
        return [compile_spans(pattern)]
    except GuardError:
        return []


def aimed(event: Event, aim: Aim) -> Iterator[Event]:
    """The event with one thing changed to what the mutant is about."""
    yield from _without_fields(event)
    for path in paths_of(event):
        value = at(event, path)
        others: Iterable[Any] = ()
        if isinstance(value, str):
            others = _aimed_texts(value, aim)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            others = _aimed_numbers(aim)
        for other in others:
            yield with_value(event, path, other)


def guessed(event: Event, aim: Aim, chance: Random) -> Iterator[Event]:
    """The event with a text of it bent where a pattern finds something, or with words of other tests."""
    for path in paths_of(event):
        value = at(event, path)
        for other in _guessed_texts(value, aim, chance) if isinstance(value, str) else ():
            yield with_value(event, path, other)


def _aimed_numbers(aim: Aim) -> Iterator[float | int]:
    """The numbers of the mutant, and those between and beside them."""
    for number in aim.numbers:
        for step in (0, Decimal("0.01"), Decimal("-0.01"), 1, -1):
            other = number + step
            yield int(other) if other == int(other) else float(other)


def _aimed_texts(text: str, aim: Aim) -> Iterator[str]:
    for sibling in aim.beside:
        for word in aim.words if sibling.lower() in text.lower() else ():
            start = text.lower().index(sibling.lower())
            yield text[:start] + word + text[start + len(sibling) :]
    yield from aim.examples
    yield from _of_length(text, aim)


def _guessed_texts(text: str, aim: Aim, chance: Random) -> Iterator[str]:
    yield from (
        yet for finds in aim.patterns for place in _places(finds, text) for yet in _bent(text, *place)
    )
    for example in aim.examples:
        bent = [
            yet
            for finds in aim.patterns
            for place in _places(finds, example)
            for yet in _bent(example, *place)
        ]
        yield from chance.sample(bent, min(MOST_WORDS, len(bent)))
    yield from _with_words(text, aim, chance)


def _of_length(text: str, aim: Aim) -> Iterator[str]:
    body = text.strip().replace(" ", "x") or "x"
    for number in aim.numbers:
        for length in (int(number) - 1, int(number), int(number) + 1) if number <= LONGEST_TEXT else ():
            yield (body * max(0, length))[: max(0, length)]


def _with_words(text: str, aim: Aim, chance: Random) -> Iterator[str]:
    """The text with one word of another, first at its end, where the objects of a command stand, then anywhere."""
    words = text.split(" ")
    if len(words) < 2:
        return
    count = min(MOST_WORDS, len(aim.others))
    for word in chance.sample(aim.others, count):
        yield " ".join([*words[:-1], word])
    for word in chance.sample(aim.others, count):
        place = chance.randrange(len(words))
        yield " ".join([*words[:place], word, *words[place + 1 :]])


def _places(finds: Finds, text: str) -> list[tuple[int, int]]:
    """The first matches, in small letters too: a policy may compare in these."""
    return [*finds(text), *finds(text.lower())][:3]


def _bent(text: str, start: int, end: int) -> Iterator[str]:
    """The text with one character more, less or another one, in a match and at its ends."""
    yield text[:start] + text[start:end].swapcase() + text[end:]
    step = max(1, (end - start) // MOST_PLACES)
    for place in sorted({*range(start, end, step), end - 1, end}):
        yield text[:place] + text[place + 1 :]
        for odd in ODD_CHARACTERS:
            yield text[:place] + odd + text[place:]
            yield text[:place] + odd + text[place + 1 :]


def _without_fields(event: Event) -> Iterator[Event]:
    for place in ("args", "result", "principal", "agent"):
        record: Any = event.get(place)
        for name in record if isinstance(record, dict) else ():
            yield {**event, place: {key: value for key, value in record.items() if key != name}}


# --- without an aim ----------------------------------------------------------------------------


def varied(event: Event) -> Iterator[Event]:
    """The event with one of its values a little different: a text, a number or a truth value."""
    for path in paths_of(event):
        value = at(event, path)
        for other in _others(value):
            yield with_value(event, path, other)


def shifted(event: Event) -> Iterator[Event]:
    """The event with one of its numbers or truth values different."""
    for path in paths_of(event):
        value = at(event, path)
        if not isinstance(value, str):
            yield from (with_value(event, path, other) for other in _others(value))


def _others(value: Any) -> Iterator[Any]:
    if isinstance(value, str):
        digit = re.search(r"\d", value)
        yield from (
            f"{value}x",
            f"x{value}",
            f"{value} x",
            value[:-1],
            value[1:],
            value.swapcase(),
            f"{value}1",
            "",
        )
        if digit:
            start = digit.start()
            before, after = value[:start], value[start:]
            yield from (f"{before}1{after}", before + after[1:], f"{before}-{after}")
        yield from (re.sub(r"\b(\w)", r"x\1", value), re.sub(r"(\w)\b", r"\1x", value), value.upper())
    elif isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield from (value + 1, value - 1, value * 2, -value, 0)
