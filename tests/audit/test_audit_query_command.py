"""`guard audit query|tail|show|export` as a person runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from typing import NamedTuple

import pytest
from query_logs import KEY, SECRETS, filled, folder_of

from guardrails.audit.log import AuditLog


class Result(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("audit"))


@pytest.fixture
def run(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    (entry,) = entry_points(group="console_scripts", name="guard")
    main = entry.load()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GUARD_AUDIT", str(folder))
    monkeypatch.setenv("COLUMNS", "160")  # a table is as wide as the terminal
    monkeypatch.delenv("GUARD_AUDIT_KEY", raising=False)

    def run(*words: str | Path) -> Result:
        code = main(["audit", *map(str, words)])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


# --- query -------------------------------------------------------------------------------------


def test_a_table_of_what_was_denied(run: Run) -> None:
    code, out, err = run("query", "--outcome", "deny", "--session", "s-1", "--session", "s-2")
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.split("  ")[0] == "time"
    assert len(lines) == 4
    assert [
        line for line in lines if not ("deny" in line and "call refund" in line and "shop.big" in line)
    ] == []


def test_lines_of_json_are_the_records(run: Run, folder: Path) -> None:
    code, out, _ = run("query", "--all", "--format", "jsonl")
    written = [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]
    assert code == 0
    assert [json.loads(line) for line in out.splitlines()] == [json.loads(line) for line in written]


def test_the_newest_come_last(run: Run) -> None:
    _, out, _ = run("query", "-n", "2", "--format", "jsonl")
    places = [json.loads(line)["seq"] for line in out.splitlines()]
    _, all_of_them, _ = run("query", "--all", "--format", "jsonl")
    assert places == [json.loads(line)["seq"] for line in all_of_them.splitlines()][-2:]


def test_counts(run: Run) -> None:
    _, out, _ = run("query", "--count-by", "outcome,statement", "--kind", "intent", "--tool", "refund")
    assert [line.split() for line in out.splitlines()] == [
        ["records", "outcome", "statements"], ["8", "deny", "shop.big"], ["4", "allow", "shop.small"],
    ]  # fmt: skip
    _, out, _ = run("query", "--count-by", "outcome", "--format", "jsonl", "--point", "output")
    assert [json.loads(line) for line in out.splitlines()] == [{"outcome": "allow", "records": 4}]


def test_nothing_that_matches(run: Run) -> None:
    assert run("query", "--session", "nobody").out == "no record matches\n"
    assert run("query", "--since", "2999-01-01", "--format", "jsonl").out == ""


def test_a_person_is_found_by_id_with_the_key_and_not_without(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("query", "--principal", "person-1", "--all", "--format", "jsonl")
    assert run(*words).out == ""
    monkeypatch.setenv("GUARD_AUDIT_KEY", KEY)
    sessions = {json.loads(line)["session"] for line in run(*words).out.splitlines()}
    assert sessions == {"s-1", "s-3"}


def test_bodies_are_opened_on_demand_and_with_the_key_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SECRETS[1] not in run("query", "--all", "--format", "jsonl").out
    monkeypatch.setenv("GUARD_AUDIT_KEY", "not the key of this log at all")
    code_and_error = _stopped(run, "query", "--tool", "refund", "--reveal")
    assert code_and_error[0] == 74
    assert "key" in code_and_error[1]
    monkeypatch.setenv("GUARD_AUDIT_KEY", KEY)
    out = run("query", "--tool", "refund", "--reveal", "--format", "jsonl").out
    assert SECRETS[1] in out
    assert SECRETS[0] not in run("query", "--all", "--reveal", "--format", "jsonl").out, "it was redacted"


def _stopped(run: Run, *words: str) -> tuple[int, str]:
    code, out, err = run(*words)
    assert out == ""
    return code, err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["query", "--since", "some time"], 64, "is no time"),
        (["query", "--count-by", "outcome; DROP"], 64, "records are not counted by `outcome; DROP`"),
        (["query", "--count-by", "tool,tool"], 64, "different fields"),
        (["query", "--audit", "nowhere"], 74, "there is no audit log at `nowhere`"),
        (["query", "--audit", "sqlite:///nowhere.db"], 74, "there is no audit log at"),
        (["query", "--audit", "http://x/y"], 74, "names no audit log"),
        (["show", "nobody"], 1, "`nobody` is not in this log"),
        (["export", "--to", "parquet"], 64, "needs a name"),
        (["export", "--to", "parquet", "-o", "x.parquet", "--reveal"], 64, "does not go with Parquet"),
        (["export", "-o", "no/such/folder/x.jsonl"], 74, "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_said(run: Run, words: list[str], code: int, said: str) -> None:
    found = run(*words)
    assert (found.code, found.out) == (code, "")
    assert said in found.err


def test_a_log_has_to_be_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_AUDIT")
    code, _, err = run("query")
    assert code == 64
    assert "an audit log is needed" in err


def test_what_is_no_record_is_mentioned(run: Run, folder: Path, tmp_path: Path) -> None:
    for path in folder.glob("*.jsonl"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with open(max(tmp_path.glob("*.jsonl")), "ab") as file:
        file.write(b"{half")
    assert "1 line is no record" in run("query", "--audit", tmp_path).err


# --- show and tail -----------------------------------------------------------------------------


def test_a_decision_is_shown_with_what_became_of_it(run: Run) -> None:
    _, out, _ = run(
        "query", "--session", "s-0", "--tool", "mail.send", "--kind", "intent", "--format", "jsonl"
    )
    code, out, _ = run("show", json.loads(out)["id"])
    assert code == 0
    assert "call mail.send (c4): allow" in out
    assert "mail.send: failed" in out


def test_a_session_and_its_trace_are_the_same_time_line(run: Run) -> None:
    _, by_session, _ = run("show", "s-2")
    _, line, _ = run("query", "--session", "s-2", "-n", "1", "--format", "jsonl")
    assert run("show", json.loads(line)["trace"]).out == by_session
    assert by_session.count("\n") > 12


def test_the_tail_is_the_end(run: Run) -> None:
    _, out, _ = run("tail", "-n", "3")
    assert len(out.splitlines()) == 3
    assert "lifted=True" in out.splitlines()[-1]
    assert run("tail", "-n", "1", "--outcome", "ask").out.count("call wait") == 1


def test_a_tail_that_follows_shows_what_is_written_across_segments(tmp_path: Path) -> None:
    place = tmp_path / "log"
    log = AuditLog.open(f"file://{place}?rotate=4096", key=KEY)
    log.append("note", {"number": -1})
    command = [sys.executable, "-c", "import sys; from guardrails.cli import main; sys.exit(main())"]
    words = ["audit", "tail", "-f", "-n", "1", "--audit", str(place), "--kind", "note", "--format", "jsonl"]
    with subprocess.Popen([*command, *words], stdout=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        found = [json.loads(tail.stdout.readline())["facts"]["number"]]
        for number in range(30):
            log.append("note", {"number": number, "filling": "x" * 500})
        found += [json.loads(tail.stdout.readline())["facts"]["number"] for _ in range(30)]
        tail.send_signal(signal.SIGINT)
    assert found == list(range(-1, 30))
    assert len(list(place.glob("*.jsonl"))) > 3
    assert tail.returncode == 130


# --- export ------------------------------------------------------------------------------------


def test_exports_are_files_with_all_that_matches(run: Run, tmp_path: Path) -> None:
    code, out, err = run("export", "--to", "ocsf", "-o", "denied.json", "--outcome", "deny")
    assert (code, out, err) == (0, "", "8 records written\n")
    events = [json.loads(line) for line in (tmp_path / "denied.json").read_text().splitlines()]
    assert {event["disposition"] for event in events} == {"Blocked"}
    assert (tmp_path / "denied.json").stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert (
        run("export", "--to", "parquet", "-o", "denied.parquet", "--outcome", "deny").err
        == "8 records written\n"
    )
    _, out, _ = run("query", "--audit", "denied.parquet", "--count-by", "tool,outcome", "--format", "jsonl")
    assert json.loads(out) == {"tool": "refund", "outcome": "deny", "records": 8}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["denied.json", "denied.parquet"]


def test_a_log_in_sqlite_is_queried_and_exported_alike(run: Run, tmp_path: Path) -> None:
    url = f"sqlite://{tmp_path}/audit.db"
    filled(url)
    _, out, _ = run("query", "--audit", url, "--count-by", "outcome", "--kind", "intent")
    assert out == run("query", "--count-by", "outcome", "--kind", "intent").out
    assert (
        run(
            "export",
            "--audit",
            url,
            "--to",
            "parquet",
            "-o",
            "all.parquet",
            "--kind",
            "intent",
            "--point",
            "call",
        ).err
        == "20 records written\n"
    )
