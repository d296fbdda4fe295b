"""Loading: policy files in, a compiled `Program` out; the one place where the wings meet.

Follows `use` from file to file (a cycle is an error), reads the tool files, checks everything as one policy
and hands the compiler over to the program, so that units are compiled when they are needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from re import search
from typing import Any

from guardrails.diagnostics import Diagnostic, Note, Span, has_errors, in_order
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import Parameter, Signature
from guardrails.language.checked import Ask, Checked, Fallback
from guardrails.language.checker import Surroundings, Unit, check
from guardrails.language.compiler import UNIT_POINTS, Compiler
from guardrails.language.emission import describe
from guardrails.language.labels import texts_of
from guardrails.language.parser import parse
from guardrails.language.schema import Tool, read_tools
from guardrails.language.tree import walk
from guardrails.runtime.host import HostFunction
from guardrails.runtime.program import Program
from guardrails.version import VERSION

MAX_FILE = 8_000_000
"""Bytes of a policy file."""

Read = Callable[[str], str]
"""Gives the text of a file by its path, or raises OSError or UnicodeDecodeError."""


@dataclass(slots=True)
class Sources:
    """Everything that was read for a policy."""

    units: list[Unit] = field(default_factory=list)
    tools: dict[str, Tool] = field(default_factory=dict)
    schemas: dict[tuple[str, str], str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Loaded:
    """A policy that was read and checked; `program` and `checked` are None when it has errors."""

    sources: Sources
    checked: Checked | None
    program: Program | None
    diagnostics: tuple[Diagnostic, ...]


def read_file(path: str) -> str:
    data = Path(path).read_bytes()
    if len(data) > MAX_FILE:
        raise OSError(f"the file has more than {MAX_FILE:,} bytes")
    return data.decode("utf-8")


def load(
    paths: Iterable[str],
    *,
    params: Mapping[str, Any] | None = None,
    functions: Mapping[str, HostFunction] | None = None,
    read: Read = read_file,
    tools: str | None = None,
) -> Loaded:
    """Read, check and prepare the policy that these files are together. `tools` is the text of one more
    tool file."""
    reading = _Reading(read)
    if tools is not None:
        reading.described("tools.json", tools, None)
    for path in paths:
        reading.policy(path, None, ())
    sources = reading.sources
    sources.settings.update(params or {})
    if has_errors(sources.diagnostics):
        # A file that cannot be read declares nothing, so whatever else is said would be about that.
        return Loaded(sources, None, None, tuple(in_order(sources.diagnostics)))
    hosted = functions or {}
    signatures = {name: signature_of(function) for name, function in hosted.items()}
    around = Surroundings(sources.tools, signatures, sources.settings, sources.schemas)
    checked, found = check(sources.units, around)
    diagnostics = tuple(in_order([*sources.diagnostics, *found]))
    if checked is None or has_errors(diagnostics):
        return Loaded(sources, None, None, diagnostics)
    return Loaded(
        sources, checked, program_of(checked, sources, digest_of(sources, checked, params or {})), diagnostics
    )


class _Reading:
    """Reads files, each once, and follows what they use."""

    def __init__(self, read: Read) -> None:
        self.read = read
        self.sources = Sources()
        self._used: dict[str, tuple[Any, Span | None]] = {}

    def policy(self, path: str, use: syntax.UsePolicy | None, trail: tuple[str, ...]) -> None:
        span = use.span if use else None
        if path in trail:
            chain = " → ".join(f"`{name}`" for name in (*trail[trail.index(path) :], path))
            self._report("cyclic-use", f"these files use each other in a circle: {chain}", span)
            return
        settings = {setting.name: setting for setting in use.settings} if use else {}
        if path in self._used:
            self._used_again(path, settings, span)
            return
        self._used[path] = (_plain(settings), span)
        text = self._text(path, span)
        if text is None:
            return
        file, problems = parse(text, path)
        self.sources.diagnostics += problems
        if file is None:
            return
        self.sources.settings.update(settings)
        name = file.header.name if file.header else Path(path).stem
        self.sources.units.append(Unit(name, file))
        self._follow(file, path, (*trail, path))

    def _follow(self, file: syntax.File, path: str, trail: tuple[str, ...]) -> None:
        for item in file.items:
            if isinstance(item, syntax.UsePolicy):
                self.policy(_beside(path, item.path), item, trail)
            elif isinstance(item, syntax.UseTools):
                self._tools(_beside(path, item.path), item.span)
            elif isinstance(item, syntax.Block | syntax.Task):
                for node in walk(item):
                    if isinstance(node, syntax.Schema):
                        self._schema(path, node)

    def _used_again(self, path: str, settings: dict[str, syntax.Setting], span: Span | None) -> None:
        before, place = self._used[path]
        if before != _plain(settings):
            notes = (Note(place, "it is used with other values here"),) if place else ()
            self._report("use-conflict", f"`{path}` is used twice with different parameters", span, notes)

    def _tools(self, path: str, span: Span) -> None:
        if path in self.sources.texts:
            return
        text = self._text(path, span)
        if text is not None:
            self.described(path, text, span)

    def _schema(self, path: str, effect: syntax.Schema) -> None:
        """A JSON Schema that a statement names."""
        text = self._text(_beside(path, effect.path), effect.span)
        if text is None:
            return
        from guardrails.runtime.contracts import problem_of_schema

        problem = problem_of_schema(text)
        if problem:
            message = f"`{effect.path}` is not a JSON Schema: {problem}"
            self._report("bad-schema", message, effect.span)
            return
        self.sources.schemas[effect.span.file, effect.path] = text

    def described(self, path: str, text: str, span: Span | None) -> None:
        """Take over the tools of a tool file."""
        self.sources.texts[path] = text
        tools, problems = read_tools(text, path)
        self.sources.diagnostics += problems
        for tool in tools:
            other = self.sources.tools.get(tool.name)
            if other is not None and other.digest != tool.digest:
                self._report(
                    "duplicate-tool", f"the tool `{tool.name}` is described twice, differently", span
                )
            self.sources.tools[tool.name] = tool

    def _text(self, path: str, span: Span | None) -> str | None:
        try:
            text = self.read(path)
        except UnicodeDecodeError:
            self._report("unreadable-file", f"`{path}` is not UTF-8 text", span)
        except (OSError, KeyError, ValueError) as error:
            reason = (
                getattr(error, "strerror", None) or "there is no such file"
                if isinstance(error, KeyError | OSError)
                else str(error)
            )
            self._report("unreadable-file", f"`{path}` cannot be read: {reason.lower()}", span)
        else:
            self.sources.texts[path] = text
            return text
        return None

    def _report(self, rule: str, message: str, span: Span | None, notes: tuple[Note, ...] = ()) -> None:
        place = span or Span("<load>", 0, 0, 1, 1, 1, 1)
        self.sources.diagnostics.append(Diagnostic(rule, message, place, notes=notes))


def _plain(settings: Mapping[str, syntax.Setting]) -> dict[str, str]:
    """Settings as comparable text: literals as written, without their places."""
    from guardrails.language.tree import without_spans

    return {name: repr(without_spans(setting.value)) for name, setting in sorted(settings.items())}


def _beside(path: str, other: str) -> str:
    """`other` as seen from the folder of `path`."""
    return other if Path(other).is_absolute() else Path(Path(path).parent, other).as_posix()


# --- from the checked policy to a program ------------------------------------------------------


def digest_of(sources: Sources, checked: Checked, params: Mapping[str, Any]) -> str:
    """The identity of a policy: all texts it was made of, its parameters as the policy reads them, and the
    engine's version."""
    from hashlib import sha256

    parts = sorted(
        sha256(text.encode("utf-8", "surrogatepass")).hexdigest() for text in sources.texts.values()
    )
    chosen = sorted((name, repr(_constant_of(checked, name))) for name in params)
    return "sha256:" + sha256(repr((VERSION, parts, chosen)).encode()).hexdigest()


