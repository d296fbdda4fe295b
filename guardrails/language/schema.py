"""Tools: what a policy knows of the calls it rules, read from the tools' own definitions.

Takes the text of a tool file (MCP, OpenAI, Anthropic or pinned), gives a `Tool` each with typed arguments,
and diagnostics that point into that file. A pinned file carries the digest of every definition, so a tool
that a server changes behind a reviewed policy is an error instead of a surprise.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from guardrails.diagnostics import Diagnostic, Note, Severity, Span
from guardrails.json_positions import Extent, Json, JsonError, parse_json, pointer_to, span_of
from guardrails.language import types
from guardrails.language.json_schema import Reading, SchemaReader
from guardrails.language.toolfile import (
    PINNED,
    VERSION,
    Definition,
    JsonObject,
    Problem,
    Report,
    definitions,
    digest_of,
    is_pinned,
)

__all__ = ["RULE", "Tool", "digest_of", "pin", "read_tools"]

RULE = "bad-tool-file"

MAX_LENGTH = 20_000_000
"""Characters of a tool file."""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as its definition describes it. The hints are the server's own word, None where it has none.
    `schema` is the input schema as written, `definition` all that the digest covers."""

    name: str
    description: str
    args: types.Record
    result: types.Type
    read_only: bool | None
    destructive: bool | None
    idempotent: bool | None
    open_world: bool | None
    digest: str
    schema: JsonObject = field(hash=False, compare=False, repr=False)
    definition: JsonObject = field(hash=False, compare=False, repr=False)


def read_tools(text: str, file: str) -> tuple[tuple[Tool, ...], list[Diagnostic]]:
    """The tools of a file that can be read, and what is wrong with the file."""
    if len(text) > MAX_LENGTH:
        found = Diagnostic(
            RULE, f"the tool file has more than {MAX_LENGTH} characters", _span(Extent(0, 1), text, file)
        )
        return (), [found]
    try:
        value, extents = parse_json(text.removeprefix("\ufeff"))
    except JsonError as error:
        message = f"the tool file is not valid JSON: {error.message}"
        return (), [Diagnostic(RULE, message, _span(error.extent, text, file))]
    spans = _Spans(text, file, extents)
    problems: list[Problem] = []
    tools, repeated = _read(value, problems.append, spans)
    return tools, [_diagnostic(problem, spans) for problem in dict.fromkeys(problems)] + repeated


def pin(tools: Iterable[Tool], source: str = "") -> str:
    """The text of a pinned tool file: the same text for the same tools, in whatever order they come.
    `source` says to people where the definitions were taken from."""
    ordered = sorted(tools, key=lambda tool: tool.name)
    head: JsonObject = {PINNED: VERSION} | ({"source": source} if source else {})
    body: list[Json] = [{**tool.definition, "digest": tool.digest} for tool in ordered]
    return json.dumps({**head, "tools": body}, indent=2, ensure_ascii=False) + "\n"


class _Spans:
    """Where each part of the file stands."""

    def __init__(self, text: str, file: str, extents: dict[str, Extent]) -> None:
        self._text = text
        self._file = file
        self._extents = extents

    def of(self, pointer: str) -> Span:
        """The place of a part, or of the nearest part around it that the file has."""
        while pointer not in self._extents and pointer:
            pointer = pointer.rpartition("/")[0]
        return _span(self._extents[pointer], self._text, self._file)


def _span(extent: Extent, text: str, file: str) -> Span:
    """A byte order mark is not part of the value, but of the file."""
    by = int(text.startswith("\ufeff"))
    return span_of(Extent(extent.start + by, extent.end + by), text, file)


def _diagnostic(problem: Problem, spans: _Spans) -> Diagnostic:
    severity: Severity = "error" if problem.is_error else "warning"
    return Diagnostic(RULE, problem.message, spans.of(problem.pointer), severity, problem.help)


def _read(value: Json, report: Report, spans: _Spans) -> tuple[tuple[Tool, ...], list[Diagnostic]]:
    tools: dict[str, Tool] = {}
    first: dict[str, Definition] = {}
    repeated: list[Diagnostic] = []
    for definition in definitions(value, report):
        if definition.name in tools:
            repeated.append(_repeated(definition, first[definition.name], spans))
            continue
        first[definition.name] = definition
        tools[definition.name] = _tool(definition, report)
        if is_pinned(value):
            _check_digest(definition, report)
    return tuple(tools.values()), repeated


def _repeated(definition: Definition, first: Definition, spans: _Spans) -> Diagnostic:
    message = f"the tool `{definition.name}` is defined twice"
    note = Note(spans.of(first.pointer), "the first definition is here")
    return Diagnostic(RULE, message, spans.of(definition.pointer), notes=(note,))


def _check_digest(definition: Definition, report: Report) -> None:
    where = pointer_to(definition.pointer, "digest")
    if definition.pinned is None:
        report(Problem(where, f"the pinned tool `{definition.name}` has no digest", "pin the tools again"))
    elif definition.pinned != definition.digest:
        message = f"tool `{definition.name}` was changed after it was pinned"
        report(Problem(where, message, "review what changed, then pin the tools again"))


def _tool(definition: Definition, report: Report) -> Tool:
    content = definition.content
    schema = content["inputSchema"]
    hints = content.get("annotations", {})
    assert isinstance(schema, dict), "definitions are well formed"
    assert isinstance(hints, dict), "definitions are well formed"
    return Tool(
        name=definition.name,
        description=str(content["description"]),
        args=_args(definition, schema, report),
        result=_result(definition, report),
        read_only=_hint(definition, hints, "readOnlyHint", report),
        destructive=_hint(definition, hints, "destructiveHint", report),
        idempotent=_hint(definition, hints, "idempotentHint", report),
        open_world=_hint(definition, hints, "openWorldHint", report),
        digest=definition.digest,
        schema=schema,
        definition=content,
    )


def _args(definition: Definition, schema: JsonObject, report: Report) -> types.Record:
    name = f"arguments of {definition.name}"
    kind = SchemaReader(schema, definition.input_at, report).read().type
    if isinstance(kind, types.Record):
        return replace(kind, name=name)
    if kind != types.ANY and not isinstance(kind, types.MapOf):
        message = f"the input schema of `{definition.name}` describes {kind}, where an object is expected"
        report(Problem(definition.input_at, message))
    return types.Record(name, (), open=True)


def type_of_schema(text: str) -> types.Type:
    """The type of the values that follow a JSON Schema; `any` for what it does not say plainly."""
    root = json.loads(text)
    if not isinstance(root, dict):
        return types.ANY
    return SchemaReader(root, "", lambda _: None).read().type


def _result(definition: Definition, report: Report) -> types.Type:
    schema = definition.content.get("outputSchema")
    if not isinstance(schema, dict):
        return types.ANY
    found: Reading = SchemaReader(schema, definition.output_at, report).read()
    if isinstance(found.type, types.Record):
        return replace(found.type, name=f"result of {definition.name}")
    return types.ANY if found.nullable else found.type


def _hint(definition: Definition, hints: JsonObject, key: str, report: Report) -> bool | None:
    value = hints.get(key)
    if value is None or isinstance(value, bool):
        return value
    where = pointer_to(pointer_to(definition.pointer, "annotations"), key)
    report(Problem(where, f"`{key}` of the tool `{definition.name}` is true or false"))
    return None
