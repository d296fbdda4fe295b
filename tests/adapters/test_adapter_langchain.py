"""Guard in LangChain and LangGraph: the real `create_agent`, `ToolNode` and streams, with a scripted model."""

from __future__ import annotations

import asyncio
import operator
import os
from typing import Annotated, Any

import pytest

if os.environ.get("CI") != "true":
    pytest.importorskip("langchain")

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelCallLimitMiddleware
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.tools import InjectedToolCallId, ToolException, tool
from langchain_fakes import ScriptedModel, calling, saying
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolRuntime, tools_condition
from langgraph.types import Command
from pydantic import BaseModel, model_validator

from guardrails import Guard
from guardrails.errors import EvaluationError, Halted
from guardrails.integrations.coverage import covered
from guardrails.integrations.langchain import GuardMiddleware, guarded_model, guarded_tools
from guardrails.integrations.receipts import Unmediated

POLICY = """
policy shop

on call pay {
  allow
  big: ask finance when args.amount > 60
  most: limit sum(args.amount) to 500 per 1d by session.id
  redact /secret-[0-9]+/ in args.note
}
on call look, table, both, hand_over, fails, answers, blocks { allow }
on call burn { halt because "No." }
on result look, table, both, hand_over, fails, answers, blocks { redact /secret-[0-9]+/ }
on input {
  deny when text contains "attack" because "No attacks."
  redact /secret-[0-9]+/
}
on output {
  redact /secret-[0-9]+/
  deny when text contains "forbidden" because "Not that."
}
on session { budget tokens 100 }
"""
CONFIG: Any = {"configurable": {"thread_id": "t"}}
RAN: list[Any] = []


@tool
def pay(amount: float, note: str = "") -> str:
    """Pay."""
    RAN.append((amount, note))
    return f"paid {amount}"


@tool
def look(what: str = "") -> str:
    """Look."""
    RAN.append(what)
    return "it is secret-77 there"


@tool(response_format="content_and_artifact")
def table() -> Any:
    """Look at a table."""
    return "two rows", {"rows": [{"id": 1, "note": "secret-77"}]}


