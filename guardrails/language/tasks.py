"""Tasks: `task refund(order: string) { ... }` as the blocks that hold in its sessions.

The one idea: a task is a condition on blocks that only restrict. A session that was not opened for the task does
not notice it, and one that was can do less, never more (least privilege for one request).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from guardrails.diagnostics import Note, Span
from guardrails.language import core, syntax
from guardrails.language.checked import Rule
from guardrails.language.expressions import Typer, known_tool
from guardrails.language.scope import Scope

LOOSENING = (syntax.Allow, syntax.Label)
"""Statements that may let something through that was not let through before."""


def blocks_of(task: syntax.Task) -> Iterator[syntax.Block]:
    """The blocks of a task, under the condition that the session was opened for it."""
    for part in task.parts:
        inside = syntax.InTask(part.span, task.name)
        if isinstance(part, syntax.OnlyCalls):
            yield _all_but(task, part, inside)
            continue
        when = inside if part.when is None else syntax.And(part.when.span, (inside, part.when))
        yield syntax.Block(
            part.span, part.point, part.tools, part.shadow, when, part.unless, part.body, part.header
        )


def _all_but(task: syntax.Task, only: syntax.OnlyCalls, inside: syntax.InTask) -> syntax.Block:
    """Every call is denied but those that are named; the rule spares them (see `Rule.spared`)."""
    named = ", ".join(tool.text for tool in only.tools)
    because = f"The task `{task.name}` only calls {named}."
    statement = syntax.Statement(only.span, None, False, only, None, None, because)
    everything = (syntax.ToolPattern(only.span, "*", True),)
    return syntax.Block(only.span, "call", everything, False, inside, None, (statement,), only.span)


def check_tasks(typer: Typer, items: Iterable[tuple[str, syntax.Item]], tools: frozenset[str]) -> None:
    """Report tasks and parameters that are declared twice, and tools that nobody knows."""
    seen: dict[str, Span] = {}
    for _, item in items:
        if not isinstance(item, syntax.Task):
            continue
        if item.name in seen:
            notes = (Note(seen[item.name], f"`{item.name}` is first declared here"),)
            typer.report(
                "duplicate-name", f"the task `{item.name}` is declared twice", item.span, notes=notes
            )
        seen.setdefault(item.name, item.span)
        names = [parameter.name for parameter in item.parameters]
        for parameter in item.parameters:
            if names.count(parameter.name) > 1:
                message = f"`{parameter.name}` is declared twice"
                typer.report("duplicate-name", message, parameter.span)
        for part in item.parts:
            for tool in part.tools if isinstance(part, syntax.OnlyCalls) else ():
                known_tool(typer, tool, tools)


def check_statement(typer: Typer, rule: Rule) -> bool:
    """Whether a statement may stand in a task."""
    if rule.task is None or not isinstance(rule.statement.effect, LOOSENING):
        return True
    word = type(rule.statement.effect).__name__.lower()
    help = "a task only narrows; what is allowed is said outside of it"
    typer.report("misplaced-statement", f"`{word}` cannot stand in a task", rule.statement.span, help)
    return False


def parameters_of(typer: Typer, task: syntax.Task, scope: Scope) -> dict[str, core.Core]:
    """What the parameters of a task mean: what the session was opened with."""
    from guardrails.language.declarations import resolve_type

    return {
        parameter.name: core.Load(
            parameter.span,
            resolve_type(typer, parameter.type, scope.namespace.types),
            "session",
            ("given", parameter.name),
        )
        for parameter in task.parameters
    }


def described_tasks(items: Iterable[syntax.Item]) -> dict[str, tuple[str, ...]]:
    """Every task with the names of its parameters, for whoever opens sessions."""
    return {
        item.name: tuple(parameter.name for parameter in item.parameters)
        for item in items
        if isinstance(item, syntax.Task)
    }
