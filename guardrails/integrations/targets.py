"""What a policy says that a host cannot do: for `guard lint --target HOST`.

Takes the texts of a policy and a host, gives a warning for every statement that becomes something stricter there.
It asks the same table of abilities as the hook does, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from guardrails.diagnostics import Diagnostic
from guardrails.integrations.doors import DOORS
from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.language import syntax
from guardrails.language.parser import parse

RULE = "degraded-at-host"
CODE = "G244"
CHANGES = (syntax.Redact, syntax.OnlyFields, syntax.OnlyRows, syntax.DropFields)
REFUSALS = (syntax.Deny, syntax.Halt, syntax.Require, syntax.Ask)
POINTS = {"input": "input", "call": "pre_tool", "result": "post_tool", "output": "output"}
HELP = "what each host can do stands in grammar/HOOKS.md"
OTHER_HELP = "what each of them can do stands in grammar/ADAPTERS.md, MCP.md and SERVER.md"
UNSEEN = {
    "input": "does not see inputs: this is not checked there",
    "post_tool": "does not see results: this is not checked there",
    "output": "does not see answers: this is not checked there",
}
Abilities = Mapping[str, frozenset[str]]

Effect = syntax.Effect | syntax.Allow | syntax.Ask | syntax.Deny | syntax.Halt


def degraded(texts: Mapping[str, str], target: str) -> list[Diagnostic]:
    """A warning for each statement that a target cannot express; texts that do not parse have none."""
    found: list[Diagnostic] = []
    for name, text in texts.items():
        file, _ = parse(text, name)
        for block in file.items if file else ():
            if isinstance(block, syntax.Block) and block.point in POINTS:
                found += _of_block(block, target)
    return found


def _of_block(block: syntax.Block, target: str) -> Iterator[Diagnostic]:
    title, abilities = _target(target)
    able, point = _able(block, abilities), POINTS[block.point]
    help = HELP if target in HOSTS else OTHER_HELP
    for statement in block.body:
        if not isinstance(statement, syntax.Statement) or statement.shadow or block.shadow:
            continue
        if able is None and target in DOORS:
            told = {UNSEEN[point]}
        else:
            lost = [_lost(point, effect, able or frozenset()) for effect in _effects(statement)]
            told = {message for message in lost if message}
        for message in sorted(told):
            yield Diagnostic(RULE, f"{title} {message}", statement.span, "warning", help, code=CODE)


def _target(name: str) -> tuple[str, Abilities]:
    if name in DOORS:
        return DOORS[name]
    host = host_named(name)
    return host.TITLE, host.ABILITIES


def _able(block: syntax.Block, abilities: Abilities) -> frozenset[str] | None:
    """What can be done about the tools of a block, which is more for tools of MCP servers in some; None where the
    point is not seen."""
    point = POINTS[block.point]
    is_served = bool(block.tools) and all(tool.text.startswith("mcp.") for tool in block.tools)
    served = abilities.get(f"{point}:MCP") if is_served else None
    return served or abilities.get(point)


def _effects(statement: syntax.Statement) -> tuple[Effect, ...]:
    if isinstance(statement.effect, syntax.Threshold):
        return tuple(row.effect for row in statement.effect.rows)
    return (statement.effect,)


def _lost(point: str, effect: Effect, able: frozenset[str]) -> str:
    """What becomes of an effect; empty where nothing is lost."""
    is_change = isinstance(effect, CHANGES)
    if not is_change and not isinstance(effect, REFUSALS):
        return ""
    return _LOSSES[point](effect, able)


def _lost_call(effect: Effect, able: frozenset[str]) -> str:
    if isinstance(effect, syntax.Ask) and "ask" not in able:
        return "cannot ask: the call is denied, with the id of a request for approval"
    if isinstance(effect, CHANGES) and "change" not in able:
        return "cannot change arguments: the call is denied"
    if isinstance(effect, syntax.Halt) and "stop" not in able:
        return "cannot stop the agent: this call and all later ones are denied"
    return ""


def _lost_result(effect: Effect, able: frozenset[str]) -> str:
    if "change" in able:
        return ""
    if "replace" not in able:
        return "has shown the result to the model by then: the session ends"
    return "gives the model one text in place of the result" if isinstance(effect, CHANGES) else ""


def _lost_input(effect: Effect, able: frozenset[str]) -> str:
    if "refuse" not in able:
        return "cannot hold back an input: the session ends"
    return (
        "cannot change an input: it is denied" if isinstance(effect, CHANGES) and "change" not in able else ""
    )


def _lost_output(effect: Effect, able: frozenset[str]) -> str:
    if not able:
        return "does not let go of an answer: the session ends, or nothing is checked"
    if "change" in able or not isinstance(effect, CHANGES):
        return ""
    return "cannot change an answer: the model has to write it again"


_LOSSES = {"pre_tool": _lost_call, "post_tool": _lost_result, "input": _lost_input, "output": _lost_output}
