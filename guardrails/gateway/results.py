"""Results: what a policy sees of what a server gives, and how its changes are written back.

A tool's result has its data up to three times: as `structuredContent`, as text in `content`, and perhaps in `_meta`.
A policy is asked about

1. `structuredContent`, where it is there. If the policy changes it, the result becomes that and its JSON as the only
   text: what else there was, is left out.
2. `content`, unless it only repeats the structured part: a single text as the JSON value that it holds, else as the
   text; anything else as the list of its blocks.
3. `_meta`, where a server says something there.

`Part`s do this for all results. A part that a policy changes in a way that cannot be written in the shape of the
protocol is withheld, with all of the result. Pictures, sounds and other bytes are never read: a policy sees how many
bytes there are, and cannot change them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guardrails.gateway.eras import RESERVED
from guardrails.gateway.messages import Refused, read_value, text_of

if TYPE_CHECKING:
    from collections.abc import Callable

FIXED = frozenset(("type", "role", "mimeType", "uri", "data", "blob", "id"))
"""Members of blocks that say what it is; no policy can change them."""

BYTES = ("data", "blob")


class Unwritable(Exception):
    """What a policy made of a part does not fit the protocol."""


@dataclass(frozen=True, slots=True)
class Part:
    """`value` is what the policy sees; `written` gives the members of the result for what it made of it, and raises
    `Unwritable`. `last`: once this part is changed, no other matters, because it replaces them."""

    value: Any
    written: Callable[[Any], dict[str, Any]]
    last: bool = False


# --- tools -------------------------------------------------------------------------------------


def parts_of_tool(result: dict[str, Any]) -> list[Part]:
    """The parts of a result of `tools/call`."""
    content, structured = result.get("content"), result.get("structuredContent")
    if structured is None:
        return [of_blocks(content, "content"), *of_meta(result)]
    form = repetition(content, structured)
    parts = [Part(structured, lambda value: _structured(value, structured, form or _whole), last=True)]
    if form is None:
        parts.append(of_blocks(content, "content"))
    return parts + of_meta(result)


def _structured(value: Any, old: Any, form: Callable[[Any], list[str]]) -> dict[str, Any]:
    if value.__class__ is not old.__class__:
        raise Unwritable("a structured result keeps its kind")
    texts = form(value)
    return {
        "structuredContent": value, "content": [{"type": "text", "text": text} for text in texts], "_meta": None,
    }  # fmt: skip


def repetition(content: Any, structured: Any) -> Callable[[Any], list[str]] | None:
    """How content repeats the structured part: as its JSON, as its only member `result`, or as the items of that;
    None where it says anything else."""
    if content.__class__ is not list or not all(map(_is_plain_text, content)):
        return None
    texts = [block["text"] for block in content]
    for form in (_whole, _inner, _items, _nothing):
        wanted = form(structured)
        if len(wanted) == len(texts) and all(map(_says, texts, wanted)):
            return form
    return None


def _whole(structured: Any) -> list[str]:
    return [text_of(structured)]


def _inner(structured: Any) -> list[str]:
    """What servers make of a function that gives no object."""
    inner = _only_result(structured)
    return [] if inner is None else [_plainly(inner)]


def _items(structured: Any) -> list[str]:
    inner = _only_result(structured)
    return [_plainly(each) for each in inner] if inner.__class__ is list else []


def _nothing(_: Any) -> list[str]:
    return []


def _only_result(structured: Any) -> Any:
    is_wrapped = structured.__class__ is dict and structured.keys() == {"result"}
    return structured["result"] if is_wrapped else None


def _plainly(value: Any) -> str:
    return value if value.__class__ is str else text_of(value)


def _is_plain_text(block: Any) -> bool:
    return block.__class__ is dict and block.keys() == {"type", "text"} and block["type"] == "text" \
        and block["text"].__class__ is str  # fmt: skip


def _says(text: str, wanted: str) -> bool:
    """Whether a text is another one, or the same JSON value."""
    if text == wanted:
        return True
    found, value = parsed(text), parsed(wanted)
    return found is not _NOTHING and value is not _NOTHING and same(found, value)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal, with true and 1 told apart."""
    if one.__class__ is not other.__class__:
        return {one.__class__, other.__class__} == {int, float} and one == other
    if one.__class__ is dict:
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if one.__class__ is list:
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


# --- blocks ------------------------------------------------------------------------------------


def of_blocks(content: Any, name: str) -> Part:
    """A list of blocks (of a tool's content, of a resource), or a single one, as a part."""
    text = _single_text(content)
    if text is None:
        return Part(_without_bytes(content), lambda value: {name: _fitted(value, content)})
    found = parsed(text)
    if found is _NOTHING or found.__class__ not in (dict, list):
        return Part(text, lambda value: {name: _with_text(content, _as_text(value))})
    return Part(found, lambda value: {name: _with_text(content, text_of(value))})


def _single_text(content: Any) -> str | None:
    """The text of the only block, where that holds nothing else that a policy should see."""
    block = content[0] if content.__class__ is list and len(content) == 1 else content
    if block.__class__ is not dict or block.get("text").__class__ is not str:
        return None
    return block["text"] if block.keys() <= {"type", "text", "uri", "mimeType"} else None


