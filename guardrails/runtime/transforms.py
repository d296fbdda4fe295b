"""Transforms: which rows and fields go on instead of the payload (law L3).

All changes of a decision are applied together, in one fixed order (rows, then fields, then redaction, which
is `guardrails.redaction`), and each step joins all of its statements, so that their order means nothing (law
L1): fields that every `only fields` keeps, and what any statement drops. Nothing is changed in place.
"""

from __future__ import annotations

from guardrails.errors import WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Path = tuple[str, ...]


class Dropped:
    """Stands for what is left out."""


# --- rows and fields ---------------------------------------------------------------------------


def keep_rows(payload: Any, tests: Iterable[Callable[[Any], bool]]) -> list[Any]:
    """The rows for which every test is definitely true."""
    if payload.__class__ is not list:
        raise WrongType("`only rows` needs a result that is a list")
    tests = tuple(tests)
    verdicts = [[test(row) for test in tests] for row in payload]
    return [row for row, passed in zip(payload, verdicts, strict=True) if all(passed)]


def keep_fields(value: Any, paths: list[Path]) -> Any:
    """What lies on or below one of the paths; a list on the way stands for each of its elements."""
    if () in paths:
        return value
    if value.__class__ is list:
        inner = [path[1:] if path[0] == "*" else path for path in paths]
        kept = [keep_fields(item, inner) for item in value]
        return [item for item in kept if item is not Dropped]
    if value.__class__ is not dict:
        return Dropped
    found = {}
    for name, item in value.items():
        inner = [path[1:] for path in paths if path[0] in (name, "*")]
        kept_item = keep_fields(item, inner) if inner else Dropped
        if kept_item is not Dropped:
            found[name] = kept_item
    return found


def drop_fields(value: Any, paths: list[Path]) -> Any:
    """All but what lies on one of the paths."""
    if value.__class__ is list:
        if ("*",) in paths:
            return []
        inner = [path[1:] if path[0] == "*" else path for path in paths]
        return [drop_fields(item, inner) for item in value]
    if value.__class__ is not dict:
        return value
    found = {}
    for name, item in value.items():
        inner = [path[1:] for path in paths if path and path[0] in (name, "*")]
        if () not in inner:
            found[name] = drop_fields(item, inner) if inner else item
    return found
