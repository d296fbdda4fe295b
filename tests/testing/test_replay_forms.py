"""Recordings of every form: which events they hold, how they are recognised, and what is wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrails.runtime.events import check_event
from guardrails.testing.replay_files import UnknownForm, chunks_of, recording
from guardrails.testing.replay_items import APPROVED, REDACTED, REJECTED, SEALED, STOPPED
from guardrails.testing.replay_lines import BadLine, read_line
from guardrails.testing.replay_log import records
from guardrails.testing.replay_reading import Bad, Chunk, People, form_of, items_of

CHAT = {
    "model": "m-1",
    "user": "ana",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "Pay "}, {"type": "image_url", "image_url": {}}]},
        {
            "role": "assistant", "content": "One moment.",
            "tool_calls": [
                {"id": "t1", "type": "function", "function": {"name": "pay", "arguments": '{"n": 1}'}},
                {"id": "t2", "type": "custom", "custom": {"name": "note", "input": "paid"}},
            ],
        },
        {"role": "tool", "tool_call_id": "t1", "content": '{"ok": true}'},
        {"role": "tool", "tool_call_id": "t2", "content": "noted"},
    ],
    "response": {
        "model": "m-1-mini",
        "choices": [{"message": {"role": "assistant", "content": "Done."}}],
        "usage": {"prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens": 3},
    },
}  # fmt: skip
RESPONSES = {
    "input": [
        {"role": "user", "content": "Pay"},
        {"type": "reasoning", "summary": []},
        {"type": "function_call", "call_id": "t1", "name": "pay", "arguments": '{"n": 1}'},
        {"type": "function_call_output", "call_id": "t1", "output": '{"ok": true}'},
    ],
    "output": [
        {"type": "web_search_call", "id": "w1", "action": {"type": "search", "query": "x"}},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
    ],
    "usage": {"input_tokens": 10, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3},
}
ANTHROPIC = {
    "system": "Be kind.",
    "metadata": {"user_id": "ana"},
    "messages": [
        {"role": "user", "content": "Pay"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "One moment."},
                {"type": "tool_use", "id": "t1", "name": "pay", "input": {"n": 1}},
                {"type": "tool_use", "id": "t2", "name": "note", "input": {"text": "x"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "t1",
                    "content": [{"type": "text", "text": '{"ok": true}'}],
                },
                {"type": "tool_result", "tool_use_id": "t2", "content": "no", "is_error": True},
            ],
        },
    ],
    "response": {
        "content": [{"type": "text", "text": "Done."}],
        "usage": {"input_tokens": 6, "cache_read_input_tokens": 4, "output_tokens": 3},
    },
}


def attribute(key: str, value: Any) -> dict[str, Any]:
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, dict):
        values = [attribute(name, each) for name, each in value.items()]
        return {"key": key, "value": {"kvlistValue": {"values": values}}}
    return {"key": key, "value": {"stringValue": value}}


def span(name: str, start: int, attributes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "traceId": "t" * 32, "spanId": name, "name": name, "startTimeUnixNano": str(start * 10**9),
        "endTimeUnixNano": str((start + 1) * 10**9),
        "attributes": [attribute(f"gen_ai.{key}", value) for key, value in attributes.items()], **more,
    }  # fmt: skip


ASKED = [
    {"role": "user", "parts": [{"type": "text", "content": "Hello"}]},
    {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]},
    {"role": "user", "parts": [{"type": "text", "content": "Pay"}]},
]
SAID = [
    {
        "role": "assistant",
        "parts": [{"type": "text", "content": "Done."}, {"type": "tool_call", "name": "pay"}],
    }
]
SPANS = [
    span("chat", 5, {
        "operation.name": "chat", "conversation.id": "c1", "user.id": "ana", "agent.id": "a1",
        "request.model": "m-1", "input.messages": json.dumps(ASKED), "output.messages": json.dumps(SAID),
        "usage.input_tokens": 10, "usage.cache_read.input_tokens": 4, "usage.output_tokens": 3,
    }),
    span("agent", 4, {"operation.name": "invoke_agent", "input.messages": json.dumps(ASKED)}),
    span("tool", 7, {
        "operation.name": "execute_tool", "tool.name": "pay", "tool.call.id": "t1",
        "tool.call.arguments": {"n": 1}, "tool.call.result": '{"ok": true}', "conversation.id": "c1",
    }),
    span("inside", 7, {"operation.name": "execute_tool", "tool.name": "pay"}, parentSpanId="tool"),
    span("bad", 9, {"tool.name": "note", "conversation.id": "c1"}, status={"code": 2}),
    span("other", 9, {}),
]  # fmt: skip
OTEL = {"resourceSpans": [{"resource": {}, "scopeSpans": [{"scope": {}, "spans": SPANS}]}]}


def events_in(path: Path, form: str | None = None, people: People | None = None) -> list[dict[str, Any]]:
    """The events of a file; each of them is well-formed."""
    chunks = chunks_of([recording(str(path), form)], timed=True)
    found = [item for chunk in chunks for item in items_of(chunk, people or People(), timed=True)]
    assert not [item for item in found if isinstance(item, Bad)], found
    for item in found:
        check_event(item[4])  # type: ignore[index]  # no bad lines are left
    return [item[4] for item in found]  # type: ignore[index]  # as above


def written(path: Path, *values: Any) -> Path:
    path.write_text("".join(f"{json.dumps(value)}\n" for value in values), encoding="utf-8")
    return path


def test_chat(tmp_path: Path) -> None:
    events = events_in(written(tmp_path / "x", CHAT))
    assert {event["session"] for event in events} == {f"{tmp_path / 'x'}:0:1"}
    assert all(event["principal"] == {"id": "ana"} for event in events)
    assert [(e["type"], e.get("text"), e.get("tool"), e.get("args")) for e in events] == [
        ("input", "Pay ", None, None),
        ("output", "One moment.", None, None),
        ("call", None, "pay", {"n": 1}),
        ("call", None, "note", {"input": "paid"}),
        ("result", None, "pay", {"n": 1}),
        ("result", None, "note", {"input": "paid"}),
        ("output", "Done.", None, None),
        ("usage", None, None, None),
    ]
    assert [e["result"] for e in events if e["type"] == "result"] == [{"ok": True}, "noted"]
    counts = {name: events[-1][name] for name in ("input_tokens", "cached_tokens", "output_tokens", "model")}
    assert counts == {"input_tokens": 6, "cached_tokens": 4, "output_tokens": 3, "model": "m-1-mini"}


def test_responses(tmp_path: Path) -> None:
    events = events_in(written(tmp_path / "x", RESPONSES))
    assert [(e["type"], e.get("tool"), e.get("call_id")) for e in events] == [
        ("input", None, None), ("call", "pay", "t1"), ("result", "pay", "t1"), ("call", "web_search", "w1"),
        ("output", None, None), ("usage", None, None),
    ]  # fmt: skip
    assert events[3]["args"] == {"type": "search", "query": "x"}
    assert (events[-1]["input_tokens"], events[-1]["cached_tokens"]) == (6, 4)


def test_anthropic(tmp_path: Path) -> None:
    events = events_in(written(tmp_path / "x", ANTHROPIC))
    assert [(e["type"], e.get("tool"), e.get("text")) for e in events] == [
        ("input", None, "Pay"), ("output", None, "One moment."), ("call", "pay", None), ("call", "note", None),
        ("result", "pay", None), ("outcome", "note", None), ("output", None, "Done."), ("usage", None, None),
    ]  # fmt: skip
    assert events[4]["result"] == {"ok": True}
    assert events[5]["outcome"] == "failed"
    assert (events[-1]["input_tokens"], events[-1]["cached_tokens"]) == (6, 4)


def test_spans(tmp_path: Path) -> None:
    chunks = chunks_of([recording(str(written(tmp_path / "x", OTEL)))], timed=True)
    items = sorted(item for chunk in chunks for item in items_of(chunk, People(), timed=True) if item[0])  # type: ignore[type-var]
    told = [(item[0] // 10**6, item[4]["type"], item[4].get("tool"), item[4].get("text")) for item in items]  # type: ignore[index, operator]
    assert told == [
        (5, "input", None, "Pay"), (6, "output", None, "Done."), (6, "usage", None, None), (7, "call", "pay", None),
        (8, "result", "pay", None), (9, "call", "note", None), (10, "outcome", "note", None),
    ]  # fmt: skip
    first = items[0][4]  # type: ignore[index]
    assert (first["session"], first["principal"], first["agent"]) == ("c1", {"id": "ana"}, {"id": "a1"})
    assert items[2][4]["input_tokens"] == 6  # type: ignore[index]
    assert items[3][4]["args"] == {"n": 1}  # type: ignore[index]
    assert items[4][4]["result"] == {"ok": True}  # type: ignore[index]


def test_messages_in_an_event_of_a_span(tmp_path: Path) -> None:
    details = {"name": "details", "attributes": [attribute("gen_ai.input.messages", json.dumps(ASKED))]}
    spans = [span("agent", 4, {"operation.name": "invoke_agent"}, events=[details])]
    export = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
    assert [e["text"] for e in events_in(written(tmp_path / "x", export))] == ["Pay"]


DOCUMENTS = {"openai-chat": CHAT, "openai-responses": RESPONSES, "anthropic": ANTHROPIC, "otel": OTEL}


@pytest.mark.parametrize("form", DOCUMENTS)
def test_lines_and_documents_are_recognised(tmp_path: Path, form: str) -> None:
    """One value a line, or one that goes over many lines: the events are the same."""
    value = DOCUMENTS[form]
    assert form_of(value) == form
    lines = written(tmp_path / "lines", value, value)
    document = tmp_path / "document"
    document.write_text(json.dumps(value, indent=2), encoding="utf-8")
    assert (recording(str(lines)).form, recording(str(lines)).is_document) == (form, False)
    assert (recording(str(document)).form, recording(str(document)).is_document) == (form, True)
    kinds = [event["type"] for event in events_in(document)]
    assert [event["type"] for event in events_in(lines)] == kinds * 2


def test_bare_lists_of_messages() -> None:
    assert form_of(CHAT["messages"]) == "openai-chat"
    assert form_of(RESPONSES["input"]) == "openai-responses"
    assert form_of(ANTHROPIC["messages"]) == "anthropic"
    assert form_of({"type": "call", "tool": "x", "args": {}}) == "events"
    assert form_of({"seq": 0, "us": 1, "kind": "log"}) == "audit"
    assert form_of({"what": 1}) is None
    assert form_of([1]) is None


def test_a_file_of_no_known_form(tmp_path: Path) -> None:
    with pytest.raises(UnknownForm, match="openai-chat"):
        recording(str(written(tmp_path / "x", {"what": 1})))
    assert recording(str(written(tmp_path / "x", {"what": 1})), "events").form == "events"
    (tmp_path / "empty").write_text("", encoding="utf-8")
    assert events_in(tmp_path / "empty") == []


WORDS = (
    "messages", "role", "content", "user", "assistant", "tool", "type", "text", "tool_calls", "function", "name",
    "arguments", "input", "output", "resourceSpans", "scopeSpans", "spans", "attributes", "key", "value", "kind",
    "intent", "usage", "body", "us", "outcome", "time", "principal", "decision", "tool_use", "tool_result", "request",
)  # fmt: skip

WRONG = {
    "openai-chat": [
        ({"messages": [{"role": "wizard"}]}, "no role `wizard`"),
        ({"messages": [{"role": "tool", "tool_call_id": "t9", "content": ""}]}, "no call for the result `t9`"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "x", "arguments": "{"}}]}]}, "not JSON"),
        ({"messages": ["x"]}, "a message is an object"),
    ],
    "anthropic": [({"messages": [{"role": "user", "content": ["x"]}]}, "a block of a message is an object")],
    "openai-responses": [(3, "a transcript is a list of messages")],
    "otel": [({}, "`resourceSpans`")],
    "audit": [({"kind": "intent", "us": "x"}, "whole numbers"), ({"kind": "intent", "us": 1, "outcome": "x"}, "no point")],
    "events": [([], "an event is a JSON object"), ({"time": 4}, "time"), ({"decision": 3}, "`decision` is an object")],
}  # fmt: skip


@pytest.mark.parametrize("form", WRONG)
def test_what_is_wrong_is_said(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "x", *(value for value, _ in WRONG[form]))
    chunks = chunks_of([recording(str(path), form)], timed=False)
    found = [item for chunk in chunks for item in items_of(chunk, People(), timed=False)]
    assert len(found) == len(WRONG[form])
    for line, (item, (_, message)) in enumerate(zip(found, WRONG[form], strict=True), 1):
        assert isinstance(item, Bad)
        assert item.line == line
        assert message in item.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(sorted(WRONG)), value=JSON)
def test_anything_is_events_or_a_bad_line(tmp_path: Path, form: str, value: Any) -> None:
    chunk = Chunk(0, 0, "x", form, 0, 0, data=json.dumps(value).encode())
    for item in items_of(chunk, People({"*": {}}), timed=True):
        assert isinstance(item, Bad) or item[4].__class__ is dict


def test_principals_are_completed(tmp_path: Path) -> None:
    people = People({"ana": {"team": "t1", "id": "other"}, "*": {"team": "t9"}})
    events = [
        {"type": "input", "text": "x", "principal": {"id": "ana"}},
        {"type": "input", "text": "x", "principal": {"id": "ben", "team": "t2"}},
        {"type": "input", "text": "x"},
    ]
    found = events_in(written(tmp_path / "x", *events), people=people)
    assert [event["principal"] for event in found] == [
        {"team": "t1", "id": "ana"},
        {"team": "t2", "id": "ben"},
        {"team": "t9"},
    ]


# --- the audit log -----------------------------------------------------------------------------


def intent(**fields: Any) -> dict[str, Any]:
    body = {"principal": {"id": "ana"}, "args": {"n": 1}}
    said = {
        "outcome": "allow",
        "statements": ["p.a"],
        "tool": "pay",
        "id": "d1",
        "session": "s",
        "body": body,
    }
    return {"us": 1_000, "latency_us": 10, "kind": "intent", "point": "call", **said, **fields}


REASONS = {
    "as it was": ({}, ""),
    "redacted": ({"transforms": [{"kind": "redact"}]}, REDACTED),
    "cleaned": ({"cleaned": 2}, REDACTED),
    "sealed": ({"body": {"sealed": "x"}}, SEALED),
    "withheld": ({"body": {"withheld": "it is large"}}, SEALED),
    "stopped": ({"outcome": "deny", "statements": ["guard.halt"]}, STOPPED),
    "approved": ({"approval": "r1"}, APPROVED),
    "rejected": ({"outcome": "deny", "statements": ["p.a", "guard.approval"]}, REJECTED),
}


@pytest.mark.parametrize("name", REASONS)
def test_why_a_record_is_not_replayed_as_it_was(name: str) -> None:
    fields, reason = REASONS[name]
    ((at, event, recorded),) = records(intent(**fields))
    assert at == 990
    assert recorded is not None
    assert recorded[2] == reason
    assert recorded[3] == "d1"
    assert event["session"] == "s"


def test_records_of_other_kinds_hold_no_events() -> None:
    for kind in ("log", "opened", "halt", "checkpoint", "erased", "note", "approval"):
        assert records({"us": 1, "kind": kind, "facts": {}}) == []
    assert records({"us": 1, "kind": "usage", "facts": {"input_tokens": 3, "reserved": True}}) == []


# --- lines ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    ['{"a": 1, "a": 2}', '{"a": {"b": "x", "b": "y"}}', "[NaN]", "[1e9999]", "[" * 102 + "]" * 102, '["\\ud800"]', "{}x"],
)  # fmt: skip
def test_lines_are_read_as_strictly_as_everywhere(line: str) -> None:
    with pytest.raises(BadLine):
        read_line(line.encode())


@pytest.mark.parametrize(
    "line", ['{"a": 12345678901234567890123, "b": "\\u0022\\"x", "c": "ü"}', '\ufeff{"a": [1.5, -0, 1e3]}']
)
def test_lines_keep_their_values(line: str) -> None:
    found = read_line(line.encode())
    assert found == json.loads(line.removeprefix("\ufeff"))
    assert [v.__class__ for v in found.values()] == [
        v.__class__ for v in json.loads(line.lstrip("\ufeff")).values()
    ]
