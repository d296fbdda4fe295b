"""Names that nothing uses, or that hide one another."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from guardrails.diagnostics import Edit, Fix
from guardrails.language import syntax
from guardrails.language.tree import walk
from guardrails.lint.policy import Policy, Site, mentions_of
from guardrails.lint.registry import Finding, of_kind, rule

_SUBJECTS: Final = frozenset({"principal", "agent", "session", "label"})
_ROOTS: Final = frozenset({"args", "tool", "principal", "agent", "session", "now", "result", "text", "row"})
_SNAKE: Final = re.compile(r"[a-z][a-z0-9_]*")


def _mentioned(node: syntax.Node) -> Counter[str]:
    return mentions_of(walk(node))


def _unused(policy: Policy, kind: type[syntax.Let | syntax.TypeItem | syntax.Param]) -> Iterator[syntax.Item]:
    """The file-level declarations that nothing but themselves reads."""
    wanted = [
        item for item in policy.items if isinstance(item, kind) and item.span.file not in policy.included
    ]
    for item in wanted:
        name = f"type {item.name}" if isinstance(item, syntax.TypeItem) else item.name
        if policy.mentions[name] == _mentioned(item)[name]:
            yield item


def _removal(policy: Policy, item: syntax.Node) -> Fix:
    """A fix that takes the declaration out, with its line where nothing else stands on it."""
    text, span = policy.texts[item.span.file], item.span
    end = span.end + 1 if text[span.end : span.end + 1] == "\n" else span.end
    return Fix("remove it", (Edit(span._replace(end=end), ""),), "unsafe")


@rule("G181", Policy)
def unused_let(policy: Policy) -> Iterator[Finding]:
    """A named value that nothing uses.

    **What.** A `let` of the file or of a block that no expression reads.

    **Why.** A list of allowed domains that nothing looks at protects nothing, though it reads as if it did.

    **Avoid**
    ```guard
    let partners = {"acme.com"}
    on call open_ticket { allow when args.priority < 3 }
    ```

    **Prefer**
    ```guard
    let partners = {"acme.com"}
    on call open_ticket { allow when args.company in partners }
    ```
    """
    for item in _unused(policy, syntax.Let):
        assert isinstance(item, syntax.Let), "asked for lets"
        yield _unused_let(policy, item)
    for block in policy.blocks:
        lets = [member for member in block.body if isinstance(member, syntax.Let)]
        read = _mentioned(block) if lets else Counter()
        yield from (_unused_let(policy, let) for let in lets if read[let.name] == _mentioned(let)[let.name])


def _unused_let(policy: Policy, item: syntax.Let) -> Finding:
    return Finding(
        item.span, f"nothing uses `{item.name}`", "use it or remove it", fix=_removal(policy, item)
    )


@rule("G182", Policy)
def unused_type(policy: Policy) -> Iterator[Finding]:
    """A type that nothing uses.

    **What.** A `type` that no field, parameter or named condition is declared with. `principal`, `agent` and
    `session` describe the event and need no other use.

    **Why.** Its author believes that something is checked against it, and nothing is.

    **Avoid**
    ```guard
    type region = "eu" | "us"
    on call open_ticket { allow when args.region == "eu" }
    ```

    **Prefer**
    ```guard
    type region = "eu" | "us"
    param home: region = "eu"
    on call open_ticket { allow when args.region == home }
    ```
    """
    for item in _unused(policy, syntax.TypeItem):
        assert isinstance(item, syntax.TypeItem), "asked for types"
        if item.name not in _SUBJECTS:
            fix = _removal(policy, item)
            yield Finding(item.span, f"nothing has the type `{item.name}`", "use it or remove it", fix=fix)


@rule("G183", Policy)
def unused_param(policy: Policy) -> Iterator[Finding]:
    """A parameter that changes nothing.

    **What.** A `param` that no expression reads.

    **Why.** Whoever adopts the policy sets it and believes that a limit has changed.

    **Avoid**
    ```guard
    param most: decimal = 100
    on call open_ticket { allow when args.priority < 3 }
    ```

    **Prefer**
    ```guard
    param most: decimal = 100
    on call open_ticket { allow when args.priority < most }
    ```
    """
    for item in _unused(policy, syntax.Param):
        assert isinstance(item, syntax.Param), "asked for parameters"
        fix = _removal(policy, item)
        yield Finding(item.span, f"setting `{item.name}` changes nothing", "use it or remove it", fix=fix)


@rule("G184", syntax.Let)
def unused_let_parameter(site: Site) -> Iterator[Finding]:
    """A parameter of a named condition that the condition does not read.

    **What.** `let f(x, y) = ...` whose value has no `y`.

    **Why.** Every use hands over a value that is not looked at, so the condition is weaker than its users
    believe.

    **Avoid**
    ```guard
    let is_small(amount: decimal, most: decimal) = amount < 100
    on call transfer { allow when is_small(args.amount, 50) }
    ```

    **Prefer**
    ```guard
    let is_small(amount: decimal, most: decimal) = amount < most
    on call transfer { allow when is_small(args.amount, 50) }
    ```
    """
    node = of_kind(site.node, syntax.Let)
    read = _mentioned(node.value) if node.parameters else Counter()
    for parameter in node.parameters or ():
        if not read[parameter.name]:
            yield Finding(parameter.span, f"`{node.name}` does not look at `{parameter.name}`")


@rule("G185", syntax.Quantifier, syntax.Aggregate, syntax.Let)
def hidden_name(site: Site) -> Iterator[Finding]:
    """A variable with the name of something else.

    **What.** The variable of `any`, `all` or `count(... in ...)`, or the parameter of a named condition, has
    the name of a part of the event or of a named value.

    **Why.** Inside, the name means the variable; a reader who thinks of the other one reads another policy.

    **Avoid**
    ```guard
    on call notify { allow when any args in args.to: args == "ana" }
    ```

    **Prefer**
    ```guard
    on call notify { allow when any to in args.to: to == "ana" }
    ```
    """
    node = site.node
    bound: list[tuple[str, syntax.Node]] = []
    if isinstance(node, syntax.Quantifier | syntax.Aggregate):
        bound = [(node.variable, node)]
    elif isinstance(node, syntax.Let):
        bound = [(parameter.name, parameter) for parameter in node.parameters or ()]
    for name, place in bound:
        if name in _ROOTS or name in site.policy.names:
            yield Finding(place.span, f"`{name}` means something else outside of this")


@rule("G186", syntax.Statement, severity="info")
def label_case(site: Site) -> Iterator[Finding]:
    """A label that is not written in small letters.

    **What.** A label with capitals.

    **Why.** Labels appear in decisions, logs and tests, together with those of other policies; one way of
    writing them makes them easy to search for.

    **Avoid**
    ```guard
    on call search { OnlySmall: allow when args.limit < 10 }
    ```

    **Prefer**
    ```guard
    on call search { only_small: allow when args.limit < 10 }
    ```
    """
    node = of_kind(site.node, syntax.Statement)
    if node.label is not None and not _SNAKE.fullmatch(node.label):
        cure = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", node.label).lower()
        edit = Edit(node.span._replace(end=node.span.start + len(node.label)), cure)
        yield Finding(
            node.span,
            f"the label `{node.label}` has capitals",
            f"write `{cure}`",
            fix=Fix(f"write `{cure}`", (edit,), "unsafe"),
        )
