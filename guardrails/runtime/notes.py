"""Notes: one event of a session's past as a line of JSON, and back.

Takes an event, gives the text that a store keeps: `[HEADER,PAYLOAD...]`, where the header says what it was and
when. The one idea: a reader can take the header and leave the payloads unread until a rule asks for them.

Numbers keep their digits: what a float does not spell the same way is read back as a `Decimal`. A payload that
is too large, or is no JSON, is left out; its note says so, and whoever reads it gets an error.
"""

from __future__ import annotations

from guardrails.errors import Unavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_PAYLOAD = 4 * 1024 * 1024
"""Bytes of JSON of one payload; a larger one is left out."""

LEFT_OUT = object()
"""Stands for a payload that was left out."""


class Header:
    """What a note says before its payloads. `ok` is whether the call succeeded, for a result or an outcome;
    `left_out` holds a fingerprint of each payload that is not there (empty where it is).

    `labels` holds what was said of where it comes from, as `runtime.marks` gives it; `held` is a result that
    was refused, so that nobody read it; `by` is `agent` for an input that another agent wrote, and `inherited`
    are the labels of what that agent had read.
    """

    __slots__ = ("at", "by", "call_id", "held", "inherited", "labels", "left_out", "ok", "point", "tool")

    def __init__(self, data: dict[str, Any]) -> None:
        self.point: str = data["point"]
        self.tool: str | None = data.get("tool")
        self.at: int = data["at"]
        self.call_id: str | None = data.get("id")
        self.ok: bool | None = data.get("ok")
        self.left_out: list[str] = data.get("out") or []
        self.labels: list[Any] = data.get("lab") or []
        self.held: bool = data.get("held") is True
        self.by: str | None = data.get("by")
        self.inherited: list[str] = data.get("from") or []


# --- writing -----------------------------------------------------------------------------------


def call_note(tool: str, args: Any, at: int, call_id: str | None = None) -> str:
    """A call that may run, at `at` microseconds since 1970."""
    return _note({"point": "call", "tool": tool, "at": at, "id": call_id}, args)


def result_note(tool: str, args: Any, result: Any, at: int, call_id: str | None = None) -> str:
    """What a call gave back: it succeeded."""
    return _note({"point": "result", "tool": tool, "at": at, "id": call_id, "ok": True}, args, result)


def outcome_note(tool: str, args: Any, *, ok: bool, at: int, call_id: str | None = None) -> str:
    """What became of a call whose result is not told."""
    return _note({"point": "outcome", "tool": tool, "at": at, "id": call_id, "ok": ok}, args)


def text_note(point: str, text: str, at: int, by: str | None = None, inherited: Iterable[str] = ()) -> str:
    """An `input` or `output` that passed; `by` is who wrote an input, where it was not the user, and
    `inherited` are the labels of what they read."""
    return _note({"point": point, "at": at, "by": by, "from": sorted(inherited) or None}, text)


def marked(note: str, marks: list[Any], *, held: bool = False) -> str:
    """A note with the labels of what it tells of; `held`: of a result that nobody may read."""
    added = {name: value for name, value in (("lab", marks), ("held", held)) if value}
    return f"[{{{_encoded(added)[1:-1]},{note[2:]}" if added else note


def _note(header: dict[str, Any], *payloads: Any) -> str:
    texts, left_out = [], []
    for payload in payloads:
        text = _text_of(payload)
        fits = text is not None and len(text) <= MOST_PAYLOAD
        texts.append(text if fits and text is not None else "0")
        left_out.append("" if fits else _fingerprint(payload))
    if any(left_out):
        header = {**header, "out": left_out}
    known = {name: value for name, value in header.items() if value is not None}
    return f"[{','.join([_encoded(known), *texts])}]"


def _text_of(value: Any) -> str | None:
    """`value` as JSON; None for what is none."""
    try:
        return _encoded(value)
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return _spelled(value)
    except (TypeError, ValueError, RecursionError):
        return None


def _encoded(value: Any) -> str:
    """Plain JSON, by the encoder in C (`json` itself is slow to import). Raises for anything else."""
    try:
        from _json import encode_basestring_ascii, make_encoder
    except ImportError:
        from json import dumps

        return dumps(value, separators=(",", ":"), allow_nan=False)
    encode = make_encoder({}, _no_json, encode_basestring_ascii, None, ":", ",", False, False, False)
    return "".join(encode(value, 0))


def _no_json(value: Any) -> Any:
    raise TypeError(f"an object of class {type(value).__name__} is no JSON")


