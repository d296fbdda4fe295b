"""`guard approvals`: what waits, what is answered, and what is wrong with an answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from command_line import Command, Result

POLICY = """\
policy pay
type principal { id: string }
on call pay { ask finance within 4h else security because "Looked at." }
on call wipe { two: ask 2 of finance within 1h }
on call note { allow; look: review by finance }
on call refund { ask finance within 4h for 3 calls in session, args.amount up to 200 each }
"""
REVIEWERS = '{"finance": ["ana", "bob"], "security": ["eve"]}'


class Payments:
    """Asks for payments by the policy above, and runs `guard approvals`."""

    def __init__(self, guard: Command, folder: Path) -> None:
        self.guard = guard
        (folder / "pay.guard").write_text(POLICY)
        (folder / "r.json").write_text(REVIEWERS)

    def ask(self, tool: str = "pay", session: str = "s1", **args: Any) -> dict[str, Any]:
        who = ("--principal", '{"id": "paul"}', "--session", session)
        words = ("check", "pay.guard", "--call", tool, "--args", json.dumps(args), *who, "--format", "json")
        decision: dict[str, Any] = json.loads(self.guard(*words).out)
        return decision

    def __call__(self, *words: str) -> Result:
        return self.guard("approvals", *words)

    def data(self, *words: str) -> Any:
        return json.loads(self(*words, "--format", "json").out)


@pytest.fixture
def pay(guard: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Payments:
    monkeypatch.setenv("GUARD_REVIEWERS", str(tmp_path / "r.json"))
    monkeypatch.setenv("GUARD_STORE", "sqlite:guard.db")
    return Payments(guard, tmp_path)


def test_a_request_goes_its_way_through_the_command_line(pay: Payments) -> None:
    request = pay.ask(amount=5)["request"]
    assert pay.ask(amount=5)["request"] == request
    (listed,) = pay.data("list")["requests"]
    assert (listed["id"], listed["state"], listed["subject"]["args"]) == (request, "pending", {"amount": 5})
    assert listed["needs"][0]["within"] == 4 * 3600
    assert pay.data("show", request[:8], "--as", "ana")["id"] == request
    done = pay.data("approve", request, "--as", "ana", "--for", "10m")["answers"][0]
    assert (done["state"], done["answers"][0]["read"]) == ("approved", True)
    assert pay.data("list") == {"store": pay.data("list")["store"], "requests": []}
    decision = pay.ask(amount=5)
    assert (decision["outcome"], decision["approval"]) == ("allow", request)
    assert pay.data("list", "--state", "consumed")["requests"][0]["id"] == request


def test_an_event_can_name_its_approval(pay: Payments) -> None:
    request = pay.ask(amount=5)["request"]
    pay("approve", request, "--as", "ana")
    event = {
        "type": "call",
        "tool": "pay",
        "args": {"amount": 5},
        "session": "s1",
        "principal": {"id": "paul"},
    }

    def decided(**more: Any) -> dict[str, Any]:
        stream = json.dumps({**event, **more}) + "\n"
        found: dict[str, Any] = json.loads(
            pay.guard("check", "pay.guard", "--format", "json", stdin=stream).out
        )
        return found

    wrong = decided(approval="nonsense")
    assert (wrong["outcome"], "no approval `nonsense`" in wrong["message"]) == ("deny", True)
    assert decided(approval=request)["approval"] == request
    assert decided(approval=request)["outcome"] == "deny"
    assert pay.guard("check", "pay.guard", stdin=json.dumps({**event, "approval": 5})).code == 65


def test_an_approval_that_is_good_for_more_is_shown_narrowed_and_taken_back(pay: Payments) -> None:
    request = pay.ask("refund", amount=150)["request"]
    far = "3 calls of refund in this session, args.amount up to 200 each"
    assert f"approved, it is good for {far}" in pay("show", request).out
    assert "3 calls such as: amount 150" in pay("list").out
    assert "each good for 3 calls" in pay("list", "--batches").out
    data = pay.data("show", request)
    assert data["reuse"] == {
        "calls": 3, "used": 0, "bounds": [{"amount": "args.amount", "most": "200", "unit": "", "per": "each"}],
    }  # fmt: skip
    assert (data["alone"], "reuse" in data["needs"][0]) == (None, False)
    assert f"good for {far}, until" in pay("approve", request, "--as", "ana").out
    assert pay.ask("refund", amount=7)["approval"] == request
    assert "used: 1 of 3 calls" in pay("show", request).out
    assert pay("deny", request, "--as", "zoe").code == 1
    assert pay("deny", request, "--as", "bob", "--reason", "Enough.").code == 0
    assert pay.ask("refund", amount=8)["outcome"] == "deny"
    once = pay.ask("refund", "s2", amount=150)["request"]
    assert "to be used until" in pay("approve", once, "--as", "ana", "--once").out
    page = pay("show", once)
    assert "good for" not in page.out
    assert pay.ask("refund", "s2", amount=7)["outcome"] == "ask"
    assert pay.ask("refund", "s2", amount=150)["approval"] == once
    alone = pay.ask("refund", "s2", amount=300)["request"]
    assert "no more than that, because `args.amount` is more than 200" in pay("show", alone).out
    assert pay.data("deny", alone, "--as", "ana", "--once")["answers"][0]["state"] == "denied"


def test_several_are_answered_at_once_and_each_is_told(pay: Payments) -> None:
    ids = [pay.ask(amount=number)["request"] for number in range(3)]
    batch = pay.data("list", "--batches")["batches"]
    assert [(each["tool"], sorted(each["requests"])) for each in batch] == [("pay", sorted(ids))]
    pay("deny", ids[0], "--as", "bob")
    result = pay("approve", *ids, "--as", "ana")
    assert result.code == 1
    assert [line.split()[:2] for line in result.out.splitlines()] == [[id, "approved"] for id in ids[1:]]
    assert f"error: request {ids[0]} is denied already (by bob)" in result.err
    assert pay.data("report")["people"][0]["together"] == 2


def test_a_quorum_is_counted_on_the_page(pay: Payments) -> None:
    request = pay.ask("wipe")["request"]
    pay("approve", request, "--as", "ana")
    page = pay("show", request).out
    assert "  finance: 1 of 2" in page
    assert "it runs out: if nobody answers, the call is denied" in page
    again = pay("approve", request, "--as", "ana")
    assert (again.code, "somebody else is needed" in again.err) == (1, True)


def test_a_page_says_when_nobody_can_answer(
    pay: Payments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = pay.ask()["request"]
    (tmp_path / "few.json").write_text('{"security": ["eve"]}')
    assert "careful: nobody is known in `finance`" in pay("show", request, "--reviewers", "few.json").out
    monkeypatch.delenv("GUARD_REVIEWERS")
    result = pay("approve", request, "--as", "ana")
    assert (result.code, "no reviewers are known" in result.err) == (1, True)


def test_reviews_are_judged_and_become_tests(pay: Payments, tmp_path: Path) -> None:
    (review,) = pay.ask("note", text="hi")["reviews"]
    assert pay.data("list", "--kind", "ask")["requests"] == []
    assert pay("judge", review, "wrong", "--as", "ana", "--reason", "No\nnotes.").code == 0
    (tmp_path / "learned.test.yaml").write_text(pay("export", "--tests", "--policy", "pay.guard").out)
    failing = pay.guard("test", "learned.test.yaml")
    assert (failing.code, "expected deny" in failing.out) == (1, True)
    (tmp_path / "pay.guard").write_text(POLICY + "on call note { never: deny }\n")
    assert pay.guard("test", "learned.test.yaml").code == 0


def test_an_upheld_review_becomes_a_test_of_what_came_out(pay: Payments, tmp_path: Path) -> None:
    (review,) = pay.ask("note", text="hi")["reviews"]
    pay("judge", review, "upheld", "--as", "ana")
    (tmp_path / "kept.test.yaml").write_text(pay("export", "--tests", "--policy", "pay.guard").out)
    assert pay.guard("test", "kept.test.yaml").code == 0


def test_nothing_to_export_is_a_test_file_too(pay: Payments) -> None:
    assert pay("export", "--tests").out.endswith("policy: policy.guard\n\ncases: []\n")


def test_what_an_agent_wrote_cannot_act_on_the_terminal(pay: Payments) -> None:
    request = pay.ask("pay", "s\x1b[2J", note="\x1b[31mred\u202e")["request"]
    for words in (("list",), ("show", request), ("deny", request, "--as", "ana", "--reason", "\x1b[2J")):
        assert "\x1b" not in pay(*words).out
        assert "\u202e" not in pay(*words).out


def test_watching_prints_what_waits(pay: Payments, monkeypatch: pytest.MonkeyPatch) -> None:
    from guardrails.approvals import desk

    request = pay.ask()["request"]

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(desk.Approvals.watch.__kwdefaults__, "wait", interrupted)
    result = pay("watch")
    assert (result.code, result.out) == (130, f"{request} pending pay: finance\n")


def test_lists_say_when_there_is_nothing(pay: Payments) -> None:
    assert pay("list").out.startswith("nothing waits in sqlite:")
    assert pay("list", "--batches").out == "nothing waits\n"
    assert pay("report").out == "nobody answered yet\n"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("approve",), 64, "missing argument"),
        (("approve", "abcd", "--for", "soon"), 64, "`soon` is no time"),
        (("list", "--state", "open"), 64, "there is no state `open`"),
        (("export",), 64, "missing option"),
        (("judge", "abcd", "fine"), 64, "`fine` is not one of"),
        (("show", "abcd"), 1, "there is no request `abcd`"),
        (("approve", "abcd", "--as", "ana"), 1, "there is no request `abcd`"),
        (("show", "abcd", "--reviewers", "none.yaml"), 65, "cannot be read"),
        (("list", "--store", "memory:"), 64, "seen by one process only"),
        (("list", "--store", "nonsense"), 64, "names no store"),
        (("list", "--store", "redis://ana:secret@127.0.0.1:1"), 74, "cannot be used"),
    ],
)
def test_what_is_wrong_is_said(pay: Payments, words: tuple[str, ...], code: int, message: str) -> None:
    result = pay(*words)
    assert (result.code, result.out) == (code, "")
    assert message in result.err
    assert "secret" not in result.err


def test_a_policy_is_checked_for_people_that_are_not_there(pay: Payments, tmp_path: Path) -> None:
    fine = pay("groups", "pay.guard")
    assert (fine.code, fine.out) == (0, "everybody who is asked is known\n")
    (tmp_path / "few.yaml").write_text("finance: [ana]\n")
    lacking = pay("groups", "pay.guard", "--reviewers", "few.yaml")
    assert (lacking.code, lacking.out.splitlines()) == (
        1,
        [
            "pay.guard:3:15: nobody is known in `security`",
            "pay.guard:4:21: 2 are asked, and `finance` has 1",
        ],
    )
    assert len(pay.data("groups", "pay.guard", "--reviewers", "few.yaml")["problems"]) == 2


def test_every_command_has_help(pay: Payments) -> None:
    words = ("list", "show", "approve", "deny", "judge", "watch", "report", "groups", "export")
    told = pay("--help").out
    assert [word for word in words if word not in told] == []
    assert all(pay(word, "--help").code == 0 for word in words)
