"""Transforms: what goes on instead of the payload. Rows are filtered, then fields, then texts are redacted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from guardrails.errors import WrongType
from guardrails.language import syntax
from guardrails.patterns.spans import compile_spans

Path = tuple[str, ...]
STRICTNESS = ("last", "mask", "hash", "replace", "drop")


class Gone:
    """Stands for what a transform leaves out."""


@dataclass(frozen=True)
class Redaction:
    """One target of a `redact`, seen from the value it is applied to."""

    path: Path
    pattern: str | None
    method: str
    argument: Any

    @property
    def rank(self) -> tuple[int, int, str]:
        """Which of two redactions of one place shows less."""
        shown = -int(self.argument) if self.method == "last" else 0
        return STRICTNESS.index(self.method), shown, str(self.argument)


def redactions_of(effect: syntax.Redact) -> list[Redaction]:
    pattern = str(effect.what.value) if isinstance(effect.what, syntax.Literal) else None
    argument = effect.argument.value if effect.argument else None
    paths = [path_of(target)[1:] for target in effect.targets] or [()]
    return [Redaction(path, pattern, effect.method or "mask", argument) for path in paths]


def path_of(target: syntax.Expr) -> Path:
    if isinstance(target, syntax.Attribute):
        return (*path_of(target.base), target.name)
    assert isinstance(target, syntax.Name)
    return (target.id,)


# --- rows and fields ---------------------------------------------------------------------------


def only_rows(payload: Any, tests: list[Callable[[Any], bool]]) -> list[Any]:
    """The rows that pass every test; every test sees every row."""
    if not isinstance(payload, list):
        raise WrongType("only a list has rows")
    verdicts = [[test(row) for test in tests] for row in payload]
    return [row for row, passed in zip(payload, verdicts, strict=True) if all(passed)]


def only_fields(value: Any, paths: Iterable[Path]) -> Any:
    """What lies on or below one of the paths. A list on the way stands for each of its elements."""
    paths = list(paths)
    if () in paths:
        return value
    if isinstance(value, list):
        inner = [path[1:] if path[0] == "*" else path for path in paths]
        return [kept for item in value if (kept := only_fields(item, inner)) is not Gone]
    if not isinstance(value, dict):
        return Gone
    found = {
        name: only_fields(item, steps(paths, name)) for name, item in value.items() if steps(paths, name)
    }
    return {name: item for name, item in found.items() if item is not Gone}


def drop_fields(value: Any, paths: Iterable[Path]) -> Any:
    paths = list(paths)
    if isinstance(value, list):
        if ("*",) in paths:
            return []
        return [drop_fields(item, [path[1:] if path[0] == "*" else path for path in paths]) for item in value]
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if () not in steps(paths, name)}
    return {name: drop_fields(item, steps(paths, name)) for name, item in kept.items()}


def steps(paths: Iterable[Path], name: str) -> list[Path]:
    """The paths as seen from the field `name`."""
    return [path[1:] for path in paths if path and path[0] in (name, "*")]


# --- redaction ---------------------------------------------------------------------------------


def redact(value: Any, redactions: list[Redaction]) -> Any:
    """`value` with all redactions applied; of several on one place the strictest."""
    whole = [one for one in redactions if not one.path and one.pattern is None]
    strictest = max(whole, key=lambda one: one.rank, default=None)
    if strictest and strictest.method == "drop":
        return Gone
    if strictest and strictest.method == "replace":
        return strictest.argument
    if isinstance(value, dict):
        parts = {name: redact(item, _inside(redactions, name)) for name, item in value.items()}
        return {name: part for name, part in parts.items() if part is not Gone}
    if isinstance(value, list):
        elements = [redact(item, _inside_list(redactions)) for item in value]
        return [None if part is Gone else part for part in elements]
    if not isinstance(value, str):
        return None if strictest else value
    return _text(value, strictest, [one for one in redactions if one.pattern and not one.path])


def _inside(redactions: list[Redaction], name: str) -> list[Redaction]:
    below = [replace(one, path=one.path[1:]) for one in redactions if one.path and one.path[0] in (name, "*")]
    return below + [one for one in redactions if not one.path]


def _inside_list(redactions: list[Redaction]) -> list[Redaction]:
    return [replace(one, path=one.path[1:]) if one.path[:1] == ("*",) else one for one in redactions]


def _text(text: str, whole: Redaction | None, partial: list[Redaction]) -> str:
    """A text redacted as a whole shows none of what a pattern hides."""
    if whole is None:
        return _without_matches(text, partial)
    shown = masked(text, whole, "***")
    start = len(text) - len(shown.removeprefix("***"))
    hidden = any(end > start for one in partial for _, end in compile_spans(one.pattern or "")(text))
    return "***" if hidden else shown


def masked(text: str, one: Redaction, mask: str) -> str:
    if one.method == "last":
        count = int(one.argument)
        return "***" + (text[len(text) - count :] if len(text) >= 2 * count else "")
    return {"drop": "", "replace": str(one.argument), "mask": mask}[one.method]


def _without_matches(text: str, redactions: list[Redaction]) -> str:
    """Every match replaced; matches that overlap are one, by the strictest of their methods."""
    found = [(start, end, one) for one in redactions for start, end in compile_spans(one.pattern or "")(text)]
    groups: list[tuple[int, int, Redaction]] = []
    for start, end, one in sorted(found, key=lambda match: match[:2]):
        if groups and start < groups[-1][1]:
            first, last, other = groups.pop()
            groups.append((first, max(last, end), max(one, other, key=lambda each: each.rank)))
        else:
            groups.append((start, end, one))
    for start, end, one in reversed(groups):
        text = text[:start] + masked(text[start:end], one, "[REDACTED]") + text[end:]
    return text
