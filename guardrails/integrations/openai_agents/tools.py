"""Tools and handoffs of a guarded OpenAI agent.

Takes a tool or handoff of the SDK, gives a copy that asks first: what runs is what was judged, and what it gives back
is judged before anybody reads it. The SDK's own error handling stays inside: it turns what a tool raises into a text,
which is a result like any other, so the copy notes what was raised on its way through.
"""

from __future__ import annotations

import copy
import functools
import weakref
from contextvars import ContextVar
from dataclasses import asdict, is_dataclass
from types import CellType, FunctionType
from typing import Any

from agents import FunctionTool, Handoff, ToolInputGuardrail, ToolOutputText
from agents.agent_tool_state import get_agent_tool_state_scope, peek_agent_tool_run_result
from agents.tool import invoke_function_tool
from pydantic import BaseModel

from guardrails.errors import EvaluationError, Halted
from guardrails.integrations.answers import Answer
from guardrails.integrations.openai_agents.watch import RunUnmediated, raise_if_halted
from guardrails.integrations.receipts import REFUSED, Unmediated
from guardrails.strict_json import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from agents.tool_context import ToolContext

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.openai_agents.watch import Watch
    from guardrails.integrations.passages import Checked, Passage

_RAISED: ContextVar[list[BaseException] | None] = ContextVar("guard_raised", default=None)
"""What the tool that runs raised, and its error handler swallowed."""

_TOLD: ContextVar[str] = ContextVar("guard_told", default="")
"""What the model is told of the handoff that was made last."""


class Invocation:
    """The body of a guarded tool."""

    def __init__(self, tool: FunctionTool, watch: Watch) -> None:
        self.tool = tool
        self.name = tool.qualified_name
        self.watch = watch

    async def __call__(self, context: ToolContext[Any], arguments: str) -> Any:
        try:
            return await self._made(context, arguments)
        except Unmediated as error:
            raise RunUnmediated(error) from error

    async def _made(self, context: ToolContext[Any], arguments: str) -> Any:
        seat, id = self.watch.seats.of(context), context.tool_call_id
        passage = await self._judged(seat, context, arguments)
        raise_if_halted(passage)
        if not passage.allowed:
            return passage.text
        raised: list[BaseException] = []
        given = write_json(passage.args) if passage.is_changed else arguments
        value = await self._run(seat, context, given, raised)
        if _is_paused(context):
            return value  # it waits for people inside, and runs on with the same call
        if raised:
            return await self._failed(seat, context, value, raised[-1])
        return _written(await seat.aresult(id, self.name, _seen(value)), value, context)

    async def _failed(self, seat: Mediation, context: Any, told: Any, error: BaseException) -> Any:
        """What the model is told of a call that failed. What stops a run inside stops this one too."""
        id = context.tool_call_id
        await seat.afailed(id, self.name)
        if isinstance(error, (Halted, Unmediated)):
            raise error
        return _written(await seat.aerror(id, self.name, str(told)), told, context)

    async def _judged(self, seat: Mediation, context: Any, arguments: str) -> Passage:
        passage = await seat.acall(self.name, arguments, context.tool_call_id)
        if passage.outcome != "ask" or not _is_approved(context):
            return passage
        return await seat.aanswered(passage, Answer(approves=True, by=self.watch.reviewer(context)))

    async def _run(self, seat: Mediation, context: Any, given: str, raised: list[BaseException]) -> Any:
        context.tool_arguments = given
        token = _RAISED.set(raised)
        try:
            return await invoke_function_tool(function_tool=self.tool, context=context, arguments=given)
        except BaseException:
            seat.failed(context.tool_call_id, self.name)
            raise
        finally:
            _RAISED.reset(token)


