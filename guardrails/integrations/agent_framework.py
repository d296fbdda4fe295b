"""Microsoft Agent Framework: middleware that puts an agent under a policy.

    agent = Agent(client=client, tools=[pay], middleware=[guard_middleware(session, reviewer="fay")])

It is the framework's own AGENT-HOOKS bundle with guard's interceptor, which judges calls, results and answers and
holds streams back until they are judged; and around it what the contract has no words for: a call that asks becomes the
framework's request for an approval (`user_input_requests`), a message that is denied is answered without the model, and a
session that is halted raises `Halted`. The one idea: a call is asked about outside of the bundle, so that without this
part the bundle refuses it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from copy import copy
from typing import Any

try:
    from agent_framework import (
        AgentMiddleware,
        AgentResponse,
        Content,
        FunctionMiddleware,
        Message,
        MiddlewareBundle,
        MiddlewareFailure,
        MiddlewareTermination,
        ResponseStream,
        create_agent_hooks_middleware,
    )

    from guardrails.integrations.agent_hooks import RUN, GuardInterceptor, Run
except ImportError as error:
    from guardrails.integrations.needing import missing

    raise ImportError(missing("agent-framework")) from error

from guardrails.errors import Halted
from guardrails.integrations.answers import answer_of
from guardrails.integrations.coverage import Covered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from agent_framework import AgentContext, FunctionInvocationContext

    from guardrails.integrations.mediation import AnySession
    from guardrails.integrations.passages import Checked, Passage

SECONDS = 60.0
"""How long a check may take before the framework takes it for a failure, which is a denial."""


class GuardBundle(MiddlewareBundle):
    """The middleware of guard, as one unit."""


def guard_middleware(
    session: AnySession | Callable[[Any], AnySession], *, reviewer: str = ""
) -> MiddlewareBundle:
    """The middleware for one agent. `session` is a session of a guard, or a function from the framework's session
    (None for a run without one) to it. Put it before other middleware: what stands before it is not seen by it."""
    interceptor: Any = GuardInterceptor(session, reviewer=reviewer)
    hooks = create_agent_hooks_middleware({"guard": interceptor}, timeout=SECONDS)
    return GuardBundle([_Runs(interceptor), _Calls(), *hooks._middleware])


class _Runs(AgentMiddleware):
    """Around a run: whose session it is, what the user says, and how it ends."""

    def __init__(self, interceptor: GuardInterceptor) -> None:
        self._interceptor = interceptor

    async def process(self, context: AgentContext, call_next: Callable[[], Awaitable[None]]) -> None:
        above = RUN.get()
        run = Run(self._interceptor.seats.of(context.session), frozenset(_resumed(context.messages)))
        refused = await self._messages(context, run, "user" if above is None else "agent")
        if refused is not None:
            refused.raise_if_halted()
            context.result = _answer(context, str(refused.value))
            return
        token = RUN.set(run)
        try:
            with _ends(run):
                await call_next()
        finally:
            RUN.reset(token)
        if isinstance(context.result, ResponseStream):
            context.stream_consumption_context_manager_factories.append(lambda: _consumed(run))

    async def _messages(self, context: AgentContext, run: Run, by: str) -> Checked | None:
        """Judge what goes in, and put in what it becomes; gives the refusal, if any."""
        for number, message in enumerate(context.messages):
            contents, refused = await self._contents(message, run, by)
            if refused is not None:
                return refused
            if contents != list(message.contents):
                changed = copy(message)
                changed.contents = contents
                context.messages[number] = changed
        return None

    async def _contents(self, message: Message, run: Run, by: str) -> tuple[list[Content], Checked | None]:
        contents = [await _later(content, run) for content in message.contents]
        text = "".join(content.text or "" for content in contents if content.type == "text")
        if not text or str(message.role) not in ("user", "tool"):
            return contents, None
        checked = await run.seat.ainput(text, by=by)
        if not checked.allowed:
            return contents, checked
        if checked.is_changed:
            rest = [content for content in contents if content.type != "text"]
            contents = [Content.from_text(str(checked.value)), *rest]
        return contents, None


@asynccontextmanager
async def _consumed(run: Run) -> AsyncIterator[None]:
    """While a stream is read: the run goes on."""
    token = RUN.set(run)
    try:
        with _ends(run):
            yield
    finally:
        RUN.reset(token)


class _ends:
    """The end of a run that the policy halted is `Halted`, however the framework ended it."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: BaseException | None, _: Any) -> None:
        if self._run.halted is not None and (error is None or isinstance(error, Exception)):
            raise Halted(self._run.halted) from error


