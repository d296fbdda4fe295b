"""The adapter for Google ADK, on its runner with a model of a script."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("google.adk")

from adk_fakes import FakeLlm, call, text
from google.adk.agents import LlmAgent
from google.adk.agents.run_config import RunConfig, StreamingMode
from google.adk.apps import App
from google.adk.code_executors import BuiltInCodeExecutor, UnsafeLocalCodeExecutor
from google.adk.plugins.base_plugin import BasePlugin
from google.adk.runners import InMemoryRunner, Runner
from google.adk.sessions import DatabaseSessionService, InMemorySessionService
from google.adk.tools import google_search
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

from guardrails import Guard
from guardrails.errors import EvaluationError, GuardError, Halted, Unavailable
from guardrails.integrations.adk import GuardPlugin, coverage
from guardrails.integrations.receipts import Unmediated

POLICY = """
policy shop

on call pay {
  allow
  deny when args.amount > 1000 because "Too much."
  ask finance when args.amount > 60 because "Large payments are asked for."
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /KEY-[0-9]+/ in args.note
}
on call look, helper, transfer_to_agent { allow }
on call burn { halt because "That was the last straw." }
on result look { redact /SECRET-[0-9]+/; deny when args.what == "hush" because "Not for you." }
on input { deny when text contains "attack" because "No attacks."; redact /SECRET-[0-9]+/ }
on output { deny when text contains "hush" because "Not to be said."; redact /SECRET-[0-9]+/ }
"""


def guard_of(policy: str = POLICY, **more: Any) -> Guard:
    return Guard.from_text(policy, reviewers={"finance": ["fay"]}, **more)


class Shop:
    """Tools that keep what they did."""

    def __init__(self) -> None:
        self.ran: list[Any] = []
        self.found: Any = {"text": "it is SECRET-1"}

    def tools(self) -> list[Callable[..., Any]]:
        def pay(amount: float, note: str = "") -> dict[str, Any]:
            self.ran.append((amount, note))
            return {"paid": amount}

        def look(what: str) -> Any:
            self.ran.append(what)
            if what == "broken":
                raise ValueError("it broke at SECRET-1")
            return self.found

        def burn() -> dict[str, Any]:
            self.ran.append("burn")
            return {}

        return [pay, look, burn]


class Talk:
    """A conversation with an agent, over one or several runners."""

    def __init__(
        self, *script: Any, session: Any = None, plugins: Any = None, streaming: str = "whole", **agent: Any
    ) -> None:
        self.shop = Shop()
        self.cuts = agent.pop("cuts", ())
        self.model = FakeLlm(
            script=[part if isinstance(part, list) else [part] for part in script], seen=[], cuts=self.cuts
        )
        self.session = session or guard_of().session()
        given = (
            [GuardPlugin(self.session, reviewer="fay", streaming=streaming)] if plugins is None else plugins
        )
        agent = {"name": "clerk", "model": self.model, "tools": self.shop.tools(), **agent}
        self.app = App(name="shop", root_agent=LlmAgent(**agent), plugins=given)
        self.runner: Runner = InMemoryRunner(app=self.app)
        self.id = ""
        self.events: list[Any] = []

    async def say(self, *parts: Any, sse: bool = False) -> Talk:
        if not self.id:
            made = await self.runner.session_service.create_session(app_name="shop", user_id="u")
            self.id = made.id
        given = [text(part) if isinstance(part, str) else part for part in parts]
        config = RunConfig(streaming_mode=StreamingMode.SSE if sse else StreamingMode.NONE)
        async for event in self.runner.run_async(
            user_id="u",
            session_id=self.id,
            new_message=types.Content(role="user", parts=given),
            run_config=config,
        ):
            self.events.append(event)
        return self

    def run(self, *parts: Any, sse: bool = False) -> Talk:
        return asyncio.run(self.say(*(parts or ("hello",)), sse=sse))

    @property
    def results(self) -> list[Any]:
        return [each.response for event in self.events for each in event.get_function_responses()]

    @property
    def said(self) -> str:
        return "".join(
            part.text or "" for event in self.events if event.content and not event.partial
            for part in event.content.parts
        )  # fmt: skip

    @property
    def shown(self) -> str:
        return "".join(
            part.text or ""
            for event in self.events
            if event.partial and event.content
            for part in event.content.parts
        )

    @property
    def questions(self) -> list[Any]:
        return [
            each for event in self.events for each in event.get_function_calls()
            if each.name == "adk_request_confirmation"
        ]  # fmt: skip

    def history(self) -> str:
        found: Any = asyncio.run(
            self.runner.session_service.get_session(app_name="shop", user_id="u", session_id=self.id)
        )
        return str([event.model_dump(exclude_none=True) for event in found.events]) + str(found.state)


def answer(question: Any, *, confirmed: bool, **payload: Any) -> types.Part:
    response = {"confirmed": confirmed, "payload": payload}
    return types.Part(
        function_response=types.FunctionResponse(
            id=question.id, name="adk_request_confirmation", response=response
        )
    )


def raised(work: Callable[[], Any], kind: type[BaseException]) -> BaseException:
    """What a run raised; ADK wraps what comes out of a plugin."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - the kind is looked at below
        work()
    error: BaseException | None = caught.value
    while error is not None and not isinstance(error, kind):
        error = error.__cause__
    assert error is not None, caught.value
    return error


