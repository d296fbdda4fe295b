"""The linter's settings: `[tool.guard.lint]` of the nearest `pyproject.toml`.

Takes a folder, gives a `Config`; whatever is wrong with the table is a diagnostic in that file, so that a
typing error cannot switch a rule off in silence. Keys: `select` and `ignore` (rule names, codes or
beginnings of codes), `severity` (a table of rule = "error" | "warning" | "info"), `per-file-ignores` (a
table of glob = [rules]). The other settings of `[tool.guard]` are checked here too; see `guardrails.project`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Final

from guardrails.diagnostics import Diagnostic, Severity, Span, did_you_mean
from guardrails.lint.registry import all_rules
from guardrails.project import KEYS, project_file

RULE: Final = "bad-lint-configuration"
_SEVERITIES: Final[Mapping[str, Severity]] = {"error": "error", "warning": "warning", "info": "info"}


@dataclass(frozen=True, slots=True)
class Config:
    """Which rules run, and how much they matter. Empty `select` means all of them."""

    select: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    per_file: tuple[tuple[str, frozenset[str]], ...] = ()
    folder: str = ""
    problems: tuple[Diagnostic, ...] = ()
    texts: Mapping[str, str] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        return name not in self.ignore and (not self.select or name in self.select)

    def adjusted(self, diagnostic: Diagnostic) -> Iterator[Diagnostic]:
        """The diagnostic as configured, or nothing where its file ignores it."""
        if diagnostic.rule not in _names() or self._ignored(diagnostic):
            if diagnostic.rule not in _names():
                yield diagnostic
            return
        severity = self.severity.get(diagnostic.rule, diagnostic.severity)
        yield diagnostic if severity == diagnostic.severity else replace(diagnostic, severity=severity)

    def _ignored(self, diagnostic: Diagnostic) -> bool:
        if not self.wants(diagnostic.rule):
            return True
        path = os.path.relpath(diagnostic.span.file, self.folder or ".").replace(os.sep, "/")
        return any(diagnostic.rule in names and fnmatch(path, glob) for glob, names in self.per_file)


@cache
def _names() -> frozenset[str]:
    return frozenset(entry.name for entry in all_rules())


def find_config(folder: Path) -> Config:
    """The settings of the nearest `pyproject.toml` in `folder` or above it."""
    path = project_file(str(folder.resolve()))
    return Config() if path is None else read_config(Path(path))


def read_config(path: Path) -> Config:
    """The settings of one file; the defaults, with problems, where it cannot be read."""
    shown = os.path.relpath(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        place = Span(shown, 0, 0, 1, 1, 1, 1)
        return Config(problems=(Diagnostic(RULE, f"`{shown}` cannot be read: {_reason(error)}", place),))
    return parse_config(text, shown)


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "it is not UTF-8 text").lower()


def parse_config(text: str, path: str = "pyproject.toml") -> Config:
    """The settings that the text of a `pyproject.toml` holds."""
    reading = _Reading(text, path)
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reading.report(f"the file is not valid TOML: {str(error).lower()}", "")
        return reading.config({})
    table = reading.project(document.get("tool", {}).get("guard", {})).get("lint", {})
    if not isinstance(table, dict):
        reading.report("`tool.guard.lint` is a table", "lint")
        table = {}
    return reading.config(table)


class _Reading:
    """Reads one table, collecting what is wrong with it."""

    def __init__(self, text: str, path: str) -> None:
        self.text = text
        self.path = path
        self.problems: list[Diagnostic] = []

    def project(self, table: Any) -> Mapping[str, Any]:
        """`[tool.guard]`, of which the linter only knows whether its settings exist."""
        if not isinstance(table, dict):
            self.report("`tool.guard` is a table", "guard")
            return {}
        for key in table:
            if key not in KEYS:
                known = " and ".join(f"`{each}`" for each in KEYS)
                self.report(
                    f"there is no setting `{key}`",
                    key,
                    did_you_mean(key, KEYS) or f"the settings are {known}",
                )
        if not isinstance(table.get("store", ""), str):
            self.report("`store` is the URL of a store", "store", 'such as `store = "sqlite:guard.db"`')
        return table

    def config(self, table: Mapping[str, Any]) -> Config:
        for key in table:
            if key not in _KEYS:
                self.report(f"there is no setting `{key}`", key, did_you_mean(key, _KEYS) or _KEYS_HELP)
        return Config(
            select=self.rules(table.get("select", []), "select"),
            ignore=self.rules(table.get("ignore", []), "ignore"),
            severity=self.severities(table.get("severity", {})),
            per_file=self.per_file(table.get("per-file-ignores", {})),
            folder=os.path.dirname(self.path),
            problems=tuple(self.problems),
            texts={self.path: self.text} if self.problems else {},
        )

    def rules(self, value: Any, key: str) -> frozenset[str]:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.report(f"`{key}` is a list of rules", key, f'such as `{key} = ["allow-all"]`')
            return frozenset()
        return frozenset(name for item in value for name in self.named(item))

    def named(self, selector: str) -> Iterable[str]:
        """The rules that a name, a code or the beginning of a code means."""
        found = [
            entry.name
            for entry in all_rules()
            if entry.name == selector or (_CODE.fullmatch(selector) and entry.code.startswith(selector))
        ]
        if not found:
            self.report(
                f"there is no lint rule `{selector}`",
                selector,
                did_you_mean(selector, _names()) or "`guard explain` lists the rules",
            )
        return found

    def severities(self, value: Any) -> dict[str, Severity]:
        if not isinstance(value, dict):
            self.report("`severity` is a table of rules", "severity", 'such as `allow-all = "error"`')
            return {}
        found: dict[str, Severity] = {}
        for selector, word in value.items():
            if not isinstance(word, str) or word not in _SEVERITIES:
                self.report(f"`{word}` is no severity", selector, "it is `error`, `warning` or `info`")
                continue
            found |= dict.fromkeys(self.named(selector), _SEVERITIES[word])
        return found

    def per_file(self, value: Any) -> tuple[tuple[str, frozenset[str]], ...]:
        if not isinstance(value, dict):
            self.report("`per-file-ignores` is a table", "per-file-ignores", "of globs and lists of rules")
            return ()
        return tuple((glob, self.rules(names, glob)) for glob, names in value.items())

    def report(self, message: str, word: str, help: str = "") -> None:
        self.problems.append(Diagnostic(RULE, message, self._place(word), help=help))

    def _place(self, word: str) -> Span:
        """Where a word stands in the table; the start of the file when it is not written so."""
        table = max(self.text.find("[tool.guard"), 0)
        start = self.text.find(word, table) if word else table
        start = table if start < 0 else start
        line = self.text.count("\n", 0, start) + 1
        column = start - (self.text.rfind("\n", 0, start) + 1) + 1
        return Span(self.path, start, start + len(word), line, column, line, column + len(word))


_KEYS: Final = ("select", "ignore", "severity", "per-file-ignores")
_KEYS_HELP: Final = "the settings are `select`, `ignore`, `severity` and `per-file-ignores`"
_CODE: Final = re.compile(r"G\d+")
