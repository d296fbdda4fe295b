"""CrewAI: a crew, or an agent on its own, under a policy.

    crew = guarded(crew, session, reviewer="fay")
    print(crew.kickoff(inputs={...}).raw)

The crew is the same object; its agents, their tools (delegation, MCP and memory too) and their models ask the policy from
now on, and so do its copies. CrewAI cannot pause: a call that asks goes to `person`, which may block, or is refused with
the id of its request and passes once it was approved elsewhere. The one idea: CrewAI runs a tool when a hook around it
breaks, so nothing here hangs on its hooks; a tool is reached through guard only, and a hook that is not asked for
anything else notices a tool that is not.
"""

# CrewAI is not in the environment in which types are checked: its versions exclude those of other frameworks.
# mypy: disable-error-code="import-not-found,misc"

from __future__ import annotations

from asyncio import iscoroutine, run
from typing import Any

try:
    from crewai import Agent, Crew
    from crewai.agents.parser import AgentAction, AgentFinish, OutputParserError, parse
    from crewai.hooks import InterceptionPoint
    from crewai.hooks.dispatch import get_hooks, register
    from crewai.llms.base_llm import BaseLLM
    from crewai.tools import BaseTool
    from crewai.types.usage_metrics import UsageMetrics
    from crewai.utilities.string_utils import sanitize_tool_name
    from pydantic import BaseModel, PrivateAttr
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("crewai")) from error

from guardrails.errors import Denied, EvaluationError, Halted
from guardrails.integrations.answers import answer_of
from guardrails.integrations.coverage import Covered
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from guardrails.integrations.mediation import AnySession, Mediation
    from guardrails.integrations.passages import Checked, Passage

MARK = "_guard_of_policy"
"""Where guarded objects keep their `Keeper`; in what pydantic copies, and takes for no field."""

MOST_TEXTS = 100


