"""Guard in LangChain and LangGraph: a middleware for `create_agent`; tools and a model for graphs of your own.

Takes a session (or a function from the runtime of a graph to one), gives what LangChain calls at each step. A refused
call is a `ToolMessage` with the reason; a call that people have to approve is an `interrupt`, resumed with
`Command(resume={"approve": True, "by": "fay"})`; a halt raises `Halted` out of the run. The one idea: whatever a
policy has to say is said where LangChain has not told anybody yet, in the body of the tool and in the model itself,
and what comes out at the end is held against the receipts.

    agent = create_agent(model, tools, middleware=[GuardMiddleware(session)])
"""

from __future__ import annotations

from asyncio import to_thread

try:
    from langchain.agents.middleware.types import (
        AgentMiddleware,
        AgentState,
        ExtendedModelResponse,
        ModelResponse,
        PrivateStateAttr,
        hook_config,
    )
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("langchain")) from error

from typing import Annotated, Any, NotRequired

from langchain_core.messages import AIMessage
from langgraph.prebuilt import ToolNode

from guardrails.integrations.langchain.coverage import coverage
from guardrails.integrations.langchain.messages import calls_in, results_in
from guardrails.integrations.langchain.models import GuardedModel
from guardrails.integrations.langchain.texts import Reading, known_to, raise_if_over, read, settled
from guardrails.integrations.langchain.tools import ToolSeam
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from langchain_core.language_models import BaseChatModel

    from guardrails.integrations.mediation import AnySession, Mediation


def _joined(old: list[str] | None, new: list[str] | None) -> list[str]:
    return list(dict.fromkeys([*(old or ()), *(new or ())]))


class GuardState(AgentState[Any]):
    """What guard keeps with a thread, so that another process goes on where this one stopped."""

    guard_read: NotRequired[Annotated[list[str], _joined, PrivateStateAttr]]
    guard_before: NotRequired[Annotated[list[str], _joined, PrivateStateAttr]]


class GuardMiddleware(AgentMiddleware[GuardState, Any, Any]):
    """Holds an agent of `create_agent` to a policy. Put it last, so that nothing comes between it and the model and tools.

    `session` is a session, or a function from the run's `Runtime` to one (the same for the same conversation).
    `reviewer` is the person at the host, by whose name an answer counts that comes without one. `streaming`: `whole`
    lets an answer go when all of it was judged, `pieces` as soon as nothing in a piece can be objected to any more.
    `by` says who writes the messages of people: the `user`, or another `agent` whose tool this one is.
    """

    state_schema = GuardState

    def __init__(
        self,
        session: AnySession | Callable[[Any], AnySession],
        *,
        reviewer: str = "",
        streaming: str = "whole",
        by: str = "user",
    ) -> None:
        super().__init__()
        self.tools = []
        self.seats = Seats(session, reviewer=reviewer)
        self.seam = ToolSeam(self.seats)
        self.pace = _pace(streaming)
        self.by = by

    # --- in ------------------------------------------------------------------------------------

    @hook_config(can_jump_to=["end"])
    def before_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        mediation = self._seat(state, runtime)
        messages = state["messages"]
        before = [name for _, name in results_in(messages)]
        mediation.receipts.from_before(before)
        return _update(mediation, read(mediation, messages, self.by), before)

    @hook_config(can_jump_to=["end"])
    async def abefore_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return await to_thread(self.before_agent, state, runtime)

    def _seat(self, state: Any, runtime: Any) -> Mediation:
        """The mediation of a run, with what another process kept. Raises `Halted`."""
        mediation = self.seats.of(runtime)
        raise_if_over(mediation)
        known_to(mediation).update(state.get("guard_read") or ())
        mediation.receipts.from_before(state.get("guard_before") or ())
        return mediation

    # --- the model -------------------------------------------------------------------------------

    def wrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        mediation = self._seat(request.state, request.runtime)
        model = self._around(mediation, request)
        return _settled(mediation, model, handler(request.override(model=model)))

    async def awrap_model_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        mediation = await to_thread(self._seat, request.state, request.runtime)
        model = self._around(mediation, request)
        return await to_thread(_settled, mediation, model, await handler(request.override(model=model)))

    def _around(self, mediation: Mediation, request: Any) -> GuardedModel:
        return GuardedModel(
            bound=request.model, seat=lambda: mediation, pace=self.pace, by=self.by, is_alone=False,
            answers=_forms_of(request.response_format), disable_streaming=_streams_not(request.model),
            profile=getattr(request.model, "profile", None),
        )  # fmt: skip

    # --- tools ---------------------------------------------------------------------------------

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        return self.seam.wrap(request, handler)

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        return await self.seam.awrap(request, handler)

    # --- out -----------------------------------------------------------------------------------

    def after_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        """The run is over: nothing was left out, and its answer is one that passed. Raises `Unmediated`."""
        mediation = self.seats.of(runtime)
        messages = state["messages"]
        mediation.receipts.finished([*calls_in(messages), *(name for _, name in results_in(messages))])
        last = messages[-1] if messages else None
        if not isinstance(last, AIMessage):
            return None
        left = settled(mediation, last)
        return None if left is last else {"messages": [left]}

    async def aafter_agent(self, state: Any, runtime: Any) -> dict[str, Any] | None:
        return await to_thread(self.after_agent, state, runtime)