# --- calls -------------------------------------------------------------------------------------


def test_what_is_allowed_runs() -> None:
    talk = Talk(call("pay", amount=5), text("done")).run()
    assert talk.shop.ran == [(5, "")]
    assert talk.said == "done"


def test_what_is_denied_does_not_run_and_the_model_reads_why() -> None:
    talk = Talk(call("pay", amount=5000), text("done")).run()
    assert talk.shop.ran == []
    assert "Too much" in talk.results[0]["error"]
    assert "Too much" in talk.model.seen[-1]


def test_arguments_are_changed() -> None:
    talk = Talk(call("pay", amount=5, note="KEY-77 x"), text("done")).run()
    assert "KEY-77" not in str(talk.shop.ran)
    assert talk.shop.ran[0][1].endswith(" x")


def test_a_halt_ends_the_run() -> None:
    talk = Talk(call("burn"), text("never"))
    assert "last straw" in str(raised(talk.run, Halted))
    assert talk.shop.ran == []
    assert len(talk.model.seen) == 1


def test_parallel_calls_are_judged_one_by_one_and_limits_hold() -> None:
    calls = [call("pay", amount=60) for _ in range(12)]
    talk = Talk(calls, text("done")).run()
    assert talk.shop.ran == [(60, "")] * 8
    assert sum("error" in result for result in talk.results) == 4


def test_a_tool_that_does_not_exist_is_denied() -> None:
    talk = Talk(call("nope"), text("done")).run()
    assert "denied" in talk.results[0]["error"]


def test_a_failed_call_is_given_back() -> None:
    session = guard_of("policy p\non call look { allow; limit 1 per 1d by session.id }").session()
    with pytest.raises(ValueError, match="it broke"):
        Talk(call("look", what="broken"), session=session).run()
    assert Talk(call("look", what="x"), text("done"), session=session).run().shop.ran == ["x"]


def test_what_is_told_of_a_failure_is_judged() -> None:
    async def told(**_: Any) -> dict[str, Any]:
        return {"error": "it broke at SECRET-1"}

    talk = Talk(call("look", what="broken"), text("done"), on_tool_error_callback=told).run()
    assert "SECRET-1" not in str(talk.results) + talk.model.seen[-1]


# --- people ------------------------------------------------------------------------------------


def test_a_person_approves_and_the_call_runs_and_is_charged_once() -> None:
    guard = guard_of()
    talk = Talk(call("pay", amount=90), text("done"), session=guard.session()).run()
    (question,) = talk.questions
    assert talk.shop.ran == []
    assert question.args["toolConfirmation"]["payload"]["reviewers"] == ["finance"]
    talk.run(answer(question, confirmed=True))
    assert talk.shop.ran == [(90, "")]
    assert talk.said == "done"
    assert [limit.used for limit in guard.limits()] == [90]


@pytest.mark.parametrize(
    ("payload", "why"), [({"by": "bob"}, "not asked"), ({"by": "fay", "reason": "no money"}, "no money")]
)
def test_who_says_no_or_was_not_asked_lets_nothing_run(payload: dict[str, str], why: str) -> None:
    talk = Talk(call("pay", amount=90), text("done")).run()
    talk.run(answer(talk.questions[0], confirmed="reason" not in payload, **payload))
    assert talk.shop.ran == []
    assert why in str(talk.results[-1])


def test_a_no_counts_even_where_somebody_else_approved() -> None:
    guard = guard_of()
    talk = Talk(call("pay", amount=90), text("done"), session=guard.session()).run()
    guard.approvals.approve(talk.questions[0].args["toolConfirmation"]["payload"]["request"], by="fay")
    talk.run(answer(talk.questions[0], confirmed=False))
    assert talk.shop.ran == []


