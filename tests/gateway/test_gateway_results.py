"""Results: a redaction reaches every copy of the data, or the result is withheld."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_peers import FakeServer, gateway, is_denied, run, said, text
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Guard
from guardrails.gateway.messages import text_of
from guardrails.gateway.results import Unwritable, of_blocks, parts_of_tool, repetition

POLICY = 'policy p\non call "mcp.*" { allow }\non result "mcp.*" { redact /SECRET/ }'


def result_of(policy: str, result: dict[str, Any], *, new: bool = False) -> dict[str, Any]:
    async def work() -> Any:
        srv = FakeServer("srv").offer("do", result)
        _, peer = gateway(policy, srv, new=new)
        await peer.begin()
        return await peer.call("do")

    found: dict[str, Any] = run(work())
    return found


def structured(value: Any, *texts: str) -> dict[str, Any]:
    return {**text(*texts), "structuredContent": value}


# --- what a policy sees ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "seen"),
    [
        (text("plain"), ["plain"]),
        (text('{"a": 1}'), [{"a": 1}]),
        (text("[1, 2]"), [[1, 2]]),
        (text("3"), ["3"]),
        (text('{"a": 1, "a": 2}'), ['{"a": 1, "a": 2}']),
        (text('{"a": NaN}'), ['{"a": NaN}']),
        (structured({"a": 1}, '{"a":1}'), [{"a": 1}]),
        (structured({"a": 1.0}, '{"a": 1}'), [{"a": 1.0}]),
        (structured({"result": "x"}, "x"), [{"result": "x"}]),
        (structured({"result": [1, "b"]}, "1", "b"), [{"result": [1, "b"]}]),
        (structured({"a": 1}), [{"a": 1}]),
        (structured({"a": 1}, "something else"), [{"a": 1}, "something else"]),
        (structured({"a": True}, '{"a": 1}'), [{"a": True}, {"a": 1}]),
        (text("a", "b"), [[{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]]),
        ({**text("a"), "_meta": {"x": "y"}}, ["a", {"x": "y"}]),
        ({**text("a"), "_meta": {"io.modelcontextprotocol/serverInfo": {}}}, ["a"]),
        (
            {"content": [{"type": "image", "data": "AAAA", "mimeType": "image/png"}]},
            [[{"type": "image", "data": "4 characters of base64", "mimeType": "image/png"}]],
        ),
        (
            {"content": [{"type": "text", "text": "a", "data": "SECRET"}]},
            [[{"type": "text", "text": "a", "data": "SECRET"}]],
        ),
    ],
)
def test_what_a_policy_sees(result: dict[str, Any], seen: list[Any]) -> None:
    assert [part.value for part in parts_of_tool(result)] == seen


# --- what is written back ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "filtered"),
    [
        (text("a SECRET b"), text("a [REDACTED] b")),
        (text('{"a": "SECRET"}'), text('{"a":"[REDACTED]"}')),
        (structured({"a": "SECRET"}, '{"a":"SECRET"}'), structured({"a": "[REDACTED]"}, '{"a":"[REDACTED]"}')),
        (structured({"result": "SECRET"}, "SECRET"), structured({"result": "[REDACTED]"}, "[REDACTED]")),
        (structured({"result": ["SECRET", "b"]}, "SECRET", "b"),
         structured({"result": ["[REDACTED]", "b"]}, "[REDACTED]", "b")),
        (structured({"a": "SECRET"}, "it is SECRET"), structured({"a": "[REDACTED]"}, '{"a":"[REDACTED]"}')),
        (structured({"a": "ok"}, "it is SECRET"), structured({"a": "ok"}, "it is [REDACTED]")),
        (text("SECRET", "SECRET2"), text("[REDACTED]", "[REDACTED]2")),
        ({"content": [{"type": "resource", "resource": {"uri": "f:a", "text": "SECRET"}}]},
         {"content": [{"type": "resource", "resource": {"uri": "f:a", "text": "[REDACTED]"}}]}),
        ({**text("a"), "_meta": {"k": "SECRET"}}, {**text("a"), "_meta": {"k": "[REDACTED]"}}),
        ({**text("a"), "other": "SECRET"}, text("a")),
    ],
)  # fmt: skip
def test_a_redaction_reaches_every_copy(result: dict[str, Any], filtered: dict[str, Any]) -> None:
    assert result_of(POLICY, result) == filtered


@pytest.mark.parametrize(
    ("policy", "result"),
    [
        ("only fields id", text("SECRET")),
        ("only fields id", structured({"id": 1, "x": 2}, "and SECRET")),
        (
            "drop fields resource",
            {"content": [{"type": "resource", "resource": {"uri": "a", "text": "SECRET"}}]},
        ),
        ("redact /SECRET/", {"content": [{"type": "resource_link", "uri": "f:SECRET", "name": "x"}]}),
        ("redact /[0-9]+ characters/", {"content": [{"type": "image", "data": "SECRET", "mimeType": "a/b"}]}),
    ],
)
def test_what_cannot_be_written_back_is_withheld(policy: str, result: dict[str, Any]) -> None:
    found = result_of(f'policy p\non call "mcp.*" {{ allow }}\non result "mcp.*" {{ {policy} }}', result)
    assert "SECRET" not in str(found)
    if found.get("isError"):
        assert is_denied(found)
    else:
        assert found["structuredContent"] == {"id": 1}


def test_fields_and_rows_are_kept_in_both_copies() -> None:
    policy = 'policy p\non call "mcp.*" { allow }\non result "mcp.srv.do" { only fields id, rows.a }'
    value = {"id": 1, "x": 2, "rows": [{"a": 1, "b": 2}]}
    kept = {"id": 1, "rows": [{"a": 1}]}
    assert result_of(policy, structured(value, text_of(value))) == structured(kept, text_of(kept))
    assert result_of(policy, text(text_of(value))) == text(text_of(kept))


def test_pictures_pass_as_they_are_unless_a_policy_says_no() -> None:
    picture = {"content": [{"type": "image", "data": "QUJD", "mimeType": "image/png"},
                           {"type": "text", "text": "SECRET"}]}  # fmt: skip
    found = result_of(POLICY, picture)
    assert found["content"] == [picture["content"][0], {"type": "text", "text": "[REDACTED]"}]
    closed = 'policy p\non call "mcp.*" { allow }\non result "mcp.srv.do" { deny when result contains "x" }'
    assert is_denied(result_of(closed, picture))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["SECRET", "a SECRET b", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
BLOCKS = st.lists(
    st.one_of(
        st.builds(
            lambda said: {"type": "text", "text": said}, st.sampled_from(["SECRET", "x", '{"a": "SECRET"}'])
        ),
        st.builds(lambda value: {"type": "text", "text": text_of(value)}, JSON),
        st.just({"type": "resource", "resource": {"uri": "f:a", "text": "SECRET"}}),
        st.just({"type": "image", "data": "QUJD", "mimeType": "image/png"}),
    ),
    max_size=3,
)
OBJECTS = st.dictionaries(st.sampled_from(["a", "b", "result"]), JSON, max_size=2)


@settings(max_examples=150)
@given(BLOCKS, st.none() | OBJECTS, st.booleans(), st.booleans())
def test_no_secret_survives_in_any_copy(
    content: list[Any], value: Any, failed: bool, new: bool  # noqa: FBT001
) -> None:  # fmt: skip
    result = {"content": content, "structuredContent": value, "isError": failed, "_meta": {"m": "SECRET"}}
    found = result_of(POLICY, {name: each for name, each in result.items() if each is not None}, new=new)
    assert "SECRET" not in str(found)


@settings(max_examples=100)
@given(BLOCKS, OBJECTS)
def test_what_no_rule_touches_passes_unchanged(content: list[Any], value: Any) -> None:
    result = {"content": content, "structuredContent": value, "_meta": {"m": 1}}
    assert result_of('policy p\non call "mcp.*" { allow }', result) == result


@given(OBJECTS)
def test_a_repetition_writes_what_it_read(value: Any) -> None:
    content = [{"type": "text", "text": text_of(value)}]
    form = repetition(content, value)
    assert form is not None
    assert form(value) == [text_of(value)]


def test_blocks_keep_number_and_kind() -> None:
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    part = of_blocks(blocks, "content")
    assert part.written(part.value) == {"content": blocks}
    for wrong in ([], blocks[:1], [*blocks, blocks[0]], "x", None, [{"type": "image", "text": "a"}, blocks[1]],
                  [{"type": "text"}, blocks[1]], [{"type": "text", "text": 3}, blocks[1]]):  # fmt: skip
        with pytest.raises(Unwritable):
            part.written(wrong)


def test_a_result_of_a_policy_with_exact_decimals_is_json() -> None:
    guard = Guard.from_text(
        'policy p\non call "mcp.*" { allow }\non result "mcp.*" { redact /SECRET/ }', store="memory:"
    )
    srv = FakeServer("srv").offer("do", structured({"n": 1.10, "s": "SECRET"}, '{"n":1.1,"s":"SECRET"}'))

    async def work() -> None:
        _, peer = gateway("", srv, guard=guard)
        await peer.begin()
        found = await peer.call("do")
        assert found["structuredContent"] == {"n": 1.1, "s": "[REDACTED]"}
        assert said(found) == '{"n":1.1,"s":"[REDACTED]"}'

    run(work())
