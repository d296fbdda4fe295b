"""`guard check` with a policy that counts: which store it uses, and what it says of the store."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from counting import FORMS, PRICES, Pay, pay

from guardrails.project import project_store

__all__ = ["pay"]


def test_checks_share_what_is_counted(pay: Pay) -> None:
    assert pay.codes(3) == [0, 0, 20]
    assert pay(customer="c2").code == 0


def test_a_store_of_ones_own_is_nobody_elses(pay: Pay, tmp_path: Path) -> None:
    pay()
    folder = tmp_path / "state" / "guard"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    (folder / "guard.db").chmod(0o644)
    pay()
    assert stat.S_IMODE((folder / "guard.db").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_store_that_others_can_change_is_not_used(pay: Pay, tmp_path: Path) -> None:
    pay()
    (tmp_path / "state" / "guard").chmod(0o777)
    result = pay()
    assert (result.code, result.out) == (74, "")
    assert "can be changed by others" in result.err


def test_a_user_without_a_home_names_a_store(pay: Pay, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_STATE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert pay().code == 64
    assert pay("--store", "memory:").code == 0


def test_the_option_comes_before_the_environment_and_that_before_the_project(
    pay: Pay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.guard]\nstore = "sqlite:project.db"\n')
    (tmp_path / "inner").mkdir()
    assert pay().code == 0
    assert (tmp_path / "project.db").exists()
    monkeypatch.setenv("GUARD_STORE", "sqlite:environment.db")
    assert pay().code == 0
    assert (tmp_path / "environment.db").exists()
    assert pay("--store", "sqlite:option.db").code == 0
    assert (tmp_path / "option.db").exists()
    assert not (tmp_path / "state").exists()


def test_the_file_of_a_project_lies_where_its_settings_do(
    pay: Pay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "50% of a ? project"
    (project / "inner").mkdir(parents=True)
    (project / "pyproject.toml").write_text('[tool.guard]\nstore = "sqlite:kept.db?durable=os"\n')
    (project / "inner" / "pay.guard").write_text((tmp_path / "pay.guard").read_text())
    monkeypatch.chdir(project / "inner")
    assert pay.codes(3) == [0, 0, 20]
    assert (project / "kept.db").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ('[tool.guard]\nstore = "sqlite:x.db', "is not valid TOML"),
        ("[tool.guard]\nstore = 5\n", "`tool.guard.store` is the URL of a store"),
    ],
)
def test_wrong_settings_of_the_project_are_no_allow(
    pay: Pay, tmp_path: Path, settings: str, message: str
) -> None:
    (tmp_path / "pyproject.toml").write_text(settings)
    result = pay()
    assert (result.code, result.out) == (74, "")
    assert message in result.err


def test_a_typing_error_in_the_settings_is_found_by_lint(pay: Pay, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.guard]\nstroe = "sqlite:x.db"\n')
    result = pay.guard("lint", "plain.guard")
    assert "there is no setting `stroe`" in result.out + result.err
    assert "did you mean `store`?" in result.out + result.err


@pytest.mark.parametrize("url", ["postgres://x", "guard.db", "", "redis://host:99999999", "sqlite:"])
def test_a_url_that_names_no_store_is_a_usage_error(pay: Pay, url: str) -> None:
    result = pay("--store", url)
    assert (result.code, result.out) == (64, "")
    for form in FORMS:
        assert form in result.err


@pytest.mark.parametrize("url", ["sqlite:///nowhere/at/all.db", "redis://127.0.0.1:1"])
def test_without_its_store_a_check_is_a_denial_with_an_error(pay: Pay, url: str) -> None:
    result = pay("--store", url, "--format", "json")
    decision = json.loads(result.out)
    assert (result.code, result.err, decision["outcome"]) == (20, "", "deny")
    assert [error["kind"] for error in decision["errors"]] == ["unavailable"]
    assert pay.guard("check", "plain.guard", "--call", "pay", "--store", url).code == 20


def test_a_decision_names_what_it_holds_and_when_to_try_again(pay: Pay) -> None:
    allowed = json.loads(pay("--format", "json").out)
    assert allowed["reservation"]
    pay()
    refused = json.loads(pay("--format", "json").out)
    assert refused["reservation"] is None
    assert refused["denial"]["kind"] == "retry_after"
    assert 86_000 < refused["denial"]["retry_after"] <= 86_400
    assert "`pay.daily` lets 2 through per 1d, and 2 of that are used" in pay().out


def test_a_call_that_failed_is_given_back_by_another_process(pay: Pay) -> None:
    pay()
    held = json.loads(pay("--format", "json").out)["reservation"]
    args = {"customer": "c1", "amount": 1}
    assert pay().code == 20
    told = pay.event(type="outcome", tool="pay", args=args, outcome="failed", reservation=held)
    assert told.code == 0
    assert pay.codes(2) == [0, 20]


def test_a_call_with_an_id_is_charged_once(pay: Pay) -> None:
    call = {"type": "call", "tool": "pay", "args": {"customer": "c1", "amount": 1}, "session": "s"}
    first, again = (json.loads(pay.event(**call, call_id="one").out) for _ in range(2))
    assert first["reservation"] == again["reservation"]
    assert [pay.event(**call, call_id=name).code for name in ("two", "three")] == [0, 20]


def test_what_is_only_held_is_given_back(pay: Pay) -> None:
    call = {"type": "call", "tool": "pay", "args": {"customer": "c1", "amount": 1}}
    at = "2026-11-21T12:00:{:02}Z".format
    codes = [pay.event(**call, hold=10, time=at(second)).code for second in (0, 1, 2, 11)]
    assert codes == [0, 0, 20, 0]


def test_sessions_are_counted_apart(pay: Pay) -> None:
    for session, code in (("s1", 0), ("s2", 0)):
        assert pay.event(session=session, type="call", tool="fetch", args={}).code == code
    found = json.loads(pay.guard("limits", "pay.guard", "--session", "s1", "--format", "json").out)["limits"]
    assert [(each["statement"], each["used"]) for each in found] == [("pay.calls", 1)]


def test_usage_is_charged_by_a_price_table(pay: Pay, tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text(PRICES)
    usage = {"type": "usage", "model": "small", "input_tokens": 3}
    assert pay.event("--prices", "prices.yaml", **usage).code == 0
    spent = pay.event("--prices", "prices.yaml", **usage)
    assert (spent.code, "5 through per month, and 6" in json.loads(spent.out)["message"]) == (20, True)
    assert pay().code == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "cannot be read"), ("currency: dollars\nmodels: {}\n", "`currency` is three capital letters")],
)
def test_usage_is_not_charged_by_a_wrong_price_table(
    pay: Pay, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "prices.yaml").write_text(text)
    result = pay.event("--prices", "prices.yaml", type="usage", model="small", input_tokens=3)
    assert (result.code, result.out) == (65, "")
    assert message in result.err
    assert pay().code == 0


def test_a_stream_counts_as_well(pay: Pay, tmp_path: Path) -> None:
    call = {
        "type": "call",
        "tool": "pay",
        "args": {"customer": "c1", "amount": 1},
        "principal": {"id": "ana"},
        "session": "s1",
    }
    spent = {"type": "usage", "cost": "6.00 USD", "principal": {"id": "ana"}, "session": "s1"}
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (call, call, call, spent)))
    result = pay.guard("check", "pay.guard", "--events", "e.jsonl", "--format", "text")
    assert [line.split()[1] for line in result.out.splitlines()] == ["allow", "allow", "deny", "deny"]
    assert pay().code == 20


def test_an_explanation_charges_nothing(pay: Pay) -> None:
    args = '{"customer": "c1", "amount": 1}'
    words = (
        "explain",
        "--decision",
        "pay.guard",
        "--call",
        "pay",
        "--args",
        args,
        "--principal",
        '{"id": "ana"}',
        "--session",
        "s1",
    )
    for _ in range(3):
        result = pay.guard(*words)
        assert (result.code, "has room" in result.out, "held" in result.out) == (0, True, False)
    assert pay.codes(2) == [0, 0]
    assert pay.guard(*words, "--store", "memory:").code == 64
    event = json.dumps({"type": "outcome", "tool": "pay", "outcome": "ok"})
    assert pay.guard("explain", "--decision", "pay.guard", stdin=event).code == 64


@pytest.mark.parametrize(
    "text",
    [
        '[tool.guard]\nstore = "memory:"',
        '[ tool . "guard" ]\nstore = "memory:"',
        '[tool]\nguard.store = "memory:"',
        '["tool"]\nguard = {store = "memory:"}',
        'tool = {guard = {store = "memory:"}}',
        'tool.guard.store = "memory:"',
    ],
)
def test_the_store_is_found_however_the_settings_are_written(text: str, tmp_path: Path) -> None:
    """A file is only read as TOML when it could have settings in it."""
    (tmp_path / "pyproject.toml").write_text(text)
    assert project_store(str(tmp_path)) == "memory:"
