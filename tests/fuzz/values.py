"""Values that a host may hand over although no JSON holds them, and events made of such values.

Everything is drawn from a `Random`, so that a case is a number. Names and constants of the policy are used
where they are known: a value that nobody reads finds nothing.
"""

from __future__ import annotations

import re
from collections import ChainMap, OrderedDict, defaultdict, deque
from collections.abc import Callable
from decimal import Decimal
from enum import IntEnum, StrEnum
from fractions import Fraction
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import Any


class Text(str):
    """A string that is not quite one."""

    __slots__ = ()


class Number(int):
    """An integer that is not quite one."""


class Level(IntEnum):
    HIGH = 3


class Name(StrEnum):
    ANN = "ann@acme.com"


class Record(dict[str, Any]):
    """An object that answers for fields that it does not have."""

    def __missing__(self, key: str) -> Any:
        return 1


class Hostile:
    """Raises whatever is asked of it."""

    __hash__ = None  # type: ignore[assignment]  # an object that cannot be hashed is the point

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __str__(self) -> str:
        raise RuntimeError("not printable")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Any:
        raise RuntimeError("no elements")


def cyclic() -> dict[str, Any]:
    """An object that holds itself, in a list."""
    whole: dict[str, Any] = {"x": 1}
    whole["self"] = [whole]
    return whole


def deep(depth: int, make: Callable[[Any], Any]) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = make(value)
    return value


# fmt: off
PLAIN: tuple[Any, ...] = (
    *(0, 1, -1, 2, 40, 100, 100.0, 100.5, 501, 0.1, 1e15, -0.0, True, False, None, "", "x", "5", "a@acme.com"),
    *("/workspace/a.md", "/workspace/../etc", "https://acme.com/x", "10.0.0.1", "SELECT * FROM orders", "ls -la | cat"),
    *("2026-01-01T00:00:00Z", "EUR", [], {}, [1, 2], ["a"], [{"price": 3, "qty": 2}], {"k": {"x": 1}}, {"n": 1, "s": "a"}),
)

ODD: tuple[Callable[[], Any], ...] = tuple(
    (lambda value=value: value)  # type: ignore[misc]  # mypy cannot infer the default of a lambda
    for value in (
        *(float("nan"), float("inf"), float("-inf"), 10**40, -(10**40), 10**5_000, 1e308, 5e-324, 2**63, 1 << 14_000),
        *(Decimal("1.5"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Decimal("1E+999999"), Decimal("-0")),
        *(Fraction(1, 3), 1j, b"x", bytearray(b"x"), (1, 2), {1, 2}, frozenset("ab"), range(3), object(), int, len),
        *(Text("x"), Text("EUR"), Number(5), Level.HIGH, Name.ANN, Record(a=1), Record(), SimpleNamespace(x=1), ...),
        *("\ud800", "a\udc00b", "\x00", "\ufeff", "\u202e", "é", "e\u0301", "İ", "ﬀ", "x" * 5_000, "\n" * 50, "%2e%2e%2f"),
        *("//x", "~/x", "C:\\x", "\\\\s\\x", "a@b@c", "<a@b>", "http://[::1", "http://0x7f.1", "1.2.3", "::ffff:1.2.3.4"),
        *("'; DROP TABLE x; --", "SELECT", "((((", "$(rm -rf /)", "`", "<<EOF", "a;b&&c|d", '"', "\\", "99999-99-99"),
        *({1: 2}, {None: 1}, {"": 1}, {("a",): 1}, {"\ud800": 1}, {"a": float("nan")}, [[]], [None], [float("nan")]),
        *(MappingProxyType({"a": 1}), OrderedDict(a=1), ChainMap({"a": 1}), deque([1]), defaultdict(dict, a=1)),
        *([Hostile()], {"a": Hostile()}, Hostile(), "9" * 5_000, "1e999999999", "-" * 3_000, "(" * 3_000, "a." * 2_000),
    )
)
# fmt: on

HEAVY: tuple[Callable[[], Any], ...] = (
    cyclic,
    lambda: deep(60, lambda value: [value]),
    lambda: deep(200, lambda value: {"a": value}),
    lambda: deep(20_000, lambda value: [value]),
    lambda: deep(20_000, lambda value: {"a": value}),
    lambda: deep(900, lambda value: [value]),
    lambda: ["a"] * 100_001,
    lambda: {str(number): number for number in range(5_000)},
    lambda: "x" * 10_000_000,
    lambda: (item for item in [1]),
)

ENVELOPE = ("time", "session", "tool_digest", "call_id", "odd")

READ = re.compile(
    r"(?:args|result|row|principal|input|output|agent|session)\.([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?"
)
QUOTED = re.compile(r'"([^"\\\n]*)"')
NUMBERS = re.compile(r"\b\d+(?:\.\d+)?\b")
TOOLS = re.compile(r"\bon (?:call|result) ([^{\n]*)")


class Hints:
    """What a policy speaks of: tools, fields and constants."""

    def __init__(self, text: str) -> None:
        names = {name for pair in READ.findall(text) for name in pair if name}
        self.fields = sorted(names) or ["x"]
        self.tools = sorted(
            {tool for tools in TOOLS.findall(text) for tool in re.findall(r"[\w.*-]+", tools)}
        ) or ["t"]
        numbers = [
            float(number) if "." in number else int(number)
            for number in NUMBERS.findall(text)
            if len(number) < 30
        ]
        self.constants: list[Any] = [
            *QUOTED.findall(text),
            *numbers,
            *(number + 1 for number in numbers),
        ] or [1]


def value(random: Random, hints: Hints, depth: int = 3) -> Any:
    """Anything at all, more often something that could be meant."""
    chance = random.random()
    if chance < 0.35:
        return random.choice(hints.constants)
    if chance < 0.6:
        return random.choice(PLAIN)
    if chance < 0.85 or depth == 0:
        return random.choice(ODD)()
    if chance < 0.855:
        return random.choice(HEAVY)()
    if chance < 0.93:
        return [value(random, hints, depth - 1) for _ in range(random.randrange(4))]
    return record(random, hints, depth - 1)


def record(random: Random, hints: Hints, depth: int = 3) -> Any:
    """An object with most of the fields that the policy reads, of a class that may be no plain one."""
    found = {name: value(random, hints, depth) for name in hints.fields if random.random() < 0.8}
    if random.random() < 0.05:
        found["self"] = found
    make = random.choice(
        (dict,) * 12 + (OrderedDict, Record, MappingProxyType, lambda items: defaultdict(int, items))
    )
    return make(found)


def event(random: Random, hints: Hints) -> dict[str, Any]:
    """An event that is mostly well-formed."""
    kind = random.choice(("call", "call", "call", "result", "input", "output"))
    found: dict[str, Any] = {"type": kind, "principal": record(random, hints), "agent": {"id": "a"}}
    if kind in ("input", "output"):
        found["text"] = value(random, hints) if random.random() < 0.3 else str(random.choice(hints.constants))
    else:
        found |= {"tool": random.choice(hints.tools), "args": record(random, hints)}
    if kind == "result":
        found["result"] = record(random, hints) if random.random() < 0.6 else value(random, hints)
    if random.random() < 0.15:
        found[random.choice([*ENVELOPE, *list(found)[1:]])] = value(random, hints)
    if random.random() < 0.05:
        del found[random.choice(list(found))]
    return found
