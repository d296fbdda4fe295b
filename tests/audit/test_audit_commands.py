"""`guard audit verify, prove, anchor, erase, repair` and `guard check --audit`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from audit_logs import note
from command_line import Command

from guardrails.audit.log import home_at
from guardrails.guard import Guard

POLICY = "policy p\naudit durable\non call pay { allow when args.amount <= 5 }\n"


@pytest.fixture
def url(audit_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    guard = Guard.from_text(POLICY, audit=audit_url)
    for amount in range(8):
        guard.session(id=f"s-{amount}", principal={"id": "ana"}).check_call("pay", {"amount": amount})
    assert guard.audit is not None
    guard.audit.close()
    monkeypatch.setenv("GUARD_AUDIT", audit_url)
    return audit_url


def test_a_sound_log(run: Command, url: str) -> None:
    result = run("audit", "verify")
    assert result.code == 0
    assert result.out.startswith("sound: 17 records")
    assert "not anchored" in result.out
    report = json.loads(run("audit", "verify", "--format", "json", "--audit", url).out)
    assert (report["sound"], report["records"], report["damage"]) == (True, 17, None)


def test_a_damaged_log_is_named(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_at(f"file://{tmp_path}/log")
    home.append([note(number=number) for number in range(9)])
    (segment,) = (tmp_path / "log").glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().replace(b'"number":4', b'"number":5', 1))
    result = run("audit", "verify", "--audit", f"{tmp_path}/log")
    assert result.code == 1
    assert "damaged (edit): record 5" in result.out
    assert "before record 4" in result.out
    assert "after  record 6" in result.out
    monkeypatch.setenv("GUARD_AUDIT", f"file://{tmp_path}/log")
    assert run("audit", "repair").code == 1
    cut = run("audit", "repair", "--cut")
    assert cut.code == 0
    assert "moved from record 5 on" in cut.out
    assert "repaired: record 5" in run("audit", "verify").out


def test_anchors_hold_the_log(run: Command, url: str, tmp_path: Path) -> None:
    place = f"{tmp_path}/anchors"
    assert "anchored 17 records" in run("audit", "anchor", "--to", place).out
    assert "anchored: the first 17 records" in run("audit", "verify", "--anchor", place).out
    assert json.loads(run("audit", "anchor").out)["size"] == 17
    assert run("audit", "anchor", "--to", "/nowhere/at/all").code == 74
    assert run("audit", "verify", "--anchor", "/nowhere/at/all").code == 74


def test_a_proof_is_checked_by_the_public_key(run: Command, url: str, tmp_path: Path) -> None:
    proof, key = tmp_path / "proof.json", home_at(url).linker._keys.public().hex()
    proof.write_text(run("audit", "prove", "3").out)
    assert "proven: record 3" in run("audit", "verify", "--proof", str(proof), "--public-key", key).out
    assert run("audit", "verify", "--proof", str(proof), "--public-key", "00" * 32).code == 1
    assert run("audit", "verify", "--proof", str(proof)).code == 64
    assert run("audit", "prove", "nothing").code == 74


def test_who_has_the_public_key_alone_can_verify(
    run: Command, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = home_at(url).linker._keys.public().hex()
    monkeypatch.delenv("GUARD_AUDIT_KEY")
    assert run("audit", "verify", "--public-key", key).code == 0
    assert run("audit", "verify", "--public-key", "11" * 32).code == 1
    assert run("audit", "verify", "--public-key", "short").code == 74


def test_the_wrong_key_is_named(run: Command, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_AUDIT_KEY", "some other key, long enough")
    result = run("audit", "verify")
    assert result.code == 1
    assert "damaged (wrong key)" in result.out


def test_a_person_is_erased(run: Command, url: str) -> None:
    assert run("audit", "erase", "--subject", "ana").code == 64
    result = run("audit", "erase", "--subject", "ana", "--yes")
    assert result.code == 0
    assert "erased `ana`" in result.out
    assert run("audit", "erase", "--subject", "ana", "--yes").code == 1
    assert "erased: 1 people" in run("audit", "verify").out


def test_check_writes_before_it_tells(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    policy = tmp_path / "p.guard"
    policy.write_text(POLICY)
    call = ("check", str(policy), "--call", "pay", "--args", '{"amount": 1}')
    refused = run(*call)
    assert refused.code == 74
    assert "no audit log is named" in refused.err
    log = f"file://{tmp_path}/log"
    assert run(*call, "--audit", log).code == 0
    assert run(*call[:-1], '{"amount": 9}', "--audit", log).code == 20
    result = run("audit", "query", "--audit", log, "--count-by", "outcome", "--format", "jsonl")
    assert {json.loads(line)["outcome"] for line in result.out.splitlines()} >= {"allow", "deny"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("ftp://x/y", "names no audit log"), ("file://", "has no path"), ("file:///x?colour=red", "no option `colour`"),
        ("/nowhere/at/all", "there is no audit log"),
    ],
)  # fmt: skip
def test_what_is_no_log(run: Command, place: str, said: str) -> None:
    result = run("audit", "verify", "--audit", place)
    assert result.code in (64, 74)
    assert said in result.err
