"""The rules of the linter: what a rule is, and the list that they enter by being written.

A rule is one generator function. Its name is the function's name, its docstring is its page, and the type
of what it wants to see decides how it is run: a syntax node (`Site`), a checked expression (`Use`), a
statement (`Stated`) or the whole policy (`Policy`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from typing import Any, TypeVar

from guardrails.diagnostics import Diagnostic, Fix, Note, Severity, Span


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule found; the registry adds the rule's name, code and severity."""

    span: Span
    message: str
    help: str = ""
    notes: tuple[Note, ...] = ()
    fix: Fix | None = None


Check = Callable[[Any], Iterable[Finding]]
"""A rule's function: the subject in, findings out."""


Kind = TypeVar("Kind")


def of_kind(node: object, kind: type[Kind]) -> Kind:
    """The node of a rule's subject, as what the rule was entered for: the registry gives it nothing else."""
    assert isinstance(node, kind), f"a rule for {kind.__name__} was given {type(node).__name__}"
    return node


@dataclass(frozen=True, slots=True)
class LintRule:
    """One rule. `subjects` are the types of nodes or views that `check` is called with or about."""

    name: str
    code: str
    severity: Severity
    subjects: tuple[type, ...]
    check: Check
    page: str

    def run(self, subject: object) -> Iterator[Diagnostic]:
        for found in self.check(subject):
            yield Diagnostic(
                self.name, found.message, found.span, self.severity, found.help, found.notes, found.fix, self.code
            )  # fmt: skip


_RULES: dict[str, LintRule] = {}


def rule(code: str, *subjects: type, severity: Severity = "warning") -> Callable[[Check], Check]:
    """Enter a rule: `@rule("G101", Stated)` on a function `unreachable_statement`."""

    def enter(check: Check) -> Check:
        name = check.__name__.replace("_", "-")
        taken = {known.code for known in _RULES.values()}
        if name in _RULES or code in taken:
            raise ValueError(f"there is a rule `{name}` or code {code} already")
        _RULES[name] = LintRule(name, code, severity, subjects, check, cleandoc(check.__doc__ or ""))
        return check

    return enter


@cache
def all_rules() -> tuple[LintRule, ...]:
    """Every rule of the linter, by code."""
    from guardrails.lint import rules

    assert rules.FAMILIES, "importing the families enters their rules"
    return tuple(sorted(_RULES.values(), key=lambda known: known.code))
