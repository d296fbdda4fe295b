"""Labels: what may stand beside a number, and beside how many of them.

Takes names as events carry them, gives names that are safe to export. The one idea: a tool's name, a model's
and an agent's come from outside, so only those that the policy knows, or the first few, go on; all others are
`other`. A person's id goes on as a keyed hash, unless the host asks for the plain one.
"""

from __future__ import annotations

from guardrails.telemetry.numbers import OTHER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from guardrails.runtime.program import Program

LONGEST = 100
"""Characters of a label; a longer one is no name."""

MOST_STRANGERS = 1_000
"""Names of unknown tools that are remembered with the pattern that speaks of them."""


class Tools:
    """The tools of one program: a known one keeps its name, one that a pattern of the policy speaks of gets
    the pattern, and all others are `other`."""

    def __init__(self, program: Program) -> None:
        self._known: frozenset[str] = frozenset(program.head["tools"])
        self._wild: tuple[str, ...] = tuple(
            dict.fromkeys(pattern for _, patterns in program.head["wild"] for pattern in patterns)
        )
        self._strangers: dict[str, str] = {}

    def name(self, tool: Any) -> str:
        if tool is None:
            return ""
        if tool.__class__ is not str:
            return OTHER
        if tool in self._known:
            return str(tool)
        found = self._strangers.get(tool)
        if found is None:
            found = self._pattern(tool)
            if len(self._strangers) < MOST_STRANGERS:
                self._strangers[tool] = found
        return found

    def _pattern(self, tool: str) -> str:
        """The longest pattern that fits; one that fits everything says nothing."""
        from guardrails.patterns import compile_wildcard

        if len(tool) > LONGEST:
            return OTHER
        fitting = [text for text in self._wild if text != "*" and compile_wildcard(text)(tool)]
        return max(fitting, key=lambda text: (len(text), text), default=OTHER)


class Bounded:
    """The first `most` names of something, as they are; `folded` is told of every one that is not among them."""

    def __init__(self, most: int, folded: Callable[[], None]) -> None:
        self._most = most
        self._folded = folded
        self._known: set[str] = set()

    def name(self, value: Any) -> str:
        """Empty for what has no name."""
        if value is None or value == "":
            return ""
        if value in self._known if value.__class__ is str else False:
            return str(value)
        if value.__class__ is str and len(self._known) < self._most and _is_name(value):
            self._known.add(value)
            return str(value)
        self._folded()
        return OTHER


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST and text.isprintable()


class Pseudonyms:
    """Ids of persons as keyed hashes, the same for the same key: the guard's, or one that this process makes up."""

    def __init__(self, key: bytes | None) -> None:
        from os import urandom

        self._key = key or urandom(32)

    def name(self, value: str) -> str:
        from hashlib import blake2b

        return blake2b(value.encode(errors="surrogatepass"), key=self._key, digest_size=8).hexdigest()


def id_of(record: Any, field: str = "id") -> str:
    """The id in a record of a principal or agent; empty where it has none that is a text."""
    found = record.get(field) if hasattr(record, "get") else None
    return found if found.__class__ is str else ""