@tool
def both(runtime: ToolRuntime, tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
    """Write into the state."""
    return Command(update={"messages": [ToolMessage("it is secret-77", tool_call_id=tool_call_id)]})


@tool
def fails() -> str:
    """Fail."""
    raise ToolException("no, secret-77")


@tool(return_direct=True)
def answers() -> str:
    """Answer."""
    return "forbidden"


@tool
def blocks() -> Any:
    """Give blocks."""
    return [
        {"type": "text", "text": "it is secret-77"},
        {"type": "image", "url": "http://x/secret-78"},
    ]


@tool
def burn() -> str:
    """Burn."""
    RAN.append("burn")
    return "burnt"


TOOLS = [pay, look, table, both, fails, answers, blocks, burn]


@pytest.fixture(autouse=True)
def _nothing_ran() -> None:
    RAN.clear()


@pytest.fixture
def guard() -> Guard:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay"]})


@pytest.fixture
def session(guard: Guard) -> Any:
    return guard.session(principal={"id": "ana"})


class Agent:
    """An agent, run as a caller runs it."""

    def __init__(self, session: Any, *script: AIMessage, kind: str = "sync", **more: Any) -> None:
        self.model = ScriptedModel(script=list(script), cuts=more.pop("cuts", [3]))
        saver = more.pop("saver", None)
        tools = more.pop("tools", TOOLS)
        rest = {key: more.pop(key) for key in ("response_format",) if key in more}
        before = more.pop("middleware", [])
        guards = [GuardMiddleware(session, **more)] if session is not None else []
        self.agent: Any = create_agent(
            self.model, tools, middleware=[*before, *guards], checkpointer=saver, **rest
        )
        self.kind = kind

    def run(self, given: Any = "hi") -> Any:
        value = {"messages": [HumanMessage(given)]} if isinstance(given, str) else given
        if self.kind == "sync":
            return self.agent.invoke(value, CONFIG)
        return asyncio.run(self.agent.ainvoke(value, CONFIG))

    def asked(self) -> str:
        return str(self.model.seen)


def last_result(state: Any) -> ToolMessage:
    return [each for each in state["messages"] if isinstance(each, ToolMessage)][-1]


def used(guard: Guard) -> Any:
    return next((state.used for state in guard.limits() if state.name.endswith("most")), 0)


both_kinds = pytest.mark.parametrize("kind", ["sync", "async"])


# --- calls -------------------------------------------------------------------------------------


@both_kinds
def test_an_allowed_call_runs_and_its_answer_leaves(session: Any, kind: str) -> None:
    agent = Agent(session, calling(("pay", {"amount": 5})), saying("done"), kind=kind)
    state = agent.run()
    assert RAN == [(5.0, "")]
    assert state["messages"][-1].content == "done"


@both_kinds
def test_a_denied_call_does_not_run_and_the_model_is_told_why(session: Any, kind: str) -> None:
    agent = Agent(session, calling(("unknown", {})), saying("ok"), kind=kind)
    result = last_result(agent.run())
    assert result.status == "error"
    assert "unknown" in str(result.content)
    assert str(result.content) in agent.asked()


@both_kinds
def test_a_call_runs_with_what_the_policy_made_of_it(session: Any, kind: str) -> None:
    Agent(session, calling(("pay", {"amount": 5, "note": "secret-1"})), saying("done"), kind=kind).run()
    assert len(RAN) == 1
    assert "secret-1" not in RAN[0][1]


def test_what_the_schema_makes_of_arguments_is_judged_too(session: Any) -> None:
    typed = Guard.from_text(
        "policy p\non call pay { allow\n ask finance when args.amount == 90 }", reviewers={"finance": ["fay"]}
    )
    agent = Agent(typed.session(), calling(("pay", {"amount": "90"})), saying("done"), saver=InMemorySaver())
    assert paused(agent).value["args"]["amount"] == 90


def test_what_the_schema_fills_in_is_judged_too() -> None:
    @tool
    def pay(amount: float = 90) -> str:
        """Pay."""
        RAN.append(amount)
        return "paid"

    guard = Guard.from_text("policy p\non call pay { deny when args.amount > 60\n allow }")
    agent = Agent(guard.session(), calling(("pay", {})), saying("done"), tools=[pay])
    assert last_result(agent.run()).status == "error"
    assert RAN == []


class Doubled(BaseModel):
    """What somebody pays."""

    amount: float

    @model_validator(mode="after")
    def twice(self) -> Doubled:
        self.amount *= 2
        return self


@both_kinds
@pytest.mark.parametrize(("amount", "runs"), [(20, [40.0]), (40, [])])
def test_values_that_are_made_on_the_way_to_the_tool_are_judged_too(
    kind: str, amount: float, runs: list[float]
) -> None:
    @tool(args_schema=Doubled)
    def pay(amount: float) -> str:
        """Pay."""
        RAN.append(amount)
        return "paid"

    guard = Guard.from_text("policy p\non call pay { deny when args.amount > 60\n allow }")
    agent = Agent(
        guard.session(), calling(("pay", {"amount": amount})), saying("done"), tools=[pay], kind=kind
    )
    assert ("denied" in str(last_result(agent.run()).content)) is not bool(runs)
    assert runs == RAN


@both_kinds
def test_a_halt_stops_the_run_and_the_next(session: Any, kind: str) -> None:
    agent = Agent(session, calling(("burn", {})), saying("never"), saying("never"), kind=kind)
    with pytest.raises(Halted, match="No"):
        agent.run()
    with pytest.raises(Halted):
        agent.run("again")
    assert RAN == []
    assert len(agent.model.seen) == 1


def test_ids_that_repeat_are_different_calls(guard: Guard, session: Any) -> None:
    calls = [calling(("pay", {"amount": 50}, "same")) for _ in range(2)]
    Agent(session, *calls, saying("done")).run()
    assert len(RAN) == 2
    assert used(guard) == 100


@both_kinds
def test_parallel_calls_are_judged_one_by_one(session: Any, kind: str) -> None:
    calls = calling(("pay", {"amount": 5}, "a"), ("unknown", {}, "b"), ("look", {}, "c"))
    state = Agent(session, calls, saying("done"), kind=kind).run()
    assert sorted(map(str, RAN)) == ["", "(5.0, '')"]
    results = {each.tool_call_id: each for each in state["messages"] if isinstance(each, ToolMessage)}
    assert (results["a"].status, results["b"].status) == ("success", "error")
    assert "secret" not in str(results["c"])


# --- people ------------------------------------------------------------------------------------

BIG = calling(("pay", {"amount": 90}))


def paused(agent: Agent) -> Any:
    state = agent.run()
    assert RAN == []
    return state["__interrupt__"][0]


@both_kinds
@pytest.mark.parametrize("answer", [{"approve": True, "by": "fay"}, {"type": "approve", "by": "fay"}])
def test_an_approved_call_runs_once(guard: Guard, session: Any, kind: str, answer: Any) -> None:
    agent = Agent(session, BIG, saying("done"), BIG, saying("end"), kind=kind, saver=InMemorySaver())
    question = paused(agent)
    assert question.value["tool"] == "pay"
    assert question.value["reviewers"] == ["finance"]
    agent.run(Command(resume={question.id: answer}))
    assert RAN == [(90.0, "")]
    assert used(guard) == 90
    assert "__interrupt__" in agent.run("again")
    assert len(RAN) == 1


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"approve": False, "by": "fay"}, "denied"),
        ({"approve": True, "by": "bob"}, "not asked"),
        ({"approve": True}, "say `by`"),
        ("whatever", "waits for people"),
        (None, "waits for people"),
    ],
)
def test_an_answer_that_does_not_approve_lets_nothing_through(session: Any, answer: Any, why: str) -> None:
    agent = Agent(session, BIG, saying("ok"), saver=InMemorySaver())
    question = paused(agent)
    result = last_result(agent.run(Command(resume={question.id: answer})))
    assert RAN == []
    assert result.status == "error"
    assert why in str(result.content)


