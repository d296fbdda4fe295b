"""Claude Code's HTTP hook: tool calls, their results, prompts and last words, checked before they count.

    {"hooks": {"PreToolUse": [{"matcher": "*", "hooks": [{"type": "http", "onFailure": "block",
        "url": "http://127.0.0.1:8181/hooks/claude-code", "timeout": 10}]}]}}

It reads, judges and answers as `guard hook claude-code` does, in the same words (`run_command`, `read_file`, ...), so
that one policy fits both doors. Claude Code takes every status but 2xx for a hook that failed, and by default goes
on without it; so every answer here is a 200, also of a request that cannot be read or has no key: then it is a
refusal that fits every event. `X-Guard-Principal` says who sits at the keyboard, `X-Guard-Root` which folder is the
project's; without it that is the folder of the event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrails.integrations.hosts import claude_code, host_named
from guardrails.integrations.judging import Setting, judged
from guardrails.integrations.remembering import HOLD, Remembered
from guardrails.integrations.wire import HookError
from guardrails.server.messages import Answer, told
from guardrails.server.problems import Problem
from guardrails.server.reading import object_of
from guardrails.server.routes import Route
from guardrails.server.schemas import ANY_OBJECT
from guardrails.strict_json import read_json

if TYPE_CHECKING:
    from guardrails.integrations.contract import Answer as Fitted
    from guardrails.integrations.contract import Moment
    from guardrails.model import Decision
    from guardrails.server.keys import Caller
    from guardrails.server.messages import Request
    from guardrails.server.service import Service


async def hook(service: Service, request: Request) -> Answer:
    """One event of Claude Code. An event of which guard knows nothing is let go."""
    said = object_of(request)
    if said.get("hook_event_name").__class__ is str and said["hook_event_name"] not in claude_code.EVENTS:
        return told({})
    try:
        moment = claude_code.read(said, request.header(b"x-guard-root") or str(said.get("cwd") or "/"))
    except HookError as error:
        raise Problem(400, "malformed_event", str(error)) from None
    setting = Setting(_principal(request), _agent(said, request))
    host, bench = host_named(claude_code.NAME), Bench(service, request.caller)
    answer = await service.apart(lambda: judged(bench, host, moment, setting))
    return told(_written(moment, answer))


def _written(moment: Moment, answer: Fitted) -> dict[str, Any]:
    out = claude_code.write(moment, answer).out
    written: dict[str, Any] = read_json(out) if out else {}
    return written


def _principal(request: Request) -> dict[str, Any]:
    principal = request.header(b"x-guard-principal")
    return {"id": principal} if principal else {}


def _agent(said: dict[str, Any], request: Request) -> dict[str, Any]:
    agent = {"id": request.caller.agent or claude_code.NAME}
    return agent | {
        name: said[name] for name in ("agent_id", "agent_type") if said.get(name).__class__ is str
    }


class Bench:
    """Decides events of a caller, by the service's guard and with what its store knows. It may block."""

    __slots__ = ("_caller", "_remembered", "_service")

    def __init__(self, service: Service, caller: Caller) -> None:
        self._service = service
        self._caller = caller
        self._remembered = Remembered(service.guard)

    def decide(self, event: dict[str, Any], *, once: str = "") -> Decision:
        if once and self._service.guard.is_stateful:
            return self._remembered.decided(event, once, self._decided)
        decision = self._decided(event)
        if decision.outcome.value != "ask" or decision.request is not None:
            return decision
        _ = self._service.guard.state  # from now on there is somewhere to keep what people are asked
        return self._decided(event)

    def _decided(self, event: dict[str, Any]) -> Decision:
        return self._service.decided(event, self._caller)

    def agreed(self, event: dict[str, Any], decision: Decision, *, once: str = "") -> Decision:
        self._remembered.approve(decision, claude_code.NAME)
        return self.decide({**event, "hold": HOLD}, once=once)

    def keep(self, once: str, event: dict[str, Any], text: str) -> None:
        self._remembered.keep(once, event, text)

    def kept(self, once: str, event: dict[str, Any]) -> str:
        return self._remembered.kept(once, event) if self._service.guard.is_stateful else ""

    def held(self, once: str) -> str:
        return self._remembered.held(once) if once and self._service.guard.is_stateful else ""

    def seal(self, session: str, why: str) -> None:
        self._service.guard.halt(f"session:{session}", by="guard serve", why=why)


def plainly(problem: Problem, request: Request | None) -> Answer:
    """A problem is a refusal of whatever was asked, as a 200, that also ends the work."""
    reason = f"The policy could not be asked, so nothing is allowed: {problem}"
    return told({"continue": False, "stopReason": reason, "decision": "block", "reason": reason})


ROUTES = (
    Route(
        "POST", "/hooks/claude-code", hook, "agent", "Claude Code: an HTTP hook.", takes=ANY_OBJECT,
        gives=ANY_OBJECT, teller=plainly, listed=False,
    ),
)  # fmt: skip
