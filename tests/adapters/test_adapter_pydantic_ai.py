"""The adapter for Pydantic AI, with the framework's own agent and its function model."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("pydantic_ai")

import pydantic_ai_fakes as fakes
from pydantic import BaseModel
from pydantic_ai import (
    Agent,
    CallDeferred,
    DeferredToolRequests,
    DeferredToolResults,
    ModelMessagesTypeAdapter,
    ModelRetry,
    ToolApproved,
    ToolDenied,
    ToolReturn,
)
from pydantic_ai.capabilities import AbstractCapability, Hooks
from pydantic_ai.exceptions import ToolFailed, UserError
from pydantic_ai.messages import (
    ModelResponse,
    NativeToolCallPart,
    TextContent,
    TextPart,
    ThinkingPart,
    UserPromptPart,
)
from pydantic_ai.native_tools import WebSearchTool
from pydantic_ai.tools import Tool, ToolDefinition
from pydantic_ai.toolsets import ExternalToolset, FunctionToolset
from pydantic_ai_fakes import GuardCapability, Script, Tools, agent, returns, session, used

from guardrails.errors import Denied, EvaluationError, Halted
from guardrails.integrations.coverage import covered
from guardrails.integrations.mediation import Mediation
from guardrails.integrations.receipts import Unmediated

SECRET = "it is secret-77 here"
CLEAN = "it is [REDACTED] here"


def play(agent: Any, text: Any = "hello", **settings: Any) -> Any:
    return asyncio.run(agent.run(text, **settings))


# --- calls -------------------------------------------------------------------------------------


def test_an_allowed_call_runs_and_a_denied_one_does_not() -> None:
    tools = Tools()
    script = Script(("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), "done")
    result = play(agent(script, session(), tools))
    assert tools.ran == [("look", "x")]
    assert "the call of `drop` is denied" in returns(result)[1]
    assert result.output == "done"


def test_a_tool_runs_with_what_the_policy_made_of_its_arguments() -> None:
    tools = Tools()
    play(agent(Script(("pay", {"amount": 5, "note": "secret-1"}, "c1"), "done"), session(), tools))
    assert tools.ran == [("pay", (5.0, "[REDACTED]"))]


def test_what_is_judged_is_what_runs() -> None:
    tools, s = Tools(), session()
    play(agent(Script(("pay", {"amount": "50"}, "c1"), "done"), s, tools))
    assert tools.ran == [("pay", (50.0, ""))]
    assert used(s) == 50


def test_arguments_that_another_capability_changes_are_judged_as_they_run() -> None:
    async def more(_: Any, *, args: Any, **__: Any) -> Any:
        return {**args, "amount": 400.0}

    tools = Tools()
    script = Script(("pay", {"amount": 5}, "c1"), "done")
    with pytest.raises(UserError, match="DeferredToolRequests"):
        play(agent(script, session(), tools, others=[Hooks(before_tool_execute=more)]))
    assert not tools.ran


def test_every_copy_of_a_result_is_redacted() -> None:
    script = Script(("look", {"what": "x"}, "c1"), "done")
    result = play(agent(script, session()))
    assert "secret-12" not in repr(result.all_messages())
    assert "secret-12" not in script.read[-1]
    assert returns(result) == [{"found": "x [REDACTED]"}]


class Found(BaseModel):
    text: str


@dataclasses.dataclass
class Data:
    text: str


@pytest.mark.parametrize(
    "value",
    [
        Found(text="a secret-5"), Data("a secret-5"), {"text": ["secret-5"]}, ["secret-5"], '{"text": "secret-5"}',
        ToolReturn("a secret-5"), ToolReturn({"a": "secret-5"}, content="see secret-5", metadata={"m": "secret-5"}),
        ToolReturn("fine", content=[TextContent("see secret-5")]), [Found(text="secret-5")],
        ModelRetry("secret-5"), ToolFailed("secret-5"), b"secret-5", {"a": {1, 2}, "b": "secret-5"},
    ],
)  # fmt: skip
def test_results_of_every_kind_are_judged(value: Any) -> None:
    def leak() -> Any:
        if isinstance(value, Exception):
            raise value
        return value

    script = Script(("leak", {}, "c1"), "done")
    result = play(agent(script, session(), [leak]))
    assert "secret-5" not in repr(result.all_messages())
    assert result.output == "done"


def test_a_result_that_nothing_changes_is_the_tools_own() -> None:
    def leak() -> Any:
        return ToolReturn(Found(text="fine"), content="look at this", metadata={"kept": 1})

    result = play(agent(Script(("leak", {}, "c1"), "done"), session(), [leak]))
    assert returns(result) == [Found(text="fine")]
    assert "look at this" in repr(result.all_messages())
    assert "'kept': 1" in repr(result.all_messages())


def test_what_a_tool_gives_beside_its_result_is_no_word_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    own = Mediation.ainput

    async def ainput(self: Any, text: str, **more: Any) -> Any:
        judged.append(text)
        return await own(self, text, **more)

    monkeypatch.setattr(Mediation, "ainput", ainput)

    def leak() -> Any:
        return ToolReturn("a", content="an attack")

    assert play(agent(Script(("leak", {}, "c1"), "done"), session(), [leak])).output == "done"
    assert judged == ["hello"]


def test_a_halt_ends_the_run_and_stays() -> None:
    tools, s = Tools(), session()
    with pytest.raises(Halted, match="No"):
        play(agent(Script(("burn", {}, "c1"), "done"), s, tools))
    assert not tools.ran
    script = Script("done")
    assert "halted" in play(agent(script, s, tools)).output
    assert not script.read


def test_a_halt_that_another_capability_swallows_ends_the_run_all_the_same() -> None:
    async def swallow(_: Any, **__: Any) -> Any:
        return "nothing happened"

    script = Script(("burn", {}, "c1"), "done")
    with pytest.raises(Halted):
        play(agent(script, session(), others=[Hooks(tool_execute_error=swallow)]))
    assert len(script.read) == 1


@pytest.mark.parametrize("arguments", ["{", "[1]", "nope"])
def test_arguments_that_cannot_be_read_run_nothing(arguments: str) -> None:
    tools = Tools()
    assert play(agent(Script(("pay", arguments, "c1"), "done"), session(), tools)).output == "done"
    assert not tools.ran


def test_parallel_calls_are_judged_each() -> None:
    tools = Tools()
    calls = [("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), ("pay", {"amount": 5}, "c3")]
    result = play(agent(Script(calls, "done"), session(), tools))
    assert sorted(name for name, _ in tools.ran) == ["look", "pay"]
    assert len(returns(result)) == 3


@pytest.mark.parametrize("error", [ModelRetry("again"), ToolFailed("no"), RuntimeError("boom")])
def test_a_call_that_failed_is_given_back(error: Exception) -> None:
    def pay(amount: float) -> str:
        raise error

    s = session()
    shop = agent(Script(("pay", {"amount": 5}, "c1"), "done"), s, [pay])
    if isinstance(error, RuntimeError):
        with pytest.raises(RuntimeError, match="boom"):
            play(shop)
    else:
        assert play(shop).output == "done"
    assert used(s) == 0


# --- people ------------------------------------------------------------------------------------

ASKING = ("pay", {"amount": 90}, "c1")
EITHER = [str, DeferredToolRequests]


def asked(*steps: Any, tools: Any = None, s: Any = None, **how: Any) -> tuple[Any, Any]:
    shop = agent(Script(ASKING, *steps), s or session(), tools, output_type=EITHER, how=how)
    return shop, play(shop)


def resumed(shop: Any, result: Any, answer: Any, **more: Any) -> Any:
    history = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())
    results = DeferredToolResults(approvals={"c1": answer}, **more)
    return asyncio.run(shop.run(message_history=history, deferred_tool_results=results))


def test_an_ask_is_a_deferred_request_and_runs_once_it_is_approved() -> None:
    tools, s = Tools(), session()
    shop, result = asked("done", tools=tools, s=s, reviewer="fay")
    question = result.output.metadata["c1"]
    assert (question["tool"], question["reviewers"]) == ("pay", ["finance"])
    assert not tools.ran
    result = resumed(shop, result, True)
    assert tools.ran == [("pay", (90.0, ""))]
    assert result.output == "done"
    assert used(s) == 90


def test_a_call_that_is_rejected_does_not_run_and_the_request_is_closed() -> None:
    tools, s = Tools(), session()
    shop, result = asked("done", tools=tools, s=s, reviewer="fay")
    request = result.output.metadata["c1"]["request"]
    result = resumed(shop, result, ToolDenied("not today"))
    assert not tools.ran
    assert returns(result) == ["not today"]
    assert "denied" in repr(s.guard.approvals.get(request).state).lower()


@pytest.mark.parametrize(("reviewer", "why"), [("bob", "not asked"), ("ana", "four eyes"), ("", "say `by`")])
def test_an_answer_that_does_not_count_lets_nothing_through(reviewer: str, why: str) -> None:
    tools = Tools()
    shop, result = asked("done", tools=tools, reviewer=reviewer)
    result = resumed(shop, result, True)
    assert not tools.ran
    assert why in returns(result)[0]


def test_who_answers_can_be_said_with_the_answer_and_by_the_context() -> None:
    tools = Tools()
    shop, result = asked("done", tools=tools)
    resumed(shop, result, True, metadata={"c1": {"by": "gus"}})
    shop, result = asked("done", tools=tools, reviewer=lambda context: context.deps or "fay")
    resumed(shop, result, True)
    assert len(tools.ran) == 2


def test_an_approval_that_people_gave_elsewhere_counts() -> None:
    tools, s = Tools(), session()
    shop, result = asked("done", tools=tools, s=s)
    s.guard.approvals.approve(result.output.metadata["c1"]["request"], by="gus")
    resumed(shop, result, True)
    assert len(tools.ran) == 1


def test_edited_arguments_are_judged_as_another_call() -> None:
    tools, s = Tools(), session()
    shop, result = asked("done", tools=tools, s=s, reviewer="fay")
    resumed(shop, result, ToolApproved(override_args={"amount": 30}))
    assert tools.ran == [("pay", (30.0, ""))]
    assert used(s) == 30
    shop, result = asked("done", tools=tools, s=s, reviewer="fay")
    result = resumed(shop, result, ToolApproved(override_args={"amount": 900}))
    assert len(tools.ran) == 1
    assert "denied" in returns(result)[0]


def test_an_approval_is_used_once() -> None:
    tools = Tools()
    shop, result = asked("done", ("pay", {"amount": 90}, "c2"), tools=tools, reviewer="fay")
    result = resumed(shop, result, True)
    again = asyncio.run(shop.run("again", message_history=result.all_messages()))
    assert isinstance(again.output, DeferredToolRequests)
    assert len(tools.ran) == 1


@pytest.mark.parametrize("answer", [True, False])
def test_a_run_is_resumed_in_another_process(tmp_path: Path, answer: bool) -> None:  # noqa: FBT001
    store = f"sqlite:{tmp_path / 'guard.db'}"
    tools, again = Tools(), Tools()
    calls = [ASKING, ("look", {"what": "x"}, "c2"), ("pay", {"amount": 7}, "c3")]
    how = {"reviewer": "fay"}
    result = play(agent(Script(calls), session(store=store), tools, output_type=EITHER, how=how))
    s = session(store=store)
    shop = agent(Script("done"), s, again, output_type=EITHER, how=how)
    assert resumed(shop, result, answer).output == "done"
    assert sorted(name for name, _ in tools.ran + again.ran) == ["look", "pay", *(["pay"] if answer else [])]
    assert used(s) == (97 if answer else 7)


def test_an_inline_answer_needs_no_second_run() -> None:
    async def inline(_: Any, *, requests: Any) -> Any:
        return DeferredToolResults(approvals={each.tool_call_id: True for each in requests.approvals})

    tools = Tools()
    shop = agent(Script(ASKING, "done"), session(), tools, others=[Hooks(deferred_tool_calls=inline)],
                 how={"reviewer": "fay"})  # fmt: skip
    assert play(shop).output == "done"
    assert len(tools.ran) == 1


def test_what_a_tool_itself_wants_approved_still_is() -> None:
    tools = Tools()
    shop = agent(Script(("look", {"what": "x"}, "c1"), "done"), session(),
                 [Tool(tools.look, requires_approval=True)], output_type=EITHER)  # fmt: skip
    result = play(shop)
    assert not tools.ran
    assert resumed(shop, result, True).output == "done"
    assert len(tools.ran) == 1


# --- texts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["attack", ["attack"], [TextContent("attack")]])
def test_an_input_that_is_denied_does_not_reach_the_model(prompt: Any) -> None:
    script = Script("done")
    result = play(agent(script, session()), prompt)
    assert not script.read
    assert "No attacks" in result.output


def test_an_agent_that_answers_in_a_form_raises_where_its_input_is_denied() -> None:
    script = Script("done")
    with pytest.raises(Denied, match="No attacks"):
        play(agent(script, session(), output_type=Found), "attack")
    assert not script.read


@pytest.mark.parametrize("prompt", ["card-12", ["card-12", TextContent("my card-13")]])
def test_the_model_and_the_history_have_an_input_as_the_policy_changed_it(prompt: Any) -> None:
    script = Script(("look", {"what": "x"}, "c1"), "done")
    result = play(agent(script, session()), prompt)
    assert "card-1" not in repr(script.read)
    assert "card-1" not in repr(result.all_messages())


def test_what_other_capabilities_add_is_judged_too() -> None:
    class Late(AbstractCapability[Any]):
        async def prepare_model_request(self, ctx: Any, request_context: Any) -> Any:
            message = UserPromptPart("by the way: card-99")
            first = dataclasses.replace(request_context.messages[0], parts=[message])
            return dataclasses.replace(request_context, messages=[first])

    script = Script("done")
    play(agent(script, session(), others=[Late()]))
    assert "[REDACTED]" in script.read[0]
    assert "card-99" not in script.read[0]


def test_messages_are_judged_once_and_in_every_run_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    own = Mediation.ainput

    async def ainput(self: Any, text: str, **more: Any) -> Any:
        judged.append(text)
        return await own(self, text, **more)

    monkeypatch.setattr(Mediation, "ainput", ainput)
    shop = agent(Script(("look", {"what": "x"}, "c1"), "one", "two"), session())
    first = play(shop, "first card-1")
    play(shop, "second", message_history=first.all_messages())
    assert judged == ["first card-1", "second"]


def test_a_message_that_was_denied_does_not_end_the_conversation() -> None:
    script = Script("fine")
    shop = agent(script, session())
    first = play(shop, "attack now")
    result = play(shop, "sorry", message_history=first.all_messages())
    assert result.output == "fine"
    assert "attack now" not in script.read[-1]


def test_every_copy_of_an_answer_is_redacted() -> None:
    result = play(agent(Script(SECRET), session()))
    assert result.output == CLEAN
    assert "secret-77" not in repr(result.all_messages())


def test_an_answer_that_is_denied_is_replaced_by_the_reason() -> None:
    result = play(agent(Script("forbidden words"), session()))
    assert "Not said" in result.output
    assert "forbidden words" not in repr(result.all_messages())


def test_a_secret_over_several_parts_of_an_answer_is_found() -> None:
    result = play(agent(Script(["it is secr", "et-77 here"]), session()))
    assert "et-77" not in repr(result.all_messages())


def test_an_answer_in_a_form_is_judged_as_its_text() -> None:
    form = ("final_result", {"text": "secret-77"}, "c1")
    result = play(agent(Script(form), session(), output_type=Found))
    assert result.output == Found(text="[REDACTED]")
    assert "secret-77" not in repr(result.all_messages())
    with pytest.raises(Denied, match="Not said"):
        play(agent(Script(("final_result", {"text": "forbidden"}, "c1")), session(), output_type=Found))


def test_what_a_model_thinks_aloud_is_judged_too() -> None:
    result = play(agent(Script([ThinkingPart("secret-77"), "done"]), session()))
    assert "secret-77" not in repr(result.all_messages())


@pytest.mark.parametrize("mode", ["run", "whole", "pieces"])
def test_a_budget_that_is_used_up_stops_the_calls(mode: str) -> None:
    tools, s = Tools(), session()
    s.report(fakes_usage(99_995))
    script = Script(("look", {"what": "x"}, "c1"), "done")
    shop = agent(script, s, tools, how={} if mode == "run" else {"streaming": mode})
    if mode == "run":
        play(shop)
    else:
        asyncio.run(whole(shop, "delta"))
    assert not tools.ran


def test_runs_of_one_session_at_the_same_time_do_not_mix() -> None:
    s, tools = session(), Tools()

    async def go() -> list[Any]:
        shops = [agent(Script(("pay", {"amount": 5}, f"c{at}"), SECRET), s, tools) for at in range(8)]
        return [each.output for each in await asyncio.gather(*(shop.run("hello") for shop in shops))]

    assert asyncio.run(go()) == [CLEAN] * 8
    assert used(s) == 40


def fakes_usage(tokens: int) -> Any:
    from guardrails.runtime.usage import Usage

    return Usage("m", input_tokens=tokens)


# --- streams -----------------------------------------------------------------------------------


async def whole(shop: Any, api: str, text: str = "hello") -> tuple[str, str, Any]:
    """All that anybody could read of a streamed run: what was shown, everything else, and the answer."""
    seen: list[Any] = []
    if api in ("delta", "text", "output", "responses"):
        async with shop.run_stream(text) as stream:
            seen = [each async for each in _read(stream, api)]
            final = await stream.get_output()
            rest = repr([seen, stream.all_messages()])
        last = "".join(seen) if api == "delta" else getattr(seen[-1], "text", seen[-1])
        return str(last), rest, final

    async def handler(_: Any, events: Any) -> None:
        seen.extend([repr(event) async for event in events])

    if api == "handler":
        result = await shop.run(text, event_stream_handler=handler)
        final = result.output
    elif api == "events":
        async with shop.run_stream_events(text) as events:
            seen = [event async for event in events]
        final = seen[-1].result.output
    else:
        async with shop.iter(text) as run:
            async for node in run:
                if Agent.is_model_request_node(node):
                    async with node.stream(run.ctx) as stream:
                        seen.extend([repr(event) async for event in stream])
            final = run.result.output
    return str(final), repr(seen), final


def _read(stream: Any, api: str) -> Any:
    if api == "delta":
        return stream.stream_text(delta=True, debounce_by=None)
    if api == "text":
        return stream.stream_text(debounce_by=None)
    return (
        stream.stream_output(debounce_by=None)
        if api == "output"
        else stream.stream_response(debounce_by=None)
    )


APIS = ["delta", "text", "output", "responses", "handler", "events", "iter"]


@pytest.mark.parametrize("mode", ["whole", "pieces"])
@pytest.mark.parametrize("api", APIS)
def test_streams_leak_nothing_however_they_are_cut(api: str, mode: str) -> None:
    s = session()
    for cut in [None, *range(1, len(SECRET))]:
        shop = agent(Script(SECRET, cut=cut), s, [], how={"streaming": mode})
        shown, rest, final = asyncio.run(whole(shop, api))
        assert "secret-77" not in shown + rest
        assert shown == final == CLEAN


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_calls_thoughts_and_forms_are_judged_in_streams(mode: str) -> None:
    tools = Tools()
    script = Script([ThinkingPart("secret-77"), ("look", {"what": "x"}, "c1")],
                    ("final_result", {"text": "secret-77"}, "c2"))  # fmt: skip
    shop = agent(script, session(), tools, output_type=Found, how={"streaming": mode})
    _, rest, final = asyncio.run(whole(shop, "events"))
    assert final == Found(text="[REDACTED]")
    assert "secret-" not in rest
    assert tools.ran == [("look", "x")]


@pytest.mark.parametrize("mode", ["whole", "pieces"])
def test_an_answer_and_an_input_that_are_denied_are_told_in_streams(mode: str) -> None:
    for prompt, step in (("attack", "fine"), ("hello", "forbidden words")):
        shop = agent(Script(step, cut=9), session(), how={"streaming": mode})
        shown, rest, final = asyncio.run(whole(shop, "delta", prompt))
        assert shown == final
        assert "forbidden words" not in rest
        assert ("No attacks" if prompt == "attack" else "Not said") in final


def test_pieces_go_on_before_the_end() -> None:
    text = "a long text of many words " * 20 + SECRET

    async def count(mode: str) -> int:
        async with agent(Script(text), session(), how={"streaming": mode}).run_stream("x") as stream:
            return len([each async for each in stream.stream_text(delta=True, debounce_by=None)])

    assert asyncio.run(count("whole")) == 1
    assert asyncio.run(count("pieces")) > 5


def test_the_synchronous_ways_are_guarded_alike() -> None:
    assert agent(Script(SECRET), session()).run_sync("hello").output == CLEAN
    stream = agent(Script(SECRET), session()).run_stream_sync("hello")
    assert "".join(stream.stream_text(delta=True, debounce_by=None)) == CLEAN


# --- several agents ----------------------------------------------------------------------------


def test_an_agent_behind_a_tool_is_held_to_its_own_capability() -> None:
    tools, s = Tools(), session()
    inner = agent(Script(("drop", {}, "c2"), SECRET), s, tools)

    async def delegate(task: str) -> str:
        return str((await inner.run(task)).output)

    result = play(agent(Script(("delegate", {"task": "go"}, "c1"), "done"), s, [delegate]))
    assert not tools.ran
    assert returns(result) == [CLEAN]


def test_a_halt_in_an_agent_behind_a_tool_ends_the_run_around_it() -> None:
    s = session()
    inner = agent(Script(("burn", {}, "c2")), s)

    async def delegate() -> str:
        return str((await inner.run("go")).output)

    script = Script(("delegate", {}, "c1"), "done")
    with pytest.raises(Halted):
        play(agent(script, s, [delegate]))
    assert len(script.read) == 1


def test_sessions_are_found_by_the_context_of_a_run() -> None:
    g = fakes.guard()
    sessions = {name: g.session(id=name, principal={"id": name}) for name in ("a", "b")}
    script = Script(("burn", {}, "c1"), "still here")
    shop = agent(script, lambda context: sessions[context.deps], deps_type=str)
    with pytest.raises(Halted):
        play(shop, deps="a")
    assert play(shop, deps="b").output == "still here"


# --- nothing goes past -------------------------------------------------------------------------


def test_tools_of_the_provider_are_refused_unless_they_are_named() -> None:
    from pydantic_ai.capabilities import NativeTool

    script = Script("done")
    with pytest.raises(EvaluationError, match="unchecked"):
        play(agent(script, session(), others=[NativeTool(WebSearchTool())]))
    assert not script.read
    shop = agent(script, session(), others=[NativeTool(WebSearchTool())], how={"unchecked": ["web_search"]})
    assert [each.tool for each in covered(shop) if not each.is_covered] == ["web_search"]


def test_what_a_provider_ran_of_its_own_accord_is_noticed() -> None:
    ran = [NativeToolCallPart("web_search", {}, tool_call_id="n1"), TextPart("found")]
    with pytest.raises(EvaluationError, match="unchecked"):
        play(agent(Script(ran), session()))
    ran = [NativeToolCallPart("web_search", {}, tool_call_id="n1"), TextPart("found")]
    assert play(agent(Script(ran), session(), how={"unchecked": ["web_search"]})).output == "found"


def outside(*names: str) -> Any:
    kind = {"type": "object"}
    return ExternalToolset([ToolDefinition(name=name, parameters_json_schema=kind) for name in names])


def brought(shop: Any, result: Any, value: Any) -> Any:
    results = DeferredToolResults(calls={"c1": value})
    return asyncio.run(shop.run(message_history=result.all_messages(), deferred_tool_results=results))


@pytest.mark.parametrize(
    ("call", "why"),
    [
        (("drop", {}, "c1"), "denied"), (("pay", {"amount": 90}, "c1"), "needs approval"),
        (("pay", {"amount": 9, "note": "secret-1"}, "c1"), "changes"),
    ],
)  # fmt: skip
def test_external_tools_are_checked_before_anybody_runs_them(call: Any, why: str) -> None:
    shop = agent(Script(call, "done"), session(), [], toolsets=[outside("drop", "pay")], output_type=EITHER)
    result = play(shop)
    assert result.output == "done"
    assert why in returns(result)[0]


@pytest.mark.parametrize("other_process", [True, False])
def test_what_an_external_tool_gives_back_is_judged(other_process: bool) -> None:  # noqa: FBT001
    def shop_of(*steps: Any) -> tuple[Any, Script]:
        script = Script(*steps)
        return agent(script, session(), [], toolsets=[outside("look")], output_type=EITHER), script

    shop, script = shop_of(("look", {}, "c1"), "done")
    result = play(shop)
    assert isinstance(result.output, DeferredToolRequests)
    if other_process:
        shop, script = shop_of("done")
    again = brought(shop, result, {"found": "secret-12"})
    assert again.output == "done"
    assert "secret-12" not in script.read[-1] + repr(again.all_messages())


def test_a_result_that_is_brought_for_a_denied_call_is_withheld() -> None:
    free = Agent(Script(("drop", {}, "c1")).model, toolsets=[outside("drop")], output_type=EITHER)
    script = Script("done")
    shop = agent(script, session(), [], toolsets=[outside("drop")], output_type=EITHER)
    again = brought(shop, play(free), "dropped it all")
    assert "dropped it all" not in script.read[-1]
    assert "denied" in returns(again)[0]


def test_a_call_that_a_tool_defers_is_judged_when_its_result_comes() -> None:
    def look() -> str:
        raise CallDeferred

    script = Script(("look", {}, "c1"), "done")
    shop = agent(script, session(), [look], output_type=EITHER)
    assert brought(shop, play(shop), "secret-12").output == "done"
    assert "secret-12" not in script.read[-1]


def test_coverage_tells_what_is_checked() -> None:
    tools = Tools()
    others = [FunctionToolset([tools.drop]).prefixed("p"), outside("far")]
    shop = agent(Script(), session(), tools, toolsets=others)
    lines = {each.tool: each.is_covered for each in covered(shop)}
    assert lines["pay"] is True
    assert lines["far"] is True
    assert not any(each.is_covered for each in covered(Agent(Script().model, tools=tools.all)))


def test_tools_of_every_toolset_are_checked() -> None:
    tools = Tools()
    shop = agent(Script(("p_drop", {}, "c1"), ("late", {}, "c2"), "done"), session(), [],
                 toolsets=[FunctionToolset([tools.drop]).prefixed("p")])  # fmt: skip

    @shop.tool_plain
    def late() -> str:
        tools.ran.append(("late", None))
        return ""

    play(shop)
    assert not tools.ran


def test_another_model_for_a_run_is_guarded_too() -> None:
    shop = agent(Script("done"), session())
    assert play(shop, model=Script(SECRET).model).output == CLEAN
    with shop.override(model=Script(SECRET).model):
        assert play(shop).output == CLEAN


def without(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(GuardCapability, name, getattr(AbstractCapability, name))


def test_a_toolset_that_is_not_guarded_runs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "get_wrapper_toolset")
    tools = Tools()
    with pytest.raises(Unmediated, match="about to run"):
        play(agent(Script(("look", {"what": "x"}, "c1"), "done"), session(), tools))
    assert not tools.ran


def test_a_model_that_is_not_guarded_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "get_wrapper_model")
    with pytest.raises(Unmediated, match="answer"):
        play(agent(Script(SECRET), session()))
    without(monkeypatch, "after_model_request")
    with pytest.raises(Unmediated, match="answer"):
        play(agent(Script(SECRET), session()))


def test_a_result_that_nobody_judged_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.integrations.pydantic_ai.tools import GuardedToolset

    async def bare(self: Any, name: str, tool_args: Any, ctx: Any, tool: Any) -> Any:
        return await self.wrapped.call_tool(name, tool_args, ctx, tool)

    monkeypatch.setattr(GuardedToolset, "call_tool", bare)
    script = Script(("look", {"what": "x"}, "c1"), "done")
    with pytest.raises(Unmediated, match="no check has seen"):
        play(agent(script, session()))
    without(monkeypatch, "after_tool_execute")
    script = Script(("look", {"what": "x"}, "c1"), ("look", {"what": "x"}, "c2"), "done")
    with pytest.raises(Unmediated, match="no check has seen"):
        play(agent(script, session()))
    assert len(script.read) < 3


def test_an_answer_of_another_capability_is_noticed() -> None:
    from pydantic_ai.exceptions import SkipModelRequest

    async def skip(_: Any, request_context: Any) -> Any:
        raise SkipModelRequest(ModelResponse(parts=[TextPart(SECRET)]))

    with pytest.raises(Unmediated, match="answer"):
        play(agent(Script("done"), session(), others=[Hooks(before_model_request=skip)]))


def test_a_conversation_from_before_is_no_skipped_check() -> None:
    tools = Tools()
    history = play(Agent(Script(("look", {"what": "x"}, "c1"), "done").model, tools=tools.all)).all_messages()
    assert play(agent(Script("fine"), session()), "and now?", message_history=history).output == "fine"


def broken(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


def test_a_check_of_calls_that_breaks_keeps_the_tool_from_running() -> None:
    tools, s = Tools(), session()
    s.check_call = s.acheck_call = broken
    play(agent(Script(("look", {"what": "x"}, "c1"), "done"), s, tools))
    assert not tools.ran


@pytest.mark.parametrize(("seam", "calls"), [("acheck_input", 0), ("acheck_output", 1)])
def test_a_check_of_texts_that_breaks_lets_nothing_out(seam: str, calls: int) -> None:
    s, script = session(), Script(SECRET)
    setattr(s, seam, broken)
    result = play(agent(script, s))
    assert len(script.read) == calls
    assert "secret-77" not in repr(result.all_messages())
    assert "could not decide" in result.output


@pytest.mark.parametrize("mode", ["whole", "pieces"])
@pytest.mark.parametrize("api", APIS)
def test_a_check_of_a_stream_that_breaks_lets_nothing_out(api: str, mode: str) -> None:
    s = session()
    s.check_output = s.acheck_output = s.stream_output = broken
    shop = agent(Script(SECRET), s, how={"streaming": mode})
    if mode == "pieces":
        with pytest.raises(RuntimeError, match="boom"):
            asyncio.run(whole(shop, api))
    else:
        shown, rest, _ = asyncio.run(whole(shop, api))
        assert "secret-77" not in shown + rest


SEAMS = [name for name in vars(Mediation) if not name.startswith("__")]


@pytest.mark.parametrize("mode", ["run", "whole", "pieces"])
@pytest.mark.parametrize("seam", SEAMS)
def test_whatever_breaks_nothing_runs_unjudged_and_nothing_leaves(
    seam: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Mediation, seam, broken)
    tools = Tools()
    script = Script(("look", {"what": "x"}, "c1"), ("drop", {}, "c2"), SECRET)
    shop = agent(script, session(), tools, how={} if mode == "run" else {"streaming": mode})
    try:
        seen = repr(play(shop)) if mode == "run" else repr(asyncio.run(whole(shop, "events")))
    except Exception as error:
        seen = str(error)
    assert all(name == "look" for name, _ in tools.ran)
    assert "secret-" not in seen + repr(script.read)


def test_a_check_of_results_that_breaks_withholds_the_result() -> None:
    s, script = session(), Script(("look", {"what": "x"}, "c1"), "done")
    s.acheck_result = broken
    play(agent(script, s))
    assert "secret-12" not in script.read[-1]


def test_a_session_that_is_not_found_ends_the_run() -> None:
    tools, script = Tools(), Script(("look", {"what": "x"}, "c1"), "done")
    with pytest.raises(RuntimeError, match="boom"):
        play(agent(script, broken, tools))
    assert not tools.ran
    assert not script.read


def test_a_store_that_does_not_answer_refuses() -> None:
    tools = Tools()
    shop = agent(Script(("pay", {"amount": 5}, "c1"), "done"), session(store="redis://127.0.0.1:1"), tools)
    result = play(shop)
    assert not tools.ran
    assert "store" in repr(returns(result)) + str(result.output)


def test_it_says_what_it_does_not_take() -> None:
    with pytest.raises(EvaluationError, match="whole"):
        GuardCapability(session(), streaming="fast")
    with pytest.raises(Unmediated, match="outside of a run"):
        GuardCapability(session()).get_wrapper_model(Script().model)
