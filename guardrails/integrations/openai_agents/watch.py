"""What all the seams of a guarded OpenAI agent share: sessions, runs, and what people are asked.

Takes contexts of runs as the SDK hands them to its hooks, gives the `Run` that belongs to one. The one idea: the SDK
does not tell a model which run calls it, but hands the same list of items first to a hook and then to the model. The
hook seals that list, and only a guarded model can open it: a model that somebody slipped in through a `RunConfig`
reads nothing of the conversation, and the run ends as soon as it has answered.
"""

from __future__ import annotations

from collections import OrderedDict
from weakref import WeakKeyDictionary, WeakValueDictionary

from agents.exceptions import AgentsException
from agents.tool_context import ToolContext

from guardrails.errors import Halted
from guardrails.integrations.answers import Answer
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from guardrails.integrations.mediation import AnySession, Mediation
    from guardrails.integrations.passages import Checked, Passage

MOST_QUESTIONS = 10_000
"""Questions of interrupted runs that are kept to be shown; the oldest goes first."""

MOST_MESSAGES = 1_000
"""Messages of a session whose verdicts are kept; one that is older is judged again."""

SEALED = {"role": "user", "content": "This conversation is guarded, and this model is not: say nothing."}
"""What a model reads that is not guarded."""


class RunHalted(Halted, AgentsException):
    """A policy stopped the run. It is the SDK's own kind of error too, so that the runner lets it through as it is."""

    def __init__(self, decision: Any) -> None:
        Halted.__init__(self, decision)
        self.run_data = None


class RunUnmediated(Unmediated, AgentsException):
    """Something went past the checks while tools ran."""

    def __init__(self, error: object) -> None:
        Unmediated.__init__(self, str(error))
        self.run_data = None


class Run:
    """One run of an agent. `by` is who writes its inputs, `calls` are those of the model's last answer, by id, as
    `(tool, arguments)`, and `judged` the tools of those that were judged."""

    __slots__ = ("__weakref__", "begun", "by", "calls", "items", "judged", "request", "seat")

    def __init__(self, seat: Mediation, by: str) -> None:
        self.seat = seat
        self.by = by
        self.begun = False
        self.calls: dict[str, tuple[str, str]] = {}
        self.judged: dict[str, str] = {}
        self.request: Any = None
        self.items: list[Any] = []

    def seal(self, request: list[Any]) -> None:
        self.request, self.items = request, list(request)
        request[:] = [SEALED]

    def opened(self) -> list[Any]:
        """The items of the request. The list that the runner holds is as it was from now on."""
        self.request[:] = self.items
        return self.items

    def first_call_of(self, tool: str) -> str | None:
        """The id of the model's first call of a tool in its last answer."""
        return next((id for id, (name, _) in self.calls.items() if name == tool), None)


class Watch:
    """What `guarded` was told, and what is going on."""

    def __init__(
        self,
        session: AnySession | Callable[[Any], AnySession],
        *,
        reviewer: str | Callable[[Any], str] = "",
        streaming: str = "whole",
        unchecked: frozenset[str] = frozenset(),
        provider: Any = None,
    ) -> None:
        self.seats = Seats(session)
        self.streaming = streaming
        self.unchecked = unchecked
        self.provider = provider
        self.handoffs: set[str] = set()
        self._reviewer = reviewer
        self._runs: WeakKeyDictionary[Any, Run] = WeakKeyDictionary()
        self._requests: WeakValueDictionary[int, Run] = WeakValueDictionary()
        self._asked: OrderedDict[str, Passage] = OrderedDict()
        self._inputs: WeakKeyDictionary[Mediation, OrderedDict[str, Checked]] = WeakKeyDictionary()

    def run(self, context: Any) -> Run:
        """The run that a context belongs to."""
        run = self._runs.get(context)
        if run is None:
            by = "agent" if isinstance(context, ToolContext) else "user"
            run = self._runs[context] = Run(self.seats.of(context), by)
        return run

    def begin(self, run: Run, request: list[Any]) -> None:
        """The runner is about to call the model of a run with these items."""
        run.seal(request)
        self._requests[id(request)] = run

    def asked_by(self, request: Any) -> Run:
        """The run that calls a model with these items. Raises `Unmediated` where no hook has seen them."""
        run = self._requests.get(id(request))
        if run is None or run.request is not request:
            raise Unmediated("a model is called, and no hook has seen what it is about to read")
        return run

    def judged_before(self, seat: Mediation, text: str) -> Checked | None:
        """What became of a message that is in the history of a conversation."""
        known = self._inputs.get(seat)
        return known.get(text) if known is not None else None

    def judged_now(self, seat: Mediation, text: str, checked: Checked) -> None:
        known = self._inputs.setdefault(seat, OrderedDict())
        known[text] = checked
        while len(known) > MOST_MESSAGES:
            known.popitem(last=False)

    def reviewer(self, context: Any) -> str:
        """The person in front of the host; empty for nobody."""
        return self._reviewer(context) if callable(self._reviewer) else self._reviewer

    def waits(self, call_id: str, passage: Passage) -> None:
        """A call is about to interrupt its run."""
        self._asked[call_id] = passage
        while len(self._asked) > MOST_QUESTIONS:
            self._asked.popitem(last=False)

    def question(self, call_id: str) -> dict[str, Any]:
        """What people are asked of a call; empty where nobody is."""
        passage = self._asked.get(call_id)
        return passage.question if passage is not None else {}

    async def rejected(self, run: Run, context: Any, call_id: str) -> None:
        """Somebody at the host said no: that is kept with the request."""
        passage = self._asked.pop(call_id, None)
        if passage is not None:
            reason = context.get_rejection_message(passage.tool, call_id) or ""
            answer = Answer(approves=False, by=self.reviewer(context), reason=reason)
            await run.seat.aanswered(passage, answer)


def raise_if_halted(judged: Passage | Checked) -> None:
    """Raise `RunHalted` where the session is over."""
    if judged.halted:
        raise RunHalted(judged.decision)


def texts_of(message: Any) -> Iterator[str]:
    """The texts of a message of a model."""
    for part in getattr(message, "content", None) or ():
        text = getattr(part, "text", None) or getattr(part, "refusal", None)
        if isinstance(text, str):
            yield text
