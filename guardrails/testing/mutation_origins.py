"""Operators on labels, flows and tasks: where values come from and may go, and what a session is opened for.

What vouches for a value is what an attacker is after, so most of these loosen: a label that vouches, a question
that is content with more, a flow that watches less. Labels that only restrict are mistaken in the other direction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from guardrails.language import syntax
from guardrails.language.labels import GIVEN, is_context, is_origin
from guardrails.language.layout import flat
from guardrails.language.printing import tool
from guardrails.language.printing_statements import item, only_calls
from guardrails.testing.mutation_edits import Made, printed, replaced, some, without

VOUCHING = ("user", "records", "model")
"""Labels that a question may be content with by mistake."""

OTHERS = {
    "user": "records", "records": "untrusted", "untrusted": "records", "model": "user", "policy": "records",
}  # fmt: skip
"""Label of trust -> the one that is taken for it."""

MOST_TOOLS = 2
"""Tools that a task is left with by mistake, one at a time."""


# --- what a statement labels -------------------------------------------------------------------


def of_label(node: syntax.Label) -> Iterator[Made]:
    """The labels of a statement, and what it gives them to; not its condition on rows."""
    for label in node.labels if len(node.labels) > 1 else ():
        rest = without(node.labels, label)
        yield printed("dropped label", f"without `{label}`", replace(node, labels=rest))
    for index, label in enumerate(node.labels):
        other = OTHERS.get(label)
        if other in GIVEN and other not in node.labels:
            labels = (*node.labels[:index], other, *node.labels[index + 1 :])
            words = f"`{other}` instead of `{label}`"
            yield printed("changed label", words, replace(node, labels=labels))
    if not set(node.labels) & set(GIVEN):
        yield printed("added label", "also `records`", replace(node, labels=(*node.labels, "records")))
    yield from _places(node)


def _places(node: syntax.Label) -> Iterator[Made]:
    if node.targets:
        yield printed("widened label", "for all that came in", replace(node, targets=()))
    for target in some(node.targets) if len(node.targets) > 1 else ():
        rest = without(node.targets, target)
        yield printed("dropped label", "one place is not labelled", replace(node, targets=rest))
    if node.where is not None:
        yield printed("widened label", "for all rows", replace(node, where=None))


# --- what is asked of labels -------------------------------------------------------------------


def asks_labels(node: syntax.Comparison) -> bool:
    return is_origin(node.left) or is_context(node.left)


def of_question(node: syntax.Comparison) -> Iterator[Made]:
    """`origin(x) in {...}`, `origin(x) is L`, `origin(x) has L`, `context has L`."""
    if node.op == "in" and isinstance(node.right, syntax.SetLiteral):
        named = [each.id for each in node.right.items if isinstance(each, syntax.Name)]
        for label in VOUCHING if not node.negated else ():
            if label not in named:
                items = (*node.right.items, syntax.Name(node.right.span, label))
                wider = replace(node, right=replace(node.right, items=items))
                yield replaced("widened set", f"also `{label}`", node, wider)
    if node.op in ("is", "has") and is_origin(node.left) and not node.negated:
        other = "has" if node.op == "is" else "is"
        yield replaced("changed question", f"`{other}` instead of `{node.op}`", node, replace(node, op=other))
    if node.op in ("is", "has") and isinstance(node.right, syntax.Name):
        taken = _taken_for(node.right.id, node)
        words = f"`{taken}` instead of `{node.right.id}`"
        yield replaced("changed label", words, node, replace(node, right=replace(node.right, id=taken)))


def _taken_for(label: str, node: syntax.Comparison) -> str:
    """The label that is asked for instead. What came in was never written by the model, nor by the policy."""
    if is_context(node.left):
        return "untrusted" if label != "untrusted" else "confidential"
    return "model" if label == "untrusted" else OTHERS.get(label, "untrusted")


# --- flows -------------------------------------------------------------------------------------


def of_flow(node: syntax.Flow, shown: str) -> Iterator[Made]:
    """All of a flow but its condition, of which only the absence is looked at."""
    yield "dropped statement", f"`{shown}` is gone", node.span, ""
    if node.when is not None:
        yield _flow("dropped only when", "never allowed", replace(node, when=None))
    for label in node.labels if len(node.labels) > 1 else ():
        yield _flow("dropped label", f"without `{label}`", replace(node, labels=without(node.labels, label)))
    for pattern in some(node.tools) if len(node.tools) > 1 else ():
        rest = without(node.tools, pattern)
        yield _flow("narrowed set", f"without `{pattern.text}`", replace(node, tools=rest))


def _flow(operator: str, what: str, node: syntax.Flow) -> Made:
    return operator, what, node.span, flat(item(node))


# --- tasks -------------------------------------------------------------------------------------


def of_only_calls(node: syntax.OnlyCalls, others: Sequence[syntax.ToolPattern], shown: str) -> Iterator[Made]:
    """What a task is left with: everything, one tool less, or one of `others` more."""
    yield "dropped statement", f"`{shown}` is gone", node.span, ""
    for pattern in some(node.tools) if len(node.tools) > 1 else ():
        rest = without(node.tools, pattern)
        yield _only("narrowed set", f"without `{pattern.text}`", replace(node, tools=rest))
    named = {pattern.text for pattern in node.tools}
    more = [pattern for pattern in others if pattern.text not in named]
    for pattern in more[:MOST_TOOLS]:
        wider = replace(node, tools=(*node.tools, pattern))
        yield _only("widened set", f"also `{tool(pattern)}`", wider)


def _only(operator: str, what: str, node: syntax.OnlyCalls) -> Made:
    return operator, what, node.span, flat(only_calls(node))


def granted_in(file: syntax.File) -> list[syntax.ToolPattern]:
    """The tools that a file lets be called, each once."""
    blocks = [each for each in file.items if isinstance(each, syntax.Block) and each.point == "call"]
    granting = [block for block in blocks if any(map(_grants, block.body))]
    found = {pattern.text: pattern for block in granting for pattern in block.tools}
    return list(found.values())


def _grants(part: syntax.Statement | syntax.Let) -> bool:
    return isinstance(part, syntax.Statement) and isinstance(part.effect, syntax.Allow | syntax.Ask)


def narrowing(made: Made) -> Iterator[Made]:
    """The same inside of a task, where nothing can be allowed: what was denied is asked."""
    operator, _, span, text = made
    if operator != "swapped outcome" or text != "allow":
        yield made
    elif made[1].endswith("`deny`"):
        yield operator, "`ask` instead of `deny`", span, "ask"
