"""Gates and reports: what a replay says, and when it fails."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from guardrails.cli.problems import Stop
from guardrails.cli.replay import command
from replay_pools import order, written

from guardrails.errors import GuardError
from guardrails.testing.replay_gates import gate
from guardrails.testing.replay_reports import REPORTS, Report
from guardrails.testing.replay_review import MOST_NAMES, Names, Review
from guardrails.testing.replay_running import replay

OLD = "policy p\non call pay {\n  size: threshold args.n {\n    up to 10: allow\n    above: deny\n  }\n}\n"
NEW = OLD.replace("up to 10", "up to 5")
SCRIPT = "<script>alert('x')</script>"


def pay(n: int, **more: Any) -> dict[str, Any]:
    return {"type": "call", "tool": "pay", "args": {"n": n, "note": SCRIPT}, "session": f"s{n % 3}", **more}


@pytest.fixture
def report(tmp_path: Path) -> Report:
    events = [pay(n, principal={"id": f"<b>p{n}</b>"}) for n in range(1, 13)]
    account = replay(order(written(tmp_path / "x", events), NEW, OLD))
    return Report(
        account, compared=True, gates=[gate("max-new-denials", "0.1%"), gate("max-new-allows", "0")]
    )


class Page(HTMLParser):
    """Collects tags and checks that all are closed."""

    VOID = ("meta", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(report: Report) -> None:
    text = REPORTS["html"](report)
    page = Page(text)
    assert page.open == []
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    assert not [attrs for _, attrs in page.tags if set(attrs) & {"src", "href", "onclick"}]
    assert SCRIPT not in text
    assert "&lt;script&gt;" in text
    assert "<b>p6" not in text
    assert "default-src 'none'" in text
    assert "failed: 5 of 12 events (41.7%) are newly denied: more than 0.1%" in text


def test_examples_can_be_left_out(report: Report) -> None:
    bare = Report(report.account, compared=True, examples=False)
    for form, write in REPORTS.items():
        assert "alert(" in write(report), form
        assert "alert(" not in write(bare), form


def test_who_is_affected(report: Report) -> None:
    assert report.review.altered == 5
    (change,) = json.loads(REPORTS["json"](report))["changes"]
    assert (change["tool"], change["count"], change["example"]["line"]) == ("pay", 5, 6)
    assert change["affected"]["principals"]["count"] == 5
    assert change["affected"]["sessions"] == {"count": 3, "more": False, "first": ["s0", "s1", "s2"]}
    assert change["affected"]["agents"]["count"] == 0
    assert "for 5 principals (<b>p10</b>, " in REPORTS["text"](report)


GATES = {
    "0.1%": (0, 1_000, True), "25": (25, 100, True), "0": (1, 10, False), "10%": (1, 10, True),
    "9.99%": (1, 10, False), "33.3%": (1, 3, False), "100%": (3, 3, True),
}  # fmt: skip


@pytest.mark.parametrize("text", GATES)
def test_gates(text: str) -> None:
    count, of, holds = GATES[text]
    review = Review()
    review.before["allow"], review.moves["allow", "deny"] = of, count
    assert gate("max-new-denials", text).holds(review) is holds
    assert gate("max-new-allows", "0").holds(review)


@pytest.mark.parametrize("text", ["", "x", "-1", "1.5", "101%", "1/2", "%", "nan", "1e400x"])
def test_what_is_no_gate(text: str) -> None:
    with pytest.raises(GuardError, match=r"a number of events such as `25`, or a share such as `0.1%`"):
        gate("max-changes", text)


def test_names_are_bounded_whichever_way_they_are_added() -> None:
    whole, one, other = Names(), Names(), Names()
    for number in range(MOST_NAMES + 1):
        whole.add(str(number))
        (one if number % 2 else other).add(str(number))
    one.update(other)
    assert (whole.many, whole.found) == (one.many, one.found) == (True, set())


# --- the command -------------------------------------------------------------------------------


def run(folder: Path, *words: str) -> tuple[int, str]:
    (folder / "old.guard").write_text(OLD, encoding="utf-8")
    (folder / "new.guard").write_text(NEW, encoding="utf-8")
    given = [str(folder / word) if word.startswith(("old", "new", "x.")) else word for word in words]
    result = CliRunner().invoke(command, given, standalone_mode=False)
    if isinstance(result.exception, Stop):
        return result.exception.code, result.exception.text
    if result.exception is not None:
        raise result.exception
    return result.return_value, result.output


def decided(n: int, outcome: str) -> dict[str, Any]:
    return pay(n, decision={"outcome": outcome, "applied": [{"statement": "p.size"}]})


CODES = {
    "stricter is fine": ((), 0),
    "but not beyond a gate": (("--max-new-denials", "4"), 1),
    "a share": (("--max-new-denials", "41%"), 1),
    "a share that holds": (("--max-new-denials", "42%"), 0),
    "all changes": (("--max-changes", "5"), 0),
    "allows": (("--max-new-allows", "0", "--max-new-asks", "0"), 0),
    "a gate that is none": (("--max-changes", "many"), 64),
    "no such cluster": (("--on", "spark"), 64),
}


@pytest.mark.parametrize("name", CODES)
def test_exit_codes(tmp_path: Path, name: str) -> None:
    words, code = CODES[name]
    written(tmp_path / "x.jsonl", [pay(n) for n in range(1, 13)])
    assert run(tmp_path, "x.jsonl", "--policy", "new.guard", "--against", "old.guard", *words)[0] == code


def test_against_what_was_recorded(tmp_path: Path) -> None:
    written(tmp_path / "x.jsonl", [decided(3, "allow"), decided(7, "allow"), decided(9, "deny"), pay(1)])
    code, text = run(tmp_path, "x.jsonl", "--policy", "old.guard", "--against", "recorded")
    assert code == 1
    assert "not compared: 1 event without a recorded decision" in text
    assert "    deny -> allow: 1 event, first in line 3" in text
    code, text = run(
        tmp_path, "x.jsonl", "--policy", "new.guard", "--against", "recorded", "--max-new-denials", "0"
    )
    assert code == 1
    assert "    allow -> deny: 1 event, first in line 2" in text


def test_nothing_to_compare_with_is_no_success(tmp_path: Path) -> None:
    written(tmp_path / "x.jsonl", [pay(1)])
    code, text = run(
        tmp_path, "x.jsonl", "--policy", "new.guard", "--against", "recorded", "--max-changes", "0"
    )
    assert code == 65
    assert "nothing to compare" in text
    code, text = run(tmp_path, "x.jsonl", "--policy", "new.guard", "--max-changes", "0")
    assert code == 64
    assert "--against" in text


def test_files_are_one_recording_and_the_report_goes_into_a_file(tmp_path: Path) -> None:
    written(tmp_path / "x.1", [pay(1)])
    written(tmp_path / "x.2", [pay(2), pay(7)])
    page = tmp_path / "page.html"
    words = ["x.1", "x.2", "--policy", "new.guard", "--against", "old.guard", "--format", "html"]
    assert run(tmp_path, *words, "--output", str(page)) == (0, "")
    assert f"line 2 of {tmp_path / 'x.2'}" in page.read_text(encoding="utf-8")
    assert run(tmp_path, "x.gone", *words[1:])[0] == 64
