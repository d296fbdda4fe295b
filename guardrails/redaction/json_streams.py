"""JSON streams: a JSON document that arrives in pieces, such as arguments while a model writes them.

Takes pieces of JSON text, gives pieces that joined are JSON for the redacted document: what
`Redactor.redact` would make of it as a whole. Texts go on while they grow; a key waits for its value, a
number for its end, and a text that is redacted as a whole for its own. Blanks between values are left out.
"""

from __future__ import annotations

from guardrails.errors import Unavailable
from guardrails.redaction.graphemes import MOST, GraphemeGate
from guardrails.redaction.json_reader import LONGEST_KEY, JsonReader
from guardrails.redaction.overlaps import LONG
from guardrails.redaction.places import DROPPED
from guardrails.redaction.structures import Bounds, shown_key, unused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.redaction.passes import Chain, Counts
    from guardrails.redaction.places import Place

    Keys = tuple[str, ...]


class _Level:
    """An object or list that is open. For its next value: `inner` is its place, `keys` are those on the way, and
    `name` is its key as it goes on (None: the field is left out). `used`: the names written so far."""

    __slots__ = ("_outer_keys", "inner", "is_object", "keys", "name", "place", "used", "wrote")

    def __init__(self, place: Place, keys: Keys, *, is_object: bool) -> None:
        self.place = place
        self.is_object = is_object
        self.keys = self._outer_keys = keys
        self.inner = place if is_object else place.element()
        self.name: str | None = ""
        self.used: set[str] = set()
        self.wrote = False

    def on_key(self, key: str, counts: Counts) -> None:
        self.name = shown_key(key, self.place, self._outer_keys, counts)
        self.inner = self.place.field(key)
        self.keys = (*self._outer_keys, key)

    def before_value(self) -> str:
        """What is written in front of the next value."""
        comma = "," if self.wrote else ""
        self.wrote = True
        if not self.is_object:
            return comma
        name = unused(self.name or "", self.used)
        self.used.add(name)
        return f'{comma}"{_escaped(name)}":'


