"""Tool files: where the definitions of tools stand in the formats that vendors and protocols use.

Takes the parsed JSON of a file, gives one `Definition` per tool, in the words of MCP. The idea: the wrapping
differs, the content does not. So one tool has one digest whichever way it was written down.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias, cast

from guardrails.json_positions import Json, pointer_to

JsonObject: TypeAlias = dict[str, Json]

PINNED = "guard_tools"
"""The key that marks our own pinned file; its value is the version of the format."""

VERSION = 1

_INPUT_KEYS = ("inputSchema", "input_schema", "parameters")
_OUTPUT_KEYS = ("outputSchema", "output_schema")
_NO_INPUT: JsonObject = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at a JSON pointer of the file."""

    pointer: str
    message: str
    help: str = ""
    is_error: bool = True


Report: TypeAlias = Callable[[Problem], None]


@dataclass(frozen=True, slots=True)
class Definition:
    """One tool as its server or vendor describes it. `pointer` is its place in the file, `content` the part
    that counts (MCP's names, nothing that is empty), `input_at` and `output_at` point to the schemas."""

    pointer: str
    name: str
    content: JsonObject
    input_at: str
    output_at: str
    digest: str
    pinned: Json = None
    """The digest that a pinned file claims."""


def definitions(value: Json, report: Report) -> Iterator[Definition]:
    """Every tool of a parsed file that can be made sense of; the others are reported."""
    for pointer, raw in _entries(value, "", report):
        found = _definition(raw, pointer, report)
        if found is not None:
            yield found


def digest_of(raw_tool: Mapping[str, Json]) -> str:
    """The digest of a tool in any of the formats: `sha256:` and the hash of the canonical JSON of its name,
    description, schemas and annotations."""
    body, _ = _body(dict(raw_tool), "")
    return _digest(_content(body))


def is_pinned(value: Json) -> bool:
    return isinstance(value, dict) and PINNED in value


def _entries(value: Json, pointer: str, report: Report) -> Iterator[tuple[str, Json]]:
    """The tools of a list, of an answer to `tools/list`, or of a request to a model."""
    if isinstance(value, list):
        for index, entry in enumerate(value):
            here = pointer_to(pointer, index)
            yield from _entries(entry, here, report) if _is_wrapper(entry) else [(here, entry)]
    elif not isinstance(value, dict) or not _is_wrapper(value):
        report(Problem(pointer, "no list of tools is found here", "a tool file holds `tools`, or is a list"))
    else:
        yield from _unwrapped(value, pointer, report)


def _is_wrapper(value: Json) -> bool:
    wrapping = {"tools", "functions", "result", "error", "jsonrpc", PINNED}
    return isinstance(value, dict) and "name" not in value and not wrapping.isdisjoint(value)


def _unwrapped(value: JsonObject, pointer: str, report: Report) -> Iterator[tuple[str, Json]]:
    if value.get(PINNED, VERSION) != VERSION:
        message = (
            f"this file is pinned in version {value[PINNED]} of the format, {VERSION} is the one known here"
        )
        report(Problem(pointer_to(pointer, PINNED), message))
        return
    if value.get("nextCursor"):
        message = "the list of tools goes on after this page"
        report(Problem(pointer_to(pointer, "nextCursor"), message, "fetch the next page too", is_error=False))
    keys = [key for key in ("tools", "functions", "result") if key in value]
    if not keys:
        report(Problem(pointer, "this is an answer without tools", "save the answer to `tools/list`"))
    for key in keys:
        yield from _listed(value[key], pointer_to(pointer, key), report)


def _listed(value: Json, pointer: str, report: Report) -> Iterator[tuple[str, Json]]:
    if isinstance(value, list) or (pointer.endswith("/result") and isinstance(value, dict)):
        yield from _entries(value, pointer, report)
    else:
        report(Problem(pointer, f"a list of tools is expected here, not {kind_of(value)}"))


