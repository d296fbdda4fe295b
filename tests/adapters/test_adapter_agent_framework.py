"""The adapter for Microsoft Agent Framework, with a chat client of a script; and the interceptor on its own."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("agent_framework")
    pytest.importorskip("agent_hooks")

from agent_framework import Agent, AgentSession, Content, FunctionMiddleware, Message, MiddlewareFailure, tool
from agent_framework_fakes import FakeClient, call, text
from agent_hooks import (
    AgentContextBuilder,
    InterceptionBlocked,
    InterceptionEmitter,
)

from guardrails import Guard
from guardrails.errors import GuardError, Halted, Unavailable
from guardrails.integrations.agent_framework import coverage, guard_middleware
from guardrails.integrations.agent_hooks import GuardInterceptor, GuardResolver

POLICY = """
policy shop

on call pay {
  allow
  deny when args.amount > 1000 because "Too much."
  ask finance when args.amount > 60 because "Large payments are asked for."
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /KEY-[0-9]+/ in args.note
}
on call look, helper { allow }
on call burn { halt because "That was the last straw." }
on result look { redact /SECRET-[0-9]+/; deny when args.what == "hush" because "Not for you." }
on input { deny when text contains "attack" because "No attacks."; redact /SECRET-[0-9]+/ }
on output { deny when text contains "hush" because "Not to be said."; redact /SECRET-[0-9]+/ }
"""

IDS = count(1)


def guard_of(policy: str = POLICY, **more: Any) -> Guard:
    return Guard.from_text(policy, reviewers={"finance": ["fay"]}, **more)


class Shop:
    """Tools that keep what they did."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.found: Any = "it is SECRET-1"

    def tools(self) -> list[Any]:
        @tool(approval_mode="never_require")
        def pay(amount: float, note: str = "") -> str:
            "Pay."
            self.ran.append((amount, note))
            return f"paid {amount}"

        @tool(approval_mode="never_require")
        def look(what: str) -> Any:
            "Look."
            self.ran.append(what)
            if what == "broken":
                raise ValueError("it broke at SECRET-1")
            return self.found

        @tool(approval_mode="never_require")
        def burn() -> str:
            "Burn."
            self.ran.append("burn")
            return "burnt"

        return [pay, look, burn]


def do(name: str, **args: Any) -> Content:
    return call(name, f"c{next(IDS)}", **args)


class Talk:
    """A conversation with an agent."""

    def __init__(self, *script: Any, session: Any = None, cuts: tuple[int, ...] = (), **agent: Any) -> None:
        self.shop = Shop()
        self.client = FakeClient([part if isinstance(part, list) else [part] for part in script], cuts)
        self.session = session or guard_of().session()
        agent = {
            "tools": self.shop.tools(), "middleware": [guard_middleware(self.session, reviewer="fay")], **agent
        }  # fmt: skip
        self.agent: Any = Agent(client=self.client, **agent)
        self.thread: AgentSession = self.agent.create_session()
        self.responses: list[Any] = []
        self.shown = ""

    async def say(self, message: Any, *, stream: bool = False) -> Talk:
        if stream:
            updates = self.agent.run(message, session=self.thread, stream=True)
            async for update in updates:
                self.shown += update.text
            self.responses.append(await updates.get_final_response())
        else:
            self.responses.append(await self.agent.run(message, session=self.thread))
        return self

    def run(self, message: Any = "hello", *, stream: bool = False) -> Talk:
        return asyncio.run(self.say(message, stream=stream))

    @property
    def results(self) -> list[str]:
        return [
            str(content.result)
            for response in self.responses
            for message in response.messages
            for content in message.contents
            if content.type == "function_result"
        ]

    @property
    def said(self) -> str:
        return str(self.responses[-1].text)

    @property
    def questions(self) -> list[Any]:
        return list(self.responses[-1].user_input_requests)

    def everything(self) -> str:
        told = str([message.to_dict() for response in self.responses for message in response.messages])
        return told + self.shown + json.dumps(self.thread.to_dict(), default=str)


def answer(question: Any, *, approved: bool, **more: Any) -> Message:
    response = question.to_function_approval_response(approved=approved)
    response.additional_properties = {**(response.additional_properties or {}), **more}
    return Message(role="user", contents=[response])


# --- calls -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_allowed_runs(stream: bool) -> None:  # noqa: FBT001
    talk = Talk(do("pay", amount=5), text("done")).run(stream=stream)
    assert talk.shop.ran == [(5, "")]
    assert talk.said == "done"


