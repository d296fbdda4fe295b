"""The recipe for LlamaIndex; see `test_recipes`."""

# --- recipe
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.tools import ToolOutput
from pydantic import PrivateAttr
from workflows.events import HumanResponseEvent, InputRequiredEvent

from guardrails.integrations.answers import answer_of
from guardrails.integrations.mediation import Mediation


class GuardedAgent(FunctionAgent):
    """A FunctionAgent whose calls are judged. A call that asks waits for a `HumanResponseEvent`, by whom it says."""

    _mediation: Mediation = PrivateAttr()

    async def _call_tool(self, ctx, tool, tool_input):
        guard, name = self._mediation, tool.metadata.get_name()
        passage = await guard.acall(name, tool_input, id=f"{name} {tool_input}")
        if passage.outcome == "ask":
            question = InputRequiredEvent(prefix=passage.text, **passage.question)
            said = await ctx.wait_for_event(
                HumanResponseEvent, waiter_id=passage.request, waiter_event=question, timeout=None
            )
            passage = await guard.aanswered(
                passage, answer_of({"answer": said.response, "by": said.get("by", "")})
            )
        passage.raise_if_halted()
        if not passage.allowed:
            return _output(name, tool_input, passage.text, is_error=True)
        out = await super()._call_tool(ctx, tool, passage.args)
        if out.is_error:
            await guard.afailed(passage.id, name)
            checked = await guard.aerror(passage.id, name, out.content, args=passage.args)
        else:
            checked = await guard.aresult(passage.id, name, out.content)
        return _output(name, tool_input, checked.value, is_error=out.is_error) if checked.is_changed else out


def _output(name, given, text, *, is_error):
    return ToolOutput(
        tool_name=name, content=str(text), raw_input=given, raw_output=str(text), is_error=is_error
    )


def guarded_agent(mediation: Mediation, **settings) -> GuardedAgent:
    """An agent. It does not stream, because parts of an answer cannot be judged; pass its answer through `aoutput`."""
    agent = GuardedAgent(**settings, streaming=False)
    agent._mediation = mediation
    return agent
