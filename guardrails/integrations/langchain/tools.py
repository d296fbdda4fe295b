"""The seam around the tools of LangChain and LangGraph.

Takes a request as `ToolNode` hands it to its wrapper, gives a result: the tool's, as the policy has it, or a refusal. The
call is decided in `calls`, and its result in `results`.
"""

from __future__ import annotations

from asyncio import to_thread

from langchain_core.messages import ToolMessage
from langgraph.errors import GraphBubbleUp

from guardrails.integrations.langchain.calls import Asking
from guardrails.integrations.langchain.messages import marked
from guardrails.integrations.langchain.results import Run
from guardrails.integrations.langchain.texts import raise_if_over

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Any

    from guardrails.integrations.seats import Seats


class ToolSeam:
    """What stands around the tools of a node: `wrap` and `awrap` are its wrappers."""

    def __init__(self, seats: Seats) -> None:
        self.seats = seats

    def wrap(self, request: Any, execute: Callable[[Any], Any]) -> Any:
        run = self._begun(request)
        if isinstance(run, ToolMessage):
            return run
        try:
            outcome = execute(run.request)
        except GraphBubbleUp:
            raise
        except Exception:
            run.broke()
            raise
        return run.ended(outcome)

    async def awrap(self, request: Any, execute: Callable[[Any], Awaitable[Any]]) -> Any:
        run = await to_thread(self._begun, request)
        if isinstance(run, ToolMessage):
            return run
        try:
            outcome = await execute(run.request)
        except GraphBubbleUp:
            raise
        except Exception:
            await to_thread(run.broke)
            raise
        return await to_thread(run.ended, outcome)

    def _begun(self, request: Any) -> Run | ToolMessage:
        """The call as it may run; or the refusal that the model gets. Raises `Halted`."""
        mediation = self.seats.of(request.runtime)
        raise_if_over(mediation)
        asking = Asking(mediation, request)
        passage = asking.passage()
        passage.raise_if_halted()
        if passage.allowed:
            return Run(asking, passage, request)
        call = request.tool_call
        refusal = ToolMessage(passage.text, tool_call_id=call["id"], name=call["name"], status="error")
        return marked(refusal, asking.name)