def _constant_of(checked: Checked, name: str) -> object:
    """The value of a parameter as plain data, the same however it was given."""
    value = checked.namespace.values[name]
    assert isinstance(value, core.Const | core.ConstMap)
    return describe(value)


def program_of(checked: Checked, sources: Sources, digest: str) -> Program:
    """The program of a checked policy, with nothing compiled yet."""
    compiler = Compiler(checked)
    uses_trace, uses_age = "trace" in checked.features, "age" in checked.features
    meters = tuple(compiler.meters())
    uses_tokens = "tokens" in checked.features or bool(checked.reveals)
    stateful = bool(meters) or uses_trace or uses_age or uses_tokens
    head = {
        "name": checked.name,
        "digest": digest,
        "tools": frozenset(compiler.known_tools()),
        "wild": tuple((point, tuple(compiler.wildcards(point))) for point in UNIT_POINTS),
        "defaults": tuple((point, tuple(_defaults(checked, point))) for point in UNIT_POINTS),
        "principal": _declared(checked.principal),
        "agent": _declared(checked.agent),
        "pinned": {tool.name: tool.digest for tool in checked.tools.values()},
        "uses_now": stateful or any(_mentions_now(text) for text in sources.texts.values()),
        "meters": meters,
        "stateful": stateful,
        "uses_trace": uses_trace,
        "uses_age": uses_age,
        "uses_origin": "origin" in checked.features,
        "tasks": dict(checked.tasks),
        "labels": frozenset(checked.namespace.labels),
        "constants": tuple(sorted(set(texts_of(checked)))) if "origin" in checked.features else (),
        "uses_tokens": uses_tokens,
        "reveals": checked.reveals,
        "audit": _audit(sources.units),
        "asked": tuple(_asked(sources.units)),
        "hints": {tool.name: hints for tool in checked.tools.values() if (hints := _hints(tool))},
    }
    return Program(head, {}, compiler.unit)


