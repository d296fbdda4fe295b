"""Marks: what the `label` statements of a policy say of something that comes in.

Takes what was judged, gives `[labels, paths, rows]` of each statement that applies, as plain data that a
session's past can keep. The idea: labels are worked out when the event is there, because conditions on it and
on its rows cannot be asked later.

A statement that could not be evaluated gives the labels that restrict, and not those that vouch (law L2).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from guardrails.runtime.engine import Judged
    from guardrails.runtime.program import Effect

GRANTING = frozenset({"user", "records"})
"""Labels that vouch for what they are given to."""


def marks_of(judged: Judged) -> list[list[Any]]:
    """What applies to the event's payload: labels, the paths they are for (None: all of it), and the rows
    (None: all of them)."""
    return [
        mark for labels, paths, rows in _applying(judged) for mark in ([list(labels), paths, rows],) if labels
    ]


def _applying(judged: Judged) -> Iterator[tuple[Any, Any, Any]]:
    broken = {owner if owner >= 0 else ~owner for owner, _ in judged.failed or ()}
    for index, owner in enumerate(judged.unit.owners):
        for bit in owner.effects:
            effect = judged.unit.effects[bit]
            if effect.mark is None or effect.shadow:
                continue
            if index in broken:
                labels, paths, _ = effect.mark
                yield restricting(labels), list(paths) or None, None
            elif judged.mask >> bit & 1:
                yield from _applied(judged, effect)


def structure_of(payload: Any) -> Any:
    """A result that came as a text, as the JSON that it is, so that its fields and rows can be labelled; any other
    as it is. Only JSON: in looser notations whoever writes a value can often write a field as well."""
    if payload.__class__ is not str or payload.lstrip()[:1] not in ("{", "["):
        return payload
    from guardrails.strict_json import read_json

    try:
        return read_json(payload)
    except Exception:
        return payload


def _applied(judged: Judged, effect: Effect) -> Iterator[tuple[Any, Any, Any]]:
    labels, paths, row = effect.mark
    places = [list(path) for path in paths] or None
    if row is None:
        yield labels, places, None
        return
    rows = structure_of(judged.event[2])
    if rows.__class__ is not list:
        yield restricting(labels), places, None
        return
    sure, unsure = _rows(judged.unit.rows[row], rows, judged.event)
    if sure:
        yield labels, places, sure
    if unsure:
        yield restricting(labels), places, unsure


def _rows(test: Any, rows: list[Any], event: tuple[Any, ...]) -> tuple[list[int], list[int]]:
    """Where the condition holds, and where that cannot be known."""
    sure: list[int] = []
    unsure: list[int] = []
    for place, row in enumerate(rows):
        try:
            if test(row, *event) is True:
                sure.append(place)
        except Exception:
            unsure.append(place)
    return sure, unsure


def restricting(labels: tuple[str, ...]) -> tuple[str, ...]:
    return tuple([label for label in labels if label not in GRANTING])


def covers(mark: list[Any], place: tuple[str, ...]) -> bool:
    """Whether a mark is for the leaf at `place`, or for something around it."""
    _, paths, rows = mark
    if rows is not None and (not place or not place[0].isdigit() or int(place[0]) not in rows):
        return False
    return paths is None or any(_under(path, place) for path in paths)


def _under(path: list[str], place: tuple[str, ...]) -> bool:
    return len(path) <= len(place) and all(
        part in ("*", here) for part, here in zip(path, place, strict=False)
    )
