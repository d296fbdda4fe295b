"""Provenance: what a session knows of where values came from.

Takes the notes of a session in their order, answers `origin(x) ...` and `context has ...`. What comes in is
indexed with its labels: the user's words, results, the principal's record and the policy's constants. What the
model wrote is no source of anything. Where notes are gone, whatever depends on them is an error, never a no.
"""

from __future__ import annotations

from threading import Lock, local

from guardrails.errors import Ambiguous, Unavailable
from guardrails.model import Place, Value
from guardrails.provenance.index import Index
from guardrails.provenance.verdicts import VOUCHING, joined, verdict
from guardrails.runtime.marks import covers, structure_of
from guardrails.runtime.notes import LEFT_OUT, read_header, read_payloads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.provenance.parts import Part
    from guardrails.runtime.notes import Header

UNKNOWN = "where values came from is not known here; give the session an id and a store"
GONE = "the session's older events are gone, and where the value came from would depend on them"
MOST_FOUND = 256
"""Look-ups that are kept between two events."""

DEFAULTS = {"input": "user", "result": "untrusted"}
"""Whose word something is, where no statement says so."""


class Finding(Value):
    """What a question about an origin rests on.

    `what` is the value's name in the policy (empty: it has none, or the context was asked), `test` the question,
    `answer` is None where it could not be known, `parts` are the pieces of the value with their sources.
    """

    __slots__ = ("answer", "parts", "place", "test", "what")

    def __init__(
        self, what: str, test: str, *, answer: bool | None, parts: tuple[Part, ...], place: Place
    ) -> None:
        self.what = what
        self.test = test
        self.answer = answer
        self.parts = parts
        self.place = place


class Provenance:
    """Where the values of a session came from. Give it every note once, in order; it may be asked meanwhile."""

    __slots__ = ("_found", "_index", "_labels", "_lock", "last", "lost", "policy")

    def __init__(self, policy: str, principal: Any, constants: tuple[str, ...]) -> None:
        self.policy = policy
        self.last = 0
        self.lost = False
        self._labels: frozenset[str] = frozenset()
        self._found: dict[str | None, tuple[Part, ...]] = {}
        self._lock = Lock()  # a look-up sorts the index, too
        self._index = Index()
        self._index.add(0, "record", None, _record(principal), frozenset({"records"}))
        self._index.add(0, "policy", None, list(constants), frozenset({"policy"}))

    @property
    def labels(self) -> frozenset[str]:
        """The labels of all that came into the session."""
        return self._labels

    # --- taking notes in -----------------------------------------------------------------------

    def add(self, number: int, text: str) -> None:
        """The note with that number. One that is missing or cannot be read may have held anything."""
        self.lost = self.lost or number != self.last + 1
        self.last = number
        try:
            header, end = read_header(text)
            if header.point in DEFAULTS and not header.held:
                with self._lock:
                    self._take(number, text, header, end)
        except Unavailable:
            self.lost = True

    def _take(self, number: int, text: str, header: Header, end: int) -> None:
        self._found.clear()
        if header.by == "agent":
            given = {label for labels, _, _ in header.labels for label in labels}
            self._labels |= (given | set(header.inherited)) - VOUCHING
            return
        marks, default = header.labels, DEFAULTS[header.point]
        payload = read_payloads(text, header, end)[-1]
        if not _says_something(payload):
            given = {label for mark in marks if covers(mark, ()) for label in mark[0]}
            self._labels |= given - VOUCHING if "untrusted" in given else given  # and nothing else came in
            return
        if marks and payload.__class__ is str and any(paths or rows for _, paths, rows in marks):
            payload = structure_of(payload)
        every = joined([label for labels, _, _ in marks for label in labels], default)
        if payload is LEFT_OUT:
            lost = joined({*every, "untrusted"}, default)
            self._index.lose(number, header.point, header.tool, lost)
            self._labels |= lost
        elif all(paths is None and rows is None for _, paths, rows in marks):
            self._index.add(number, header.point, header.tool, payload, every)
            self._labels |= every
        else:
            self._take_parts(number, header, payload)

    def _take_parts(self, number: int, header: Header, payload: Any) -> None:
        """A payload whose leaves have labels of their own."""
        marks, default = header.labels, DEFAULTS[header.point]
        seen: set[str] = set()

        def labels_of(place: tuple[str, ...]) -> frozenset[str]:
            found = joined([label for mark in marks if covers(mark, place) for label in mark[0]], default)
            seen.update(found)
            return found

        self._index.add(number, header.point, header.tool, payload, labels_of)
        self._labels |= seen

    # --- answers -------------------------------------------------------------------------------

    def look_up(self, value: Any) -> tuple[Part, ...]:
        """The parts of a value, and where each of them came in."""
        value = _plain(value)
        key = value if value.__class__ is str else None
        with self._lock:
            found = self._found.get(key)
            if found is None:
                found = self._index.look_up(value)
                if key is not None:
                    self._keep(key, found)
        return found

    def _keep(self, text: str, found: tuple[Part, ...]) -> None:
        if len(self._found) >= MOST_FOUND:
            self._found.clear()
        self._found[text] = found

    def answer(self, op: str, wanted: frozenset[str], parts: tuple[Part, ...]) -> bool | None:
        """Whether a value with these parts has such an origin; None where that is not known. Raises
        `Unavailable` where it would depend on notes that are gone."""
        context = self._labels | {"untrusted"} if self.lost and op == "in" else self._labels
        found = verdict(op, wanted, parts, context)
        stays = op != "is"  # whatever else came in could not change such an answer
        if self.lost and found is not stays:
            raise Unavailable(GONE)
        return found

    def has(self, wanted: frozenset[str]) -> bool:
        """Whether something with one of these labels came in."""
        if self._labels & wanted:
            return True
        if self.lost:
            raise Unavailable(GONE)
        return False


