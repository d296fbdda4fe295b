"""The compiler: checked rules in, a `Program` out.

For every point and tool there is one unit: a Python function built from `ast` nodes that carry the policy's
own file, lines and columns (no text is ever pasted into code), found by one dictionary look-up. The function
gives a bit for every effect that applies, and a list of what could not be evaluated; the engine knows what
the bits mean. A unit is compiled when it is first needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guardrails.language.checked import Checked, Fuse, Lowered, Meter, Rule
from guardrails.language.checker import Lowering
from guardrails.language.meter_data import described_meter
from guardrails.language.metering import points_of
from guardrails.language.unit_builder import UnitBuilder

UNIT_POINTS = ("call", "result", "input", "output", "usage")
"""Where there are units. `usage` is what a host reports of tokens, cost and time, with the tool if it was one."""


class Compiler:
    """Compiles the units of one checked policy, on demand."""

    def __init__(self, checked: Checked) -> None:
        self.checked = checked
        self.lowering = Lowering(checked)
        self._by_tool: dict[tuple[str, str], list[Rule]] = {}
        self._wild: dict[str, list[Rule]] = {point: [] for point in UNIT_POINTS}
        for rule in checked.rules:
            self._file(rule)

    def _file(self, rule: Rule) -> None:
        tools = rule.block.tools
        for point in points_of(rule):
            if not tools or any(pattern.is_wildcard for pattern in tools):
                self._wild[point].append(rule)
                continue
            for name in {pattern.text for pattern in tools}:
                self._by_tool.setdefault((point, name), []).append(rule)

    def known_tools(self) -> list[str]:
        """Every tool that the policy or its tool files name."""
        named = {name for _, name in self._by_tool}
        named |= {
            p.text
            for rules in self._wild.values()
            for rule in rules
            for p in rule.block.tools
            if not p.is_wildcard
        }
        return sorted(named | set(self.checked.tools))

    def wildcards(self, point: str) -> list[str]:
        """The patterns of blocks that speak of tools which nobody may have named."""
        everything = ["*"] if any(rule.block.point == "session" for rule in self._wild[point]) else []
        patterns = (p.text for rule in self._wild[point] for p in rule.block.tools if p.is_wildcard)
        return sorted({*everything, *patterns})

    def rules_for(self, point: str, tool: str | None) -> list[Rule]:
        """The rules that speak of a tool, in the order of the policy."""
        wild = self._wild[point]
        if tool is None:
            return [rule for rule in wild if not rule.block.tools]
        own = self._by_tool.get((point, tool), [])
        return sorted(
            [*own, *(rule for rule in wild if self.lowering.matches(rule, tool))], key=lambda rule: rule.index
        )

    def unit(self, point: Any, tool: str | None) -> tuple[object, ...]:
        """The unit of a point and tool, as plain data: `(effects, functions, constants, owners, meters, always)`."""
        lowered = [self._lowered(rule, tool) for rule in self.rules_for(point, tool)]
        return UnitBuilder(self.checked, point, tool).build(lowered)

    def _lowered(self, rule: Rule, tool: str | None) -> Lowered:
        """The rule for a tool. A checked policy has no rule that means nothing: one that did would never fire."""
        found = self.lowering.lower(rule, tool)
        if found is None:
            raise RuntimeError(f"{rule.statement.span}: a checked statement has no meaning for `{tool}`")
        return found

    def meters(self) -> Iterator[tuple[object, ...]]:
        """Every limit, budget and breaker of the policy, for people: see `runtime.meters.Described`."""
        for rule in self.checked.rules:
            lowered = next(
                filter(None, (self.lowering.lower(rule, t) for t in self.lowering.subjects(rule))), None
            )
            if lowered is not None and isinstance(lowered.meaning, Meter | Fuse):
                yield described_meter(lowered, self.checked.counters[rule.index])