async def _later(content: Content, run: Run) -> Content:
    """A result that the application brings, and the answer of a person who says no."""
    if content.type == "function_result":
        name = str(getattr(content, "name", None) or "")
        checked = await run.seat.aerror(str(content.call_id or ""), name, content.result)
        if checked.is_changed:
            return Content.from_function_result(call_id=str(content.call_id), result=checked.value)
    if content.type == "function_approval_response" and content.approved is not True:
        call: Any = content.function_call
        passage = await run.seat.acall(str(call.name), _arguments(call.arguments), str(call.call_id))
        await _answered(run, passage, content)
    return content


async def _answered(run: Run, passage: Passage, response: Content) -> Passage:
    """What becomes of a call after somebody at the host answered."""
    said = {**(response.additional_properties or {}), "approved": response.approved is True}
    if passage.outcome == "ask":
        return await run.seat.aanswered(passage, answer_of(said, run.seat.reviewer))
    if passage.allowed and response.approved is not True:
        run.seat.dropped(passage)
    return passage


class _Calls(FunctionMiddleware):
    """Around a call: whether people are asked about it."""

    async def process(
        self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]
    ) -> None:
        run = RUN.get()
        if run is None:
            raise MiddlewareFailure("a call is about to be made in a run that guard has not seen begin")
        passage = await self._passage(context, run)
        if passage.halted and passage.decision is not None:
            run.halted = run.halted or passage.decision
            raise MiddlewareFailure(passage.text)
        if passage.outcome == "ask" and context.metadata.get("approval_response") is None:
            context.result = _request(context, passage)
            raise MiddlewareTermination("guard asks for an approval", result=context.result)
        if not passage.allowed:
            context.result = passage.text
            return
        run.expected[_id(context)] = passage
        await self._made(context, call_next, run, passage)

    async def _passage(self, context: FunctionInvocationContext, run: Run) -> Passage:
        given = _arguments(context.arguments)
        passage = await run.seat.acall(context.function.name, given, _id(context) or None)
        response = context.metadata.get("approval_response")
        return passage if response is None else await _answered(run, passage, response)

    async def _made(
        self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]], run: Run, passage: Passage
    ) -> None:  # fmt: skip
        try:
            await call_next()
        except (MiddlewareTermination, MiddlewareFailure):
            raise
        except Exception as error:
            checked = await run.seat.aerror(passage.id, passage.tool, str(error), args=passage.args)
            if checked.is_changed or not checked.allowed:
                raise type(error)(str(checked.value)) from None
            raise


def _request(context: FunctionInvocationContext, passage: Passage) -> Content:
    """The framework's own request for an approval."""
    call_id = _id(context)
    call = Content.from_function_call(
        call_id=call_id, name=passage.tool, arguments=passage.given,
        id=context.metadata.get("function_call_occurrence_id"),
    )  # fmt: skip
    return Content.from_function_approval_request(
        id=call.id or call_id, function_call=call, additional_properties={"guard": passage.question}
    )


def _id(context: FunctionInvocationContext) -> str:
    return str(context.metadata.get("call_id") or "")


def _arguments(arguments: Any) -> Any:
    """The arguments of a call as data."""
    dump = getattr(arguments, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    return arguments if isinstance(arguments, (str, dict)) or arguments is None else dict(arguments)


def _resumed(messages: list[Message]) -> Iterator[str]:
    """The calls that this run makes because somebody approved them."""
    for message in messages:
        for content in message.contents:
            if content.type == "function_approval_response" and content.function_call is not None:
                yield str(content.function_call.call_id)


def _answer(context: AgentContext, text: str) -> Any:
    response: Any = AgentResponse(messages=[Message(role="assistant", contents=[text])])
    if not context.stream:
        return response

    async def updates() -> AsyncIterator[Any]:
        for update in response.to_updates():
            yield update

    return ResponseStream(updates(), finalizer=AgentResponse.from_updates)


# --- coverage ----------------------------------------------------------------------------------


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of an agent. Those that are no functions of this process run on the provider's side."""
    given = agent.middleware or ()
    why = "" if any(isinstance(each, GuardBundle) for each in given) else (
        "the agent has no middleware of guard; add `guard_middleware`"
    )  # fmt: skip
    for tool in (agent.default_options or {}).get("tools") or ():
        if isinstance(tool, dict) or not hasattr(tool, "invoke"):
            name = tool.get("name") or tool.get("type") if isinstance(tool, dict) else type(tool).__name__
            yield Covered(str(name), "the model's provider runs it")
        else:
            yield Covered(tool.name, why)
    for server in agent.mcp_tools:
        yield Covered(f"{server.name}.*", why)


__all__ = ["GuardInterceptor", "coverage", "guard_middleware"]
