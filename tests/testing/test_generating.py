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
    assert {result.status for result in run_suite(whole)[len(suite.cases) :]} == {"passed"}
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


# --- tools that nobody described ---------------------------------------------------------------

STRANGE = """\
policy strange
type principal { id: string; tier: "gold" | "silver" }
let is_internal(to: email) = to.domain in {"acme.com"}
on call pay {
  known: require args.customer.id == principal.id
  size: threshold args.payment.amount { up to 100: allow; up to 500: ask finance; above: deny because "Too much." }
  value: limit sum(args.payment.amount) to 250 per 1d
}
on call send {
  inside: allow when all to in args.to: is_internal(to)
  many: deny when count(args.to) > 3
  urgent: flag urgent when args.subject matches /(?i)urgent/
}
on call order {
  items: require all i in args.items: i.price <= 50
  fine: allow
  late: deny when now - time(args.placed_at) > 2d
}
on call query { reads: allow when sql.tables(args.sql) <= {"orders"} }
on call read { work: allow when args.path within "/workspace" }
on call "admin.*" { sure: allow when args.confirm }
on result rows { own: only rows where row.tenant == principal.id }
on result one { some: only fields id, name; mail: redact pii(EMAIL_ADDRESS) in result.note }
on input { attack: deny when injection(text) >= 0.9 }
"""


@pytest.fixture
def strange(tmp_path: Path) -> Path:
    (tmp_path / "strange.guard").write_text(STRANGE, encoding="utf-8")
    return tmp_path


def steps_of(folder: Path) -> dict[str, Any]:
    suite = empty_suite(str(folder / "strange.guard"))
    return {case.name: case.as_data(suite) for case in generated(suite)}


def test_statements_about_tools_that_nobody_described_apply_and_just_do_not(strange: Path) -> None:
    cases = steps_of(strange)
    labels = {name: set(case.get("expect", {}).get("applied", ())) for name, case in cases.items()}
    for tool, label in (
        ("pay", "known"), ("send", "inside"), ("send", "many"), ("send", "urgent"), ("order", "items"), ("order", "late"),
        ("query", "reads"), ("read", "work"), ("admin.x", "sure"), ("input", "attack"),
    ):  # fmt: skip
        of_tool = [applied for name, applied in labels.items() if name.split(":")[0].split(" ")[0] == tool]
        assert any(label in applied for applied in of_tool), label
        assert any(label not in applied for applied in of_tool), label


def test_their_fields_are_where_the_policy_reads_them(strange: Path) -> None:
    cases = steps_of(strange)
    assert {"order: items applies", "rows: own applies", "pay: value after 2"} <= cases.keys()
    assert cases["order: items applies"]["args"]["items"] == [{"price": 50.01}]
    assert cases["order: items just does not apply"]["args"]["items"] == [{"price": 50}]
    assert cases["order: late applies"]["args"]["placed_at"] == "2025-12-30T11:59:59Z"
    assert len(cases["send: many applies"]["args"]["to"]) == 4
    sizes = {len(case["args"]["to"]) for name, case in cases.items() if name.startswith("send: ")}
    assert {3, 4} <= sizes
    paid = [case["args"].get("payment", {}) for case in cases.values() if case.get("call") == "pay"]
    amounts = {payment.get("amount") for payment in paid}
    assert {100, 100.01, 500, 500.01} <= amounts
    assert cases["pay without args.customer.id"]["args"]["customer"] == {}


def test_a_new_file_names_its_principal_once_and_is_the_same_every_time(
    strange: Path, command: Callable[..., Any]
) -> None:
    policy, file = strange / "strange.guard", strange / "strange.test.yaml"
    texts = []
    for _ in range(2):
        file.unlink(missing_ok=True)
        assert command("test", str(policy), "--generate").code == 0
        texts.append(file.read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert texts[0].count("somebody: {id: a, tier: gold}") == 1
    assert command("test", str(file)).code == 0
    assert ": 0 cases added\n" in command("test", str(file), "--generate").out


def test_a_principal_that_nobody_described_is_read_as_it_is_used(tmp_path: Path) -> None:
    policy = (
        'policy p\non call go { gold: allow when principal.tier == "gold" and principal.limits.calls > 3 }\n'
    )
    (tmp_path / "strange.guard").write_text(policy, encoding="utf-8")
    cases = steps_of(tmp_path)
    assert cases["go: gold applies"]["principal"] == {"tier": "gold", "limits": {"calls": 3.01}}


# --- where values came from, and tasks ---------------------------------------------------------

LABELLED = """\
policy strange
on call get_order, pay, send { allow }
on result get_order { label records, confidential }
on call pay { payee: require origin(args.iban) in {user, records} because "Named by nobody." }
on call send { stranger: ask when origin(args.to) is untrusted }
flow confidential to call send because "It stays here."
task refund(order: string, most: decimal) {
  only call get_order, pay
  on call pay { same: require args.order == order; value: require args.amount <= most }
}
"""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    (tmp_path / "strange.guard").write_text(LABELLED, encoding="utf-8")
    return tmp_path


def test_values_come_in_before_the_call_that_is_asked_where_they_came_from(labelled: Path) -> None:
    cases = steps_of(labelled)
    assert cases["pay: deny by payee, with a value from the model"]["expect"]["outcome"] == "deny"
    for tool, decided, who in (
        ("pay", "allow", "the user"),
        ("send", "deny", "get_order"),
        ("send", "ask", "another_tool"),
    ):
        name = next(
            name for name in cases if name.startswith(f"{tool}: {decided}") and name.endswith(f"from {who}")
        )
        first, last = cases[name]["steps"]
        assert (last["call"], last["expect"]["outcome"]) == (tool, decided)
        value = last["args"]["iban" if tool == "pay" else "to"]
        assert value in str(first), "it came in with the event before"


def test_a_task_is_tested_in_sessions_that_were_opened_for_it(labelled: Path) -> None:
    cases = steps_of(labelled)
    fires, rests = cases["pay in refund: value applies"], cases["pay in refund: same just does not apply"]
    assert fires["session"] == rests["session"]
    assert fires["session"]["given"]["most"] < fires["args"]["amount"]
    assert rests["session"]["given"]["most"] >= rests["args"]["amount"]
    assert "same" in cases["pay in refund: same applies"]["expect"]["applied"]
    other = next(case for name, case in cases.items() if name.startswith("send in refund: "))
    assert other["session"]["task"] == "refund"
    assert other["expect"]["outcome"] == "deny"


def test_cases_of_several_events_hold_and_are_added_once(labelled: Path, command: Callable[..., Any]) -> None:
    policy, file = labelled / "strange.guard", labelled / "strange.test.yaml"
    assert command("test", str(policy), "--generate").code == 0
    assert command("test", str(file)).code == 0
    assert file.read_text(encoding="utf-8").count("steps:") >= 3
    assert ": 0 cases added\n" in command("test", str(file), "--generate").out


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
