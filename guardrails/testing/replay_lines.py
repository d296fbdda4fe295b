"""Lines of recordings: bytes in, JSON values out, as strictly as everywhere else and as fast as it goes.

The one idea: where orjson is installed it reads, and what it is lenient about is looked for in the bytes. It
keeps the last of two equal keys, so a text that would be written with fewer quotes than it has lost a member;
and it makes floats of huge whole numbers, so long runs of digits are left to the strict reader, as are
escapes that could hide either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guardrails.errors import GuardError
from guardrails.strict_json import MAX_DEPTH, read_json

_DIGITS = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))
_LONG_NUMBER = b"0" * 19
"""Whole numbers of fewer digits fit into 64 bits."""


class BadLine(GuardError):
    """A line that is no JSON, or no record of its form."""


def read_line(line: bytes) -> Any:
    """The value of a line. Raises `BadLine`."""
    try:
        return _read(line)
    except UnicodeDecodeError as error:
        raise BadLine(f"it is not UTF-8 text: byte {error.start + 1} is wrong") from error
    except BadLine:
        raise
    except GuardError as error:
        raise BadLine(f"it is not valid JSON: {error}") from error


def _strictly(line: bytes) -> Any:
    return read_json(line.decode("utf-8").removeprefix("\ufeff"))


def _fast() -> Callable[[bytes], Any]:
    try:
        from orjson import JSONDecodeError, dumps, loads
    except ImportError:
        return _strictly

    def read(line: bytes) -> Any:
        if b"\\u" in line or line.count(b"{") + line.count(b"[") > MAX_DEPTH:
            return _strictly(line)
        if _LONG_NUMBER in line.translate(_DIGITS):
            return _strictly(line)
        try:
            value = loads(line)
        except JSONDecodeError:
            return _strictly(line)  # which says where the mistake is
        return value if dumps(value).count(b'"') == line.count(b'"') else _strictly(line)

    return read


_read = _fast()