def _definition(raw: Json, pointer: str, report: Report) -> Definition | None:
    if not isinstance(raw, dict):
        report(Problem(pointer, f"a tool is an object, not {kind_of(raw)}"))
        return None
    body, at = _body(raw, pointer)
    name = _name(body, at, report)
    if name is None or not _is_well_formed(body, at, name, report):
        return None
    return Definition(
        pointer=pointer,
        name=name,
        content=_content(body),
        input_at=pointer_to(at, _present(body, _INPUT_KEYS)),
        output_at=pointer_to(at, _present(body, _OUTPUT_KEYS)),
        digest=_digest(_content(body)),
        pinned=body.get("digest"),
    )


def _body(raw: JsonObject, pointer: str) -> tuple[JsonObject, str]:
    """The part of an entry that describes the tool, and where it stands."""
    inner = raw.get("function")
    if isinstance(inner, dict) and "name" not in raw:
        return inner, pointer_to(pointer, "function")
    return raw, pointer


def _name(body: JsonObject, pointer: str, report: Report) -> str | None:
    name = body.get("name")
    kind = body.get("type")
    if "name" not in body and isinstance(kind, str) and kind != "function":
        message = f"a tool of type `{kind}` has no name and is left out"
        report(Problem(pointer, message, "the vendor runs it, so no call of it is seen here", is_error=False))
        return None
    if "name" not in body:
        report(Problem(pointer, "this tool has no name"))
    elif not isinstance(name, str):
        report(Problem(pointer_to(pointer, "name"), f"the name of a tool is a string, not {kind_of(name)}"))
    elif not name.strip() or not name.isprintable():
        report(Problem(pointer_to(pointer, "name"), "the name of a tool is empty or cannot be printed"))
    else:
        return name
    return None


def _is_well_formed(body: JsonObject, pointer: str, name: str, report: Report) -> bool:
    """Whether the parts that the digest covers have their kinds; otherwise it would cover nonsense."""
    expected: list[tuple[str, type, str]] = [(key, dict, "an object") for key in _INPUT_KEYS + _OUTPUT_KEYS]
    expected += [("annotations", dict, "an object"), ("description", str, "a string")]
    wrong = [
        (key, words)
        for key, kind, words in expected
        if body.get(key) is not None and not isinstance(body[key], kind)
    ]
    for key, words in wrong:
        message = f"`{key}` of the tool `{name}` is {words}, not {kind_of(body[key])}"
        report(Problem(pointer_to(pointer, key), message))
    return not wrong


def _present(body: JsonObject, keys: tuple[str, ...]) -> str:
    return next((key for key in keys if body.get(key) is not None), keys[0])


def _content(body: JsonObject) -> JsonObject:
    """What counts of a tool, in MCP's words."""
    content: JsonObject = {
        "name": body.get("name"),
        "description": body.get("description") or "",
        "inputSchema": body.get(_present(body, _INPUT_KEYS)) or _NO_INPUT,
        "outputSchema": body.get(_present(body, _OUTPUT_KEYS)),
        "annotations": body.get("annotations"),
    }
    return {key: value for key, value in content.items() if key == "description" or value not in (None, {})}


def _digest(content: JsonObject) -> str:
    return "sha256:" + hashlib.sha256(canonical_json(content).encode()).hexdigest()


def canonical_json(value: Json) -> str:
    """One text for one value: sorted keys, no white space, numbers in their shortest form."""
    plain = _plain_numbers(value)
    return json.dumps(plain, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _plain_numbers(value: Json) -> Json:
    """With whole floats as whole numbers, since `1.0` and `1` are one number."""
    if isinstance(value, float) and value.is_integer():
        return int(Decimal(repr(value)))
    if isinstance(value, list):
        return [_plain_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain_numbers(item) for key, item in value.items()}
    return value


def kind_of(value: Json) -> str:
    """The kind of a JSON value, as a message says it."""
    kinds = {bool: "a boolean", str: "a string", list: "a list", dict: "an object", type(None): "null"}
    return kinds.get(cast("type", type(value)), "a number")
