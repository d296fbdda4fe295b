"""Cases as YAML: plain values in, text that a test file reads as the same values out."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from guardrails.testing.yaml_tree import scalar_of, span_at

WIDTH = 110
_WORD = re.compile(r"[A-Za-z0-9_./-][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+(=)<>-]+)*")
_ANYWHERE = span_at("", 0, 0, 0)


def flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{flow(name)}: {flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        return _text(value)
    if value is None or isinstance(value, bool | int | float):
        return json.dumps(value)
    return str(value)


def _text(value: str) -> str:
    """Without quotes only what can mean nothing else."""
    is_plain = _WORD.fullmatch(value) and scalar_of(value, _ANYWHERE).kind == "text" and value[0] not in "-"
    return value if is_plain and not value.startswith("---") else _escaped(value)


def _escaped(value: str) -> str:
    """In quotes, with every character spelled out that a reader would not see."""
    return '"' + "".join(map(_char, value)) + '"'


def _char(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def lines(name: str, value: Any, indent: int) -> Iterator[str]:
    """`name: value`, over several lines where one is too long."""
    lead = " " * indent
    one = f"{lead}{flow(name)}: {flow(value)}"
    if len(one) <= WIDTH or not isinstance(value, Mapping | list | tuple) or not value:
        yield one
        return
    yield f"{lead}{flow(name)}:"
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from lines(key, each, indent + 2)
    else:
        yield from (f"{lead}  - {flow(each)}" for each in value)


def case_text(case: Mapping[str, Any], *, note: str = "", indent: int = 2) -> str:
    """A case as an item of `cases`, after a comment."""
    found = [line for name, value in case.items() for line in lines(name, value, indent + 2)]
    lead = " " * indent
    head = [f"{lead}# {note}"] if note else []
    return "\n".join([*head, f"{lead}- {found[0].lstrip()}", *found[1:]]) + "\n"
