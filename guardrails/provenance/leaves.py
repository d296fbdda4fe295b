"""Leaves: the texts and numbers of a payload, and where in it they stand.

Takes JSON values, gives their leaves as texts; keeps for every leaf of a session the way to it in a few bytes.
The one idea: a way is kept once for each list or object, so a leaf needs only the number of what it stands in and
its own key.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from decimal import Decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    Pointer: TypeAlias = tuple[str, ...]

MOST_NAMES = 50_000
"""Names of fields that a session tells apart in paths; later ones are shown as `*`."""

MOST_BITS = 4_096
"""Bits of a whole number that is taken in decimal digits, of which very many cannot be written out."""

DEEPEST = 100
"""Levels of a payload that paths tell apart."""


def leaf_text(value: Any) -> str:
    """A leaf as text: numbers in their shortest decimal form, `true`, `false` and `null` as JSON has them."""
    if isinstance(value, str):
        return value
    if value is None or value is True or value is False:
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, float) and value == value and abs(value) < 1e300:
        plain = repr(value)
        return plain_number(Decimal(plain)) if "e" in plain else plain.removesuffix(".0")
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
            self._begin(inside, key)
        self._count += 1
        self._last = (inside, key)

    def _begin(self, inside: int, key: int) -> None:
        self._run_starts.append(self._count)
        self._run_parents.append(inside)
        self._run_keys.append(key)

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


class Walk:
    """The leaves of a payload in order: `texts` are texts, numbers and the rest, and every name of a field once.
    `note` is told the way to each leaf before it is counted."""

    __slots__ = ("_names", "_note", "_stack", "_ways", "texts")

    def __init__(self, payload: Any, ways: Ways, note: Callable[[Pointer], None] | None) -> None:
        self._ways = ways
        self._note = note
        self._names: set[str] = set()
        self._stack: list[tuple[Iterator[tuple[int, Any, str | None]], int, int, Pointer]] = []
        self.texts: list[str] = []
        if isinstance(payload, dict | list | tuple):
            self._enter(payload, 0, TOP, ())
        else:
            self._leaf(payload, 0, TOP, ())
        while self._stack:
            self._go_on(*self._stack[-1])

    def _leaf(self, value: Any, inside: int, key: int, way: Pointer) -> None:
        if self._note is not None:
            self._note(way)
        self._ways.keep(inside, key)
        self.texts.append(value if value.__class__ is str else leaf_text(value))

    def _enter(self, value: Any, inside: int, key: int, way: Pointer) -> None:
        """Go into a list or object; `key` is its own."""
        deep = len(way) >= DEEPEST
        number = inside if deep or key == TOP else self._ways.enter(inside, key)
        if isinstance(value, dict):
            named = [(self._ways.name(str(name)), item, str(name)) for name, item in value.items()]
            for item_key, _, name in named:
                if name not in self._names:
                    self._names.add(name)
                    self._leaf(name, number, key if deep else item_key, way if deep else (*way, name))
            self._stack.append((iter(named), number, key if deep else -1, way))
        else:
            items = ((at * 2 + 1, item, None) for at, item in enumerate(value))
            self._stack.append((items, number, key if deep else -1, way))

    def _go_on(
        self, items: Iterator[tuple[int, Any, str | None]], number: int, fixed: int, way: Pointer
    ) -> None:
        """Take leaves in up to the next list or object."""
        keep, texts, note = self._ways.keep, self.texts, self._note
        for item_key, item, name in items:
            key = item_key if fixed < 0 else fixed
            inner = isinstance(item, dict | list | tuple)
            if note is None and not inner:
                keep(number, key)
                texts.append(item if item.__class__ is str else leaf_text(item))
                continue
            step = way if fixed >= 0 else (*way, str(item_key >> 1) if name is None else name)
            if inner:
                self._enter(item, number, key, step)
                return
            self._leaf(item, number, key, step)
        self._stack.pop()


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
