"""Reading: the bytes of a body, within a size and a time; and JSON that has one meaning.

A body with a key twice in one object, NaN, half a surrogate pair, bytes that are no UTF-8 or a depth of more than 100
is refused, because two readers could disagree about it.
"""

from __future__ import annotations

from asyncio import timeout
from typing import TYPE_CHECKING, Any

from guardrails.json_positions import JsonError
from guardrails.server.problems import Problem, not_json
from guardrails.server.quick_json import UNSURE, quick_json
from guardrails.strict_json import read_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from guardrails.server.messages import Request
    from guardrails.server.service import Settings


class Gone(Exception):
    """The client went away before its request was whole: nobody waits for an answer."""


async def body_of(receive: Callable[[], Awaitable[Any]], settings: Settings) -> bytes:
    """The whole body. Raises `Problem` for one that is too large or too slow, and `Gone`."""
    try:
        async with timeout(settings.patience):
            return await _whole(receive, settings.most_body)
    except TimeoutError:
        message = f"the body was not there within {settings.patience:g} seconds"
        raise Problem(408, "too_slow", message, advice="send it at once") from None


async def _whole(receive: Callable[[], Awaitable[Any]], most: int) -> bytes:
    parts, length = [], 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        length += len(part)
        if length > most:
            raise too_large(most)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts) if len(parts) > 1 else part


def too_large(most: int) -> Problem:
    advice = "send less, or start the server with a larger `--max-body`"
    return Problem(413, "too_large", f"the body has more than {most:,} bytes", advice=advice)


def unpacked(data: bytes, coding: bytes, most: int) -> bytes:
    """A body that was sent packed, within the same size. Raises `Problem`."""
    if coding != b"gzip":
        raise Problem(
            415, "bad_encoding", "a body is sent as it is, or with gzip", at="the header Content-Encoding"
        )
    from zlib import decompressobj, error

    packed = decompressobj(wbits=31)
    try:
        found = packed.decompress(data, most + 1)
    except error:
        raise Problem(400, "bad_encoding", "the body is not gzip") from None
    if len(found) > most:
        raise too_large(most)
    if not packed.eof or packed.unused_data:
        raise Problem(400, "bad_encoding", "the gzip of the body is cut short, or goes on after its end")
    return found


def json_of(data: bytes) -> Any:
    """The value of a body. Raises `Problem` with the place of a mistake."""
    value = quick_json(data)
    return _judged(data) if value is UNSURE else value


def _judged(data: bytes) -> Any:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        message = f"the body is not UTF-8 text: byte {error.start + 1} is wrong"
        raise Problem(400, "not_utf8", message, at=f"byte {error.start + 1}") from None
    if not text or text.isspace():
        raise Problem(400, "no_body", "the request has no body", advice="send a JSON object")
    try:
        return read_json(text)
    except JsonError as error:
        raise not_json(error, text) from None


def object_of(request: Request) -> dict[str, Any]:
    """The object that a request's body is. Raises `Problem` for anything else."""
    value = json_of(request.body)
    if value.__class__ is not dict:
        raise Problem(400, "not_an_object", "the body is a JSON object")
    return value


KINDS = {"string": str, "object": dict, "array": list, "boolean": bool}


def fields_of(data: dict[str, Any], known: dict[str, str], *needed: str) -> dict[str, Any]:
    """The fields of a body, which are of these kinds (`any` is one) and no others. Raises `Problem` with the pointer."""
    for name in needed:
        if name not in data:
            raise Problem(400, "missing_field", f"the body needs `{name}`", at=f"/{name}")
    for name, value in data.items():
        if name not in known:
            advice = f"it may have {', '.join(known)}" if known else ""
            raise Problem(
                400, "unknown_field", f"the body has no `{name[:40]}`", at=f"/{name[:40]}", advice=advice
            )
        _check_kind(name, value, known[name])
    return data


def _check_kind(name: str, value: Any, kind: str) -> None:
    if kind == "any":
        return
    is_right = value.__class__ in (int, float) if kind == "number" else value.__class__ is KINDS[kind]
    if not is_right:
        article = "an" if kind[0] in "ao" else "a"
        raise Problem(400, "wrong_type", f"`{name}` must be {article} {kind}", at=f"/{name}")
