"""How a policy is put together: blocks, defaults, shadow, names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guardrails.diagnostics import Edit, Fix, Note
from guardrails.language import syntax
from guardrails.lint.policy import Policy, Site
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.sameness import says_the_same

MANY_BLOCKS: Final = 3
"""Blocks of a policy that should have a name."""


@rule("G201", syntax.Block)
def empty_block(site: Site) -> Iterator[Finding]:
    """A block without statements.

    **What.** Nothing stands between the braces, or only named values.

    **Why.** It looks as if the tool were dealt with. It is not: it is denied like every other tool that
    nothing allows.

    **Avoid**
    ```guard
    on call search { }
    ```

    **Prefer**
    ```guard
    on call search { allow when args.limit < 100 }
    ```
    """
    node = of_kind(site.node, syntax.Block)
    if not any(isinstance(member, syntax.Statement) for member in node.body):
        yield Finding(node.header, "this block says nothing")


@rule("G202", Policy, severity="info")
def policy_without_name(policy: Policy) -> Iterator[Finding]:
    """A policy of some size without a name.

    **What.** A file with several blocks does not begin with `policy NAME`.

    **Why.** Decisions, logs and tests name the policy; without a name of its own it has that of its file, which
    changes when somebody moves it.

    **Avoid**
    ```guard
    on call search { allow when args.limit < 100 }
    on input { deny when length(text) > 10_000 because "Questions are short." }
    on output { deny when length(text) > 10_000 because "Answers are short." }
    ```

    **Prefer**
    ```guard
    policy search_agent
    on call search { allow when args.limit < 100 }
    on input { deny when length(text) > 10_000 because "Questions are short." }
    on output { deny when length(text) > 10_000 because "Answers are short." }
    ```
    """
    for unit in policy.units:
        blocks = [item for item in unit.file.items if isinstance(item, syntax.Block)]
        is_root = unit.file.span.file not in policy.included
        if is_root and unit.file.header is None and len(blocks) >= MANY_BLOCKS:
            yield Finding(unit.file.items[0].span, "this policy has no name", "begin with `policy NAME`")


@rule("G203", Policy, severity="info")
def split_block(policy: Policy) -> Iterator[Finding]:
    """Two blocks of one file for the same tools.

    **What.** Two blocks speak of exactly the same tools at the same point, and neither has a condition.

    **Why.** Whoever reads one does not see the other, and the statements of both hold.

    **Avoid**
    ```guard
    on call search { allow when args.limit < 100 }
    on call search { deny when args.offset > 1000 because "Nobody reads that far." }
    ```

    **Prefer**
    ```guard
    on call search {
      allow when args.limit < 100
      deny when args.offset > 1000 because "Nobody reads that far."
    }
    ```
    """
    seen: dict[object, syntax.Block] = {}
    for block in policy.blocks:
        if block.when is not None or block.unless is not None or not block.body:
            continue
        tools = frozenset(pattern.text for pattern in block.tools)
        first = seen.setdefault((block.span.file, block.point, tools, block.shadow), block)
        if first is not block and not _repeats(first, block):
            note = Note(first.header, "the first block is here")
            yield Finding(block.header, "a block for the same tools stands above", "join the two", (note,))


def _repeats(first: syntax.Block, block: syntax.Block) -> bool:
    """Whether the second block only says again what the first one says; `duplicate-statement` tells that."""
    return all(any(says_the_same(member, other) for other in first.body) for member in block.body)


@rule("G204", Policy)
def overruled_default(policy: Policy) -> Iterator[Finding]:
    """A `default` that another one overrules.

    **What.** Two defaults for the same point differ.

    **Why.** The strictest one holds, in whatever order and file they stand; the other one is never used.

    **Avoid**
    ```guard
    default call ask operations because "Nobody has decided yet."
    default call deny because "What is not listed is not done."
    ```

    **Prefer**
    ```guard
    default call deny because "What is not listed is not done."
    ```
    """
    defaults = policy.checked.defaults if policy.checked else ()
    ranks = {"allow": 0, "ask": 1, "deny": 2, "halt": 3}
    for default in defaults:
        rank = ranks[default.verdict.outcome.value]
        rivals = [other for other in defaults if other.point == default.point]
        strictest = max(rivals, key=lambda other: ranks[other.verdict.outcome.value])
        if ranks[strictest.verdict.outcome.value] > rank:
            note = Note(strictest.span, "this one holds")
            yield Finding(default.span, "a stricter default overrules this one", "remove it", (note,))


@rule("G205", Policy)
def redundant_shadow(policy: Policy) -> Iterator[Finding]:
    """`shadow` inside of what is in shadow already.

    **What.** A statement in a shadow block or a shadow policy, or a block in a shadow policy, says `shadow`
    again.

    **Why.** When the outer one is removed to enforce the policy, this statement stays in shadow unnoticed.

    **Avoid**
    ```guard
    on call search { allow when args.limit < 100 }
    shadow on call search {
      shadow deny when args.limit > 50 because "Searches are small."
    }
    ```

    **Prefer**
    ```guard
    on call search { allow when args.limit < 100 }
    shadow on call search {
      deny when args.limit > 50 because "Searches are small."
    }
    ```
    """
    for unit in policy.units:
        header = unit.file.header
        whole = header is not None and header.shadow
        for item in unit.file.items:
            if isinstance(item, syntax.Block):
                outer = whole or item.shadow
                found: list[syntax.Node] = [item] if whole and item.shadow else []
                found += [
                    member
                    for member in item.body
                    if outer and isinstance(member, syntax.Statement) and member.shadow
                ]
                yield from (_in_shadow(policy, node) for node in found)


def _in_shadow(policy: Policy, node: syntax.Node) -> Finding:
    written = policy.source(node.span)
    match = re.search(r"\bshadow\s+", written)
    fix = None
    if match is not None:
        start = node.span.start
        place = node.span._replace(start=start + match.start(), end=start + match.end())
        fix = Fix("remove `shadow`", (Edit(place, ""),))
    return Finding(node.span, "this is in shadow already", "remove `shadow` here", fix=fix)
