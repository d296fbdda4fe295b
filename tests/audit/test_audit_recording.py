"""Recording: every decision is written down before it is told, and nothing is let through that is not."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest
from audit_logs import KEYS, damage_of, lines_of, note, records_of, report_of

from guardrails.audit.chain import Head
from guardrails.audit.errors import AuditError, AuditUnavailable
from guardrails.audit.files import FileHome
from guardrails.audit.journal import MOST, Journal
from guardrails.audit.log import AuditLog, home_at
from guardrails.errors import Denied
from guardrails.guard import Guard
from guardrails.model import Outcome
from guardrails.runtime.usage import Usage

POLICY = """
policy shop
on call pay { small: allow when args.amount <= 5; limit 3 per 1d by session.id }
on call stop { halt }
shadow on call pay { nosy: deny }
"""


@pytest.fixture
def log(audit_url: str) -> AuditLog:
    return AuditLog.open(audit_url)


def kinds(log: AuditLog) -> list[tuple[str, str]]:
    log.flush()
    return [(r["kind"], r.get("outcome", r.get("status", ""))) for r in records_of(log.home)]


class Failing(FileHome):
    """A log whose disk is full while `broken` is set."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), KEYS)
        self.broken = False

    def append(self, bodies: Sequence[bytes]) -> Head:
        if self.broken:
            raise AuditUnavailable("the disk is full")
        return super().append(bodies)


# --- what is written ---------------------------------------------------------------------------


def test_a_decision_is_on_disk_when_it_is_told(log: AuditLog) -> None:
    session = Guard.from_text(POLICY, audit=log).session(
        id="s-1", principal={"id": "ana"}, agent={"id": "bot"}
    )
    decision = session.check_call("pay", {"amount": 1}, call_id="c-1")
    record = records_of(log.home)[-1]  # nothing was flushed
    assert record["id"] == decision.id
    assert (record["kind"], record["outcome"], record["point"], record["tool"]) == (
        "intent",
        "allow",
        "call",
        "pay",
    )
    assert (record["session"], record["agent"], record["call_id"]) == ("s-1", "bot", "c-1")
    assert record["reasons"] == ["shop.small"]
    assert "shop.small" in record["statements"]
    assert record["shadow"] == ["shop.nosy"]
    assert record["policy"] == decision.policy
    assert record["reservation"] == decision.reservation
    assert record["latency_us"] >= 0
    assert len(record["trace"]) == 32
    assert len(record["span"]) == 16
    assert "ana" not in str(record)


def test_an_outcome_names_its_intent(log: AuditLog) -> None:
    session = Guard.from_text(POLICY, audit=log).session(id="s-1")
    first = session.check_call("pay", {"amount": 1}, call_id="c-1")
    session.check_result("pay", {"ok": 1}, call_id="c-1")
    second = session.check_call("pay", {"amount": 2})
    session.failed("pay", {"amount": 2}, decision=second)
    third = session.check_call("pay", {"amount": 3}, hold=60.0)
    session.release(third)
    ends = [record for record in records_of(log.home) if record["kind"] == "outcome"]
    assert [(end["ref"], end["status"]) for end in ends] == [
        (first.id, "ok"), (second.id, "failed"), (third.id, "not run"),
    ]  # fmt: skip


def test_a_tool_that_fails_is_written_without_a_store_as_well(log: AuditLog) -> None:
    guard = Guard.from_text("policy p\non call pay { allow }", audit=log)

    @guard.session(id="s").tool
    def pay(amount: int) -> int:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        pay(amount=1)
    assert kinds(log)[-2:] == [("intent", "allow"), ("outcome", "failed")]
    assert not guard.is_stateful


def test_sessions_usage_halts_and_streams_are_written(log: AuditLog) -> None:
    guard = Guard.from_text(POLICY + "on session { budget tokens 100 }", audit=log)
    session = guard.session(id="s-1", principal={"id": "ana"})
    session.report(Usage(input_tokens=30, output_tokens=5))
    guard.halt("session:s-1", by="ops", why="a test")
    guard.resume("session:s-1")
    child = session.delegate(agent={"id": "helper"}, tools=["pay"])
    child.check_call("pay", {"amount": 1})
    child.check_call("other", {})
    assert [kind for kind, _ in kinds(log)] == [
        "log", "opened", "usage", "halt", "halt", "opened", "intent", "intent",
    ]  # fmt: skip
    usage = next(record for record in records_of(log.home) if record["kind"] == "usage")
    assert usage["facts"] == {"input_tokens": 30, "output_tokens": 5}