class Stop(BaseException):
    """The end of a run. CrewAI goes on after an `Exception` of a tool; this one it lets through."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Keeper:
    """What the parts of one crew share: their session, and who is asked."""

    def __init__(self, seats: Seats, crew: Any, person: Callable[[dict[str, Any]], Any] | None) -> None:
        self._seats = seats
        self._crew = crew
        self._person = person
        self._texts: dict[str, Checked] = {}

    def seat(self) -> Mediation:
        return self._seats.of(self._crew)

    # --- calls ---------------------------------------------------------------------------------

    def made(self, tool: str, args: dict[str, Any], work: Callable[[dict[str, Any]], Any]) -> Any:
        """Make a call, if it is allowed. Raises what the tool raises, and `Stop`."""
        passage = self._passage(tool, args)
        if not passage.allowed:
            return passage.text
        try:
            result = work(passage.args)
            if iscoroutine(result):
                result = run(result)
        except Exception as error:
            raise self._failed(passage, error) from None
        return self._result(passage, result)

    def _passage(self, tool: str, args: dict[str, Any]) -> Passage:
        seat = self.seat()
        passage = seat.call(tool, plain(args))
        if passage.outcome == "ask" and self._person is not None:
            answer = answer_of(self._person(passage.question), seat.reviewer)
            passage = seat.answered(passage, answer)
        if passage.halted and passage.decision is not None:
            raise Stop(Halted(passage.decision))
        return passage

    def _failed(self, passage: Passage, error: Exception) -> Exception:
        self.seat().failed(passage.id, passage.tool)
        checked = self.seat().error(passage.id, passage.tool, str(error), args=passage.args)
        if checked.allowed and not checked.is_changed:
            return error
        return RuntimeError(str(checked.value))

    def _result(self, passage: Passage, result: Any) -> Any:
        try:
            checked = self.seat().result(passage.id, passage.tool, plain(result))
        except Unmediated as error:
            raise Stop(error) from error
        self.stop_if_halted(checked)
        return checked.value if checked.is_changed or not checked.allowed else result

    def stop_if_halted(self, checked: Checked) -> None:
        if checked.halted and checked.decision is not None:
            raise Stop(Halted(checked.decision))

    # --- texts ---------------------------------------------------------------------------------

    def input(self, text: str) -> str:
        """A text that goes in. Raises `Denied`, `Halted` or `EvaluationError` where it may not."""
        checked = self.seat().input(text)
        checked.raise_if_halted()
        if checked.allowed:
            return str(checked.value)
        raise (
            Denied(checked.decision) if checked.decision is not None else EvaluationError(str(checked.value))
        )

    def answer(self, said: Any) -> Any:
        """What a model said, as it may go on. A step that calls a tool is no answer: the call is judged."""
        if isinstance(said, BaseModel):
            text = said.model_dump_json()
            checked = self._checked(text)
            return said if checked.value == text else type(said).model_validate_json(str(checked.value))
        if not isinstance(said, str) or not said or _is_step(said):
            return said
        checked = self._checked(said)
        return _finish(said, str(checked.value)) if not checked.allowed else checked.value

    def _checked(self, text: str) -> Checked:
        checked = self._texts.get(text)
        if checked is None:
            checked = self._texts[text] = self.seat().output(text)
        while len(self._texts) > MOST_TEXTS:
            self._texts.pop(next(iter(self._texts)))
        self.stop_if_halted(checked)
        return checked

    def used(self, model: str, usage: dict[str, Any]) -> None:
        metrics = UsageMetrics.from_provider_dict(usage)
        if metrics is not None:
            self.seat().used(
                model,
                input=metrics.prompt_tokens,
                output=metrics.completion_tokens,
                cached=metrics.cached_prompt_tokens,
            )

    def left(self, output: Any) -> Any:
        """A whole output (of a crew, a task or an agent), with every copy of its text."""
        text = output.raw
        checked = self._checked(text) if text else None
        if checked is not None and str(checked.value) != text:
            output.raw = str(checked.value)
            for name in ("pydantic", "json_dict", "summary"):
                if getattr(output, name, None) is not None:
                    setattr(output, name, None)
        for each in getattr(output, "tasks_output", None) or ():
            self.left(each)
        return output


def _is_step(text: str) -> bool:
    try:
        return isinstance(parse(text), AgentAction)
    except OutputParserError:
        return False


def _finish(said: str, text: str) -> str:
    """A refusal in the form of the answer that it stands for, so that the agent does not try for another form."""
    try:
        is_form = isinstance(parse(said), AgentFinish)
    except OutputParserError:
        is_form = False
    return f"Final Answer: {text}" if is_form else text


def plain(value: Any) -> Any:
    """Arguments or a result as data."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else str(value)


# --- tools -------------------------------------------------------------------------------------


class GuardedTool(BaseTool):
    """A tool that asks the policy first."""

    _inner: Any = PrivateAttr()
    _keeper: Any = PrivateAttr()

    def _run(self, **args: Any) -> Any:
        return self._keeper.made(sanitize_tool_name(self.name), args, lambda given: self._inner._run(**given))

    def format_output_for_agent(self, raw_result: Any) -> str:
        return (
            str(raw_result)
            if isinstance(raw_result, str)
            else self._inner.format_output_for_agent(raw_result)
        )


def _never(_args: Any = None, _result: Any = None) -> bool:
    """A result is not kept for another call: that one may be decided in another way."""
    return False


def guarded_tool(tool: BaseTool, keeper: Keeper) -> BaseTool:
    """A tool that asks the policy first; one that does already, stays."""
    if isinstance(tool, GuardedTool):
        return tool
    made = GuardedTool(
        name=tool.name, description=tool.description, args_schema=tool.args_schema,
        result_as_answer=tool.result_as_answer, max_usage_count=tool.max_usage_count, cache_function=_never,
    )  # fmt: skip
    made._inner, made._keeper = tool, keeper
    return made


