"""The adapter for the OpenAI Agents SDK.

    agent = guarded(agent, session, reviewer="ana")
    result = await Runner.run(agent, "refund order 7")

Takes an agent and a session, gives a copy of the agent, and of all agents that it can hand over to or use as tools.
The one idea: an agent is guarded as a whole or not at all. Its copy has a class of its own, so that whatever is put
into it later (another model, a tool, hooks) goes through the same door; a tool that runs where no check can stand is
named in `unchecked`, or the agent is refused.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

try:
    from agents import Agent, FunctionTool, Handoff, ToolsToFinalOutputResult
except ImportError as error:  # pragma: no cover - the message is all there is
    from guardrails.integrations.needing import missing

    raise ImportError(missing("openai-agents")) from error

from guardrails.errors import EvaluationError
from guardrails.integrations.coverage import Covered
from guardrails.integrations.given import names_given, nearest
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.openai_agents.hooks import GuardedHooks
from guardrails.integrations.openai_agents.model import GuardedModel
from guardrails.integrations.openai_agents.tools import guarded_handoff, guarded_tool
from guardrails.integrations.openai_agents.watch import (
    RunHalted,
    Watch,
    raise_if_halted,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from guardrails.integrations.mediation import AnySession


def guarded(
    agent: Agent[Any],
    session: AnySession | Callable[[Any], AnySession],
    *,
    reviewer: str | Callable[[Any], str] = "",
    streaming: str = "whole",
    unchecked: Iterable[str] = (),
    provider: Any = None,
) -> Agent[Any]:
    """A guarded copy of an agent.

    `session` is a session, or a function from the SDK's context of a run to one. `reviewer` is who answers the
    interruptions of a run, as a name or a function from that context to one. `streaming` is `whole` or `pieces`;
    `unchecked` names tools that the provider runs itself, and that shall work without checks; `provider` looks up
    models by their names, as `RunConfig.model_provider` would. Raises `EvaluationError` for an agent that cannot be
    guarded as a whole.
    """
    if streaming not in MODES:
        raise EvaluationError(f"streaming is `whole` or `pieces`, not `{streaming}`")
    watch = Watch(
        session, reviewer=reviewer, streaming=streaming, unchecked=names_given(unchecked), provider=provider
    )
    copied: Agent[Any] = Guarding(watch).agent(agent)
    return copied


def questions(result: Any) -> list[dict[str, Any]]:
    """What people are asked in the interruptions of a result, in their order, with the arguments as the policy lets
    them be shown. Empty records stand for tools that want to be approved themselves."""
    return [_question(item) for item in result.interruptions]


def _question(item: Any) -> dict[str, Any]:
    if not isinstance(item.agent, GuardedAgent):
        return {}
    return item.agent._guarding.watch.question(item.call_id or "")


class Guarding:
    """The copies of one agent and of those that it reaches."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self._copies: dict[int, tuple[Any, Any]] = {}
        self._kinds: dict[type, type] = {}

    def agent(self, agent: Any) -> Any:
        """The guarded copy of an agent; an agent that is guarded already is itself."""
        if isinstance(agent, GuardedAgent):
            return agent
        known = self._copies.get(id(agent))
        if known is not None:
            return known[1]
        if not isinstance(agent, Agent):
            raise EvaluationError(f"`{type(agent).__name__}` is no agent that can be guarded")
        given = {each.name: getattr(agent, each.name) for each in fields(agent) if each.init}
        copied = self._kind(type(agent))(**{**given, "handoffs": []})
        self._copies[id(agent)] = (agent, copied)
        copied.handoffs = list(agent.handoffs)
        return copied

    def _kind(self, kind: type) -> Any:
        if kind not in self._kinds:
            about = {"_guarding": self, "__module__": kind.__module__, "__doc__": kind.__doc__}
            self._kinds[kind] = type(f"Guarded{kind.__name__}", (GuardedAgent, kind), about)
        return self._kinds[kind]

    # --- what is put into a guarded agent ------------------------------------------------------

    def model(self, model: Any, _: Any) -> Any:
        return model if isinstance(model, GuardedModel) else GuardedModel(model, self.watch)

    def hooks(self, hooks: Any, _: Any) -> Any:
        return hooks if isinstance(hooks, GuardedHooks) else GuardedHooks(hooks, self.watch)

    def tools(self, tools: Any, _: Any) -> list[Any]:
        return [self.tool(tool) for tool in tools]

    def tool(self, tool: Any) -> Any:
        if isinstance(tool, FunctionTool):
            return guarded_tool(tool, self.watch, self.agent)
        if tool.name not in self.watch.unchecked:
            raise EvaluationError(
                f"`{tool.name}` ({type(tool).__name__}) does not run where a check can stand: take it out of the"
                f" agent, or name it in `unchecked`{nearest(self.watch.unchecked, tool.name)}"
            )
        return tool

    def handoffs(self, handoffs: Any, owner: Any) -> list[Any]:
        from agents import handoff

        return [
            guarded_handoff(
                each if isinstance(each, Handoff) else handoff(self.agent(each)),
                owner,
                self.watch,
                self.agent,
            )
            for each in handoffs
        ]

    def tool_use_behavior(self, behavior: Any, _: Any) -> Any:
        return (
            behavior
            if behavior == "run_llm_again" or isinstance(behavior, Ending)
            else Ending(behavior, self)
        )


