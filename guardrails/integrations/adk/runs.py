"""Google ADK: what is known of a run (an invocation) while it lasts.

Takes what the plugin's callbacks see of one invocation, one after the other; gives it back to the later ones. The one
idea: everything here is about one invocation and goes with it; what lasts longer is in the session.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from guardrails.integrations.adk.texts import Written
from guardrails.integrations.passages import Checked, Passage
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from guardrails.integrations.mediation import Mediation

MOST_RUNS = 1000
MOST_KEPT = 200


class Call:
    """A call in this run: what was decided, whether the tool ran, and what it was answered with instead."""

    __slots__ = ("answer", "has_failed", "has_run", "passage")

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.answer: dict[str, Any] | None = None
        self.has_run = False
        self.has_failed = False


class Run:
    """One invocation."""

    def __init__(self, seat: Mediation, mode: str) -> None:
        self.seat = seat
        self.mode = mode
        self.model = ""
        self.refusal = ""
        self.calls: dict[str, Call] = {}
        self.results: dict[str, Any] = {}
        self._written: dict[str, Written] = {}
        self._kept: OrderedDict[int, Any] = OrderedDict()

    def written(self, agent: str) -> Written:
        return self._written.setdefault(agent, Written(self.seat, self.mode))

    def keep(self, content: Any) -> Any:
        """A content that was made of what may be shown: it is known again by itself."""
        self._kept[id(content)] = content
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return content

    def is_kept(self, content: Any) -> bool:
        return id(content) in self._kept

    async def output(self, text: str) -> Checked:
        """The check of a text that leaves; one that passed already passes as it is."""
        try:
            self.seat.receipts.left(text)
        except Unmediated:
            return await self.seat.aoutput(text)
        return Checked(None, text, is_changed=False)

    def is_result(self, id: str, response: Any) -> bool:
        """Whether this is what the check of results made of a result."""
        if id not in self.results:
            return False
        known = self.results[id]
        return bool(response == (known if isinstance(known, dict) else {"result": known}))

    def refused(self, passage: Passage, why: str) -> Passage:
        return Passage(
            passage.tool, passage.given, passage.id, None, f"the call of `{passage.tool}` is denied: {why}."
        )

    def raise_if_open(self) -> None:
        """Raise `Unmediated` for a call that was allowed, and whose result went past."""
        self.seat.heard((id, call.passage.tool) for id, call in self.calls.items() if call.has_run)


class Runs:
    """Those that go on."""

    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._runs: OrderedDict[str, Run] = OrderedDict()

    def of(self, context: Any, seat: Callable[[Any], Mediation]) -> Run:
        run = self._runs.get(context.invocation_id)
        if run is None:
            run = self._runs[context.invocation_id] = Run(seat(context.session), self._mode)
        while len(self._runs) > MOST_RUNS:
            self._runs.popitem(last=False)
        return run

    def over(self, context: Any) -> None:
        self._runs.pop(context.invocation_id, None)


def plain(value: Any) -> Any:
    """A result as data, as ADK would write it for a model."""
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", exclude_none=True) if dump is not None else str(value)