@pytest.mark.parametrize("stream", [False, True])
def test_what_is_denied_does_not_run_and_the_model_reads_why(stream: bool) -> None:  # noqa: FBT001
    talk = Talk(do("pay", amount=5000), text("done")).run(stream=stream)
    assert talk.shop.ran == []
    assert "Too much" in talk.client.seen[-1]
    assert talk.said == "done"


def test_arguments_are_changed() -> None:
    talk = Talk(do("pay", amount=5, note="KEY-77 x"), text("done")).run()
    assert "KEY-77" not in str(talk.shop.ran)
    assert talk.shop.ran[0][1].endswith(" x")


@pytest.mark.parametrize("stream", [False, True])
def test_a_halt_ends_the_run(stream: bool) -> None:  # noqa: FBT001
    talk = Talk(do("burn"), text("never"))
    with pytest.raises(Halted, match="last straw"):
        talk.run(stream=stream)
    assert talk.shop.ran == []
    assert len(talk.client.seen) == 1


def test_parallel_calls_are_judged_one_by_one_and_limits_hold() -> None:
    talk = Talk([do("pay", amount=60) for _ in range(12)], text("done")).run()
    assert talk.shop.ran == [(60, "")] * 8
    assert sum("denied" in result for result in talk.results) == 4


def test_a_failed_call_is_given_back_and_what_it_says_is_judged() -> None:
    session = guard_of("policy p\non call look { allow; limit 1 per 1d by session.id }").session()
    talk = Talk(do("look", what="broken"), do("look", what="x"), text("done"), session=session).run()
    assert talk.shop.ran == ["broken", "x"]
    client = FakeClient([[do("look", what="broken")], [text("done")]])
    client.function_invocation_configuration["include_detailed_errors"] = True
    loud = Talk()
    loud.agent = Agent(client=client, tools=loud.shop.tools(), middleware=[guard_middleware(loud.session)])
    loud.run()
    assert "SECRET-1" not in "".join(client.seen) + loud.everything()


# --- people ------------------------------------------------------------------------------------


def test_a_person_approves_and_the_call_runs_and_is_charged_once() -> None:
    guard = guard_of()
    talk = Talk(do("pay", amount=90), text("done"), session=guard.session()).run()
    (question,) = talk.questions
    assert talk.shop.ran == []
    assert question.additional_properties["guard"]["reviewers"] == ["finance"]
    talk.run(answer(question, approved=True))
    assert talk.shop.ran == [(90, "")]
    assert talk.said == "done"
    assert [limit.used for limit in guard.limits()] == [90]


@pytest.mark.parametrize(("approved", "by"), [(True, "bob"), (False, "fay")])
def test_who_says_no_or_was_not_asked_lets_nothing_run(approved: bool, by: str) -> None:  # noqa: FBT001
    guard = guard_of()
    talk = Talk(do("pay", amount=90), text("done"), session=guard.session()).run()
    question = talk.questions[0]
    talk.run(answer(question, approved=approved, by=by))
    assert talk.shop.ran == []
    request = guard.approvals.get(question.additional_properties["guard"]["request"])
    assert (guard.approvals.state_of(request) == "denied") is (not approved)


def test_a_call_resumes_in_another_process(tmp_path: Path) -> None:
    def process(*script: Any) -> Talk:
        guard = guard_of(store=f"sqlite:{tmp_path}/guard.db")
        return Talk(*script, session=guard.session(id="s"))

    first = process(do("pay", amount=90)).run()
    kept = json.dumps(first.thread.to_dict(), default=str)
    question = first.questions[0]
    second = process(text("done"))
    second.thread = AgentSession.from_dict(json.loads(kept))
    second.run(answer(question, approved=True))
    assert (first.shop.ran, second.shop.ran) == ([], [(90, "")])


def test_an_approval_from_elsewhere_lets_the_same_call_pass() -> None:
    guard = guard_of()
    talk = Talk(do("pay", amount=90), do("pay", amount=90), text("done"), session=guard.session()).run()
    guard.approvals.approve(talk.questions[0].additional_properties["guard"]["request"], by="fay")
    talk.run("go on")
    assert talk.shop.ran == [(90, "")]


# --- results and texts -------------------------------------------------------------------------


@pytest.mark.parametrize("found", ["it is SECRET-1", {"text": "it is SECRET-1"}, ["SECRET-1"]])
def test_a_result_is_redacted_in_every_copy(found: Any) -> None:
    talk = Talk(do("look", what="x"), text("done"))
    talk.shop.found = found
    talk.run()
    assert "SECRET-1" not in talk.everything() + talk.client.seen[-1]


def test_a_result_that_is_denied_reaches_nobody() -> None:
    talk = Talk(do("look", what="hush"), text("done"))
    talk.shop.found = "the price is 7"
    talk.run()
    assert "Not for you" in talk.client.seen[-1]
    assert "price" not in talk.everything() + talk.client.seen[-1]