def test_events_as_data_are_written(log: AuditLog) -> None:
    guard = Guard.from_text(POLICY, audit=log)
    guard.decide({"type": "call", "tool": "pay", "args": {"amount": 1}, "session": "s-1", "call_id": "c"})
    guard.decide({"type": "outcome", "tool": "pay", "outcome": "failed", "session": "s-1", "call_id": "c"})
    first, second = records_of(log.home)[-2:]
    assert (first["kind"], first["session"]) == ("intent", "s-1")
    assert (second["kind"], second["status"], second["ref"]) == ("outcome", "failed", first["id"])


def test_other_records_of_the_host_are_written(log: AuditLog) -> None:
    log.append("approval", {"by": "ana", "request": "r-1"}, approval="r-1", session="s-1")
    log.append("approval", {"by": "ana"}, subject="ana", approval="r-2")
    plain, sealed = records_of(log.home)[-2:]
    assert (plain["approval"], plain["facts"]["by"]) == ("r-1", "ana")
    assert "facts" not in sealed
    assert "ana" not in str(sealed)
    with pytest.raises(AuditError, match="no kind of record"):
        log.append("gossip", {})


# --- modes -------------------------------------------------------------------------------------


def test_the_mode_is_that_of_the_policy(tmp_path: Path) -> None:
    for text, wanted in (
        ("audit durable", ("durable", "deny")), ("audit buffered", ("buffered", "deny")),
        ("audit buffered else spill", ("buffered", "spill")),
        ("audit buffered else spill\naudit durable else deny", ("durable", "deny")),
        ("audit durable else deny\naudit buffered else spill", ("durable", "deny")),
    ):  # fmt: skip
        log = AuditLog.open(f"file://{tmp_path}/log?spill={tmp_path}/spill")
        assert Guard.from_text(f"policy p\n{text}", audit=log).engine.program.head["audit"] == wanted


def test_a_policy_that_wants_a_log_does_not_load_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "policy p\naudit durable\non call pay { allow }"
    with pytest.raises(AuditError, match="no audit log is named"):
        Guard.from_text(text)
    with pytest.raises(AuditError, match="no second one"):
        Guard.from_text("policy p\naudit durable else spill", audit=f"file://{tmp_path}/log")
    monkeypatch.setenv("GUARD_AUDIT", f"file://{tmp_path}/log")
    assert Guard.from_text(text).audit is not None


def test_a_reload_that_wants_a_log_keeps_the_policy_before(tmp_path: Path) -> None:
    path = tmp_path / "p.guard"
    path.write_text("policy p\non call pay { allow }")
    guard = Guard.load(path)
    path.write_text("policy p\naudit durable\non call pay { allow }")
    with pytest.raises(AuditError, match="no audit log is named"):
        guard.reload()
    assert guard.session().check_call("pay", {}).allowed


def test_a_log_that_cannot_be_written_denies(tmp_path: Path) -> None:
    home = Failing(tmp_path / "log")
    log = AuditLog(home)
    guard = Guard.from_text(POLICY, audit=log)
    session = guard.session(id="s-1")
    assert session.check_call("pay", {"amount": 1}).allowed
    home.broken = True
    refused = session.check_call("pay", {"amount": 1})
    assert refused.outcome is Outcome.DENY
    assert "could not be written to the audit log: the disk is full" in refused.message
    assert refused.denial is not None
    assert refused.denial.kind == "retry_after"
    assert session.check_call("stop", {}).outcome is Outcome.HALT
    ran = []
    with pytest.raises(Denied):
        guard.session(id="s-2").enforce(lambda amount: ran.append(amount), tool="pay")(amount=1)
    assert not ran