def _asked(units: Iterable[Unit]) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Whom statements ask: `(place, how many, names)`."""
    for unit in units:
        for node in walk(unit.file):
            if isinstance(node, syntax.Ask | syntax.Review):
                quorum = node.quorum if isinstance(node, syntax.Ask) else 1
                yield str(node.span), quorum, node.reviewers
                if isinstance(node, syntax.Ask) and node.otherwise:
                    yield str(node.span), quorum, node.otherwise


def _hints(tool: Tool) -> tuple[str, ...]:
    """What a tool says of its own dangers."""
    said = (("destructive", tool.destructive), ("open world", tool.open_world))
    return tuple([hint for hint, is_so in said if is_so])


def _audit(units: Iterable[Unit]) -> tuple[str, str] | None:
    """The strictest of all `audit` items: `(durable | buffered, deny | spill)`."""
    items = [item for unit in units for item in unit.file.items if isinstance(item, syntax.Audit)]
    if not items:
        return None
    durable = any(item.mode == "durable" for item in items)
    spills = all(item.otherwise == "spill" for item in items)
    return "durable" if durable else "buffered", "spill" if spills else "deny"


def _declared(kind: t.Type) -> object:
    return t.description_of(kind) if isinstance(kind, t.Record) else None


def _mentions_now(text: str) -> bool:
    """Whether a policy could ask for the time; the word in a comment costs one look at the clock."""
    return search(r"\bnow\b", text) is not None


def _defaults(checked: Checked, point: str) -> Iterable[tuple[object, ...]]:
    return (_default_effect(default) for default in checked.defaults if default.point == point)


def _default_effect(default: Fallback) -> tuple[object, ...]:
    span, ask = default.span, default.verdict.ask
    place = (span.file, span.line, span.column, span.end_line, span.end_column)
    return (
        default.policy, None, "default", default.because, place, default.verdict.outcome.value,
        default.verdict.grants, False, _people(ask) if ask else None, None, None, False, (), (), None,
    )  # fmt: skip


def _people(ask: Ask) -> tuple[object, ...]:
    return (ask.reviewers, ask.quorum, ask.within, ask.otherwise)


def signature_of(function: HostFunction) -> Signature:
    """How the checker sees a function of the host."""
    parameters = tuple(Parameter(name, t.from_description(kind)) for name, kind in function.parameters)
    return Signature(function.name, parameters, t.from_description(function.result), "", function.pure)