class JsonRedactingStream:
    """One JSON document in pieces. The bounds are those of `guardrails.redaction.structures`. `hold`: the most
    characters that it ever keeps back."""

    __slots__ = ("_bounds", "_chain", "_collected", "_counts", "_gate", "_is_over", "_is_text_open", "_levels",
                 "_out", "_reader", "_skipped", "_top", "_wrote", "hold")  # fmt: skip

    def __init__(self, top: Place) -> None:
        self._top = top
        self._counts: Counts = {}
        self._reader = JsonReader()
        self._bounds = Bounds()
        self._gate = GraphemeGate()
        self._levels: list[_Level] = []
        self._out: list[str] = []
        self._chain: Chain | None = None
        self._collected: str | None = None
        self._is_text_open = False
        self._skipped = 0
        self._is_over = False
        self._wrote = False
        self.hold = top.hold + LONGEST_KEY + MOST + 1

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """How often each entity was redacted so far, by name."""
        return tuple(sorted(self._counts.items()))

    @property
    def pending(self) -> int:
        """Characters of the current text that are kept back now."""
        text = self._chain.pending if self._chain else len(self._collected or "")
        return text + self._gate.pending

    def feed(self, piece: str) -> str:
        """What can go on by now. Raises `EvaluationError` for what is no JSON or cannot be judged; then the
        stream is over, and what was not let go never is."""
        return self._gate.feed(self._read(piece, is_last=False))

    def close(self) -> str:
        """The rest, once nothing more comes. Raises as `feed` does, and for a document that is not complete."""
        return self._gate.feed(self._read("", is_last=True)) + self._gate.close()

    def close_denied(self, message: str) -> str:
        """What makes JSON of what went on when the document is denied on the way: what is held back is
        dropped, a text that is under way ends with `message`, and all that is open is closed."""
        self._is_over = True
        open_text = f'{_escaped(message)}"' if self._is_text_open else ""
        ends = "".join("}" if level.is_object else "]" for level in reversed(self._levels))
        return self._gate.close() + (open_text + ends if self._wrote else "null")

    def _read(self, piece: str, *, is_last: bool) -> str:
        if self._is_over:
            raise Unavailable("the stream is over: it was closed, denied, or failed")
        self._is_over = True
        for kind, value in self._reader.feed(piece, is_last=is_last):
            self._on(kind, value)
        self._is_over = is_last
        out = "".join(self._out)
        self._out.clear()
        return out

    def _on(self, kind: str, value: Any) -> None:
        if self._skipped:
            self._skipped += (kind in _OPENING) - (kind in _CLOSING)
        elif kind == "key":
            self._bounds.read(value)
            self._levels[-1].on_key(value, self._counts)
        elif kind == "text":
            self._bounds.read(value)
            self._on_text(value)
        elif kind in _CLOSING:
            self._end(kind)
        else:
            self._begin(kind, value)

    # --- values ----------------------------------------------------------------------------------------

    def _begin(self, kind: str, value: Any) -> None:
        self._bounds.enter(len(self._levels))
        level = self._levels[-1] if self._levels else None
        place = level.inner if level else self._top
        if level and level.name is None:
            self._skipped = kind in _OPENING
        elif kind == "plain":
            self._on_plain(place, *value)
        elif kind == '"':
            self._begin_text(place)
        elif place.whole is not None and place.whole.kind in ("drop", "replace"):
            self._put_value(place.plain(None, self._keys, self._counts))
            self._skipped = 1
        else:
            keys = self._keys
            self._put(kind)
            self._levels.append(_Level(place, keys, is_object=kind == "{"))

    def _on_plain(self, place: Place, word: str, value: Any) -> None:
        done = place.plain(value, self._keys, self._counts)
        if done is value:
            self._put(word)
        else:
            self._put_value(done)

    def _begin_text(self, place: Place) -> None:
        if place.whole is not None:
            self._collected = ""
            return
        self._put('"')
        self._is_text_open = True
        if place.passes is not None:
            self._chain = place.passes.begin(self._keys, self._counts)

    def _on_text(self, part: str) -> None:
        if self._collected is not None:
            # One character more than LONG says that there are too many, and no more are needed for that.
            self._collected += part[: LONG + 1 - len(self._collected)]
        else:
            self._out.append(_escaped(self._chain.feed(part) if self._chain else part))

    def _end(self, kind: str) -> None:
        if kind != "end":
            self._levels.pop()
            self._out.append(kind)
        elif self._collected is not None:
            self._end_collected(self._collected)
        else:
            rest = self._chain.feed("", is_last=True) if self._chain else ""
            self._out.append(f'{_escaped(rest)}"')
            self._chain = None
            self._is_text_open = False

    def _end_collected(self, text: str) -> None:
        place = self._levels[-1].inner if self._levels else self._top
        self._collected = None
        self._put_value(place.text(text, self._keys, self._counts))

    # --- writing ---------------------------------------------------------------------------------------

    @property
    def _keys(self) -> Keys:
        return self._levels[-1].keys if self._levels else ()

    def _put_value(self, value: Any) -> None:
        is_field = bool(self._levels) and self._levels[-1].is_object
        if value is not DROPPED:
            self._put(_json(value))
        elif not is_field:
            self._put("null")

    def _put(self, text: str) -> None:
        self._wrote = True
        self._out.append((self._levels[-1].before_value() if self._levels else "") + text)


_OPENING = frozenset(("{", "[", '"'))
_CLOSING = frozenset(("}", "]", "end"))


def _escaped(text: str) -> str:
    """`text` as it is written between quotes."""
    from json.encoder import encode_basestring

    return encode_basestring(text)[1:-1]


def _json(value: Any) -> str:
    from guardrails.strict_json import write_json

    return write_json(value)
