"""Guard in LiteLLM: the proxy's hooks with LiteLLM's own classes, its SDK, and a real proxy before a fake upstream."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
if os.environ.get("CI") != "true":
    pytest.importorskip("litellm")
    pytest.importorskip("fastapi")

import litellm
from fastapi import HTTPException
from litellm.types.guardrails import GuardrailEventHooks
from litellm.types.utils import EmbeddingResponse, ModelResponse, ModelResponseStream, TextCompletionResponse
from litellm_fakes import Upstream, answer, call, in_pieces, whole

from guardrails import Guard
from guardrails.errors import Denied, EvaluationError, Halted
from guardrails.integrations.litellm import (
    HOOKS,
    Caller,
    GuardedLiteLLM,
    LiteLLMGuard,
    guardrail,
    one_for_each_key,
)
from guardrails.integrations.receipts import Unmediated

POLICY = """
policy shop

on call pay {
  allow
  big: ask finance when args.amount > 60
  most: limit sum(args.amount) to 200 per 1d by principal.id
  redact /secret-[0-9]+/ in args.note
}
on call look, plain { allow }
on call burn { halt because "No." }
on result look { redact /secret-[0-9]+/ }
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


@pytest.fixture
def guard() -> Guard:
    return Guard.from_text(POLICY, reviewers={"finance": ["fay"]})


class Auth:
    """What the proxy knows of a key."""

    def __init__(self, user: str = "ana") -> None:
        self.api_key = f"hash-{user}"
        self.user_id = user


class Proxy:
    """The hooks of a proxy, in the order in which it calls them."""

    def __init__(self, guard: Guard, **more: Any) -> None:
        self.guardrail = LiteLLMGuard(one_for_each_key(guard), **more)
        self.sent: Any = None

    def ask(self, said: Any, says: dict[str, Any], user: str = "ana", kind: str = "acompletion") -> Any:
        return asyncio.run(self._ask(said, says, user, kind))

    async def _ask(self, said: Any, says: dict[str, Any], user: str, kind: str) -> Any:
        self.sent = await self._before(said, user, kind)
        response = ModelResponse(**whole(says))
        return await self.guardrail.async_post_call_success_hook(self.sent, Auth(user), response)

    async def _before(self, said: Any, user: str, kind: str) -> Any:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        data = {"model": "m", "messages": messages, "litellm_call_id": "id"}
        return await self.guardrail.async_pre_call_hook(Auth(user), None, data, kind)

    def stream(self, said: Any, says: dict[str, Any], cuts: list[int]) -> list[Any]:
        async def chunks() -> Any:
            for each in in_pieces(says, cuts):
                yield ModelResponseStream(**each)

        async def run() -> list[Any]:
            self.sent = await self._before(said, "ana", "acompletion")
            relay = self.guardrail.async_post_call_streaming_iterator_hook(Auth(), chunks(), self.sent)
            return [each async for each in relay]

        return asyncio.run(run())


@pytest.fixture
def proxy(guard: Guard) -> Proxy:
    return Proxy(guard)


def calls_of(response: Any) -> list[tuple[str, Any]]:
    return [
        (each.function.name, json.loads(each.function.arguments))
        for each in response.choices[0].message.tool_calls or ()
    ]


def refused(error: Any) -> str:
    assert error.value.status_code == 403
    return str(error.value.detail["error"])


def told_or_refused(proxy: Proxy, said: Any, says: dict[str, Any]) -> str:
    try:
        return str(proxy.ask(said, says).model_dump_json())
    except HTTPException as error:
        return str(error.detail)


# --- calls in answers ----------------------------------------------------------------------------


def test_an_allowed_call_stays_and_is_what_the_policy_made_of_it(proxy: Proxy) -> None:
    response = proxy.ask("hi", answer(None, [call("pay", '{"amount": 5, "note": "secret-1"}')]))
    ((name, args),) = calls_of(response)
    assert (name, args["amount"]) == ("pay", 5)
    assert "secret-1" not in str(response)
    assert response.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ["{}", "{", '{"a": 1, "a": 2}', "[1]"])
