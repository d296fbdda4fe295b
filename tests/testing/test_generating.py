"""Generated cases: they are added, never changed; each holds; they lie at the edges; a second run adds nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails.testing import read_suite, run_suite
from guardrails.testing.generating import NOTE, empty_suite, ends_in_cases, generated, written
from guardrails.testing.reading import suite_of
from guardrails.testing.writing import case_text, flow
from guardrails.testing.yaml_tree import parse_yaml

DATA = Path(__file__).parent / "data"
PACKS = DATA.parents[2] / "policies"

EDGES = """\
policy edges
use tools "tools.json"
on call pay {
  allow
  most: deny when args.amount > 100
  who: require args.customer == "c1"
  pair: deny when args.amount > 50 and args.customer == "c2"
  often: limit 2 per 1d
}
on output { words: redact /[0-9]{4}/ }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copytree(DATA, tmp_path, dirs_exist_ok=True)
    (tmp_path / "edges.guard").write_text(EDGES)
    return tmp_path


def made(folder: Path) -> dict[str, dict[str, Any]]:
    suite = empty_suite(str(folder / "edges.guard"))
    return {case.name: case.as_data(suite) for case in generated(suite)}


def test_edges_of_comparisons_are_found(folder: Path) -> None:
    cases = made(folder)
    assert cases["pay: most applies"]["args"]["amount"] == 100.01
    assert cases["pay: most just does not apply"]["args"]["amount"] == 100
    assert cases["pay: who applies"]["args"]["customer"] != "c1"
    pair = cases["pay: pair applies"]["args"]
    assert (pair["customer"], pair["amount"] > 50) == ("c2", True)


def test_every_statement_with_a_label_has_a_case(folder: Path) -> None:
    labels = {
        label
        for case in made(folder).values()
        for step in case.get("steps", [case])
        for label in step["expect"]["applied"]
    }
    assert labels == {"most", "who", "pair", "often", "words"}


def test_a_limit_is_filled_and_then_refuses(folder: Path) -> None:
    steps = made(folder)["pay: often after 2"]["steps"]
    assert [(step.get("repeat", 1), step["expect"]["outcome"]) for step in steps] == [
        (2, "allow"),
        (1, "deny"),
    ]
    assert "often" in steps[1]["expect"]["applied"]


def test_fields_are_left_out_and_mistyped(folder: Path) -> None:
    cases = made(folder)
    assert cases["pay without args.amount"]["expect"]["errors"] == ["missing"]
    assert cases["pay with args.amount of another type"]["expect"]["errors"] == ["type"]


def test_thresholds_have_a_case_on_each_side_of_each_step(folder: Path) -> None:
    suite = read_suite(str(DATA / "good.yaml"))
    amounts = [
        case.as_data(suite)["args"]["amount"]
        for case in generated(suite)
        if " size with args.amount" in case.name
    ]
    tested = [
        case.steps[0].value["args"].get("amount")
        for case in suite.cases
        if case.steps[0].value.get("tool") == "pay"
    ]
    assert {50, 50.01, 500, 500.01} <= {*amounts, *tested}


def test_they_are_added_once_and_nothing_is_changed(folder: Path, command: Callable[..., Any]) -> None:
    policy, file = folder / "edges.guard", folder / "edges.test.yaml"
    assert command("test", str(policy), "--generate").code == 0
    first = file.read_text(encoding="utf-8")
    assert first.count(f"# {NOTE}") == first.count("- name:") > 8
    assert command("test", str(file)).code == 0
    again = command("test", str(file), "--generate")
    assert f"{file}: 0 cases added\n" in again.out
    assert file.read_text(encoding="utf-8") == first
    policy.write_text(EDGES.replace("> 100", "> 200"))
    assert command("test", str(file)).code == 1


@pytest.mark.parametrize("pack", ["support", "banking"])
def test_packs_get_cases_that_hold_behind_their_own(pack: str) -> None:
    suite = read_suite(str(PACKS / pack / f"{pack}.test.yaml"))
    text, count = written(suite)
    whole = suite_of(text, suite.file)
    assert text.startswith(suite.text)
    assert len(whole.cases) == len(suite.cases) + count
    assert {result.status for result in run_suite(whole)} == {"passed"}
    assert written(whole) == (text, 0)


def test_a_file_that_cases_cannot_be_added_to_is_left_alone(
    folder: Path, command: Callable[..., Any]
) -> None:
    file = folder / "edges.test.yaml"
    file.write_text("cases: [{name: a, call: pay, expect: deny}]\npolicy: edges.guard\n")
    result = command("test", str(file), "--generate")
    assert result.code == 64
    assert "its last key" in result.err
    assert not ends_in_cases("cases:\n  - a\nnow: x\n")
    assert ends_in_cases("policy: x\ncases:\n  # c\n  - a\n")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.text(max_size=8)
    | st.sampled_from(["no", "1:3", "- a", "<<"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_values_are_read_as_they_were_written(value: Any) -> None:
    root, found = parse_yaml(f"a: {flow(value)}\n", "x")
    assert found == []
    assert root is not None
    assert root.plain() == {"a": value}
    block, found = parse_yaml(
        "cases:\n" + case_text({"name": "x", "args": {"long": "y" * 120, "v": value}}, note="n"), "x"
    )
    assert found == []
    assert block is not None
    assert block.plain()["cases"][0]["args"]["v"] == value
