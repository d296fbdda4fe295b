"""The adapter for the OpenAI Agents SDK, with the SDK's own runner and its scripted model."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("agents")

import openai_agents_fakes as fakes
from agents import (
    Agent,
    CodeInterpreterTool,
    FunctionTool,
    RunConfig,
    Runner,
    RunState,
    SQLiteSession,
    ToolGuardrailFunctionOutput,
    ToolOutputText,
    Usage,
    WebSearchTool,
    function_tool,
    handoff,
    tool_input_guardrail,
    trace,
)
from agents.models.interface import Model, ModelTracing
from agents.testing import assistant_message, function_call
from openai.types.responses import ResponseFunctionWebSearch
from openai_agents_fakes import QUIET, Tools, agent, heard, outputs, parted, run, session, streamed, used
from pydantic import BaseModel

from guardrails import Guard
from guardrails.errors import Denied, EvaluationError, Halted
from guardrails.integrations.coverage import covered
from guardrails.integrations.mediation import Mediation
from guardrails.integrations.openai_agents import GuardedModel, RunHalted, guarded, questions
from guardrails.integrations.receipts import Unmediated

SECRET = "it is secret-77 here"


def play(agent: Any, text: Any = "hello", **settings: Any) -> Any:
    return asyncio.run(run(agent, text, **settings))


# --- calls -------------------------------------------------------------------------------------


def test_an_allowed_call_runs_and_a_denied_one_does_not() -> None:
    tools = Tools()
    shop = agent(("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), "done", tools=tools)
    result = play(guarded(shop, session()))
    assert tools.ran == [("look", "x")]
    assert "the call of `drop` is denied" in outputs(result)[1]
    assert result.final_output == "done"


def test_the_agent_itself_stays_as_it_is() -> None:
    tools = Tools()
    shop = agent(("drop", {}, "c1"), "done", tools=tools)
    guarded(shop, session())
    play(shop)
    assert tools.ran == [("drop", None)]


def test_a_tool_runs_with_what_the_policy_made_of_its_arguments() -> None:
    tools = Tools()
    play(guarded(agent(("pay", {"amount": 5, "note": "secret-1"}, "c1"), "done", tools=tools), session()))
    assert tools.ran == [("pay", (5.0, "[REDACTED]"))]


def test_every_copy_of_a_result_is_redacted() -> None:
    shop = agent(("look", {"what": "x"}, "c1"), "done")
    result = play(guarded(shop, session()))
    assert "secret-12" not in repr(result.new_items)
    assert "secret-12" not in repr(result.to_input_list())
    assert "secret-12" not in repr(shop.model.last_call.input)
    assert "[REDACTED]" in outputs(result)[0]


class Found(BaseModel):
    text: str


@pytest.mark.parametrize(
    "value",
    [
        ToolOutputText(text="a secret-5"), Found(text="a secret-5"), [ToolOutputText(text="a secret-5")],
        {"text": ["secret-5"]}, ["secret-5"], '{"text": "secret-5"}', ValueError("secret-5"),
    ],
)  # fmt: skip
def test_results_of_every_kind_are_judged(value: Any) -> None:
    @function_tool
    def leak() -> Any:
        return value

    shop = agent(("leak", {}, "c1"), "done", tools=[leak])
    result = play(guarded(shop, session()))
    assert "secret-5" not in repr(result.new_items)
    assert "[REDACTED]" in repr(shop.model.last_call.input)


def test_a_result_that_nothing_changes_is_the_tools_own() -> None:
    @function_tool
    def leak() -> Any:
        return [ToolOutputText(text="fine")]

    result = play(guarded(agent(("leak", {}, "c1"), "done", tools=[leak]), session()))
    assert outputs(result)[0] == [{"type": "input_text", "text": "fine"}]


def test_a_result_that_says_something_else_each_time_is_read_once() -> None:
    class Changing:
        def __init__(self) -> None:
            self.words = ["fine", "secret-5", "secret-5", "secret-5"]

        def __str__(self) -> str:
            return self.words.pop(0)

    @function_tool
    def leak() -> Any:
        return Changing()

    shop = agent(("leak", {}, "c1"), "done", tools=[leak])
    assert outputs(play(guarded(shop, session()))) == ["fine"]


def test_a_halt_ends_the_run() -> None:
    tools, s = Tools(), session()
    with pytest.raises(Halted, match="No") as raised:
        play(guarded(agent(("burn", {}, "c1"), "done", tools=tools), s))
    assert isinstance(raised.value, RunHalted)
    assert not tools.ran
    shop = agent("done", tools=tools)
    assert "halted" in play(guarded(shop, s)).final_output
    assert not shop.model.calls  # type: ignore[union-attr]


@pytest.mark.parametrize("arguments", ["{", '{"amount": 1, "amount": 2}', "[1]", "nope", '{"amount": NaN}'])
def test_arguments_that_cannot_be_read_are_refused_and_nobody_is_asked(arguments: str) -> None:
    tools = Tools()
    shop = agent([function_call("pay", arguments, call_id="c1")], "done", tools=tools)
    result = play(guarded(shop, session(), reviewer="fay"))
    assert not result.interruptions
    assert not tools.ran
    assert "arguments" in outputs(result)[0]


def test_a_call_without_arguments_asks_nobody() -> None:
    tools = Tools()
    shop = agent([function_call("look", "", call_id="c0")], [function_call("drop", "", call_id="c1")], "done",
                 tools=tools)  # fmt: skip
    assert play(guarded(shop, session())).final_output == "done"


def test_parallel_calls_are_judged_each() -> None:
    tools = Tools()
    calls = [("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), ("pay", {"amount": 5}, "c3")]
    result = play(guarded(agent(calls, "done", tools=tools), session()))
    assert sorted(name for name, _ in tools.ran) == ["look", "pay"]
    assert len(outputs(result)) == 3


def test_a_failed_call_is_given_back_and_its_message_judged() -> None:
    tools = Tools()
    shop = agent(("broken", {}, "c1"), ("broken", {}, "c2"), "done", tools=tools)
    result = play(guarded(shop, session()))
    assert len(tools.ran) == 2
    assert outputs(result) == ["it broke at [REDACTED]"] * 2


def test_a_tool_that_raises_out_of_the_run_is_given_back() -> None:
    async def fail(_: Any, __: str) -> str:
        raise RuntimeError("boom")

    s = session()
    broken = FunctionTool(name="pay", description="", params_json_schema={}, on_invoke_tool=fail,
                          strict_json_schema=False)  # fmt: skip
    with pytest.raises(Exception, match="boom"):
        play(guarded(agent(("pay", {"amount": 5}, "c1"), tools=[broken]), s))
    assert used(s) == 0


def test_a_tool_that_takes_too_long_is_given_back() -> None:
    async def wait(_: Any, __: str) -> str:
        await asyncio.sleep(30)
        return ""

    s = session()
    slow = FunctionTool(name="pay", description="", params_json_schema={}, on_invoke_tool=wait,
                        strict_json_schema=False, timeout_seconds=0.05)  # fmt: skip
    result = play(guarded(agent(("pay", {"amount": 5}, "c1"), "done", tools=[slow]), s))
    assert "timed out" in outputs(result)[0]
    assert used(s) == 0


# --- people ------------------------------------------------------------------------------------

ASKING = ("pay", {"amount": 90}, "c1")


def resumed(agent: Any, result: Any, *, approve: bool, **how: Any) -> Any:
    async def go() -> Any:
        state = await RunState.from_string(agent, result.to_state().to_string())
        item = state.get_interruptions()[0]
        state.approve(item, **how) if approve else state.reject(item, **how)
        return await Runner.run(agent, state, run_config=QUIET)

    return asyncio.run(go())


def test_an_ask_interrupts_and_runs_on_once_it_is_approved() -> None:
    tools, s = Tools(), session()
    shop = guarded(agent(ASKING, "done", tools=tools), s, reviewer="fay")
    result = play(shop)
    asked = questions(result)[0]
    assert (asked["tool"], asked["args"], asked["reviewers"]) == ("pay", {"amount": 90}, ["finance"])
    assert not tools.ran
    result = resumed(shop, result, approve=True)
    assert tools.ran == [("pay", (90.0, ""))]
    assert result.final_output == "done"
    assert used(s) == 90


def test_a_call_that_is_rejected_does_not_run() -> None:
    tools, s = Tools(), session()
    shop = guarded(agent(ASKING, "done", tools=tools), s, reviewer="fay")
    result = play(shop)
    request = questions(result)[0]["request"]
    result = resumed(shop, result, approve=False, rejection_message="not today")
    assert not tools.ran
    assert outputs(result) == ["not today"]
    kept = s.guard.approvals.get(request)
    assert "denied" in repr(kept.state).lower()


@pytest.mark.parametrize(("reviewer", "why"), [("bob", "not asked"), ("ana", "four eyes"), ("", "say `by`")])
def test_an_answer_that_does_not_count_lets_nothing_through(reviewer: str, why: str) -> None:
    tools = Tools()
    shop = guarded(agent(ASKING, "done", tools=tools), session(), reviewer=reviewer)
    result = resumed(shop, play(shop), approve=True)
    assert not tools.ran
    assert why in outputs(result)[0]


def test_the_reviewer_may_be_told_by_the_context() -> None:
    tools = Tools()
    shop = guarded(agent(ASKING, "done", tools=tools), session(), reviewer=lambda run: run.context["by"])
    result = play(shop, context={"by": "gus"})
    assert resumed(shop, result, approve=True).final_output == "done"
    assert len(tools.ran) == 1


def test_an_approval_that_people_gave_elsewhere_counts() -> None:
    tools, s = Tools(), session()
    shop = guarded(agent(ASKING, "done", tools=tools), s)
    result = play(shop)
    s.guard.approvals.approve(questions(result)[0]["request"], by="gus")
    resumed(shop, result, approve=True)
    assert len(tools.ran) == 1


def test_always_is_no_answer_to_what_nobody_saw() -> None:
    tools = Tools()
    shop = guarded(
        agent(ASKING, ("pay", {"amount": 95}, "c2"), "done", tools=tools), session(), reviewer="fay"
    )
    result = resumed(shop, play(shop), approve=True, always_approve=True)
    assert all(args != (95.0, "") for _, args in tools.ran)
    assert "needs approval" in outputs(result)[-1]


def test_a_run_is_resumed_in_another_process(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'guard.db'}"
    tools = Tools()
    calls = [ASKING, ("look", {"what": "x"}, "c2"), ("pay", {"amount": 7}, "c3")]
    result = play(guarded(agent(calls, tools=tools), session(store=store), reviewer="fay"))
    text = result.to_state().to_string()
    again, s = Tools(), session(store=store)

    async def go() -> Any:
        shop = guarded(agent("done", tools=again), s, reviewer="fay")
        state = await RunState.from_string(shop, text)
        state.approve(state.get_interruptions()[0])
        return await Runner.run(shop, state, run_config=QUIET)

    result = asyncio.run(go())
    assert result.final_output == "done"
    assert sorted(name for name, _ in tools.ran + again.ran) == ["look", "pay", "pay"]
    assert used(s) == 97


def test_a_rejection_in_another_process_is_no_skipped_check(tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'guard.db'}"
    text = play(guarded(agent(ASKING), session(store=store), reviewer="fay")).to_state().to_string()
    tools = Tools()

    async def go() -> Any:
        shop = guarded(agent("done", tools=tools), session(store=store), reviewer="fay")
        state = await RunState.from_string(shop, text)
        state.reject(state.get_interruptions()[0])
        return await Runner.run(shop, state, run_config=QUIET)

    assert asyncio.run(go()).final_output == "done"
    assert not tools.ran


def test_what_a_tool_itself_wants_approved_still_is() -> None:
    ran: list[int] = []

    @function_tool(needs_approval=True)
    def look() -> str:
        ran.append(1)
        return "seen"

    s = session()
    shop = guarded(agent(("look", {}, "c1"), "done", tools=[look]), s)
    result = play(shop)
    assert len(result.interruptions) == 1
    assert questions(result) == [{}]
    assert resumed(shop, result, approve=True).final_output == "done"
    assert ran == [1]
    other = guarded(agent(("look", {}, "c1"), "done", tools=[look]), session())
    assert resumed(other, play(other), approve=False).final_output == "done"
    assert ran == [1]


def test_what_nobody_approved_for_the_tool_itself_is_given_back() -> None:
    tools, s = Tools(), session()
    tools.all[0].needs_approval = True
    shop = guarded(agent(("pay", {"amount": 5}, "c1"), "done", tools=tools), s)
    resumed(shop, play(shop), approve=False)
    assert not tools.ran
    assert used(s) == 0


def test_a_check_of_the_tools_own_gives_the_call_back() -> None:
    @tool_input_guardrail
    def never(data: Any) -> ToolGuardrailFunctionOutput:
        return ToolGuardrailFunctionOutput.reject_content("own no")

    tools, s = Tools(), session()
    tools.all[0].tool_input_guardrails = [never]
    result = play(guarded(agent(("pay", {"amount": 5}, "c1"), "done", tools=tools), s))
    assert not tools.ran
    assert outputs(result) == ["own no"]
    assert used(s) == 0


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", ["attack", [{"type": "input_text", "text": "attack"}]])
def test_an_input_that_is_denied_does_not_reach_the_model(content: Any) -> None:
    shop = agent("done")
    result = play(guarded(shop, session()), [{"role": "user", "content": content}])
    assert not shop.model.calls
    assert "No attacks" in result.final_output


def test_an_input_that_is_denied_is_told_in_a_stream() -> None:
    shop = agent("done")
    pieces, _, final = asyncio.run(heard(guarded(shop, session()), "attack"))
    assert not shop.model.calls
    assert pieces == final
    assert "No attacks" in final


def test_an_agent_that_answers_in_a_form_raises_where_its_input_is_denied() -> None:
    with pytest.raises(Denied, match="No attacks"):
        play(guarded(agent("{}", output_type=Found), session()), "attack")


@pytest.mark.parametrize(
    "content",
    ["card-12", [{"type": "input_text", "text": "card-12"}, {"type": "input_image", "image_url": "u"}]],
)
def test_the_model_reads_an_input_as_the_policy_changed_it(content: Any) -> None:
    shop = agent(("look", {"what": "x"}, "c1"), "done")
    play(guarded(shop, session()), [{"role": "user", "content": content}])
    assert len(shop.model.calls) == 2
    assert "card-12" not in repr(shop.model.calls)


def test_messages_are_judged_once_and_in_every_run_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    own = Mediation.ainput

    async def ainput(self: Any, text: str, **more: Any) -> Any:
        judged.append(text)
        return await own(self, text, **more)

    monkeypatch.setattr(Mediation, "ainput", ainput)
    shop = guarded(agent(("look", {"what": "x"}, "c1"), "one", "two"), session())

    async def go() -> None:
        memory = SQLiteSession("m")
        await Runner.run(shop, "first", session=memory, run_config=QUIET)
        await Runner.run(shop, "second", session=memory, run_config=QUIET)

    asyncio.run(go())
    assert judged == ["first", "second"]


def test_a_message_that_was_denied_does_not_end_the_conversation() -> None:
    shop = agent("fine")
    copied = guarded(shop, session())

    async def go() -> Any:
        memory = SQLiteSession("m")
        await Runner.run(copied, "attack", session=memory, run_config=QUIET)
        return await Runner.run(copied, "sorry", session=memory, run_config=QUIET)

    assert asyncio.run(go()).final_output == "fine"
    assert '"content": "attack"' not in repr(shop.model.last_call.input)
    assert "{'content': 'attack'" not in repr(shop.model.last_call.input)


def test_every_copy_of_an_answer_is_redacted() -> None:
    result = play(guarded(agent(SECRET), session()))
    assert result.final_output == "it is [REDACTED] here"
    assert "secret-77" not in repr([result.new_items, result.raw_responses, result.to_input_list()])


def test_an_answer_that_is_denied_is_replaced_by_the_reason() -> None:
    result = play(guarded(agent("forbidden words"), session()))
    assert "Not said" in result.final_output
    assert "forbidden words" not in repr(result.raw_responses)


def test_a_secret_over_several_parts_of_an_answer_is_found() -> None:
    result = play(guarded(agent([parted("it is secr", "et-77 here")]), session()))
    assert "et-77" not in repr([result.final_output, result.new_items])


def test_a_structured_answer_is_judged_as_its_text() -> None:
    result = play(guarded(agent('{"text": "secret-77"}', output_type=Found), session()))
    assert result.final_output == Found(text="[REDACTED]")
    with pytest.raises(Denied, match="Not said"):
        play(guarded(agent('{"text": "forbidden"}', output_type=Found), session()))


def test_what_a_model_thinks_aloud_is_judged_too() -> None:
    thinking = {"type": "reasoning", "id": "r", "summary": [{"type": "summary_text", "text": "secret-77"}]}
    result = play(guarded(agent([thinking, assistant_message("done")]), session()))
    assert "secret-77" not in repr([result.new_items, result.raw_responses])


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_thoughts_leak_nothing_in_a_stream(mode: str) -> None:
    for cut in range(1, len(SECRET)):
        step = fakes.thinking(SECRET[:cut], SECRET[cut:])
        _, rest, final = asyncio.run(heard(guarded(agent(step), session(), streaming=mode)))
        assert "secret-77" not in rest
        assert "[REDACTED]" in rest
        assert final == "so be it"


def test_an_event_of_a_kind_that_nobody_knows_is_dropped() -> None:
    step = streamed(assistant_message("fine"), [(0, "fine")])
    events = list(step.stream_events)  # type: ignore[arg-type]
    events.insert(2, fakes.Unknown(type="response.new_kind.delta", delta=SECRET))
    _, rest, final = asyncio.run(heard(guarded(agent(fakes.ModelStep.stream(events)), session())))
    assert final == "fine"
    assert "secret-77" not in rest


def test_the_synchronous_runner_is_guarded_alike() -> None:
    assert Runner.run_sync(guarded(agent(SECRET), session()), "x", run_config=QUIET).final_output == (
        "it is [REDACTED] here"
    )


def test_runs_of_one_session_at_the_same_time_do_not_mix() -> None:
    s, tools = session(), Tools()

    async def go() -> list[Any]:
        shops = [guarded(agent(("pay", {"amount": 5}, f"c{at}"), SECRET, tools=tools), s) for at in range(8)]
        return [each.final_output for each in await asyncio.gather(*(run(shop) for shop in shops))]

    assert asyncio.run(go()) == ["it is [REDACTED] here"] * 8
    assert used(s) == 40


@pytest.mark.parametrize("behavior", ["stop_on_first_tool", {"stop_at_tool_names": ["look"]}])
def test_a_result_that_is_the_answer_is_judged_as_one(behavior: Any) -> None:
    @function_tool
    def look() -> str:
        return "forbidden words"

    result = play(guarded(agent(("look", {}, "c1"), tools=[look], tool_use_behavior=behavior), session()))
    assert "Not said" in result.final_output


def test_a_budget_that_is_used_up_stops_the_calls() -> None:
    tools = Tools()
    first = fakes.ModelResponse([function_call("look", '{"what": "x"}', call_id="c1")],
                                Usage(input_tokens=600, output_tokens=600), None)  # fmt: skip
    result = play(guarded(agent(first, ("look", {"what": "y"}, "c2"), "done", tools=tools), session()))
    assert not tools.ran
    assert "denied" in outputs(result)[0]


def test_what_a_streamed_answer_used_is_charged() -> None:
    tools = Tools()
    step = streamed(assistant_message("hi"), [(0, "hi")])
    step.stream_events[-1].response.usage = {  # type: ignore[union-attr,index]
        "input_tokens": 900, "output_tokens": 200, "total_tokens": 1100,
        "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0},
    }  # fmt: skip
    from openai.types.responses import ResponseUsage

    response = step.stream_events[-1].response  # type: ignore[union-attr,index]
    response.usage = ResponseUsage.model_validate(
        {**response.usage, "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    )
    s = session()
    asyncio.run(heard(guarded(agent(step, tools=tools), s)))
    play(guarded(agent(("look", {"what": "x"}, "c1"), "done", tools=tools), s))
    assert not tools.ran


# --- streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["whole", "pieces"])
@pytest.mark.parametrize("with_output", [True, False])
def test_streams_leak_nothing_however_they_are_cut(mode: str, with_output: bool) -> None:  # noqa: FBT001
    s = session()
    for cut in range(len(SECRET) + 1):
        pieces = [(0, each) for each in (SECRET[:cut], SECRET[cut:]) if each]
        step = streamed(assistant_message(SECRET), pieces, with_output=with_output)
        shown, rest, final = asyncio.run(heard(guarded(agent(step), s, streaming=mode)))
        assert "secret-77" not in shown + rest
        assert shown == final == "it is [REDACTED] here"


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_streams_in_single_letters_and_parts_leak_nothing(mode: str) -> None:
    for cut in range(1, len(SECRET)):
        message = parted(SECRET[:cut], SECRET[cut:])
        pieces = [(0, each) for each in SECRET[:cut]] + [(1, each) for each in SECRET[cut:]]
        shown, rest, final = asyncio.run(
            heard(guarded(agent(streamed(message, pieces)), session(), streaming=mode))
        )
        assert shown == final == "it is [REDACTED] here"
        assert "secret-77" not in rest


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_a_stream_whose_items_say_something_else_is_judged_by_both(mode: str) -> None:
    step = streamed(assistant_message(SECRET), [(0, "all is fine")])
    shown, rest, _ = asyncio.run(heard(guarded(agent(step), session(), streaming=mode)))
    assert "secret-77" not in shown + rest


def test_pieces_go_on_before_the_end() -> None:
    text = "a long text of many words " * 20 + SECRET
    step = streamed(assistant_message(text), [(0, text[at : at + 9]) for at in range(0, len(text), 9)])

    async def count(mode: str) -> int:
        result = Runner.run_streamed(guarded(agent(step), session(), streaming=mode), "x", run_config=QUIET)
        kinds = [
            event.data.type async for event in result.stream_events() if event.type == "raw_response_event"
        ]
        return kinds.count("response.output_text.delta")

    assert asyncio.run(count("whole")) == 1
    assert asyncio.run(count("pieces")) > 5


def test_an_answer_that_is_denied_leaves_no_piece_of_it() -> None:
    step = streamed(assistant_message("forbidden words"), [(0, "forbidden"), (0, " words")])
    shown, rest, final = asyncio.run(heard(guarded(agent(step), session())))
    assert "forbidden words" not in shown + rest
    assert "Not said" in final


def test_calls_are_judged_in_a_stream_as_well() -> None:
    tools = Tools()
    shop = agent(("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), "done", tools=tools)
    _, rest, final = asyncio.run(heard(guarded(shop, session())))
    assert tools.ran == [("look", "x")]
    assert "secret-12" not in rest
    assert final == "done"


# --- several agents ----------------------------------------------------------------------------


def test_a_handoff_leads_to_a_guarded_agent() -> None:
    tools = Tools()
    desk = agent(("drop", {}, "c2"), SECRET, tools=tools)
    desk.name = "desk"
    front = Agent(name="front", model=fakes.model(("transfer_to_desk", {}, "c1")), handoffs=[desk])
    result = play(guarded(front, session()))
    assert not tools.ran
    assert result.final_output == "it is [REDACTED] here"
    assert result.last_agent.name == "desk"


def test_a_handoff_that_is_denied_stays_where_it_is() -> None:
    other = agent("I am the other")
    other.name = "forbidden"
    front = Agent(name="front", model=fakes.model(("transfer_to_forbidden", {}, "c1"), "so be it"),
                  handoffs=[handoff(other)])  # fmt: skip
    result = play(guarded(front, session()))
    assert result.last_agent.name == "front"
    assert not other.model.calls  # type: ignore[union-attr]
    assert "Not there" in repr(result.to_input_list())


def test_a_second_handoff_at_once_is_no_skipped_check() -> None:
    desk, other = agent("at the desk"), agent("at the other")
    desk.name, other.name = "desk", "other"
    calls = [("transfer_to_desk", {}, "c1"), ("transfer_to_other", {}, "c2")]
    front = Agent(name="front", model=fakes.model(calls), handoffs=[desk, other])
    assert play(guarded(front, session())).final_output == "at the desk"


def test_agents_that_hand_over_to_each_other_are_copied_once() -> None:
    one, two = agent("one"), agent("two")
    one.name, two.name = "one", "two"
    one.handoffs, two.handoffs = [two], [handoff(one)]
    copied = guarded(one, session())
    target = copied.handoffs[0]._agent_ref()
    assert target.handoffs[0]._agent_ref() is copied


def helper(*steps: Any, tools: Any = None) -> Any:
    desk = agent(*steps, tools=tools)
    desk.name = "desk"
    return desk.as_tool("help_desk", "Help.")


def test_an_agent_as_a_tool_is_guarded_too() -> None:
    tools = Tools()
    help_desk = helper(("drop", {}, "c2"), ("look", {"what": "x"}, "c3"), SECRET, tools=tools)
    front = agent(("help_desk", {"input": "go"}, "c1"), "done", tools=[help_desk])
    result = play(guarded(front, session()))
    assert tools.ran == [("look", "x")]
    assert outputs(result) == ["it is [REDACTED] here"]


def test_a_halt_in_an_agent_that_is_a_tool_ends_the_run_around_it() -> None:
    front = agent(("help_desk", {"input": "go"}, "c1"), "done", tools=[helper(("burn", {}, "c2"), "x")])
    with pytest.raises(Halted):
        play(guarded(front, session()))
    assert len(front.model.calls) == 1  # type: ignore[union-attr]


def test_an_ask_in_an_agent_that_is_a_tool_interrupts_the_run_around_it() -> None:
    tools, s = Tools(), session()
    front = agent(("help_desk", {"input": "go"}, "c0"), "done",
                  tools=[helper(ASKING, "helped", tools=tools)])  # fmt: skip
    shop = guarded(front, s, reviewer="fay")
    result = play(shop)
    assert questions(result)[0]["tool"] == "pay"
    assert not tools.ran
    result = resumed(shop, result, approve=True)
    assert result.final_output == "done"
    assert len(tools.ran) == 1
    assert used(s) == 90


def test_an_agent_that_cannot_be_reached_is_refused() -> None:
    tool = helper("x")
    tool.on_invoke_tool._invoke_tool_impl = lambda *_: None
    with pytest.raises(EvaluationError, match=r"as_tool"):
        guarded(agent("x", tools=[tool]), session())


def test_sessions_are_found_by_the_context_of_a_run() -> None:
    g = fakes.guard()
    sessions = {name: g.session(id=name, principal={"id": name}) for name in ("a", "b")}
    tools = Tools()
    shop = guarded(agent(("burn", {}, "c1"), "still here", tools=tools), lambda run: sessions[run.context])
    with pytest.raises(Halted):
        play(shop, context="a")
    assert play(shop, context="b").final_output == "still here"


# --- nothing goes past -------------------------------------------------------------------------


def test_tools_of_the_provider_are_refused_unless_they_are_named() -> None:
    shop = agent("x", tools=[WebSearchTool()])
    with pytest.raises(EvaluationError, match="unchecked"):
        guarded(shop, session())
    copied = guarded(shop, session(), unchecked={"web_search"})
    assert [each.is_covered for each in covered(copied)] == [False]
    with pytest.raises(EvaluationError, match="code_interpreter"):
        copied.tools = [CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": "c"})]


def test_what_a_provider_ran_of_its_own_accord_is_noticed() -> None:
    search = ResponseFunctionWebSearch.model_validate(
        {
            "id": "w",
            "type": "web_search_call",
            "status": "completed",
            "action": {"type": "search", "query": "q"},
        }
    )
    with pytest.raises(Unmediated, match="provider"):
        play(guarded(agent([search, assistant_message("found")]), session()))


def test_coverage_tells_what_is_checked() -> None:
    shop = agent(
        "x", tools=[*Tools().all, helper("y")], handoffs=[Agent(name="other", tools=Tools().all[:1])]
    )
    assert not any(each.is_covered for each in covered(shop))
    lines = covered(guarded(shop, session()))
    assert all(each.is_covered for each in lines)
    assert {"pay", "help_desk", "transfer_to_other"} <= {each.tool for each in lines}


def test_tools_that_are_put_in_later_are_checked_too() -> None:
    tools = Tools()
    shop = guarded(agent(("drop", {}, "c1"), "done", tools=[]), session())
    shop.tools.append(tools.all[2])
    play(shop)
    assert not tools.ran
    play(guarded(agent("x"), session()).clone(model=fakes.model(("drop", {}, "c1"), "done"), tools=tools.all))
    assert not tools.ran


def mcp_server(ran: list[Any]) -> Any:
    from agents.mcp import MCPServer
    from mcp.types import CallToolResult, TextContent, Tool

    class Shelf(MCPServer):
        name = "shelf"

        async def connect(self) -> None: ...
        async def cleanup(self) -> None: ...

        async def list_tools(self, run_context: Any = None, agent: Any = None) -> Any:
            schema = {"type": "object", "properties": {}}
            return [Tool.model_validate({"name": name, "inputSchema": schema}) for name in ("look", "drop")]

        async def call_tool(self, tool_name: str, arguments: Any, meta: Any = None) -> Any:
            ran.append(tool_name)
            return CallToolResult(content=[TextContent(type="text", text="secret-8")])

        async def list_prompts(self) -> Any: ...
        async def get_prompt(self, name: str, arguments: Any = None) -> Any: ...

    return Shelf()


def test_tools_of_mcp_servers_are_checked() -> None:
    ran: list[Any] = []
    shop = agent(("drop", {}, "c1"), ("look", {}, "c2"), "done", tools=[], mcp_servers=[mcp_server(ran)])
    result = play(guarded(shop, session()))
    assert ran == ["look"]
    assert "denied" in outputs(result)[0]
    assert "secret-8" not in repr([result.new_items, shop.model.last_call.input])  # type: ignore[union-attr]


@pytest.mark.parametrize("streaming", [True, False])
def test_another_model_in_the_settings_of_a_run_reads_nothing_and_is_noticed(streaming: bool) -> None:  # noqa: FBT001
    other = fakes.model(SECRET)
    shop = guarded(agent("done"), session())
    config = RunConfig(tracing_disabled=True, model=other)

    async def go() -> None:
        if streaming:
            result = Runner.run_streamed(shop, "my card-12", run_config=config)
            async for _ in result.stream_events():
                pass
        else:
            await Runner.run(shop, "my card-12", run_config=config)

    with pytest.raises(Unmediated, match="answer"):
        asyncio.run(go())
    assert "card-12" not in repr(other.last_call.input)  # type: ignore[union-attr]


def test_hooks_that_are_gone_are_noticed() -> None:
    shop = guarded(agent("done"), session())
    object.__setattr__(shop, "hooks", None)
    with pytest.raises(Unmediated, match="no hook"):
        play(shop)


def test_a_model_that_is_not_guarded_is_noticed() -> None:
    shop = guarded(agent("done"), session())
    object.__setattr__(shop, "model", shop.model.wrapped)  # type: ignore[union-attr]
    with pytest.raises(Unmediated, match="answer"):
        play(shop)


def test_a_model_that_is_not_guarded_runs_no_tool() -> None:
    tools = Tools()
    shop = guarded(agent("x", tools=tools), session())
    other = fakes.model([assistant_message(SECRET), function_call("look", '{"what": "x"}', call_id="c1")])
    with pytest.raises(Unmediated, match="answer"):
        asyncio.run(Runner.run(shop, "hi", run_config=RunConfig(tracing_disabled=True, model=other)))
    assert not tools.ran


def test_traces_are_not_told_what_was_said() -> None:
    told: list[Any] = []

    class Listening(Model):
        async def get_response(self, *given: Any, **more: Any) -> Any:
            told.append(given[6])
            return fakes.said("hi")

        def stream_response(self, *given: Any, **more: Any) -> Any:
            raise NotImplementedError

    shop = guarded(Agent(name="a", model=Listening()), session())
    with trace("test", disabled=True):
        asyncio.run(Runner.run(shop, "hi"))
    assert told == [ModelTracing.ENABLED_WITHOUT_DATA]


def test_a_tool_that_is_not_guarded_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    tools = Tools()
    shop = guarded(agent(("look", {"what": "x"}, "c1"), "done", tools=tools), session())

    async def bare(self: Any, run_context: Any) -> Any:
        return tools.all

    monkeypatch.setattr(type(shop), "get_all_tools", bare)
    with pytest.raises(Unmediated, match="about to run"):
        play(shop)
    assert not tools.ran


def test_a_result_that_nobody_judged_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.integrations.openai_agents.tools import Invocation

    async def call(self: Any, context: Any, arguments: str) -> str:
        return "secret-5"

    monkeypatch.setattr(Invocation, "__call__", call)
    shop = agent(("look", {"what": "x"}, "c1"), "done")
    with pytest.raises(Unmediated, match="not checked"):
        play(guarded(shop, session()))
    assert len(shop.model.calls) == 1  # type: ignore[union-attr]


def test_an_agent_that_is_not_guarded_does_not_take_over() -> None:
    other = Agent(name="other", model=fakes.model("I am in"))
    shop = guarded(Agent(name="front", model=fakes.model(("transfer_to_other", {}, "c1"))), session())
    shop.handoffs.append(other)
    with pytest.raises(Unmediated, match="take over"):
        play(shop)
    assert not other.model.calls  # type: ignore[union-attr]


def test_a_conversation_from_before_is_no_skipped_check() -> None:
    history = play(agent(("look", {"what": "x"}, "c1"), "done")).to_input_list()
    shop = guarded(agent("fine"), session())
    assert play(shop, [*history, {"role": "user", "content": "and now?"}]).final_output == "fine"


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


@pytest.mark.parametrize("seam", ["check_call", "acheck_call"])
def test_a_check_of_calls_that_breaks_keeps_the_tool_from_running(seam: str) -> None:
    tools, s = Tools(), session()
    setattr(s, seam, broken)
    s.acheck_call = broken
    play(guarded(agent(("look", {"what": "x"}, "c1"), "done", tools=tools), s))
    assert not tools.ran


@pytest.mark.parametrize(("seam", "calls"), [("acheck_input", 0), ("acheck_output", 1)])
def test_a_check_of_texts_that_breaks_lets_nothing_out(seam: str, calls: int) -> None:
    s, shop = session(), agent(SECRET)
    setattr(s, seam, broken)
    result = play(guarded(shop, s))
    assert len(shop.model.calls) == calls  # type: ignore[union-attr]
    assert "secret-77" not in repr([result.new_items, result.raw_responses, result.final_output])
    assert "could not decide" in result.final_output


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_a_check_of_a_stream_that_breaks_lets_nothing_out(mode: str) -> None:
    s = session()
    s.check_output = s.acheck_output = s.stream_output = broken
    step = streamed(assistant_message(SECRET), [(0, SECRET)])
    result = Runner.run_streamed  # the pieces are looked at even where the run fails
    seen: list[Any] = []

    async def go() -> None:
        stream = result(guarded(agent(step), s, streaming=mode), "x", run_config=QUIET)
        async for event in stream.stream_events():
            seen.append(getattr(event, "data", event))

    if mode == "pieces":
        with pytest.raises(RuntimeError, match="boom"):
            asyncio.run(go())
    else:
        asyncio.run(go())
    assert "secret-77" not in repr(seen)


SEAMS = [name for name in vars(Mediation) if not name.startswith("__")]


@pytest.mark.parametrize("where", ["call", "stream"])
@pytest.mark.parametrize("seam", SEAMS)
def test_whatever_breaks_nothing_runs_unjudged_and_nothing_leaves(
    seam: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mediation, seam, broken)
    tools = Tools()
    shop = agent(("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), SECRET, tools=tools)
    seen = asyncio.run(_all_that_is_seen(guarded(shop, session()), where))
    assert all(name == "look" for name, _ in tools.ran)
    assert "secret-" not in seen + repr(shop.model.calls)  # type: ignore[union-attr]


async def _all_that_is_seen(shop: Any, where: str) -> str:
    seen: list[Any] = []
    try:
        if where == "call":
            result = await run(shop)
            seen += [result.new_items, result.raw_responses, result.final_output]
        else:
            stream = Runner.run_streamed(shop, "hello", run_config=QUIET)
            async for event in stream.stream_events():
                seen.append(getattr(event, "data", None) or getattr(event, "item", None))
    except Exception as error:
        seen.append(str(error))
    return repr(seen)


def test_a_check_of_results_that_breaks_withholds_the_result() -> None:
    s, shop = session(), agent(("look", {"what": "x"}, "c1"), "done")
    s.acheck_result = broken
    play(guarded(shop, s))
    assert "secret-12" not in repr(shop.model.last_call.input)  # type: ignore[union-attr]


def test_a_session_that_is_not_found_ends_the_run() -> None:
    tools = Tools()
    shop = agent(("look", {"what": "x"}, "c1"), "done", tools=tools)
    with pytest.raises(RuntimeError, match="boom"):
        play(guarded(shop, broken))
    assert not tools.ran
    assert not shop.model.calls  # type: ignore[union-attr]


def test_a_store_that_does_not_answer_refuses() -> None:
    tools = Tools()
    shop = agent(("pay", {"amount": 5}, "c1"), "done", tools=tools)
    result = play(guarded(shop, session(store="redis://127.0.0.1:1")))
    assert not tools.ran
    assert "store" in repr(outputs(result)) + str(result.final_output)


def test_a_model_is_found_by_its_name() -> None:
    inner = fakes.model("by name")

    class Provider:
        def get_model(self, name: Any) -> Any:
            assert name == "tiny"
            return inner

    shop = guarded(Agent(name="a", model="tiny"), session(), provider=Provider())
    assert play(shop).final_output == "by name"
    assert isinstance(shop.model, GuardedModel)
    assert shop.model.name == "tiny"


def test_guard_is_what_the_documentation_says() -> None:
    assert isinstance(fakes.guard(), Guard)
    with pytest.raises(EvaluationError, match="whole"):
        guarded(agent("x"), session(), streaming="fast")
    with pytest.raises(EvaluationError, match="no agent"):
        guarded(7, session())  # type: ignore[arg-type]