def test_the_person_at_the_host_needs_no_name(session: Any) -> None:
    agent = Agent(session, BIG, saying("ok"), saver=InMemorySaver(), reviewer="fay")
    question = paused(agent)
    agent.run(Command(resume={question.id: {"type": "approve"}}))
    assert RAN == [(90.0, "")]


def test_edited_arguments_are_another_call(guard: Guard, session: Any) -> None:
    agent = Agent(session, BIG, saying("ok"), saver=InMemorySaver())
    question = paused(agent)
    edit = {"type": "edit", "edited_action": {"name": "pay", "args": {"amount": 20, "note": "secret-5"}}}
    agent.run(Command(resume={question.id: edit}))
    assert len(RAN) == 1
    assert RAN[0][0] == 20
    assert "secret-5" not in RAN[0][1]
    assert used(guard) == 20


def test_edited_arguments_that_need_people_ask_again(guard: Guard, session: Any) -> None:
    agent = Agent(session, BIG, saying("ok"), saver=InMemorySaver())
    question = paused(agent)
    state = agent.run(Command(resume={question.id: {"args": {"amount": 70}}}))
    again = state["__interrupt__"][0]
    assert RAN == []
    assert again.value["args"]["amount"] == 70
    agent.run(Command(resume={again.id: {"approve": True, "by": "fay"}}))
    assert RAN == [(70.0, "")]
    assert used(guard) == 70


def test_edited_and_approved_at_once(session: Any) -> None:
    agent = Agent(session, BIG, saying("ok"), saver=InMemorySaver())
    question = paused(agent)
    agent.run(Command(resume={question.id: {"approve": True, "by": "fay", "args": {"amount": 80}}}))
    assert RAN == [(80.0, "")]


def test_two_that_wait_are_answered_each_by_its_own(session: Any) -> None:
    calls = calling(("pay", {"amount": 70}, "a"), ("pay", {"amount": 90}, "b"), ("look", {}, "c"))
    agent = Agent(session, calls, saying("ok"), saver=InMemorySaver())
    found = agent.run()["__interrupt__"]
    answers = {each.id: {"approve": each.value["args"]["amount"] == 70, "by": "fay"} for each in found}
    state = agent.run(Command(resume=answers))
    assert [each for each in RAN if each] == [(70.0, "")]
    assert state["messages"][-1].content == "ok"


def test_without_a_checkpointer_the_model_is_told_whom_it_waits_for(session: Any, guard: Guard) -> None:
    agent = Agent(session, BIG, BIG, saying("ok"))
    agent.run()
    (waiting,) = guard.approvals.list("pending")
    assert RAN == []
    assert waiting.id in agent.asked()
    guard.approvals.approve(waiting.id, by="fay")
    Agent(session, BIG, saying("ok")).run()
    assert RAN == [(90.0, "")]


@both_kinds
def test_another_process_resumes(tmp_path: Any, kind: str) -> None:
    saver = InMemorySaver()
    calls = calling(("pay", {"amount": 90}, "a"), ("look", {}, "b"))

    def process(*script: AIMessage) -> tuple[Guard, Agent]:
        guard = Guard.from_text(
            POLICY, reviewers={"finance": ["fay"]}, store=f"sqlite:///{tmp_path}/store.db"
        )
        session = guard.session(principal={"id": "ana"}, id="s1")
        return guard, Agent(session, *script, kind=kind, saver=saver)

    _, first = process(calls)
    history = [
        HumanMessage("hi", id="h"),
        calling(("look", {}, "old")),
        ToolMessage("x", tool_call_id="old", name="look"),
    ]
    question = first.run({"messages": [*history, AIMessage("so"), HumanMessage("go on")]})["__interrupt__"][0]
    RAN.clear()
    guard, second = process(saying("done"))
    state = second.run(Command(resume={question.id: {"approve": True, "by": "fay"}}))
    assert RAN == [(90.0, "")]
    assert state["messages"][-1].content == "done"
    assert used(guard) == 90
    third_guard, third = process(saying("again"))
    assert third.run("more")["messages"][-1].content == "again"
    assert used(third_guard) == 90
    assert not [key for key in state if key.startswith("guard")]


