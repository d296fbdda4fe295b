"""AGENT-HOOKS-0.1: an interceptor that answers every point of an agent's run with a policy.

    guard = GuardInterceptor(session)
    emitter = InterceptionEmitter(resolver=GuardResolver(guard, ask_somebody))
    emitter.register(guard)

Takes the contexts of any host that speaks the contract, gives verdicts: `deny` with the denial's text, `transform` for
what the policy changes, and a deny that can be lifted (`approval`) for a call that asks, which `GuardResolver` lifts once
people answered. The one idea: a context is JSON, so one interceptor fits all hosts. Whatever raises here is a denial by
the contract (`host_error`).
"""

from __future__ import annotations

from collections import OrderedDict
from contextvars import ContextVar
from inspect import isawaitable
from typing import Any

try:
    from agent_hooks import ALLOW, ApprovalOutcome, ApprovalResolution, Verdict
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("agent-framework")) from error

from guardrails.integrations.answers import answer_of
from guardrails.integrations.passages import Checked
from guardrails.integrations.receipts import Unmediated
from guardrails.integrations.seats import Seats

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from guardrails.integrations.mediation import AnySession, Mediation
    from guardrails.integrations.passages import Passage
    from guardrails.model import Decision

    Judge = Callable[[str], Awaitable[Checked]]

TEXTS = ("text", "text_reasoning")
"""Kinds of content that are text."""

MOST_WAITING = 1000

NO_TEXTS = frozenset({
    "function_call", "function_result", "function_approval_request", "function_approval_response", "usage"
})  # fmt: skip
"""Kinds of content that have points of their own. Of any other kind, all that it says is judged."""


class Run:
    """A run of an agent: its mediation, and what is known of its calls before the host asks about them."""

    __slots__ = ("expected", "halted", "has_begun", "resumed", "seat")

    def __init__(self, seat: Mediation, resumed: frozenset[str] = frozenset()) -> None:
        self.seat = seat
        self.resumed = resumed
        self.expected: dict[str, Passage] = {}
        self.halted: Decision | None = None
        self.has_begun = False


RUN: ContextVar[Run | None] = ContextVar("guard_agent_hooks_run", default=None)
"""The run that an adapter of a framework has begun. Without one, each context is on its own."""


class GuardInterceptor:
    """The interceptor. `session` is a session of a guard, or a function from a context to one."""

    def __init__(self, session: AnySession | Callable[[Any], AnySession], *, reviewer: str = "") -> None:
        self.seats = Seats(session, reviewer=reviewer)
        self.waiting: OrderedDict[str, tuple[Run, Passage]] = OrderedDict()

    async def intercept(self, context: dict[str, Any]) -> Verdict:
        """The verdict on a context. Raises what the host takes for a denial."""
        point = _POINTS.get(context["interception_point"])
        if point is None:
            return ALLOW
        run = RUN.get() or Run(self.seats.of(context))
        return await point(self, run, context)

    # --- texts ---------------------------------------------------------------------------------

    async def _input(self, run: Run, context: dict[str, Any]) -> Verdict:
        if RUN.get() is not None:
            return ALLOW  # the adapter has judged it, and can say more than a verdict
        by = "user" if context["input"].get("role") == "user" else "agent"
        content, checks = await judged(context["input"]["content"], lambda text: run.seat.ainput(text, by=by))
        refused = next((checked for checked in checks if not checked.allowed), None)
        return _refusal(run, refused) if refused is not None else _changed("$target.content", content, checks)

    async def _before_model(self, run: Run, context: dict[str, Any]) -> Verdict:
        if run.halted is not None:
            return Verdict.deny(reason="guard:halted", message=run.halted.message)
        results = list(_results(context["messages"]))
        if not run.has_begun:
            run.seat.receipts.from_before(id for id in results if id not in run.resumed)
        run.has_begun = True
        run.seat.heard((id, "") for id in results)
        return ALLOW

    async def _after_model(self, run: Run, context: dict[str, Any]) -> Verdict:
        await _charge(run.seat, context["model"]["id"], context.get("usage") or {})
        return await self._leaving(run, context["response"]["content"])

    async def _output(self, run: Run, context: dict[str, Any]) -> Verdict:
        return await self._leaving(run, context["output"]["content"])

    async def _leaving(self, run: Run, content: Any) -> Verdict:
        content, checks = await judged(content, lambda text: _passing(run.seat, text))
        halted = next((checked for checked in checks if checked.halted), None)
        return _refusal(run, halted) if halted is not None else _changed("$target.content", content, checks)

    # --- calls ---------------------------------------------------------------------------------

    async def _before_tool(self, run: Run, context: dict[str, Any]) -> Verdict:
        call = context["tool_call"]
        passage = run.expected.pop(call["id"], None)
        if passage is None or passage.tool != call["name"] or passage.given != call["args"]:
            passage = await run.seat.acall(call["name"], call["args"], call["id"])
        return self.verdict(run, passage, call["id"])

    def verdict(self, run: Run, passage: Passage, id: str) -> Verdict:
        """The verdict on a call that was judged."""
        if passage.halted:
            run.halted = run.halted or passage.decision
        if passage.allowed:
            return _transform("$target", passage.args) if passage.is_changed else ALLOW
        if passage.outcome != "ask":
            return Verdict.deny(reason=f"guard:{passage.outcome}", message=passage.text)
        self.waiting[id] = run, passage
        while len(self.waiting) > MOST_WAITING:
            self.waiting.popitem(last=False)
        return Verdict.escalate(reason="guard:ask", message=passage.text)

    async def _after_tool(self, run: Run, context: dict[str, Any]) -> Verdict:
        call, result = context["tool_call"], context["tool_result"]
        if result["is_error"]:
            await run.seat.afailed(call["id"], call["name"])
            return ALLOW
        checked = await run.seat.aresult(call["id"], call["name"], context["target"])
        if not checked.allowed:
            return _refusal(run, checked)
        return _transform("$target", checked.value) if checked.is_changed else ALLOW


