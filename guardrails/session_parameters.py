"""What a host gives a session, judged before anything is charged or noted for it.

Takes values as they were given, and gives them back as a session can use them, or raises `EvaluationError` that names the
parameter. Sessions look at the usual types themselves and come here with the others, so that a check does not pay for it.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.model import Decision
from guardrails.parameters import is_mapping, listed, misfit, seconds, text, text_if_any
from guardrails.runtime.engine import MAX_NAME
from guardrails.runtime.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CALL, REQUEST = "the id of a call, a text", "the id of a request, a text"


def check_id(id: Any) -> None:
    """An empty one would stand for another session each time, whose limits are never full."""
    text("id", id, "the name of a session, a text that is not empty")


def check_guard(guard: Any) -> None:
    if isinstance(guard, type) or getattr(guard, "engine", None) is None:
        raise misfit("guard", guard, "a guard in this process, such as `Guard.load` gives")


def allow_of(allow: Any) -> Any:
    """What is enough for a task, to be gone through as often as the policy is loaded."""
    if allow is None or isinstance(allow, str) or is_mapping(allow):
        return allow
    return listed("allow", allow, 'a list of tools, such as `["search"]`')


def grant_of(tools: Any) -> tuple[Any, ...]:
    """The tools of a sub-agent. A mapping is none: what it says of arguments would not hold."""
    return listed("tools", tools, 'a list of names or patterns, such as `["search", "docs.*"]`')


def live_tools_of(tools: Any) -> str:
    """Live definitions of tools, as JSON."""
    from json import dumps

    wanted = "a list of definitions of tools, as data"
    given = listed("tools", tools, wanted)
    try:
        return dumps(given)
    except (TypeError, ValueError, RecursionError) as error:
        raise EvaluationError(f"`tools` is {wanted}, and these have no form in JSON: {error}") from None


def check_words(call_id: Any, hold: Any, approval: Any) -> None:
    """How a call is named, for how long what it uses is held, and the approval that is named for it."""
    text_if_any("call_id", call_id, CALL)
    text_if_any("approval", approval, REQUEST)
    if hold is not None:
        check_hold(hold)


def check_result_words(call_id: Any, reservation: Any) -> None:
    text_if_any("call_id", call_id, CALL)
    text_if_any("reservation", reservation, "that of the decision on the call, a text")


def check_hold(hold: Any) -> None:
    """What is held for less than nothing would be given back at once, and never counted."""
    seconds("hold", hold)


def check_digest(digest: Any) -> None:
    text_if_any("digest", digest, "that of the live tool, a text")


def check_decision(decision: Any) -> None:
    if not isinstance(decision, Decision):
        raise misfit("decision", decision, "the `Decision` on the call")


def check_usage(usage: Any) -> None:
    """Of a tool that has no name the budgets could not be asked."""
    if not isinstance(usage, Usage):
        raise misfit("usage", usage, "a `Usage`, such as `Usage(model, output_tokens=300)`")
    tool = usage.tool
    if tool is not None and (not isinstance(tool, str) or not 0 < len(tool) <= MAX_NAME):
        raise misfit("usage.tool", tool, f"a name of 1 to {MAX_NAME} characters")


def check_failed(tool: Any, decision: Any, call_id: Any) -> None:
    """Without a decision a call that failed is found by its tool, and else nothing would count the failure."""
    if decision is None:
        text("tool", tool, "the name of the tool that failed")
    else:
        check_decision(decision)
    text_if_any("call_id", call_id, CALL)