def test_a_call_resumes_in_another_process(tmp_path: Path) -> None:
    async def work() -> tuple[list[Any], list[Any]]:
        def process(*script: Any) -> Talk:
            guard = guard_of(store=f"sqlite:{tmp_path}/guard.db")
            talk = Talk(*script, session=lambda adk: guard.session(id=adk.id))
            service = DatabaseSessionService(f"sqlite+aiosqlite:///{tmp_path}/adk.db")
            talk.runner = Runner(app=talk.app, session_service=service)
            return talk

        first = await process(call("pay", amount=90)).say("hello")
        second = process(text("done"))
        second.id = first.id
        await second.say(answer(first.questions[0], confirmed=True))
        return first.shop.ran, second.shop.ran

    pytest.importorskip("aiosqlite")
    assert asyncio.run(work()) == ([], [(90, "")])


def test_a_tools_own_confirmation_stays_and_charges_nothing_until_it_runs() -> None:
    from google.adk.tools import FunctionTool

    ran: list[float] = []

    def pay(amount: float) -> dict[str, Any]:
        ran.append(amount)
        return {}

    guard = guard_of()
    tools = [FunctionTool(pay, require_confirmation=True)]
    talk = Talk(call("pay", amount=50), text("done"), session=guard.session(), tools=tools).run()
    assert ran == []
    assert [limit.used for limit in guard.limits()] in ([], [0])
    talk.run(answer(talk.questions[0], confirmed=True))
    assert ran == [50]
    assert [limit.used for limit in guard.limits()] == [50]


# --- results and texts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "found", [{"text": "it is SECRET-1"}, "it is SECRET-1", ["SECRET-1"], '{"a": "SECRET-1"}']
)
def test_a_result_is_redacted_in_every_copy(found: Any) -> None:
    talk = Talk(call("look", what="x"), text("done"))
    talk.shop.found = found
    talk.run()
    assert "SECRET-1" not in str(talk.events) + talk.model.seen[-1] + talk.history()


def test_a_result_that_is_denied_reaches_nobody() -> None:
    talk = Talk(call("look", what="hush"), text("done"))
    talk.shop.found = "the price is 7"
    talk.run()
    assert "Not for you" in str(talk.results)
    assert "price" not in str(talk.events) + talk.model.seen[-1]


def test_a_result_that_comes_later_is_judged() -> None:
    from google.adk.tools import LongRunningFunctionTool

    def look(what: str) -> None:
        return None

    talk = Talk(
        call("look", what="x"),
        text("done"),
        tools=[LongRunningFunctionTool(look)],
        session=guard_of().session(),
    )
    talk.model.script.append([text("thanks")])
    talk.run()
    id = next(each.id for event in talk.events for each in event.get_function_calls())
    late = types.FunctionResponse(id=id, name="look", response={"text": "it is SECRET-1"})
    talk.run(types.Part(function_response=late))
    assert "SECRET-1" not in talk.model.seen[-1] + talk.history()


def test_a_denied_message_never_reaches_the_model() -> None:
    talk = Talk(text("fine"), text("fine")).run("an attack")
    assert talk.model.seen == []
    assert "No attacks" in talk.said
    talk.run("hello")
    assert "attack" not in talk.model.seen[0].replace("No attacks", "")


@pytest.mark.parametrize("parts", [("my SECRET-12",), ("my SEC", "RET-12")])
def test_a_message_is_changed_in_the_history_too(parts: tuple[str, ...]) -> None:
    talk = Talk(text("fine")).run(*parts)
    assert "RET-12" not in talk.model.seen[0] + talk.history()
    assert "my " in talk.model.seen[0]


def test_an_answer_is_changed_or_refused_everywhere() -> None:
    talk = Talk(text("it is SECRET-1"), output_key="kept").run()
    assert talk.said.startswith("it is ")
    assert "SECRET-1" not in str(talk.events) + talk.history()
    refused = Talk(text("hush hush"), output_key="kept").run()
    assert "Not to be said" in refused.said
    assert "hush" not in str(refused.events) + refused.history()


def test_an_answer_in_several_parts_is_one_text() -> None:
    talk = Talk([text("it is SEC"), text("RET-77 here")]).run()
    assert "RET-77" not in str(talk.events)


def test_thoughts_are_judged_too() -> None:
    talk = Talk([types.Part(text="maybe SECRET-1", thought=True), text("done")]).run()
    assert "SECRET-1" not in str(talk.events)


