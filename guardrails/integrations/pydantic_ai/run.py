"""One run of a Pydantic AI agent, as the capability, its toolset and its model share it.

Takes the messages of a run, judges what of them nobody has judged yet: what the user wrote, and whether the results in
them came by the checks. A message that a policy changes is changed in the history too, so that the model reads the
same in every turn.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from pydantic_ai.messages import (
    ModelRequest,
    ModelResponse,
    TextContent,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from guardrails.errors import EvaluationError, GuardError, Halted
from guardrails.integrations.answers import Answer
from guardrails.integrations.given import nearest
from guardrails.integrations.pydantic_ai.tools import as_data, seen
from guardrails.integrations.receipts import Unmediated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from pydantic_ai import RunContext
    from pydantic_ai.messages import ModelMessage

    from guardrails.integrations.mediation import Mediation
    from guardrails.integrations.passages import Checked, Passage

MOST_REMEMBERED = 1_000
"""Messages, and questions, whose verdicts an agent keeps; the oldest go first."""


FINDERS = frozenset({"tool_search"})
"""Tools of a provider that do nothing but find the agent's own."""


class Memory:
    """What an agent knows from one run to the next: what became of messages of a session, and what people were
    asked."""

    def __init__(self) -> None:
        self._inputs: OrderedDict[tuple[str, str], Checked] = OrderedDict()
        self._asked: OrderedDict[str, Passage] = OrderedDict()

    def judged(self, session: str, text: str) -> Checked | None:
        return self._inputs.get((session, text))

    def judge(self, session: str, text: str, checked: Checked) -> None:
        self._inputs[session, text] = checked
        self._inputs[session, str(checked.value)] = checked  # what stands in the history from now on
        _shorten(self._inputs)

    def asked(self, call_id: str, passage: Passage) -> None:
        self._asked[call_id] = passage
        _shorten(self._asked)

    def answered(self, call_id: str) -> Passage | None:
        return self._asked.pop(call_id, None)


class Run:
    """One run. `refusal` is why the model is not to be called now, `calls` are the ids of those that were judged,
    `executed` of those that the framework said it runs."""

    def __init__(
        self,
        seat: Mediation,
        memory: Memory,
        *,
        reviewer: str | Callable[[Any], str] = "",
        streaming: str = "whole",
        unchecked: frozenset[str] = frozenset(),
    ) -> None:
        self.seat = seat
        self.memory = memory
        self.streaming = streaming
        self.unchecked = unchecked
        self.refusal: Checked | None = None
        self.calls: set[str] = set()
        self.executed: set[str] = set()
        self.from_tools: set[str] = set()
        self._reviewer = reviewer
        self._over: GuardError | None = None
        self._begun = False

    def reviewer(self, context: RunContext[Any]) -> str:
        """The person in front of the host; empty for nobody."""
        return self._reviewer(context) if callable(self._reviewer) else self._reviewer

    def stop(self, error: GuardError) -> GuardError:
        """Keep why the run is over: somebody may catch it on its way, and then nothing goes on all the same."""
        self._over = error
        return error

    def raise_if_over(self) -> None:
        if self._over is not None:
            raise self._over

    def raise_if_halted(self, judged: Passage | Checked) -> None:
        """Raise `Halted` where the session is over."""
        if judged.halted and judged.decision is not None:
            raise self.stop(Halted(judged.decision))

    # --- before the model is called ------------------------------------------------------------

    async def before_request(self, context: RunContext[Any], messages: list[ModelMessage]) -> None:
        """Judge what is new. Raises `Unmediated` for a result that no check has seen."""
        self.raise_if_over()
        new = _answered_until(messages)
        await self._from_elsewhere(context, messages, list(_results(messages[new:])))
        await self._heard(context, list(_results(messages)))
        self.refusal = None
        for index, message in enumerate(messages):
            if isinstance(message, ModelRequest):
                await self._inputs(message, is_new=index >= new)

    async def _heard(self, context: RunContext[Any], results: list[ToolReturnPart]) -> None:
        for each in results:
            await self._rejected(context, each)
        ran = [
            each
            for each in results
            if each.outcome == "success" and each.tool_name not in self._other(context)
        ]
        if not self._begun:
            self.seat.receipts.from_before({each.tool_call_id for each in ran} - self.executed)
        self._begun = True
        self.seat.heard((each.tool_call_id, each.tool_name) for each in ran)
        self.seat.receipts.finished(self.calls)

    async def _from_elsewhere(
        self, context: RunContext[Any], messages: list[ModelMessage], results: list[ToolReturnPart]
    ) -> None:
        """Judge results that the host brings: of external tools, and of calls that were deferred."""
        others = self._other(context)
        for part in results:
            is_own = part.tool_call_id in self.calls or part.tool_call_id in self.executed
            if part.outcome == "success" and not is_own and part.tool_name not in others:
                written = _arguments(messages, part.tool_call_id)
                part.content = await self._brought(part, _as_it_ran(context, part.tool_name, written))
                self.calls.add(part.tool_call_id)

    async def _brought(self, part: ToolReturnPart, args: Any) -> Any:
        id, tool, value = part.tool_call_id, part.tool_name, seen(part.content)
        try:
            checked = await self.seat.aresult(id, tool, value)
        except Unmediated:  # the call was made in another process
            passage = await self.seat.acall(tool, args, id)
            self.raise_if_halted(passage)
            if not passage.allowed:
                return passage.text
            checked = await self.seat.aresult(id, tool, value)
        self.raise_if_halted(checked)
        return checked.value if checked.is_changed else part.content

    async def external(self, tool: str, args: Any, id: str) -> str:
        """Judge a call that the host makes itself; why it is refused, or nothing. The host takes the arguments out of
        the message, so it is refused where a policy changes them."""
        passage = await self.seat.acall(tool, args, id)
        self.raise_if_halted(passage)
        if passage.allowed and passage.is_changed:
            self.seat.dropped(passage)
            return (
                f"the call of `{tool}` is denied: the policy changes its arguments, which cannot be done here"
            )
        return passage.text

    def _other(self, context: RunContext[Any]) -> set[str]:
        """Tools that are no actions: the forms of an answer; and those that were said to go unchecked."""
        manager: Any = context.tool_manager
        tools = manager.tool_defs if manager is not None else ()
        return {each.name for each in tools if each.kind == "output"} | self.unchecked

    async def _rejected(self, context: RunContext[Any], part: ToolReturnPart) -> None:
        """Somebody at the host said no: that is kept with the request."""
        if part.outcome != "denied":
            return
        passage = self.memory.answered(part.tool_call_id)
        if passage is not None:
            answer = Answer(approves=False, by=self.reviewer(context), reason=str(part.content))
            await self.seat.aanswered(passage, answer)

    async def _inputs(self, message: ModelRequest, *, is_new: bool) -> None:
        for part in message.parts:
            if isinstance(part, UserPromptPart):
                part.content = await self._prompt(part.content, is_new=is_new)

    async def _prompt(self, content: Any, *, is_new: bool) -> Any:
        if isinstance(content, str):
            return await self.input(content, is_new=is_new)
        return [await self._piece(piece, is_new=is_new) for piece in content]

    async def _piece(self, piece: Any, *, is_new: bool) -> Any:
        if isinstance(piece, str):
            return await self.input(piece, is_new=is_new)
        if not isinstance(piece, TextContent):
            return piece
        text = await self.input(piece.content, is_new=is_new)
        return piece if text == piece.content else TextContent(text)

    async def input(self, text: str, *, is_new: bool) -> str:
        """A text as the model may read it. Of one that is new and refused, the refusal is kept."""
        if text in self.from_tools:
            return text  # a tool gave it back beside its result, and it was judged as that
        session = str(self.seat.session.id)
        checked = None if is_new else self.memory.judged(session, text)
        if checked is None:
            checked = await self.seat.ainput(text)
            self.memory.judge(session, text, checked)
        self.raise_if_halted(checked)
        if is_new and not checked.allowed:
            self.refusal = checked
        return str(checked.value)