# --- results -----------------------------------------------------------------------------------


@both_kinds
@pytest.mark.parametrize("name", ["look", "table", "both", "blocks"])
def test_no_copy_of_a_result_keeps_what_is_redacted(session: Any, name: str, kind: str) -> None:
    agent = Agent(session, calling((name, {})), saying("done"), kind=kind)
    state = agent.run()
    assert "secret" not in str(state)
    assert "secret" not in agent.asked()
    if name == "table":
        assert last_result(state).artifact["rows"][0]["id"] == 1


class HandOver(MessagesState):
    notes: str
    rows: list[Any]


@both_kinds
def test_what_a_tool_writes_into_the_state_is_judged_in_each_field(session: Any, kind: str) -> None:
    @tool
    def hand_over(runtime: ToolRuntime, tool_call_id: Annotated[str, InjectedToolCallId]) -> Any:
        """Hand over."""
        result = ToolMessage("ok", tool_call_id=tool_call_id)
        update = {
            "messages": [*runtime.state["messages"], result],
            "notes": "secret-1",
            "rows": [{"x": "secret-2"}],
        }
        return Command(update=update)

    class State(AgentMiddleware[Any, Any, Any]):
        state_schema = HandOver  # type: ignore[assignment]

    agent = Agent(
        session,
        calling(("hand_over", {})),
        saying("done"),
        tools=[hand_over],
        middleware=[State()],
        kind=kind,
    )
    state = agent.run()
    assert "secret" not in str(state)
    assert state["rows"][0]["x"]
    assert [each.content for each in state["messages"] if isinstance(each, HumanMessage)] == ["hi"]


@both_kinds
def test_what_an_error_says_is_judged(session: Any, kind: str) -> None:
    handled = fails.model_copy(update={"handle_tool_error": True})
    agent = Agent(session, calling(("fails", {})), saying("done"), tools=[handled], kind=kind)
    state = agent.run()
    assert last_result(state).status == "error"
    assert "secret" not in str(state) + agent.asked()
    with pytest.raises(ToolException) as raised:
        Agent(session, calling(("fails", {})), saying("done"), kind=kind).run()
    assert "secret" not in str(raised.value)


def test_a_failed_call_is_given_back(guard: Guard, session: Any) -> None:
    @tool
    def pay(amount: float) -> str:
        """Pay."""
        raise ConnectionError("down")

    with pytest.raises(ConnectionError):
        Agent(session, calling(("pay", {"amount": 50})), tools=[pay]).run()
    assert used(guard) == 0


def test_arguments_that_do_not_fit_the_tool_are_told_and_given_back(guard: Guard, session: Any) -> None:
    agent = Agent(session, calling(("look", {"what": [1]})), saying("done"))
    assert last_result(agent.run()).status == "error"
    assert RAN == []


def test_a_result_that_goes_straight_to_people_is_an_output(session: Any) -> None:
    state = Agent(session, calling(("answers", {}))).run()
    assert "forbidden" not in str(last_result(state).content)
    assert "Not that" in str(last_result(state).content)


# --- texts -------------------------------------------------------------------------------------


@both_kinds
def test_a_refused_message_never_reaches_the_model(session: Any, kind: str) -> None:
    agent = Agent(session, saying("hello"), kind=kind, saver=InMemorySaver())
    state = agent.run("attack!")
    assert agent.model.seen == []
    assert "No attacks" in str(state["messages"][-1].content)
    assert agent.run("hi")["messages"][-1].content == "hello"
    assert "attack!" not in agent.asked()


@both_kinds
def test_a_message_is_changed_in_the_history_too(session: Any, kind: str) -> None:
    agent = Agent(session, saying("ok"), kind=kind)
    state = agent.run("I am secret-5")
    assert "secret-5" not in str(state) + agent.asked()
    assert len(state["messages"]) == 2


def test_a_message_is_judged_once_and_another_with_its_id_again(session: Any) -> None:
    seen: list[str] = []
    check = session.check_input
    session.check_input = lambda text, **more: (seen.append(text), check(text, **more))[1]
    agent = Agent(session, saying("ok"), saying("ok"), saying("ok"), saver=InMemorySaver())
    agent.run({"messages": [HumanMessage("one", id="m")]})
    agent.run({"messages": [HumanMessage("two", id="n")]})
    assert seen == ["one", "two"]
    state = agent.run({"messages": [HumanMessage("attack", id="m")]})
    assert "'attack'" not in str(agent.model.seen)
    assert "No attacks" in str(state)


