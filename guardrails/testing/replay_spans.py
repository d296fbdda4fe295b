"""OpenTelemetry: spans of generative AI in, events out.

Takes an export in the JSON encoding of OTLP, one request or many. A span `execute_tool` is a call when it
begins and a result, or a failure, when it ends; a span of a model is an input, an output and a report of
usage. Its input is what came since the model spoke last, because every span repeats the whole conversation.

A session is a conversation, else a trace; the person is `user.id` or `enduser.id`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardrails.errors import GuardError
from guardrails.strict_json import read_json
from guardrails.testing.replay_lines import BadLine
from guardrails.testing.replay_transcripts import value_of

MODEL = ("chat", "text_completion", "generate_content")
FAILED = (2, "STATUS_CODE_ERROR")

PEOPLE = ("user.id", "enduser.id", "gen_ai.user.id")
SESSIONS = ("gen_ai.conversation.id", "session.id")

Timed = tuple[int | None, dict[str, Any]]


def spans(value: Any, name: str) -> Iterator[Timed]:
    """The events of an export, each with its time in microseconds. Raises `BadLine`."""
    if not isinstance(value, dict) or not isinstance(value.get("resourceSpans"), list):
        raise BadLine("an export of spans is an object with `resourceSpans`")
    found = [span for resource in value["resourceSpans"] for span in _spans(resource)]
    known = [(span, _attributes(span.get("attributes"))) for span in found]
    kinds = {span.get("spanId"): _operation(span, attributes) for span, attributes in known}
    talked = {span.get("traceId") for span, attributes in known if _talks(span, attributes)}
    for span, attributes in known:
        kind = _operation(span, attributes)
        if kind == "execute_tool" and kinds.get(span.get("parentSpanId")) != "execute_tool":
            yield from _around(_tool_events(span, attributes), span, attributes, name)
        elif kind in MODEL or (kind == "invoke_agent" and span.get("traceId") not in talked):
            yield from _around(_model_events(span, attributes), span, attributes, name)


def _talks(span: dict[str, Any], attributes: dict[str, Any]) -> bool:
    """Whether a model's own span says what it was told; an agent's span around it then says nothing new."""
    return _operation(span, attributes) in MODEL and "gen_ai.input.messages" in attributes


def _spans(resource: Any) -> Iterator[dict[str, Any]]:
    scopes = resource.get("scopeSpans") if isinstance(resource, dict) else None
    for scope in scopes or ():
        for span in (scope.get("spans") or ()) if isinstance(scope, dict) else ():
            if not isinstance(span, dict):
                raise BadLine("a span is an object")
            yield span


def _operation(span: dict[str, Any], attributes: dict[str, Any]) -> str:
    named = attributes.get("gen_ai.operation.name")
    if isinstance(named, str):
        return named
    return "execute_tool" if "gen_ai.tool.name" in attributes else ""


def _around(
    events: Iterator[Timed], span: dict[str, Any], attributes: dict[str, Any], name: str
) -> Iterator[Timed]:
    session = next((attributes[key] for key in SESSIONS if isinstance(attributes.get(key), str)), None)
    around: dict[str, Any] = {"session": session or str(span.get("traceId") or name)}
    person = next((attributes[key] for key in PEOPLE if key in attributes), None)
    if person is not None:
        around["principal"] = {"id": str(person)}
    agent = attributes.get("gen_ai.agent.id") or attributes.get("gen_ai.agent.name")
    if agent is not None:
        around["agent"] = {"id": str(agent)}
    for at, event in events:
        yield at, {**event, **around}


def _tool_events(span: dict[str, Any], attributes: dict[str, Any]) -> Iterator[Timed]:
    tool = attributes.get("gen_ai.tool.name")
    if not isinstance(tool, str):
        raise BadLine("a span `execute_tool` names its tool in `gen_ai.tool.name`")
    args = _parsed(attributes.get("gen_ai.tool.call.arguments"))
    about = {"tool": tool, "args": args if isinstance(args, dict) else {}}
    identity = attributes.get("gen_ai.tool.call.id") or span.get("spanId")
    if isinstance(identity, str) and identity:
        about["call_id"] = identity
    yield _time(span, "startTimeUnixNano"), {"type": "call", **about}
    end = _time(span, "endTimeUnixNano")
    status = span.get("status")
    if isinstance(status, dict) and status.get("code") in FAILED:
        yield end, {"type": "outcome", **about, "outcome": "failed"}
    elif "gen_ai.tool.call.result" in attributes:
        yield end, {"type": "result", **about, "result": value_of(attributes["gen_ai.tool.call.result"])}


def _model_events(span: dict[str, Any], attributes: dict[str, Any]) -> Iterator[Timed]:
    start, end = _time(span, "startTimeUnixNano"), _time(span, "endTimeUnixNano")
    for text in _texts(_latest(_messages(attributes, span, "gen_ai.input.messages")), "user"):
        yield start, {"type": "input", "text": text}
    for text in _texts(_messages(attributes, span, "gen_ai.output.messages"), "assistant"):
        yield end, {"type": "output", "text": text}
    used = {name: attributes.get(f"gen_ai.usage.{name}") for name in ("input_tokens", "output_tokens")}
    cached = attributes.get("gen_ai.usage.cache_read.input_tokens")
    if isinstance(used["input_tokens"], int) or isinstance(used["output_tokens"], int):
        yield end, _usage(used, cached if isinstance(cached, int) else 0, attributes)


def _usage(used: dict[str, Any], cached: int, attributes: dict[str, Any]) -> dict[str, Any]:
    read, written = (value if isinstance(value, int) else 0 for value in used.values())
    event = {
        "type": "usage", "input_tokens": max(read - cached, 0), "cached_tokens": cached, "output_tokens": written,
    }  # fmt: skip
    model = attributes.get("gen_ai.response.model") or attributes.get("gen_ai.request.model")
    return {**event, "model": model} if isinstance(model, str) else event


# --- messages ----------------------------------------------------------------------------------


def _messages(attributes: dict[str, Any], span: dict[str, Any], name: str) -> list[Any]:
    """Messages from the span, or from an event of it that holds the details."""
    found = attributes.get(name)
    for event in span.get("events") or () if found is None else ():
        found = _attributes(event.get("attributes")).get(name) if isinstance(event, dict) else None
        if found is not None:
            break
    value = _parsed(found)
    return value if isinstance(value, list) else []


def _latest(messages: list[Any]) -> list[Any]:
    """Those since the model spoke last."""
    spoke = [i for i, m in enumerate(messages) if isinstance(m, dict) and m.get("role") == "assistant"]
    return messages[spoke[-1] + 1 :] if spoke else messages


def _texts(messages: list[Any], role: str) -> Iterator[str]:
    for message in messages:
        if isinstance(message, dict) and message.get("role") == role:
            parts = message.get("parts") if isinstance(message.get("parts"), list) else ()
            found = [part.get("content") for part in parts or () if _is_text(part)]
            text = "\n".join(each for each in found if isinstance(each, str))
            if text:
                yield text


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text"


# --- the JSON encoding of OTLP -----------------------------------------------------------------


def _attributes(found: Any) -> dict[str, Any]:
    pairs = found if isinstance(found, list) else ()
    return {str(pair.get("key")): _value(pair.get("value")) for pair in pairs if isinstance(pair, dict)}


def _value(value: Any) -> Any:
    """An `AnyValue` as plain data; whole numbers are written as texts there."""
    if not isinstance(value, dict) or not value:
        return None
    (kind, held), *_ = value.items()
    if kind == "intValue":
        return int(held)
    if kind == "arrayValue":
        return [_value(each) for each in (held or {}).get("values") or ()]
    return _attributes((held or {}).get("values")) if kind == "kvlistValue" else held


def _parsed(value: Any) -> Any:
    """Structured attributes are often written as JSON texts."""
    if not isinstance(value, str):
        return value
    try:
        return read_json(value)
    except GuardError:
        return value


def _time(span: dict[str, Any], field: str) -> int | None:
    try:
        return int(span[field]) // 1_000
    except (KeyError, TypeError, ValueError):
        return None