class GuardResolver:
    """The approval seam of a host, for the calls that guard asks about. `person` gets the question (see
    `Passage.question`) and gives the answer: True, False, or a record with `approved` and `by`. It may be async."""

    def __init__(self, interceptor: GuardInterceptor, person: Callable[[dict[str, Any]], Any]) -> None:
        self._interceptor = interceptor
        self._person = person

    async def resolve(self, request: Any) -> ApprovalResolution:
        """What becomes of a call after the person answered. Raises what the host takes for a denial."""
        id = request.context["tool_call"]["id"]
        run, passage = self._interceptor.waiting.pop(id)
        said = self._person(passage.question)
        answer = answer_of(await said if isawaitable(said) else said, run.seat.reviewer)
        answered = await run.seat.aanswered(passage, answer)
        if answered.allowed:
            verdict = self._interceptor.verdict(run, answered, id)
            return ApprovalResolution(ApprovalOutcome.APPROVE, request.context_identity, verdict)
        refusal = Verdict.deny(reason="guard:deny", message=answered.text)
        return ApprovalResolution(ApprovalOutcome.REJECT, request.context_identity, refusal)


_POINTS: dict[str, Callable[[GuardInterceptor, Run, dict[str, Any]], Awaitable[Verdict]]] = {
    "input": GuardInterceptor._input, "pre_model_call": GuardInterceptor._before_model,
    "post_model_call": GuardInterceptor._after_model, "pre_tool_call": GuardInterceptor._before_tool,
    "post_tool_call": GuardInterceptor._after_tool, "output": GuardInterceptor._output,
}  # fmt: skip


# --- verdicts ----------------------------------------------------------------------------------


def _transform(path: str, value: Any) -> Verdict:
    wire = {"decision": "transform", "reason": "guard:changed", "transform": {"path": path, "value": value}}
    return Verdict.from_wire(wire)


def _changed(path: str, value: Any, checks: list[Checked]) -> Verdict:
    return _transform(path, value) if any(checked.is_changed for checked in checks) else ALLOW


def _refusal(run: Run, checked: Checked) -> Verdict:
    if checked.halted:
        run.halted = run.halted or checked.decision
    return Verdict.deny(reason="guard:deny", message=str(checked.value))


# --- contents ----------------------------------------------------------------------------------


async def judged(content: Any, judge: Judge) -> tuple[Any, list[Checked]]:
    """A content as it may go on, and what was decided on its texts. It is a text, a list of parts, or a list of
    messages; a text in several parts of a message is one text."""
    if content is None:
        return None, []
    if isinstance(content, str):
        return await _text(content, judge)
    if not isinstance(content, list):
        return await _parts([content], judge)
    if any(isinstance(each, dict) and "role" in each for each in content):
        return await _messages(content, judge)
    return await _parts(content, judge)


async def _text(text: str, judge: Judge) -> tuple[str, list[Checked]]:
    if not text:
        return text, []
    checked = await judge(text)
    return str(checked.value), [checked]


async def _messages(messages: list[Any], judge: Judge) -> tuple[list[Any], list[Checked]]:
    found, checks = [], []
    for message in messages:
        content, more = await judged(message.get("content"), judge)
        found.append({**message, "content": content})
        checks += more
    return found, checks


async def _parts(parts: list[Any], judge: Judge) -> tuple[list[Any], list[Checked]]:
    checks: list[Checked] = []
    for kind in TEXTS:
        text = "".join(str(part.get("text") or "") for part in parts if _is(part, kind))
        said, more = await _text(text, judge)
        checks += more
        if said != text:
            parts = _with(parts, kind, said)
    return [await _other(part, judge, checks) for part in parts], checks


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, dict) and part.get("type") == kind


def _with(parts: list[Any], kind: str, text: str) -> list[Any]:
    """The parts with another text in the place of all texts of a kind."""
    first = next(number for number, part in enumerate(parts) if _is(part, kind))
    plain = {"type": kind, "text": text}
    return [
        plain if number == first else part
        for number, part in enumerate(parts)
        if number == first or not _is(part, kind)
    ]


async def _other(part: Any, judge: Judge, checks: list[Checked]) -> Any:
    """A part that is no text: its JSON is judged as one, and a text stands for it where the policy changes that."""
    if isinstance(part, dict) and part.get("type") in (*TEXTS, *NO_TEXTS):
        return part
    from guardrails.strict_json import write_json

    checked = await judge(part if isinstance(part, str) else write_json(part))
    checks.append(checked)
    return {"type": "text", "text": str(checked.value)} if checked.is_changed else part


async def _passing(seat: Mediation, text: str) -> Checked:
    """The check of a text that leaves; one that passed already passes as it is."""
    try:
        seat.receipts.left(text)
    except Unmediated:
        return await seat.aoutput(text)
    return Checked(None, text, is_changed=False)


def _results(messages: list[Any]) -> Iterator[str]:
    """The ids of the calls whose results are in a request."""
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if _is(part, "function_result"):
                yield str(part.get("call_id") or "")


async def _charge(seat: Mediation, model: str, usage: dict[str, int]) -> None:
    await seat.aused(
        model,
        input=usage.get("input_token_count", 0),
        output=usage.get("output_token_count", 0),
        cached=usage.get("cache_read_input_token_count", 0),
    )


__all__ = ["GuardInterceptor", "GuardResolver", "Unmediated"]