def test_messages_that_middleware_adds_are_judged(session: Any) -> None:
    class Adds(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(messages=[*request.messages, HumanMessage("attack")]))

    agent = Agent(session, saying("ok"), middleware=[Adds()])
    assert "No attacks" in str(agent.run()["messages"][-1].content)
    assert agent.model.seen == []


@both_kinds
def test_an_answer_leaves_as_the_policy_has_it(session: Any, kind: str) -> None:
    first = Agent(session, saying("it is secret-7"), kind=kind).run()
    assert "secret" not in str(first)
    assert first["messages"][-1].content.startswith("it is ")
    second = Agent(session, saying("forbidden"), kind=kind).run()
    assert (
        second["messages"][-1].content.endswith("Not that.") or "Not that" in second["messages"][-1].content
    )


def test_nothing_beside_an_answer_keeps_what_was_redacted(session: Any) -> None:
    content = [
        {"type": "reasoning", "reasoning": "think secret-1"},
        {"type": "text", "text": "it is sec", "annotations": [{"cited": "secret-2"}]},
        {"type": "text", "text": "ret-3"},
        {"type": "image", "url": "http://x/1.png"},
    ]
    beside = {
        "additional_kwargs": {"reasoning_content": "secret-4", "kept": "fine"},
        "response_metadata": {"logprobs": [["sec"], ["ret-3"]], "model_name": "m"},
    }
    (answer,) = Agent(session, saying(content, **beside)).run()["messages"][1:]
    assert "secret" not in str(answer)
    assert "ret-3" not in str(answer)
    assert [each["type"] for each in answer.content] == ["text", "image"]
    assert answer.additional_kwargs == {"kept": "fine"}
    assert answer.response_metadata == {"model_name": "m"}


class Reply(BaseModel):
    """A reply."""

    text: str


@both_kinds
def test_answers_in_a_form_are_outputs(session: Any, kind: str) -> None:
    form = calling(("Reply", {"text": "it is secret-7"}))
    state = Agent(session, form, kind=kind, response_format=Reply).run()
    assert "secret" not in str(state)
    assert state["structured_response"].text.startswith("it is")
    with_no = Agent(
        session, calling(("Reply", {"text": "forbidden"})), saying("x"), kind=kind, response_format=Reply
    )
    assert "forbidden" not in str(with_no.run())


def test_a_budget_that_is_used_up_stops_the_next_call(guard: Guard, session: Any) -> None:
    calls = [calling(("look", {"what": str(at)})) for at in range(9)]
    state = Agent(session, *calls, saying("end")).run()
    assert len(RAN) == 6
    assert "lets 100 through per session" in str(last_result(state).content)


# --- streams -----------------------------------------------------------------------------------

TEXT = "it is secret-77 here"


def everything(agent: Agent, kind: str) -> str:
    """All that a way of streaming gives, as one text."""
    given = {"messages": [HumanMessage("hi")]}
    if kind in ("messages", "values", "updates", "debug", "tools", "tasks"):
        return "".join(map(str, agent.agent.stream(given, CONFIG, stream_mode=kind)))
    if kind == "many":
        return "".join(
            map(str, agent.agent.stream(given, CONFIG, stream_mode=["messages", "values", "updates"]))
        )
    return asyncio.run(aeverything(agent, kind, given))


async def aeverything(agent: Agent, kind: str, given: Any) -> str:
    graph = agent.agent
    if kind == "amessages":
        return "".join([str(each) async for each in graph.astream(given, CONFIG, stream_mode="messages")])
    if kind in ("v1", "v2"):
        return "".join([str(each) async for each in graph.astream_events(given, CONFIG, version=kind)])
    run = await graph.astream_events(given, CONFIG, version="v3")
    return "".join([str(each) async for each in run])


STREAMS = ["messages", "values", "updates", "debug", "tools", "tasks", "many", "amessages", "v1", "v2", "v3"]


@pytest.mark.parametrize("pace", ["whole", "pieces"])
@pytest.mark.parametrize("kind", STREAMS)
def test_no_stream_tells_what_is_redacted(session: Any, kind: str, pace: str) -> None:
    script = [calling(("look", {}), text="so secret-5"), calling(("table", {})), saying(TEXT)]
    agent = Agent(session, *script, streaming=pace, cuts=[9])
    told = everything(agent, kind)
    assert told or kind == "custom"
    for part in ("secret", "ret-77", "et-77", "t-77"):
        assert part not in told


