"""The policy as the rules see it: files, statements with their meaning, and places in the text.

The one idea: a rule asks for facts here instead of working them out, so that each is worked out once and
a whole lint costs one walk over the syntax and one over the checked expressions.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import PurePath
from typing import NamedTuple

from guardrails.diagnostics import Span
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.checked import Checked, Lowered, Rule, Steps, Verdict
from guardrails.language.checker import Lowering, Unit
from guardrails.language.schema import Tool
from guardrails.language.tree import walk
from guardrails.lint.uses import Role, uses_of

MOST_FORMS = 8
"""Tools for which a statement of a wildcard block is looked at: enough to see what it says."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


class Site(NamedTuple):
    """A syntax node with the item and the statement it stands in."""

    policy: Policy
    node: syntax.Node
    item: syntax.Item | None = None
    statement: syntax.Statement | None = None


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement and what it means for the tools it speaks of (the first `MOST_FORMS` of them)."""

    policy: Policy
    rule: Rule
    forms: tuple[tuple[str | None, Lowered], ...]

    @property
    def statement(self) -> syntax.Statement:
        return self.rule.statement

    @property
    def block(self) -> syntax.Block:
        return self.rule.block

    @property
    def effect(self) -> syntax.Effect:
        return self.rule.statement.effect

    @property
    def unconditional(self) -> bool:
        block, statement = self.block, self.statement
        return all(part is None for part in (block.when, block.unless, statement.when, statement.unless))

    def expressions(self) -> Iterator[core.Core]:
        """Every checked expression of the statement, for the first tool it speaks of."""
        for _, form in self.forms[:1]:
            yield from (node for node, _ in uses_of(form))

    @property
    def grants(self) -> bool:
        """Whether it can lift the default of its block's point."""
        return any(_grants(form) for _, form in self.forms)


def _grants(form: Lowered) -> bool:
    meaning = form.meaning
    if isinstance(meaning, Steps):
        return any(row.verdict.grants for row in meaning.rows)
    return isinstance(meaning, Verdict) and meaning.grants


class Use(NamedTuple):
    """A checked expression in a statement. `role` grant: being true helps a call through; restrict: being
    true holds it back; None: neither can be said."""

    stated: Stated
    tool: str | None
    node: core.Core
    role: Role

    @property
    def policy(self) -> Policy:
        return self.stated.policy


class _Lowering(Lowering):
    """Lowers rules of a policy that has been checked: what the engine lacks was looked for then."""

    def _report_features(self, lowered: Lowered) -> None:
        return


@dataclass
class Policy:
    """A parsed policy and, where it has no errors, a checked one."""

    units: Sequence[Unit]
    texts: Mapping[str, str]
    tools: Mapping[str, Tool]
    checked: Checked | None = None

    @property
    def items(self) -> Iterator[syntax.Item]:
        for unit in self.units:
            yield from unit.file.items

    @cached_property
    def blocks(self) -> tuple[syntax.Block, ...]:
        return tuple(item for item in self.items if isinstance(item, syntax.Block))

    @cached_property
    def stated(self) -> tuple[Stated, ...]:
        """All statements that take part in decisions; none where the policy has errors."""
        if self.checked is None:
            return ()
        lowering = _Lowering(self.checked)
        return tuple(self._stated(lowering, rule) for rule in self.checked.rules)

    def _stated(self, lowering: Lowering, rule: Rule) -> Stated:
        lowered = ((tool, lowering.lower(rule, tool)) for tool in islice(lowering.subjects(rule), MOST_FORMS))
        return Stated(self, rule, tuple((tool, form) for tool, form in lowered if form is not None))

    @cached_property
    def enforced(self) -> tuple[Stated, ...]:
        """The statements that are not in shadow."""
        return tuple(stated for stated in self.stated if not stated.rule.shadow)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every syntax node of every file, parents first."""
        return tuple(site for item in self.items for site in self._sites_of(item))

    def _sites_of(self, item: syntax.Item) -> Iterator[Site]:
        if not isinstance(item, syntax.Block):
            yield from (Site(self, node, item) for node in walk(item))
            return
        yield Site(self, item, item)
        for part in (*item.tools, item.when, item.unless):
            if part is not None:
                yield from (Site(self, node, item) for node in walk(part))
        for member in item.body:
            statement = member if isinstance(member, syntax.Statement) else None
            yield from (Site(self, node, item, statement) for node in walk(member))

    @cached_property
    def mentions(self) -> Counter[str]:
        """How often each name is read; types as `type NAME`."""
        return mentions_of(site.node for site in self.sites)

    @cached_property
    def names(self) -> frozenset[str]:
        """Everything that the files declare for expressions to read."""
        return frozenset(item.name for item in self.items if isinstance(item, syntax.Let | syntax.Param))

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every checked expression of every statement, parents first, with the part it plays."""
        return tuple(
            Use(stated, tool, node, role)
            for stated in self.stated
            for tool, form in stated.forms
            for node, role in uses_of(form)
        )

    @cached_property
    def reads(self) -> Mapping[int, set[str]]:
        """The fields of the event that each statement reads, by the statement's index."""
        found: dict[int, set[str]] = defaultdict(set)
        for stated, _, load in self.loads:
            found[stated.rule.index].add(load.where)
        return found

    def source(self, span: Span) -> str:
        """The text that a span covers."""
        return self.texts.get(span.file, "")[span.start : span.end]

    def is_fixed(self, constant: core.Const) -> bool:
        """Whether a constant stands in the policy, rather than in a parameter that others set."""
        written = _TEXT.sub("", self.source(constant.span))
        if constant.type == t.BOOL and written not in ("true", "false"):
            return False  # a switch: it has a name because somebody means to turn it
        return not any(word in self._settable for word in _WORD.findall(written))

    @cached_property
    def _settable(self) -> frozenset[str]:
        """Parameters, and named values that read one."""
        found = {item.name for item in self.items if isinstance(item, syntax.Param)}
        lets = [(let.name, mentions_of(walk(let.value)).keys()) for let in self._lets()]
        size = -1
        while size != len(found):
            size = len(found)
            found |= {name for name, read in lets if read & found}
        return frozenset(found)

    def _lets(self) -> Iterator[syntax.Let]:
        for item in self.items:
            if isinstance(item, syntax.Let):
                yield item
            elif isinstance(item, syntax.Block):
                yield from (member for member in item.body if isinstance(member, syntax.Let))

    @cached_property
    def included(self) -> frozenset[str]:
        """The files that another file uses; what they declare may be meant for others."""
        targets = (item for item in self.items if isinstance(item, syntax.UsePolicy))
        return frozenset(PurePath(item.span.file).parent.joinpath(item.path).as_posix() for item in targets)

    @cached_property
    def loads(self) -> tuple[tuple[Stated, str | None, core.Load], ...]:
        """Every field of the event that a statement reads, by tool."""
        return tuple((use.stated, use.tool, use.node) for use in self.uses if isinstance(use.node, core.Load))

    @cached_property
    def start(self) -> Span:
        """The beginning of the first file, for findings about the policy as a whole."""
        first = next(self.items, None)
        return first.span if first else Span("<policy>", 0, 0, 1, 1, 1, 1)


def mentions_of(nodes: Iterable[syntax.Node]) -> Counter[str]:
    """How often each name is read by these nodes themselves; types as `type NAME`."""
    found: Counter[str] = Counter()
    for node in nodes:
        if isinstance(node, syntax.Name):
            found[node.id] += 1
        elif isinstance(node, syntax.Call):
            found[node.function] += 1
        elif isinstance(node, syntax.TypeName):
            found[f"type {node.name}"] += 1
    return found
