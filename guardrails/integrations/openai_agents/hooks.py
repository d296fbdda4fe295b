"""The hooks of a guarded OpenAI agent: where it is noticed that a check was passed by.

Takes what the SDK tells of a run, raises `Unmediated` for a tool, result, answer or agent that went past the checks.
Nothing is decided here; the agent's own hooks follow.
"""

from __future__ import annotations

from typing import Any

from agents import AgentHooks, FunctionTool
from agents.items import ToolApprovalItem

from guardrails.errors import GuardError
from guardrails.integrations.openai_agents.tools import is_guarded
from guardrails.integrations.openai_agents.watch import Run, RunUnmediated, Watch, texts_of
from guardrails.integrations.passages import arguments_of
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class GuardedHooks(AgentHooks[Any]):
    """Where it is noticed what went past the checks. The agent's own hooks follow."""

    def __init__(self, own: AgentHooks[Any] | None, watch: Watch) -> None:
        self._own = own if own is not None else AgentHooks[Any]()
        self._watch = watch

    async def on_llm_start(self, context: Any, agent: Any, system_prompt: Any, input_items: Any) -> None:
        await self._own.on_llm_start(context, agent, system_prompt, input_items)
        run = self._watch.run(context)
        await self._heard(run, context, input_items)
        self._watch.begin(run, input_items)

    async def _heard(self, run: Run, context: Any, items: Any) -> None:
        """Hold the results that the model is about to read against the receipts. Raises `Unmediated`."""
        names = {item["call_id"]: item.get("name", "") for item in _items(items, "function_call")}
        outputs = {
            item["call_id"]: names.get(item["call_id"], "") for item in _items(items, "function_call_output")
        }
        refused = [id for id, tool in outputs.items() if context.is_tool_approved(tool, id) is False]
        for id in refused:
            await self._watch.rejected(run, context, id)
        ran = {
            id: tool for id, tool in outputs.items() if id not in refused and tool not in self._watch.handoffs
        }
        if not run.begun:
            run.seat.receipts.from_before(ran)
        run.seat.heard(run.judged.items())
        run.seat.heard(ran.items())

    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        run = self._watch.run(context)
        for item in response.output:
            if getattr(item, "type", "") == "message":
                run.seat.receipts.left("".join(texts_of(item)))
        run.calls = dict(_calls(response.output))
        for item in response.output:
            await self._refuse_unreadable(run, context, agent, item)
        await self._own.on_llm_end(context, agent, response)

    async def _refuse_unreadable(self, run: Run, context: Any, agent: Any, item: Any) -> None:
        """The SDK asks people about arguments that it cannot read; there is nothing to ask."""
        if getattr(item, "type", "") != "function_call" or _is_readable(item.arguments):
            return
        passage = await run.seat.acall(item.name, item.arguments, item.call_id)
        context.reject_tool(
            ToolApprovalItem(agent=agent, raw_item=item, tool_name=item.name, tool_namespace=item.namespace),
            rejection_message=passage.text,
        )

    async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
        if not is_guarded(tool, self._watch) and (
            isinstance(tool, FunctionTool) or tool.name not in self._watch.unchecked
        ):
            raise RunUnmediated(f"`{tool.name}` is about to run, and its calls are not checked")
        await self._own.on_tool_start(context, agent, tool)

    async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
        if isinstance(tool, FunctionTool):
            try:
                self._watch.seats.of(context).heard([(context.tool_call_id, tool.qualified_name)])
            except Unmediated as error:
                raise RunUnmediated(error) from error
        await self._own.on_tool_end(context, agent, tool, result)

    async def on_handoff(self, context: Any, agent: Any, source: Any) -> None:
        if not isinstance(agent.hooks, GuardedHooks):
            raise Unmediated(f"`{agent.name}` is about to take over, and it is not guarded")
        await self._own.on_handoff(context, agent, source)

    async def on_start(self, context: Any, agent: Any) -> None:
        await self._own.on_start(context, agent)

    async def on_end(self, context: Any, agent: Any, output: Any) -> None:
        if isinstance(output, str):
            self._watch.seats.of(context).receipts.left(output)
        await self._own.on_end(context, agent, output)


def _items(items: Any, kind: str) -> Iterator[Any]:
    return (item for item in items if isinstance(item, dict) and item.get("type") == kind)


def _calls(output: Iterable[Any]) -> Iterator[tuple[str, tuple[str, str]]]:
    for item in output:
        if getattr(item, "type", "") == "function_call":
            yield item.call_id, (item.name, item.arguments)


def _is_readable(arguments: Any) -> bool:
    try:
        arguments_of(arguments)
    except GuardError:
        return False
    return True