def test_a_denied_call_is_taken_out_and_the_text_says_why(proxy: Proxy, arguments: str) -> None:
    name = "unknown" if arguments == "{}" else "look"
    response = proxy.ask("hi", answer("so", [call(name, arguments), call("plain", "{}", "c2")]))
    assert calls_of(response) == [("plain", {})]
    assert response.choices[0].message.content.startswith("so\n")
    assert name in response.choices[0].message.content
    alone = proxy.ask("hi", answer(None, [call(name, arguments)]))
    assert alone.choices[0].message.tool_calls is None
    assert alone.choices[0].finish_reason == "stop"


def test_a_legacy_call_is_judged_too(proxy: Proxy) -> None:
    response = proxy.ask("hi", answer(None, function_call={"name": "unknown", "arguments": "{}"}))
    assert response.choices[0].message.function_call is None
    assert "unknown" in response.choices[0].message.content


def test_a_call_that_waits_for_people_passes_once_they_agreed(proxy: Proxy, guard: Guard) -> None:
    big = answer(None, [call("pay", '{"amount": 90}')])
    response = proxy.ask("hi", big)
    (waiting,) = guard.approvals.list("pending")
    assert calls_of(response) == []
    assert waiting.id in response.choices[0].message.content
    assert calls_of(proxy.ask("hi", big)) == []
    guard.approvals.approve(waiting.id, by="fay")
    assert calls_of(proxy.ask("hi", big)) == [("pay", {"amount": 90})]
    assert calls_of(proxy.ask("hi", answer(None, [call("pay", '{"amount": 90}', "c9")]))) == []


def test_a_halt_refuses_the_answer_and_all_that_follows(proxy: Proxy) -> None:
    with pytest.raises(HTTPException) as error:
        proxy.ask("hi", answer("x", [call("burn", "{}")]))
    assert "halted: No" in refused(error)
    with pytest.raises(HTTPException) as error:
        proxy.ask("hi", answer("x"))
    assert "halted: No" in refused(error)
    assert proxy.ask("hi", answer("x"), user="bob").choices[0].message.content == "x"


def test_keys_are_principals(proxy: Proxy) -> None:
    for user in ("ana", "bob"):
        for at in range(4):
            proxy.ask("hi", answer(None, [call("pay", '{"amount": 60}', f"{user}{at}")]), user=user)
    limits = proxy.guardrail.seats.of(Caller(Auth(), {})).session.guard.limits()  # type: ignore[union-attr]
    assert [state.used for state in limits if state.name.endswith("most")] == [180, 180]


def test_nobody_is_nobody(proxy: Proxy) -> None:
    with pytest.raises(HTTPException) as error:
        asyncio.run(proxy.guardrail.async_pre_call_hook(object(), None, {"messages": []}, "acompletion"))
    assert "without a key" in refused(error)


def test_a_budget_that_is_used_up_stops_the_next_call(proxy: Proxy) -> None:
    for at in range(6):
        assert calls_of(proxy.ask("hi", answer(None, [call("plain", "{}", f"c{at}")])))
    for at in range(6, 8):
        last = proxy.ask("hi", answer(None, [call("plain", "{}", f"c{at}")]))
    assert calls_of(last) == []
    assert "lets 100 through" in last.choices[0].message.content


# --- requests ------------------------------------------------------------------------------------


def conversation(tool: str, result: Any, id: str = "c1") -> list[dict[str, Any]]:
    return [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [call(tool, "{}", id)]},
        {"role": "tool", "tool_call_id": id, "content": result},
    ]


@pytest.mark.parametrize("result", ["it is secret-7", [{"type": "text", "text": "it is secret-7"}]])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_result_is_judged_before_the_model_reads_it(proxy: Proxy, result: Any, is_known: bool) -> None:  # noqa: FBT001
    if is_known:
        proxy.ask("hi", answer(None, [call("look", "{}")]))
    for _ in range(2):
        proxy.ask(conversation("look", result), answer("ok"))
        assert "it is" in str(proxy.sent)
        assert "secret" not in str(proxy.sent)


def test_the_result_of_a_refused_call_is_noticed(proxy: Proxy) -> None:
    proxy.ask("hi", answer(None, [call("unknown", "{}")]))
    with pytest.raises(HTTPException) as error:
        proxy.ask(conversation("unknown", "done"), answer("ok"))
    assert "although it was not allowed" in refused(error)


