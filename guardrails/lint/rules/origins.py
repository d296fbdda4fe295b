"""Where values came from: labels that are missing or that nobody asks for, and ways out that nobody guards."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.diagnostics import Note
from guardrails.language import core, syntax
from guardrails.language.labels import TRUST
from guardrails.lint.policy import Policy, Stated
from guardrails.lint.reach import Reach
from guardrails.lint.registry import Finding, rule

PRIVATE = frozenset({"confidential", "records"})
"""Labels of what is not for everybody."""

_UNGUARDED = (
    syntax.Allow, syntax.Limit, syntax.Budget, syntax.Breaker, syntax.Flag, syntax.Review, syntax.Redact,
)  # fmt: skip
"""Effects that leave it open where something goes to."""


@rule("G241", Policy)
def lethal_trifecta(policy: Policy) -> Iterator[Finding]:
    """Private data, text of strangers and an open way out in one session.

    **What.** The policy labels results as `records` or `confidential`, it labels others as `untrusted`, and a
    tool that reaches into the open world is allowed whatever its arguments are and wherever they came from.

    **Why.** Any two of the three are harmless together. With all three, a text that somebody planted can tell
    the agent to read what is private and to send it to whoever planted it.

    **Avoid**
    ```guard
    policy office
    use tools "tools.json"
    on call get_payroll, read_email { allow }
    on result get_payroll { label confidential }
    on result read_email { label untrusted }
    on call send_email { allow; daily: limit 10 per 1d; flag payroll when context has confidential }
    ```
    ```json
    {"tools": [
      {"name": "get_payroll", "annotations": {"readOnlyHint": true}},
      {"name": "read_email", "annotations": {"readOnlyHint": true}},
      {"name": "send_email", "annotations": {"readOnlyHint": false, "openWorldHint": true},
        "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}}]}
    ```

    **Prefer**
    ```guard
    policy office
    use tools "tools.json"
    on call get_payroll, read_email { allow }
    on result get_payroll { label confidential }
    on result read_email { label untrusted }
    on call send_email {
      allow
      daily: limit 10 per 1d
      ask user within 1d unless origin(args.to) in {user} because "The user did not name this address."
    }
    flow confidential to call send_email
    ```
    """
    given = {name: stated for stated in _labelling(policy) for name in _labels_of(stated)}
    private = next((given[name] for name in sorted(PRIVATE) if name in given), None)
    strange = given.get("untrusted")
    if private is None or strange is None:
        return
    notes = (
        Note(private.statement.span, "this is private"),
        Note(strange.statement.span, "anybody may have written this"),
    )
    for stated, tools in _ways_out(policy):
        help = "ask a person, or ask where the arguments came from: `ask unless origin(args...) in {user}`"
        message = f"{_listed(tools)} can carry what is private to whoever planted a text"
        yield Finding(stated.statement.span, message, help, notes)


def _ways_out(policy: Policy) -> Iterator[tuple[Stated, list[str]]]:
    """Every `allow` without a condition, with the tools that it lets out into the open world unguarded."""
    calls = Reach(policy.enforced)
    for stated in policy.enforced:
        if stated.block.point != "call" or not isinstance(stated.effect, syntax.Allow):
            continue
        tools = [tool for tool in _tools_of(policy, stated) if policy.tools[tool].open_world]
        open_ones = [tool for tool in tools if _is_unguarded(calls.over("call", tool))]
        if stated.unconditional and open_ones:
            yield stated, open_ones


def _is_unguarded(statements: list[Stated]) -> bool:
    return all(isinstance(stated.effect, _UNGUARDED) for stated in statements)


@rule("G242", Policy, severity="info")
def unlabelled_result(policy: Policy) -> Iterator[Finding]:
    """A tool is read, origins are asked for, and no `label` speaks of what the tool gives.

    **What.** The policy asks where values came from, and allows a tool that only reads, of whose results no
    statement says whose word they are.

    **Why.** They count as untrusted. That is the safe side, but where they are your own records it makes the
    agent ask more than it has to, and a reader of the policy cannot tell which of the two was meant.

    **Avoid**
    ```guard
    use tools "tools.json"
    on call get_contacts { allow }
    on call send_email { allow when origin(args.to) in {user, records} }
    ```
    ```json
    {"tools": [
      {"name": "get_contacts", "annotations": {"readOnlyHint": true}},
      {"name": "send_email", "annotations": {"readOnlyHint": false},
        "inputSchema": {"type": "object", "properties": {"to": {"type": "string"}}}}]}
    ```

    **Prefer**
    ```guard
    policy office
    use tools "tools.json"
    on call get_contacts { allow }
    on result get_contacts { label records }
    on call send_email { allow when origin(args.to) in {user, records} }
    ```
    """
    if not _asked(policy):
        return
    labelled = Reach(_labelling(policy))
    for stated in policy.enforced:
        if stated.block.point != "call" or not stated.grants:
            continue
        tools = [tool for tool in _tools_of(policy, stated) if policy.tools[tool].read_only]
        bare = [tool for tool in tools if not labelled.over("result", tool)]
        if bare:
            help = "write `label untrusted` if that is meant, or `label records` for what is your own"
            message = f"no `label` speaks of what {_listed(bare)} gives, so it counts as untrusted"
            yield Finding(stated.statement.span, message, help)


@rule("G243", Policy, severity="info")
def unused_label(policy: Policy) -> Iterator[Finding]:
    """A label is given, and nothing asks for it.

    **What.** A `label` statement gives `confidential`, or a label of your own, and no `origin`, `context` or
    `flow` of the policy speaks of it.

    **Why.** The statement looks like protection, and changes nothing. The rule that was to use it is missing,
    or asks for another label.

    **Avoid**
    ```guard
    on result get_payroll { label confidential }
    on call get_payroll, send_email { allow when args.mine }
    ```

    **Prefer**
    ```guard
    on result get_payroll { label confidential }
    on call get_payroll, send_email { allow when args.mine }
    flow confidential to call send_email
    ```
    """
    asked = _asked(policy)
    for stated in _labelling(policy):
        if stated.block.span.file in policy.included:
            continue  # whoever uses the file asks for its labels
        unused = [name for name in _labels_of(stated) if name not in asked and name not in TRUST]
        if unused:
            help = "ask for it in a `flow`, or with `origin(...)` and `context`, or remove it"
            yield Finding(stated.statement.span, f"nothing asks for {_listed(unused)}", help)


def _asked(policy: Policy) -> frozenset[str]:
    """The labels that questions of the policy can be answered by."""
    questions = (use.node for use in policy.uses if isinstance(use.node, core.Origin))
    return frozenset(label for question in questions for label in question.labels)


def _labelling(policy: Policy) -> list[Stated]:
    return [stated for stated in policy.enforced if isinstance(stated.effect, syntax.Label)]


def _labels_of(stated: Stated) -> tuple[str, ...]:
    return stated.effect.labels if isinstance(stated.effect, syntax.Label) else ()


def _tools_of(policy: Policy, stated: Stated) -> list[str]:
    """The described tools that a statement's block names or matches."""
    named = [pattern.text for pattern in stated.block.tools if not pattern.is_wildcard]
    matched = [tool for tool, _ in stated.forms if tool is not None]
    return [name for name in dict.fromkeys([*named, *matched]) if name in policy.tools]


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