# --- graphs of one's own ---------------------------------------------------------------------------


def guarded_tools(
    tools: Iterable[Any],
    session: AnySession | Callable[[Any], AnySession],
    *,
    reviewer: str = "",
    **node: Any,
) -> ToolNode:
    """A `ToolNode` whose calls and results are judged; `node` is what else a `ToolNode` takes. `session` is a session,
    or a function from the `ToolRuntime` of a call to one. For a graph whose model is a `guarded_model`."""
    seam = ToolSeam(Seats(session, reviewer=reviewer))
    return ToolNode(list(tools), wrap_tool_call=seam.wrap, awrap_tool_call=seam.awrap, **node)


def guarded_model(
    model: BaseChatModel,
    session: AnySession | Callable[[Any], AnySession],
    *,
    streaming: str = "whole",
    by: str = "user",
) -> GuardedModel:
    """A chat model that hears and says what the policy lets pass, in every way of streaming. `session` is the one
    that the tools have, or a function from the `Runtime` of the graph (None outside of one) to it."""
    seats = Seats(session)
    return GuardedModel(
        bound=model, seat=lambda: seats.of(_runtime()), pace=_pace(streaming), by=by,
        disable_streaming=_streams_not(model), profile=getattr(model, "profile", None),
    )  # fmt: skip


def _runtime() -> Any:
    from langgraph.runtime import get_runtime

    try:
        return get_runtime()
    except (RuntimeError, KeyError):
        return None


def _pace(streaming: str) -> str:
    if streaming not in MODES:
        from guardrails.errors import EvaluationError

        raise EvaluationError(f"streaming is `whole` or `pieces`, not `{streaming}`")
    return streaming


def _streams_not(model: Any) -> Any:
    return getattr(model, "disable_streaming", False)


def _update(mediation: Mediation, reading: Reading, before: list[str]) -> dict[str, Any] | None:
    """What the judged messages change in the state."""
    update: dict[str, Any] = {}
    messages: list[Any] = list(reading.changed)
    if reading.refusal:
        mediation.receipts.passed(reading.refusal)
        messages.append(AIMessage(reading.refusal))
        update["jump_to"] = "end"
    if messages:
        update["messages"] = messages
    if reading.keys:
        update["guard_read"] = reading.keys
    if before:
        update["guard_before"] = before
    return update or None


def _forms_of(response_format: Any) -> frozenset[str]:
    """The names of the calls that are no calls but answers in a form."""
    if response_format is None:
        return frozenset()
    from langchain.agents.structured_output import ToolStrategy

    if isinstance(response_format, ToolStrategy):
        return frozenset(spec.name for spec in response_format.schema_specs)
    schema = getattr(response_format, "schema", response_format)
    return frozenset(spec.name for spec in ToolStrategy(schema).schema_specs)


def _settled(mediation: Mediation, model: GuardedModel, response: Any) -> Any:
    """The answer of a model node, where it may not be the guarded model's. Raises `Unmediated`."""
    if isinstance(response, AIMessage):
        return settled(mediation, response, model.answers)
    inner = response.model_response if isinstance(response, ExtendedModelResponse) else response
    result = [
        settled(mediation, message, model.answers) if isinstance(message, AIMessage) else message
        for message in inner.result
    ]
    left = ModelResponse(result=result, structured_response=inner.structured_response)
    if isinstance(response, ExtendedModelResponse):
        return ExtendedModelResponse(model_response=left, command=response.command)
    return left


__all__ = ["GuardMiddleware", "coverage", "guarded_model", "guarded_tools"]