def test_a_result_without_its_call_is_refused(proxy: Proxy) -> None:
    with pytest.raises(HTTPException) as error:
        proxy.ask([{"role": "tool", "tool_call_id": "c", "content": "x"}], answer("ok"))
    assert "without its call" in refused(error)


def test_what_people_say_is_judged_once(guard: Guard) -> None:
    proxy = Proxy(guard)
    with pytest.raises(HTTPException) as error:
        proxy.ask("attack!", answer("ok"))
    assert "No attacks" in refused(error)
    later = [
        {"role": "user", "content": "attack!"},
        {"role": "assistant", "content": "no"},
        {"role": "user", "content": "hi"},
    ]
    proxy.ask(later, answer("ok"))
    assert "attack!" not in str(proxy.sent)
    blocks = [
        {"type": "text", "text": "I am sec"},
        {"type": "text", "text": "ret-5"},
        {"type": "image_url", "image_url": "u"},
    ]
    proxy.ask([{"role": "user", "content": blocks}], answer("ok"))
    assert "ret-5" not in str(proxy.sent)
    assert "image_url" in str(proxy.sent)


@pytest.mark.parametrize("field", ["prompt", "input"])
def test_other_requests_are_judged_too(proxy: Proxy, field: str) -> None:
    def sent(value: Any) -> Any:
        data = {field: value}
        kind = "text_completion" if field == "prompt" else "aembedding"
        return asyncio.run(proxy.guardrail.async_pre_call_hook(Auth(), None, data, kind))[field]

    assert "secret" not in sent("a secret-1")
    assert "secret" not in str(sent(["x", "a secret-1"]))
    with pytest.raises(HTTPException) as error:
        sent([1, 2, 3])
    assert "cannot read" in refused(error)


@pytest.mark.parametrize("kind", ["aresponses", "anthropic_messages", "pass_through_endpoint", "None"])
def test_what_guard_cannot_read_is_refused(proxy: Proxy, kind: str) -> None:
    with pytest.raises(HTTPException) as error:
        proxy.ask("hi", answer("x"), kind=kind)
    assert "cannot read" in refused(error)


# --- answers -------------------------------------------------------------------------------------


def test_an_answer_leaves_as_the_policy_has_it(proxy: Proxy) -> None:
    assert "secret" not in proxy.ask("hi", answer("it is secret-7")).choices[0].message.content
    assert "Not that" in proxy.ask("hi", answer("forbidden")).choices[0].message.content


def test_nothing_beside_an_answer_keeps_what_was_redacted(proxy: Proxy) -> None:
    beside = {
        "reasoning_content": "secret-1",
        "provider_specific_fields": {"x": "secret-2", "citations": ["secret-3"]},
    }
    response = proxy.ask("hi", answer("it is secret-7", **beside))
    assert "secret" not in response.model_dump_json()
    told: Any = {
        **whole(answer("x", reasoning_details=[{"text": "secret-4"}], found="y")),
        "citations": ["secret-5"],
    }
    told["choices"][0]["provider_specific_fields"] = {"x": "secret-6"}
    asyncio.run(proxy._before("hi", "ana", "acompletion"))
    done = proxy.guardrail.async_post_call_success_hook(
        {"litellm_call_id": "id"}, Auth(), ModelResponse(**told)
    )
    left = asyncio.run(done).model_dump_json()
    assert "secret" not in left
    assert '"found":"y"' in left
    fine = proxy.ask("hi", answer("fine", reasoning_content="so"))
    assert fine.choices[0].message.reasoning_content == "so"


def test_answers_of_other_kinds(guard: Guard) -> None:
    from guardrails.integrations.litellm.bodies import judged_response
    from guardrails.integrations.mediation import Mediation

    mediation = Mediation(guard.session(principal={"id": "ana"}))
    text: Any = TextCompletionResponse(
        choices=[{"text": "it is secret-7", "index": 0, "finish_reason": "stop"}]
    )
    assert "secret" not in str(judged_response(mediation, text).choices[0].text)
    assert isinstance(judged_response(mediation, EmbeddingResponse()), EmbeddingResponse)
    with pytest.raises(EvaluationError, match="cannot read"):
        judged_response(mediation, {"type": "message"})