@pytest.mark.parametrize("stream", [False, True])
def test_a_denied_message_never_reaches_the_model(stream: bool) -> None:  # noqa: FBT001
    talk = Talk(text("fine")).run("an attack", stream=stream)
    assert talk.client.seen == []
    assert "No attacks" in talk.said
    talk.run("hello")
    assert "an attack" not in talk.client.seen[0]


def test_a_message_is_changed_in_the_history_too() -> None:
    for message in ("my SECRET-12", Message(role="user", contents=["my SEC", "RET-12"])):
        talk = Talk(text("fine")).run(message)
        assert "RET-12" not in talk.client.seen[0] + talk.everything()
        assert "my " in talk.client.seen[0]


def test_an_answer_is_changed_or_refused_everywhere() -> None:
    talk = Talk(text("it is SECRET-1")).run()
    assert talk.said.startswith("it is ")
    assert "SECRET-1" not in talk.everything()
    refused = Talk(text("hush hush")).run()
    assert "Not to be said" in refused.said
    assert "hush" not in refused.everything()


def test_an_answer_in_several_parts_is_one_text_and_thoughts_are_judged() -> None:
    parts = [Content.from_text_reasoning(text="maybe SECRET-5"), text("it is SEC"), text("RET-77 here")]
    talk = Talk(parts).run()
    assert "RET-77" not in talk.everything()
    assert "SECRET-5" not in talk.everything()
    assert talk.said.endswith("here")


TEXT = "it is SECRET-77 here"


def test_streams_leak_nothing_however_they_are_cut() -> None:
    for cuts in [*[(cut,) for cut in range(len(TEXT) + 1)], tuple(range(len(TEXT)))]:
        talk = Talk(text(TEXT), cuts=cuts).run(stream=True)
        assert "SECRET-77" not in talk.everything()
        assert talk.shown == talk.said
        assert talk.said.startswith("it is ")
        assert talk.said.endswith(" here")


# --- budgets and agents ------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_model_used_is_charged_and_a_budget_stops_the_next_call(stream: bool) -> None:  # noqa: FBT001
    guard = guard_of("policy p\non call look { allow }\non session { budget tokens 20 }\n")
    talk = Talk(do("look", what="a"), do("look", what="b"), text("done"), session=guard.session())
    talk.run(stream=stream)
    assert talk.shop.ran == ["a"]
    assert [limit.used for limit in guard.limits()] == [45]


def test_an_agent_that_is_a_tool_is_judged_by_its_own_middleware() -> None:
    session = guard_of().session()
    below = Shop()
    inner = FakeClient([[do("pay", amount=5000)], [do("look", what="x")], [text("it is SECRET-3")]])
    helper: Any = Agent(
        client=inner, name="helper", tools=below.tools(), middleware=[guard_middleware(session)]
    )
    talk = Talk(do("helper", task="do it"), text("done"), session=session, tools=[helper.as_tool()]).run()
    assert below.ran == ["x"]
    assert "SECRET" not in "".join(inner.seen) + talk.client.seen[-1] + talk.everything()


# --- nothing goes past ---------------------------------------------------------------------------


def without(*kinds: str) -> Any:
    """Guard's middleware with a part that does nothing."""
    session = guard_of().session()
    bundle: Any = guard_middleware(session)
    for part in bundle._middleware:
        if type(part).__name__ in kinds:

            async def nothing(context: Any, call_next: Any) -> None:
                await call_next()

            part.process = nothing
    return bundle


@pytest.mark.parametrize("part", ["_Runs", "_AgentHooksAgentMiddleware", "_AgentHooksFunctionMiddleware"])
def test_parts_that_are_passed_over_are_noticed(part: str) -> None:
    talk = Talk(do("look", what="x"), text("never"), middleware=[without(part)])
    with pytest.raises(Exception, match=r"guard has not seen|active agent-hooks run|host_error"):
        talk.run()
    assert "SECRET" not in "".join(talk.client.seen)


def test_without_the_part_that_asks_a_call_that_asks_is_denied() -> None:
    talk = Talk(do("pay", amount=90), text("done"), middleware=[without("_Calls")]).run()
    assert talk.shop.ran == []
    assert "asked for" in talk.client.seen[-1]


def test_middleware_that_answers_for_the_tool_is_judged() -> None:
    class Cached(FunctionMiddleware):
        async def process(self, context: Any, call_next: Any) -> None:
            context.result = "it is SECRET-9"

    talk = Talk(
        do("look", what="x"), text("done"), middleware=[guard_middleware(guard_of().session()), Cached()]
    )
    assert "SECRET-9" not in talk.run().everything() + talk.client.seen[-1]


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


