"""What stands around approvals that are good for more calls: tests of policies, mutants, replay, lint, cache and log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from approving import MORE, NOW, REVIEWERS, asked_for, guard_of, session_of

from guardrails import Guard
from guardrails.cache import load_program, save_program
from guardrails.language.formatter import format_text
from guardrails.language.parser import parse
from guardrails.lint import lint_text
from guardrails.loading import load
from guardrails.runtime.clock import FrozenClock
from guardrails.state import State
from guardrails.testing.mutation_bench import more_expected
from guardrails.testing.mutation_operators import mutants_of
from guardrails.testing.mutation_samples import differs
from guardrails.testing.reading import suite_of
from guardrails.testing.replay_changes import Teller
from guardrails.testing.running import run_suite

PAY = "on call pay { ask finance within 1h for 3 calls in session, args.amount up to 200 each }"
WIDER = [
    PAY.replace("for 3", "for 4"),
    PAY.replace(", args.amount up to 200 each", ""),
    PAY.replace("200", "201"),
]


# --- tests of policies -------------------------------------------------------------------------


def results(tmp_path: Path, approvals: str, policy: str = PAY) -> list[bool]:
    (tmp_path / "p.guard").write_text(policy)
    text = "policy: p.guard\ncases:\n  - name: a\n    call: pay\n    args: {amount: 1}\n    expect:\n      outcome: ask\n"
    suite = suite_of(f"{text}      approvals: [{approvals}]\n", str(tmp_path / "p.test.yaml"))
    return [result.is_bad for result in run_suite(suite)]


@pytest.mark.parametrize(
    ("approvals", "is_bad"),
    [
        ('{reviewers: [finance], calls: 3, up_to: ["args.amount up to 200 each"]}', False),
        ("{calls: 3}", False), ("{reviewers: [finance]}", False), ("{calls: 2}", True), ("{calls: 1}", True),
        ("{up_to: []}", True), ('{up_to: ["args.amount up to 201 each"]}', True),
    ],
)  # fmt: skip
def test_a_test_can_say_how_far_an_approval_goes(tmp_path: Path, approvals: str, is_bad: bool) -> None:  # noqa: FBT001
    assert results(tmp_path, approvals) == [is_bad]


def test_a_test_can_say_that_it_is_for_one_call(tmp_path: Path) -> None:
    plain = "on call pay { ask finance within 1h }"
    assert results(tmp_path, "{calls: 1, up_to: []}", plain) == [False]
    assert results(tmp_path, "{calls: 2}", plain) == [True]


def decision_of(policy: str) -> Any:
    return Guard.from_text(policy).session(id="s").check_call("pay", {"amount": 1})


@pytest.mark.parametrize("wider", WIDER)
def test_a_wider_approval_is_a_mutant_that_a_written_test_notices(tmp_path: Path, wider: str) -> None:
    file, _ = parse(PAY, "p.guard")
    assert file is not None
    made = {format_text(mutant.applied(PAY), "p.guard")[0] for mutant in mutants_of(file)}
    assert format_text(wider, "p.guard")[0] in made
    assert differs(decision_of(PAY), decision_of(wider))
    (written,) = more_expected(decision_of(PAY))["approvals"]
    wanted = f"{{calls: {written['calls']}, up_to: [{', '.join(written['up_to'])}]}}"
    assert results(tmp_path, wanted) == [False]
    assert results(tmp_path, wanted, wider) == [True]


def test_replay_tells_a_wider_approval_from_a_narrow_one() -> None:
    told = [
        Teller(Guard.from_text(policy)).told(decision_of(policy)).parts
        for policy in ("on call pay { ask finance within 1h }", PAY, *WIDER)
    ]
    assert len(set(told)) == len(told)


# --- lint --------------------------------------------------------------------------------------


def found_by(policy: str) -> list[str]:
    return [f"{d.span.line}:{d.span.column}" for d in lint_text(policy).diagnostics if d.code == "G126"]


@pytest.mark.parametrize(
    ("bounds", "is_idle"),
    [
        ("args.n up to 5 each, args.n up to 10 total", False), ("args.n up to 5 each, args.n up to 5 total", True),
        ("args.n up to 9 total, args.n up to 10 each", True), ("args.n up to 5 each, args.n up to 15 total", True),
        ("args.n up to 5 each, args.n up to 14 total", False), ("args.n up to 5 each, args.m up to 15 total", False),
        ("args.n up to top each, args.n up to 10 total", False), ("args.n up to 5 each", False),
    ],
)  # fmt: skip
def test_a_bound_that_another_one_makes_idle_is_found(bounds: str, is_idle: bool) -> None:  # noqa: FBT001
    policy = f"param top: int = 50\non call pay {{ ask finance within 1h for 3 calls in session, {bounds} }}"
    assert len(found_by(policy)) == is_idle


@pytest.mark.parametrize(
    ("bound", "lines"),
    [
        ("args.n up to 300 each", 0), ("args.n up to 500 each", 1), ("args.n up to 900 each", 1),
        ("args.n up to 900 total", 0), ("args.n up to 100 each", 1), ("args.n up to 100 total", 1),
        ("args.m up to 900 each", 0), ("args.n up to 101 each", 0),
    ],
)  # fmt: skip
def test_a_bound_that_a_row_makes_idle_is_found(bound: str, lines: int) -> None:
    rows = f"up to 100: allow; up to 500: ask finance within 1h for 3 calls in session, {bound}; above: deny"
    assert len(found_by(f"on call pay {{ threshold args.n {{ {rows} }} }}")) == lines


# --- cache and log -----------------------------------------------------------------------------


def test_a_cached_program_goes_as_far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    Path("p.guard").write_text(MORE)
    fresh = load(["p.guard"])
    assert fresh.program is not None
    save_program(["p.guard"], {}, fresh.program, fresh.sources.texts)
    program = load_program(["p.guard"], {})
    assert program is not None
    guard = Guard(program, state=State("memory:"), clock=FrozenClock(NOW), reviewers=REVIEWERS)
    session = session_of(guard)
    request = asked_for(session, "pay", {"amount": 1})
    guard.approvals.approve(request, by="ana")
    calls = [session.check_call("pay", {"amount": amount}) for amount in (201, 200, 2, 3, 4)]
    assert [call.approval for call in calls] == [None, request, request, request, None]


def test_the_audit_log_says_what_was_approved(tmp_path: Path) -> None:
    guard = guard_of(f"sqlite://{tmp_path}/s.db", MORE, audit=f"sqlite://{tmp_path}/log.db")
    for id, once in (("s1", False), ("s2", True)):
        request = asked_for(session_of(guard, id), "pay", {"amount": 1})
        guard.approvals.approve(request, by="ana", once=once)
        assert session_of(guard, id).check_call("pay", {"amount": 1}).approval == request
    assert guard.audit is not None
    guard.audit.flush()
    records = [json.loads(line) for part in guard.audit.home.parts() for line in part.lines]
    facts = [record["facts"] for record in records if (record.get("facts") or {}).get("what") == "approve"]
    assert [fact["good for"] for fact in facts] == [
        "3 calls of pay in this session, args.amount up to 200 each, args.amount up to 500 total",
        "this one call, once",
    ]