_here = local()


def findings() -> list[Finding]:
    """What this thread has found since `begin`."""
    found: list[Finding] = _here.__dict__.setdefault("found", [])
    return found


def begin() -> None:
    """Forget what was found for an earlier event."""
    _here.found = []


def originated(subject: Any, question: tuple[Any, ...], value: Any) -> bool:
    """The answer to `origin(value) ...` for a subject. Raises `EvaluationError` where there is none."""
    op, labels, named, place = question
    known = _of(subject)
    parts = known.look_up(value)
    answer = known.answer(op, frozenset(labels), parts)
    findings().append(
        Finding(place[0], _spelled(op, named), answer=answer, parts=parts, place=Place(*place[1:]))
    )
    if answer is None:
        weak = next((part.text for part in parts if part.weak), "")
        what = f"`{place[0]}`" if place[0] else "the value"
        raise Ambiguous(f"{what} holds {_shown(weak)}, too short or common to tell where it came from")
    return answer


def context_has(subject: Any, question: tuple[Any, ...]) -> bool:
    """The answer to `context has ...` for a subject. Raises `EvaluationError` where there is none."""
    return _of(subject).has(frozenset(question[1]))


def _of(subject: Any) -> Provenance:
    known: Provenance | None = None if subject.trace is None else subject.trace.origins
    if known is None:
        raise Unavailable(UNKNOWN)
    return known


def _spelled(op: str, named: tuple[str, ...]) -> str:
    return f"in {{{', '.join(named)}}}" if op == "in" else f"{op} {named[0]}"


def _shown(text: str) -> str:
    return f"`{text}`" if text else "something"


def _record(value: Any) -> Any:
    """What of a bound record is data, sets and canonical values too; a field that is missing or mistyped is none."""
    if value.__class__ is dict:
        return {name: _record(inner) for name, inner in value.items()}
    if value.__class__ is list:
        return [_record(inner) for inner in value]
    if value.__class__ is frozenset:
        return sorted(map(_record, value), key=str)
    if hasattr(value.__class__, "text"):
        return _plain(value)
    return value if value.__class__ in (str, int, float, bool) else None


def _says_something(payload: Any) -> bool:
    """Whether a payload holds any text or number, be it the name of a field."""
    waiting = [payload]
    while waiting:
        value = waiting.pop()
        if value.__class__ is list:
            waiting += value
        elif value is not None and value.__class__ is not bool and value != "" and value != {}:
            return True
    return False


def _plain(value: Any) -> Any:
    """A value as data: a canonical value as its text, a set as a list."""
    if value.__class__ in (set, frozenset, tuple):
        return sorted(map(_plain, value), key=str)
    text = getattr(value, "text", None)
    return text if text.__class__ is str else value
