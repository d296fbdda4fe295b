"""One record of the audit log: its fields, and its bytes.

A record is one line of JSON. Fields that say nothing are left out; the order is fixed, `v` and `seq` come
first and `chain` last, because the chain is over the bytes before it.

    v           version of this shape: 1
    seq         place in the log, from 0, without gaps
    at          when, RFC 3339 in UTC with microseconds; `us` is the same in microseconds since 1970
    clock       the time that was decided by, in microseconds, where it is not that of the system: the event's
                own, or what the guard's clock said
    kind        one of KINDS
    id          of the decision, 32 hexadecimal digits; `ref` is the id that an outcome belongs to
    trace, span trace and span id (32 and 16 hexadecimal digits), as OpenTelemetry writes them
    session, agent, call_id, tool
                as the host names them
    principal   a pseudonym: the key store knows whose it is until that person is erased
    point       `call`, `result`, `input`, `output` or `usage`
    outcome     of the decision: `allow`, `ask`, `deny`, `halt`
    status      of an outcome record: `ok`, `failed`, `not run`, `settled`, `streamed`
    statements  names of all statements that applied; `reasons` those that asked for the outcome; `shadow`
                those that would have applied
    errors      [{"statement", "kind", "message"}], the message without anything that it quotes
    transforms  [{"kind", "statement", "paths"}]; `obligations` [{"kind", "statement"}]
    policy      digest of the policy; `engine` the version of the engine
    latency_us  how long the decision took, in microseconds
    reservation what limits and budgets hold for the call; beside a result or outcome, that of its call
    approval    id of the approval that was used
    request     id of the request that people were asked by: it waits, they refused it, or they approved of it
                and something else refuses the call
    answers_to  of a sub-agent's record: the sessions that its own answers to, the nearest first
    parts       what each of these sessions' policies decided of it: [{"session", "policy", "outcome", "statements",
                "reasons"}]; `unasked` where a policy was not asked, and no `policy` where the delegation itself
                refused
    labels      those that statements gave to what came in
    origins     what questions about origins came to: [{"what", "test", "answer", "events"}], with the numbers
                in the session of the events that it rests on (0: the principal's record, or the policy)
    facts       what other kinds of record say: a usage, a halt, a checkpoint, a repair
    body        what the event was about as the policy redacted it: {"sealed": "..."} under the key of the
                principal, or {"withheld": "why"}
    digest      {"args" | "result" | "text": keyed digest of what it was before the policy changed it}
    cleaned     how many secrets were removed that the policy had left in
    chain       64 hexadecimal digits, see `guardrails.audit.chain`

What is in a sealed body, once opened: {"principal": id or record, "args" | "result" | "text" | "facts": ...}, and
what the decision read beside that: "agent" (its record, where there is more than an id), "session" (what the
host said of it: facts, "task", "given"), "hold" in seconds, "tool_digest", and "by" of an input by an agent.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from guardrails.audit.errors import needs_extra

try:
    from orjson import OPT_PASSTHROUGH_DATACLASS, OPT_PASSTHROUGH_DATETIME, OPT_SORT_KEYS, dumps
except ImportError as error:
    raise needs_extra("audit", "orjson") from error

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 1

KINDS = (
    "log", "opened", "intent", "outcome", "usage", "approval", "halt", "note", "checkpoint", "erased", "repaired",
)  # fmt: skip
"""`log` is the first record of a log, `opened` the begin of a session, `intent` a decision before it is told."""

FIELDS = (
    "v", "seq", "at", "us", "clock", "kind", "id", "ref", "trace", "span", "session", "principal", "agent", "point",
    "tool", "call_id", "outcome", "status", "statements", "reasons", "shadow", "errors", "transforms",
    "obligations", "policy", "engine", "latency_us", "reservation", "approval", "request",
    "answers_to", "parts", "labels", "origins", "facts", "body", "digest",
    "cleaned", "chain",
)  # fmt: skip

_OPTIONS = OPT_SORT_KEYS | OPT_PASSTHROUGH_DATACLASS | OPT_PASSTHROUGH_DATETIME

MOST_DEPTH = 100
"""Levels of a value that is written; what lies deeper is left out."""


def rfc3339(us: int) -> str:
    """Microseconds since 1970 as RFC 3339 text in UTC."""
    seconds, rest = divmod(us, 1_000_000)
    return f"{second_of(seconds)}.{rest:06d}Z"


@lru_cache(maxsize=4)
def second_of(seconds: int) -> str:
    """Seconds since 1970 as the begin of an RFC 3339 text in UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"


def as_json(value: Any) -> bytes:
    """A value as compact JSON with sorted keys, the same bytes for equal values. Whatever is no JSON becomes
    the name of its type, never its text."""
    try:
        return dumps(value, default=_plain, option=_OPTIONS)
    except (TypeError, ValueError, RecursionError):
        from json import dumps as by_hand

        text = by_hand(_simplified(value, 0), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    """What orjson does not know: exact numbers as texts, sets as sorted lists."""
    from decimal import Decimal

    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value, key=repr)
    return f"<{type(value).__name__}>"


def _simplified(value: Any, depth: int) -> Any:
    """The same with nothing that JSON cannot hold, such as halves of surrogate pairs or huge numbers."""
    if depth > MOST_DEPTH:
        return "<deep>"
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return int(value) if -(1 << 63) <= value < 1 << 64 else str(value)
    if isinstance(value, float):
        return float(value) if value - value == 0.0 else None
    if isinstance(value, dict):
        return {
            str(_simplified(name, depth + 1)): _simplified(each, depth + 1) for name, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_simplified(each, depth + 1) for each in value]
    return _simplified(_plain(value), depth + 1)


def body_of(fields: Mapping[str, Any]) -> bytes:
    """The bytes of a record without its place in the log: its fields in order, without braces."""
    get = fields.get
    said = {name: value for name in FIELDS if (value := get(name)) or value == 0}
    try:
        data = dumps(said)[1:-1]
    except TypeError:  # halves of surrogate pairs, and numbers that are too large
        said = _simplified(said, 0)
        data = dumps(said)[1:-1]
    # No database keeps a null character in JSON.
    return data if b"\\u0000" not in data else dumps(_without_null(said))[1:-1]


def _without_null(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {_without_null(name): _without_null(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_null(each) for each in value]
    return value
