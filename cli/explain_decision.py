"""Why a decision came out so: every statement that speaks of the event, what it did, and what it read.

The decision is made as always; what each statement did is read off it, so the explanation cannot tell
another story than the engine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import click

from guardrails.decision_text import render_decision
from guardrails.errors import GuardError
from guardrails.guard import Guard, Source
from guardrails.language import core, syntax
from guardrails.language.checked import Fuse, Lowered, Meter, Requirement, Rule, Steps
from guardrails.language.checker import parts_of
from guardrails.language.compiler import Compiler
from guardrails.loading import Loaded
from guardrails.model import Applied, Decision
from guardrails.renderings import visible
from guardrails.runtime.events import check_event, session_of
from guardrails.strict_json import write_json

from . import exits
from .check import event_of, source_of
from .check_options import parse
from .policies import functions_of, load_or_stop, settings
from .problems import usage
from .terminal import is_colored

WIDTH = 96
"""Characters of a shown statement or value."""


@dataclass(frozen=True, slots=True)
class Account:
    """What one statement did. `state` is in words for people; `reads` the fields it looks at."""

    rule: Rule
    state: str
    reads: Mapping[str, str]

    def as_json(self, loaded: Loaded) -> dict[str, Any]:
        span = self.rule.statement.span
        return {
            "statement": self.rule.name,
            "source": source_of_node(self.rule.statement, loaded),
            "state": self.state,
            "reads": dict(self.reads),
            "span": {"file": span.file, "line": span.line, "column": span.column},
        }


def explain_decision(words: list[str]) -> int:
    """Run `guard explain --decision` with the arguments of `guard check`; gives the exit code of that."""
    request = parse(words)
    source = source_of(request)
    if source == "events":
        raise usage(
            "one decision is explained at a time", "give `--call`, `--input`, `--output` or one event as JSON"
        )
    if not request.paths:
        raise usage("a policy file is needed")
    if request.get("store") is not None or request.get("prices") is not None:
        raise usage("an explanation charges nothing, so it uses no store and no prices")
    event, stop = event_of(request, source)
    if event.__class__ is dict and event.get("type") == "outcome":
        raise usage(
            "what became of a call is taken note of, and nothing decides it", "explain the call itself"
        )
    functions, params = functions_of(request.modules), settings(request.params)
    loaded = load_or_stop(request.paths, params, functions)
    assert loaded.program is not None, "it stops otherwise"
    try:
        guard = Guard(loaded.program, source=Source(request.paths, params, functions))
        decision = guard.decide(event).holding("")
    except GuardError as error:
        raise stop(f"the event is malformed: {error}") from error
    accounts = list(accounts_of(loaded, event, decision))
    if request.get("format") == "json":
        click.echo(
            write_json(
                {"outcome": decision.outcome.value, "statements": [a.as_json(loaded) for a in accounts]}
            )
        )
    else:
        click.echo(_text(loaded, accounts, decision), nl=False, color=True)
    return exits.OUTCOMES[decision.outcome.value]


# --- what each statement did -------------------------------------------------------------------


def accounts_of(loaded: Loaded, event: Mapping[str, Any], decision: Decision) -> Iterator[Account]:
    """An account of every statement that speaks of the event, in the order of the policy."""
    assert loaded.checked is not None, "a policy with a program was checked"
    compiler = Compiler(loaded.checked)
    tool = event.get("tool")
    facts = _Facts(loaded, event)
    for rule in compiler.rules_for(check_event(dict(event)), tool):
        lowered = compiler.lowering.lower(rule, tool)
        if lowered is not None:
            yield Account(rule, _state(lowered, decision), facts.read_by(lowered))


def _state(lowered: Lowered, decision: Decision) -> str:
    applied = [each for each in (*decision.applied, *decision.shadow) if _is_of(each, lowered)]
    failure = next((each for each in decision.errors if each.statement == lowered.rule.name), None)
    if failure is not None:
        return f"could not be evaluated: {failure.message}" + ("" if applied else "; it grants nothing")
    if not applied and isinstance(lowered.meaning, Meter | Fuse):
        return "is closed" if isinstance(lowered.meaning, Fuse) else "has room"
    if not applied:
        return "holds" if isinstance(lowered.meaning, Requirement) else "does not apply"
    words = ", ".join(_did(each) for each in applied)
    return f"in shadow: {words}" if lowered.rule.shadow else words


def _did(applied: Applied) -> str:
    if applied.effect == "require":
        return "is violated: deny"
    outcome = f": {applied.outcome}" if applied.outcome and applied.outcome.value != applied.effect else ""
    return f"applies{outcome}"


def _is_of(applied: Applied, lowered: Lowered) -> bool:
    spans = [lowered.rule.statement.span]
    if isinstance(lowered.meaning, Steps):
        spans += [row.span for row in lowered.meaning.rows]
    place = applied.place
    return any(
        (span.file, span.line, span.column) == (place.file, place.line, place.column) for span in spans
    )


class _Facts:
    """The values of an event's fields, as text."""

    def __init__(self, loaded: Loaded, event: Mapping[str, Any]) -> None:
        assert loaded.checked is not None, "a policy with a program was checked"
        self.tool = event.get("tool")
        self.described = loaded.checked.tools.get(str(self.tool))
        self.roots: dict[str, Any] = {
            "args": event.get("args", {}),
            "principal": event.get("principal", {}),
            "agent": event.get("agent", {}),
            "session": session_of(dict(event)),
            "result": event.get("result"),
            "text": event.get("text", event.get("result")),
            "now": event.get("time", "the time of the check"),
        }

    def read_by(self, lowered: Lowered) -> dict[str, str]:
        """`{field: value}` of all that a statement may read, the values as JSON."""
        nodes = (node for part in parts_of(lowered) for node in core.walk(part))
        loads = [node for node in nodes if isinstance(node, core.Load) and node.root not in ("row", "usage")]
        return {load.where: self._value(load) for load in loads}

    def _value(self, load: core.Load) -> str:
        if load.root == "tool":
            fact = load.path[0] if load.path else "name"
            value = self.tool if fact == "name" else getattr(self.described, fact, None)
        else:
            value = self.roots.get(load.root)
            for name in load.path:
                value = value.get(name) if isinstance(value, dict) else None
        return "missing" if value is None else _cut(write_json(value))


