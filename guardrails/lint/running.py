"""Running the rules: files in, a report with every diagnostic out.

Loading comes first and its errors are part of the report. Rules about meaning run only where there are none;
rules about syntax run on every file that was read. Suppressions and configuration have the last word.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from guardrails.diagnostics import Diagnostic, in_order
from guardrails.lint.configuration import Config, find_config
from guardrails.lint.counters import lost_counters
from guardrails.lint.pages import code_of
from guardrails.lint.policy import Policy, Stated
from guardrails.lint.registry import LintRule, all_rules
from guardrails.lint.suppressions import suppressed
from guardrails.lint.text_tests import TextTest, text_test_of
from guardrails.loading import Loaded, Read, load, read_file
from guardrails.runtime.host import HostFunction


@dataclass(frozen=True, slots=True)
class LintReport:
    """What was found, by place, and the texts of all files that were read for it."""

    diagnostics: tuple[Diagnostic, ...]
    texts: Mapping[str, str]


def lint_files(
    paths: Sequence[str],
    *,
    params: Mapping[str, Any] | None = None,
    config: Config | None = None,
    functions: Mapping[str, HostFunction] | None = None,
    read: Read = read_file,
    against: Sequence[str] = (),
) -> LintReport:
    """Everything that is wrong with the policy that these files are together, or looks wrong.

    Without a `config`, the nearest `pyproject.toml` above the first file is read for one. `against` are the
    files of the policy in force, whose counters should not be lost.
    """
    chosen = find_config(Path(paths[0]).parent if paths else Path()) if config is None else config
    loaded = load(paths, params=params, functions=functions, read=read)
    old = load(against, params=params, functions=functions, read=read) if against else None
    return _report(loaded, chosen, old)


def lint_text(text: str, tools: str | None = None) -> LintReport:
    """Lint one policy text, as `policy.guard`; `tools` is the text of a tool file, as `tools.json`."""
    texts = {"policy.guard": text} | ({"tools.json": tools} if tools is not None else {})
    return _report(load(["policy.guard"], read=texts.__getitem__, tools=tools), Config())


def _report(loaded: Loaded, config: Config, old: Loaded | None = None) -> LintReport:
    sources = loaded.sources
    texts = {**sources.texts, **config.texts}
    policy = Policy(sources.units, sources.texts, sources.tools, loaded.checked)
    rules = [rule for rule in all_rules() if config.wants(rule.name)]
    found = [*config.problems, *loaded.diagnostics, *_findings(policy, rules)]
    if old is not None:
        found += _compared(old, loaded)
    kept = suppressed(found, policy, complete=loaded.checked is not None)
    return LintReport(tuple(in_order(_finished(kept, config))), texts)


def _compared(old: Loaded, new: Loaded) -> Iterator[Diagnostic]:
    """What the policy in force has counted and the new one would lose."""
    if old.checked is None:
        yield from (found for found in old.diagnostics if found.is_error)
    elif new.checked is not None:
        yield from lost_counters(old.checked, new.checked)


def _finished(found: Iterable[Diagnostic], config: Config) -> Iterator[Diagnostic]:
    """With codes, and severities as configured; without what is ignored for its file."""
    for diagnostic in found:
        if not diagnostic.code:
            diagnostic = replace(diagnostic, code=code_of(diagnostic.rule))
        yield from config.adjusted(diagnostic)


def _findings(policy: Policy, rules: Sequence[LintRule]) -> Iterator[Diagnostic]:
    table: dict[type, list[LintRule]] = defaultdict(list)
    for rule in rules:
        for subject in rule.subjects:
            table[subject].append(rule)
    yield from _on_syntax(policy, table)
    if policy.checked is not None:
        yield from _on_meaning(policy, table)


def _on_syntax(policy: Policy, table: Mapping[type, list[LintRule]]) -> Iterator[Diagnostic]:
    for site in policy.sites:
        for rule in table.get(type(site.node), ()):
            yield from rule.run(site)


def _on_meaning(policy: Policy, table: Mapping[type, list[LintRule]]) -> Iterator[Diagnostic]:
    for rule in table.get(Policy, ()):
        yield from rule.run(policy)
    for stated in policy.stated:
        for rule in table.get(Stated, ()):
            yield from rule.run(stated)
    for use in policy.uses:
        for rule in table.get(type(use.node), ()):
            yield from rule.run(use)
        test = text_test_of(use)
        for rule in table.get(TextTest, ()) if test is not None else ():
            yield from rule.run(test)
