"""Messages of LangChain, as guard reads and writes them.

Takes messages, gives the texts in them, the names of the calls that they tell of, and messages with other texts in the
same places. The one idea: a text that a policy changed must not stay in a copy, so whatever stands beside it (other
blocks, thoughts, log probabilities, raw answers) goes on as it is only where a check has nothing against it.
"""

from __future__ import annotations

from enum import Enum

from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.messages.tool import tool_call_chunk as create_tool_call_chunk

from guardrails.integrations.words import words_in
from guardrails.strict_json import write_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from langchain_core.messages import BaseMessage

    Judge = Callable[[str], str | None]
    """Gives a text that may go on as it is, and None for any other."""

MARK = "guard_call"
"""Where a result says which checked call it is of; a process that did not check that call learns it from there."""

CALLS = frozenset(
    {"tool_use", "tool_call", "tool_call_chunk", "function_call", "input_json_delta", "invalid_tool_call"}
)
"""Types of content blocks that are a call in the words of a provider: those are judged when they run."""

RAW_CALLS = frozenset({"tool_calls", "function_call"})
"""Fields in which providers repeat their calls."""

OPAQUE = frozenset(
    {
        "type",
        "id",
        "index",
        "data",
        "base64",
        "signature",
        "thought_signature",
        "encrypted_content",
        "mime_type",
    }
)
"""Fields of blocks that hold no words."""

FACTS = frozenset(
    {"model_name", "model", "model_provider", "finish_reason", "stop_reason", "created", "id", "output_version",
     "system_fingerprint", "service_tier", "token_usage", "usage", "ls_provider"}
)  # fmt: skip
"""What is told of an answer that does not repeat its words."""

PLAIN = (str, int, float, bool, type(None))


# --- texts -------------------------------------------------------------------------------------


def text_of(content: Any) -> str:
    """All texts of a message's content, one after the other."""
    if isinstance(content, str):
        return content
    return "".join(_text_in(block) or "" for block in content or ())


def _text_in(block: Any) -> str | None:
    if isinstance(block, str):
        return block
    if isinstance(block, dict) and block.get("type") == "text":
        return str(block.get("text") or "")
    return None


def with_text(content: Any, text: str) -> Any:
    """The content with another text: in the place of its first, and without the others."""
    if isinstance(content, str) or not content:
        return text
    blocks: list[Any] = []
    is_placed = False
    for block in content:
        if _text_in(block) is None:
            blocks.append(block)
        elif not is_placed:
            is_placed = True
            if text:
                blocks.append(_text_block(block, text))
    return blocks if is_placed or not text else [{"type": "text", "text": text}, *blocks]


def _text_block(block: Any, text: str) -> Any:
    if isinstance(block, str):
        return text
    return {"type": "text", "text": text, **{key: block[key] for key in ("index", "id") if key in block}}


def without_text(content: Any) -> Any:
    """What of a content is no text."""
    if isinstance(content, str):
        return ""
    return [block for block in content or () if _text_in(block) is None]


def may_stay(value: Any, judge: Judge) -> bool:
    """Whether what stands beside a text goes on as it is."""
    words = "\n".join(words_in(value, OPAQUE))
    return not words or judge(words) is not None


def rest_of(content: Any, judge: Judge) -> Any:
    """The content without the blocks beside its text that may not go on as they are."""
    if isinstance(content, str):
        return content
    return [block for block in content or () if _stays(block, judge)]


def _stays(block: Any, judge: Judge) -> bool:
    if isinstance(block, str) or not isinstance(block, dict) or block.get("type") in CALLS:
        return True
    beside = {key: each for key, each in block.items() if not (block.get("type") == "text" and key == "text")}
    return may_stay(beside, judge)


def fields_of(fields: dict[str, Any], judge: Judge) -> dict[str, Any]:
    """The fields beside a content that may go on."""
    return {key: each for key, each in fields.items() if key in RAW_CALLS or may_stay(each, judge)}


def facts_of(metadata: dict[str, Any]) -> dict[str, Any]:
    """What may be told of an answer whose words were changed."""
    return {key: each for key, each in metadata.items() if key in FACTS}


# --- calls and their results ---------------------------------------------------------------------


def name_of(call: str | None, messages: Iterable[Any]) -> str:
    """The name of a call in its session: ids of calls may repeat in a conversation, those of messages do not."""
    for message in reversed(list(messages)):
        if isinstance(message, AIMessage) and any(each["id"] == call for each in message.tool_calls):
            return f"{message.id}/{call}" if message.id else str(call)
    return str(call)


def results_in(messages: list[Any]) -> Iterator[tuple[ToolMessage, str]]:
    """The results in a conversation, each with the name of its call."""
    for at, message in enumerate(messages):
        if isinstance(message, ToolMessage):
            mark = message.response_metadata.get(MARK)
            yield message, mark if isinstance(mark, str) else name_of(message.tool_call_id, messages[:at])