# --- streams -------------------------------------------------------------------------------------

TEXT = "it is secret-77 here"


@pytest.mark.parametrize("pace", ["whole", "pieces"])
def test_a_value_that_is_cut_anywhere_does_not_leave(guard: Guard, pace: str) -> None:
    expected = guard.session().check_output(TEXT).payload
    for cut in range(len(TEXT)):
        proxy = Proxy(guard, streaming=pace)
        proxy.guardrail.seats._session = guard.session(principal={"id": "ana"})
        chunks = proxy.stream("hi", answer(TEXT, reasoning_content="secret-5"), [cut, cut + 1])
        told = "".join(each.choices[0].delta.content or "" for each in chunks if each.choices)
        assert told == expected
        assert "secret" not in "".join(each.model_dump_json() for each in chunks)
        assert chunks[-1].usage.prompt_tokens == 10


@pytest.mark.parametrize("pace", ["whole", "pieces"])
def test_calls_in_a_stream_are_judged_when_they_are_whole(guard: Guard, pace: str) -> None:
    proxy = Proxy(guard, streaming=pace)
    says = answer(
        "so", [call("pay", '{"amount": 5, "note": "secret-1"}', "a"), call("unknown", '{"x": 1}', "b")]
    )
    chunks = proxy.stream("hi", says, [1])
    whole_one = litellm.stream_chunk_builder(chunks)
    assert [each.function.name for each in whole_one.choices[0].message.tool_calls] == ["pay"]
    assert "secret" not in whole_one.model_dump_json()
    assert whole_one.choices[0].message.content.startswith("so")
    assert "unknown" in whole_one.choices[0].message.content
    only = proxy.stream("hi", answer(None, [call("unknown", '{"x": 1}', "d")]), [])
    assert [each.choices[0].finish_reason for each in only if each.choices][-1] == "stop"


@pytest.mark.parametrize("pace", ["whole", "pieces"])
def test_a_refused_or_halted_stream_tells_no_more(guard: Guard, pace: str) -> None:
    proxy = Proxy(guard, streaming=pace)
    chunks = proxy.stream("hi", answer("this is forbidden now"), [12])
    assert "forbidden" not in "".join(each.model_dump_json() for each in chunks)
    with pytest.raises(HTTPException) as error:
        proxy.stream("hi", answer("x", [call("burn", '{"x": 1}')]), [])
    assert "halted: No" in refused(error)


def test_a_stream_of_another_kind_is_refused(proxy: Proxy) -> None:
    async def chunks() -> Any:
        yield b"event: x\ndata: secret-1\n\n"

    async def run() -> Any:
        sent = await proxy._before("hi", "ana", "acompletion")
        return [
            each
            async for each in proxy.guardrail.async_post_call_streaming_iterator_hook(Auth(), chunks(), sent)
        ]

    with pytest.raises(HTTPException) as error:
        asyncio.run(run())
    assert "cannot read" in refused(error)


# --- tools that the proxy runs ---------------------------------------------------------------------


def mcp(proxy: Proxy, tool: str, args: Any) -> Any:
    data = {"mcp_tool_name": tool, "mcp_arguments": args, "messages": []}
    return asyncio.run(proxy.guardrail.async_pre_call_hook(Auth(), None, data, "call_mcp_tool"))


def test_calls_of_mcp_tools_are_judged_before_they_run(proxy: Proxy) -> None:
    assert "modified_arguments" not in mcp(proxy, "plain", {})
    assert "secret" not in str(mcp(proxy, "pay", {"amount": 5, "note": "secret-1"})["modified_arguments"])
    for tool, args, why in (
        ("unknown", {}, "unknown"),
        ("pay", {"amount": 90}, "finance"),
        ("look", {}, "results of `look`"),
    ):
        with pytest.raises(HTTPException) as error:
            mcp(proxy, tool, args)
        assert why in refused(error)


# --- what is skipped is noticed, and what breaks lets nothing through --------------------------------


