"""What a host gives a guard or a session that is connected, judged before it is asked of the server.

Takes parameters, gives nothing, or raises: `EventError` for what no event may have, `EvaluationError` for the rest. In
process what is no text is denied or refused; written as JSON it would be a text, and judged by what stands in that.
"""

from __future__ import annotations

from typing import Any

from guardrails.errors import EvaluationError, EventError
from guardrails.parameters import misfit, seconds, shown, text, text_if_any


def check_connection(address: Any, key: Any, timeout: Any) -> None:
    text("address", address, "that of a server, such as `unix:/run/guard-frames.sock`")
    text_if_any("key", key, "one of the server's keys, a text")
    seconds("timeout", timeout)


def event_of(event: Any) -> dict[str, Any]:
    try:
        return {**event}
    except TypeError:
        raise EventError(f"an event is a JSON object, and not {shown(event)}") from None


def check_ids(session: Any, principal: Any) -> None:
    for name, id in (("session", session), ("principal", principal)):
        if id is not None:
            text(name, id, f"the id of a {name}, a text")


def check_scope(scope: Any) -> None:
    if not isinstance(scope, str):
        raise misfit("scope", scope, "`all`, or `agent:`, `principal:`, `session:` or `tool:` and a name")


def check_text(name: str, given: Any) -> None:
    if not isinstance(given, str):
        raise EventError(f"`{name}` is a text, and not {shown(given)}")


def check_call(tool: Any, digest: Any, call_id: Any, approval: Any) -> None:
    check_text("tool", tool)
    for name, given in (("digest", digest), ("call_id", call_id), ("approval", approval)):
        if given is not None:
            check_text(name, given)


def check_result(tool: Any, call_id: Any, reservation: Any) -> None:
    check_text("tool", tool)
    check_text("reservation", reservation)
    if call_id is not None:
        check_text("call_id", call_id)


def check_run(tool: Any, function: Any, args: Any) -> None:
    """A tool that is run with arguments that are at hand."""
    check_text("tool", tool)
    if not callable(function):
        raise EvaluationError(f"a tool is a `function`, and not {shown(function)}")
    if not isinstance(args, dict):
        raise misfit("args", args, "an object with the arguments by name")
