"""Patterns that let through, or miss, more than their author meant."""

from __future__ import annotations

import re
from collections.abc import Iterator

from guardrails.diagnostics import Edit, Fix
from guardrails.language import syntax
from guardrails.lint.policy import Site
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.text_tests import TextTest
from guardrails.patterns import compile_full
from guardrails.patterns.slips import example_slip, suspicious_class


@rule("G151", TextTest)
def unanchored_pattern(test: TextTest) -> Iterator[Finding]:
    r"""A grant by a pattern that may stand anywhere in the text.

    **What.** `contains /.../` in a grant, with a pattern whose ends are open: an example shows what passes.

    **Why.** Whoever chooses the text puts what the pattern wants beside what the policy does not want.

    **Avoid**
    ```guard
    on call open_ticket { allow when args.reporter contains /[a-z]+@acme\.com/ }
    ```

    **Prefer**
    ```guard
    on call open_ticket { allow when args.reporter matches /[a-z]+@acme\.com/ }
    ```
    """
    if test.role != "grant" or test.op != "finds":
        return
    slip = example_slip(test.value, searched=True)
    if slip is None or compile_full(test.value)(slip):
        return
    yield Finding(
        test.node.span,
        f"this pattern is found anywhere in a text, so `{slip}` is let through",
        "`matches` compares the whole text",
    )


_DOT = re.compile(r"(?<=[A-Za-z0-9]{2})\.(?=[A-Za-z0-9]{2})")


@rule("G152", TextTest)
def unescaped_dot(test: TextTest) -> Iterator[Finding]:
    r"""A dot in a pattern that was meant as a dot.

    **What.** A bare `.` between words in a pattern of a grant, as in the name of a host.

    **Why.** In a pattern `.` is any character, so a name that somebody else owns passes.

    **Avoid**
    ```guard
    on call open_ticket { allow when args.reporter matches /[a-z]+@acme.com/ }
    ```

    **Prefer**
    ```guard
    on call open_ticket { allow when args.reporter matches /[a-z]+@acme\.com/ }
    ```
    """
    if test.role != "grant" or test.op not in ("matches", "finds"):
        return
    slip = example_slip(test.value)
    if slip is None:
        return
    written = test.policy.source(test.constant.span)
    escaped = _DOT.sub(r"\\.", written)
    fix = Fix("escape the dots", (Edit(test.constant.span, escaped),), "unsafe")
    yield Finding(
        test.constant.span,
        f"`.` is any character here, so `{slip}` is let through",
        "write `\\.` for a dot",
        fix=fix if escaped != written else None,
    )


@rule("G153", syntax.Literal)
def suspicious_character_class(site: Site) -> Iterator[Finding]:
    """A list of characters that looks like a word.

    **What.** `[acme]`, `[jpg|png]` and the like in a pattern.

    **Why.** Square brackets match one character out of those listed. Alternatives stand in round ones.

    **Avoid**
    ```guard
    on call upload { allow when args.format matches /[jpeg|png]+/ }
    ```

    **Prefer**
    ```guard
    on call upload { allow when args.format matches /(jpeg|png)/ }
    ```
    """
    node = of_kind(site.node, syntax.Literal)
    if node.kind != "pattern" or "[" not in str(node.value) or compile_problem(str(node.value)):
        return
    reason = suspicious_class(str(node.value))
    if reason:
        yield Finding(node.span, reason, "for one of several words write `(one|two)`")


def compile_problem(pattern: str) -> bool:
    """Whether the pattern is one that the checker refuses already."""
    from guardrails.patterns import check_pattern

    return check_pattern(pattern) is not None


@rule("G154", TextTest)
def whole_match_in_deny(test: TextTest) -> Iterator[Finding]:
    """A restriction by a pattern that must match the whole of a long text.

    **What.** `matches` in a restriction on a message, a body or another text of many words and lines.

    **Why.** `matches` compares the text from its first to its last character, and `.` stops at the end of a
    line. A word before or after, or a new line, and the restriction is passed by.

    **Avoid**
    ```guard
    on output { deny when text matches /.*[0-9]{16}.*/ because "Card numbers stay here." }
    ```

    **Prefer**
    ```guard
    on output { deny when text contains /[0-9]{16}/ because "Card numbers stay here." }
    ```
    """
    if test.role == "restrict" and test.op == "matches" and test.kind == "prose" and "(?s" not in test.value:
        help = f"write `{test.written} contains /.../` to find it anywhere"
        yield Finding(test.node.span, "this sees the pattern only if nothing stands around it", help)


@rule("G155", TextTest)
def like_on_path(test: TextTest) -> Iterator[Finding]:
    """A path compared as text by `like`.

    **What.** `like` with slashes on a string that holds a path.

    **Why.** `/data/../etc/passwd` is a text that begins with `/data/`, and a path that does not. `within`
    reads the string as a path first.

    **Avoid**
    ```guard
    on call read_file { allow when args.path like "/data/**" }
    ```

    **Prefer**
    ```guard
    on call read_file { allow when args.path within "/data" }
    ```
    """
    if test.op != "like" or test.kind != "path" or test.canonical or "/" not in test.value:
        return
    if not _misses_folders(test):
        example = test.value.replace("**", "../x").replace("*", "..")
        help = f"write `{test.written} within ...`, or `path({test.written}) like ...`"
        yield Finding(test.node.span, f"as a text, `{example}` is like this too", help)


@rule("G156", TextTest)
def single_star_in_deny(test: TextTest) -> Iterator[Finding]:
    """A restriction by `like` whose star stops at a slash.

    **What.** A single `*` in a restriction on a path.

    **Why.** `*` is any run of characters without a slash, so `*.env` does not see `config/.env`, and `/etc/*`
    does not see `/etc/ssh/keys`. Two stars go across slashes.

    **Avoid**
    ```guard
    on call read_file {
      allow when args.path within "/data"
      deny when path(args.path) like "*.env" because "Environment files hold secrets."
    }
    ```

    **Prefer**
    ```guard
    on call read_file {
      allow when args.path within "/data"
      deny when path(args.path) like "**.env" because "Environment files hold secrets."
    }
    ```
    """
    if _misses_folders(test):
        inside = test.value.replace("**", "x").replace("*", "a/b")
        yield Finding(test.node.span, f"`{inside}` is not caught by this", "`**` goes across slashes")


def _misses_folders(test: TextTest) -> bool:
    stars = re.sub(r"\*\*+", "", test.value)
    return test.op == "like" and test.role == "restrict" and test.kind == "path" and "*" in stars