class Approval:
    """Whether the run has to stop for people. What the tool itself wants approved stays so."""

    def __init__(self, tool: FunctionTool, watch: Watch) -> None:
        self.tool = tool
        self.watch = watch

    async def __call__(self, context: Any, args: dict[str, Any], call_id: str) -> bool:
        run = self.watch.run(context)
        written = run.calls.get(call_id)
        passage = await run.seat.acall(
            self.tool.qualified_name, written[1] if written else write_json(args), call_id
        )
        raise_if_halted(passage)
        run.judged[call_id] = self.tool.qualified_name
        if passage.outcome == "ask":
            self.watch.waits(call_id, passage)
            return True
        if passage.allowed and await self._own(context, args, call_id):
            run.seat.dropped(passage)  # judged and charged again once somebody agreed
            return True
        return False

    async def _own(self, context: Any, args: dict[str, Any], call_id: str) -> bool:
        wanted: Any = self.tool.needs_approval
        if not callable(wanted):
            return bool(wanted)
        answer = wanted(context, args, call_id)
        return bool(await answer if hasattr(answer, "__await__") else answer)


def guarded_tool(tool: FunctionTool, watch: Watch, agent_of: Callable[[Any], Any]) -> FunctionTool:
    """A copy of a tool that asks first. Raises `EvaluationError` for an agent as a tool that cannot be copied."""
    if is_guarded(tool, watch):
        return tool
    inner = copy.copy(tool)
    inner.timeout_seconds = None
    inner.on_invoke_tool = _noting(inner, tool, agent_of)
    guarded = copy.copy(tool)
    guarded.on_invoke_tool = Invocation(inner, watch)
    guarded.needs_approval = Approval(tool, watch)
    guarded.tool_input_guardrails = [
        _telling(each, watch, tool.qualified_name) for each in tool.tool_input_guardrails or ()
    ]
    if guarded._agent_instance is not None:
        guarded._agent_instance = agent_of(tool._agent_instance)
    return guarded


def is_guarded(tool: Any, watch: Watch) -> bool:
    """Whether the calls of a tool are checked by this watch."""
    return (
        isinstance(tool, FunctionTool)
        and isinstance(tool.on_invoke_tool, Invocation)
        and isinstance(tool.needs_approval, Approval)
        and tool.on_invoke_tool.watch is watch
        and tool.needs_approval.watch is watch
    )


def _noting(inner: FunctionTool, tool: FunctionTool, agent_of: Callable[[Any], Any]) -> Any:
    """The body of a tool, which notes what is raised before the SDK makes a text of it."""
    invoker: Any = copy.copy(inner.on_invoke_tool)
    body = getattr(invoker, "_invoke_tool_impl", None)
    if tool._agent_instance is not None:
        body = _with_agent(body, tool, agent_of(tool._agent_instance))
    if body is None:
        return invoker

    @functools.wraps(body)
    async def noting(context: Any, arguments: str) -> Any:
        try:
            return await body(context, arguments)
        except BaseException as error:
            raised = _RAISED.get()
            if raised is not None:
                raised.append(error)
            raise

    invoker._invoke_tool_impl = noting
    return invoker


def _with_agent(body: Any, tool: FunctionTool, agent: Any) -> Any:
    """The body of an agent as a tool, which runs another agent. The SDK keeps the agent in the function's closure."""
    original = tool._agent_instance
    if agent is original:
        return body
    cells = dict(zip(body.__code__.co_freevars, body.__closure__ or (), strict=True)) if body else {}
    if "self" not in cells or cells["self"].cell_contents is not original:
        raise EvaluationError(
            f"the agent behind the tool `{tool.name}` cannot be reached: make the tool of its guarded copy,"
            f" `guarded(agent, session).as_tool(...)`"
        )
    cells["self"] = CellType(agent)
    rebound = FunctionType(
        body.__code__, body.__globals__, body.__name__, body.__defaults__, tuple(cells.values())
    )
    rebound.__kwdefaults__ = body.__kwdefaults__
    return functools.update_wrapper(rebound, body)