@pytest.mark.parametrize("pace", ["whole", "pieces"])
@pytest.mark.parametrize("shape", ["text", "blocks"])
def test_a_value_that_is_cut_anywhere_does_not_leave(guard: Guard, pace: str, shape: str) -> None:
    whole = guard.session().check_output(TEXT).payload
    content: Any = TEXT if shape == "text" else [{"type": "text", "text": TEXT}]
    for cut in range(len(TEXT)):
        session = guard.session()
        agent = Agent(session, saying(content), streaming=pace, cuts=[cut, cut + 1])
        pieces = [
            each[0].text
            for each in agent.agent.stream({"messages": [HumanMessage("hi")]}, CONFIG, stream_mode="messages")
            if isinstance(each[0], AIMessageChunk)
        ]
        assert "".join(pieces) == whole


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_value_that_is_cut_anywhere_does_not_leave_a_protocol_stream(guard: Guard, kind: str) -> None:
    whole = guard.session().check_output(TEXT).payload

    async def text(agent: Agent) -> str:
        run = await agent.agent.astream_events({"messages": [HumanMessage("hi")]}, CONFIG, version="v3")
        return "".join([piece async for message in run.messages async for piece in message.text])

    for cut in range(1, len(TEXT)):
        agent = Agent(guard.session(), saying(TEXT), streaming="pieces", cuts=[cut])
        if kind == "async":
            assert asyncio.run(text(agent)) == whole
        else:
            run = agent.agent.stream_events({"messages": [HumanMessage("hi")]}, CONFIG, version="v3")
            assert "".join(piece for message in run.messages for piece in message.text) == whole


def test_pieces_go_on_before_the_end(guard: Guard) -> None:
    plain = Guard.from_text("policy p\non output { redact /secret-[0-9]+/ }")
    model = guarded_model(ScriptedModel(script=[saying("a long text without any of it")], cuts=[5, 9, 12]), plain.session(),
                          streaming="pieces")  # fmt: skip
    texts = [each.text for each in model.stream("hi")]
    assert len([each for each in texts if each]) > 1
    assert "".join(texts) == "a long text without any of it"


def test_a_halt_of_an_output_stops_the_run() -> None:
    guard = Guard.from_text('policy p\non output { halt when text contains "bad" because "Enough." }')
    for pace in ("whole", "pieces"):
        model = guarded_model(ScriptedModel(script=[saying("a bad text")]), guard.session(), streaming=pace)
        told: list[str] = []
        with pytest.raises(Halted, match="Enough"):
            told.extend(str(each.text) for each in model.stream("hi"))
        assert "bad" not in "".join(told)


# --- graphs of one's own -------------------------------------------------------------------------


def own_graph(session: Any, *script: AIMessage, model: Any = None, **more: Any) -> Any:
    model = model or guarded_model(ScriptedModel(script=list(script)), session).bind_tools(TOOLS)
    node = more.pop("node", None) or guarded_tools(TOOLS, session, **more.pop("node_options", {}))
    graph = StateGraph(MessagesState)
    graph.add_node("model", lambda state: {"messages": [model.invoke(state["messages"])]})
    graph.add_node("tools", node)
    graph.add_edge(START, "model")
    graph.add_conditional_edges("model", tools_condition)
    graph.add_edge("tools", "model")
    return graph.compile(**more)


def test_a_graph_of_ones_own_is_guarded(session: Any, guard: Guard) -> None:
    script = [calling(("look", {})), calling(("unknown", {})), BIG, saying(TEXT)]
    graph = own_graph(session, *script, checkpointer=InMemorySaver())
    question = graph.invoke({"messages": [HumanMessage("hi")]}, CONFIG)["__interrupt__"][0]
    state = graph.invoke(Command(resume={question.id: {"approve": True, "by": "fay"}}), CONFIG)
    assert RAN == ["", (90.0, "")]
    assert "secret" not in str(state)
    assert used(guard) == 90


@pytest.mark.parametrize("kind", ["messages", "updates", "values"])
def test_a_graph_of_ones_own_streams_nothing_else(session: Any, kind: str) -> None:
    graph = own_graph(session, calling(("look", {})), saying(TEXT))
    assert "secret" not in str(
        list(graph.stream({"messages": [HumanMessage("hi")]}, CONFIG, stream_mode=kind))
    )


def test_a_halt_stops_a_graph_that_handles_errors(session: Any) -> None:
    graph = own_graph(
        session, calling(("burn", {})), saying("never"), node_options={"handle_tool_errors": True}
    )
    with pytest.raises(Halted):
        graph.invoke({"messages": [HumanMessage("hi")]}, CONFIG)


