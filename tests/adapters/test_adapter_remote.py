"""Adapters whose policy is elsewhere: sessions of `Guard.connect`, and people who answer over the server's desk."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guardrails import Guard, Halted

POLICY = """\
policy far

type principal { id: string }

on call get_order { allow }
on call refund {
  size: threshold args.amount { up to 100: allow; up to 500: ask finance within 4h; above: deny because "Too much." }
}
on call crash { halt because "Enough." }
on result get_order { redact /card-[0-9]+/ }
on input { deny when text contains "evil" }
on output { redact /card-[0-9]+/ }
"""
SCRIPT = str(Path(sys.executable).with_name("guard"))

Place = Callable[[str], Any]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A connection with the key of a role."""
    folder = tmp_path_factory.mktemp("far")
    (folder / "far.guard").write_text(POLICY)
    (folder / "reviewers.yaml").write_text("finance: [ana]\n")
    keys = {
        name: subprocess.run(
            [SCRIPT, "key", name, "--role", role], cwd=folder, capture_output=True, text=True, check=True
        ).stdout.strip()
        for name, role in (("bot", "agent"), ("ana", "operator"), ("chat", "desk"))
    }
    frames = f"unix:{folder}/f.sock"
    words = ["--bind", "127.0.0.1:0", "--frames", frames, "--keys", "keys.json", "--store", "memory:"]
    process = subprocess.Popen(
        [SCRIPT, "serve", "far.guard", *words, "--reviewers", "reviewers.yaml"],
        cwd=folder, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline().startswith("listening")
    yield lambda name: Guard.connect(frames, key=keys[name])
    process.terminate()
    assert process.wait(30) == 0


REFUND = ("refund", {"order": "o-1", "amount": 300})


def approved_elsewhere(at: Place, request: str) -> None:
    at("chat").approvals.approve(request, by="ana")


# --- LangChain ---------------------------------------------------------------------------------


def get_order(order: str) -> str:
    """Look up an order."""
    return f"{order} was paid with card-4111"


def refund(order: str, amount: float) -> str:
    """Pay money back."""
    return f"refunded {amount:g}"


def crash() -> str:
    """Nobody may."""
    return "crashed"


class Thread:
    """One conversation of an agent of LangChain, whose model says what it is told to."""

    def __init__(self, guard: Any, *steps: tuple[str, dict[str, Any]], reviewer: str = "") -> None:
        from langchain.agents import create_agent
        from langchain_core.language_models import FakeMessagesListChatModel
        from langchain_core.messages import AIMessage
        from langgraph.checkpoint.memory import InMemorySaver

        from guardrails.integrations.langchain import GuardMiddleware

        class Scripted(FakeMessagesListChatModel):
            def bind_tools(self, tools: Any, **more: Any) -> Any:
                return self

        said = [
            AIMessage("", tool_calls=[{"name": name, "args": args, "id": f"call-{at}"}])
            for at, (name, args) in enumerate(steps)
        ]
        model = Scripted(responses=[*said, AIMessage("Done with card-4111.")])
        session = guard.session(principal={"id": "paul"})
        self.agent = create_agent(
            model,
            [get_order, refund, crash],
            middleware=[GuardMiddleware(session, reviewer=reviewer)],
            checkpointer=InMemorySaver(),
        )

    def run(self, what: Any = "Refund, please.") -> list[str]:
        """What the model has read and said since, or the id of a question."""
        from langchain_core.messages import HumanMessage

        begin = {"messages": [HumanMessage(what)]} if isinstance(what, str) else what
        state = self.agent.invoke(begin, {"configurable": {"thread_id": "1"}})
        self.question = state["__interrupt__"][0] if "__interrupt__" in state else None
        return [str(message.content) for message in state["messages"][1:] if message.content]

    def resume(self, answer: Any) -> list[str]:
        from langgraph.types import Command

        assert self.question is not None
        return self.run(Command(resume={self.question.id: answer}))


def test_langchain_is_held_to_a_policy_elsewhere(at: Place) -> None:
    pytest.importorskip("langchain")
    thread = Thread(at("bot"), ("get_order", {"order": "o-1"}), ("refund", {"order": "o-1", "amount": 900}))
    read, refused, answer = thread.run()
    assert read == "o-1 was paid with [REDACTED]"
    assert "Too much." in refused
    assert answer == "Done with [REDACTED]."
    assert "is denied" in Thread(at("bot"), REFUND).run("evil")[0]
    with pytest.raises(Halted):
        Thread(at("bot"), ("crash", {})).run()


def test_langchain_is_answered_by_who_may_answer(at: Place) -> None:
    pytest.importorskip("langchain")
    asks = Thread(at("ana"), REFUND)
    assert asks.run() == []
    assert asks.question.value["reviewers"] == ["finance"]
    assert asks.resume({"approve": True, "by": "ana"}) == ["refunded 300", "Done with [REDACTED]."]


def test_an_agents_key_answers_nothing_in_langchain_and_waits_for_the_desk(at: Place) -> None:
    pytest.importorskip("langchain")
    own = Thread(at("bot"), REFUND)
    own.run()
    refused, _ = own.resume({"approve": True, "by": "ana"})
    assert "is not approved" in refused
    waits = Thread(at("bot"), REFUND)
    waits.run()
    approved_elsewhere(at, waits.question.value["request"])
    assert waits.resume(True)[0] == "refunded 300"


# --- OpenAI Agents -----------------------------------------------------------------------------


def answered(
    guard: Any, *steps: tuple[str, dict[str, Any]], decide: Callable[[Any], None], **more: Any
) -> list[str]:
    """What a run of an agent of the SDK read and said; questions are put to `decide`, and then answered with yes."""
    from agents import Agent, RunConfig, Runner, function_tool
    from agents.testing import ScriptedModel, assistant_message, function_call

    from guardrails.integrations.openai_agents import guarded, questions

    script = [[function_call(name, args, call_id=f"call-{at}")] for at, (name, args) in enumerate(steps)]
    model = ScriptedModel([*script, [assistant_message("Done with card-4111.")]])
    tools = [function_tool(each) for each in (get_order, refund, crash)]
    agent = guarded(
        Agent(name="far", model=model, tools=tools), guard.session(principal={"id": "paul"}), **more
    )
    config = RunConfig(tracing_disabled=True)
    result: Any = Runner.run_sync(agent, "Refund, please.", run_config=config)
    if result.interruptions:
        (question,) = questions(result)
        decide(question)
        state = result.to_state()
        state.approve(result.interruptions[0])
        result = Runner.run_sync(agent, state, run_config=config)
    outputs = [str(item.output) for item in result.new_items if hasattr(item, "output")]
    return [*outputs, str(result.final_output)]


def nothing(question: Any) -> None:
    assert question["reviewers"] == ["finance"]


def test_openai_agents_are_held_to_a_policy_elsewhere(at: Place) -> None:
    pytest.importorskip("agents")
    steps = ("get_order", {"order": "o-1"}), ("refund", {"order": "o-1", "amount": 900})
    read, refused, answer = answered(at("bot"), *steps, decide=nothing)
    assert read == "o-1 was paid with [REDACTED]"
    assert "Too much." in refused
    assert answer == "Done with [REDACTED]."
    with pytest.raises(Halted):
        answered(at("bot"), ("crash", {}), decide=nothing)


def test_openai_agents_are_answered_by_who_may_answer(at: Place) -> None:
    pytest.importorskip("agents")
    assert answered(at("ana"), REFUND, decide=nothing, reviewer="ana")[0] == "refunded 300"
    assert "is not approved" in answered(at("bot"), REFUND, decide=nothing, reviewer="ana")[0]
    told = answered(at("bot"), REFUND, decide=lambda asked: approved_elsewhere(at, asked["request"]))
    assert told[0] == "refunded 300"
