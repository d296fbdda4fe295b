"""The renderings of diagnostics and decisions, against what they should look like.

The goldens lie in `golden/renderings`; `GUARD_UPDATE_GOLDEN=1` writes them anew, to be read as a diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from guardrails.decision_json import decision_as_json
from guardrails.decision_text import duration, render_decision
from guardrails.diagnostics import Diagnostic, Edit, Fix, Note, Span
from guardrails.model import (
    Applied,
    Approval,
    Decision,
    Denial,
    Failure,
    Obligation,
    Outcome,
    Place,
    Transform,
)
from guardrails.renderings import (
    MAX_COLUMNS,
    columns,
    counted,
    excerpt,
    render_github,
    render_json,
    render_sarif,
    render_text,
    visible,
)

GOLDEN = Path(__file__).parent / "golden" / "renderings"

TEXTS = {
    "refunds.guard": (
        "policy refunds\n"
        "on call issue_refund {\n"
        '\tdeny when args.amout > 500 because "zu viel für 東京支店" or args.x\n'
        "  allow when principal.id in\n"
        "    admins\n"
        "}\n"
    ),
    "windows line ends.guard": "policy a\r\non call x {\r\n  allow when tru\r\n}\r\n",
    "long.guard": "let x = {" + ", ".join(f'"{number:04}"' for number in range(200)) + "}",
}


def span(file: str, part: str) -> Span:
    """The place of the first `part` in a text."""
    text = TEXTS[file]
    start = text.index(part)
    end = start + len(part)
    lines = [(text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)) for at in (start, end)]
    return Span(file, start, end, *lines[0], *lines[1])


AMOUT = span("refunds.guard", "args.amout")
DIAGNOSTICS = [
    Diagnostic(
        "unknown-field",
        "there is no field `amout` in `args` of `issue_refund`",
        AMOUT,
        help="did you mean `amount`?",
        notes=(Note(span("refunds.guard", "issue_refund"), "the tool is named here"),),
        fix=Fix("write `amount`", (Edit(AMOUT, "args.amount"),)),
        code="G101",
    ),
    Diagnostic(
        "after-wide-letters", "columns are those of the terminal", span("refunds.guard", "args.x"), "warning"
    ),
    Diagnostic("wide-letters", "wide letters take two columns", span("refunds.guard", "東京支店"), "info"),
    Diagnostic("many-lines", "this goes on", span("refunds.guard", "principal.id in\n    admins"), "warning"),
    Diagnostic(
        "carriage-return",
        "a line end is not shown",
        span("windows line ends.guard", "tru"),
        help="write `true`",
    ),
    Diagnostic("long-line", "only the part that matters is shown", span("long.guard", '"0150"')),
    Diagnostic("hostile", "100% \x1b[31mred\u202e, a:b\nnext", Span("refunds.guard", 104, 104, 7, 1, 7, 1)),
    Diagnostic("no-text", "the file is not known here", Span("other.guard", 0, 1, 12, 3, 12, 4)),
    Diagnostic("unreadable-file", "`nowhere.guard` cannot be read", Span("<load>", 0, 0, 1, 1, 1, 1)),
]


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("GUARD_UPDATE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_bytes().decode("utf-8")


# --- diagnostics -------------------------------------------------------------------------------


def test_text() -> None:
    check_golden("diagnostics.txt", render_text(DIAGNOSTICS, TEXTS))


def test_colored_text() -> None:
    check_golden("diagnostics.ansi", render_text(DIAGNOSTICS[:1], TEXTS, color=True))


def test_json() -> None:
    check_golden("diagnostics.json", render_json(DIAGNOSTICS))


def test_sarif() -> None:
    check_golden("diagnostics.sarif", render_sarif(DIAGNOSTICS))


def test_github() -> None:
    check_golden("diagnostics.github", render_github(DIAGNOSTICS))


def test_nothing_found_is_an_empty_text() -> None:
    assert render_text([], {}) == ""
    assert render_github([]) == ""
    assert json.loads(render_json([]))["diagnostics"] == []


def test_a_place_beyond_the_end_of_its_file_is_still_shown() -> None:
    beyond = Diagnostic("odd", "beyond", Span("a.guard", 90, 91, 40, 2, 40, 3))
    assert "--> a.guard:40:2" in render_text([beyond], {"a.guard": "policy a\n"})


def test_carets_stand_below_what_is_meant() -> None:
    """The column of the carets is that of the marked characters, whatever stands before them."""
    for line in ("abc bad", "\tbad", "東京 bad", "e\u0301 bad", "\x00 bad", "x" * 500 + "bad" + "y" * 500):
        start = line.index("bad")
        shown, offset, width = excerpt(line, start, start + 3)
        before = shown[: shown.index("bad")]
        assert (offset, width) == (columns(before), 3)
        assert columns(shown) <= MAX_COLUMNS + 2


def test_control_characters_are_spelled_out() -> None:
    assert visible("a\x1b[0m\u202eb\ud800") == "a<U+001B>[0m<U+202E>b<U+D800>"
    assert visible("ä\nb") == "ä<U+000A>b"


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ([], "no findings"),
        (["error"], "1 error"),
        (["error", "warning", "error"], "2 errors, 1 warning"),
        (["info", "info"], "2 hints"),
    ],
)
def test_counts(severities: list[str], expected: str) -> None:
    found = [Diagnostic("r", "m", AMOUT, severity) for severity in severities]  # type: ignore[arg-type]  # literals in a list
    assert counted(found) == expected


def test_sarif_refers_to_its_own_rules() -> None:
    run = json.loads(render_sarif(DIAGNOSTICS))["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [d.rule for d in DIAGNOSTICS]
    assert all(result["level"] in {"error", "warning", "note"} for result in run["results"])


def test_sarif_paths_are_uris() -> None:
    def uri(path: str) -> str:
        diagnostic = Diagnostic("r", "m", Span(path, 0, 1, 1, 1, 1, 2))
        result = json.loads(render_sarif([diagnostic]))["runs"][0]["results"][0]
        return str(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])

    assert uri("a b/ü#.guard") == "a%20b/%C3%BC%23.guard"
    assert uri("/srv/a.guard") == "file:///srv/a.guard"
    assert uri("C:\\policies\\a.guard") == "file:///C:/policies/a.guard"


# --- decisions ---------------------------------------------------------------------------------

PLACE = Place("refunds.guard", 4, 3, 4, 40)


def applied(
    effect: str, outcome: Outcome | None, label: str | None = None, message: str | None = None
) -> Applied:
    return Applied(effect, outcome, policy="refunds", label=label, message=message, place=PLACE)


DECISIONS = {
    "allow": Decision(Outcome.ALLOW, "sha256:00", (applied("allow", Outcome.ALLOW),)),
    "default": Decision(
        Outcome.DENY, "sha256:00", denial=lambda _: Denial("never", "the call of `x` is denied")
    ),
    "ask": Decision(
        Outcome.ASK,
        "sha256:00",
        (applied("ask", Outcome.ASK, "large"), applied("redact", None), applied("flag", None, "odd")),
        transforms=(
            Transform("redact", ("/note", ""), "refunds.guard:4:3"),
            Transform("only rows", (), "refunds.r"),
        ),
        payload={"note": "[REDACTED]"},
        obligations=(Obligation("flag", "refunds.odd", (("name", "odd"), ("sample", None))),),
        approvals=(
            Approval(("finance", "legal"), 2, 14_400.0, ("board",), "refunds.large"),
            Approval((), 1, None, (), "refunds.other"),
        ),
        shadow=(applied("deny", Outcome.DENY, "planned", "Will be denied."),),
        denial=lambda _: Denial("needs_approval", "needs approval by finance"),
    ),
    "deny": Decision(
        Outcome.DENY,
        "sha256:00",
        (
            applied("allow", Outcome.ALLOW),
            applied("require", Outcome.DENY, "own", "Only your own \x1b[2J customers.").by_error(),
        ),
        errors=(
            Failure("refunds.own", "missing", "`args.customer` is missing", PLACE),
            Failure("event", "type", "the arguments are a list", Place("<engine>", 0, 0, 0, 0)),
        ),
        denial=lambda _: Denial("change_arguments", "denied", {"args.amount": 500}),
    ),
    "halt": Decision(
        Outcome.HALT,
        "sha256:00",
        (applied("halt", Outcome.HALT),),
        denial=lambda _: Denial("retry_after", "x", None, 90.0),
    ),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decision_text(name: str) -> None:
    check_golden(f"decision-{name}.txt", render_decision(DECISIONS[name]))


def test_colored_decision() -> None:
    check_golden("decision-deny.ansi", render_decision(DECISIONS["deny"], color=True))


@pytest.mark.parametrize("name", ["ask", "deny"])
def test_decision_json(name: str) -> None:
    text = json.dumps(decision_as_json(DECISIONS[name]), indent=2, ensure_ascii=True) + "\n"
    check_golden(f"decision-{name}.json", text)


def test_every_decision_has_the_same_keys() -> None:
    shapes = {tuple(decision_as_json(decision)) for decision in DECISIONS.values()}
    assert len(shapes) == 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90.0, "90s"), (120.0, "2m"), (5_400.0, "90m"), (14_400.0, "4h"), (172_800.0, "2d"), (0.5, "0.5s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
