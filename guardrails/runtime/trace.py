"""The trace: a session's past, as the rules of a policy may ask about it.

Takes the notes of a session in their order, answers `seen`, `count` and `last`. The one idea: whatever came is
filed by what it was, (point, tool), so that a question looks at nothing else, and no payload is read before a
condition asks for it. Where the answer would depend on notes that are gone, there is none: it is an error.
"""

from __future__ import annotations

from threading import Lock

from guardrails.errors import EvaluationError, MissingField, Unavailable
from guardrails.runtime.notes import (
    LEFT_OUT,
    call_note,
    canonical,
    outcome_note,
    read_header,
    read_payloads,
    result_note,
    text_note,
)
from guardrails.runtime.operations import Poison

__all__ = ["Earlier", "Trace", "call_note", "outcome_note", "recall", "result_note", "text_note"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from guardrails.runtime.notes import Header
    from guardrails.runtime.provenance import Provenance
    from guardrails.stores.sessions import Past

    Test: TypeAlias = Callable[["Earlier"], Any] | None

MOST_KEPT = 20_000
"""Notes that one process keeps of a session; beyond them the older half goes."""

MOST_SIZE = 32_000_000
"""Characters of the notes that one process keeps of a session; beyond them the older half goes."""

UNKNOWN = "the session's past is not known here; give the session an id and a store"
GONE = "the session's older events are gone, and the answer would depend on them"


_VALUES = {"call": "args", "result": "result"}
"""Point -> what `last` gives of an event there; of the others their text."""


class Unjudged(EvaluationError):
    """An earlier event has no such field. Of the same kind as a missing field, but `has` and `else` do not
    make up for it: they ask whether there is such an event, not whether it could be judged."""

    kind = MissingField.kind


class Question:
    """What is asked: `kind` seen, count or last, of events at `point` of the tools `tools` (patterns; none:
    of all), within `within` microseconds, and `order` (after or before) the events at another point."""

    __slots__ = ("kind", "order", "other", "others", "point", "tools", "within")

    def __init__(self, data: tuple[Any, ...]) -> None:
        self.kind, self.point, self.tools, self.within, self.order, self.other, self.others = data


class Earlier:
    """An event of the past, as a condition sees it. `place` orders all events of the session.

    `ok` of a call is true once it gave a result, false when it failed, and missing while neither is known.
    A call that only its result or failure tells of is not `certain` when notes are gone: it came earlier.
    """

    __slots__ = (
        "_end",
        "_header",
        "_key",
        "_payloads",
        "_text",
        "at",
        "call",
        "certain",
        "outcome",
        "place",
        "tool",
    )

    def __init__(self, text: str, header: Header, end: int, place: int) -> None:
        self._text = text
        self._header = header
        self._end = end
        self._payloads: list[Any] | None = None
        self._key: str | None = None
        self.at = header.at
        self.tool = header.tool
        self.place = place
        self.call = self
        self.certain = True
        self.outcome: bool | None = None

    @property
    def point(self) -> str:
        return self._header.point

    @property
    def call_id(self) -> str | None:
        return self._header.call_id

    @property
    def args(self) -> Any:
        return self._payload(0, "args")

    @property
    def result(self) -> Any:
        return self._payload(1, "result")

    @property
    def text(self) -> Any:
        return self._payload(0, "text")

    @property
    def ok(self) -> Any:
        if self.outcome is None:
            return Poison(MissingField, "what became of the call is not known, so `call.ok` is missing")
        return self.outcome

    def _payload(self, position: int, name: str) -> Any:
        if self._payloads is None:
            self._payloads = read_payloads(self._text, self._header, self._end)
        found = self._payloads[position] if position < len(self._payloads) else None
        if found is LEFT_OUT:
            return Poison(Unavailable, f"the `{name}` of the earlier {self.point} was too large to keep")
        return found

    @property
    def key(self) -> str:
        """The arguments, as a text that is the same for arguments that are equal."""
        if self._key is None:
            left_out = self._header.left_out
            self._key = f"?{left_out[0]}" if left_out and left_out[0] else canonical(self.args)
        return self._key

    def same_args(self, other: Earlier) -> bool:
        """Whether the arguments of this call and those of its answer are equal; if they are spelled alike, they
        need no reading."""
        if not self._header.left_out and not other._header.left_out:
            spelled = self._text[self._end : -1]
            if other._text.startswith(spelled, other._end):
                return True
        return self.key == other.key


class _Files:
    """Events by what they were: all of a point, and those of each of its tools, oldest first."""

    def __init__(self) -> None:
        self.by_tool: dict[tuple[str, str | None], list[Earlier]] = {}
        self.tools: dict[str, list[str]] = {}
        self._known: dict[tuple[str, tuple[str, ...]], tuple[int, list[str]]] = {}

    def add(self, point: str, event: Earlier) -> None:
        self.by_tool.setdefault((point, None), []).append(event)
        if event.tool is not None:
            of_tool = self.by_tool.setdefault((point, event.tool), [])
            if not of_tool:
                self.tools.setdefault(point, []).append(event.tool)
            of_tool.append(event)

    def newest_first(self, point: str, tools: tuple[str, ...]) -> Iterator[Earlier]:
        names = self._named(point, tools) if tools else [None]
        files = [self.by_tool[point, name] for name in names if (point, name) in self.by_tool]
        if len(files) == 1:
            return reversed(files[0])
        every = [event for file in files for event in file]
        return iter(sorted(every, key=lambda event: -event.place))

    def _named(self, point: str, tools: tuple[str, ...]) -> list[str]:
        """The tools of the past that the patterns name; told anew when another tool has come."""
        if not any("*" in pattern for pattern in tools):
            return list(dict.fromkeys(tools))
        present = self.tools.get(point, [])
        known = self._known.get((point, tools))
        if known is None or known[0] != len(present):
            from guardrails.patterns import compile_wildcard

            tests = [compile_wildcard(pattern) for pattern in tools]
            known = len(present), [name for name in present if any(test(name) for test in tests)]
            self._known[point, tools] = known
        return known[1]


class Trace:
    """A session's past, as far as its notes are kept. Give it every note once, in order. `origins` is told of
    the same notes, where a policy asks where values came from."""

    __slots__ = (
        "_files", "_lock", "_oldest", "_open", "_settled", "_size", "_texts", "dropped", "last", "origins",
        "started",
    )  # fmt: skip

    def __init__(self, origins: Provenance | None = None) -> None:
        self.last = 0
        self.origins = origins
        self._lock = Lock()
        self.started: int | None = None
        self.dropped = False
        self._clear()

    def _clear(self) -> None:
        self._texts: list[str] = []
        self._size = 0
        self._oldest: int | None = None
        self._files = _Files()
        self._open: dict[str | None, list[Earlier]] = {}
        self._settled: list[tuple[int, Earlier]] = []

    # --- taking notes in -----------------------------------------------------------------------

    def take(self, past: Past) -> None:
        """The notes of `past` that are new. Threads of one session may bring the same ones: whoever comes later
        waits until all are in, also with nothing to bring, because it is going to decide by them."""
        with self._lock:
            for number, text in enumerate(past.texts, past.last - len(past.texts) + 1):
                if number <= self.last:
                    continue
                self.add(number, text)
                if self.origins is not None:
                    self.origins.add(number, text)

    def add(self, number: int, text: str) -> None:
        """The note with that number. Where numbers are left out, or a note cannot be read, whatever came
        before is taken for gone."""
        if number != self.last + 1:
            self._forget()
        self.last = number
        try:
            self._file(number, text)
        except Unavailable:
            self._forget()
            return
        self._texts.append(text)
        self._size += len(text)
        if len(self._texts) > MOST_KEPT or (self._size > MOST_SIZE and len(self._texts) > 1):
            self._shrink()

    def _forget(self) -> None:
        self._clear()
        self.dropped = True

    def _shrink(self) -> None:
        """Keep the newer half."""
        kept = self._texts[(len(self._texts) + 1) // 2 :]
        self._forget()
        for number, text in enumerate(kept, self.last - len(kept) + 1):
            self._file(number, text)
        self._texts = kept
        self._size = sum(map(len, kept))

    def _file(self, number: int, text: str) -> None:
        header, end = read_header(text)
        event = Earlier(text, header, end, 2 * number + 1)
        if self._oldest is None:
            self._oldest = header.at
        if header.point == "call":
            self._files.add("call", event)
            self._open.setdefault(event.tool, []).append(event)
        elif header.point in ("result", "outcome"):
            self._settle(event, ok=header.ok is True)
            if header.point == "result":
                self._files.add("result", event)
        elif header.by is None:  # what another agent wrote is not the user's word
            self._files.add(header.point, event)

    def _settle(self, event: Earlier, *, ok: bool) -> None:
        """What became of a call: the newest open one of that id, of several the one with the same arguments if there
        is one; else of the same arguments, else one of which nothing else is known."""
        call = self._answered(event)
        if call is None and event._header.point == "result":
            before = self._failed_before(event)
            if before is not None:
                event.call = before
                return
        if call is None:
            call = Earlier(event._text, event._header, event._end, event.place - 1)
            call.certain = not self.dropped
            self._files.add("call", call)
        else:
            self._open[event.tool].remove(call)
        call.outcome = ok
        event.call = call
        self._settled.append((event.place, call))

    def _failed_before(self, event: Earlier) -> Earlier | None:
        """The call of that id which is known to have failed: this is what it said, and no success."""
        if event.call_id is None:
            return None
        for _, call in reversed(self._settled):
            if call.call_id == event.call_id and call.tool == event.tool:
                return None if call.outcome else call
        return None

    def _answered(self, event: Earlier) -> Earlier | None:
        calls = self._open.get(event.tool, [])
        if event.call_id is not None:
            named = [call for call in reversed(calls) if call.call_id == event.call_id]
            if len(named) > 1:
                return next((call for call in named if call.same_args(event)), named[0])
            if named:
                return named[0]
        for call in reversed(calls):
            if (call.call_id is None or event.call_id is None) and call.same_args(event):
                return call
        return None

    # --- answers -------------------------------------------------------------------------------

    def answer(self, question: Question, now: int, test: Test) -> Any:
        """The answer to a question. Raises `EvaluationError` where there is none."""
        span = _Span(self, question, now)
        fitting = self._fitting(question, span, test)
        if question.kind == "count":
            total = sum(1 for _ in fitting)
            span.require_complete()
            return total
        found = next(fitting, None)
        if found is None:
            span.require_complete()
        if question.kind == "seen":
            return found is not None
        if found is None:
            raise MissingField(_absent(question, test))
        return getattr(found, _VALUES.get(question.point, "text"))

    def _fitting(self, question: Question, span: _Span, test: Test) -> Iterator[Earlier]:
        if span.is_empty:
            return
        for event in self._files.newest_first(question.point, question.tools):
            if span.holds(event) and (test is None or _judged(test, event)):
                yield event

    def kept_since(self, since: int | None) -> bool:
        """Whether everything that came after the time `since` (None: ever) is kept."""
        return not self.dropped or (since is not None and self._oldest is not None and self._oldest <= since)

    # --- failing calls -------------------------------------------------------------------------

    def failures(self, tool: str, args: Any) -> int:
        """How often this very call failed since it last succeeded, as far as the past is kept."""
        key, count = canonical(args), 0
        for _, call in reversed(self._settled):
            if call.tool == tool and call.key == key:
                if call.outcome:
                    break
                count += 1
        return count

    def streak(self) -> int:
        """How many different calls failed in a row since one succeeded or the last input came."""
        last_input = next(self._files.newest_first("input", ()), None)
        failed: set[tuple[str | None, str]] = set()
        for place, call in reversed(self._settled):
            if call.outcome or (last_input is not None and place < last_input.place):
                break
            failed.add((call.tool, call.key))
        return len(failed)


class _Span:
    """The stretch of the past that a question speaks of, and whether all of it is kept."""

    __slots__ = ("_after", "_before", "_complete", "_since", "is_empty")

    def __init__(self, trace: Trace, question: Question, now: int) -> None:
        self._since = None if question.within is None else now - question.within
        self._complete = trace.kept_since(self._since)
        self._after: int | None = None
        self._before: int | None = None
        self.is_empty = False
        if question.order:
            self._narrow(trace, question)

    def _narrow(self, trace: Trace, question: Question) -> None:
        """After the latest, or before the first, of the other events."""
        others = trace._files.newest_first(question.other, question.others)
        if question.order == "after":
            found = next(others, None)
            self._after = found.place if found is not None else None
            self._complete = (found is not None and found.certain) or not trace.dropped
        else:
            found = min(others, key=lambda event: event.place, default=None)
            self._before = found.place if found is not None else None
            self._complete = not trace.dropped
        if not self._complete:
            raise Unavailable(GONE)
        self.is_empty = found is None

    def holds(self, event: Earlier) -> bool:
        bounded = self._since is not None or self._after is not None or self._before is not None
        if bounded and not event.certain:
            raise Unavailable(GONE)
        return (
            (self._since is None or event.at > self._since)
            and (self._after is None or event.place > self._after)
            and (self._before is None or event.place < self._before)
        )

    def require_complete(self) -> None:
        if not self._complete:
            raise Unavailable(GONE)


def recall(subject: Any, question: tuple[Any, ...], now: int, test: Test) -> Any:
    """The answer of a subject's past. Raises `EvaluationError` where there is none."""
    if subject.trace is None:
        raise Unavailable(UNKNOWN)
    return subject.trace.answer(Question(question), now, test)


def _judged(test: Callable[[Earlier], Any], event: Earlier) -> bool:
    try:
        return bool(test(event))
    except MissingField as error:
        what = f"earlier {event.point} of `{event.tool}`" if event.tool else f"earlier {event.point}"
        raise Unjudged(f"{error} (looking at an {what})").with_traceback(error.__traceback__) from None


def _absent(question: Question, test: Test) -> str:
    """What is missing, and which call would supply it."""
    only = question.tools[0] if len(question.tools) == 1 and "*" not in question.tools[0] else None
    what = f"{question.point} of `{only}`" if only else question.point
    fits = f"no {what} in this session fits" if test else f"there is no {what} in this session"
    return f"{fits}; call `{only}` first" if only else fits
