"""Transforms: what goes on instead of the payload (law L3).

All changes of a decision are applied together, in one fixed order (rows, then fields, then redaction), and
each step joins all of its statements, so that their order means nothing (law L1): fields that every
`only fields` keeps, what any statement drops, and the strictest of several redactions of one place.
Nothing is changed in place.
"""

from __future__ import annotations

from guardrails.errors import WrongType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    Path = tuple[str, ...]

STRICTNESS = ("last", "mask", "replace", "drop")
"""Methods of redaction, from mildest to strictest."""

MASK = "***"
REDACTED = "[REDACTED]"


class Dropped:
    """Stands for what a redaction removes."""


class Redaction:
    """One `redact`: a path below the payload, what is replaced there (None: all of it), and how."""

    __slots__ = ("argument", "find", "method", "path", "rank")

    def __init__(
        self, path: Path, find: Callable[[str], list[tuple[int, int]]] | None, method: str, argument: Any
    ) -> None:
        self.path = path
        self.find = find
        self.method = method
        self.argument = argument
        shown = -int(argument) if method == "last" else 0
        self.rank = (STRICTNESS.index(method), shown, str(argument))

    def below(self) -> Redaction:
        """This redaction as seen from one step further down."""
        return Redaction(self.path[1:], self.find, self.method, self.argument)


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


# --- redaction ---------------------------------------------------------------------------------


def redact(value: Any, redactions: list[Redaction]) -> Any:
    """`value` with all redactions applied, of several on one place the strictest; `Dropped` when nothing of
    it is left. What is redacted as a whole becomes the mask if it is a text, null if it is another plain
    value, and keeps its shape if it is a container."""
    whole = strictest_of(one for one in redactions if not one.path and one.find is None)
    if whole is not None and whole.method == "drop":
        return Dropped
    if whole is not None and whole.method == "replace":
        return whole.argument
    if value.__class__ is dict:
        parts = {name: redact(item, _inside(redactions, name)) for name, item in value.items()}
        return {name: part for name, part in parts.items() if part is not Dropped}
    if value.__class__ is list:
        inner = _inside_list(redactions)
        return [None if (part := redact(item, inner)) is Dropped else part for item in value]
    if value.__class__ is not str:
        return value if whole is None else None
    return _redact_text(value, whole, [one for one in redactions if one.find and not one.path])


def strictest_of(redactions: Iterable[Redaction]) -> Redaction | None:
    return max(redactions, key=lambda one: one.rank, default=None)


def _inside(redactions: list[Redaction], name: str) -> list[Redaction]:
    """The redactions that reach into the field `name`: those that name it, and those of all that is here."""
    return [
        one.below() if one.path else one for one in redactions if not one.path or one.path[0] in (name, "*")
    ]


def _inside_list(redactions: list[Redaction]) -> list[Redaction]:
    """`*` names the elements of a list, and any other step passes through them."""
    return [one.below() if one.path[:1] == ("*",) else one for one in redactions]


def _redact_text(text: str, whole: Redaction | None, parts: list[Redaction]) -> str:
    """A text of which the end is shown must not show what a pattern hides."""
    if whole is None:
        return redact_matches(text, parts) if parts else text
    masked_text = masked(text, whole, MASK)
    start = len(text) - len(masked_text.removeprefix(MASK))
    hidden = any(end > start for one in parts if one.find for _, end in one.find(text))
    return MASK if hidden else masked_text


def masked(text: str, redaction: Redaction, mask: str) -> str:
    """`text` by the method of a redaction."""
    if redaction.method == "replace":
        return str(redaction.argument)
    if redaction.method == "last":
        count = int(redaction.argument)
        return MASK + text[-count:] if count and len(text) >= 2 * count else MASK
    return "" if redaction.method == "drop" else mask


def redact_matches(text: str, redactions: list[Redaction]) -> str:
    """Every match replaced; matches that overlap become one, by the strictest of their methods."""
    found = [(start, end, one) for one in redactions if one.find for start, end in one.find(text)]
    found.sort(key=lambda match: match[:2])
    pieces: list[str] = []
    done = 0
    for start, end, redaction in _merged(found):
        pieces += (text[done:start], masked(text[start:end], redaction, REDACTED))
        done = end
    return "".join((*pieces, text[done:]))


def _merged(found: list[tuple[int, int, Redaction]]) -> list[tuple[int, int, Redaction]]:
    merged: list[tuple[int, int, Redaction]] = []
    for start, end, one in found:
        if merged and start < merged[-1][1]:
            first, last, other = merged[-1]
            merged[-1] = (first, max(last, end), max(one, other, key=lambda each: each.rank))
        else:
            merged.append((start, end, one))
    return merged