def test_a_client_cannot_turn_it_off(guard: Guard) -> None:
    for made in (
        LiteLLMGuard(one_for_each_key(guard)),
        guardrail(one_for_each_key(guard))(event_hook="pre_call", default_on=False),
    ):
        for event in (
            GuardrailEventHooks.pre_call,
            GuardrailEventHooks.post_call,
            GuardrailEventHooks.pre_mcp_call,
        ):
            assert made.should_run_guardrail({"metadata": {"disable_global_guardrails": True}}, event)


def test_an_answer_whose_request_was_not_judged_is_noticed(proxy: Proxy) -> None:
    with pytest.raises(HTTPException) as error:
        asyncio.run(
            proxy.guardrail.async_post_call_success_hook({"litellm_call_id": "new"}, Auth(), ModelResponse())
        )
    assert "no check has seen" in refused(error)


def test_a_piece_that_went_past_is_noticed(proxy: Proxy) -> None:
    with pytest.raises(HTTPException) as error:
        asyncio.run(proxy.guardrail.async_post_call_streaming_hook(Auth(), "it is sec"))
    assert "no check has seen" in refused(error)
    proxy.stream("hi", answer("fine"), [1])
    with pytest.raises(HTTPException):
        asyncio.run(proxy.guardrail.async_post_call_streaming_hook(Auth(), "it is sec"))


def test_hooks_are_in_the_class_itself(guard: Guard) -> None:
    class Own(LiteLLMGuard):
        pass

    for made in (LiteLLMGuard, Own, guardrail(one_for_each_key(guard))):
        assert set(HOOKS) <= set(vars(made))


def boom(*_: Any, **__: Any) -> Any:
    raise RuntimeError("boom")


@pytest.mark.parametrize("check", ["check_call", "check_result", "check_input", "check_output"])
def test_a_check_that_breaks_lets_nothing_through(guard: Guard, check: str) -> None:
    session: Any = guard.session(principal={"id": "ana"})
    setattr(session, check, boom)
    proxy = Proxy(guard)
    proxy.guardrail.seats._session = session
    told = told_or_refused(
        proxy, conversation("look", "secret-1"), answer("secret-2", [call("look", "{}", "c2")])
    )
    assert "could not decide" in told + str(proxy.sent)
    assert "secret" not in told + str(proxy.sent)
    if check == "check_call":
        assert '"tool_calls":null' in told


@pytest.mark.parametrize(
    "part", ["litellm.judged_request", "litellm.judged_response", "litellm.bodies.judge_beside"]
)
def test_an_adapter_that_breaks_lets_nothing_through(
    proxy: Proxy, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"guardrails.integrations.{part}", boom)
    with pytest.raises(RuntimeError):
        proxy.ask("hi", answer("secret-1"))


