"""Google ADK: a plugin that puts every agent of an app under a policy.

    app = App(name="shop", root_agent=agent, plugins=[GuardPlugin(session, reviewer="fay")])

`session` is a session of a guard, or a function from ADK's own session to one. A call that asks becomes ADK's request
for a confirmation (`adk_request_confirmation`), in the same session; who confirms is `reviewer`, or `by` in the
answer's payload. A session that the policy halts raises: ADK wraps it, `error.__cause__` is the `Halted`.

The one idea: plugins judge first, and the callbacks of an agent come after them. So a call is judged when it is asked
for, and compared with what was judged at the door of the tool; and every event is looked at when it leaves.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

try:
    from google.adk.models.llm_response import LlmResponse
    from google.adk.plugins.base_plugin import BasePlugin
    from google.genai import types
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("adk")) from error

from guardrails.errors import EvaluationError
from guardrails.integrations.adk.coverage import coverage, is_hosted
from guardrails.integrations.adk.runs import Call, Run, Runs, plain
from guardrails.integrations.adk.texts import answered, emptied, judged, results_of
from guardrails.integrations.answers import answer_of
from guardrails.integrations.model_streams import MODES
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from google.adk.agents.callback_context import CallbackContext
    from google.adk.agents.invocation_context import InvocationContext
    from google.adk.events.event import Event
    from google.adk.models.llm_request import LlmRequest
    from google.adk.tools.base_tool import BaseTool
    from google.adk.tools.tool_context import ToolContext

    from guardrails.integrations.mediation import AnySession, Mediation
    from guardrails.integrations.passages import Checked, Passage

ABOVE: ContextVar[Mediation | None] = ContextVar("guard_adk_above", default=None)
"""The mediation of the tool that is running, for the agents that it runs."""


class GuardPlugin(BasePlugin):
    """The plugin. `streaming` is about partial events: `whole` shows a text once it is complete, `pieces` as soon as
    it can be told. Put it first: a plugin before it that answers in its place keeps it from being asked."""

    def __init__(
        self,
        session: AnySession | Callable[[Any], AnySession],
        *,
        reviewer: str = "",
        streaming: str = "whole",
        name: str = "guard",
    ) -> None:
        super().__init__(name=name)
        if streaming not in MODES:
            raise EvaluationError(f"streaming is `whole` or `pieces`, not `{streaming}`")
        self._seats = Seats(session, reviewer=reviewer)
        self._runs = Runs(streaming)

    def _run(self, context: Any) -> Run:
        """The run of a callback's context."""
        return self._runs.of(context, lambda session: ABOVE.get() or self._seats.of(session))

    # --- what the user says ------------------------------------------------------------------------

    async def on_user_message_callback(
        self, *, invocation_context: InvocationContext, user_message: types.Content
    ) -> types.Content | None:
        run = self._run(invocation_context)
        by = "user" if ABOVE.get() is None else "agent"
        parts, checks = await judged(
            list(user_message.parts or []), lambda text: run.seat.ainput(text, by=by)
        )
        for checked in checks:
            checked.raise_if_halted()
        refused = next((checked for checked in checks if not checked.allowed), None)
        if refused is not None:
            run.refusal = str(refused.value)
            return types.Content(role="user", parts=[types.Part(text="[withheld]")])
        parts = [await self._answer_of_host(part, run) for part in parts]
        return user_message.model_copy(update={"parts": parts}) if parts != user_message.parts else None

    async def _answer_of_host(self, part: types.Part, run: Run) -> types.Part:
        """A result that the application brings later, of a tool that takes long."""
        given = part.function_response
        if given is None or (given.name or "").startswith("adk_"):
            return part
        checked = await run.seat.aerror(given.id or "", given.name or "", given.response)
        return answered(part, checked)

    async def before_run_callback(self, *, invocation_context: InvocationContext) -> types.Content | None:
        run = self._run(invocation_context)
        _refuse_unchecked_runs(invocation_context)
        run.seat.receipts.from_before(id for id, _ in results_of(invocation_context.session.events))
        if not run.refusal:
            return None
        run.seat.receipts.passed(run.refusal)
        return types.Content(role="model", parts=[types.Part(text=run.refusal)])

    async def after_run_callback(self, *, invocation_context: InvocationContext) -> None:
        run = self._run(invocation_context)
        self._runs.over(invocation_context)
        run.raise_if_open()

    # --- what the model says -----------------------------------------------------------------------

    async def before_model_callback(
        self, *, callback_context: CallbackContext, llm_request: LlmRequest
    ) -> LlmResponse | None:
        run = self._run(callback_context)
        run.model = llm_request.model or ""
        _refuse_unchecked_code(callback_context._invocation_context.agent)
        for tool in llm_request.tools_dict.values():
            _put_a_door_on(tool)
        run.seat.heard(results_of(callback_context.session.events))
        return None

    async def after_model_callback(
        self, *, callback_context: CallbackContext, llm_response: LlmResponse
    ) -> LlmResponse | None:
        run = self._run(callback_context)
        checks: list[Checked] = []
        written = run.written(callback_context.agent_name)
        content = llm_response.content
        parts = list(content.parts or []) if content is not None else []
        if llm_response.partial:
            shown = written.piece(parts)
        else:
            shown, checks = await written.whole(parts)
            await _charge(run, llm_response)
        for checked in checks:
            checked.raise_if_halted()
        if content is not None:
            llm_response.content = run.keep(content.model_copy(update={"parts": shown}))
        if shown != parts:
            llm_response.logprobs_result = None
        return None

    async def on_event_callback(self, *, invocation_context: InvocationContext, event: Event) -> Event | None:
        """The last look at what leaves: texts that no model wrote, or that somebody changed since."""
        run = self._run(invocation_context)
        content = event.content
        if content is None or not content.parts or event.author == "user":
            return None
        if event.partial:
            return None if run.is_kept(content) else emptied(event, content)
        parts, checks = await judged(list(content.parts), run.output)
        for checked in checks:
            checked.raise_if_halted()
        parts = [await self._result_that_leaves(part, run) for part in parts]
        if parts == content.parts:
            return None
        return event.model_copy(update={"content": content.model_copy(update={"parts": parts})})

    async def _result_that_leaves(self, part: types.Part, run: Run) -> types.Part:
        given = part.function_response
        if given is None or run.is_result(given.id or "", given.response):
            return part
        checked = await run.seat.aerror(given.id or "", given.name or "", given.response)
        return answered(part, checked)

    # --- calls ---------------------------------------------------------------------------------

    async def before_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext
    ) -> dict[str, Any] | None:
        run, id = self._run(tool_context), tool_context.function_call_id or ""
        passage = await self._passage(run, tool, tool_args, tool_context)
        call = run.calls[id] = Call(passage)
        if passage.allowed:
            _put_a_door_on(tool)
            _take(tool_args, passage)
            return None
        if passage.outcome == "ask" and tool_context.tool_confirmation is None:
            tool_context.request_confirmation(hint=passage.text, payload=passage.question)
            tool_context.actions.skip_summarization = True
        call.answer = {"error": passage.text}
        return call.answer

    async def _passage(self, run: Run, tool: BaseTool, args: dict[str, Any], context: ToolContext) -> Passage:
        passage = await run.seat.acall(tool.name, dict(args), context.function_call_id)
        confirmation = context.tool_confirmation
        if confirmation is not None and passage.outcome == "ask":
            payload = confirmation.payload if isinstance(confirmation.payload, dict) else {}
            said = {
                "by": payload.get("by"),
                "reason": payload.get("reason"),
                "confirmed": confirmation.confirmed,
            }
            passage = await run.seat.aanswered(passage, answer_of(said, run.seat.reviewer))
        elif confirmation is not None and passage.allowed and not confirmation.confirmed:
            run.seat.dropped(passage)
            passage = run.refused(passage, "the person who was asked did not confirm this call")
        passage.raise_if_halted()
        return passage

    async def at_the_door(self, tool: BaseTool, args: dict[str, Any], context: ToolContext) -> Any:
        """What the tool gives back instead of running; None lets it run. Raises `Unmediated` for a call that was not
        judged."""
        run, id = self._run(context), context.function_call_id or ""
        call = run.calls.get(id)
        if call is None or call.passage.tool != tool.name or not call.passage.allowed:
            raise Unmediated(f"`{tool.name}` (call {id}) is about to run, and no check has let it through")
        if call.passage.args != args:
            call.passage = await self._passage(run, tool, args, context)
            _take(args, call.passage)
        if not call.passage.allowed:
            call.answer = {"error": call.passage.text}
            return call.answer
        call.has_run = True
        return None

    async def after_tool_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, result: Any
    ) -> dict[str, Any] | None:
        run, id = self._run(tool_context), tool_context.function_call_id or ""
        call = run.calls.get(id)
        if call is None:
            raise Unmediated(
                f"there is a result of `{tool.name}` (call {id}), and no check has seen that call"
            )
        if call.answer is not None and result is call.answer:
            run.results[id] = result
            return None
        checked = await self._checked(run, call, id, plain(result))
        checked.raise_if_halted()
        value: Any = checked.value if checked.allowed else {"error": checked.value}
        run.results[id] = value
        return value if checked.is_changed or not checked.allowed else None

    async def _checked(self, run: Run, call: Call, id: str, value: Any) -> Checked:
        passage = call.passage
        if call.has_run and not call.has_failed:
            return await run.seat.aresult(id, passage.tool, value)
        if not call.has_failed and passage.allowed:
            run.seat.dropped(passage)  # somebody answered in the place of the tool
        return await run.seat.aerror(id, passage.tool, value, args=passage.args)

    async def on_tool_error_callback(
        self, *, tool: BaseTool, tool_args: dict[str, Any], tool_context: ToolContext, error: Any
    ) -> dict[str, Any] | None:
        run, id = self._run(tool_context), tool_context.function_call_id or ""
        call = run.calls.get(id)
        if call is None or call.has_failed or not isinstance(error, Exception):
            return None  # nobody knows what a call did that was cancelled: it stays charged
        call.has_failed = True
        if call.has_run:
            await run.seat.afailed(id, tool.name)
        elif call.passage.allowed:
            run.seat.dropped(call.passage)
        return None