def _with_text(content: Any, text: str) -> Any:
    return [{**content[0], "text": text}] if content.__class__ is list else {**content, "text": text}


def _as_text(value: Any) -> str:
    if value.__class__ is not str:
        raise Unwritable("a text stays a text")
    return str(value)


def _without_bytes(value: Any) -> Any:
    """The blocks, with how many bytes there are in place of pictures, sounds and files."""
    if value.__class__ is list:
        return [_without_bytes(each) for each in value]
    if value.__class__ is not dict:
        return value
    return {
        key: f"{len(each)} characters of base64" if _is_bytes(value, key) else _without_bytes(each)
        for key, each in value.items()
    }


def _is_bytes(block: dict[str, Any], key: str) -> bool:
    """Whether a member holds bytes as the protocol has them; any other text under that name is a text."""
    if block[key].__class__ is not str:
        return False
    return (key == "data" and block.get("type") in ("image", "audio")) or (
        key == "blob" and "uri" in block and "text" not in block
    )


def _fitted(value: Any, old: Any, name: str = "") -> Any:
    """`value` in the shape of `old`, with its bytes; only texts, numbers and the data of tools may differ."""
    if old.__class__ is dict and value.__class__ is dict and value.keys() == old.keys():
        return {
            key: old[key] if _kept(old, key, value[key]) else _fitted(value[key], old[key], key)
            for key in old
        }
    if old.__class__ is list and value.__class__ is list and len(value) == len(old):
        return [_fitted(new, before, name) for new, before in zip(value, old, strict=True)]
    if same(value, old) or (value.__class__ is old.__class__ is str and name not in FIXED):
        return value
    raise Unwritable("the blocks of a result keep their number and kind")


def _kept(old: dict[str, Any], key: str, value: Any) -> bool:
    return _is_bytes(old, key) and value == f"{len(old[key])} characters of base64"


# --- other results -----------------------------------------------------------------------------


def of_meta(result: dict[str, Any]) -> list[Part]:
    """What a server says in `_meta` beside the protocol's own keys."""
    meta = result.get("_meta")
    if meta.__class__ is not dict:
        return []
    said = {key: value for key, value in meta.items() if not key.startswith(RESERVED)}
    if not said:
        return []
    kept = {key: value for key, value in meta.items() if key.startswith(RESERVED)}
    return [Part(said, lambda value: {"_meta": {**kept, **_as_object(value)}})]


def parts_of_resource(result: dict[str, Any]) -> list[Part]:
    return [of_blocks(result.get("contents"), "contents"), *of_meta(result)]


def parts_of_prompt(result: dict[str, Any]) -> list[Part]:
    """The messages of a prompt: the text, where there is one message with one text."""
    found: list[Part] = []
    said = result.get("messages")
    if said.__class__ is list and len(said) == 1 and said[0].__class__ is dict \
            and said[0].keys() <= {"role", "content"} and _single_text(said[0].get("content")) is not None:  # fmt: skip
        inner = of_blocks(said[0]["content"], "content")
        found.append(Part(inner.value, lambda value: {"messages": [{**said[0], **inner.written(value)}]}))
    else:
        found.append(of_blocks(said, "messages"))
    if result.get("description"):
        found.append(Part(result["description"], lambda value: {"description": _as_text(value)}))
    return found + of_meta(result)


def parts_of_completion(result: dict[str, Any]) -> list[Part]:
    """The values that complete an argument; a policy may leave some out."""
    completion = result.get("completion")
    if completion.__class__ is not dict:
        return [of_blocks(completion, "completion")]

    def written(value: Any) -> dict[str, Any]:
        if value.__class__ is not list or not all(each.__class__ is str for each in value):
            raise Unwritable("completions stay a list of texts")
        return {"completion": {**completion, "values": value}}

    return [Part(completion.get("values"), written), *of_meta(result)]


def parts_of_answer(kind: str, result: dict[str, Any]) -> list[Part]:
    """What a client answers to a server: a sampled message, a filled form, or folders."""
    if kind == "elicitation":
        return (
            [Part(result["content"], lambda value: {"content": _as_object(value)})]
            if result.get("content")
            else []
        )
    if kind == "roots":
        return [Part(result.get("roots"), lambda value: {"roots": _as_list(value)})]
    return [of_blocks(result.get("content"), "content")]


def _as_object(value: Any) -> dict[str, Any]:
    if value.__class__ is not dict:
        raise Unwritable("an object stays an object")
    return dict(value)


def _as_list(value: Any) -> list[Any]:
    if value.__class__ is not list:
        raise Unwritable("a list stays a list")
    return list(value)


_NOTHING = object()


def parsed(text: str) -> Any:
    """The JSON value of a text that is nothing else; `_NOTHING` for any other text."""
    if text[:1] not in '{["-0123456789tfn \t\r\n':
        return _NOTHING
    try:
        return read_value(text.encode())
    except (Refused, UnicodeEncodeError):
        return _NOTHING
