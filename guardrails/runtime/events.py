"""Events as data: what a host or a file says happened, checked before anything is decided.

A malformed event is an `EventError` with the JSON pointer of the place; it is never an allow.
"""

from __future__ import annotations

from guardrails.errors import EventError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIELDS = {
    "call": ("tool", "args"),
    "result": ("tool", "result"),
    "input": ("text",),
    "output": ("text",),
    "usage": (),
    "outcome": ("tool", "outcome"),
}
"""Event type -> the fields it must have."""

OPTIONAL = ("type", "args", "principal", "agent", "session", "time", "call_id", "tool_digest")

USAGE = (
    "model",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "cost",
    "tool_time",
    "tool",
    "reservation",
)
MORE = {
    "call": ("hold", "approval"),
    "result": ("reservation",),
    "input": ("by",),
    "outcome": ("reservation",),
    "usage": USAGE,
}
"""What some types of event may have beside that."""

OUTCOMES = ("ok", "failed", "not run")

_KINDS = {
    "tool": (str, "a string"), "args": (dict, "an object"), "text": (str, "a string"),
    "principal": (dict, "an object"), "agent": (dict, "an object"), "call_id": (str, "a string"),
    "tool_digest": (str, "a string"), "reservation": (str, "a string"), "model": (str, "a string"),
    "approval": (str, "a string"),
    "outcome": (str, "one of `ok`, `failed` and `not run`"), "by": (str, "`user` or `agent`"),
    "time": (str, "an ISO 8601 time such as `2026-01-31T12:00:00Z`"),
}  # fmt: skip


def _usual(kind: str) -> dict[str, type]:
    """The fields of an event of which nothing more is to be said when they are of this kind."""
    names = {*FIELDS[kind], *MORE.get(kind, ()), *OPTIONAL} & {*_KINDS} - {"by"}
    return {"type": str, "session": str, **{name: _KINDS[name][0] for name in names}}


_USUAL = {kind: _usual(kind) for kind in FIELDS}


def check_event(event: Any) -> str:
    """The type of a well-formed event. Raises `EventError` for any other."""
    if event.__class__ is not dict:
        raise EventError("an event is a JSON object")
    kind = event.get("type")
    if kind is None:
        raise EventError('an event has a `type`: "call", "result", "input", "output", "usage" or "outcome"')
    if kind.__class__ is not str or kind not in FIELDS:
        raise EventError(f"there is no event type {_shown(kind)}", "/type")
    for name in FIELDS[kind]:
        if name not in event:
            raise EventError(f"an event of type `{kind}` needs `{name}`")
    usual = _USUAL[kind]
    for name, value in event.items():
        if usual.get(name) is not value.__class__ or name.__class__ is not str:
            _check_field(kind, name, value)
    return str(kind)


def _check_field(kind: str, name: str, value: Any) -> None:
    known = (*FIELDS[kind], *MORE.get(kind, ()), *OPTIONAL)
    if name.__class__ is not str:
        raise EventError("the names of an event's fields are strings")
    if name not in known:
        raise EventError(
            f"an event of type `{kind}` has no field `{name}`{_suggestion(name, known)}", f"/{name}"
        )
    if name == "by" and value not in ("user", "agent"):
        raise EventError("`by` is `user` or `agent`: who wrote the input", "/by")
    if name == "session":
        if value.__class__ is not str and not (value.__class__ is dict and value.get("id").__class__ is str):
            raise EventError("`session` is a string, or an object with an `id`", "/session")
        return
    expected = _KINDS.get(name)
    if expected and value.__class__ is not expected[0]:
        raise EventError(f"`{name}` must be {expected[1]}", f"/{name}")


def _shown(kind: Any) -> str:
    """A wrong event type in words; whatever is no string is named by its kind only."""
    if kind.__class__ is str:
        return f"`{kind[:40]}`{_suggestion(kind[:40], FIELDS)}"
    from guardrails.runtime.operations import described

    return f"that is {described(kind)}"


def _suggestion(word: str, known: Any) -> str:
    from difflib import get_close_matches

    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def session_of(event: dict[str, Any]) -> dict[str, Any]:
    """The session of an event as a record."""
    session = event.get("session", {})
    return {"id": session} if session.__class__ is str else session


def time_of(event: dict[str, Any]) -> int | None:
    """The event's own time in microseconds since 1970, if it has one."""
    text = event.get("time")
    if text is None:
        return None
    from guardrails.errors import EvaluationError
    from guardrails.functions import time

    try:
        return time(text)
    except EvaluationError as error:
        raise EventError(f"`time` cannot be read: {error}", "/time") from None