REDACTS = "policy p\non output { redact /SECRET-[0-9]+/ }"
TEXT = "it is SECRET-77 here"


@pytest.mark.parametrize("streaming", ["whole", "pieces"])
def test_streams_leak_nothing_however_they_are_cut(streaming: str) -> None:
    for cuts in [*[(cut,) for cut in range(len(TEXT) + 1)], tuple(range(len(TEXT)))]:
        session = guard_of(REDACTS if streaming == "pieces" else POLICY).session()
        talk = Talk(text(TEXT), streaming=streaming, cuts=cuts, session=session).run(sse=True)
        assert "SECRET-77" not in talk.shown
        assert "SECRET-77" not in str(talk.events), cuts
        assert talk.said.startswith("it is ")
        assert talk.said.endswith(" here")
        assert talk.said.startswith(talk.shown)
    if streaming == "pieces":
        assert talk.shown


def test_texts_that_no_model_wrote_are_judged_when_they_leave() -> None:
    async def after(**_: Any) -> types.Content:
        return types.Content(role="model", parts=[text("by the way SECRET-5")])

    async def changed(**_: Any) -> Any:
        from google.adk.models.llm_response import LlmResponse

        return LlmResponse(content=types.Content(role="model", parts=[text("SECRET-6 now")]))

    assert "SECRET-5" not in str(
        Talk(text("x"), after_agent_callback=lambda callback_context: after()).run().events
    )
    late = Talk(
        text("x"), after_model_callback=lambda callback_context, llm_response: changed(), cuts=(0,)
    ).run(sse=True)
    assert "SECRET-6" not in str(late.events)


def test_results_that_an_agent_changes_later_are_judged_again() -> None:
    async def late(**_: Any) -> dict[str, Any]:
        return {"text": "but it is SECRET-9"}

    talk = Talk(call("look", what="x"), text("done"), after_tool_callback=late)
    talk.shop.found = "fine"
    assert "SECRET-9" not in str(talk.run().events)


# --- budgets and agents ------------------------------------------------------------------------


def test_what_the_model_used_is_charged_and_a_budget_stops_the_next_call() -> None:
    guard = guard_of("policy p\non call look { allow }\non session { budget tokens 20 }\n")
    talk = Talk(call("look", what="a"), call("look", what="b"), text("done"), session=guard.session()).run()
    assert talk.shop.ran == ["a"]
    tokens = [limit.used for limit in guard.limits()]
    assert tokens == [45]


def test_an_agent_that_is_a_tool_belongs_to_the_session_above() -> None:
    seen: list[str] = []

    def choose(adk: Any) -> Any:
        seen.append(adk.id)
        return session

    session = guard_of().session()
    below = Shop()
    inner = FakeLlm(
        script=[[call("pay", amount=5000)], [call("look", what="x")], [text("it is SECRET-3")]], seen=[]
    )
    helper = LlmAgent(name="helper", model=inner, tools=below.tools())
    talk = Talk(
        call("helper", request="do it"), text("done"), session=choose, tools=[AgentTool(helper)]
    ).run()
    assert below.ran == ["x"]
    assert "Too much" in inner.seen[1]
    assert "SECRET" not in "".join(inner.seen) + talk.model.seen[-1]
    assert len(set(seen)) == 1


def test_a_transfer_is_a_call_too() -> None:
    inner = FakeLlm(script=[[call("pay", amount=5000)], [text("it is SECRET-3")]], seen=[])
    below = Shop()
    helper = LlmAgent(name="other", model=inner, tools=below.tools())
    talk = Talk(call("transfer_to_agent", agent_name="other"), sub_agents=[helper]).run()
    assert below.ran == []
    assert "SECRET" not in talk.said


# --- nothing goes past ---------------------------------------------------------------------------


class Deaf(GuardPlugin):
    """A plugin of which one callback is not called."""

    def __init__(self, callback: str) -> None:
        super().__init__(guard_of().session())

        async def nothing(**_: Any) -> None:
            return None

        setattr(self, callback, nothing)


@pytest.mark.parametrize("callback", ["before_tool_callback", "after_tool_callback"])
def test_hooks_that_are_passed_over_are_noticed(callback: str) -> None:
    talk = Talk(call("look", what="x"), text("never"), plugins=[Deaf(callback)])
    raised(talk.run, Unmediated)
    assert len(talk.model.seen) == 1
    if callback == "before_tool_callback":
        assert talk.shop.ran == []


