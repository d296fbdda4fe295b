"""What all canonical values share: they are immutable and compare by class and canonical text.

The one idea: whatever else a value knows was read off the same text, so the text alone decides equality.
Also here, `remembered`: agents repeat themselves, so a small bounded memory makes a second look free.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn, ParamSpec, TypeVar

    P = ParamSpec("P")
    T = TypeVar("T")

MAX_REMEMBERED = 512
"""How many texts a parser remembers, and how long, in characters, a text it remembers may be."""


class Canonical:
    """A value in its one canonical form, `text`."""

    __slots__ = ("text",)
    text: str

    def __init__(self, text: str, **fields: Any) -> None:
        self._fill({"text": text, **fields})

    def _fill(self, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        # To anything else the answer is not False but "ask the other": a poison then raises.
        if other.__class__ is not self.__class__:
            return NotImplemented
        return bool(other.text == self.text)

    def __hash__(self) -> int:
        return hash(self.text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.text!r})"

    def __copy__(self) -> Canonical:
        return self

    def __deepcopy__(self, memo: object) -> Canonical:
        return self

    def __setstate__(self, state: tuple[None, dict[str, Any]]) -> None:
        self._fill(state[1])


def remembered(parse: Callable[P, T]) -> Callable[P, T]:
    """`parse` with a bounded memory of its results; failures are not kept."""
    seen: dict[Any, T] = {}

    def reader(*args: P.args, **kwargs: P.kwargs) -> T:
        key = (*args, *kwargs.items())
        found = seen.get(key)
        if found is not None:
            return found
        value = parse(*args, **kwargs)
        if sum(len(part) for part in args if isinstance(part, str)) <= MAX_REMEMBERED:
            if len(seen) >= MAX_REMEMBERED:
                seen.clear()
            seen[key] = value
        return value

    reader.__name__, reader.__qualname__ = parse.__name__, parse.__qualname__
    reader.__doc__, reader.__module__ = parse.__doc__, parse.__module__
    return reader
