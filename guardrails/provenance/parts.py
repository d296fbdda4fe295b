"""What a look-up gives: the parts of a value, and for each the places of the session that it came from.

Plain immutable values. The one idea: `exact` and `weak` are separate. Exact says that a source holds the same
value, weak says that having it proves little; only a part that is exact and not weak is evidence.
"""

from __future__ import annotations

from guardrails.model import Value


class Source(Value):
    """A leaf of an event in which a part of a value appeared.

    `event` is the event's number in the session, `point` where it passed (`input`, `call`, `result`, `output`,
    `record` or `policy`), `path` the JSON pointer of the leaf (empty for a text). `words` are up to 120
    characters of the source around the part, with runs of blanks shown as one. `exact` says that it is the same
    value, not only a related form of it.
    """

    __slots__ = ("event", "exact", "labels", "path", "point", "tool", "words")

    def __init__(
        self,
        event: int,
        point: str,
        tool: str | None,
        path: str,
        labels: frozenset[str],
        words: str,
        *,
        exact: bool,
    ) -> None:
        self.event = event
        self.point = point
        self.tool = tool
        self.path = path
        self.labels = labels
        self.words = words
        self.exact = exact


class Part(Value):
    """A piece of a value: its `text` as written, whether it is too `weak` (short or common) to prove anything,
    and where it appeared. No sources: nobody supplied it."""

    __slots__ = ("sources", "text", "weak")

    def __init__(self, text: str, sources: tuple[Source, ...], *, weak: bool) -> None:
        self.text = text
        self.sources = sources
        self.weak = weak