def _notices(context: Any) -> None:
    """A tool of a guarded agent that is not reached through guard does not run."""
    if MARK not in getattr(context.agent, "__dict__", {}) or context.tool is None:
        return
    tool = getattr(context.tool, "_original_tool", None) or context.tool
    if not isinstance(tool, GuardedTool):
        raise Stop(Unmediated(f"`{context.tool_name}` is about to run, and guard does not stand before it"))


def _watch() -> None:
    """See that the hook stands; an application may have cleared all of them."""
    if _notices not in get_hooks(InterceptionPoint.PRE_TOOL_CALL):
        register(InterceptionPoint.PRE_TOOL_CALL, _notices)


# --- agents, models and crews ----------------------------------------------------------------------


def guarded(
    crew: Any,
    session: AnySession | Callable[[Any], AnySession],
    *,
    reviewer: str = "",
    person: Callable[[dict[str, Any]], Any] | None = None,
) -> Any:
    """A crew (or an agent) under a policy; the same object. `session` is a session of a guard, or a function from the
    crew to one; `person` gets the question of a call that asks, and gives the answer: True, False, or a record with
    `approved` and `by`. Raises `EvaluationError` for what it cannot stand before."""
    return _with(crew, Keeper(Seats(session, reviewer=reviewer), crew, person))


def _with(what: Any, keeper: Keeper) -> Any:
    if isinstance(what, Crew):
        for agent in [*what.agents, *(task.agent for task in what.tasks), what.manager_agent]:
            if agent is not None:
                _with(agent, keeper)
        return _turned(what, keeper, GuardedCrew)
    if isinstance(what, Agent):
        if isinstance(what.llm, BaseLLM):
            _with(what.llm, keeper)
        return _turned(what, keeper, GuardedAgent)
    if isinstance(what, BaseLLM):
        if getattr(what, "stream", None):
            what.stream = False  # parts of an answer go to listeners before the whole can be judged
        return _turned(what, keeper, _guarded_model(type(what)))
    raise EvaluationError(f"guard stands before a crew or an agent of CrewAI, not `{type(what).__name__}`")


def _turned(what: Any, keeper: Keeper, kind: type) -> Any:
    if MARK not in what.__dict__:
        object.__setattr__(what, "__class__", kind)
    what.__dict__[MARK] = keeper
    return what


def _ended(work: Callable[[], Any]) -> Any:
    _watch()
    try:
        return work()
    except Stop as stop:
        raise stop.error from None


async def _aended(work: Awaitable[Any]) -> Any:
    _watch()
    try:
        return await work
    except Stop as stop:
        raise stop.error from None


class GuardedAgent(Agent):
    """An agent whose tools ask the policy first."""

    def _add_skill_loader_tool(self, tools: list[BaseTool], task: Any = None) -> list[BaseTool]:
        keeper = self.__dict__[MARK]
        return [guarded_tool(tool, keeper) for tool in super()._add_skill_loader_tool(tools, task=task)]

    def set_cache_handler(self, cache_handler: Any) -> None:
        """What a tool gave back before guard stood there is not known to be allowed."""
        from crewai.agents.tools_handler import ToolsHandler

        self.tools_handler = ToolsHandler()

    def copy(self) -> Any:
        return _with(super().copy(), self.__dict__[MARK])

    def kickoff(self, messages: Any, *args: Any, **named: Any) -> Any:
        keeper = self.__dict__[MARK]
        given = _messages(messages, keeper)
        return keeper.left(_ended(lambda: super(GuardedAgent, self).kickoff(given, *args, **named)))

    async def kickoff_async(self, messages: Any, *args: Any, **named: Any) -> Any:
        keeper = self.__dict__[MARK]
        given = _messages(messages, keeper)
        return keeper.left(await _aended(super().kickoff_async(given, *args, **named)))

    async def akickoff(self, messages: Any, *args: Any, **named: Any) -> Any:
        keeper = self.__dict__[MARK]
        given = _messages(messages, keeper)
        return keeper.left(await _aended(super().akickoff(given, *args, **named)))


