"""Leaves: the texts and numbers of a payload, and where in it they stand.

Takes JSON values, gives their leaves as texts; keeps for every leaf of a session the way to it in a few bytes.
The one idea: a way is kept once for each list or object, so a leaf needs only the number of what it stands in and
its own key.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from decimal import Decimal

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, TypeAlias

    Pointer: TypeAlias = tuple[str, ...]

MOST_NAMES = 50_000
"""Names of fields that a session tells apart in paths; later ones are shown as `*`."""

MOST_BITS = 4_096
"""Bits of a whole number that is taken in decimal digits, of which very many cannot be written out."""

DEEPEST = 100
"""Levels of a payload that paths tell apart."""


class Leaf(Value):
    """A leaf: its text, the number of the list or object it stands in, and its key there."""

    __slots__ = ("inside", "key", "text", "way")

    def __init__(self, text: str, inside: int, key: int, way: Pointer) -> None:
        self.text = text
        self.inside = inside
        self.key = key
        self.way = way


def leaf_text(value: Any) -> str:
    """A leaf as text: numbers in their shortest decimal form, `true`, `false` and `null` as JSON has them."""
    if isinstance(value, str):
        return value
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and value == value and abs(value) < 1e300:
        return plain_number(Decimal(repr(value)))
    if isinstance(value, Decimal) and value.is_finite() and -60 < value.adjusted() < 300:
        return plain_number(value)
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        return hex(value)
    return str(value)


def plain_number(value: Decimal) -> str:
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Ways:
    """The ways to all leaves of a session. The top of every payload is number 0.

    Leaves of the same list or object that follow each other are kept as one run, as long as each key is the one that
    comes after the key before: the next index, or the name that followed that name the first time.
    """

    __slots__ = (
        "_count",
        "_keys",
        "_last",
        "_names",
        "_nexts",
        "_numbers",
        "_parents",
        "_run_keys",
        "_run_parents",
        "_run_starts",
    )

    def __init__(self) -> None:
        self._names = ["*"]
        self._numbers: dict[str, int] = {}
        self._nexts: dict[int, int] = {}
        self._parents, self._keys = array("I", [0]), array("I", [0])
        self._run_starts, self._run_parents, self._run_keys = array("I"), array("I"), array("I")
        self._count, self._last = 0, (-1, 0)

    def __len__(self) -> int:
        return self._count

    def enter(self, inside: int, key: int) -> int:
        """A number for the list or object at `key` of another one."""
        self._parents.append(inside)
        self._keys.append(key)
        return len(self._parents) - 1

    def keep(self, inside: int, key: int) -> None:
        """Note the next leaf."""
        parent, last = self._last
        if parent != inside or key == TOP or self._after(last, key) != key:
            self._run_starts.append(self._count)
            self._run_parents.append(inside)
            self._run_keys.append(key)
        self._count += 1
        self._last = (inside, key)

    def _after(self, key: int, default: int) -> int:
        """The key behind another one."""
        return key + 2 if key & 1 else self._nexts.setdefault(key, default)

    def name(self, name: str) -> int:
        """The key of a field."""
        number = self._numbers.get(name)
        if number is None:
            if len(self._names) > MOST_NAMES or len(name) > 256:
                return 0
            number = self._numbers[name] = len(self._names)
            self._names.append(name)
        return number * 2

    def pointer(self, leaf: int) -> str:
        """The JSON pointer of a leaf; empty for a payload that is a text."""
        run = bisect_right(self._run_starts, leaf) - 1
        parent, key, steps = self._run_parents[run], self._run_keys[run], leaf - self._run_starts[run]
        if key == TOP:
            return ""
        if key & 1:
            key += 2 * steps
        else:
            for _ in range(steps):
                key = self._nexts[key]
        way = [self._shown(key)]
        while parent:
            way.append(self._shown(self._keys[parent]))
            parent = self._parents[parent]
        return "/" + "/".join(reversed(way))

    def _shown(self, key: int) -> str:
        if key == TOP:
            return ""
        return str(key >> 1) if key & 1 else self._names[key >> 1].replace("~", "~0").replace("/", "~1")


TOP = 0xFFFFFFFF
"""The key of what has none: the payload itself."""


def leaves(payload: Any, ways: Ways) -> Iterator[Leaf]:
    """The leaves of a payload: texts, numbers and the rest, and every name of a field once."""
    names: set[str] = set()
    stack: list[tuple[Any, int, int, Pointer]] = [(payload, 0, TOP, ())]
    while stack:
        value, inside, key, way = stack.pop()
        if not isinstance(value, dict | list | tuple):
            yield Leaf(leaf_text(value), inside, key, way)
            continue
        deep = len(way) >= DEEPEST
        number = inside if deep or key == TOP else ways.enter(inside, key)
        items = _items(value, ways)
        for _, item_key, step in items:
            if not item_key & 1 and step not in names:
                names.add(step)
                yield Leaf(step, number, key if deep else item_key, way if deep else (*way, step))
        stack += [
            (item, number, key if deep else item_key, way if deep else (*way, step))
            for item, item_key, step in reversed(items)
        ]


def _items(value: Any, ways: Ways) -> list[tuple[Any, int, str]]:
    if isinstance(value, dict):
        return [(item, ways.name(str(name)), str(name)) for name, item in value.items()]
    return [(item, index * 2 + 1, str(index)) for index, item in enumerate(value)]


def values_of(value: Any, most: int) -> tuple[list[str], bool]:
    """The leaves of a value that is looked up, as texts, and whether there were more than `most`."""
    found: list[str] = []
    stack = [value]
    while stack and len(found) < most:
        each = stack.pop()
        if isinstance(each, dict):
            stack += [*reversed(each.values())]
            found += [str(name) for name in each if not is_field_name(str(name))]
        elif isinstance(each, list | tuple):
            stack += reversed(each)
        else:
            found.append(leaf_text(each))
    return found[:most], bool(stack) or len(found) > most


def is_field_name(name: str) -> bool:
    """Whether the key of an object looks like a name that a programmer gave."""
    return len(name) <= 64 and name.isascii() and name.isidentifier()