def test_what_a_refused_call_charged_is_given_back(tmp_path: Path) -> None:
    home = Failing(tmp_path / "log")
    guard = Guard.from_text(POLICY, audit=AuditLog(home))
    session = guard.session(id="s-1")
    home.broken = True
    for _ in range(5):
        assert not session.check_call("pay", {"amount": 1}).allowed
    home.broken = False
    guard.audit.journal._again = 0.0  # type: ignore[union-attr]  # as if it had been left alone for a while
    assert [session.check_call("pay", {"amount": 1}).allowed for _ in range(4)] == [True, True, True, False]


def test_what_was_missed_is_told_when_the_log_is_back(tmp_path: Path) -> None:
    home = Failing(tmp_path / "log")
    journal = Journal(home, list)
    journal.write(note(number=1))
    home.broken = True
    for _ in range(3):
        with pytest.raises(AuditUnavailable, match="disk is full"):
            journal.write(note(number=2))
    journal.keep(note(number="kept"), 10, patience=0)
    home.broken = False
    journal._again = 0.0
    journal.flush()
    journal.write(note(number=3))
    facts = [record["facts"] for record in records_of(home)[1:]]
    assert [fact.get("number") for fact in facts if "number" in fact] == [1, "kept", 3]
    assert [(fact["refused"], fact["why"]) for fact in facts if "missed" in fact] == [(3, "the disk is full")]


def test_a_second_log_takes_what_the_first_cannot(tmp_path: Path) -> None:
    home, spill = Failing(tmp_path / "log"), FileHome(str(tmp_path / "spill"), KEYS)
    log = AuditLog(home, spill=spill)
    session = Guard.from_text(POLICY + "audit durable else spill", audit=log).session(id="s-1")
    home.broken = True
    decision = session.check_call("pay", {"amount": 1})
    assert decision.allowed
    assert records_of(spill)[-1]["id"] == decision.id
    assert report_of(spill).is_sound
    home.broken = False
    log.journal._again = 0.0
    later = session.check_call("pay", {"amount": 1})
    first, told = (
        records_of(home)[-1],
        [r["facts"] for r in records_of(home) if "missed" in r.get("facts", {})],
    )
    assert first["id"] == later.id
    assert told[0]["spilled"]["log"] == spill.linker.log
    assert told[0]["spilled"]["records"] >= 1


@pytest.mark.parametrize("mode", ["durable", "buffered"])
def test_a_policy_that_says_deny_uses_no_second_log(mode: str, tmp_path: Path) -> None:
    home, spill = Failing(tmp_path / "log"), FileHome(str(tmp_path / "spill"), KEYS)
    log = AuditLog(home, spill=spill)
    session = Guard.from_text(POLICY + f"audit {mode} else deny", audit=log).session(id="s-1")
    log.flush()
    home.broken = True
    decisions = []
    for _ in range(2):
        decisions.append(session.check_call("pay", {"amount": 1}).outcome)
        with contextlib.suppress(AuditUnavailable):
            log.flush()
    assert decisions[-1] is Outcome.DENY
    assert not any(record["kind"] == "intent" for part in spill_parts(spill) for record in part)


def spill_parts(spill: FileHome) -> list[list[dict[str, Any]]]:
    return [records_of(spill)] if list(spill.folder.glob("*.jsonl")) else []


def test_when_both_fail_nothing_is_let_through(tmp_path: Path) -> None:
    home, spill = Failing(tmp_path / "log"), Failing(tmp_path / "spill")
    session = Guard.from_text(POLICY, audit=AuditLog(home, spill=spill)).session(id="s-1")
    home.broken = spill.broken = True
    assert session.check_call("pay", {"amount": 1}).outcome is Outcome.DENY


