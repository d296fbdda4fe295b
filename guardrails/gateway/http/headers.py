"""What the new era writes twice: the version, the method, the name and marked arguments, in headers and in the body.

Takes a message and gives the headers that must go with it, or compares the headers that came with it. Whoever routes by
a header and whoever acts on the body must see the same request, so what differs, is missing or stands there twice is
refused (-32020), and toward servers every header is computed from the body that is sent, after a policy changed it.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from dataclasses import dataclass

from guardrails.errors import GuardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

VERSION = "mcp-protocol-version"
METHOD = "mcp-method"
NAME = "mcp-name"
SESSION = "mcp-session-id"
PARAM = "mcp-param-"
NAMED = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Method -> the parameter that `Mcp-Name` repeats."""

_MARK = "x-mcp-header"
_MARKED_TYPES = ("string", "integer", "boolean")
_PLAIN = re.compile(r"[\x20-\x7e]*")
_CODED = re.compile(r"=\?base64\?(.*)\?=")
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_METHOD = re.compile(r"[\x21-\x7e]+")
_WHOLE = re.compile(r"(-?[0-9]{1,1000})(?:\.0*)?")


class Mismatch(GuardError):
    """A header is missing, stands there twice, or does not say what the body says."""


@dataclass(frozen=True, slots=True)
class Mark:
    """An argument that a header repeats: where it lies, the header's name after `Mcp-Param-`, its JSON type."""

    path: tuple[str, ...]
    token: str
    type: str

    @property
    def header(self) -> str:
        return PARAM + self.token.lower()


# --- the values of headers -------------------------------------------------------------------------


def encoded(value: str) -> str:
    """A text as the value of a header: itself, or in base64 where it would not come through unharmed."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _CODED.fullmatch(value):
        return value
    return f"=?base64?{b64encode(value.encode()).decode()}?="


def decoded(value: str) -> str | None:
    """The text of a header's value; None for one that nobody could have encoded so."""
    found = _CODED.fullmatch(value)
    if found is None:
        return value if _PLAIN.fullmatch(value) else None
    try:
        data = b64decode(found[1], validate=True)
        text = data.decode()
    except (binascii.Error, ValueError):
        return None
    return text if b64encode(data).decode() == found[1] else None


def value_of(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The value of a header; None where there is none. Raises `Mismatch` for one that stands there twice."""
    wanted = name.encode()
    found = [value for key, value in headers if key == wanted]
    if len(found) > 1:
        raise Mismatch(f"the header `{name}` stands there twice")
    return found[0].decode("latin-1") if found else None


# --- toward servers --------------------------------------------------------------------------------


def headers_for(message: Mapping[str, Any], version: str, marks: Sequence[Mark] = ()) -> dict[str, str]:
    """The headers of a request of the new era. Raises `Mismatch` for a method that no header can hold."""
    method, params = message["method"], message.get("params") or {}
    if not _METHOD.fullmatch(method):
        raise Mismatch(f"the method {method!r} cannot be sent over HTTP")
    found = {VERSION: version, METHOD: method}
    name = params.get(NAMED.get(method, ""))
    if isinstance(name, str):
        found[NAME] = encoded(name)
    for mark in marks if method == "tools/call" else ():
        value = _shown(_at(params.get("arguments"), mark.path))
        if value is not None:
            found[mark.header] = encoded(value)
    return found


# --- toward clients --------------------------------------------------------------------------------


def check_routing(headers: Sequence[tuple[bytes, bytes]], message: Mapping[str, Any], version: Any) -> None:
    """Raise `Mismatch` unless the headers of a request of the new era say what its body says."""
    params = message.get("params") or {}
    _check_same(VERSION, value_of(headers, VERSION), version, "the version in `_meta`")
    _check_same(METHOD, value_of(headers, METHOD), message["method"], "the method")
    field = NAMED.get(message["method"])
    raw = value_of(headers, NAME)
    if field is not None and params.get(field) is not None:
        _check_same(NAME, None if raw is None else decoded(raw), params[field], f"the parameter `{field}`")


def _check_same(header: str, found: str | None, wanted: Any, what: str) -> None:
    if found is None:
        raise Mismatch(f"the header `{header}` is missing or cannot be read; it repeats {what}")
    if found != wanted:
        raise Mismatch(f"the header `{header}` does not say what {what} says")


def has_params(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    return any(name.startswith(PARAM.encode()) for name, _ in headers)


def check_params(headers: Sequence[tuple[bytes, bytes]], arguments: Any, marks: Iterable[Mark]) -> None:
    """Raise `Mismatch` unless each marked argument and its header say the same, or neither is there."""
    for mark in marks:
        raw = value_of(headers, mark.header)
        value = _at(arguments, mark.path)
        shown = _shown(value)
        place = ".".join(mark.path)
        if shown is None:
            if raw is not None:
                raise Mismatch(f"the header `{mark.header}` is there, and the argument `{place}` is not")
        elif raw is None:
            raise Mismatch(f"the header `{mark.header}` is missing; it repeats the argument `{place}`")
        elif not _is_same(mark, value, shown, decoded(raw)):
            raise Mismatch(f"the header `{mark.header}` does not say what the argument `{place}` says")


def _is_same(mark: Mark, value: Any, shown: str, found: str | None) -> bool:
    """Whole numbers are the same however they are written: 42 and 42.0."""
    if found is None or found == shown or mark.type != "integer":
        return found == shown
    whole = _WHOLE.fullmatch(found)
    is_whole = value.__class__ is int or (value.__class__ is float and value.is_integer())
    return whole is not None and is_whole and int(whole[1]) == int(value)


# --- which arguments are marked ---------------------------------------------------------------------


def marks_of(schema: Any) -> tuple[Mark, ...]:
    """The arguments of a tool that headers repeat. None of them counts where one is marked in a wrong way: a client
    that keeps to the protocol does not call such a tool."""
    found = []
    for path, node in _properties((), schema):
        if _MARK not in node:
            continue
        token, type = node[_MARK], node.get("type")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or type not in _MARKED_TYPES:
            return ()
        found.append(Mark(path, token, type))
    names = [mark.header for mark in found]
    return tuple(found) if len(set(names)) == len(names) else ()


def _properties(path: tuple[str, ...], schema: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Every property that lies below nothing but `properties`, with its path."""
    inner = schema.get("properties") if isinstance(schema, dict) else None
    for name, each in inner.items() if isinstance(inner, dict) else ():
        if isinstance(each, dict):
            yield (*path, name), each
            yield from _properties((*path, name), each)


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(name)
    return arguments


def _shown(value: Any) -> str | None:
    """A value as headers have it; None for what has no header."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
