"""Transcripts: the message lists of the OpenAI and Anthropic APIs in, events out.

A conversation is a list of messages, or an object that holds one as `messages` or `input`, with what came
back (`output`, `choices`, `response`, `content`) beside it. What a person wrote is an input, what the model
wrote an output, a tool that it asked for a call, and what was given back to it a result. Instructions of the
system and thoughts of the model are no events.

Such lists say neither who the session belongs to nor when it was: `session`, `principal`, `agent` and `time`
may stand beside the messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardrails.errors import GuardError
from guardrails.strict_json import read_json
from guardrails.testing.replay_lines import BadLine

ASIDE = ("session", "principal", "agent", "time")
"""What may stand beside the messages, as in an event."""

SYSTEM = ("system", "developer")


def openai_chat(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """The events of a conversation of the Chat Completions API. Raises `BadLine`."""
    whole, messages = _conversation(value, "messages")
    reply = _reply(whole)
    choices = reply.get("choices") if reply else None
    if isinstance(choices, list):
        messages = [*messages, *(c["message"] for c in choices[:1] if isinstance(c, dict) and "message" in c)]
    yield from _told(_chat_events(messages), whole, name)
    yield from _told(_usage(reply or whole, "prompt_tokens", "completion_tokens"), whole, name)


def openai_responses(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """The events of a conversation of the Responses API. Raises `BadLine`."""
    whole, items = _conversation(value, "input")
    reply = _reply(whole) or whole
    output = reply.get("output")
    yield from _told(_item_events([*items, *(output if isinstance(output, list) else ())]), whole, name)
    yield from _told(_usage(reply, "input_tokens", "output_tokens"), whole, name)


def anthropic(value: Any, name: str) -> Iterator[dict[str, Any]]:
    """The events of a conversation of the Messages API. Raises `BadLine`."""
    whole, messages = _conversation(value, "messages")
    reply = _reply(whole) or whole
    if isinstance(reply.get("content"), list):
        messages = [*messages, {"role": "assistant", "content": reply["content"]}]
    yield from _told(_block_events(messages), whole, name)
    yield from _told(_usage(reply, "input_tokens", "output_tokens"), whole, name)


# --- conversations -----------------------------------------------------------------------------


def _conversation(value: Any, field: str) -> tuple[dict[str, Any], list[Any]]:
    """What stands around the messages, and the messages."""
    whole = {field: value} if isinstance(value, list) else value
    if not isinstance(whole, dict):
        raise BadLine("a transcript is a list of messages, or an object that holds one")
    request = whole.get("request")
    held = request if isinstance(request, dict) and field not in whole else whole
    messages = held.get(field, [])
    if isinstance(messages, str):
        messages = [{"role": "user", "content": messages}]
    if not isinstance(messages, list):
        raise BadLine(f"`{field}` is a list")
    for message in messages:
        if not isinstance(message, dict):
            raise BadLine("a message is an object")
    return whole, messages


def _reply(whole: dict[str, Any]) -> dict[str, Any] | None:
    reply = whole.get("response")
    if isinstance(reply, dict):
        return reply
    return whole if "choices" in whole else None


def _told(events: Iterator[dict[str, Any]], whole: dict[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """The events with who, when and in which session."""
    around = {field: whole[field] for field in ASIDE if field in whole}
    around.setdefault("session", name)
    person = _person(whole)
    if person is not None:
        around.setdefault("principal", {"id": person})
    for event in events:
        yield {**event, **around}


def _person(whole: dict[str, Any]) -> str | None:
    """Who the application said it asks for."""
    for held in (whole, whole.get("request")):
        if isinstance(held, dict):
            metadata = held.get("metadata")
            user = held.get("user") or (metadata.get("user_id") if isinstance(metadata, dict) else None)
            if isinstance(user, str):
                return user
    return None


def _usage(reply: dict[str, Any], read: str, written: str) -> Iterator[dict[str, Any]]:
    """A report of usage. OpenAI counts tokens from a cache among the others, Anthropic apart."""
    usage = reply.get("usage")
    if not isinstance(usage, dict) or not isinstance(usage.get(read), int):
        return
    details = usage.get(f"{read}_details")
    cached = details.get("cached_tokens", 0) if isinstance(details, dict) else 0
    apart = usage.get("cache_read_input_tokens") or 0
    made = usage.get("cache_creation_input_tokens") or 0
    event = {
        "type": "usage", "input_tokens": usage[read] - cached + made, "cached_tokens": cached + apart,
        "output_tokens": usage.get(written) or 0,
    }  # fmt: skip
    model = reply.get("model")
    yield {**event, "model": model} if isinstance(model, str) else event


# --- OpenAI: chat completions ------------------------------------------------------------------


def _chat_events(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    calls: dict[str, dict[str, Any]] = {}
    for message in messages:
        role = message.get("role")
        if role == "user":
            yield from _text("input", message.get("content"))
        elif role == "assistant":
            yield from _text("output", message.get("content"))
            for call in _chat_calls(message):
                calls[call.get("call_id", call["tool"])] = call
                yield call
        elif role in ("tool", "function"):
            known = calls.get(str(message.get("tool_call_id") or message.get("name")), {})
            yield _result(message.get("tool_call_id"), known, message.get("name"), message.get("content"))
        elif role not in SYSTEM:
            raise BadLine(f"there is no role {_shown(role)} in a chat")


def _chat_calls(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    asked = message.get("tool_calls") or []
    if message.get("function_call"):
        asked = [*asked, {"function": message["function_call"]}]
    for call in asked:
        function = call.get("function") if isinstance(call, dict) else None
        custom = call.get("custom") if isinstance(call, dict) else None
        if isinstance(function, dict):
            yield _call(call.get("id"), function.get("name"), _arguments(function.get("arguments")))
        elif isinstance(custom, dict):
            yield _call(call.get("id"), custom.get("name"), {"input": custom.get("input", "")})
        else:
            raise BadLine("a tool call names its function")


# --- OpenAI: responses -------------------------------------------------------------------------

HOSTED = {
    "web_search_call": "action", "file_search_call": "queries", "code_interpreter_call": "code",
    "computer_call": "action", "local_shell_call": "action", "shell_call": "action",
    "apply_patch_call": "operation",
}  # fmt: skip
"""Calls of tools that the API runs itself, and where they say what they do."""


def _item_events(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    calls: dict[str, dict[str, Any]] = {}
    for item in items:
        kind = item.get("type", "message")
        if kind == "message":
            yield from _item_message(item)
        elif kind in ("function_call", "custom_tool_call", "mcp_call"):
            call = _item_call(item, kind)
            calls[str(item.get("call_id") or item.get("id"))] = call
            yield call
            if kind == "mcp_call" and item.get("output") is not None:
                yield _result(item.get("id"), call, None, item["output"])
        elif kind in HOSTED:
            said = item.get(HOSTED[kind])
            args = said if isinstance(said, dict) else {HOSTED[kind]: said}
            yield _call(item.get("call_id") or item.get("id"), kind.removesuffix("_call"), args)
        elif kind in ("function_call_output", "custom_tool_call_output"):
            yield _result(
                item.get("call_id"), calls.get(str(item.get("call_id")), {}), None, item.get("output")
            )


def _item_message(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    role = item.get("role")
    if role not in SYSTEM:
        yield from _text("output" if role == "assistant" else "input", item.get("content"))


def _item_call(item: dict[str, Any], kind: str) -> dict[str, Any]:
    custom = kind == "custom_tool_call"
    args = {"input": item.get("input", "")} if custom else _arguments(item.get("arguments"))
    return _call(item.get("call_id") or item.get("id"), item.get("name"), args)


# --- Anthropic: messages -----------------------------------------------------------------------


def _block_events(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    calls: dict[str, dict[str, Any]] = {}
    for message in messages:
        role, content = message.get("role"), message.get("content")
        if role not in ("user", "assistant", *SYSTEM):
            raise BadLine(f"there is no role {_shown(role)} in a conversation")
        if role in SYSTEM:
            continue
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks if isinstance(blocks, list) else ():
            yield from _block(block, "output" if role == "assistant" else "input", calls)


def _block(block: Any, point: str, calls: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    if not isinstance(block, dict):
        raise BadLine("a block of a message is an object")
    kind = str(block.get("type"))
    if kind == "text":
        yield from _text(point, block.get("text"))
    elif kind in ("tool_use", "server_tool_use", "mcp_tool_use"):
        args = block.get("input")
        call = _call(block.get("id"), block.get("name"), args if isinstance(args, dict) else {"input": args})
        calls[str(block.get("id"))] = call
        yield call
    elif kind.endswith("tool_result"):
        known = calls.get(str(block.get("tool_use_id")), {})
        if block.get("is_error"):
            yield _failed(block.get("tool_use_id"), known)
        else:
            yield _result(block.get("tool_use_id"), known, None, block.get("content"))


# --- events ------------------------------------------------------------------------------------


def _text(point: str, content: Any) -> Iterator[dict[str, Any]]:
    """One event of a whole message; what is not text (images, sound) cannot be looked at."""
    text = _plain(content)
    if text:
        yield {"type": point, "text": text}


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    found = [part.get("text") or part.get("refusal") for part in parts if isinstance(part, dict)]
    return "\n".join(text for text in found if isinstance(text, str))


def _arguments(text: Any) -> Any:
    """Arguments as the model wrote them; what is not JSON cannot have been run."""
    if isinstance(text, dict):
        return text
    try:
        value = read_json(text or "{}")
    except GuardError as error:
        raise BadLine(f"the arguments of a call are not JSON: {error}") from error
    if not isinstance(value, dict):
        raise BadLine("the arguments of a call are an object")
    return value


def _call(identity: Any, tool: Any, args: Any) -> dict[str, Any]:
    if not isinstance(tool, str):
        raise BadLine("a call names no tool")
    event = {"type": "call", "tool": tool, "args": args}
    return {**event, "call_id": identity} if isinstance(identity, str) else event


def _result(identity: Any, call: dict[str, Any], tool: Any, content: Any) -> dict[str, Any]:
    """A result; a text that is a JSON object or list is what the tool gave."""
    event = _about(identity, call, tool)
    return {"type": "result", **event, "result": value_of(content)}


def _failed(identity: Any, call: dict[str, Any]) -> dict[str, Any]:
    return {"type": "outcome", **_about(identity, call, None), "outcome": "failed"}


def _about(identity: Any, call: dict[str, Any], tool: Any) -> dict[str, Any]:
    name = call.get("tool") or tool
    if not isinstance(name, str):
        raise BadLine(f"there is no call for the result {_shown(identity)}")
    event = {"tool": name, "args": call.get("args", {})}
    return {**event, "call_id": identity} if isinstance(identity, str) else event


def value_of(content: Any) -> Any:
    """What a tool gave back, which APIs hold as text."""
    text = content if isinstance(content, str) else _plain(content)
    if not isinstance(content, str) and not text:
        return content
    if text.lstrip()[:1] in ("{", "["):
        try:
            return read_json(text)
        except GuardError:
            return text
    return text


def _shown(value: Any) -> str:
    return f"`{value[:40]}`" if isinstance(value, str) else "without a name"
