"""Methods: how something that was found is replaced.

Takes the word of a policy (`mask`, `hash`, `drop`, `replace "x"`, `last N`, `token`) and gives a method that
can be compared by strictness: where redactions meet, the strictest decides. What a method writes is made in
`guardrails.redaction.placeholders`.
"""

from __future__ import annotations

from guardrails.model import Value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.detectors.matches import Detector

    Path = tuple[str, ...]

KINDS = ("token", "last", "hash", "mask", "replace", "drop")
"""From mildest to strictest: what can be brought back, shows a part, shows that two are the same, shows that
something was there, shows what the policy says, shows nothing."""


class Method(Value):
    """One of KINDS with its argument: the text of `replace`, the number of letters or digits of `last`."""

    __slots__ = ("argument", "kind")

    def __init__(self, kind: str, argument: Any = None) -> None:
        self.kind = kind
        self.argument = argument

    @property
    def rank(self) -> tuple[int, int, str]:
        """Greater is stricter."""
        shown = -self.argument if self.kind == "last" else 0
        return (KINDS.index(self.kind), shown, str(self.argument))


TOKEN = Method("token")
HASH = Method("hash")
MASK = Method("mask")
DROP = Method("drop")


def last(count: int) -> Method:
    """Shows the last `count` letters or digits of what has at least twice as many. Raises ValueError."""
    if count < 0:
        raise ValueError(f"`last {count}` cannot show less than nothing")
    return Method("last", count) if count else MASK


def replace(text: Any) -> Method:
    """Writes `text`, which for whole values may be any JSON value."""
    return DROP if text == "" else Method("replace", text)


def strictest(methods: list[Method]) -> Method:
    return max(methods, key=lambda method: method.rank)


class Rule(Value):
    """One `redact`: what `detector` finds of `entities` (None: all of them) at or below `path` is replaced by
    `method`; without a detector, the whole value there. In a path `*` stands for every field or element."""

    __slots__ = ("detector", "entities", "method", "path")

    def __init__(
        self,
        detector: Detector | None,
        method: Method,
        *,
        entities: frozenset[str] | None = None,
        path: Path = (),
    ) -> None:
        self.detector = detector
        self.method = method
        self.entities = entities
        self.path = path

    def below(self) -> Rule:
        """This rule as seen from one step further down."""
        return Rule(self.detector, self.method, entities=self.entities, path=self.path[1:])

    def by(self, method: Method) -> Rule:
        return Rule(self.detector, method, entities=self.entities, path=self.path)

    def wants(self, entity: str) -> bool:
        return self.entities is None or entity in self.entities