# --- for people --------------------------------------------------------------------------------


def _text(loaded: Loaded, accounts: list[Account], decision: Decision) -> str:
    lines: list[str] = []
    for _, group in groupby(accounts, key=lambda account: id(account.rule.block)):
        found = list(group)
        lines += [_heading(found[0].rule.block, loaded), *_entries(found, loaded), ""]
    if not accounts:
        lines += ["no statement of the policy speaks of this event", ""]
    return "\n".join(lines) + "\n" + render_decision(decision, color=is_colored(sys.stdout))


def _heading(block: syntax.Block, loaded: Loaded) -> str:
    text = loaded.sources.texts[block.span.file][block.span.start : block.span.end]
    return f"{_cut(' '.join(text.partition('{')[0].split()))}  ({block.span})"


def _entries(accounts: list[Account], loaded: Loaded) -> Iterator[str]:
    for account in accounts:
        statement = account.rule.statement
        yield f"  line {statement.span.line}: {visible(source_of_node(statement, loaded))}"
        yield f"    {visible(account.state)}"
        yield from (f"      {name} = {visible(value)}" for name, value in account.reads.items())


def source_of_node(node: syntax.Node, loaded: Loaded) -> str:
    """The text of a node on one line."""
    span = node.span
    return _cut(" ".join(loaded.sources.texts[span.file][span.start : span.end].split()))


def _cut(text: str) -> str:
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"
