"""Recipes for frameworks that have no adapter of their own. The page of adapters has them word for word."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from guardrails import Guard
from guardrails.errors import Halted
from guardrails.integrations.mediation import Mediation

PAGE = Path(__file__).parents[2] / "grammar/ADAPTERS.md"
MARK = "# --- recipe\n"
NAMES = ("smolagents", "llamaindex", "ag2", "fastapi")

POLICY = """
policy shop

on call pay {
  allow
  deny when args.amount > 1000 because "Too much."
  ask finance when args.amount > 60 because "Large payments are asked for."
  redact /KEY-[0-9]+/ in args.to
}
on call look { allow; few: limit 1 per 1d by session.id }
on call final_answer { allow }
on call burn { halt because "That was the last straw." }
on result look { redact /SECRET-[0-9]+/ }
on input { deny when text contains "attack" because "No attacks." }
on output { redact /SECRET-[0-9]+/ }
"""


def mediation_of(reviewer: str = "fay") -> Mediation:
    guard = Guard.from_text(POLICY, reviewers={"finance": ["fay"]})
    return Mediation(guard.session(principal={"id": "ana"}), reviewer=reviewer)


def recipe(name: str, *needs: str) -> ModuleType:
    if os.environ.get("CI") != "true":
        for each in needs:
            pytest.importorskip(each)
    return importlib.import_module(f"recipe_{name}")


@pytest.mark.parametrize("name", NAMES)
def test_the_page_has_the_recipe_word_for_word(name: str) -> None:
    text = Path(__file__).with_name(f"recipe_{name}.py").read_text(encoding="utf-8")
    code = text.partition(MARK)[2].strip()
    assert 10 <= len(code.splitlines()) <= 60
    if PAGE.exists():
        assert f"```python\n{code}\n```" in PAGE.read_text(encoding="utf-8")


# --- smolagents --------------------------------------------------------------------------------


class Smol:
    def __init__(self) -> None:
        self.module = recipe("smolagents", "smolagents")
        self.mediation = mediation_of()
        self.ran: list[Any] = []

    def tools(self) -> list[Any]:
        from smolagents import tool

        @tool
        def pay(amount: float, to: str) -> str:
            """Pay.

            Args:
                amount: How much.
                to: To whom.
            """
            self.ran.append((amount, to))
            return f"paid {amount}"

        @tool
        def look(what: str) -> str:
            """Look.

            Args:
                what: What.
            """
            self.ran.append(what)
            if what == "broken":
                raise ValueError("it broke at SECRET-1")
            return "it is SECRET-1"

        return [self.module.guarded_tool(each, self.mediation) for each in (pay, look)]

    def model(self, script: list[Any]) -> Any:
        from smolagents.models import (
            ChatMessage,
            ChatMessageToolCall,
            ChatMessageToolCallFunction,
            MessageRole,
            Model,
        )

        class Script(Model):
            def __init__(self) -> None:
                super().__init__(model_id="script")
                self.seen: list[str] = []

            def generate(self, messages: Any, **_: Any) -> Any:
                self.seen.append(str([message.content for message in messages]))
                step = script.pop(0)
                if isinstance(step, str):
                    return ChatMessage(role=MessageRole.ASSISTANT, content=step)
                function = ChatMessageToolCallFunction(name=step[0], arguments=step[1])
                call = ChatMessageToolCall(id="1", type="function", function=function)
                return ChatMessage(role=MessageRole.ASSISTANT, content="", tool_calls=[call])

        return Script()


def test_smolagents_with_calls() -> None:
    from smolagents import ToolCallingAgent

    smol = Smol()
    steps = [
        ("pay", {"amount": 5000, "to": "x"}), ("pay", {"amount": 5, "to": "KEY-7"}), ("look", {"what": "broken"}),
        ("look", {"what": "x"}), ("look", {"what": "y"}), ("final_answer", {"answer": "it is SECRET-2"}),
    ]  # fmt: skip
    model = smol.model(list(steps))
    agent = ToolCallingAgent(tools=smol.tools(), model=model, verbosity_level=0, max_steps=9)
    answer = smol.module.run(agent, "hello", smol.mediation)
    assert "Too much" in model.seen[1]
    assert "KEY-7" not in str(smol.ran)
    assert smol.ran[1:] == ["broken", "x"]
    assert "SECRET" not in answer + "".join(model.seen)
    assert "No attacks" in smol.module.run(agent, "an attack", smol.mediation)


def test_smolagents_with_code() -> None:
    from smolagents import CodeAgent

    smol = Smol()
    steps = [
        "<code>\nprint(pay(5000, 'x'))\n</code>",
        "<code>\nprint(look('x'))\n</code>",
        "<code>\nfinal_answer('ok')\n</code>",
    ]
    model = smol.model(steps)
    agent = CodeAgent(tools=smol.tools(), model=model, verbosity_level=0, max_steps=4)
    assert smol.module.run(agent, "hello", smol.mediation) == "ok"
    assert "Too much" in model.seen[1]
    assert smol.ran == ["x"]
    assert "SECRET" not in model.seen[2]


# --- LlamaIndex --------------------------------------------------------------------------------


def llama_model(script: list[Any]) -> Any:
    from llama_index.core.llms import ChatMessage, ChatResponse, LLMMetadata
    from llama_index.core.llms.function_calling import FunctionCallingLLM
    from llama_index.core.llms.llm import ToolSelection

    class Script(FunctionCallingLLM):
        seen: Any = None

        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata(is_function_calling_model=True, model_name="script")

        def _prepare_chat_with_tools(self, tools: Any, **named: Any) -> Any:
            return {"messages": named.get("chat_history")}

        def _next(self, messages: Any) -> ChatResponse:
            self.seen.append(str(messages))
            step = script.pop(0)
            text, more = (step, {}) if isinstance(step, str) else ("", {"call": step})
            return ChatResponse(message=ChatMessage(role="assistant", content=text, additional_kwargs=more))

        async def achat_with_tools(self, tools: Any, **named: Any) -> ChatResponse:
            return self._next(named.get("chat_history"))

        def get_tool_calls_from_response(self, response: Any, *_: Any, **__: Any) -> list[ToolSelection]:
            call = response.message.additional_kwargs.get("call")
            return [ToolSelection(tool_id="1", tool_name=call[0], tool_kwargs=call[1])] if call else []

        def chat(self, messages: Any, **_: Any) -> Any: ...
        async def achat(self, messages: Any, **_: Any) -> Any: ...
        def stream_chat(self, *_: Any, **__: Any) -> Any: ...
        async def astream_chat(self, *_: Any, **__: Any) -> Any: ...
        def complete(self, *_: Any, **__: Any) -> Any: ...
        async def acomplete(self, *_: Any, **__: Any) -> Any: ...
        def stream_complete(self, *_: Any, **__: Any) -> Any: ...
        async def astream_complete(self, *_: Any, **__: Any) -> Any: ...

    return Script(seen=[])


def llama(script: list[Any], answer: str = "no", by: str = "fay") -> tuple[list[Any], Any, list[Any]]:
    """What ran, the model, and the questions of a run."""
    module = recipe("llamaindex", "llama_index.core")
    ran: list[Any] = []

    def pay(amount: float, to: str) -> str:
        ran.append((amount, to))
        return f"paid {amount}"

    def look(what: str) -> str:
        ran.append(what)
        if what == "broken":
            raise ValueError("it broke at SECRET-1")
        return "it is SECRET-1"

    def burn() -> str:
        ran.append("burn")
        return "burnt"

    model = llama_model(script)
    questions: list[Any] = []

    async def work() -> None:
        from workflows.events import HumanResponseEvent, InputRequiredEvent

        agent = module.guarded_agent(mediation_of(), tools=[pay, look, burn], llm=model)
        handler = agent.run("hello")
        async for event in handler.stream_events():
            if isinstance(event, InputRequiredEvent):
                questions.append(event)
                handler.ctx.send_event(HumanResponseEvent(response=answer, by=by))
        await handler

    asyncio.run(work())
    return ran, model, questions


def test_llamaindex() -> None:
    steps = [
        ("pay", {"amount": 5000, "to": "x"}), ("pay", {"amount": 5, "to": "KEY-7"}), ("look", {"what": "broken"}),
        ("look", {"what": "x"}), "done",
    ]  # fmt: skip
    ran, model, _ = llama(steps)
    assert "Too much" in model.seen[1]
    assert "KEY-7" not in str(ran)
    assert ran[1:] == ["broken", "x"]
    assert "SECRET" not in "".join(model.seen)


@pytest.mark.parametrize(
    ("answer", "by", "runs"), [("yes", "fay", True), ("no", "fay", False), ("yes", "bob", False)]
)
def test_llamaindex_asks(answer: str, by: str, runs: bool) -> None:  # noqa: FBT001
    ran, _, questions = llama([("pay", {"amount": 90, "to": "x"}), "done"], answer, by)
    assert (ran == [(90, "x")]) is runs
    assert questions[0].get("reviewers") == ["finance"]


def test_llamaindex_halts() -> None:
    with pytest.raises(Halted, match="last straw"):
        llama([("burn", {}), "never"])


# --- AG2 ---------------------------------------------------------------------------------------


def ag2(*script: Any, human: str = "no", reviewer: str = "fay") -> tuple[list[Any], str, str]:
    """What ran, what the agent answered, and all that its model read."""
    module = recipe("ag2", "ag2")
    from ag2 import Agent, tool
    from ag2.events import HumanMessage, ToolCallEvent
    from ag2.middleware import BaseMiddleware, Middleware
    from ag2.testing import TestConfig

    ran: list[Any] = []
    seen: list[str] = []

    @tool
    def pay(amount: float, to: str) -> str:
        "Pay."
        ran.append((amount, to))
        return f"paid {amount}"

    @tool
    def look(what: str) -> str:
        "Look."
        ran.append(what)
        return "it is SECRET-1"

    @tool
    def burn() -> str:
        "Burn."
        ran.append("burn")
        return "burnt"

    class Sees(BaseMiddleware):
        async def on_llm_call(self, call_next: Any, events: Any, context: Any) -> Any:
            seen.append(str(events))
            return await call_next(events, context)

    async def person(_: Any) -> HumanMessage:
        return HumanMessage(human)

    steps = [
        ToolCallEvent(step[0], arguments=json.dumps(step[1])) if isinstance(step, tuple) else step
        for step in script
    ]
    guard = module.guard_middleware(mediation_of(), reviewer)
    agent = Agent(
        "a",
        config=TestConfig(*steps),
        tools=[pay, look, burn],
        middleware=[guard, Middleware(Sees)],
        hitl_hook=person,
    )
    reply = asyncio.run(agent.ask("hello"))
    return ran, str(reply.body), "".join(seen)


def test_ag2() -> None:
    steps = [
        ("pay", {"amount": 5000, "to": "x"}),
        ("pay", {"amount": 5, "to": "KEY-7"}),
        ("look", {"what": "x"}),
    ]
    ran, answer, seen = ag2(*steps, "it is SECRET-2")
    assert "Too much" in seen
    assert "KEY-7" not in str(ran)
    assert ran[1:] == ["x"]
    assert "SECRET" not in answer
    assert "SECRET-1" not in seen


@pytest.mark.parametrize(
    ("human", "reviewer", "runs"), [("yes", "fay", True), ("no", "fay", False), ("yes", "bob", False)]
)
def test_ag2_asks(human: str, reviewer: str, runs: bool) -> None:  # noqa: FBT001
    ran, _, _ = ag2(("pay", {"amount": 90, "to": "x"}), "done", human=human, reviewer=reviewer)
    assert (ran == [(90, "x")]) is runs


def test_ag2_halts() -> None:
    with pytest.raises(Halted, match="last straw"):
        ag2(("burn", {}), "never")


# --- FastAPI -----------------------------------------------------------------------------------


def test_fastapi() -> None:
    module = recipe("fastapi", "fastapi", "httpx")
    from fastapi.testclient import TestClient

    guard = Guard.from_text(POLICY, reviewers={"finance": ["fay"]})
    client = TestClient(module.guarded_app(guard))
    headers = {"x-user": "ana", "x-conversation": "1"}

    def pay(amount: float) -> Any:
        return client.post("/pay", params={"amount": amount, "to": "KEY-7"}, headers=headers)

    paid = pay(5)
    assert paid.status_code == 200
    assert "KEY-7" not in paid.text
    assert pay(5000).status_code == 403
    asked = pay(90)
    assert asked.status_code == 409
    guard.approvals.approve(asked.json()["request"], by="fay")
    assert pay(90).status_code == 200
    assert pay(90).status_code == 409
    assert client.post("/pay", params={"amount": 1, "to": "x"}).status_code == 422
