"""What is different, said as shortly as it helps: two values in, a few lines out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

AROUND = 24
"""Characters of a text that are shown on each side of where it differs."""

MAX_LINES = 12
MAX_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Mismatch:
    """An aspect that came out otherwise. `diff` are the smallest differences, where there is more to say."""

    aspect: str
    expected: str
    got: str
    diff: tuple[str, ...] = ()


def shown(value: Any) -> str:
    """A value as JSON on one line; long ones are cut."""
    from guardrails.strict_json import write_json

    try:
        text = write_json(value)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def same(expected: Any, got: Any) -> bool:
    """Whether two plain values are the same JSON: numbers by their exact value, booleans are no numbers."""
    return next(_paths(expected, got, ""), None) is None


def differences(expected: Any, got: Any) -> tuple[str, ...]:
    """The places at which two plain values differ, each with what stands there."""
    if isinstance(expected, str) and isinstance(got, str):
        return text_difference(expected, got)
    found = [f"at {path or '/'}: {words}" for path, words in _paths(expected, got, "")]
    more = len(found) - MAX_LINES
    return tuple(found[:MAX_LINES] + ([f"and {more} more"] if more > 0 else []))


def text_difference(expected: str, got: str) -> tuple[str, ...]:
    """Where two texts part, with a little around it."""
    start = _common(expected, got)
    rest = min(len(expected), len(got)) - start
    end = min(_common(expected[::-1], got[::-1]), rest)
    return tuple(
        f"{mark} {_cut(text, start, len(text) - end)}"
        for mark, text in (("-", expected), ("+", got))
        if len(expected) > AROUND or len(got) > AROUND
    )


def _common(left: str, right: str) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(left), len(right)))


def _cut(text: str, start: int, end: int) -> str:
    before, after = max(0, start - AROUND), min(len(text), end + AROUND)
    body = text[before:start] + "[" + text[start:end] + "]" + text[end:after]
    return f"{'…' if before else ''}{body}{'…' if after < len(text) else ''}"


def _paths(expected: Any, got: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(expected, dict) and isinstance(got, dict):
        yield from _fields(expected, got, path)
    elif _is_list(expected) and _is_list(got):
        yield from _items(expected, got, path)
    elif not _equal(expected, got):
        yield path, f"expected {shown(expected)}, got {shown(got)}"


def _fields(expected: dict[str, Any], got: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name in [*expected, *(name for name in got if name not in expected)]:
        here = f"{path}/{name.replace('~', '~0').replace('/', '~1')}"
        if name not in got:
            yield here, f"missing, expected {shown(expected[name])}"
        elif name not in expected:
            yield here, f"not expected, got {shown(got[name])}"
        else:
            yield from _paths(expected[name], got[name], here)


def _items(expected: Sequence[Any], got: Sequence[Any], path: str) -> Iterator[tuple[str, str]]:
    if len(expected) != len(got):
        yield path, f"expected {len(expected)} items, got {len(got)}"
    for index, (left, right) in enumerate(zip(expected, got, strict=False)):
        yield from _paths(left, right, f"{path}/{index}")


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) or isinstance(right, str) or left is None or right is None:
        return bool(left == right)
    return bool(_number(left) == _number(right))


def _number(value: Any) -> Any:
    from guardrails.errors import EvaluationError
    from guardrails.exact import exact

    try:
        return exact(value)
    except EvaluationError:
        return value


def names_difference(expected: Sequence[str], got: Sequence[str]) -> tuple[str, ...]:
    """What is missing from a list of names, and what is in it unexpectedly."""
    missing = [name for name in expected if name not in got]
    surplus = [name for name in got if name not in expected]
    return tuple([f"missing: {', '.join(missing)}"] * bool(missing)) + tuple(
        [f"not expected: {', '.join(surplus)}"] * bool(surplus)
    )