def is_marked(message: ToolMessage) -> bool:
    """Whether a result was judged, here or in another process."""
    return isinstance(message.response_metadata.get(MARK), str)


def marked(message: ToolMessage, name: str) -> ToolMessage:
    """The result with the name of its call."""
    return message.model_copy(update={"response_metadata": {**message.response_metadata, MARK: name}})


def calls_in(messages: Iterable[Any]) -> Iterator[str]:
    """The names of all calls in a conversation."""
    for message in messages:
        if isinstance(message, AIMessage):
            for call in message.tool_calls:
                yield f"{message.id}/{call['id']}" if message.id else str(call["id"])


def newest(messages: list[Any]) -> int:
    """Where the messages begin that the model has not answered yet."""
    for at in range(len(messages) - 1, -1, -1):
        if isinstance(messages[at], AIMessage):
            return at + 1
    return 0


def key_of(message: BaseMessage) -> str:
    """What stands for a message with just these words."""
    from hashlib import blake2b

    text = text_of(message.content).encode("utf-8", "surrogatepass")
    return f"{message.id or ''}:{blake2b(text, digest_size=12).hexdigest()}"


def people_in(messages: list[Any]) -> Iterator[tuple[int, HumanMessage]]:
    """The messages of people, each with its place."""
    for at, message in enumerate(messages):
        if isinstance(message, HumanMessage):
            yield at, message


# --- answers -----------------------------------------------------------------------------------


def answer_with(message: AIMessage, text: str, judge: Judge, *, is_changed: bool) -> AIMessage:
    """An answer with the text that may leave, and what may leave beside it."""
    update: dict[str, Any] = {
        "content": rest_of(with_text(message.content, text), judge),
        "additional_kwargs": fields_of(message.additional_kwargs, judge),
    }
    if is_changed or update["additional_kwargs"] != message.additional_kwargs:
        update["response_metadata"] = facts_of(message.response_metadata)
    return message.model_copy(update=update)


def with_call_args(message: AIMessage, changed: dict[str, dict[str, Any]]) -> AIMessage:
    """An answer whose calls (by id) have other arguments, in all their copies."""
    calls = [{**call, "args": changed.get(call["id"] or "", call["args"])} for call in message.tool_calls]
    update: dict[str, Any] = {
        "tool_calls": calls,
        "content": [_call_block(block, changed) for block in message.content]
        if isinstance(message.content, list)
        else message.content,
        "additional_kwargs": {
            key: each for key, each in message.additional_kwargs.items() if key not in RAW_CALLS
        },
    }
    if isinstance(message, AIMessageChunk):
        update["tool_call_chunks"] = chunks_of(calls)
    return message.model_copy(update=update)


def _call_block(block: Any, changed: dict[str, dict[str, Any]]) -> Any:
    if not isinstance(block, dict) or block.get("type") not in CALLS:
        return block
    args = changed.get(block.get("id") or block.get("call_id") or "")
    if args is None:
        return block
    fields = ("input", "args", "arguments", "partial_json")
    return {
        key: (write_json(args) if isinstance(each, str) else args) if key in fields else each
        for key, each in block.items()
    }


def chunks_of(calls: Iterable[Any]) -> list[Any]:
    return [
        create_tool_call_chunk(name=call["name"], args=write_json(call["args"]), id=call["id"], index=at)
        for at, call in enumerate(calls)
    ]


def piece_of(message: AIMessage) -> AIMessageChunk:
    """A whole answer as the one piece of a stream."""
    return AIMessageChunk(
        content=message.content, additional_kwargs=message.additional_kwargs, name=message.name, id=message.id,
        response_metadata=message.response_metadata, usage_metadata=message.usage_metadata,
        tool_call_chunks=[
            *chunks_of(message.tool_calls),
            *(
                create_tool_call_chunk(name=call["name"], args=call["args"], id=call["id"], index=None)
                for call in message.invalid_tool_calls
            ),
        ],
    )  # fmt: skip


def is_of_a_model(message: AIMessage) -> bool:
    """Whether a model wrote it: middleware writes answers by hand, and those tell of no run."""
    ran = (message.id or "").startswith(("lc_run-", "run-"))
    return ran or bool(message.usage_metadata) or bool(message.response_metadata)


# --- values ------------------------------------------------------------------------------------


def plain(value: Any, given: Any = None) -> Any:
    """A value as JSON says it; what JSON cannot say is what the model gave for it."""
    if hasattr(value, "model_dump"):
        value = value.model_dump()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, dict):
        fields = given if isinstance(given, dict) else {}
        return {str(key): plain(each, fields.get(key)) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        known = given if isinstance(given, (list, tuple)) else ()
        return [plain(each, known[at] if at < len(known) else None) for at, each in enumerate(value)]
    return given if given is not None else str(value)