@pytest.mark.parametrize("pace", ["whole", "pieces"])
def test_a_stream_that_breaks_tells_no_more(guard: Guard, pace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrails.integrations.litellm.streams.judge_beside", boom)
    with pytest.raises(RuntimeError):
        Proxy(guard, streaming=pace).stream("hi", answer("x", [call("plain", "{}")]), [])


# --- programs ------------------------------------------------------------------------------------


@pytest.fixture
def upstream() -> Any:
    found = Upstream()
    yield found
    found.close()


@pytest.mark.parametrize("kind", ["sync", "async"])
@pytest.mark.parametrize("streams", [False, True])
def test_the_sdk_is_held_to_the_policy(guard: Guard, upstream: Upstream, kind: str, streams: bool) -> None:  # noqa: FBT001
    guarded = GuardedLiteLLM(guard.session(principal={"id": "ana"}))
    upstream.says = answer("it is secret-7", [call("pay", '{"amount": 5}', "a"), call("unknown", "{}", "b")])

    def ask(said: str) -> Any:
        request: dict[str, Any] = {
            "model": "openai/fake", "api_base": upstream.url, "api_key": "none", "stream": streams,
            "messages": [{"role": "user", "content": said}],
        }  # fmt: skip
        if kind == "sync":
            response = guarded.completion(**request)
            return litellm.stream_chunk_builder(list(response)) if streams else response

        async def run() -> Any:
            response = await guarded.acompletion(**request)
            return litellm.stream_chunk_builder([each async for each in response]) if streams else response

        return asyncio.run(run())

    response = ask("I am secret-1")
    assert calls_of(response) == [("pay", {"amount": 5})]
    assert "secret" not in response.model_dump_json() + str(upstream.seen)
    before = len(upstream.seen)
    with pytest.raises(Denied, match="No attacks"):
        ask("attack")
    assert len(upstream.seen) == before
    upstream.says = answer("x", [call("burn", "{}")])
    with pytest.raises(Halted):
        ask("hi")


def test_streaming_is_one_of_two(guard: Guard) -> None:
    with pytest.raises(EvaluationError, match="`whole` or `pieces`"):
        GuardedLiteLLM(guard.session(), streaming="fast")


def test_unmediated_is_told_to_programs(guard: Guard, upstream: Upstream) -> None:
    guarded = GuardedLiteLLM(guard.session(principal={"id": "ana"}))
    request: dict[str, Any] = {"model": "openai/fake", "api_base": upstream.url, "api_key": "none"}
    upstream.says = answer(None, [call("unknown", "{}")])
    guarded.completion(messages=[{"role": "user", "content": "hi"}], **request)
    with pytest.raises(Unmediated):
        guarded.completion(messages=conversation("unknown", "done"), **request)


# --- a real proxy ----------------------------------------------------------------------------------

KEY = "sk-" + "0" * 32
MODULE = f"""
from guardrails import Guard
from guardrails.integrations.litellm import guardrail, one_for_each_key

guard = Guard.from_text({POLICY!r}, reviewers={{"finance": ["fay"]}})
Guarded = guardrail(one_for_each_key(guard), streaming="pieces")
"""


def _post(url: str, body: dict[str, Any]) -> tuple[int, str]:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.soak
def test_a_real_proxy(tmp_path: Path, upstream: Upstream) -> None:
    program = Path(os.environ.get("LITELLM_PROXY") or Path(sys.executable).with_name("litellm"))
    python = program.with_name("python")
    if subprocess.run([python, "-c", "import litellm.proxy.proxy_server"], capture_output=True).returncode:
        pytest.skip("the proxy of litellm is not installed: pip install 'litellm[proxy]'")
    (tmp_path / "guard_proxy.py").write_text(MODULE)
    model = {"model": "openai/fake", "api_base": upstream.url, "api_key": "none"}
    settings = {"guardrail": "guard_proxy.Guarded", "mode": ["pre_call", "post_call"], "default_on": True}
    config = {
        "model_list": [{"model_name": "m", "litellm_params": model}],
        "guardrails": [{"guardrail_name": "guard", "litellm_params": settings}],
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    port = _free_port()
    env = {**os.environ, "LITELLM_MASTER_KEY": KEY, "NO_DOCS": "True", "LITELLM_TELEMETRY": "False"}
    command = [program, "--config", "config.yaml", "--port", str(port), "--host", "127.0.0.1"]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        _until_it_listens(f"{url}/health/liveliness", tmp_path / "log")
        _talk(f"{url}/v1/chat/completions", upstream)
    finally:
        process.terminate()
        process.wait(30)


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _until_it_listens(url: str, log: Path) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def _talk(url: str, upstream: Upstream) -> None:
    def ask(said: str, **more: Any) -> tuple[int, str]:
        return _post(url, {"model": "m", "messages": [{"role": "user", "content": said}], **more})

    status, text = ask("attack")
    assert status == 403
    assert "No attacks" in text
    assert upstream.seen == []
    upstream.says = answer("it is secret-7", [call("pay", '{"amount": 5}', "a"), call("unknown", "{}", "b")])
    status, text = ask("I am secret-1", metadata={"disable_global_guardrails": True})
    assert status == 200
    assert "secret" not in text + str(upstream.seen)
    assert [each["function"]["name"] for each in json.loads(text)["choices"][0]["message"]["tool_calls"]] == [
        "pay"
    ]
    upstream.says = answer(TEXT)
    upstream.cuts = [9]
    status, text = ask("hi", stream=True)
    assert status == 200
    assert "secret" not in text
    assert "ret-77" not in text
    assert "[DONE]" in text
