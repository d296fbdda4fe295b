"""Several files as one policy: `use`, parameters, the join with a baseline, shadow and defaults."""

from __future__ import annotations

from typing import Any

import pytest

from guardrails import Guard, Outcome, PolicyError

BASELINE = """
policy baseline
on call "*" { closed: deny when args.region == "embargo" because "Nobody ships there." }
on call pay { cap: require args.amount <= 1000 because "The house limit is 1000." }
"""


def test_a_team_cannot_loosen_the_baseline() -> None:
    team = "policy team\non call pay { allow }\n"
    both = Guard.from_text([("baseline.guard", BASELINE), ("team.guard", team)])
    session = both.session()
    assert session.check_call("pay", {"amount": 1000, "region": "eu"}).allowed
    refused = session.check_call("pay", {"amount": 1001, "region": "eu"})
    assert [reason.name for reason in refused.reasons] == ["baseline.cap"]
    assert session.check_call("pay", {"amount": 5, "region": "embargo"}).outcome is Outcome.DENY
    assert session.check_call("pay", {"amount": 5}).outcome is Outcome.DENY


def test_the_order_of_files_means_nothing() -> None:
    team = "policy team\non call pay { allow; ask finance when args.amount > 500 }\n"
    event = {"type": "call", "tool": "pay", "args": {"amount": 700, "region": "eu"}}
    one = Guard.from_text([("baseline.guard", BASELINE), ("team.guard", team)])
    two = Guard.from_text([("team.guard", team), ("baseline.guard", BASELINE)])
    assert one.decide(event) == two.decide(event)
    assert one.digest == two.digest


def test_a_used_file_is_part_of_the_policy_and_takes_parameters(tmp_path: Any) -> None:
    (tmp_path / "refunds.guard").write_text(
        "policy refunds\nparam max_refund: decimal = 100\non call refund { allow when args.amount <= max_refund }\n"
    )
    main = tmp_path / "main.guard"
    main.write_text('policy main\nuse "refunds.guard" with max_refund = 250\n')
    session = Guard.load(main).session()
    assert session.check_call("refund", {"amount": 250}).allowed
    assert not session.check_call("refund", {"amount": 251}).allowed


def problems(files: dict[str, str]) -> list[tuple[str, str]]:
    from guardrails.loading import load

    found = load([next(iter(files))], read=files.__getitem__).diagnostics
    return [(diagnostic.rule, diagnostic.message) for diagnostic in found]


def test_a_circle_of_files_is_an_error() -> None:
    found = problems({"a.guard": 'policy a\nuse "b.guard"\n', "b.guard": 'policy b\nuse "a.guard"\n'})
    assert found == [
        ("cyclic-use", "these files use each other in a circle: `a.guard` → `b.guard` → `a.guard`")
    ]


def test_a_file_used_twice_alike_is_used_once() -> None:
    files = {
        "a.guard": 'policy a\nuse "b.guard" with n = 1\nuse "c.guard"\n',
        "c.guard": 'policy c\nuse "b.guard" with n = 1\n',
        "b.guard": "policy b\nparam n: int = 0\non call x { allow when args.n == n }\n",
    }
    assert problems(files) == []
    files["c.guard"] = 'policy c\nuse "b.guard" with n = 2\n'
    assert [rule for rule, _ in problems(files)] == ["use-conflict"]


@pytest.mark.parametrize(
    ("text", "rule", "message"),
    [
        (
            'policy a\nuse "none.guard"\n',
            "unreadable-file",
            "`none.guard` cannot be read: there is no such file",
        ),
        (
            'policy a\nuse tools "none.json"\n',
            "unreadable-file",
            "`none.json` cannot be read: there is no such file",
        ),
        ('policy a\nuse "a2.guard" with nn = 1\n', "unknown-param", "there is no parameter `nn`"),
        (
            'policy a\nuse "a2.guard" with n = "x"\n',
            "wrong-type",
            "this is a string, but a whole number is expected here",
        ),
    ],
)
def test_what_cannot_be_used_is_an_error(text: str, rule: str, message: str) -> None:
    used = "policy a2\nparam n: int = 0\non call x { allow when args.n == n }\n"
    assert (rule, message) in problems({"a.guard": text, "a2.guard": used})


def outcome(text: str, event: dict[str, Any]) -> Any:
    return Guard.from_text(text).decide(event)


CALL = {"type": "call", "tool": "pay", "args": {"n": 5}}


@pytest.mark.parametrize(
    "text",
    [
        'policy a\non call pay { allow; shadow deny because "later" }\n',
        "policy a\non call pay { allow }\nshadow on call pay { deny }\n",
    ],
)
def test_shadow_is_recorded_and_changes_nothing(text: str) -> None:
    decision = outcome(text, CALL)
    assert decision.allowed
    assert [applied.effect for applied in decision.shadow] == ["deny"]
    assert [applied.effect for applied in decision.applied] == ["allow"]


def test_a_whole_file_can_be_in_shadow() -> None:
    decision = outcome("shadow policy a\non call pay { allow }\n", CALL)
    assert decision.outcome is Outcome.DENY
    assert [applied.effect for applied in decision.shadow] == ["allow"]


@pytest.mark.parametrize(
    ("text", "event", "expected"),
    [
        ("policy a\n", CALL, "deny"),
        ("policy a\ndefault call allow\n", CALL, "allow"),
        ("policy a\ndefault call ask ops\n", CALL, "ask"),
        ("policy a\ndefault call allow\ndefault call deny\n", CALL, "deny"),
        ("policy a\ndefault call allow\non call pay { deny when args.n > 4 }\n", CALL, "deny"),
        ("policy a\n", {"type": "output", "text": "x"}, "allow"),
        ("policy a\ndefault output deny\n", {"type": "output", "text": "x"}, "deny"),
        (
            "policy a\ndefault output deny\non output { allow when length(text) < 3 }\n",
            {"type": "output", "text": "x"},
            "allow",
        ),
        ("policy a\ndefault result ask\n", {"type": "result", "tool": "pay", "result": 1}, "ask"),
    ],
)
def test_defaults_hold_where_nothing_grants(text: str, event: dict[str, Any], expected: str) -> None:
    assert str(outcome(text, event).outcome) == expected


def test_wildcards_speak_of_tools_that_nobody_named() -> None:
    guard = Guard.from_text('policy a\non call "files.*" { allow when args.path within "/w" }\n')
    session = guard.session()
    assert session.check_call("files.read", {"path": "/w/a"}).allowed
    assert not session.check_call("files.read", {"path": "/etc/a"}).allowed
    assert not session.check_call("filesXread", {"path": "/w/a"}).allowed


def test_a_bad_file_name_is_said_once() -> None:
    with pytest.raises(PolicyError, match=r"none\.guard"):
        Guard.load("none.guard")