SEAMS = ("model", "hooks", "tools", "handoffs", "tool_use_behavior")
"""Parts of an agent that `Guarding` has a door for, by its method of that name."""


class GuardedAgent:
    """What the class of a guarded agent has beside that of the agent."""

    _guarding: Guarding

    def __setattr__(self, name: str, value: Any) -> None:
        if name in SEAMS:
            value = getattr(self._guarding, name)(value, self)
        super().__setattr__(name, value)

    async def get_all_tools(self, run_context: Any) -> list[Any]:
        """Those of the agent, and what its MCP servers offer now."""
        kind: Any = super()
        return self._guarding.tools(await kind.get_all_tools(run_context), self)


class Ending:
    """What ends a run with the result of a tool: it leaves like any other answer."""

    def __init__(self, behavior: Any, guarding: Guarding) -> None:
        self._behavior = behavior
        self._watch = guarding.watch

    async def __call__(self, context: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        ended = await self._ended(context, results)
        if not ended.is_final_output:
            return ended
        run = self._watch.run(context)
        run.seat.heard(run.judged.items())
        text = ended.final_output if isinstance(ended.final_output, str) else str(ended.final_output)
        checked = await run.seat.aoutput(text)
        raise_if_halted(checked)
        return ToolsToFinalOutputResult(True, checked.value) if checked.is_changed else ended

    async def _ended(self, context: Any, results: list[Any]) -> ToolsToFinalOutputResult:
        behavior = self._behavior
        if callable(behavior):
            answer = behavior(context, results)
            ended: ToolsToFinalOutputResult = await answer if hasattr(answer, "__await__") else answer
            return ended
        names = behavior["stop_at_tool_names"] if isinstance(behavior, dict) else None
        for each in results:
            if names is None or each.tool.name in names or each.tool.qualified_name in names:
                return ToolsToFinalOutputResult(True, each.output)
        return ToolsToFinalOutputResult(False, None)


# --- coverage ----------------------------------------------------------------------------------


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of an agent and of all agents that it reaches."""
    yield from _coverage(agent, set())


def _coverage(agent: Any, seen: set[int]) -> Iterator[Covered]:
    if id(agent) in seen:
        return
    seen.add(id(agent))
    why = "" if isinstance(agent, GuardedAgent) else f"the agent `{agent.name}` is not guarded"
    for tool in agent.tools:
        yield _covered(tool, why)
        if getattr(tool, "_agent_instance", None) is not None:
            yield from _coverage(tool._agent_instance, seen)
    for server in agent.mcp_servers:
        tools = server.cached_tools or ()
        yield from (Covered(each.name, why) for each in tools)
        if not tools:
            yield Covered(f"{server.name}: *", why)
    for handoff in agent.handoffs:
        target = _target(handoff)
        yield Covered(handoff.tool_name if isinstance(handoff, Handoff) else f"-> {target.name}", why)
        if target is not None:
            yield from _coverage(target, seen)


def _covered(tool: Any, why: str) -> Covered:
    if isinstance(tool, FunctionTool):
        return Covered(tool.qualified_name, why)
    return Covered(tool.name, why or f"{type(tool).__name__}: it does not run where a check can stand")


def _target(handoff: Any) -> Any:
    if not isinstance(handoff, Handoff):
        return handoff
    return handoff._agent_ref() if handoff._agent_ref is not None else None


__all__ = [
    "GuardedAgent",
    "GuardedHooks",
    "GuardedModel",
    "Guarding",
    "RunHalted",
    "coverage",
    "guarded",
    "questions",
]
