"""Messages: frames in and out, so strictly that no two parsers can disagree about them.

Takes the bytes of one frame, gives one JSON-RPC message or a `Refused` with the error that its sender is told.
Refused are: duplicate keys, NaN and infinities (also as `1e999`), batches, lone surrogates, bytes that are not UTF-8,
more than `MAX_DEPTH` levels, and whatever is no request, notification or response. What is forwarded is written anew
from what was read and judged, never passed on as it came.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeGuard

from guardrails.strict_json import MAX_DEPTH, MAX_DIGITS, is_deep

if TYPE_CHECKING:
    from guardrails.gateway.links import Id, Message

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
DENIED = -32010
"""The policy denies a request that has no result in which a denial could be told; `data` holds the denial."""
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

MAX_ID = 2**63
MAX_ID_LENGTH = 1_024
MAX_METHOD = 256


class Refused(Exception):
    """A frame that is no message; `code` is the JSON-RPC error, `ids` are those that it may have meant."""

    def __init__(self, why: str, code: int = INVALID_REQUEST, ids: tuple[Any, ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.code = code
        self.ids = ids


# --- reading -----------------------------------------------------------------------------------


def read(frame: bytes) -> Message:
    """The message of a frame. Raises `Refused`."""
    value = read_value(frame)
    if value.__class__ is list:
        raise Refused("batches are not taken: send one message at a time", INVALID_REQUEST)
    if value.__class__ is not dict:
        raise Refused("a message is a JSON object")
    try:
        check(value)
    except Refused as refused:
        refused.ids = _ids_of(value)
        raise
    return dict(value)


def read_value(frame: bytes) -> Any:
    """Any JSON value, as strictly. Raises `Refused`."""
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        raise Refused("the message is not UTF-8 text", PARSE_ERROR) from None
    try:
        value = _DECODER.decode(text)
    except RecursionError:
        raise Refused(f"the message is nested deeper than {MAX_DEPTH} levels", PARSE_ERROR) from None
    except ValueError as error:
        why = error.args[0] if error.__class__ is ValueError else f"the message is not valid JSON: {error}"
        raise Refused(why, PARSE_ERROR, _guessed_ids(text)) from None
    if text.count("{") + text.count("[") > MAX_DEPTH and is_deep(value):
        raise Refused(f"the message is nested deeper than {MAX_DEPTH} levels", PARSE_ERROR, _ids_of(value))
    if "\\u" in text and not _is_text(value):
        raise Refused("the message holds half of a surrogate pair", PARSE_ERROR, _ids_of(value))
    return value


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the message has the key `{twice[:80]}` twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"the message has a number of more than {MAX_DIGITS:,} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if len(digits) > MAX_DIGITS or value - value != 0.0:
        raise ValueError("the message has a number that is too large")
    return value


def _constant(word: str) -> Any:
    raise ValueError(f"the message holds `{word}`, which is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_int=_integer, parse_float=_number, parse_constant=_constant
)


def _is_text(value: Any) -> bool:
    """Whether all texts in it can be written."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _ids_of(value: Any) -> tuple[Any, ...]:
    found = value.get("id") if value.__class__ is dict else None
    return (found,) if is_id(found) else ()


def _guessed_ids(text: str) -> tuple[Any, ...]:
    """The ids that a frame which cannot be read may have meant: who waits for one of them is told."""
    found: list[Any] = []

    def top(pairs: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        return pairs

    try:
        value = json.loads(text, object_pairs_hook=top)
    except (ValueError, RecursionError):
        return ()
    for pair in value if value.__class__ is list else ():
        if pair.__class__ is tuple and pair[0] == "id" and is_id(pair[1]):
            found.append(pair[1])
    return tuple(found)


# --- what a message is -------------------------------------------------------------------------


def check(message: Message) -> None:
    """Raise `Refused` for an object that is no request, notification or response."""
    if message.get("jsonrpc") != "2.0":
        raise Refused('a message says `"jsonrpc": "2.0"`')
    if "method" in message:
        _check_method(message)
    elif ("result" in message) == ("error" in message):
        raise Refused("a response has a `result` or an `error`, and not both")
    elif "result" in message:
        _check_response(message, "result")
    else:
        _check_response(message, "error")
        _check_error(message["error"])


def _check_method(message: Message) -> None:
    method, params = message["method"], message.get("params", {})
    if method.__class__ is not str or not 0 < len(method) <= MAX_METHOD or not method.isprintable():
        raise Refused(f"a `method` is a text of 1 to {MAX_METHOD} characters")
    if "result" in message or "error" in message:
        raise Refused("a message with a `method` has no `result` and no `error`")
    if "id" in message and not is_id(message["id"]):
        raise Refused("an `id` is a text or a whole number")
    if params.__class__ is not dict:
        raise Refused("`params` is an object", INVALID_PARAMS)
    if params.get("_meta", params).__class__ is not dict:
        raise Refused("`_meta` is an object", INVALID_PARAMS)


def _check_response(message: Message, part: str) -> None:
    if message[part].__class__ is not dict:
        raise Refused(f"`{part}` is an object")
    if not is_id(message.get("id")) and not (part == "error" and message.get("id") is None):
        raise Refused("an `id` is a text or a whole number")


def _check_error(error: dict[str, Any]) -> None:
    if error.get("code").__class__ is not int or error.get("message").__class__ is not str:
        raise Refused("an `error` has a whole number as `code` and a text as `message`")


def is_id(value: Any) -> TypeGuard[Id]:
    if value.__class__ is int:
        return -MAX_ID < int(value) < MAX_ID
    return value.__class__ is str and len(value) <= MAX_ID_LENGTH


def is_request(message: Message) -> bool:
    return "method" in message and "id" in message


def is_response(message: Message) -> bool:
    return "method" not in message


def params_of(message: Message) -> dict[str, Any]:
    """The parameters of a request or notification; empty where there are none."""
    return message.get("params") or {}


# --- writing -----------------------------------------------------------------------------------

_ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def write(message: Any) -> bytes:
    """The frame of a message, without an end of line. Raises ValueError for what is not JSON."""
    return _ENCODE(message).encode()


def text_of(value: Any) -> str:
    """A value as compact JSON text."""
    return _ENCODE(value)


def request(id: Id, method: str, params: dict[str, Any] | None = None) -> Message:
    message: Message = {"jsonrpc": "2.0", "id": id, "method": method}
    return message if params is None else {**message, "params": params}


def notification(method: str, params: dict[str, Any] | None = None) -> Message:
    message: Message = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def response(id: Id, result: dict[str, Any]) -> Message:
    return {"jsonrpc": "2.0", "id": id, "result": result}


class OwnWords(str):
    """A text of the gateway or one of its links, and of no server: no frame that is read holds one."""

    __slots__ = ()


def failure(id: Id | None, code: int, why: str, data: Any = None) -> Message:
    """An error in our own words."""
    error: dict[str, Any] = {"code": code, "message": OwnWords(why)}
    return {"jsonrpc": "2.0", "id": id, "error": error if data is None else {**error, "data": data}}


def refusal(refused: Refused) -> Message:
    """What the sender of a refused frame is told."""
    id = refused.ids[0] if len(refused.ids) == 1 else None
    return failure(id, refused.code, refused.why)