def test_sessions_are_those_of_the_run(guard: Guard) -> None:
    sessions = {name: guard.session(principal={"id": name}) for name in ("ana", "bob")}
    middleware = GuardMiddleware(lambda runtime: sessions[runtime.context["user"]])
    script = [calling(("pay", {"amount": 50})), saying("ok")] * 2
    agent: Any = create_agent(
        ScriptedModel(script=script), TOOLS, middleware=[middleware], context_schema=dict
    )
    for user in ("ana", "bob"):
        agent.invoke({"messages": [HumanMessage("hi")]}, context={"user": user})
    assert [state.used for state in guard.limits() if state.name.endswith("most")] == [50, 50]


def test_a_session_that_is_not_found_runs_nothing(guard: Guard) -> None:
    def none_of(runtime: Any) -> Any:
        raise KeyError("who")

    agent = Agent(none_of, calling(("look", {})), saying("x"))
    with pytest.raises(KeyError):
        agent.run()
    assert (RAN, agent.model.seen) == ([], [])


# --- agents inside agents ------------------------------------------------------------------------


@both_kinds
def test_an_agent_that_is_a_tool_is_held_to_its_own_session(guard: Guard, kind: str) -> None:
    outer = guard.session(principal={"id": "ana"})
    inner = Agent(
        outer.delegate(tools=["look"]),
        calling(("pay", {"amount": 5}), ("look", {})),
        saying(TEXT),
        by="agent",
    )

    @tool
    def answers(question: str) -> str:
        """Ask another agent."""
        return str(inner.agent.invoke({"messages": [HumanMessage(question)]})["messages"][-1].content)

    agent = Agent(
        outer, calling(("answers", {"question": "what?"})), saying("done"), tools=[answers], kind=kind
    )
    state = agent.run()
    assert RAN == [""]
    assert "secret" not in str(state) + inner.asked() + agent.asked()


def test_an_agent_inside_may_share_the_session(session: Any) -> None:
    inner = Agent(session, calling(("look", {})), saying("fine"))

    @tool
    def answers() -> str:
        """Ask another agent."""
        return str(inner.agent.invoke({"messages": [HumanMessage("x")]})["messages"][-1].content)

    assert (
        Agent(session, calling(("answers", {})), saying("done"), tools=[answers])
        .run()["messages"][-1]
        .content
        == "done"
    )


def test_an_agent_is_a_node_and_hands_over(session: Any) -> None:
    class State(MessagesState):
        log: Annotated[list[str], operator.add]

    first = Agent(session, calling(("look", {})), saying("first")).agent
    second = Agent(session, saying(TEXT)).agent
    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", second)
    graph.add_edge(START, "first")
    graph.add_edge("first", "second")
    told = list(
        graph.compile().stream(
            {"messages": [HumanMessage("hi")]}, CONFIG, stream_mode="messages", subgraphs=True
        )
    )
    assert "secret" not in str(told)


# --- what is skipped is noticed --------------------------------------------------------------------


def test_a_tool_that_went_past_is_noticed_before_the_model_reads_it(session: Any) -> None:
    from langgraph.prebuilt import ToolNode

    graph = own_graph(session, calling(("look", {})), saying("x"), node=ToolNode(TOOLS))
    with pytest.raises(Unmediated, match="no check has seen"):
        graph.invoke({"messages": [HumanMessage("hi")]}, CONFIG)


@pytest.mark.parametrize("hook", ["wrap_tool_call", "wrap_model_call"])
def test_a_hook_that_is_gone_is_noticed(session: Any, hook: str) -> None:
    class Without(GuardMiddleware):
        pass

    setattr(Without, hook, lambda self, request, handler: handler(request))
    model = ScriptedModel(script=[calling(("look", {})), saying("x")])
    agent: Any = create_agent(model, TOOLS, middleware=[Without(session)])
    with pytest.raises(Unmediated):
        agent.invoke({"messages": [HumanMessage("hi")]})


