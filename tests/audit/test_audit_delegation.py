"""Records of sub-agents: whom they answer to, what every policy decided, and nothing that any of them took out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from audit_logs import KEYS, records_of
from command_line import Command
from detectors.pii_corpus import texts as pii_texts
from detectors.secrets.secrets_corpus import formats

from guardrails.audit.files import FileHome
from guardrails.audit.log import AuditLog, home_at
from guardrails.audit.query import query_of
from guardrails.audit.query_open import open_reader
from guardrails.audit.timeline import timeline
from guardrails.detectors.secrets import SecretDetector
from guardrails.guard import Guard
from guardrails.model import Outcome

ROOT = """
policy root
on call pay { small: allow when args.amount <= 50; limit 3 per 1d by session.id }
on call note { note: allow; mail: redact pii(EMAIL_ADDRESS) in args }
on call "raw.*" { raw: allow when args.amount <= 50; redact pii(EMAIL_ADDRESS) in args.text }
on result note { redact pii(EMAIL_ADDRESS) in result }
on input { redact pii(EMAIL_ADDRESS) }
on output { long: deny when text contains "forbidden"; redact pii(EMAIL_ADDRESS) }
"""
OWN = """
policy own
on call pay { tiny: allow when args.amount <= 10 }
on call note { ok: allow when args.amount < 5; card: redact pii(CREDIT_CARD) in args }
on call "raw.*" { redact pii(CREDIT_CARD) in args.text }
on result note { redact pii(CREDIT_CARD) in result }
on input { redact pii(CREDIT_CARD) }
on output { redact pii(CREDIT_CARD) }
"""
MAIL, CARD = "lena@mail.test", "4111 1111 1111 1111"
TEXT = f"of {MAIL} with {CARD}, thank you"


class Family:
    """A session, one below it and one below that, and everything that their log says."""

    def __init__(self, folder: Path, root: str = ROOT, own: str = OWN, **settings: Any) -> None:
        self.folder, self.url = folder, f"file://{folder}/log"
        self.log = AuditLog.open(self.url)
        self.root, self.own = Guard.from_text(root, audit=self.log), Guard.from_text(own, **settings)
        self.session = self.root.session(id="s-root", principal={"id": "ana"})
        self.middle = self.session.delegate(id="s-middle", agent={"id": "helper"})
        self.child = self.middle.delegate(id="s-child", agent={"id": "clerk"}, guard=self.own)

    def opened(self) -> list[dict[str, Any]]:
        """All records with their bodies opened."""
        self.log.flush()
        home = home_at(self.url)
        subjects, found = home.subjects(), []
        for record in records_of(home):
            if sealed := record.get("body", {}).pop("sealed", None):
                subject = subjects.by_handle(record["principal"])
                assert subject is not None
                record["body"] |= json.loads(subject.open(sealed, record["id"]))
            found.append(record)
        return found

    def last(self) -> dict[str, Any]:
        return self.opened()[-1]

    def everything(self) -> str:
        raw = b"\n".join(path.read_bytes() for path in self.folder.rglob("*") if path.is_file())
        return raw.decode("utf-8", "replace") + json.dumps(self.opened(), ensure_ascii=False)


@pytest.fixture
def family(tmp_path: Path) -> Family:
    return Family(tmp_path)


def part(
    session: str, guard: Guard, outcome: str, *names: str, reasons: tuple[str, ...] | None = None
) -> Any:
    said = list(names) if reasons is None else list(reasons)
    return {
        "session": session, "policy": guard.digest, "outcome": outcome, "statements": list(names), "reasons": said,
    }  # fmt: skip


# --- who decided what --------------------------------------------------------------------------


def test_a_record_names_whom_it_answers_to_and_what_each_policy_decided(family: Family) -> None:
    decision = family.child.check_call("pay", {"amount": 5}, call_id="c")
    assert decision.allowed
    record = family.last()
    assert (record["session"], record["agent"], record["call_id"]) == ("s-child", "clerk", "c")
    assert record["answers_to"] == ["s-middle", "s-root"]
    mine, theirs = record["parts"]
    assert mine == part("s-child", family.own, "allow", "own.tiny")
    assert (theirs["session"], theirs["policy"]) == ("s-root", family.root.digest)
    assert "root.small" in theirs["reasons"]
    assert (record["id"], record["policy"]) == (decision.id, f"{family.own.digest}+{family.root.digest}")


def test_it_says_which_of_them_refused(family: Family) -> None:
    family.child.check_call("pay", {"amount": 20})
    assert [(each["session"], each["outcome"]) for each in family.last()["parts"]] == [
        ("s-child", "deny"), ("s-root", "allow"),
    ]  # fmt: skip
    family.child.check_output("forbidden")
    mine, theirs = family.last()["parts"]
    assert (mine["outcome"], theirs["outcome"], theirs["reasons"]) == ("allow", "deny", ["root.long"])
    family.child.check_call("unknown", {})
    assert [(each["outcome"], each["reasons"]) for each in family.last()["parts"]] == [("deny", [])] * 2


def test_a_chain_of_three_policies_is_told_of_each(tmp_path: Path) -> None:
    family = Family(tmp_path)
    third = Guard.from_text("policy third\non call pay { all: allow }")
    leaf = family.child.delegate(id="s-leaf", guard=third)
    leaf.check_call("pay", {"amount": 5})
    record = family.last()
    assert record["answers_to"] == ["s-child", "s-middle", "s-root"]
    assert [each["session"] for each in record["parts"]] == ["s-leaf", "s-child", "s-root"]
    assert [each["policy"] for each in record["parts"]] == [
        third.digest,
        family.own.digest,
        family.root.digest,
    ]


def test_without_a_policy_of_its_own_the_one_above_is_told(family: Family) -> None:
    family.middle.check_call("pay", {"amount": 80})
    record = family.last()
    assert record["answers_to"] == ["s-root"]
    (only,) = record["parts"]
    assert (only["session"], only["policy"], only["outcome"]) == ("s-root", family.root.digest, "deny")


def test_a_session_of_nobody_answers_to_nobody(family: Family) -> None:
    family.session.check_call("pay", {"amount": 1})
    assert not {"answers_to", "parts"} & set(family.last())


def test_what_a_delegation_leaves_out_is_its_own_refusal(family: Family) -> None:
    child = family.session.delegate(id="s-few", tools=["search"], guard=family.own)
    child.check_call("note", {"amount": 1, "text": TEXT})
    record = family.last()
    grant, mine, theirs = record["parts"]
    assert grant == {
        "session": "s-few", "outcome": "deny", "statements": ["guard.delegation"], "reasons": ["guard.delegation"],
    }  # fmt: skip
    assert (mine["session"], mine["outcome"], theirs["outcome"]) == ("s-few", "allow", "allow")
    assert "withheld" not in record["body"]
    assert MAIL not in str(record)
    assert CARD not in str(record)


def test_usage_and_outcomes_name_the_chain(family: Family) -> None:
    decision = family.child.check_call("pay", {"amount": 5}, call_id="c")
    family.child.failed("pay", {"amount": 5}, decision=decision, call_id="c")
    record = family.last()
    assert (record["kind"], record["status"], record["ref"]) == ("outcome", "failed", decision.id)
    assert record["answers_to"] == ["s-middle", "s-root"]
    assert next(each for each in family.opened() if each.get("session") == "s-child")["answers_to"] == [
        "s-middle", "s-root",
    ]  # fmt: skip


# --- what stands in it -------------------------------------------------------------------------


@pytest.mark.parametrize("amount", [1, 20, 80])
@pytest.mark.parametrize("tool", ["note", "raw.x", "unknown"])
def test_a_call_is_written_as_all_of_them_leave_it_whoever_refuses(
    tool: str, amount: int, family: Family
) -> None:
    decision = family.child.check_call(tool, {"amount": amount, "text": TEXT if tool != "unknown" else "-"})
    record = family.last()
    assert "withheld" not in record["body"]
    assert record["outcome"] == decision.outcome.value
    args = record["body"]["args"]
    assert args["amount"] == amount
    if tool != "unknown":
        assert args["text"].endswith(", thank you")
        assert record["digest"]["args"]
        assert args == decision.payload
    assert MAIL not in family.everything()
    assert CARD not in family.everything()


def test_no_event_leaks_what_one_of_them_takes_out(family: Family) -> None:
    child = family.child
    child.check_input(TEXT)
    child.check_output(TEXT)
    child.check_output(f"forbidden {TEXT}")
    child.check_result("note", {"text": TEXT})
    bodies = [record["body"] for record in family.opened()[-4:]]
    assert all("withheld" not in body for body in bodies)
    assert MAIL not in family.everything()
    assert CARD not in family.everything()


def test_where_one_of_them_cannot_be_asked_nothing_is_written(family: Family) -> None:
    family.root.halt("session:s-root", by="ops", why="a test")
    for check in (
        lambda: family.child.check_call("note", {"amount": 1, "text": TEXT}),
        lambda: family.child.check_output(TEXT),
    ):
        assert check().outcome >= Outcome.DENY
        assert "withheld" in family.last()["body"]
    assert MAIL not in family.everything()
    assert CARD not in family.everything()


def test_a_child_that_was_halted_by_name_leaks_nothing(family: Family) -> None:
    family.root.halt("agent:clerk", by="ops", why="a test")
    family.child.check_call("note", {"amount": 1, "text": TEXT})
    record = family.last()
    assert "withheld" in record["body"]
    assert MAIL not in family.everything()
    assert CARD not in family.everything()


def test_a_redaction_that_fails_below_withholds(tmp_path: Path) -> None:
    class Broken:
        name = "pii"
        hold = left = 0

        def find(self, text: str, context: Any = ()) -> Any:
            raise ValueError(f"cannot read {text}")

        def settled(self, text: str) -> int:
            return 0

    family = Family(tmp_path, detectors={"pii": Broken()})
    assert family.child.check_call("note", {"amount": 1, "text": TEXT}).outcome is Outcome.DENY
    assert "withheld" in family.last()["body"]
    assert CARD not in family.everything()


def test_no_personal_data_of_a_corpus_is_in_the_log(family: Family) -> None:
    removed: set[str] = set()
    for each in pii_texts(11, 60):
        decision = family.child.check_call("note", {"amount": len(each.text) % 9, "text": each.text})
        family.child.check_call("raw.x", {"amount": 80, "text": each.text})
        family.child.check_result("note", {"said": each.text})
        family.child.check_input(each.text)
        family.child.check_output(each.text)
        left = str(decision.payload["text"]) if decision.payload else each.text
        values = {each.text[start:end] for start, end, _ in each.labels}
        removed |= {value for value in values if value not in left and len(value) > 6}
    assert len(removed) > 15
    everything = family.everything()
    assert [value for value in removed if value in everything] == []


def test_no_secret_of_a_corpus_is_in_the_log(family: Family) -> None:
    detector = SecretDetector()
    known = [each for each in formats() if each.secret and detector.find(each.text)][:60]
    for each in known:
        family.child.check_call("pay", {"amount": 1, "text": each.text})
        family.child.check_call("pay", {"amount": 80, "text": each.text})
        family.child.check_result("pay", [each.text])
    everything = family.everything()
    assert [each for each in known if each.secret.strip() in everything] == []


# --- whose log ---------------------------------------------------------------------------------


def test_a_log_of_the_policy_below_has_the_record_as_well(tmp_path: Path) -> None:
    below = AuditLog.open(f"file://{tmp_path}/below")
    family = Family(tmp_path, audit=below)
    family.child.check_call("pay", {"amount": 5})
    theirs, mine = (
        records_of(log.home)[-1] | {"principal": "", "chain": "", "body": "", "seq": 0}
        for log in (family.log, below)
    )
    assert (theirs["session"], theirs["parts"]) == (mine["session"], mine["parts"])


def test_one_log_of_both_has_it_once(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    family = Family(tmp_path, audit=log)
    family.child.check_call("pay", {"amount": 5})
    assert [record["kind"] for record in family.opened()].count("intent") == 1


class Failing(FileHome):
    """A log that cannot be written."""

    def append(self, bodies: Any) -> Any:
        from guardrails.audit.errors import AuditUnavailable

        raise AuditUnavailable("the disk is full")


def test_what_the_log_below_cannot_hold_is_denied_and_given_back(tmp_path: Path) -> None:
    below = AuditLog(Failing(str(tmp_path / "below"), KEYS))
    family = Family(tmp_path, own=OWN.replace("policy own", "policy own\naudit durable"), audit=below)
    for _ in range(5):
        assert family.child.check_call("pay", {"amount": 5}).outcome is Outcome.DENY
    assert family.session.check_call("pay", {"amount": 5}).allowed


@pytest.mark.parametrize("watched", ["above", "below"])
def test_the_stricter_way_of_writing_holds(watched: str, tmp_path: Path) -> None:
    log = AuditLog(Failing(str(tmp_path / "log"), KEYS))
    strict, loose = "audit durable", "audit buffered"
    root = ROOT.replace("policy root", f"policy root\n{strict if watched == 'above' else loose}")
    own = OWN.replace("policy own", f"policy own\n{strict if watched == 'below' else loose}")
    child = Guard.from_text(root, audit=log).session(id="s").delegate(guard=Guard.from_text(own, audit=log))
    assert child.check_call("pay", {"amount": 5}).outcome is Outcome.DENY


def test_a_policy_below_is_watched_where_the_one_above_is_not(tmp_path: Path) -> None:
    log = AuditLog.open(f"file://{tmp_path}/log")
    child = Guard.from_text(ROOT).session(id="s").delegate(id="c", guard=Guard.from_text(OWN, audit=log))
    child.check_call("pay", {"amount": 5})
    assert [each["session"] for each in records_of(log.home)[-1]["parts"]] == ["c", "s"]
    assert [each["kind"] for each in records_of(log.home)] == ["log", "opened", "intent"]


# --- looking into it ---------------------------------------------------------------------------


def test_a_time_line_says_who_refused(family: Family) -> None:
    family.child.check_call("pay", {"amount": 20})
    text = "\n".join(timeline(family.opened()))
    assert "call pay [s-child, for s-middle for s-root]: DENY" in text
    assert f"policy of s-child ({family.own.digest[:19]}): deny by default" in text
    assert f"policy of s-root ({family.root.digest[:19]}): allow by root.small" in text


def test_records_are_found_by_whom_they_answer_to(family: Family, run: Command) -> None:
    family.child.check_call("pay", {"amount": 5})
    family.middle.check_call("pay", {"amount": 5})
    family.log.close()
    found = list(open_reader(family.url).records(query_of({"answers_to": ["s-middle"], "kind": ["intent"]})))
    assert [record["session"] for record in found] == ["s-child"]
    assert found[0]["parts"][0]["session"] == "s-child"
    counted = run(
        "audit", "query", "--audit", family.url, "--above", "s-root", "--kind", "intent", "--format", "jsonl"
    )
    assert len(counted.out.splitlines()) == 2
    assert "[s-child, for s-middle for s-root]" in run("audit", "show", "s-root", "--audit", family.url).out


def test_an_export_from_before_there_were_such_fields_is_read(family: Family, tmp_path: Path) -> None:
    import duckdb

    family.child.check_call("pay", {"amount": 5})
    family.log.close()
    now, before = tmp_path / "now.parquet", tmp_path / "before.parquet"
    open_reader(family.url).parquet(query_of({}), now)  # type: ignore[union-attr]
    duckdb.sql(f"COPY (SELECT * EXCLUDE (answers_to, parts) FROM '{now}') TO '{before}'")
    query = query_of({"kind": ["intent"]})
    (old,), (new,) = (list(open_reader(str(path)).records(query)) for path in (before, now))
    assert old | {"answers_to": new["answers_to"], "parts": new["parts"]} == new
    assert list(open_reader(str(before)).records(query_of({"answers_to": ["s-root"]}))) == []
