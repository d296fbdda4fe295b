"""The policy held against the tools it rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from guardrails.diagnostics import Span
from guardrails.language import syntax
from guardrails.language import types as t
from guardrails.language.schema import read_tools
from guardrails.lint.policy import Policy, Stated
from guardrails.lint.reach import Reach
from guardrails.lint.registry import Finding, rule
from guardrails.patterns import compile_wildcard

_DECIDING = (syntax.Allow, syntax.Ask, syntax.Deny, syntax.Halt, syntax.Threshold)
MANY_FIELDS: Final = 3
"""Arguments read without a tool file before that is worth a word."""


def _patterns(policy: Policy) -> Iterator[syntax.ToolPattern]:
    """The tool patterns of all blocks that speak of tools, but for `*` in blocks that decide nothing."""
    for block in policy.blocks:
        decides = any(
            isinstance(member, syntax.Statement) and isinstance(member.effect, _DECIDING)
            for member in block.body
        )
        yield from (pattern for pattern in block.tools if decides or pattern.text != "*")


def _mentioned(policy: Policy) -> frozenset[str]:
    """The described tools that a block names or matches."""
    patterns = list(_patterns(policy))
    named = {pattern.text for pattern in patterns if not pattern.is_wildcard}
    wild = [compile_wildcard(text) for text in {pattern.text for pattern in patterns if pattern.is_wildcard}]
    return frozenset(name for name in policy.tools if name in named or any(match(name) for match in wild))


def _tool_files(policy: Policy) -> Iterator[tuple[Span, frozenset[str]]]:
    """Each `use tools` with the names of the tools of its file."""
    uses = [item for item in policy.items if isinstance(item, syntax.UseTools)]
    if len(uses) == 1:
        yield uses[0].span, frozenset(policy.tools)
        return
    if not uses and policy.tools:
        yield policy.start, frozenset(policy.tools)
    for use in uses:
        path = next((path for path in policy.texts if path.endswith(use.path.removeprefix("./"))), None)
        tools = read_tools(policy.texts[path], path)[0] if path is not None else ()
        yield use.span, frozenset(tool.name for tool in tools)


@rule("G191", Policy)
def unmentioned_tool(policy: Policy) -> Iterator[Finding]:
    """A tool of the tool file that no block speaks of.

    **What.** The agent has the tool, and the policy has no block for it.

    **Why.** It is denied, which is safe, but nobody has decided so. Often its name is misspelt in another
    file, or the tool is newer than the policy.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call search { allow when args.query != "" }
    ```
    ```json
    {"tools": [
      {"name": "search", "inputSchema": {"type": "object", "required": ["query"],
        "properties": {"query": {"type": "string"}}}},
      {"name": "delete_index", "inputSchema": {"type": "object", "properties": {}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call search { allow when args.query != "" }
    on call delete_index { deny because "The index is rebuilt by people." }
    ```
    """
    mentioned = _mentioned(policy)
    for span, names in _tool_files(policy):
        missing = sorted(names - mentioned)
        if missing and len(missing) < len(names):
            listed = ", ".join(f"`{name}`" for name in missing[:5])
            more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
            help = "a block with `deny because ...` says that this is meant"
            yield Finding(span, f"no block speaks of {listed}{more}", help)


@rule("G192", Policy)
def unused_tools_file(policy: Policy) -> Iterator[Finding]:
    """A tool file of which nothing is used.

    **What.** No block speaks of any tool of the file.

    **Why.** The file belongs to another policy, or the tools have other names there than in the blocks.

    **Avoid**
    ```guard
    use tools "tools.json"
    on input { deny when length(text) > 10_000 because "Questions are short." }
    ```
    ```json
    {"tools": [{"name": "search", "inputSchema": {"type": "object", "properties": {}}}]}
    ```

    **Prefer**
    ```guard
    on input { deny when length(text) > 10_000 because "Questions are short." }
    ```
    ```json
    {"tools": []}
    ```
    """
    mentioned = _mentioned(policy)
    for span, names in _tool_files(policy):
        if names and not names & mentioned:
            yield Finding(span, "no block speaks of any tool of this file")


@rule("G193", Policy)
def unmatched_wildcard(policy: Policy) -> Iterator[Finding]:
    """A wildcard that matches no tool.

    **What.** No tool of the tool files has a name that the pattern of a block matches.

    **Why.** The statements of the block hold for nothing. A restriction that was meant for some tools is not
    there.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call search { allow when args.query != "" }
    on call "serch*" { deny when args.limit > 100 because "Searches are small." }
    ```
    ```json
    {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["query", "limit"],
      "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}}}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call search { allow when args.query != "" }
    on call "search*" { deny when args.limit > 100 because "Searches are small." }
    ```
    """
    if not policy.tools:
        return
    for block in policy.blocks:
        for pattern in block.tools:
            if not pattern.is_wildcard or pattern.text == "*":
                continue
            if not any(map(compile_wildcard(pattern.text), policy.tools)):
                yield Finding(pattern.span, f"`{pattern.text}` matches none of the tools")


@rule("G194", Policy, severity="info")
def no_tools_file(policy: Policy) -> Iterator[Finding]:
    """Arguments that nobody described.

    **What.** The policy reads several arguments and uses no tool file.

    **Why.** Without the tools' schemas a misspelt field is found when it is missing in a call: an `allow`
    never applies, a restriction refuses everything. With them it is found now.

    **Avoid**
    ```guard
    on call open_ticket { allow when args.priority < 3 and args.company == "acme" and args.kind == "fault" }
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call open_ticket { allow when args.priority < 3 and args.company == "acme" and args.kind == "fault" }
    ```
    ```json
    {"tools": [{"name": "open_ticket", "inputSchema": {"type": "object",
      "required": ["priority", "company", "kind"], "properties": {"priority": {"type": "integer"},
      "company": {"type": "string"}, "kind": {"type": "string"}}}}]}
    ```
    """
    if policy.tools or any(isinstance(item, syntax.UseTools) for item in policy.items):
        return
    fields = {(tool, load.where) for _, tool, load in policy.loads if load.root == "args" and load.path}
    if len(fields) >= MANY_FIELDS:
        help = 'write `use tools "tools.json"`; `guard tools import` makes such a file'
        yield Finding(policy.start, "the names of arguments are not checked against any tool", help)


@rule("G195", Policy, severity="info")
def missing_principal_type(policy: Policy) -> Iterator[Finding]:
    """A principal that nobody described.

    **What.** The policy reads several fields of `principal` and has no `type principal`.

    **Why.** A misspelt field is missing in every event, so a grant never applies and a restriction refuses
    everything; with the type it is an error of the policy. The type also turns lists into sets and texts into
    mailboxes or paths.

    **Avoid**
    ```guard
    on call get_order { allow when args.customer == principal.customer and args.shop == principal.shop }
    ```

    **Prefer**
    ```guard
    type principal { customer: string; shop: string }
    on call get_order { allow when args.customer == principal.customer and args.shop == principal.shop }
    ```
    """
    if policy.checked is None or policy.checked.principal != t.ANY:
        return
    loads = [load for _, _, load in policy.loads if load.root == "principal" and load.path]
    fields = {load.path[0] for load in loads}
    if len(fields) >= MANY_FIELDS - 1:
        listed = "; ".join(f"{name}: ..." for name in sorted(fields))
        help = f"write `type principal {{ {listed} }}`"
        yield Finding(loads[0].span, "the fields of `principal` are not checked against any type", help)


@rule("G196", Policy, severity="info")
def tool_without_schema(policy: Policy) -> Iterator[Finding]:
    """A tool whose definition does not describe its arguments.

    **What.** The policy reads arguments of a tool whose schema has no properties.

    **Why.** Their names and types are not checked, although the policy uses a tool file.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call search { allow when args.limit < 100 }
    ```
    ```json
    {"tools": [{"name": "search", "inputSchema": {"type": "object"}}]}
    ```

    **Prefer**
    ```guard
    use tools "tools.json"
    on call search { allow when args.limit < 100 }
    ```
    ```json
    {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["limit"],
      "properties": {"limit": {"type": "integer"}}}}]}
    ```
    """
    said: set[str] = set()
    for _, tool, load in policy.loads:
        described = policy.tools.get(tool) if tool is not None else None
        if described is None or tool is None or load.root != "args" or not load.path or tool in said:
            continue
        if not described.args.fields:
            said.add(tool)
            help = "describe the arguments in the tool's definition"
            yield Finding(load.span, f"the definition of `{tool}` describes no arguments", help)


@rule("G197", Policy)
def never_granted_tool(policy: Policy) -> Iterator[Finding]:
    """A tool that is ruled and never allowed.

    **What.** A block names the tool and says on what terms it may be used, but no statement grants it.

    **Why.** Calls are denied unless something allows them: `require` and `redact` restrict, they do not allow.

    **Avoid**
    ```guard
    on call search { allow when args.limit < 100 }
    on call get_order { require args.customer in principal.customers because "Own customers only." }
    ```

    **Prefer**
    ```guard
    on call search { allow when args.limit < 100 }
    on call get_order { allow when args.customer in principal.customers }
    ```
    """
    deciding = [stated for stated in policy.stated if stated.grants or _refuses(stated)]
    if not any(stated.grants and stated.block.point == "call" for stated in deciding) or _open(policy):
        return
    granted = Reach(deciding)
    for block in policy.blocks:
        for pattern in block.tools if block.point == "call" and _statements(block) else ():
            if not pattern.is_wildcard and not granted.over("call", pattern.text):
                help = "add an `allow` or an `ask`, or `deny` it in so many words"
                yield Finding(pattern.span, f"nothing allows `{pattern.text}`, so every call is denied", help)


def _statements(block: syntax.Block) -> bool:
    return any(isinstance(member, syntax.Statement) for member in block.body)


def _refuses(stated: Stated) -> bool:
    return isinstance(stated.effect, syntax.Deny | syntax.Halt)


def _open(policy: Policy) -> bool:
    """Whether a `default` grants calls."""
    defaults = policy.checked.defaults if policy.checked else ()
    return any(default.point == "call" and default.verdict.grants for default in defaults)


def property_of(schema: Mapping[str, object], name: str) -> Mapping[str, object]:
    """The schema of one argument; empty where it is not described."""
    properties = schema.get("properties")
    found = properties.get(name) if isinstance(properties, dict) else None
    return found if isinstance(found, dict) else {}
