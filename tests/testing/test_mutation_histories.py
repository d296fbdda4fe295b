"""What a label does, and what a session was opened for, shows at a later event: mutants of that are told apart, by
cases that hold today and that notice them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from guardrails.testing.mutation import Score, Settings, score_of
from guardrails.testing.mutation_reports import with_cases
from guardrails.testing.reading import read_suite, suite_of
from guardrails.testing.running import run_suite

ORIGINS = """policy p
on call lookup, send, pay { allow }
on result lookup { label records in result.mail }
on call send { stranger: ask unless origin(args.to) in {user, records} }
on call pay { payee: deny when origin(args.iban) is untrusted }
"""

CONTEXT = """policy p
type label { secret }
on result search { label records, secret where row.team != "press" }
on call search, post { allow }
on call post { own: deny when context has secret and args.wide }
"""

FLOW = """policy p
on result payroll { label records, confidential }
on result crm { label records }
on call payroll, crm, send, post { allow }
flow confidential, untrusted to call send, post only when args.public because "It stays in the house."
"""

TASK = """policy p
on call find, pay, wipe { allow }
task refund(most: decimal, order: string) {
  only call find, pay
  on call pay when args.amount > 5 { value: require args.amount <= most; same: deny when args.order != order }
}
"""

SEND = {"name": "send", "call": "send", "args": {"to": "bob@mail.test"}, "expect": {"outcome": "ask"}}
PAY = {
    "name": "pay",
    "call": "pay",
    "args": {"iban": "DE89370400440532013000"},
    "expect": {"outcome": "allow"},
}
LOOKUP = {
    "name": "looked up",
    "result": "lookup",
    "value": {"mail": "eve@mail.test"},
    "expect": {"outcome": "allow"},
}
POST = {
    "name": "post",
    "call": "post",
    "args": {"text": "Spring catalogue", "wide": False},
    "expect": {"outcome": "allow"},
}
FOUND = {
    "name": "found",
    "result": "search",
    "value": [{"team": "legal", "text": "Settlement"}],
    "expect": {"outcome": "allow"},
}
OUT = {
    "name": "out",
    "call": "send",
    "args": {"text": "Salary of Ana Lopez", "public": False},
    "expect": {"outcome": "allow"},
}
REFUND = {
    "name": "paid",
    "call": "pay",
    "args": {"amount": 9, "order": "A-17"},
    "expect": {"outcome": "allow"},
}

SURVIVE = {
    "labels of a result, and who vouches": (
        ORIGINS, [SEND, PAY, LOOKUP],
        (
            "`label records in result.mail` is gone", "`untrusted` instead of `records`", "for all that came in",
            "without `user`", "without `records`", "`has` instead of `is`",
            "`payee: deny when origin(args.iban) is untrusted` is gone",
        ),
    ),
    "rows, and what came into the session": (
        CONTEXT, [POST, FOUND],
        (
            "without `secret`", "for all rows", "the opposite", "`untrusted` instead of `secret`",
            "without `context has secret`", "`own: deny when context has secret and args.wide` is gone",
        ),
    ),
    "where a label may go": (
        FLOW, [OUT],
        (
            "without `confidential`", "without `untrusted`", "without `send`", "without `post`",
            "never allowed", "the opposite",
        ),
    ),
    "a session that is opened for a task": (
        TASK, [REFUND],
        (
            "`task refund` is gone", "`only call find, pay` is gone", "without `find`", "without `pay`", "also `wipe`",
            "`6` instead of `5`", "`value: require args.amount <= most` is gone", "`<` instead of `<=`",
            "`same: deny when args.order != order` is gone", "`ask` instead of `deny`",
        ),
    ),
}  # fmt: skip


def suite(folder: Path, policy: str, cases: list[dict[str, object]]) -> str:
    (folder / "p.guard").write_text(policy, encoding="utf-8")
    listed = "".join(f"  - {json.dumps(each)}\n" for each in cases)
    (folder / "p.test.yaml").write_text(f"policy: p.guard\ncases:\n{listed}", encoding="utf-8")
    return str(folder / "p.test.yaml")


def score(path: str) -> Score:
    return score_of([read_suite(path)], Settings(cache=False))


@pytest.mark.parametrize("name", SURVIVE)
def test_what_came_before_tells_a_mutant_apart(name: str, tmp_path: Path) -> None:
    policy, cases, wanted = SURVIVE[name]
    path = suite(tmp_path, policy, cases)
    before = score(path)
    survived = {each.mutant.what for each in before.of("survived")}
    assert set(wanted) <= survived, set(wanted) - survived
    assert before.of("invalid") == ()
    text, _ = with_cases(before, read_suite(path))
    whole = suite_of(text, path)
    assert [result.case for result in run_suite(whole) if result.is_bad] == []
    Path(path).write_text(text, encoding="utf-8")
    noticed = {each.mutant.id for each in score(path).of("killed")}
    assert {each.mutant.id for each in before.of("survived")} <= noticed


def test_what_is_untrusted_anyway_is_no_other_policy(tmp_path: Path) -> None:
    """Results that nobody labelled are untrusted; a label that says so changes nothing."""
    policy = ORIGINS.replace("on call send", "on result fetch { label untrusted }\non call send")
    found = score(suite(tmp_path, policy, [SEND, PAY, LOOKUP]))
    fates = {(each.mutant.span.line, each.mutant.what): each.verdict.fate for each in found.judged}
    assert fates[4, "`records` instead of `untrusted`"] == "survived"
    assert fates[3, "`label records in result.mail` is gone"] == "survived"