@pytest.mark.parametrize("step", ["write", "fdatasync"])
def test_a_real_disk_that_fails_denies_and_recovers(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    session = Guard.from_text("policy p\non call pay { allow }", audit=log).session(id="s-1")
    assert session.check_call("pay", {}).allowed
    with monkeypatch.context() as patched:

        def full(handle: int, *_: Any) -> int:
            raise OSError(28, "No space left on device")

        patched.setattr(os, step, full)
        refused = session.check_call("pay", {})
    assert "no space left on device" in refused.message
    log.journal._again = 0.0
    assert session.check_call("pay", {}).allowed
    assert report_of(log.home).is_sound


def test_a_log_that_somebody_cut_while_it_was_used_denies(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    session = Guard.from_text("policy p\non call pay { allow }", audit=log).session(id="s-1")
    assert session.check_call("pay", {}).allowed
    (segment,) = (tmp_path / "log").glob("*.jsonl")
    os.truncate(segment, segment.stat().st_size - 100)
    assert "was cut" in session.check_call("pay", {}).message


# --- buffered ----------------------------------------------------------------------------------


def test_buffered_records_come_in_order_and_all(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    session = Guard.from_text("policy p\naudit buffered\non call pay { allow }", audit=log).session(id="s-1")
    ids = [session.check_call("pay", {"number": number}).id for number in range(300)]
    log.flush()
    assert [record["id"] for record in records_of(log.home) if record["kind"] == "intent"] == ids
    assert report_of(log.home).is_sound


def test_a_full_queue_refuses_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.audit import journal as module

    monkeypatch.setattr(module, "PATIENCE", 0.0)
    journal = Journal(FileHome(str(tmp_path), KEYS), list)
    journal._ring = lambda: None  # type: ignore[method-assign]  # nobody writes
    for number in range(MOST):
        journal.put(note(number=number), 1)
    with pytest.raises(AuditUnavailable, match="takes no more"):
        journal.put(note(number=-1), 1)
    journal.flush()
    journal.put(note(number="last"), 1)
    journal.flush()
    facts = [record["facts"] for record in records_of(journal.home) if record["kind"] == "note"]
    assert [fact["number"] for fact in facts if "number" in fact] == [*range(MOST), "last"]
    assert [fact["refused"] for fact in facts if "missed" in fact] == [1]


def test_a_buffered_log_that_cannot_be_written_denies_later_decisions(tmp_path: Path) -> None:
    home = Failing(tmp_path / "log")
    log = AuditLog(home)
    session = Guard.from_text("policy p\naudit buffered\non call pay { allow }", audit=log).session(id="s-1")
    home.broken = True
    assert session.check_call("pay", {}).allowed
    with pytest.raises(AuditUnavailable):
        log.flush()
    assert session.check_call("pay", {}).outcome is Outcome.DENY
    home.broken = False
    log.journal._again = 0.0
    log.flush()
    assert session.check_call("pay", {}).allowed
    log.flush()
    assert [kind for kind, _ in kinds(log)].count("intent") == 2


def test_threads_share_one_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs, plain = [], os.fdatasync

    def counted(handle: int) -> None:
        syncs.append(handle)
        plain(handle)

    log = AuditLog.open(f"file://{tmp_path}/log")
    guard = Guard.from_text("policy p\non call pay { allow }", audit=log)
    monkeypatch.setattr(os, "fdatasync", counted)
    barrier = Barrier(16)

    def work(thread: int) -> None:
        session = guard.session(id=f"s-{thread}")
        barrier.wait()
        for number in range(20):
            assert session.check_call("pay", {"number": number}).allowed

    threads = [Thread(target=work, args=(each,)) for each in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    intents = [record for record in records_of(log.home) if record["kind"] == "intent"]
    assert len({record["id"] for record in intents}) == 320
    assert len(syncs) < 320 + 16
    assert report_of(log.home).is_sound


def test_an_event_loop_is_not_blocked(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    session = Guard.from_text("policy p\non call pay { allow }", audit=log).session(id="s-1")

    async def many() -> list[str]:
        found = await asyncio.gather(
            *(session.acheck_call("pay", {"number": number}) for number in range(20))
        )
        return [decision.id for decision in found]

    ids = asyncio.run(many())
    assert {record["id"] for record in records_of(log.home) if record["kind"] == "intent"} == set(ids)


# --- erasing, anchors, proofs ------------------------------------------------------------------


def test_an_erased_person_is_nowhere_and_the_log_verifies(audit_url: str, tmp_path: Path) -> None:
    from guardrails.audit.erasing import erase

    log = AuditLog.open(audit_url)
    guard = Guard.from_text("policy p\non call pay { allow }", audit=log)
    for who in ("Wilhelmine", "Ottokar"):
        guard.session(id=f"s {len(who)}", principal={"id": who, "street": f"{who}strasse"}).check_call(
            "pay", {"for": f"rent of {who}"}
        )
    handle = home_at(audit_url).subjects().handle_of("Wilhelmine")
    assert handle is not None
    assert erase(home_at(audit_url), "Wilhelmine") == handle
    assert erase(home_at(audit_url), "Wilhelmine") is None
    assert report_of(log.home).is_sound
    assert report_of(log.home).erased == 1
    subjects = home_at(audit_url).subjects()
    assert subjects.by_handle(handle) is None
    other = subjects.by_handle(subjects.handle_of("Ottokar") or "")
    assert other is not None
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    raw = b"".join(path.read_bytes() for path in files) + b"".join(lines_of(log.home))
    assert b"Wilhelmine" not in raw
    assert b"Ottokar" not in raw
    assert handle.encode() in raw
    for record in records_of(log.home):
        if record.get("principal") == handle and "body" in record:
            with pytest.raises(AuditError):
                other.open(record["body"]["sealed"], record["id"])


def test_the_key_that_was_erased_is_overwritten(tmp_path: Path) -> None:
    from guardrails.audit.erasing import erase

    home = FileHome(str(tmp_path), KEYS)
    handle = home.subjects().of("ana").handle
    path = next((tmp_path / "keys").rglob(handle))
    before = path.read_bytes()
    kept = os.open(path, os.O_RDONLY)  # as a backup would still see it
    erase(home, "ana")
    assert os.pread(kept, 1000, 0) != before
    os.close(kept)
    assert not [path for path in (tmp_path / "keys").rglob("*") if path.is_file() and path.name != "erased"]


def test_a_writer_notices_that_somebody_was_erased(tmp_path: Path) -> None:
    from guardrails.audit.erasing import erase

    log = AuditLog.open(f"file://{tmp_path}/log")
    session = Guard.from_text("policy p\non call pay { allow }", audit=log).session(
        id="s", principal={"id": "ana"}
    )
    session.check_call("pay", {})
    erase(home_at(f"file://{tmp_path}/log"), "ana")
    log.scribe.subjects._fresh_until = 0.0
    session.check_call("pay", {})
    handles = [record["principal"] for record in records_of(log.home) if record["kind"] == "intent"]
    assert handles[0] != handles[1]


def test_an_anchor_finds_a_cut_end(audit_url: str, tmp_path: Path) -> None:
    from guardrails.audit.anchors import read_anchors

    place = tmp_path / "elsewhere.jsonl"
    joint = "&" if "?" in audit_url else "?"
    log = AuditLog.open(f"{audit_url}{joint}anchor={place}&anchor=command:false")
    for number in range(5):
        log.append("note", {"number": number})
    log.close()
    home = home_at(audit_url)
    anchors = read_anchors(str(place))
    assert report_of(home, anchors=anchors).anchored == 6
    assert damage_of(lines_of(home)[:-2], anchors=anchors).kind == "truncation"  # type: ignore[union-attr]
    notes = [record["facts"] for record in records_of(home) if "anchor" in record.get("facts", {})]
    assert [fact["anchor"] for fact in notes] in ([], ["failed"])


def test_a_proof_shows_one_record_and_no_other(audit_url: str) -> None:
    from guardrails.audit.proving import check_proof, prove

    log = AuditLog.open(audit_url)
    guard = Guard.from_text("policy p\non call pay { allow }", audit=log)
    ids = [guard.session(id=f"s-{number}").check_call("pay", {}).id for number in range(9)]
    proof = prove(log.home, ids[4])
    assert ids[4] in proof["record"]
    assert ids[3] not in str(proof)
    assert check_proof(proof, KEYS.public())["size"] == proof["checkpoint"]["size"]
    wrong: list[dict[str, Any]] = [
        {**proof, "record": proof["record"].replace("allow", "deny ")},
        {**proof, "index": proof["index"] + 1},
        {**proof, "path": proof["path"][:-1]},
        {**proof, "checkpoint": {**proof["checkpoint"], "size": proof["checkpoint"]["size"] + 1}},
        {},
    ]
    for each in wrong:
        with pytest.raises(AuditError):
            check_proof(each, KEYS.public())
    with pytest.raises(AuditError, match="there is no record"):
        prove(log.home, "nothing")