# --- the door of a tool ------------------------------------------------------------------------


def _put_a_door_on(tool: Any) -> None:
    """Have a tool ask the plugin of the app that it runs in, once it really runs."""
    inner = tool.run_async
    if getattr(inner, "is_guards_door", False):
        return

    async def run_async(*, args: dict[str, Any], tool_context: ToolContext) -> Any:
        plugins = tool_context._invocation_context.plugin_manager.plugins
        for plugin in plugins:
            if isinstance(plugin, GuardPlugin):
                refused = await plugin.at_the_door(tool, args, tool_context)
                if refused is not None:
                    return refused
        return await _below(plugins, tool_context, lambda: inner(args=args, tool_context=tool_context))

    run_async.is_guards_door = True  # type: ignore[attr-defined]  # a mark that no type of a function knows
    tool.run_async = run_async


async def _below(plugins: list[Any], context: ToolContext, work: Callable[[], Any]) -> Any:
    """Run a tool; the agents that it runs belong to the session above them."""
    guard = next((plugin for plugin in plugins if isinstance(plugin, GuardPlugin)), None)
    if guard is None:
        return await work()
    token = ABOVE.set(guard._run(context).seat)
    try:
        return await work()
    finally:
        ABOVE.reset(token)


def _take(args: dict[str, Any], passage: Passage) -> None:
    """The arguments that the tool runs with, in the place where ADK keeps them."""
    if passage.allowed and passage.args != args:
        args.clear()
        args.update(passage.args)


# --- the rest ------------------------------------------------------------------------------


async def _charge(run: Run, response: LlmResponse) -> None:
    usage = response.usage_metadata
    if usage is None:
        return
    await run.seat.aused(
        response.model_version or run.model or None,
        input=(usage.prompt_token_count or 0) + (usage.tool_use_prompt_token_count or 0),
        output=(usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0),
        cached=usage.cached_content_token_count or 0,
    )


def _refuse_unchecked_code(agent: Any) -> None:
    """Code that ADK runs out of a model's text never becomes a call of a tool."""
    executor = getattr(agent, "code_executor", None)
    if executor is not None and not is_hosted(executor):
        raise EvaluationError(
            f"the agent `{agent.name}` has a `code_executor`, which runs code that no check sees; give it a tool instead"
        )


def _refuse_unchecked_runs(context: InvocationContext) -> None:
    """A live session runs past the plugin's callbacks."""
    config = context.run_config
    if context.live_request_queue is not None or (config is not None and config.support_cfc):
        raise EvaluationError("a live session of ADK goes past its plugins, so guard does not let it begin")


__all__ = ["GuardPlugin", "coverage"]
