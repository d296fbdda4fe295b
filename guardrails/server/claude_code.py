"""Claude Code's HTTP hook: tool calls, their results, prompts and last words, checked before they count.

    {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "http", "onFailure": "block",
        "url": "http://127.0.0.1:8181/hooks/claude-code", "timeout": 10}]}]}}

Claude Code takes every status but 2xx for a hook that failed, and by default goes on without it. So every answer here
is a 200, also of a request that cannot be read or has no key: then it is a refusal that fits every event. What the host
cannot do is refused: a prompt cannot be changed, and a call that waits for other people than the one at the
keyboard is denied with the id of the request, to be made again. `X-Guard-Principal` says who that one is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.model import Outcome
from guardrails.server.degrading import blanked, is_changed, refusal
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT

if TYPE_CHECKING:
    from guardrails.model import Decision
    from guardrails.server.messages import Request
    from guardrails.server.service import Service

Reply = dict[str, Any]


async def hook(service: Service, request: Request) -> Answer:
    """One event of Claude Code."""
    said = object_of(request)
    kind = said.get("hook_event_name")
    if kind.__class__ is not str:
        raise Problem(400, "malformed_event", "the hook event has no name", at="/hook_event_name")
    if kind == "PostToolUseFailure":
        await service.decide(_failed(said, request), request.caller, len(request.body))
        return told({})
    if kind not in ENCODERS:
        return told({})
    event = _events(said, request)[kind]
    if event is None:
        return told({})
    decision = await service.decide(event, request.caller, len(request.body))
    return told(
        _stopped(decision) if decision.outcome is Outcome.HALT else ENCODERS[kind](said, event, decision)
    )


def _events(said: dict[str, Any], request: Request) -> dict[str, dict[str, Any] | None]:
    around = _around(said, request)
    call = {
        "tool": said.get("tool_name"),
        "args": said.get("tool_input", {}),
        "call_id": said.get("tool_use_id"),
    }
    call = {name: value for name, value in call.items() if value is not None} | around
    last = said.get("last_assistant_message")
    return {
        "PreToolUse": {"type": "call", **call},
        "PostToolUse": {"type": "result", "result": said.get("tool_response"), **call},
        "UserPromptSubmit": {"type": "input", "text": said.get("prompt"), **around},
        "Stop": None if last is None else {"type": "output", "text": last, **around},
        "SubagentStop": None if last is None else {"type": "output", "text": last, **around},
    }


def _around(said: dict[str, Any], request: Request) -> dict[str, Any]:
    """Who works where."""
    agent = {"id": "claude-code"}
    for name in ("agent_id", "agent_type"):
        if said.get(name).__class__ is str:
            agent[name] = said[name]
    found: dict[str, Any] = {"agent": agent}
    if request.caller.agent is not None:
        found["agent"] = agent | {"id": request.caller.agent}
    if said.get("session_id").__class__ is str:
        found["session"] = said["session_id"]
    principal = request.header(b"x-guard-principal")
    return found | ({"principal": {"id": principal}} if principal else {})


def _failed(said: dict[str, Any], request: Request) -> dict[str, Any]:
    event = _events(said, request)["PreToolUse"]
    assert event is not None
    return event | {"type": "outcome", "outcome": "failed"}


# --- answers -----------------------------------------------------------------------------------


def _before(said: dict[str, Any], event: dict[str, Any], decision: Decision) -> Reply:
    """Nothing is said of a call that is allowed as it is, so that Claude Code's own rules still hold."""
    if decision.outcome is Outcome.ALLOW and not is_changed(decision, event):
        return {}
    found = {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": refusal(decision),
    }
    if decision.outcome is Outcome.ALLOW:
        found |= {"permissionDecision": "allow", "updatedInput": decision.payload}
        found["permissionDecisionReason"] = "The policy changed the arguments."
    elif decision.outcome is Outcome.ASK and _may_ask_here(decision):
        found["permissionDecision"] = "ask"
    return {"hookSpecificOutput": found}


def _may_ask_here(decision: Decision) -> bool:
    """Whether whoever sits at the keyboard is who the policy asks."""
    return all(not each.reviewers and each.quorum == 1 for each in decision.approvals)


def _after(said: dict[str, Any], event: dict[str, Any], decision: Decision) -> Reply:
    """The tool ran; what it gave back is changed, or nothing of it is left."""
    if decision.outcome is Outcome.ALLOW:
        return _replaced(decision.payload) if is_changed(decision, event) else {}
    return _replaced(blanked(event["result"])) | _blocked(decision)


def _replaced(value: Any) -> Reply:
    return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": value}}


def _prompt(said: dict[str, Any], event: dict[str, Any], decision: Decision) -> Reply:
    is_fine = decision.outcome is Outcome.ALLOW and not is_changed(decision, event)
    return {} if is_fine else _blocked(decision)


def _last_words(said: dict[str, Any], event: dict[str, Any], decision: Decision) -> Reply:
    """The model is sent back once; if it says it again, the work ends."""
    if decision.outcome is Outcome.ALLOW and not is_changed(decision, event):
        return {}
    return _stopped(decision) if said.get("stop_hook_active") is True else _blocked(decision)


def _blocked(decision: Decision) -> Reply:
    return {"decision": "block", "reason": refusal(decision)}


def _stopped(decision: Decision) -> Reply:
    return _ending(refusal(decision))


def _ending(reason: str) -> Reply:
    """A refusal of whatever it was, that also ends the work."""
    return {"continue": False, "stopReason": reason, "decision": "block", "reason": reason}


ENCODERS = {
    "PreToolUse": _before,
    "PostToolUse": _after,
    "UserPromptSubmit": _prompt,
    "Stop": _last_words,
    "SubagentStop": _last_words,
}


def plainly(problem: Problem, request: Request | None) -> Answer:
    """A problem is a refusal of whatever was asked, as a 200."""
    return told(_ending(f"The policy could not be asked, so nothing is allowed: {problem}"))


ROUTES = (
    Route(
        "POST", "/hooks/claude-code", hook, "agent", "Claude Code: an HTTP hook.", takes=ANY_OBJECT,
        gives=ANY_OBJECT, teller=plainly, listed=False,
    ),
)  # fmt: skip
