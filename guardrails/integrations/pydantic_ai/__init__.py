"""The adapter for Pydantic AI: a capability.

    agent = Agent("...", capabilities=[GuardCapability(session, reviewer="ana")])

It puts itself inside of all other capabilities of an agent: next to the tools and next to the model. The one idea: the
hooks of the framework are where it is noticed that one of these two was passed by.
"""

from __future__ import annotations

import copy
from typing import Any

try:
    from pydantic_ai.capabilities import AbstractCapability, CapabilityOrdering
    from pydantic_ai.exceptions import ToolFailed
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.toolsets import ExternalToolset, FunctionToolset
except ImportError as error:  # pragma: no cover - the message is all there is
    from guardrails.integrations.needing import missing

    raise ImportError(missing("pydantic-ai")) from error

from guardrails.errors import EvaluationError
from guardrails.integrations.coverage import Covered
from guardrails.integrations.given import names_given
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.pydantic_ai.model import GuardedModel, text_of
from guardrails.integrations.pydantic_ai.run import FINDERS, Memory, Run, raise_unless_judged, refuse_hosted
from guardrails.integrations.pydantic_ai.tools import GuardedToolset, is_covered
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ToolCallPart
    from pydantic_ai.models import Model, ModelRequestContext
    from pydantic_ai.run import AgentRunResult
    from pydantic_ai.tools import ToolDefinition
    from pydantic_ai.toolsets import AbstractToolset

    from guardrails.integrations.mediation import AnySession


class GuardCapability(AbstractCapability[Any]):
    """Holds an agent to a policy.

    `session` is a session, or a function from the framework's `RunContext` to one. `reviewer` is who answers deferred
    tool requests, as a name or a function from that context to one; `metadata={id: {"by": name}}` of the results says
    it for a single call. `streaming` is `whole` or `pieces`, and `unchecked` names tools of the model's provider that
    shall work without checks.
    """

    def __init__(
        self,
        session: AnySession | Callable[[Any], AnySession],
        *,
        reviewer: str | Callable[[Any], str] = "",
        streaming: str = "whole",
        unchecked: Iterable[str] = (),
    ) -> None:
        if streaming not in MODES:
            raise EvaluationError(f"streaming is `whole` or `pieces`, not `{streaming}`")
        self._seats = Seats(session)
        self._memory = Memory()
        self._reviewer = reviewer
        self._streaming = streaming
        self._unchecked = names_given(unchecked)
        self._run: Run | None = None

    @property
    def run(self) -> Run:
        """What is going on. Raises `Unmediated` outside of a run."""
        if self._run is None:
            raise Unmediated("a part of a guarded agent is used outside of a run, where no session is known")
        return self._run

    @property
    def unchecked(self) -> frozenset[str]:
        """Tools that were said to go unchecked."""
        return self._unchecked

    def get_ordering(self) -> CapabilityOrdering:
        return CapabilityOrdering(position="innermost")

    async def for_run(self, ctx: RunContext[Any]) -> GuardCapability:
        copied = copy.copy(self)
        copied._run = Run(
            self._seats.of(ctx), self._memory, reviewer=self._reviewer, streaming=self._streaming,
            unchecked=self._unchecked,
        )  # fmt: skip
        return copied

    def get_wrapper_toolset(self, toolset: AbstractToolset[Any]) -> AbstractToolset[Any]:
        return GuardedToolset(toolset, self.run)

    def get_wrapper_model(self, model: Model) -> Model:
        return GuardedModel(model, self.run)

    # --- what went past is noticed -------------------------------------------------------------

    async def before_model_request(
        self, ctx: RunContext[Any], request_context: ModelRequestContext
    ) -> ModelRequestContext:
        hosted = request_context.model_request_parameters.native_tools
        refuse_hosted((tool.kind for tool in hosted), self._unchecked)
        await self.run.before_request(ctx, request_context.messages)
        return request_context

    async def after_model_request(
        self, ctx: RunContext[Any], *, request_context: ModelRequestContext, response: ModelResponse
    ) -> ModelResponse:
        self.run.seat.receipts.left(text_of(response))
        return response

    async def after_tool_validate(
        self, ctx: RunContext[Any], *, call: ToolCallPart, tool_def: ToolDefinition, args: dict[str, Any]
    ) -> dict[str, Any]:
        if tool_def.kind == "external" and call.tool_name not in self._unchecked:
            refusal = await self.run.external(call.tool_name, call.args, call.tool_call_id)
            if refusal:
                raise ToolFailed(refusal)
        return args

    async def before_tool_execute(
        self, ctx: RunContext[Any], *, call: ToolCallPart, tool_def: ToolDefinition, args: dict[str, Any]
    ) -> dict[str, Any]:
        self.run.raise_if_over()
        manager: Any = ctx.tool_manager
        if manager is None or not is_covered(manager.toolset, self.run):
            raise self.run.stop(
                Unmediated(f"`{call.tool_name}` is about to run, and its calls are not checked")
            )
        self.run.executed.add(call.tool_call_id)
        return args

    async def after_tool_execute(
        self,
        ctx: RunContext[Any],
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,
        args: dict[str, Any],
        result: Any,
    ) -> Any:
        raise_unless_judged(self.run, call.tool_call_id, call.tool_name)
        return result

    async def after_run(self, ctx: RunContext[Any], *, result: AgentRunResult[Any]) -> AgentRunResult[Any]:
        self.run.raise_if_over()
        for message in result.new_messages():
            if isinstance(message, ModelResponse):
                self.run.seat.receipts.left(text_of(message))
        self.run.seat.receipts.finished(self.run.calls)
        return result


# --- coverage ----------------------------------------------------------------------------------


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of an agent. What a toolset offers only while it runs is told by the toolset's name."""
    why = "" if _is_guarded(agent) else "the agent has no `GuardCapability`"
    for toolset in agent.toolsets:
        yield from _covered(toolset, why)
    for hosted in getattr(agent, "_cap_native_tools", ()):
        kind = getattr(hosted, "kind", type(hosted).__name__)
        if kind not in FINDERS:
            yield Covered(kind, why or "it is run by the model's provider")


def _covered(toolset: Any, why: str) -> Iterator[Covered]:
    inner = getattr(toolset, "wrapped", None)
    if isinstance(toolset, FunctionToolset):
        yield from (Covered(name, why) for name in toolset.tools)
    elif isinstance(toolset, ExternalToolset):
        yield from (Covered(each.name, why) for each in toolset.tool_defs)
    elif inner is not None:
        yield from _covered(inner, why)
    elif getattr(toolset, "toolsets", None) is not None:
        for each in toolset.toolsets:
            yield from _covered(each, why)
    else:
        yield Covered(f"{toolset.label}: *", why)


def _is_guarded(agent: Any) -> bool:
    found: list[bool] = []
    agent.root_capability.apply(lambda each: found.append(isinstance(each, GuardCapability)))
    return any(found)


__all__ = ["GuardCapability", "GuardedModel", "GuardedToolset", "coverage"]
