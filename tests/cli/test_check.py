"""`guard check`: one event, its exit codes, and what it says about wrong input."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest
from command_line import ANA, Command, Result
from soaking import drawn


def decided(result: Result) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(result.out)
    return value


@pytest.mark.parametrize(
    ("amount", "outcome", "code"), [(40, "allow", 0), (400, "ask", 10), (4_000, "deny", 20)]
)
def test_the_outcome_is_the_exit_code(guard: Command, amount: int, outcome: str, code: int) -> None:
    result = guard.refund(amount)
    assert (result.code, result.out.splitlines()[0], result.err) == (code, outcome, "")
    as_json = guard.refund(amount, "--format", "json")
    assert (as_json.code, decided(as_json)["outcome"], as_json.err) == (code, outcome, "")


def test_halt_has_its_own_code(guard: Command) -> None:
    assert guard("check", "p.guard", "--call", "stop").code == 30


def test_what_no_statement_allows_is_denied(guard: Command) -> None:
    result = guard("check", "p.guard", "--call", "delete_all")
    assert result.code == 20
    assert "no statement that allows it applies" in result.out


def test_a_missing_principal_is_not_an_allow(guard: Command) -> None:
    result = guard(
        "check", "p.guard", "--call", "issue_refund", "--args", '{"customer_id": "c1", "amount": 1}'
    )
    assert result.code == 20
    assert "`principal.customers` is missing" in result.out


def test_reasons_are_named_with_their_places(guard: Command) -> None:
    result = guard.refund(4_000, customer="c9")
    assert "support.own_customer: require at p.guard:10:3" in result.out
    assert "Only your own customers." in result.out
    assert "Too much." in result.out


def test_a_result_is_checked_with_its_tool(guard: Command) -> None:
    words = (
        "check",
        "p.guard",
        "--call",
        "get_order",
        "--result",
        '{"id": 1, "card": "4111"}',
        "--format",
        "json",
    )
    result = guard(*words)
    assert (result.code, decided(result)["payload"]) == (0, {"id": 1})


def test_texts_are_checked(guard: Command) -> None:
    assert guard("check", "p.guard", "--input", "anything").code == 0
    result = guard("check", "p.guard", "--output", "card 4111111111111111", "--format", "json")
    assert (result.code, decided(result)["payload"]) == (0, "card [REDACTED]")
    assert guard("check", "p.guard", "--output", "the secret").code == 20


def test_the_time_of_the_event_counts(guard: Command) -> None:
    assert guard("check", "p.guard", "--call", "later", "--time", "2026-06-01T12:00:00Z").code == 0
    assert guard("check", "p.guard", "--call", "later", "--time", "2025-06-01T12:00:00Z").code == 20


def test_parameters_are_set(guard: Command) -> None:
    assert guard.refund(400, "--param", "max_refund=200").code == 20
    assert guard.refund(400, "--param", "max_refund=300", "--param", "max_refund=450").code == 10


def test_values_come_from_files(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "args.json").write_text('\ufeff{"customer_id": "c1", "amount": 40}')
    words = ("check", "p.guard", "--call", "issue_refund", "--args", "@args.json", f"--principal={ANA}")
    assert guard(*words).code == 0


def test_several_files_are_one_policy(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "base.guard").write_text("policy base\non call issue_refund { deny }\n")
    assert guard.refund(40, "base.guard").code == 20


def test_an_event_comes_on_standard_input(guard: Command) -> None:
    event = {"type": "call", "tool": "issue_refund", "args": {"customer_id": "c1", "amount": 40}}
    assert guard("check", "p.guard", "--principal", ANA, stdin=json.dumps(event)).code == 0
    assert (
        guard("check", "-", "p.guard", stdin=json.dumps({**event, "principal": {"customers": []}})).code == 20
    )


def test_an_event_says_more_than_an_option(guard: Command) -> None:
    event = {
        "type": "call",
        "tool": "issue_refund",
        "args": {"customer_id": "c1", "amount": 4},
        "principal": {},
    }
    assert guard("check", "p.guard", "--principal", ANA, stdin=json.dumps(event)).code == 20


# --- check: mistakes ---------------------------------------------------------------------------

USAGE = {
    ("check", "p.guard", "--call", "x", "--args"): "`--args` needs a value: JSON",
    ("check", "p.guard", "--cal", "x"): "did you mean `--call`?",
    ("check", "p.guard", "-x"): "`guard check` has no option `-x`",
    ("check", "p.guard", "call", "--call=x"): "there is no file `call`",
    ("check", "q.guard", "--call", "x"): "did you mean `p.guard`?",
    ("check", "--call", "x"): "a policy file is needed",
    ("check", "p.guard"): "there is no event on standard input",
    ("check", "p.guard", "--call", "x", "--call", "y"): "`--call` is given twice",
    ("check", "p.guard", "--call", "x", "--input", "y"): "`--call` and `--input` each give an event",
    ("check", "p.guard", "-", "--input", "y"): "`--input` and `-` each give an event",
    ("check", "p.guard", "--input", "x", "--args", "{}"): "`--args` goes with `--call`",
    ("check", "p.guard", "--result", "{}"): "`--result` goes with `--call`",
    ("check", "p.guard", "--call", "x", "--fail-on", "deny"): "`--fail-on` goes with `--events`",
    (
        "check",
        "p.guard",
        "--call",
        "x",
        "--format",
        "yaml",
    ): "`--format` is one of `text`, `json`, not `yaml`",
    ("check", "p.guard", "--call", "x", "--param", "7"): "`--param` takes NAME=VALUE",
    ("check", "p.guard", "--call", "x", "--param", "a=[1"): "`--param a` is not valid JSON",
    ("check", "p.guard", "--call", "x", "--args", "{"): "`--args` is not valid JSON: line 1, column 2",
    ("check", "p.guard", "--call", "x", "--args", ""): "`--args` is not valid JSON",
    ("check", "p.guard", "--call", "x", "--args", '{"a": 1} {}'): "something follows the end",
    ("check", "p.guard", "--call", "x", "--args", '{"a": {"b": NaN}}'): "line 1, column 13, in /a/b",
    ("check", "p.guard", "--call", "x", "--args", '{"a": 1, "a": 2}'): "the key `a` stands twice",
    ("check", "p.guard", "--call", "x", "--args", '{"a": "\ud800"}'): "`--args` is not UTF-8 text",
    ("check", "p.guard", "--call", "x", "--args", "[]"): "`args` must be an object (at /args)",
    ("check", "p.guard", "--call", "x", "--principal", "7"): "`principal` must be an object",
    ("check", "p.guard", "--call", "x", "--args", "@no.json"): "there is no file `no.json`",
    ("check", "p.guard", "--call", "x", "--time", "noon"): "`time` cannot be read",
    ("check", "p.guard", "--call", ""): "`--call` needs the name of a tool",
    ("check", "p.guard", "--events", "no.jsonl"): "there is no file `no.jsonl`",
}


@pytest.mark.parametrize("words", USAGE, ids=lambda words: " ".join(words[1:])[:40])
def test_a_wrong_command_line_is_a_usage_error(guard: Command, words: tuple[str, ...]) -> None:
    result = guard(*words)
    assert (result.code, result.out) == (64, "")
    assert USAGE[words] in result.err
    assert result.err.startswith("error: ")


MALFORMED = {
    "": (64, "there is no event"),
    "{": (65, "`standard input` is not valid JSON: line 1, column 2"),
    '{"type": "call", "tool": "stop", "args": {}}\n{}': (65, "line 2, column 1"),
    "[]": (65, "an event is a JSON object"),
    "{}": (65, "an event has a `type`"),
    '{"type": "cal", "tool": "stop", "args": {}}': (65, "did you mean `call`?"),
    '{"type": "call", "tool": 7, "args": {}}': (65, "`tool` must be a string (at /tool)"),
    '{"type": "call", "tool": "stop"}': (65, "needs `args`"),
    '{"type": "call", "tool": "stop", "args": {}, "usr": 1}': (65, "has no field `usr`"),
}


@pytest.mark.parametrize("text", MALFORMED)
def test_a_malformed_event_is_not_decided(guard: Command, text: str) -> None:
    code, message = MALFORMED[text]
    result = guard("check", "p.guard", stdin=text)
    assert (result.code, result.out) == (code, "")
    assert message in result.err


def test_input_that_is_not_utf8_is_malformed(guard: Command) -> None:
    result = guard("check", "p.guard", stdin=b'{"type": "\xff"}')
    assert result.code == 65
    assert "`standard input` is not UTF-8 text: byte 11 is wrong" in result.err


def test_a_policy_that_does_not_load_has_its_own_code(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.guard").write_text("policy bad\non call x { allow when args.a >  }\n")
    result = guard("check", "bad.guard", "--call", "x")
    assert (result.code, result.out) == (66, "")
    assert "--> bad.guard:2:" in result.err
    assert "1 error" in result.err


def test_an_unknown_parameter_does_not_load(guard: Command) -> None:
    result = guard.refund(40, "--param", "max_refnd=1")
    assert result.code == 66
    assert "did you mean `max_refund`?" in result.err


def test_a_folder_is_no_value(guard: Command, tmp_path: Path) -> None:
    result = guard("check", "p.guard", "--call", "x", "--args", f"@{tmp_path}")
    assert result.code == 74
    assert "is a directory" in result.err


def test_guards_own_mistakes_have_their_own_code(guard: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("this was not foreseen")

    monkeypatch.setattr("guardrails.guard.Guard.decide", broken)
    result = guard("check", "p.guard", "--call", "x")
    assert (result.code, result.out) == (70, "")
    assert "this was not foreseen" in result.err
    assert "Traceback" not in result.err
    monkeypatch.setenv("GUARD_DEBUG", "1")
    assert "Traceback" in guard("check", "p.guard", "--call", "x").err


WORDS = (
    "p.guard", "q.guard", ".", "-", "--", "--call", "--args", "--result", "--input", "--output", "--events", "--format",
    "json", "--principal", "--session", "--time", "--param", "max_refund=5", "--fail-on", "deny", "--call=stop", "mail.x",
    "{}", '{"to": "a@acme.com"}', "[", "@p.guard", "", "\x00", "\ud800", "\udcff", "--agent={}", "--x=1",
)  # fmt: skip
EVENTS = (
    b"",
    b"{}",
    b"\xff",
    b'{"type": "input", "text": "hello"}',
    b'{"type": "call", "tool": "stop", "args": {}}',
)


def test_no_command_line_crashes_or_allows_by_accident(guard: Command) -> None:
    """Random words end with a documented code, and with 0 only where an allow is on the output."""
    rng = Random(7)
    for _ in range(drawn(400)):
        words = [rng.choice(WORDS) for _ in range(rng.randrange(1, 7))]
        stdin = rng.choice(EVENTS)
        result = guard("check", *(["p.guard"] if rng.random() < 0.7 else []), *words, stdin=stdin)
        assert result.code in {0, 10, 20, 30, 64, 65, 66, 74}, (words, stdin, result.err)
        if result.code == 0 and "--events" not in words:
            assert result.out.startswith(("allow\n", '{"outcome": "allow"')), words
