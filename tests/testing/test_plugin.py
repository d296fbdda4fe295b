"""The plugin of pytest, in a run of its own: what it collects, its fixtures, and what its failures look like."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree

import pytest

DATA = Path(__file__).parent / "data"

MODULE = """\
import pytest
from guardrails.testing import assert_decision

@pytest.mark.policy("shop.guard", functions=[], principal={"id": "ana", "customers": ["c1"]})
def test_no_function(guard):
    pass

@pytest.mark.policy("plain.guard", params={"most": 5}, principal={"id": "ana"})
def test_session(session, guard, frozen_clock):
    assert_decision(session.check_call("pay", {"amount": 5}), outcome="allow")
    assert_decision(session.check_call("pay", {"amount": 5}), outcome="deny", by=["often"])
    frozen_clock.advance(86_400_000_000)
    assert_decision(session.check_call("pay", {"amount": 5}), outcome="allow")
    assert guard.name == "plain"

def test_ini(session):
    assert_decision(session.check_call("pay", {"amount": 99}), outcome="allow")

def test_shown(session):
    assert_decision(session.check_call("pay", {"amount": 101}), outcome="allow", by=[])
"""
PLAIN = """\
policy plain
param most: decimal = 100
on call pay {
  size: allow when args.amount <= most
  often: limit 1 per 1d
}
"""


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("plugin")
    copytree(DATA, folder, dirs_exist_ok=True)
    (folder / "good.yaml").rename(folder / "good.test.yaml")
    (folder / "bad.yaml").rename(folder / "bad.test.yaml")
    (folder / "typo.test.yaml").write_text("policy: shop.guard\ncasse: []\n")
    (folder / "unloadable.test.yaml").write_text(
        "policy: no.guard\ncases: [{name: a, call: b, expect: deny}]\n"
    )
    (folder / "plain.guard").write_text(PLAIN)
    (folder / "test_it.py").write_text(MODULE)
    (folder / "pytest.ini").write_text(
        "[pytest]\nguard_policy = plain.guard\naddopts = --strict-markers -p no:cacheprovider\n"
    )
    words = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "guardrails.testing.plugin",
        "-rA",
        "--tb=short",
        "--continue-on-collection-errors",
    ]
    ran = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    return ran.stdout


def test_cases_are_collected_with_their_marks(output: str) -> None:
    assert "PASSED good.test.yaml::eight at once" in output
    assert "PASSED good.test.yaml::of an amount (amount 500.01, outcome deny)" in output
    assert "XFAIL good.test.yaml::without an amount - the requirement of the customer" in output
    assert "SKIPPED [1] good.test.yaml" in output
    assert "the tool is not there yet" in output


def test_a_failure_shows_the_difference_and_no_traceback(output: str) -> None:
    assert "FAILED bad.test.yaml::another outcome" in output
    assert 'at /tier: missing, expected "gold"' in output
    assert "FAILED bad.test.yaml::out of date" in output
    assert "running.py" not in output


def test_files_that_cannot_be_run_are_errors(output: str) -> None:
    assert "ERROR typo.test.yaml" in output
    assert "did you mean `cases`?" in output
    assert "ERROR unloadable.test.yaml" in output
    assert "no.guard` cannot be read" in output


def test_fixtures_follow_the_mark_or_the_ini_file(output: str) -> None:
    assert "PASSED test_it.py::test_session" in output
    assert "PASSED test_it.py::test_ini" in output
    assert "ERROR test_it.py::test_no_function" in output


def test_assertions_say_what_is_different(output: str) -> None:
    assert "FAILED test_it.py::test_shown" in output
    assert "expected allow" in output
    assert "no statement applied" in output
