"""Values of every type, for parameters that take only some of them: each is taken with its meaning, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from guardrails.errors import GuardError


class Sub(str):
    """A text that may say one thing and show another: the engine takes it for no text."""

    __slots__ = ()


ODD: dict[str, Any] = {
    "a number": 3, "nothing": 0, "a negative": -1, "no number": float("nan"), "an infinity": float("inf"), "true": True,
    "a word": "ana", "nothing written": "", "bytes": b"pay", "a list": [1], "a list in a list": [[1]], "a mapping": {"a": 1},
    "pairs": [("a", 1)], "an object": object(), "a class": dict, "an empty mapping": {}, "an empty list": [],
    "a path": Path("pay"), "a time": datetime(2026, 1, 1), "a word of another class": Sub("pay"),
    "a long word": "x" * 257,
}  # fmt: skip
"""What is given for a parameter, by what it is; None is what stands for one that was left out."""

POSITIVE = ("a number",)
FROM_NOTHING = (*POSITIVE, "nothing")
WORDS = ("a word", "a long word", "a word of another class")
TEXTS = (*WORDS, "nothing written")
MAPPINGS = ("a mapping", "an empty mapping")


class Place(NamedTuple):
    """A parameter: what it is called in the error, how it is given, and which of the odd values it takes."""

    name: str
    give: Callable[[Any], Any]
    takes: tuple[str, ...] = ()


def judge(place: Place) -> None:
    """Raise `AssertionError` for what is taken and should not be, and for an error that does not name the parameter."""
    wrong = {}
    for what, odd in ODD.items():
        try:
            place.give(odd)
        except GuardError as error:
            if what in place.takes or f"`{place.name}`" not in str(error):
                wrong[what] = repr(error)
        except Exception as error:
            wrong[what] = f"raw: {error!r}"
        else:
            if what not in place.takes:
                wrong[what] = "taken"
    assert wrong == {}