def away(*_: Any, **__: Any) -> Any:
    raise Unavailable("the store is away")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("failure", [broken, away])
@pytest.mark.parametrize(
    "seam", ["acheck_call", "acheck_result", "acheck_input", "acheck_output", "report", "failed"]
)
def test_a_seam_that_breaks_lets_nothing_through(
    seam: str,
    failure: Callable[..., Any],
    stream: bool,  # noqa: FBT001
) -> None:
    session = guard_of().session()
    setattr(session, seam, failure)
    talk = Talk(do("look", what="x"), do("look", what="broken"), text(TEXT), session=session, cuts=(9,))
    with suppress(RuntimeError, GuardError, InterceptionBlocked, MiddlewareFailure):
        talk.run(stream=stream)
    assert "SECRET" not in talk.everything() + "".join(talk.client.seen)
    if seam == "acheck_call":
        assert talk.shop.ran == []
    if seam == "acheck_input":
        assert talk.client.seen == []


def test_a_session_that_cannot_be_found_lets_nothing_begin() -> None:
    talk = Talk(do("look", what="x"), session=lambda _: broken())
    with pytest.raises(RuntimeError, match="boom"):
        talk.run()
    assert talk.client.seen == []


# --- the interceptor on its own ------------------------------------------------------------------


class Host:
    """A host that speaks the contract."""

    def __init__(self, session: Any, person: Any = None) -> None:
        self.session = session
        interceptor: Any = GuardInterceptor(session)
        self.emitter = InterceptionEmitter(resolver=GuardResolver(interceptor, person) if person else None)
        self.emitter.register(interceptor)
        self.builder = AgentContextBuilder(agent_id="a", framework="f", session_id="s")

    def at(self, point: str, **fields: Any) -> Any:
        return asyncio.run(self.emitter.emit(getattr(self.builder, point)(**fields))).target


def test_any_host_of_the_contract_is_answered() -> None:
    host = Host(guard_of().session())
    assert host.at("input", content="my SECRET-1")["content"].startswith("my ")
    with pytest.raises(InterceptionBlocked):
        host.at("input", content="an attack")
    with pytest.raises(InterceptionBlocked):
        host.at("pre_tool_call", call_id="1", name="pay", args={"amount": 5000})
    assert "KEY-7" not in str(
        host.at("pre_tool_call", call_id="2", name="pay", args={"amount": 5, "note": "KEY-7"})
    )
    host.at("pre_tool_call", call_id="3", name="look", args={"what": "x"})
    told = host.at("post_tool_call", call_id="3", name="look", args={"what": "x"}, value={"a": "SECRET-1"})
    assert "SECRET-1" not in str(told)
    with pytest.raises(InterceptionBlocked):
        host.at("post_tool_call", call_id="9", name="look", args={}, value="never checked")
    assert "SECRET-2" not in str(host.at("output", content="SECRET-2"))


@pytest.mark.parametrize(("by", "lifts"), [("fay", True), ("bob", False), ("", False)])
def test_a_call_that_asks_is_lifted_once_the_right_person_answered(by: str, lifts: bool) -> None:  # noqa: FBT001
    async def person(question: dict[str, Any]) -> Any:
        assert question["args"] == {"amount": 90, "note": "KEY-7"} or "KEY-7" not in str(question)
        return {"approved": True, "by": by}

    host = Host(guard_of().session(), person)
    given = {"call_id": "1", "name": "pay", "args": {"amount": 90, "note": "KEY-7"}}
    if not lifts:
        with pytest.raises(InterceptionBlocked):
            host.at("pre_tool_call", **given)
        return
    assert "KEY-7" not in str(host.at("pre_tool_call", **given))
    assert host.at("post_tool_call", **given, value="paid") == "paid"
    with pytest.raises(InterceptionBlocked):
        Host(host.session).at("pre_tool_call", **given | {"call_id": "2"})


# --- coverage ----------------------------------------------------------------------------------


def test_coverage_tells_what_no_check_sees() -> None:
    tools = [*Shop().tools(), {"type": "web_search"}]
    bare = Agent(client=FakeClient([]), tools=tools)
    assert not any(each.is_covered for each in coverage(bare))
    agent = Agent(client=FakeClient([]), tools=tools, middleware=[guard_middleware(guard_of().session())])
    found = {each.tool: each.why for each in coverage(agent)}
    assert [name for name, why in found.items() if not why] == ["pay", "look", "burn"]
    assert "provider" in found["web_search"]