class GuardedCrew(Crew):
    """A crew whose inputs and outputs are judged."""

    def kickoff(self, inputs: dict[str, Any] | None = None, *args: Any, **named: Any) -> Any:
        keeper = self._begun()
        given = _inputs(inputs, keeper)
        output = _ended(lambda: super(GuardedCrew, self).kickoff(given, *args, **named))
        return _ended(lambda: keeper.left(output))

    async def akickoff(self, inputs: dict[str, Any] | None = None, *args: Any, **named: Any) -> Any:
        keeper = self._begun()
        given = _inputs(inputs, keeper)
        output = await _aended(super().akickoff(given, *args, **named))
        return _ended(lambda: keeper.left(output))

    def _begun(self) -> Keeper:
        if self.stream:
            raise EvaluationError(
                "a crew that streams shows answers before they are judged; set `stream=False`"
            )
        keeper: Keeper = _with(self, self.__dict__[MARK]).__dict__[MARK]
        return keeper

    def _create_manager_agent(self) -> None:
        super()._create_manager_agent()
        if self.manager_agent is not None:
            _with(self.manager_agent, self.__dict__[MARK])

    def copy(self) -> Any:
        return _with(super().copy(), self.__dict__[MARK])


_MODELS: dict[type, type] = {}


def _guarded_model(kind: type) -> type:
    """The kind of a model whose answers are judged."""
    if kind in _MODELS:
        return _MODELS[kind]
    base: Any = kind

    class GuardedModel(base):
        def call(self, *args: Any, **named: Any) -> Any:
            return self.__dict__[MARK].answer(super().call(*args, **named))

        async def acall(self, *args: Any, **named: Any) -> Any:
            return self.__dict__[MARK].answer(await super().acall(*args, **named))

        def _emit_stream_chunk_event(self, *args: Any, **named: Any) -> None: ...

        def _emit_thinking_chunk_event(self, *args: Any, **named: Any) -> None: ...

        def _emit_call_completed_event(self, response: Any, *args: Any, **named: Any) -> None:
            super()._emit_call_completed_event(self.__dict__[MARK].answer(response), *args, **named)

        def _track_token_usage_internal(self, usage_data: dict[str, Any]) -> None:
            super()._track_token_usage_internal(usage_data)
            self.__dict__[MARK].used(self.model, usage_data)

    GuardedModel.__name__ = GuardedModel.__qualname__ = kind.__name__
    _MODELS[kind] = _MODELS[GuardedModel] = GuardedModel
    return GuardedModel


def _inputs(inputs: dict[str, Any] | None, keeper: Keeper) -> dict[str, Any] | None:
    if inputs is None:
        return None
    return {name: keeper.input(value) if isinstance(value, str) else value for name, value in inputs.items()}


def _messages(messages: Any, keeper: Keeper) -> Any:
    if isinstance(messages, str):
        return keeper.input(messages)
    return [
        {**each, "content": keeper.input(each["content"])}
        if each.get("role") == "user" and isinstance(each.get("content"), str)
        else each
        for each in messages
    ]


# --- coverage ----------------------------------------------------------------------------------


def coverage(crew: Any) -> Iterator[Covered]:
    """The tools of a crew or an agent, as far as they are known before it runs."""
    why = "" if MARK in crew.__dict__ else "guard does not stand before this crew; call `guarded` on it"
    agents = crew.agents if isinstance(crew, Crew) else [crew]
    tasks = crew.tasks if isinstance(crew, Crew) else []
    for agent in agents:
        for tool in agent.tools or ():
            yield Covered(sanitize_tool_name(tool.name), why or _bare(agent))
        for name in ("apps", "mcps"):
            if getattr(agent, name, None):
                yield Covered(f"{agent.role}.{name}.*", why or _bare(agent))
    for task in tasks:
        for tool in task.tools or ():
            yield Covered(sanitize_tool_name(tool.name), why)


def _bare(agent: Any) -> str:
    return (
        ""
        if MARK in agent.__dict__
        else "guard does not stand before this agent; call `guarded` after it joins"
    )


__all__ = ["coverage", "guarded"]