def _spelled(value: Any) -> str:
    """JSON with exact decimals among its numbers, and sets as lists."""
    if value.__class__ is dict:
        inside = (f"{_encoded(str(name))}:{_spelled(inner)}" for name, inner in value.items())
        return f"{{{','.join(inside)}}}"
    if value.__class__ in (list, tuple):
        return f"[{','.join(map(_spelled, value))}]"
    if value.__class__ in (set, frozenset):
        return f"[{','.join(sorted(map(_spelled, value)))}]"
    if value.__class__.__name__ == "Decimal" and value.is_finite():
        return str(value)
    return _encoded(value)


# --- reading -----------------------------------------------------------------------------------


class _Context:
    """What the scanner in C asks its owner for."""

    strict = True
    object_hook = object_pairs_hook = None
    parse_int = int

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}

    @staticmethod
    def parse_float(digits: str) -> Any:
        value = float(digits)
        if repr(value) == digits:
            return value
        from decimal import Decimal

        return Decimal(digits)

    @staticmethod
    def parse_constant(word: str) -> Any:
        raise ValueError(f"`{word}` is no JSON")


_scanner: list[Any] = []


def _new_scanner() -> Any:
    try:
        from _json import make_scanner
    except ImportError:
        from json.scanner import make_scanner
    return make_scanner(_Context())  # type: ignore[arg-type]  # it only reads these attributes


def _scan(text: str, start: int) -> tuple[Any, int]:
    """The JSON value that begins at `start`, and where it ends. Raises `Unavailable`."""
    if not _scanner:
        _scanner.append(_new_scanner())
    try:
        value, end = _scanner[0](text, start)
    except (ValueError, StopIteration, RecursionError, ImportError, SystemError) as error:
        # SystemError: the scanner looks for `json.decoder` to raise its own error, and that is not imported.
        raise Unavailable("a note of the session's past cannot be read") from error
    return value, end


def read_header(text: str) -> tuple[Header, int]:
    """The header of a note, and where it ends. Raises `Unavailable` for what is no note."""
    if text[:1] != "[":
        raise Unavailable("a note of the session's past cannot be read")
    data, end = _scan(text, 1)
    try:
        return Header(data), end
    except (KeyError, TypeError, AttributeError) as error:
        raise Unavailable("a note of the session's past cannot be read") from error


def read_payloads(text: str, header: Header, end: int) -> list[Any]:
    """The payloads behind a header; `LEFT_OUT` for those that are not there. Raises `Unavailable`."""
    found: list[Any] = []
    while text[end : end + 1] == ",":
        value, end = _scan(text, end + 1)
        position = len(found)
        is_out = position < len(header.left_out) and header.left_out[position]
        found.append(LEFT_OUT if is_out else value)
    return found


# --- sameness ----------------------------------------------------------------------------------


def canonical(value: Any) -> str:
    """A text that is the same for values that the language calls equal: names in any order, 5 and 5.0, null
    and absent."""
    kind = value.__class__
    if kind is dict:
        there = sorted((str(name), inner) for name, inner in value.items() if inner is not None)
        return f"{{{','.join([f'{_encoded(name)}:{canonical(inner)}' for name, inner in there])}}}"
    if kind in (list, tuple):
        return f"[{','.join(map(canonical, value))}]"
    if kind is str or kind is bool or value is None:
        return _encoded(value)
    if kind is int or kind is float or kind.__name__ == "Decimal":
        return _canonical_number(value)
    return f"<{kind.__name__}>"  # no value of JSON; its own text may be anything, also an error


def _canonical_number(value: Any) -> str:
    """The digits without zeros that say nothing, and the exponent: 50, 50.0 and 5E+1 are `5e1`."""
    from decimal import Decimal

    sign, digits, exponent = Decimal(repr(value) if value.__class__ is float else value).as_tuple()
    if exponent.__class__ is not int:
        return str(value)  # NaN, or infinite
    plain = "".join(map(str, digits)).lstrip("0")
    short = plain.rstrip("0")
    return f"{'-' * sign}{short}e{exponent + len(plain) - len(short)}" if short else "0"


def _fingerprint(value: Any) -> str:
    """Tells payloads that were left out from one another."""
    from zlib import crc32

    try:
        text = canonical(value)
    except Exception:
        return "?"  # odd objects of the host, which may do anything when they are looked at
    return f"{len(text)}-{crc32(text.encode('utf-8', 'surrogatepass')):08x}"
