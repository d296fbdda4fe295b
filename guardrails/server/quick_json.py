"""JSON that has one meaning, read by orjson where it is there and where that cannot change anything.

Takes the bytes of a text; gives its value, or `UNSURE` for the strict reader to judge. orjson is quick and lenient in two
ways: of a name that stands twice it keeps the last, and whole numbers beyond 64 bits become binary fractions. Both are
found without a second look at the text: each member has a colon behind its name, so that as many members as colons
means that none was lost; and what cannot be told from a whole number is left to the strict reader.
"""

from __future__ import annotations

from typing import Any

from guardrails.strict_json import MAX_DEPTH, MAX_DIGITS

try:
    from orjson import loads
except ImportError:
    loads = None  # type: ignore[assignment]  # the strict reader reads all of it

UNSURE = object()
MOST = 16_384
"""Bytes from which the strict reader takes as little of the whole as it matters."""
WHOLE = 2.0**63
"""A fraction of this size may have been a whole number."""


def quick_json(data: bytes) -> Any:
    """The value of a text; `UNSURE` where this reader cannot vouch for it, be it good or bad."""
    if loads is None or len(data) > MOST or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        return UNSURE
    try:
        value = loads(data)
        members = _members(value, 0 if len(data) > MAX_DIGITS else WHOLE)
    except (ValueError, OverflowError):
        return UNSURE
    if members == data.count(b":") or members == _ends_of_names(data):
        return value
    return UNSURE


def _ends_of_names(data: bytes) -> int:
    """At least as many as there are members: a name ends with a quote, and then comes a colon or white space. One
    within a text is counted as well, which only means that the strict reader has to look."""
    after = data.count(b'"\n') + data.count(b'"\t') + data.count(b'"\r')
    return data.count(b'":') + data.count(b'" ') + after


def _members(value: Any, limit: float) -> int:
    """How many members all objects in it have. Raises `OverflowError` for a fraction of `limit` or more."""
    kind = value.__class__
    if kind is dict:
        found = len(value)
        for each in value.values():
            inner = each.__class__
            if inner is dict or inner is list or inner is float:
                found += _members(each, limit)
        return found
    if kind is list:
        return sum([_members(each, limit) for each in value if each.__class__ in _NESTED])
    if kind is float and not -limit < value < limit:
        raise OverflowError
    return 0


_NESTED = {dict, list, float}