def _telling(guardrail: ToolInputGuardrail[Any], watch: Watch, name: str) -> ToolInputGuardrail[Any]:
    """The tool's own check. What it rejects does not run after all, and is given back."""

    async def check(data: Any) -> Any:
        output = await guardrail.run(data)
        if output.behavior["type"] != "allow":
            seat, id = watch.seats.of(data.context), data.context.tool_call_id
            seat.dropped(await seat.acall(name, data.context.tool_arguments, id))
            seat.receipts.judged(seat.receipts.known(id), name, "", REFUSED)
        return output

    return ToolInputGuardrail(guardrail_function=check, name=guardrail.get_name())


def _is_approved(context: Any) -> bool:
    """Whether somebody approved this very call. "Always" is no answer to a question that nobody has seen."""
    id = context.tool_call_id
    return any(
        isinstance(record.approved, list) and id in record.approved
        for record in list(context._approvals.values())
    )


def _is_paused(context: Any) -> bool:
    """Whether the agent behind a tool stopped to ask somebody."""
    if context.tool_call is None:
        return False
    result = peek_agent_tool_run_result(context.tool_call, scope_id=get_agent_tool_state_scope(context))
    return bool(getattr(result, "interruptions", None))


# --- results -----------------------------------------------------------------------------------


def _seen(value: Any) -> Any:
    """A result as a policy sees it: data, or the text that the SDK would make of it."""
    if isinstance(value, ToolOutputText):
        return value.text
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, (list, tuple)):
        return [_seen(each) if isinstance(each, BaseModel) else each for each in value]
    return value if value is None or isinstance(value, (str, int, float, dict)) else str(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, ToolOutputText))


def _written(checked: Checked, value: Any, context: Any) -> Any:
    """What goes on: the result as it was, or what the policy made of it and nothing else."""
    raise_if_halted(checked)
    if not checked.is_changed:
        return checked.value if isinstance(checked.value, str) and not _is_text(value) else value
    context._custom_data = None  # copies that the SDK keeps beside the result
    if isinstance(value, ToolOutputText):
        return ToolOutputText(text=str(checked.value))
    return checked.value


# --- handoffs ----------------------------------------------------------------------------------


class GuardedHandoff(Handoff[Any, Any]):
    """A handoff that asks first. One that is refused leads back to the agent that made it."""

    def get_transfer_message(self, agent: Any) -> str:
        return _TOLD.get() or super().get_transfer_message(agent)


def guarded_handoff(
    handoff: Handoff[Any, Any], owner: Any, watch: Watch, agent_of: Callable[[Any], Any]
) -> Handoff[Any, Any]:
    """A copy of a handoff of `owner` that asks first, and leads to a guarded agent."""
    watch.handoffs.add(handoff.tool_name)
    if isinstance(handoff, GuardedHandoff):
        return handoff

    async def invoke(context: Any, arguments: str) -> Any:
        run = watch.run(context)
        passage = await run.seat.acall(handoff.tool_name, arguments, run.first_call_of(handoff.tool_name))
        raise_if_halted(passage)
        if not passage.allowed:
            _TOLD.set(passage.text)
            return owner
        try:
            given = arguments if not passage.is_changed else write_json(passage.args)
            agent = agent_of(await handoff.on_invoke_handoff(context, given))
        except BaseException:
            run.seat.failed(passage.id, handoff.tool_name)
            raise
        checked = await run.seat.aresult(passage.id, handoff.tool_name, handoff.get_transfer_message(agent))
        raise_if_halted(checked)
        _TOLD.set(str(checked.value))
        return agent

    fields = {name: value for name, value in vars(handoff).items() if not name.startswith("_agent_ref")}
    guarded = GuardedHandoff(**{**fields, "on_invoke_handoff": invoke})
    target = handoff._agent_ref() if handoff._agent_ref is not None else None
    if target is not None:
        guarded._agent_ref = weakref.ref(agent_of(target))
    return guarded


__all__ = ["Approval", "GuardedHandoff", "Invocation", "guarded_handoff", "guarded_tool", "is_guarded"]