def test_a_result_that_was_never_checked_is_noticed(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.integrations.langchain.results import Run

    monkeypatch.setattr(Run, "_quiet", lambda self, tool: tool)
    monkeypatch.setattr(Run, "ended", lambda self, outcome: outcome)
    with pytest.raises(Unmediated, match="was not checked"):
        Agent(session, calling(("look", {})), saying("x")).run()


def test_a_call_that_never_ended_is_noticed(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.integrations.langchain.results import Run

    monkeypatch.setattr(Run, "_quiet", lambda self, tool: tool)
    monkeypatch.setattr(Run, "ended", lambda self, outcome: outcome)
    with pytest.raises(Unmediated, match="the run is over"):
        Agent(session, calling(("answers", {}))).run()


def test_another_model_in_place_of_the_guarded_one_is_noticed(session: Any) -> None:
    other = ScriptedModel(script=[saying("hello")])

    class Takes(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return handler(request.override(model=other))

    model = ScriptedModel(script=[saying("x")])
    agent: Any = create_agent(model, TOOLS, middleware=[GuardMiddleware(session), Takes()])
    with pytest.raises(Unmediated, match="put GuardMiddleware last"):
        agent.invoke({"messages": [HumanMessage("hi")]})


def test_answers_that_middleware_writes_are_judged(session: Any) -> None:
    class Answers(AgentMiddleware[Any, Any, Any]):
        def wrap_model_call(self, request: Any, handler: Any) -> Any:
            return AIMessage("it is secret-9")

    model = ScriptedModel(script=[saying("x")])
    agent: Any = create_agent(model, TOOLS, middleware=[GuardMiddleware(session), Answers()])
    assert "secret" not in str(agent.invoke({"messages": [HumanMessage("hi")]}))


def test_middleware_that_ends_a_run_goes_together_with_guard(session: Any) -> None:
    limit = ModelCallLimitMiddleware(run_limit=1, exit_behavior="end")
    state = Agent(session, calling(("look", {})), middleware=[limit]).run()
    assert "limit" in str(state["messages"][-1].content).lower()


# --- what breaks lets nothing through ----------------------------------------------------------------


def boom(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom secret-1")


@both_kinds
@pytest.mark.parametrize("check", ["check_call", "check_result", "check_input", "check_output"])
def test_a_check_that_breaks_lets_nothing_through(session: Any, check: str, kind: str) -> None:
    setattr(session, check, boom)
    setattr(session, f"a{check}", boom)
    agent = Agent(session, calling(("look", {})), saying("it is secret-7"), kind=kind)
    told = str(agent.run())
    assert "secret" not in told + agent.asked()
    assert ([""] if check in ("check_result", "check_output") else []) == RAN


@pytest.mark.parametrize(
    "part",
    [
        "calls.filled",
        "calls.name_of",
        "calls.messages_of",
        "calls.can_pause",
        "tools.raise_if_over",
        "tools.Run",
    ],
)
def test_an_adapter_that_breaks_before_a_call_runs_nothing(
    session: Any, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"guardrails.integrations.langchain.{part}", boom)
    with pytest.raises(RuntimeError):
        Agent(session, BIG if part == "calls.can_pause" else calling(("look", {})), saying("x")).run()
    assert RAN == []


@pytest.mark.parametrize("part", ["hear", "read", "charge", "leaving", "text_of"])
def test_an_adapter_that_breaks_around_a_model_lets_nothing_leave(
    session: Any, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for pace in ("whole", "pieces"):
        model = guarded_model(ScriptedModel(script=[saying(TEXT)]), session, streaming=pace)
        told: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(f"guardrails.integrations.langchain.models.{part}", boom)
            with pytest.raises(RuntimeError):
                told.extend(str(each) for each in model.stream("hi"))
        assert "secret" not in "".join(told)


@both_kinds
def test_a_store_that_is_away_lets_no_limited_call_through(kind: str) -> None:
    guard = Guard.from_text(POLICY, reviewers={"finance": ["fay"]}, store="redis://127.0.0.1:1/0")
    Agent(
        guard.session(principal={"id": "ana"}), calling(("pay", {"amount": 5})), saying("x"), kind=kind
    ).run()
    assert RAN == []


def test_streaming_is_one_of_two(session: Any) -> None:
    with pytest.raises(EvaluationError, match="`whole` or `pieces`"):
        GuardMiddleware(session, streaming="fast")


# --- coverage ----------------------------------------------------------------------------------


def test_coverage_tells_what_is_checked(session: Any) -> None:
    agent = Agent(session, saying("x"), tools=[look, {"type": "web_search"}])
    found = {each.tool: each.why for each in covered(agent.agent)}
    assert found["look"] == ""
    assert "provider" in found["web_search"]
    bare = Agent(None, saying("x"), tools=[look]).agent
    assert not next(iter(covered(bare))).is_covered
    graph = StateGraph(MessagesState)
    graph.add_node("inner", own_graph(session, saying("x")))
    graph.add_node("bare", bare)
    graph.add_edge(START, "inner")
    graph.add_edge("inner", "bare")
    states = {(each.tool, each.is_covered) for each in covered(graph.compile())}
    assert ("look", True) in states
    assert ("look", False) in states
    assert ("pay", True) in states


def test_coverage_sees_guard_behind_other_middleware(session: Any) -> None:
    class Logs(AgentMiddleware[Any, Any, Any]):
        def wrap_tool_call(self, request: Any, handler: Any) -> Any:
            return handler(request)

        async def awrap_tool_call(self, request: Any, handler: Any) -> Any:
            return await handler(request)

    assert all(each.is_covered for each in covered(Agent(session, saying("x"), middleware=[Logs()]).agent))