async def as_read(run: Run, messages: list[ModelMessage]) -> list[ModelMessage]:
    """Messages as a model may read them: what was put into them after all hooks is judged like the rest."""
    read: list[ModelMessage] = []
    for message in messages:
        if not isinstance(message, ModelRequest):
            read.append(message)
            continue
        parts = [
            replace(part, content=await run._prompt(part.content, is_new=False))
            if isinstance(part, UserPromptPart)
            else part
            for part in message.parts
        ]
        read.append(replace(message, parts=parts))
    return read


def refuse_hosted(kinds: Iterable[str], unchecked: frozenset[str]) -> None:
    """Raise `EvaluationError` for a tool that the provider of the model runs, unless it was named."""
    for kind in kinds:
        if kind not in unchecked and kind not in FINDERS:
            raise EvaluationError(
                f"`{kind}` is run by the model's provider, where no check can stand: take it out of the agent, or name"
                f" it in `unchecked`{nearest(unchecked, kind)}"
            )


def raise_unless_judged(run: Run, call_id: str, tool: str) -> None:
    """Raise `Unmediated` where the result of a call came back that was not judged."""
    if tool in run.unchecked:
        return
    try:
        run.seat.heard([(call_id, tool)])
    except Unmediated as error:
        raise run.stop(error) from None


def _results(messages: list[ModelMessage]) -> Iterator[ToolReturnPart]:
    for message in messages:
        if isinstance(message, ModelRequest):
            yield from (part for part in message.parts if isinstance(part, ToolReturnPart))


def _arguments(messages: list[ModelMessage], call_id: str) -> Any:
    """What the model wrote in a call."""
    parts = (part for message in messages if isinstance(message, ModelResponse) for part in message.parts)
    calls = (part for part in parts if isinstance(part, ToolCallPart) and part.tool_call_id == call_id)
    return next((part.args for part in calls), None)


def _as_it_ran(context: RunContext[Any], tool: str, written: Any) -> Any:
    """What a tool of the agent was judged and called with, where the model wrote this: with the defaults of its
    parameters, or a call that was judged in another process would pass for a second one."""
    found = (getattr(context.tool_manager, "tools", None) or {}).get(tool)
    if found is None or found.tool_def.kind == "external":
        return written
    check = (
        found.args_validator.validate_json
        if isinstance(written, str)
        else found.args_validator.validate_python
    )
    try:
        return as_data(check(written or ("{}" if isinstance(written, str) else {})))
    except ValueError:  # it was refused, or the tool is another one by now
        return written


def _answered_until(messages: list[ModelMessage]) -> int:
    """Where the messages begin that the model has not answered yet."""
    answers = [index for index, message in enumerate(messages) if isinstance(message, ModelResponse)]
    return answers[-1] + 1 if answers else 0


def _shorten(kept: OrderedDict[Any, Any]) -> None:
    while len(kept) > MOST_REMEMBERED:
        kept.popitem(last=False)