def test_answers_whose_hook_was_passed_over_are_judged_when_they_leave() -> None:
    talk = Talk(text(TEXT), plugins=[Deaf("after_model_callback")], cuts=(9,)).run(sse=True)
    assert "SECRET" not in str(talk.events)


def test_a_plugin_that_answers_first_keeps_no_text_from_being_judged() -> None:
    class First(BasePlugin):
        async def before_tool_callback(self, **_: Any) -> dict[str, Any]:
            return {"text": "SECRET-1"}

    plugins = [First(name="first"), GuardPlugin(guard_of().session())]
    raised(Talk(call("look", what="x"), text("never"), plugins=plugins).run, Unmediated)


def test_an_agent_that_answers_for_its_tool_is_judged_and_not_charged() -> None:
    async def cached(**_: Any) -> dict[str, Any]:
        return {"text": "it is SECRET-1"}

    guard = guard_of()
    talk = Talk(
        call("look", what="x"), text("done"), session=guard.session(), before_tool_callback=cached
    ).run()
    assert talk.shop.ran == []
    assert "SECRET-1" not in str(talk.events)


def test_arguments_that_an_agent_changes_after_the_check_are_judged_again() -> None:
    def worse(tool: Any, args: dict[str, Any], tool_context: Any) -> None:
        args["amount"] = args["amount"] * 1000

    guard = guard_of()
    talk = Talk(
        call("pay", amount=5), text("done"), session=guard.session(), before_tool_callback=worse
    ).run()
    assert talk.shop.ran == []
    assert "Too much" in str(talk.results)
    other = Talk(
        call("pay", amount=0.05), text("done"), session=guard.session(), before_tool_callback=worse
    ).run()
    assert other.shop.ran == [(50, "")]


def test_what_goes_past_the_plugin_is_not_let_begin() -> None:
    raised(Talk(text("x"), code_executor=UnsafeLocalCodeExecutor()).run, EvaluationError)
    talk = Talk(text("x"))

    async def live() -> None:
        from google.adk.agents.live_request_queue import LiveRequestQueue

        made = await talk.runner.session_service.create_session(app_name="shop", user_id="u")
        queue = LiveRequestQueue()
        queue.send_content(types.Content(role="user", parts=[text("hello")]))
        async for _ in talk.runner.run_live(user_id="u", session_id=made.id, live_request_queue=queue):
            pass

    assert "live session" in str(raised(lambda: asyncio.run(asyncio.wait_for(live(), 20)), EvaluationError))


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


def away(*_: Any, **__: Any) -> Any:
    raise Unavailable("the store is away")


@pytest.mark.parametrize("failure", [broken, away])
@pytest.mark.parametrize(
    "seam",
    [
        "acheck_call",
        "acheck_result",
        "acheck_input",
        "acheck_output",
        "stream_output",
        "report",
        "check_result",
    ],
)
def test_a_seam_that_breaks_lets_nothing_through(seam: str, failure: Callable[..., Any]) -> None:
    session = guard_of().session()
    setattr(session, seam, failure)
    talk = Talk(call("look", what="x"), text(TEXT), session=session, streaming="pieces", cuts=(9,))
    with suppress(RuntimeError, GuardError):
        talk.run(sse=True)
    assert "SECRET" not in str(talk.events) + "".join(talk.model.seen)
    if seam == "acheck_call":
        assert talk.shop.ran == []
    if seam == "acheck_input":
        assert talk.model.seen == []


def test_a_session_that_cannot_be_found_lets_nothing_begin() -> None:
    talk = Talk(call("look", what="x"), session=lambda _: broken())
    raised(talk.run, RuntimeError)
    assert talk.model.seen == []


# --- coverage ----------------------------------------------------------------------------------


def test_coverage_tells_what_no_check_sees() -> None:
    inner = LlmAgent(name="inner", model="x", tools=[google_search], code_executor=BuiltInCodeExecutor())
    outer = LlmAgent(name="outer", model="x", tools=[*Shop().tools(), AgentTool(inner)])
    assert not any(each.is_covered for each in coverage(outer))
    app = App(name="shop", root_agent=outer, plugins=[GuardPlugin(guard_of().session())])
    found = {each.tool: each.why for each in coverage(app)}
    assert [name for name, why in found.items() if not why] == ["pay", "look", "burn", "inner"]
    assert "provider" in found["google_search"]
    assert "provider" in found["inner.code_executor"]
    runner = Runner(app=app, session_service=InMemorySessionService())
    assert {each.tool: each.why for each in coverage(runner)} == found
