"""The linter: every page is run, and the machinery around the rules is held to what it promises."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from guardrails.diagnostics import Diagnostic, Edit, Fix, Span
from guardrails.lint import (
    Config,
    LintReport,
    all_rules,
    apply_fixes,
    find_config,
    lint_files,
    lint_text,
    page,
    page_names,
    parse_config,
)

ROOT = Path(__file__).parent.parent
LINT_RULES = [entry.name for entry in all_rules()]


def examples(name: str) -> dict[tuple[str, str], str]:
    """The code blocks of a page by part (Avoid, Prefer) and language."""
    found: dict[tuple[str, str], str] = {}
    part = ""
    for match in re.finditer(r"\*\*(Avoid|Prefer)\*\*|```(\w+)\n(.*?)```", page(name), re.DOTALL):
        if match[1]:
            part = match[1]
        else:
            found[part, match[2]] = match[3]
    return found


def rules_of(report: LintReport) -> list[str]:
    return [found.rule for found in report.diagnostics]


def linted(text: str, tools: str | None = None) -> list[str]:
    return rules_of(lint_text(text, tools))


RUNNABLE = [name for name in page_names() if ("Avoid", "guard") in examples(name)]


def avoided(name: str) -> LintReport:
    blocks = examples(name)
    return lint_text(blocks["Avoid", "guard"], blocks.get(("Avoid", "json")))


FIXABLE = [name for name in LINT_RULES if any(found.fix for found in avoided(name).diagnostics)]


# --- pages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", page_names())
def test_a_page_has_its_parts(name: str) -> None:
    parts = [match[1] for match in re.finditer(r"^\*\*(\w+)", page(name), re.MULTILINE)]
    assert parts == ["What", "Why", "Avoid", "Prefer"]


def test_every_lint_rule_has_examples_that_run() -> None:
    assert set(LINT_RULES) <= set(RUNNABLE)
    assert len(LINT_RULES) >= 60


@pytest.mark.parametrize("name", RUNNABLE)
def test_avoid_raises_this_rule_and_no_other(name: str) -> None:
    assert set(rules_of(avoided(name))) == {name}


@pytest.mark.parametrize("name", RUNNABLE)
def test_prefer_is_clean(name: str) -> None:
    blocks = examples(name)
    tools = blocks.get(("Prefer", "json"), blocks.get(("Avoid", "json")))
    assert linted(blocks["Prefer", "guard"], tools) == []


@pytest.mark.parametrize("name", FIXABLE)
def test_a_fix_removes_the_finding(name: str) -> None:
    report = avoided(name)
    text, tools = report.texts["policy.guard"], examples(name).get(("Avoid", "json"))
    fixed = apply_fixes(report.texts, report.diagnostics, safe_only=False)["policy.guard"]
    assert fixed != text
    assert linted(fixed, tools) == []


def test_names_and_codes_are_distinct() -> None:
    codes = [page(name).split("(")[1].split(",")[0] for name in page_names()]
    assert len(set(codes)) == len(codes) == len(set(page_names()))


@pytest.mark.parametrize("name", ["degraded-at-host", "unknown-at-host", "counter-lost"])
def test_a_page_says_how_much_its_findings_matter(name: str) -> None:
    """A policy with one of these loads; only what stops it from loading is an error."""
    assert page(name).splitlines()[0].endswith(", warning)")
    assert page("unknown-tool").splitlines()[0].endswith(", error)")


def test_every_rule_that_the_sources_report_has_a_page() -> None:
    named = re.compile(
        r'(?:report|_report|problem|Diagnostic)\(\s*"([a-z-]+)"|rule="([a-z-]+)"|RULE(?:: Final)? = "([a-z-]+)"'
    )
    returned = re.compile(r'(?:return |return \(\s*)"([a-z]+(?:-[a-z]+)+)", ')
    found = set()
    for path in (ROOT / "guardrails").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        found |= {name for match in named.findall(text) for name in match if name}
        if path.parent.name == "language":
            found |= set(returned.findall(text))
    assert len(found) >= 30
    assert found <= set(page_names())


@pytest.mark.parametrize("entry", all_rules(), ids=lambda entry: entry.name)
def test_messages_are_written_as_messages_are(entry: object) -> None:
    name = getattr(entry, "name", "")
    for found in avoided(name).diagnostics:
        assert not found.message.endswith((".", "!"))
        assert found.message[0].islower() or found.message[0] in "`.-0123456789"
        assert found.code == getattr(entry, "code", "")


# --- what must not be found ------------------------------------------------------------------------

TRANSFER = json.dumps(
    {
        "tools": [
            {
                "name": "transfer",
                "inputSchema": {
                    "type": "object",
                    "required": ["amount", "to"],
                    "properties": {"amount": {"type": "number", "minimum": 0}, "to": {"type": "string"}},
                },
            }
        ]
    }
)

CLEAN = {
    "a parameter is no constant": """
        param strict: bool = false
        param most: decimal = 10
        on call a {
          allow when args.n < 100
          deny when strict and args.n > 5 because "Strict."
          deny when args.n > 50 and args.n < most because "Between."
        }
    """,
    "a switch with a name": """
        let paused = false
        on call a { allow when args.n < 100; deny when paused because "The tool is paused." }
    """,
    "a range": """
        on call a { allow when args.n > 0 and args.n < 100 and args.n != 50 }
    """,
    "an interval from two sides": """
        on call a { allow when args.n < 10 or args.n > 20 }
    """,
    "bounds of two fields": """
        on call a { allow when args.n < 10 and args.m < 20 }
    """,
    "an ask beside an allow, both with conditions": """
        on call a { allow when args.n < 10; ask finance within 1h when args.n >= 10 }
    """,
    "a deny that leaves a part of the grant": """
        on call a { allow when args.n < 10; deny when args.n < 5 because "Too few." }
    """,
    "a deny of a narrower wildcard": """
        on call "mail.*" { allow when args.n < 10 }
        on call "mail.send*" { deny because "Nothing is sent." }
    """,
    "requirements that go together": """
        on call a {
          ask finance within 1h
          require args.n > 1 because "More than one."
          require args.n < 9 because "Fewer than nine."
        }
    """,
    "a pattern that is anchored": r"""
        on call a { allow when args.host contains /^[a-z]+\\.acme\\.com$/ }
    """,
    "a word in a text that is folded": """
        on output { deny when lower(text) contains "password" because "No passwords." }
    """,
    "a search query is no SQL": """
        on call search { allow when args.query contains "invoice" }
    """,
    "within on a path": """
        on call read { allow when args.path within "/data" and path(args.path).name like "*.md" }
    """,
    "a tool whose name reads": """
        on call get_order, list_orders, "docs.search" { allow }
    """,
    "a used let of a block": """
        on call a { let small = args.n < 10; allow when small }
    """,
    "a named condition with a constant": """
        let below(n: decimal, most: decimal) = n < most
        on call a { allow when below(args.n, 10) and below(args.m, 10) }
    """,
    "a baseline grants nothing on purpose": """
        on call send_email { require args.size < 100 because "Small mail only." }
    """,
}


@pytest.mark.parametrize("text", CLEAN.values(), ids=CLEAN)
def test_no_false_alarm(text: str) -> None:
    assert linted(text) == []


FOUND = {
    "bounds through a named condition": (
        "unreachable-statement",
        """
        let big(n: decimal) = n > 100
        on call a { allow when args.n < 10; deny when big(args.n) and args.n < 50 because "Never." }
        """,
    ),
    "a block's condition against the statement's": (
        "unreachable-statement",
        """
        on call a when args.kind == "x" { allow when args.kind == "y" }
        """,
    ),
    "membership against equality": (
        "unreachable-statement",
        """
        on call a { allow when args.kind in {"x", "y"} and args.kind == "z" }
        """,
    ),
    "a count is never negative": (
        "unreachable-statement",
        """
        on call a { allow when count(args.to) < 0 }
        """,
    ),
    "a condition and its opposite": (
        "unreachable-statement",
        """
        on call a { allow when args.late and not args.late }
        """,
    ),
    "no element can be so": (
        "unreachable-statement",
        """
        on call a { allow when any n in args.ns: n > 5 and n < 3 }
        """,
    ),
    "all alternatives together": (
        "always-true-condition",
        """
        on call a { allow when args.n < 10 or not (args.n < 5) }
        """,
    ),
    "a grant beyond a requirement": (
        "shadowed-allow",
        """
        on call a { allow when args.n > 100; require args.n < 50 because "Small." }
        """,
    ),
    "a general deny and a specific allow": (
        "shadowed-allow",
        """
        on call "*" { deny because "Nothing." }
        on call a { allow when args.n < 5 }
        """,
    ),
    "a member of a set that is implied": (
        "redundant-condition",
        """
        on call a { allow when args.kind in {"x", "y"} and args.kind != "z" }
        """,
    ),
}


@pytest.mark.parametrize(("rule", "text"), FOUND.values(), ids=FOUND)
def test_found(rule: str, text: str) -> None:
    assert linted(text) == [rule]


def test_rules_of_meaning_wait_for_a_policy_without_errors() -> None:
    text = "default call allow\non call a { allow when unknown }\n"
    assert linted(text) == ["allow-by-default", "unknown-name"]


def test_an_empty_policy_is_clean() -> None:
    assert linted("") == []


def test_a_file_that_is_not_there_is_in_the_report(tmp_path: Path) -> None:
    assert rules_of(lint_files([str(tmp_path / "none.guard")])) == ["unreadable-file"]


def test_a_slip_is_shown() -> None:
    report = lint_text(r"on call a { allow when args.host contains /acme\.com/ }")
    assert [found.rule for found in report.diagnostics] == ["unanchored-pattern"]
    assert "acme.com" in report.diagnostics[0].message


def test_tools_are_looked_up_through_a_wildcard() -> None:
    text = 'use tools "tools.json"\non call "trans*" { allow when args.amount < 10 }\n'
    assert linted(text, TRANSFER) == []


def test_what_an_included_file_offers_may_be_unused(tmp_path: Path) -> None:
    (tmp_path / "base.guard").write_text("let partners = {1}\nparam most: int = 3\n")
    (tmp_path / "main.guard").write_text('use "base.guard"\non call a { allow when args.n < 3 }\n')
    assert rules_of(lint_files([str(tmp_path / "main.guard")], config=Config())) == []
    assert rules_of(lint_files([str(tmp_path / "base.guard")], config=Config())) == [
        "unused-let",
        "unused-param",
    ]


# --- suppressions --------------------------------------------------------------------------------------

OPEN = 'on call "*" { allow }'


@pytest.mark.parametrize(
    "text",
    [
        f"{OPEN}  # guard: ignore[allow-all] nothing to lose",
        f"# guard: ignore[allow-all] nothing to lose\n{OPEN}",
        f"# guard: ignore[allow-all] nothing to lose\n# and a word more\n{OPEN}",
    ],
)
def test_a_suppression_silences(text: str) -> None:
    assert linted(text) == []


def test_a_suppression_speaks_of_its_line_only() -> None:
    text = f"# guard: ignore[allow-all] nothing to lose\n\n\n{OPEN}"
    assert sorted(linted(text)) == ["allow-all", "unused-suppression"]


def test_an_error_is_not_silenced() -> None:
    text = "on call a { allow when unknown }  # guard: ignore[unknown-name] we know"
    assert sorted(linted(text)) == ["invalid-suppression", "unknown-name"]


def test_one_comment_can_name_several_rules() -> None:
    text = f"{OPEN}  # guard: ignore[allow-all, empty-block] a sandbox"
    assert linted(text) == ["unused-suppression"]


def test_an_unused_suppression_is_removed_with_its_line() -> None:
    text = "on call a {\n  # guard: ignore[allow-all] no\n  allow when args.n < 3\n}\n"
    report = lint_text(text)
    fixed = apply_fixes(report.texts, report.diagnostics)["policy.guard"]
    assert fixed == "on call a {\n  allow when args.n < 3\n}\n"


# --- configuration ---------------------------------------------------------------------------------------


def configured(tmp_path: Path, settings: str, name: str = "p.guard") -> LintReport:
    (tmp_path / "pyproject.toml").write_text(f"[tool.guard.lint]\n{settings}\n")
    (tmp_path / name).write_text(f"{OPEN}\non call b {{ deny }}\n")
    return lint_files([str(tmp_path / name)])


def test_a_rule_is_ignored(tmp_path: Path) -> None:
    report = configured(tmp_path, 'ignore = ["allow-all"]')
    assert rules_of(report) == ["deny-without-because"]


def test_rules_are_selected_by_family(tmp_path: Path) -> None:
    assert rules_of(configured(tmp_path, 'select = ["G21"]')) == ["deny-without-because"]


def test_a_severity_is_changed(tmp_path: Path) -> None:
    report = configured(tmp_path, 'severity = {allow-all = "error"}\nignore = ["deny-without-because"]')
    assert [(found.rule, found.severity) for found in report.diagnostics] == [("allow-all", "error")]


def test_a_rule_is_ignored_in_some_files(tmp_path: Path) -> None:
    settings = 'per-file-ignores = {"*_test.guard" = ["allow-all", "deny-without-because"]}'
    assert rules_of(configured(tmp_path, settings, "a_test.guard")) == []
    assert rules_of(configured(tmp_path, settings)) == ["allow-all", "deny-without-because"]


def test_settings_are_found_above(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.guard.lint]\nignore = ["allow-all"]\n')
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert find_config(tmp_path / "deep" / "er").ignore == {"allow-all"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("ignores = []", "there is no setting `ignores`"),
        ('ignore = ["alow-all"]', "there is no lint rule `alow-all`"),
        ('ignore = "allow-all"', "`ignore` is a list of rules"),
        ('severity = {allow-all = "fatal"}', "`fatal` is no severity"),
        ("severity = 3", "`severity` is a table of rules"),
        ('severity = {unknown-name = "info"}', "there is no lint rule `unknown-name`"),
        ("per-file-ignores = []", "`per-file-ignores` is a table"),
        ("ignore = [", "the file is not valid TOML"),
    ],
)
def test_wrong_settings_are_reported(settings: str, message: str) -> None:
    text = f"[tool.guard.lint]\n{settings}\n"
    found = parse_config(text).problems
    assert [problem.rule for problem in found] == ["bad-lint-configuration"]
    assert found[0].message.startswith(message)
    assert found[0].severity == "error"


def test_a_problem_of_the_settings_points_into_the_file() -> None:
    config = parse_config('[project]\nname = "x"\n[tool.guard.lint]\nignore = ["alow-all"]\n')
    span = config.problems[0].span
    assert (span.line, span.column) == (4, 12)
    assert "did you mean `allow-all`?" in config.problems[0].help


# --- fixes -------------------------------------------------------------------------------------------------


def fixing(start: int, end: int, text: str) -> Diagnostic:
    span = Span("p", start, end, 1, start + 1, 1, end + 1)
    return Diagnostic("r", "m", span, fix=Fix("f", (Edit(span, text),)))


def test_fixes_that_overlap_wait_for_the_next_round() -> None:
    first, second = fixing(0, 4, "A"), fixing(2, 6, "B")
    assert apply_fixes({"p": "abcdefgh"}, [first, second]) == {"p": "Aefgh"}


def test_fixes_apart_are_applied_together() -> None:
    assert apply_fixes({"p": "abcdefgh"}, [fixing(5, 6, "-"), fixing(0, 1, "++")]) == {"p": "++bcde-gh"}


def test_unsafe_fixes_are_left_alone() -> None:
    report = lint_text("let unused = 3\n")
    assert apply_fixes(report.texts, report.diagnostics)["policy.guard"] == "let unused = 3\n"
    assert apply_fixes(report.texts, report.diagnostics, safe_only=False)["policy.guard"] == ""


def test_fixing_goes_on_until_nothing_is_left() -> None:
    text = "on call a { allow when not not not not args.x }\n"
    for _ in range(5):
        report = lint_text(text)
        text = apply_fixes(report.texts, report.diagnostics)["policy.guard"]
    assert text == "on call a { allow when args.x }\n"
