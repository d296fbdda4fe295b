"""Recordings of every form as items: a stretch of a file in, events out, one after the other.

A form is recognised by what stands in a file, never by its name. Lines are read one by one, so a file of any
length can be cut into stretches that are read apart; a file that is one JSON document is read as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from guardrails.errors import EventError
from guardrails.runtime.events import FIELDS, time_of
from guardrails.testing.replay_items import Found, Item, Recorded
from guardrails.testing.replay_lines import BadLine, read_line
from guardrails.testing.replay_log import NAMED, is_record, records
from guardrails.testing.replay_opening import opened
from guardrails.testing.replay_spans import spans
from guardrails.testing.replay_transcripts import anthropic, openai_chat, openai_responses

Read = Callable[[Any, str], Iterator[Found]]
"""Gives the events of one value of a file; the text names it where the recording does not."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that is none: its place, and why."""

    chunk: int
    line: int
    message: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A stretch of a recording: whole lines from `start` to `end` of a file, or `data` where they were sent.

    `number` counts the stretches of all files, `file` the files. `now` is the time of the last event before
    it; `is_document` says that it is one JSON value over many lines; `log` is the audit log whose key opens it.
    """

    number: int
    file: int
    path: str
    form: str
    start: int
    end: int
    now: int | None = None
    is_document: bool = False
    log: str = ""
    data: bytes | None = field(default=None, repr=False)

    def bytes(self) -> bytes:
        if self.data is not None:
            return self.data
        with open(self.path, "rb") as stream:
            stream.seek(self.start)
            return stream.read(self.end - self.start)


@dataclass(frozen=True, slots=True)
class People:
    """Records of principals by their id; `*` is for whoever has none. Recordings often only know the id."""

    known: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def complete(self, event: dict[str, Any]) -> dict[str, Any]:
        """The event with the record of its principal; what the event says itself stands above it."""
        said = event.get("principal")
        if said is not None and said.__class__ is not dict:
            return event
        found = self.known.get(str(said["id"]) if said and "id" in said else "*", self.known.get("*"))
        return event if found is None else {**event, "principal": {**found, **(said or {})}}


def items_of(chunk: Chunk, people: People, *, timed: bool) -> Iterator[Item | Bad]:
    """The events of a stretch, in its order. With `timed` each has a time: its own, or that of the one before."""
    now = chunk.now
    for line, value in _values(chunk):
        if value.__class__ is Bad:
            yield value
            continue
        try:
            for part, (at, event, recorded) in enumerate(_found(chunk, value, line)):
                if people.known and (chunk.form != "audit" or event["principal"] is not None):
                    event = people.complete(event)
                if timed:
                    now = now if at is None else at
                    at = now
                yield (at, chunk.number, line, part, event, recorded)
        except (BadLine, EventError) as error:
            yield Bad(chunk.number, line, str(error))
        except (AttributeError, KeyError, TypeError, ValueError):
            yield Bad(chunk.number, line, f"it is not shaped like a line of `{chunk.form}`")


def _values(chunk: Chunk) -> Iterator[tuple[int, Any]]:
    lines = [chunk.bytes()] if chunk.is_document else chunk.bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        if line and not line.isspace():
            try:
                yield number, read_line(line)
            except BadLine as error:
                yield number, Bad(chunk.number, number, str(error))


def _found(chunk: Chunk, value: Any, line: int) -> Iterator[Found]:
    if chunk.form == "events":  # most recordings, and the only form that has to be fast
        yield _event(value)
    else:
        value = opened(chunk.log, value) if chunk.log else value
        yield from FORMS[chunk.form](value, f"{chunk.path}:{chunk.start}:{line}")


# --- forms -------------------------------------------------------------------------------------


def _event(value: Any) -> Found:
    """An event as data. A `decision` beside it is what was decided then."""
    if value.__class__ is not dict:
        raise BadLine("an event is a JSON object")
    at = moment_of(value) if "time" in value else None
    if "decision" not in value:
        return at, value, None
    event = {name: part for name, part in value.items() if name != "decision"}
    return at, event, _decision(value["decision"])


def moment_of(event: dict[str, Any]) -> int | None:
    """When an event happened. Raises `BadLine` and `EventError` for a time that is none."""
    if event.get("time", "").__class__ is not str:
        raise BadLine("`time` is an ISO 8601 time such as `2026-01-31T12:00:00Z`")
    return time_of(event)


def _decision(value: Any) -> Recorded | None:
    """A decision as `guard check` writes it."""
    if value.__class__ is not dict or value.get("outcome") not in ("allow", "ask", "deny", "halt"):
        raise BadLine("`decision` is an object with an `outcome`: allow, ask, deny or halt")
    applied = value.get("applied")
    names = tuple(str(each.get("statement")) for each in applied or () if each.__class__ is dict)
    reason = next((NAMED[name] for name in names if name in NAMED), "")
    return value["outcome"], names, reason, value.get("reservation") or ""


def _events(value: Any, name: str) -> Iterator[Found]:
    yield _event(value)


def _spans(value: Any, name: str) -> Iterator[Found]:
    for at, event in spans(value, name):
        yield at, event, None


def _records(value: Any, name: str) -> Iterator[Found]:
    yield from records(value)


def _transcript(read: Callable[[Any, str], Iterator[dict[str, Any]]]) -> Read:
    def found(value: Any, name: str) -> Iterator[Found]:
        for event in read(value, name):
            yield moment_of(event), event, None

    return found


FORMS: dict[str, Read] = {
    "events": _events,
    "audit": _records,
    "otel": _spans,
    "openai-chat": _transcript(openai_chat),
    "openai-responses": _transcript(openai_responses),
    "anthropic": _transcript(anthropic),
}
"""The name of a form -> how one value of it is read."""

_ITEMS = ("function_call", "function_call_output", "reasoning", "custom_tool_call", "mcp_call")


def form_of(value: Any) -> str | None:
    """The form that a value of a file has; None for a value of no known form."""
    if isinstance(value, list):
        return _form_of_messages(value)
    if not isinstance(value, dict):
        return None
    if "resourceSpans" in value:
        return "otel"
    if is_record(value):
        return "audit"
    if value.get("type") in FIELDS and "role" not in value:
        return "events"
    request = value.get("request")
    held = {**value, **request} if isinstance(request, dict) else value
    if isinstance(held.get("messages"), list):
        return "anthropic" if "system" in held else _form_of_messages(held["messages"])
    return "openai-responses" if "input" in held or isinstance(held.get("output"), list) else None


def _form_of_messages(messages: list[Any]) -> str | None:
    known = [message for message in messages if isinstance(message, dict)]
    if any(message.get("type") in _ITEMS for message in known):
        return "openai-responses"
    if not any("role" in message for message in known):
        return None
    blocks = [
        b for m in known if isinstance(m.get("content"), list) for b in m["content"] if isinstance(b, dict)
    ]
    kinds = {str(block.get("type")) for block in blocks}
    if kinds & {"input_text", "output_text"}:
        return "openai-responses"
    return (
        "anthropic"
        if any(kind.endswith(("tool_use", "tool_result", "thinking")) for kind in kinds)
        else "openai-chat"
    )
