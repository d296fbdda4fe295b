"""Grants that let through more than a policy should."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.lint.policy import Policy, Site, Stated
from guardrails.lint.reach import Reach
from guardrails.lint.reasoning import conjuncts
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.rules.tools import property_of
from guardrails.lint.verbs import has_effects

_SCOPING = (
    syntax.Require, syntax.Threshold, syntax.Ask, syntax.Deny, syntax.Halt, syntax.Limit, syntax.Budget,
    syntax.Breaker,
)  # fmt: skip
_APPROVING = (syntax.Ask, syntax.Threshold, syntax.Limit, syntax.Budget, syntax.Deny, syntax.Halt)


@rule("G131", Stated)
def allow_all(stated: Stated) -> Iterator[Finding]:
    """Every call of every tool is allowed.

    **What.** `allow` without a condition in a block for the tools `"*"`.

    **Why.** A policy protects because everything it does not name is denied. This statement turns that
    round, for tools that nobody has looked at yet as well.

    **Avoid**
    ```guard
    on call "*" { allow }
    ```

    **Prefer**
    ```guard
    on call search_orders, get_order { allow }
    ```
    """
    block = stated.block
    named = [pattern for pattern in block.tools if pattern.text == "*"]
    if named and block.point == "call" and _is_free_allow(stated):
        help = "name the tools that the agent needs"
        yield Finding(stated.statement.span, "this allows every call of every tool", help)


def _is_free_allow(stated: Stated) -> bool:
    return isinstance(stated.effect, syntax.Allow) and stated.unconditional and not stated.rule.shadow


@rule("G132", syntax.Default)
def allow_by_default(site: Site) -> Iterator[Finding]:
    """Calls are allowed where no statement speaks of them.

    **What.** `default call allow`.

    **Why.** A tool that is added tomorrow may do whatever it likes, and a statement that fails to apply,
    because a field is missing, leaves the call allowed.

    **Avoid**
    ```guard
    default call allow
    ```

    **Prefer**
    ```guard
    default call ask operations because "Nobody has decided about this tool yet."
    ```
    """
    node = of_kind(site.node, syntax.Default)
    if node.point == "call" and isinstance(node.effect, syntax.Allow):
        help = "remove it: calls are denied unless a statement allows them"
        yield Finding(node.span, "every call that no statement speaks of is allowed", help)


@rule("G133", Policy)
def unlimited_side_effect(policy: Policy) -> Iterator[Finding]:
    """A tool that changes something is allowed without any limit.

    **What.** A tool that sends, pays, writes or deletes is allowed without a condition, and no `require`,
    `threshold`, `ask`, `deny` or `limit` speaks of it.

    **Why.** One injected instruction is enough to use it with any arguments, as often as the agent likes.

    **Avoid**
    ```guard
    on call send_email { allow }
    ```

    **Prefer**
    ```guard
    on call send_email { allow when args.to == principal.email }
    ```
    """
    scoped = Reach(stated for stated in policy.enforced if isinstance(stated.effect, _SCOPING))

    def is_unlimited(name: str) -> bool:
        return has_effects(name, policy.tools.get(name)) and not scoped.over("call", name)

    for stated, names in _freely_allowed(policy, is_unlimited):
        help = "add a condition, a `require`, a `threshold` or an `ask`"
        yield Finding(stated.statement.span, f"{_listed(names)} may be called with any arguments", help)


def _freely_allowed(policy: Policy, wanted: Callable[[str], bool]) -> Iterator[tuple[Stated, list[str]]]:
    """Every `allow` without a condition, with the wanted tools that it names or that match."""
    for stated in policy.enforced:
        if stated.block.point != "call" or not _is_free_allow(stated) or _is_for_all(stated.block):
            continue
        named = [pattern.text for pattern in stated.block.tools if not pattern.is_wildcard]
        matched = [tool for tool, _ in stated.forms if tool is not None]
        names = [name for name in dict.fromkeys([*named, *matched]) if wanted(name)]
        if names:
            yield stated, names


def _is_for_all(block: syntax.Block) -> bool:
    return any(pattern.text == "*" for pattern in block.tools)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


@rule("G134", Policy, severity="info")
def destructive_tool_without_ask(policy: Policy) -> Iterator[Finding]:
    """A destructive tool is allowed without anybody being asked.

    **What.** The tool's definition says that it destroys something; it is allowed without a condition, and
    no `ask`, `threshold`, `limit` or `deny` speaks of it.

    **Why.** A `require` narrows what is destroyed, but what is gone is gone. A person's approval or a limit
    bounds the damage of one bad turn.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call wipe_folder {
      allow
      require args.path within "/tmp/agent" because "The agent owns this folder only."
    }
    ```
    ```json
    {"tools": [{"name": "wipe_folder", "annotations": {"destructiveHint": true},
      "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call wipe_folder {
      ask operations within 1h
      require args.path within "/tmp/agent" because "The agent owns this folder only."
    }
    ```
    """
    approved = Reach(stated for stated in policy.enforced if isinstance(stated.effect, _APPROVING))
    scoped = Reach(stated for stated in policy.enforced if isinstance(stated.effect, _SCOPING))

    def is_destructive(name: str) -> bool:
        tool = policy.tools.get(name)
        if tool is None or not tool.destructive or approved.over("call", name):
            return False
        return bool(scoped.over("call", name))

    for stated, names in _freely_allowed(policy, is_destructive):
        help = "use `ask`, or limit how often it may be called"
        yield Finding(
            stated.statement.span, f"{_listed(names)} destroys something, and nobody is asked", help
        )


@rule("G135", Policy, severity="info")
def open_world_tool_without_scope(policy: Policy) -> Iterator[Finding]:
    """A tool that reaches into the open world is allowed without a scope.

    **What.** The tool's definition says that it only reads, but from anywhere, such as a page of the web; it
    is allowed without a condition and nothing else restricts it.

    **Why.** What such a tool reads can carry instructions to the agent, and what it asks for can carry data
    out. A list of places keeps both small.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call fetch_page { allow }
    ```
    ```json
    {"tools": [{"name": "fetch_page", "annotations": {"readOnlyHint": true, "openWorldHint": true},
      "inputSchema": {"type": "object", "required": ["url"],
        "properties": {"url": {"type": "string", "format": "uri"}}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call fetch_page { allow when args.url.host in {"docs.example.com"} }
    ```
    """
    scoped = Reach(stated for stated in policy.enforced if isinstance(stated.effect, _SCOPING))

    def is_unscoped(name: str) -> bool:
        tool = policy.tools.get(name)
        if tool is None or not tool.open_world or has_effects(name, tool):
            return False
        return not scoped.over("call", name)

    for stated, names in _freely_allowed(policy, is_unscoped):
        help = "say which places it may reach"
        yield Finding(stated.statement.span, f"{_listed(names)} may reach anything on the network", help)


@rule("G136", Stated)
def read_only_hint_trusted(stated: Stated) -> Iterator[Finding]:
    """A grant that rests on what a tool says about itself.

    **What.** The only condition of an `allow` is a hint such as `tool.read_only`.

    **Why.** The hints come from whoever offers the tool. A server that is compromised calls its deletion
    read-only and is let through.

    **Avoid**
    ```guard
    on call "files.*" { allow when tool.read_only }
    ```

    **Prefer**
    ```guard
    on call "files.list", "files.read" { allow when tool.read_only }
    ```
    """
    if not isinstance(stated.effect, syntax.Allow) or not stated.forms:
        return
    if not any(pattern.is_wildcard for pattern in stated.block.tools):
        return
    condition = stated.forms[0][1].condition
    if condition is not None and all(_is_hint(part) for part in conjuncts(condition)):
        help = "name the tools, or add a condition about the arguments"
        yield Finding(condition.span, "this grant rests on the tool's own word", help)


def _is_hint(part: core.Core) -> bool:
    node = part.operand if isinstance(part, core.Negation) else part
    return isinstance(node, core.Load) and node.root == "tool"


@rule("G137", Stated)
def negated_membership_in_grant(stated: Stated) -> Iterator[Finding]:
    """A grant with a list of what is not allowed.

    **What.** An `allow` whose conditions only say what a value is not: `not in {...}`, `!= "..."`,
    `unless ... in {...}`.

    **Why.** Whatever the list forgets is allowed, including the same thing in another spelling. A list of
    what is allowed fails the safe way.

    **Avoid**
    ```guard
    on call read_table { allow unless args.table in {"salaries", "passwords"} }
    ```

    **Prefer**
    ```guard
    on call read_table { allow when args.table in {"orders", "products"} }
    ```
    """
    if not isinstance(stated.effect, syntax.Allow) or not stated.forms:
        return
    condition = stated.forms[0][1].condition
    parts = list(conjuncts(condition)) if condition is not None else []
    if parts and all(_is_exclusion(part) for part in parts):
        help = "list what is allowed, with `when ... in {...}`"
        yield Finding(parts[0].span, "this grant lists what is not allowed, and allows all the rest", help)


def _is_exclusion(part: core.Core) -> bool:
    if isinstance(part, core.Compare):
        return part.op == "!=" and _is_text(part.right)
    if not isinstance(part, core.Negation):
        return False
    node = part.operand
    if isinstance(node, core.Compare):
        return node.op == "==" and _is_text(node.right)
    return isinstance(node, core.Test) and isinstance(node.right, core.Const) and node.op != "within"


def _is_text(node: core.Core) -> bool:
    return isinstance(node, core.Const) and t.is_textual(node.type) and node.value != ""


@rule("G138", Stated, severity="info")
def vacuous_all(stated: Stated) -> Iterator[Finding]:
    """A grant by `all` that an empty collection passes.

    **What.** An `allow` whose condition is `all x in xs: ...`, while nothing says that `xs` has elements.

    **Why.** `all` over nothing is true. A call with an empty list is allowed, and some tools take an empty
    list for everybody.

    **Avoid**
    ```guard
    on call notify {
      allow when all to in args.to: to in {"ana", "bo"}
    }
    ```

    **Prefer**
    ```guard
    on call notify {
      allow when count(args.to) > 0 and all to in args.to: to in {"ana", "bo"}
    }
    ```
    """
    if not isinstance(stated.effect, syntax.Allow) or not stated.forms:
        return
    tool, form = stated.forms[0]
    parts = list(conjuncts(form.condition)) if form.condition is not None else []
    for part in parts:
        if not isinstance(part, core.Each) or part.kind != "all":
            continue
        others = (other for other in parts if other is not part)
        if not _counts(part.collection, others) and not _has_elements(stated, tool, part.collection):
            help = (
                f"add `count({stated.policy.source(part.collection.span)}) > 0` if an empty one is not meant"
            )
            yield Finding(part.span, "this is true for an empty collection too", help)


def _counts(collection: core.Core, others: Iterable[core.Core]) -> bool:
    """Whether another condition looks at how many elements there are."""
    where = collection.where if isinstance(collection, core.Load) else None
    for other in others:
        for node in core.walk(other):
            if node == collection or (isinstance(node, core.Load) and node.where == where):
                return True
    return False


def _has_elements(stated: Stated, tool: str | None, collection: core.Core) -> bool:
    """Whether the tool's own schema refuses an empty list."""
    described = stated.policy.tools.get(tool) if tool is not None else None
    if described is None or not isinstance(collection, core.Load) or len(collection.path) != 1:
        return False
    least = property_of(described.schema, collection.path[0]).get("minItems")
    return isinstance(least, int) and least > 0


@rule("G139", Stated)
def optional_field_without_has(stated: Stated) -> Iterator[Finding]:
    """A restriction about a field that may be missing.

    **What.** A `deny` or `halt` reads an argument that the tool's schema does not require, without `has`,
    `else` or a comparison with `null`.

    **Why.** A missing field is an error, and a restriction with an error holds: every call without the field
    is refused. Where that is meant, `has` says so; where it is not, `else` gives a value.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call search {
      allow when args.query != ""
      deny when args.limit > 100 because "Searches are small."
    }
    ```
    ```json
    {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["query"],
      "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call search {
      allow when args.query != ""
      deny when (args.limit else 10) > 100 because "Searches are small."
    }
    ```
    """
    if not isinstance(stated.effect, syntax.Deny | syntax.Halt) or not stated.forms:
        return
    nodes = [use for use in stated.expressions() if not isinstance(use, core.Const)]
    guarded = {load.where for node in nodes for load in _guarded(node)}
    for node in nodes:
        if isinstance(node, core.Load) and node.optional and node.root == "args" and node.path:
            if any(node.where == where or node.where.startswith(f"{where}.") for where in guarded):
                continue
            help = f"write `has {node.where}` or `({node.where} else ...)` to say what then holds"
            yield Finding(node.span, f"every call without `{node.where}` is refused by this", help)
            return


def _guarded(node: core.Core) -> Iterator[core.Load]:
    if isinstance(node, core.Present | core.Fallback):
        yield from (load for load in core.walk(node.value) if isinstance(load, core.Load))


@rule("G140", Stated)
def allow_without_effect(stated: Stated) -> Iterator[Finding]:
    """An `allow` where everything is allowed already.

    **What.** `allow` in an `on input`, `on output` or `on result` block, while no `default` closes that point.

    **Why.** Only calls need a grant; texts and results pass unless something restricts them. The statement
    reads as if what it does not name were refused.

    **Avoid**
    ```guard
    on output { allow when length(text) < 2000 }
    ```

    **Prefer**
    ```guard
    on output { deny when length(text) >= 2000 because "Answers are short." }
    ```
    """
    point = stated.block.point
    if point == "call" or not isinstance(stated.effect, syntax.Allow) or stated.policy.checked is None:
        return
    if not any(default.point == point for default in stated.policy.checked.defaults):
        words = {"result": "results pass", "input": "input passes", "output": "output passes"}[point]
        help = "write what is refused with `deny`, or close the point with `default`"
        yield Finding(stated.statement.span, f"{words} without it, so this `allow` changes nothing", help)
