"""What the runner and the reports make of cases: `data/good.yaml` passes, `data/bad.yaml` fails as
`data/failures.txt` shows, in every form."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from guardrails import Guard
from guardrails.model import Decision
from guardrails.testing import assert_decision, read_suite, run_suite
from guardrails.testing.comparing import differences, same
from guardrails.testing.files import Choice, reports_of
from guardrails.testing.reporting import Report, render_junit, render_tap, render_text
from guardrails.testing.running import maker_of

DATA = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(DATA)


def reports(name: str, **choice: Any) -> list[Report]:
    return list(reports_of([name], Choice(**choice)))


def statuses(report: Report) -> dict[str, str]:
    return {result.case: result.status for result in report.results}


def test_what_is_true_passes() -> None:
    (report,) = reports("good.yaml")
    others = {name: status for name, status in statuses(report).items() if status != "passed"}
    assert others == {"without an amount": "xfailed", "not now": "skipped"}, render_text([report])


def test_failures_are_shown_with_the_smallest_difference() -> None:
    shown = render_text(reports("bad.yaml"))
    if os.environ.get("GUARD_GOLDEN") == "write":
        (DATA / "failures.txt").write_text(shown, encoding="utf-8")
    assert shown == (DATA / "failures.txt").read_text(encoding="utf-8")


def test_every_bad_case_is_bad_and_every_way_to_fail_is_there() -> None:
    (report,) = reports("bad.yaml")
    assert all(result.is_bad for result in report.results)
    aspects = {each.aspect for r in report.results for f in r.failures for each in f.mismatches}
    assert aspects >= {"outcome", "message", "errors", "payload", "limits.often", "outcomes", "approvals"}


def test_cases_know_nothing_of_each_other() -> None:
    """Run backwards, and twice, each case comes out the same."""
    suite = read_suite("good.yaml")
    make = maker_of(suite)
    there = {each.case: each.status for each in run_suite(suite, make=make)}
    from dataclasses import replace

    backwards = replace(suite, cases=suite.cases[::-1] * 2)
    assert all(there[each.case] == each.status for each in run_suite(backwards, make=make))


def test_a_store_may_be_shared_and_another_guard_may_be_tested(tmp_path: Path) -> None:
    (tmp_path / "p.guard").write_text("on call a { allow\n  often: limit 1 per 1d }\n")
    (tmp_path / "p.test.yaml").write_text(
        "policy: p.guard\nstore: shared\ncases:\n- {name: first, call: a, expect: allow}\n"
        "- {name: second, call: a, expect: {outcome: deny, by: often}}\n"
    )
    suite = read_suite(str(tmp_path / "p.test.yaml"))
    assert [each.status for each in run_suite(suite)] == ["passed", "passed"]
    other = Guard.from_text("on call a { deny }")
    assert [each.status for each in run_suite(suite, make=lambda: other)] == ["failed", "failed"]


def test_who_watches_is_told_of_every_event() -> None:
    seen: list[tuple[str, str]] = []

    def watch(event: Any, decision: Decision) -> None:
        seen.append((event["type"], decision.outcome.value))

    run_suite(read_suite("good.yaml"), watch=watch)
    assert seen.count(("call", "deny")) >= 5
    assert ("output", "allow") in seen


@pytest.mark.parametrize(
    ("words", "names"), [("QUICK", ["small"]), ("eight", ["eight at once"]), ("zzz", [])]
)
def test_a_filter_looks_at_names_and_tags(words: str, names: list[str]) -> None:
    (report,) = reports("good.yaml", words=words)
    assert [result.case for result in report.results] == names


def test_fail_fast_stops_at_the_first_failure() -> None:
    found = list(reports_of(["bad.yaml", "good.yaml"], Choice(fail_fast=True)))
    assert [len(report.results) for report in found] == [1]


def test_processes_give_the_same_reports_in_the_same_order() -> None:
    one = list(reports_of(["good.yaml", "bad.yaml"], Choice()))
    two = list(reports_of(["good.yaml", "bad.yaml"], Choice(), jobs=2))
    assert render_text(one) == render_text(two)


def test_junit_and_tap_count_alike() -> None:
    found = [
        *reports("good.yaml"),
        *reports("bad.yaml"),
        Report("x.yaml", error="no such thing", kind="policy"),
    ]
    root = ElementTree.fromstring(render_junit(found))
    good, bad, broken = root.findall("testsuite")
    assert (good.get("failures"), good.get("skipped"), broken.get("errors")) == ("0", "2", "1")
    assert bad.get("failures") == str(len(bad.findall("testcase/failure"))) == bad.get("tests")
    lines = render_tap(found).splitlines()
    points = [line for line in lines if not line.startswith("#")]
    number = sum(len(report.results) for report in found) + 1
    assert points[:2] == ["TAP version 13", f"1..{number}"]
    assert len(points) == number + 2
    assert (
        sum(line.startswith("not ok") and "# TODO" not in line for line in points)
        == int(bad.get("tests", 0)) + 1
    )


# --- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["good.yaml"], 0, "14 passed, 1 failed as expected, 1 skipped"),
        (["bad.yaml"], 1, "12 failed, 1 passed unexpectedly"),
        (["good.yaml", "--filter", "zzz"], 64, "no case fits `--filter zzz`"),
        (["no.yaml"], 64, "there is no file `no.yaml`"),
        (["."], 64, "there is no `*.test.yaml` file here"),
        (["shop.guard"], 64, "`shop.guard` has no tests: there is no `shop.test.yaml`"),
        (["ship.guard"], 64, "did you mean `shop.guard`?"),
        (["tools.json"], 65, "the file names no policy"),
        (["good.yaml", "--jbos", "2"], 64, "did you mean `--jobs`?"),
    ],
)
def test_exit_codes(words: list[str], code: int, said: str, command: Callable[..., Any]) -> None:
    result = command("test", *words)
    assert (result.code, said in result.out + result.err) == (code, True), result


def test_a_policy_stands_for_the_tests_beside_it(tmp_path: Path, command: Callable[..., Any]) -> None:
    (tmp_path / "p.guard").write_text("on call pay { deny }\n")
    (tmp_path / "p.test.yaml").write_text("policy: p.guard\ncases: [{name: a, call: pay, expect: deny}]\n")
    result = command("test", str(tmp_path / "p.guard"))
    assert (result.code, result.out) == (0, "1 passed\n")


def test_a_policy_that_does_not_load_is_shown_and_the_others_are_run(
    tmp_path: Path, command: Callable[..., Any]
) -> None:
    case = "cases: [{name: a, call: pay, expect: deny}]\n"
    (tmp_path / "p.guard").write_text("on call pay { alow }\n")
    (tmp_path / "p.test.yaml").write_text(f"policy: p.guard\n{case}")
    (tmp_path / "q.guard").write_text("on call pay { deny }\n")
    (tmp_path / "q.test.yaml").write_text(f"policy: q.guard\n{case}")
    result = command("test", str(tmp_path))
    assert result.code == 66
    assert "did you mean `allow`?" in result.out
    assert "1 passed, 1 file with errors" in result.out


def test_json_has_everything(command: Callable[..., Any]) -> None:
    result = json.loads(command("test", "bad.yaml", "--format", "json").out)
    assert result["counts"]["failed"] == 12
    first = result["files"][0]["cases"][0]
    assert first["failures"][0]["mismatches"][0] == {
        "aspect": "outcome", "expected": "allow", "got": "ask", "diff": []
    }  # fmt: skip


def test_the_schema_is_printed(command: Callable[..., Any]) -> None:
    result = command("test", "--schema")
    assert result.code == 0
    assert json.loads(result.out)["title"].startswith("Tests of a Guard policy")


def test_watching_runs_again_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from guardrails.cli import test as testing

    policy, tests = tmp_path / "p.guard", tmp_path / "p.test.yaml"
    policy.write_text("on call a { allow }\n")
    tests.write_text("policy: p.guard\ncases: [{name: a, call: a, expect: allow}]\n")

    def change(_: float) -> None:
        policy.write_text("on call a { deny }\n")
        os.utime(policy, ns=(1, 1))

    monkeypatch.setattr(testing, "sleep", change)
    plan = testing.Plan((str(tests),), Choice(), "text", 1)
    assert testing.watched(plan, lambda: plan.files, rounds=2) == 1
    out = capsys.readouterr().out
    assert out.index("1 passed") < out.index("1 failed")


# --- comparing ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "is_same"),
    [
        (1, 1.0, True), (1, True, False), (0.1, Decimal("0.1"), True), ("1", 1, False), (None, False, False),
        ([1, 2], (1, 2), True), ([1, 2], [2, 1], False), ({"a": 1}, {"a": 1, "b": None}, False),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, True), (float("nan"), 1, False),
    ],
)  # fmt: skip
def test_values_are_the_same_as_json(left: Any, right: Any, is_same: object) -> None:
    assert same(left, right) is is_same
    assert bool(differences({"x": left}, {"x": right})) is not is_same


def test_assert_decision_takes_what_a_file_takes_and_nothing_else() -> None:
    guard = Guard.from_text("on call a { no: deny when args.n > 1\n  allow }")
    decision = guard.decide({"type": "call", "tool": "a", "args": {"n": 2}})
    assert_decision(
        decision, outcome="deny", by=["no"], applied_at_least="no", message={"contains": "denied"}
    )
    with pytest.raises(AssertionError, match=r"expected allow\n +got +deny"):
        assert_decision(decision, outcome="allow")
    with pytest.raises(TypeError, match="did you mean `outcome`"):
        assert_decision(decision, outcom="deny")
    with pytest.raises(TypeError, match="needs something"):
        assert_decision(decision)
    broken = guard.decide({"type": "call", "tool": "a", "args": {}})
    with pytest.raises(AssertionError, match="missing"):
        assert_decision(broken, outcome="deny")
    assert_decision(broken, outcome="deny", errors="missing")
