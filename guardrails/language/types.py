"""The types of the language: what the checker knows of a value before any event has been seen.

`Any` is the type of what nobody described: it joins with everything, and law L2 does the work at run
time. All types are frozen values that compare by content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Scalar:
    """A type without parts. `SCALARS` holds them all by name."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in a currency; `currency` empty means that it is only known at run time."""

    currency: str = ""

    def __str__(self) -> str:
        return f"money in {self.currency}" if self.currency else "money"


@dataclass(frozen=True, slots=True)
class Enum:
    """One of a few strings."""

    values: tuple[str, ...]

    def __str__(self) -> str:
        return " | ".join(f'"{value}"' for value in self.values)


@dataclass(frozen=True, slots=True)
class ListOf:
    item: Type

    def __str__(self) -> str:
        return f"list<{self.item}>"


@dataclass(frozen=True, slots=True)
class SetOf:
    item: Type

    def __str__(self) -> str:
        return f"set<{self.item}>"


@dataclass(frozen=True, slots=True)
class MapOf:
    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map<{self.key}, {self.value}>"


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record. `optional`: it may be absent or null."""

    name: str
    type: Type
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """Named fields. `open` records may have fields beside those declared."""

    name: str
    fields: tuple[Field, ...]
    open: bool = False

    def field(self, name: str) -> Field | None:
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name or "record"


@dataclass(frozen=True, slots=True)
class Labels:
    """A set of labels, as `origin(x)` and `context` give."""

    def __str__(self) -> str:
        return "labels"


Type: TypeAlias = Scalar | Money | Enum | ListOf | SetOf | MapOf | Record | Labels

ANY = Scalar("any")
BOOL = Scalar("bool")
INT = Scalar("int")
DECIMAL = Scalar("decimal")
STRING = Scalar("string")
NULL = Scalar("null")
DURATION = Scalar("duration")
SIZE = Scalar("size")
TIME = Scalar("time")
PERCENT = Scalar("percent")
PATTERN = Scalar("pattern")
COLLECTION = Scalar("collection")
"""A list, set or map that nobody described."""
PATH = Scalar("path")
URL = Scalar("url")
HOST = Scalar("host")
EMAIL = Scalar("email")
IP = Scalar("ip")
CIDR = Scalar("cidr")
SQL = Scalar("sql")
SHELL = Scalar("shell")
WINDOW = Scalar("window")
MONEY = Money()

SCALARS = {
    scalar.name: scalar
    for scalar in (
        ANY, BOOL, INT, DECIMAL, STRING, NULL, DURATION, SIZE, TIME, PERCENT, PATTERN,
        PATH, URL, HOST, EMAIL, IP, CIDR, SQL, SHELL, WINDOW,
    )
}  # fmt: skip
"""Every scalar type by the name a policy writes."""

NUMERIC = frozenset({INT, DECIMAL})
ORDERED = frozenset({INT, DECIMAL, DURATION, SIZE, TIME, PERCENT})
"""Types with `<`; money is ordered within one currency."""

TEXTUAL = frozenset({STRING, PATH, URL, HOST, EMAIL, IP, CIDR, SQL, SHELL})
"""Types that are read from a string."""

CANONICAL = frozenset({PATH, URL, HOST, EMAIL, IP, CIDR, SQL, SHELL, WINDOW})
"""Types that compare by a canonical form."""

UNITS = {
    "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000,
    "w": 604_800_000_000,
}  # fmt: skip
"""Duration units in microseconds."""

SIZES = {"B": 1, "KB": 1_000, "MB": 1_000**2, "GB": 1_000**3, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
"""Size units in bytes."""


def is_textual(kind: Type) -> bool:
    return kind in TEXTUAL or isinstance(kind, Enum)


def item_of(kind: Type) -> Type:
    """The type of an element of a collection; `ANY` where that is unknown."""
    if isinstance(kind, ListOf | SetOf):
        return kind.item
    return kind.key if isinstance(kind, MapOf) else ANY


def join(kinds: Iterable[Type]) -> Type:
    """The narrowest type that holds all of `kinds`; `ANY` where they have nothing in common."""
    distinct = list(dict.fromkeys(kinds))
    if not distinct:
        return ANY
    if len(distinct) == 1:
        return distinct[0]
    if all(kind in NUMERIC for kind in distinct):
        return DECIMAL
    if all(is_textual(kind) for kind in distinct):
        return STRING
    if all(isinstance(kind, Money) for kind in distinct):
        return MONEY
    return ANY


def description_of(kind: Type) -> object:
    """A type as plain data, for `runtime.binding`: None where nothing is declared."""
    if isinstance(kind, Record):
        return ("record", tuple((field.name, description_of(field.type)) for field in kind.fields))
    if isinstance(kind, Enum):
        return ("enum", kind.values)
    if isinstance(kind, SetOf | ListOf):
        return ("set" if isinstance(kind, SetOf) else "list", description_of(kind.item))
    if isinstance(kind, MapOf):
        return ("map", description_of(kind.key), description_of(kind.value))
    return str(kind)


def from_description(description: object) -> Type:
    """The type that a description stands for; the reverse of `description_of`."""
    if isinstance(description, str):
        return MONEY if description == "money" else SCALARS[description]
    assert isinstance(description, tuple)
    kind, *rest = description
    if kind == "record":
        fields = tuple(Field(name, from_description(inner)) for name, inner in rest[0])
        return Record("", fields)
    if kind == "enum":
        return Enum(rest[0])
    inner = [from_description(part) for part in rest]
    if kind == "map":
        return MapOf(inner[0], inner[1])
    return SetOf(inner[0]) if kind == "set" else ListOf(inner[0])
