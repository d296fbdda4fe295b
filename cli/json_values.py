"""JSON from the command line and from streams, with the place of what is wrong in it."""

from __future__ import annotations

from guardrails.errors import GuardError
from guardrails.strict_json import read_json

from .problems import Stop, malformed, unreadable, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def option_value(text: str, option: str) -> Any:
    """The value of a JSON option: JSON, or `@file` with JSON in it. Stops with a usage error."""
    if not text.startswith("@"):
        return json_of(text, f"--{option}")
    return json_of(text_of_file(text[1:], usage), f"--{option} {text}")


def json_of(text: str, source: str, stop: Callable[[str], Stop] = usage) -> Any:
    """The value of a JSON text; `source` says in a message where it stood."""
    try:
        return read_json(text)
    except GuardError as error:
        raise stop(f"`{source}` is not valid JSON: {_explained(error, text)}") from error


def _explained(error: GuardError, text: str) -> str:
    """`line 1, column 12, in /args/amount: the string is never closed`."""
    from guardrails.json_positions import JsonError, span_of

    if not isinstance(error, JsonError):
        return str(error)
    span = span_of(error.extent, text, "")
    inside = f", in {error.pointer}" if error.pointer else ""
    return f"line {span.line}, column {span.column}{inside}: {error.message}"


def text_of_file(path: str, stop: Callable[[str], Stop]) -> str:
    """The text of a file (`-`: standard input)."""
    try:
        if path == "-":
            import sys

            return decoded(sys.stdin.buffer.read(), "standard input", stop)
        with open(path, "rb") as file:
            return decoded(file.read(), path, stop)
    except OSError as error:
        raise unreadable(path, error) from error


def decoded(data: bytes, source: str, stop: Callable[[str], Stop] = malformed) -> str:
    """The text of UTF-8 bytes, without a byte order mark."""
    try:
        return data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise stop(f"`{source}` is not UTF-8 text: byte {error.start + 1} is wrong") from error
