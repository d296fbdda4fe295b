"""What a policy says that a host cannot do: for `guard lint --target HOST`.

Takes the texts of a policy and a host, gives a warning for every statement that becomes something stricter there.
It asks the same table of abilities as the hook does, so the two cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from guardrails.diagnostics import Diagnostic
from guardrails.integrations.hosts import host_named
from guardrails.language import syntax
from guardrails.language.parser import parse

if TYPE_CHECKING:
    from guardrails.integrations.hosts import Host

RULE = "degraded-at-host"
CHANGES = (syntax.Redact, syntax.OnlyFields, syntax.OnlyRows, syntax.DropFields)
REFUSALS = (syntax.Deny, syntax.Halt, syntax.Require, syntax.Ask)
POINTS = {"input": "input", "call": "pre_tool", "result": "post_tool", "output": "output"}
HELP = "what each host can do stands in grammar/HOOKS.md"

Effect = syntax.Effect | syntax.Allow | syntax.Ask | syntax.Deny | syntax.Halt


def degraded(texts: Mapping[str, str], host: str) -> list[Diagnostic]:
    """A warning for each statement that a host cannot express; texts that do not parse have none."""
    found: list[Diagnostic] = []
    for name, text in texts.items():
        file, _ = parse(text, name)
        for block in file.items if file else ():
            if isinstance(block, syntax.Block) and block.point in POINTS:
                found += _of_block(block, host_named(host))
    return found


def _of_block(block: syntax.Block, host: Host) -> Iterator[Diagnostic]:
    able = _able(block, host)
    for statement in block.body:
        if not isinstance(statement, syntax.Statement) or statement.shadow or block.shadow:
            continue
        told = {
            message for effect in _effects(statement) if (message := _lost(POINTS[block.point], effect, able))
        }
        for message in sorted(told):
            yield Diagnostic(RULE, f"{host.TITLE} {message}", statement.span, severity="warning", help=HELP)


def _able(block: syntax.Block, host: Host) -> frozenset[str]:
    """What the host can do about the tools of a block; some can do more for tools of MCP servers."""
    point = POINTS[block.point]
    is_served = bool(block.tools) and all(tool.text.startswith("mcp.") for tool in block.tools)
    served = host.ABILITIES.get(f"{point}:MCP") if is_served else None
    return served or host.ABILITIES.get(point, frozenset())


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
    return "cannot change an input: it is denied" if isinstance(effect, CHANGES) else ""


def _lost_output(effect: Effect, able: frozenset[str]) -> str:
    if not able:
        return "does not let go of an answer: the session ends, or nothing is checked"
    return "cannot change an answer: the model has to write it again" if isinstance(effect, CHANGES) else ""


_LOSSES = {"pre_tool": _lost_call, "post_tool": _lost_result, "input": _lost_input, "output": _lost_output}
