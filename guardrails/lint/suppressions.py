"""Suppressions: `# guard: ignore[rule-name] reason` on the line of a finding, or on the line above it.

Takes all findings, gives those that are left, and complains about suppressions that have no reason, silence
nothing or name no rule. Errors are never silenced: a policy with one does not load.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from guardrails.diagnostics import Diagnostic, Edit, Fix, Span, did_you_mean
from guardrails.language import syntax
from guardrails.lint.policy import Policy
from guardrails.lint.registry import Finding, all_rules, rule

_MARK = re.compile(r"#\s*guard:\s*ignore\b\s*(?:\[([^\]]*)\])?\s*(.*)")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment: the rules it names, its reason, and the line it speaks of. `unused` are those of its
    rules that found nothing there."""

    span: Span
    removal: Span
    line: int
    names: tuple[str, ...]
    reason: str
    unused: tuple[str, ...] = ()


def suppressed(found: Iterable[Diagnostic], policy: Policy, *, complete: bool) -> Iterator[Diagnostic]:
    """The findings that no comment silences. `complete`: all rules ran, so that a suppression that silences
    nothing has no use."""
    suppressions = [each for unit in policy.units for each in _suppressions(unit.file)]
    if not suppressions:
        yield from found
        return
    silenced: set[tuple[str, int, str]] = set()
    asked = {(each.span.file, each.line, name) for each in suppressions for name in each.names}
    known = frozenset(entry.name for entry in all_rules())
    for diagnostic in found:
        key = (diagnostic.span.file, diagnostic.span.line, diagnostic.rule)
        if key in asked and diagnostic.rule in known:
            silenced.add(key)
        else:
            yield diagnostic
    yield from _complaints(suppressions, silenced, complete=complete)


def _complaints(
    suppressions: Sequence[Suppression], silenced: set[tuple[str, int, str]], *, complete: bool
) -> Iterator[Diagnostic]:
    rules = [entry for entry in all_rules() if Suppression in entry.subjects]
    known = {entry.name for entry in all_rules()}
    for each in suppressions:
        unused = tuple(
            name
            for name in each.names
            if complete and name in known and (each.span.file, each.line, name) not in silenced
        )
        seen = Suppression(each.span, each.removal, each.line, each.names, each.reason, unused)
        for entry in rules:
            yield from entry.run(seen)


def _suppressions(file: syntax.File) -> Iterator[Suppression]:
    own_lines = {comment.span.line for comment in file.comments if comment.own_line}
    for comment in file.comments:
        marked = _MARK.match(comment.text)
        if marked is None:
            continue
        line = comment.span.line
        while comment.own_line and line in own_lines:
            line += 1
        names = tuple(name.strip() for name in (marked[1] or "").split(",") if name.strip())
        yield Suppression(comment.span, _removal(comment, file.text), line, names, marked[2].strip())


def _removal(comment: syntax.Comment, text: str) -> Span:
    """The comment with the space before it, and with its line where it stands alone."""
    span = comment.span
    start = len(text[: span.start].rstrip(" \t"))
    end = span.end
    if comment.own_line and text[end : end + 1] == "\n":
        end += 1
    return span._replace(start=start, end=end)


@rule("G901", Suppression)
def invalid_suppression(each: Suppression) -> Iterator[Finding]:
    """A suppression that names no rule of the linter.

    **What.** The comment names no rule, a rule that does not exist, or an error of the policy.

    **Why.** It silences nothing, and the next reader takes it for granted that it does. Errors cannot be
    silenced at all: a policy that has one does not load.

    **Avoid**
    ```guard
    on call search {
      # guard: ignore[allow-everything] the search index is public
      allow
    }
    ```

    **Prefer**
    ```guard
    on call search {
      # the search index is public
      allow
    }
    ```
    """
    known = [entry.name for entry in all_rules()]
    if not each.names:
        yield Finding(
            each.span,
            "this suppression names no rule",
            "write `# guard: ignore[rule-name] reason`",
        )
    for name in each.names:
        if name not in known:
            help = did_you_mean(name, known) or "only findings of the linter can be ignored, not errors"
            yield Finding(each.span, f"there is no lint rule `{name}` to ignore", help)


@rule("G902", Suppression)
def suppression_without_reason(each: Suppression) -> Iterator[Finding]:
    """A suppression that does not say why.

    **What.** The comment ends right after the name of the rule.

    **Why.** A silenced finding is a decision about safety. Whoever reviews the policy later needs the reason
    to judge whether it still holds.

    **Avoid**
    ```guard
    on call "*" { allow }  # guard: ignore[allow-all]
    ```

    **Prefer**
    ```guard
    on call "*" { allow }  # guard: ignore[allow-all] the sandbox has neither network nor data
    ```
    """
    if each.names and not each.reason:
        yield Finding(each.span, "this suppression gives no reason", "say after the bracket why it is right")


@rule("G903", Suppression)
def unused_suppression(each: Suppression) -> Iterator[Finding]:
    """A suppression that silences nothing.

    **What.** The rule that the comment names finds nothing on its line.

    **Why.** The cause is gone, but the comment would silence the next one without anybody noticing.

    **Avoid**
    ```guard
    on call search {
      allow when args.limit <= 10  # guard: ignore[allow-all] the index is public
    }
    ```

    **Prefer**
    ```guard
    on call search {
      allow when args.limit <= 10
    }
    ```
    """
    for name in each.unused:
        fix = Fix("remove the comment", (Edit(each.removal, ""),)) if len(each.names) == 1 else None
        yield Finding(each.span, f"`{name}` finds nothing here", "remove the suppression", fix=fix)
