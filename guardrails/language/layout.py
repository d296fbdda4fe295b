"""A small pretty printer: documents that say where a line may break, and one way to lay them out.

A document is a text, a sequence of documents, or one of the four nodes below. A `Group` is set on one line if
it fits, else its own `Line`s break.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

WIDTH: Final = 100
STEP: Final = 2


@dataclass(frozen=True, slots=True)
class Line:
    """A place for a line break; on one line it is `flat`."""

    flat: str = " "


@dataclass(frozen=True, slots=True)
class IfBroken:
    """A text for the group that breaks, another for the one that does not."""

    broken: str
    flat: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    doc: Doc


@dataclass(frozen=True, slots=True)
class Indent:
    doc: Doc


Doc: TypeAlias = "str | tuple[Doc, ...] | Line | IfBroken | Group | Indent"
_Task: TypeAlias = tuple[int, bool, Doc]

LINE: Final = Line()
SOFT: Final = Line("")


def render(doc: Doc, indent: int = 0, width: int = WIDTH) -> str:
    """The document laid out in `width` columns, as if it began at column `indent`."""
    out: list[str] = []
    column = indent
    tasks: list[_Task] = [(indent, False, doc)]
    while tasks:
        level, flat, top = tasks.pop()
        if isinstance(top, str):
            out.append(top)
            column += len(top)
        elif isinstance(top, Line) and not flat:
            out.append("\n" + " " * level)
            column = level
        elif isinstance(top, Group):
            tasks.append((level, flat or _fits(top.doc, tasks, width - column), top.doc))
        else:
            tasks.extend(_parts(level, flat, top))
    return "".join(out)


def flat(doc: Doc) -> str:
    """The document on one line, however long."""
    return render(Group(doc), width=10**9)


def _parts(level: int, flat: bool, doc: Doc) -> Iterable[_Task]:  # noqa: FBT001  # a task's own field
    """What a document is made of, last part first."""
    match doc:
        case Line(flat=text):
            return [(level, flat, text)]
        case IfBroken(broken=broken, flat=text):
            return [(level, flat, text if flat else broken)]
        case Group(doc=inner):
            return [(level, flat, inner)]
        case Indent(doc=inner):
            return [(level + STEP, flat, inner)]
        case str():
            return [(level, flat, doc)]
    return [(level, flat, part) for part in reversed(doc)]


def _fits(doc: Doc, rest: list[_Task], room: int) -> bool:
    """Does the document fit on the line, with what follows it up to the next break?"""
    tasks: list[_Task] = [(0, True, doc)]
    later = len(rest)
    while room >= 0:
        if not tasks:
            if later == 0:
                return True
            later -= 1
            tasks.append(rest[later])
        level, flat, top = tasks.pop()
        if isinstance(top, str):
            room -= len(top)
        elif isinstance(top, Line) and not flat:
            return True
        else:
            tasks.extend(_parts(level, flat, top))
    return False


def joined(docs: Iterable[Doc], between: Doc) -> Doc:
    """The documents with `between` between each two."""
    parts: list[Doc] = []
    for doc in docs:
        if parts:
            parts.append(between)
        parts.append(doc)
    return tuple(parts)


def filled(docs: Iterable[Doc]) -> Doc:
    """A list without brackets: as many members on each line as fit."""
    first, *others = tuple(docs) or ("",)
    return (first, Indent(tuple((",", Group((LINE, other))) for other in others)))


def bracketed(opening: str, docs: Iterable[Doc], closing: str) -> Doc:
    """A list in brackets: on one line, or each member on its own."""
    members = tuple(docs)
    if not members:
        return opening + closing
    inner = (SOFT, joined(members, (",", LINE)), IfBroken(","))
    return Group((opening, Indent(inner), SOFT, closing))
