"""JSON for the command's cold path: read strictly and written compactly, without the price of `json`.

Importing `json` costs a third of the time that `guard check` may take, because of its regular expressions;
the C scanner and encoder beneath it cost nothing. What the scanner accepts is checked for what it is too
lenient about, and whatever looks wrong is read again by `guardrails.json_positions`, which is the one
authority on what is JSON here and says where the mistake is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

MAX_DEPTH = 100
MAX_DIGITS = 1_000
_SPACE = " \t\n\r"


class _Suspicious(Exception):
    """The fast scanner met something that a strict reader has to judge."""


class _Context:
    """What the C scanner asks its owner for."""

    strict = True
    object_hook = None

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}

    @staticmethod
    def object_pairs_hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise _Suspicious
        return found

    @staticmethod
    def parse_int(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise _Suspicious
        return int(digits)

    @staticmethod
    def parse_float(digits: str) -> float:
        value = float(digits)
        if len(digits) > MAX_DIGITS or value - value != 0.0:
            raise _Suspicious
        return value

    @staticmethod
    def parse_constant(word: str) -> Any:
        raise _Suspicious


def read_json(text: str) -> Any:
    """The value of a text. Raises `guardrails.json_positions.JsonError` with the place of the mistake."""
    try:
        return _scanned(text)
    except (_Suspicious, ValueError, StopIteration, RecursionError, ImportError, SystemError):
        # SystemError: the scanner looks for `json.decoder` to raise its own error, and that is not imported.
        from guardrails.json_positions import parse_json

        return parse_json(text)[0]


def _scanned(text: str) -> Any:
    from _json import make_scanner

    if "\\ud" in text or "\\uD" in text:
        raise _Suspicious
    if not text.isascii():
        text.encode()
    body = text.strip(_SPACE)
    scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_Context())  # type: ignore[arg-type]  # the stub wants a scanner; it only reads these attributes
    value, end = scan(body, 0)
    if end != len(body) or (text.count("{") + text.count("[") > MAX_DEPTH and is_deep(value)):
        raise _Suspicious
    return value


def is_deep(value: Any) -> bool:
    """Whether anything lies more than MAX_DEPTH below the top."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [inner for each in level for inner in _inside(each)]
    return bool(level)


def _inside(value: Any) -> Any:
    return value.values() if value.__class__ is dict else value if value.__class__ is list else ()


def write_json(value: Any, *, by_name: bool = False) -> str:
    """`value` on one line, in ASCII, with `by_name` the members of objects in the order of their names. Exact
    decimals are written as texts, sets as sorted lists. Raises ValueError for NaN, an infinity or a value that
    holds itself."""
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder({}, _plain, encode_basestring_ascii, None, ": ", ", ", by_name, False, False)
        return "".join(encode(value, 0))
    except ImportError:
        from json import dumps

        return dumps(value, default=_plain, allow_nan=False, sort_keys=by_name)


def _plain(value: Any) -> Any:
    if value.__class__ is set or value.__class__ is frozenset:
        return sorted(value, key=repr)
    return str(value)
