"""Requests as documents: a line of JSON, and back."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from guardrails.approvals.request import Answer, Dossier, Far, Need, Request, Subject
from guardrails.errors import TooLarge, Unavailable
from guardrails.strict_json import read_json, write_json

FORMAT = 1

MOST_SHOWN = 200_000
"""Characters of arguments, as JSON, that people can be shown."""

MOST_DIGITS = 300

LATER = ("reuse", "alone")
"""What is left out where it says nothing, so that processes of an earlier version read such requests as well."""


def written(request: Request) -> str:
    data = asdict(request)
    for each in (data, *data["needs"]):
        for name in LATER:
            if name in each and not each[name]:
                del each[name]
    return write_json({"format": FORMAT, **data})


def read(text: str) -> Request:
    """The request of a document. Raises `Unavailable` for one that another version wrote, or nobody did."""
    try:
        data = read_json(text)
        if data.pop("format") != FORMAT:
            raise ValueError("it is of another version")
        return Request(**data | {
            "subject": Subject(**data["subject"]),
            "dossier": _dossier(data["dossier"]),
            "needs": tuple(map(_need, data["needs"])),
            "answers": tuple(map(_answer, data["answers"])),
            "uses": _pairs(data["uses"]),
            "told": _pairs(data.get("told", ())),
        })  # fmt: skip
    except Exception as error:
        raise Unavailable(f"a request for approval in the store cannot be read: {error}") from error


def _need(data: dict[str, Any]) -> Need:
    return Need(**data | {
        "reviewers": tuple(data["reviewers"]),
        "otherwise": tuple(data["otherwise"]),
        "bounds": _pairs(data["bounds"]),
        "reuse": _far(data.get("reuse")),
    })  # fmt: skip


def _far(data: Any) -> Far | None:
    return None if data is None else (data[0], _pairs(data[1]))


def _answer(data: dict[str, Any]) -> Answer:
    return Answer(**data | {"counts": _pairs(data["counts"])})


def _dossier(data: dict[str, Any]) -> Dossier:
    return Dossier(**{name: _pairs(each) if name != "risk" else tuple(each) for name, each in data.items()})


def _pairs(rows: Any) -> tuple[Any, ...]:
    return tuple(map(tuple, rows))


def showable(value: Any) -> Any:
    """A value as people are shown it: plain JSON. Raises `TooLarge` for more than anybody would read."""
    plain = _plain(value)
    if len(write_json(plain)) > MOST_SHOWN:
        raise TooLarge(f"the arguments have more than {MOST_SHOWN:,} characters: nobody could read them all")
    return plain


def _plain(value: Any) -> Any:
    kind = value.__class__
    if kind is dict:
        return {str(name): _plain(item) for name, item in value.items()}
    if kind in (list, tuple):
        return [_plain(item) for item in value]
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        return value if abs(value) < 10**MOST_DIGITS else str(value)
    if kind is float:
        return value if value - value == 0.0 else str(value)
    if kind.__name__ == "Decimal":
        return _number(value)
    return f"<{kind.__name__}>"


def _number(value: Any) -> Any:
    """A decimal as a number that spells the same, else as a text."""
    if not value.is_finite() or abs(value.adjusted()) >= MOST_DIGITS:
        return str(value)
    if value == value.to_integral_value():
        return int(value)
    return float(value) if type(value)(repr(float(value))) == value else str(value)
