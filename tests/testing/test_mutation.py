"""Mutation: each operator on a policy made for it, and what the bench says of mutants."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docs.blocks import ROOT

from guardrails.language.parser import parse
from guardrails.loading import load
from guardrails.testing.mutation import Score, Settings, score_of
from guardrails.testing.mutation_bench import Bench, Broken
from guardrails.testing.mutation_operators import Mutant, mutants_of
from guardrails.testing.mutation_reports import json_report, text_report, with_cases
from guardrails.testing.reading import read_suite, suite_of
from guardrails.testing.running import run_suite

PACKS = sorted(path.parent.name for path in (ROOT / "policies").glob("*/*.test.yaml"))


def mutants(text: str) -> list[Mutant]:
    file, problems = parse(text, "p.guard")
    assert file is not None, problems
    return list(mutants_of(file))


MADE = {
    "boundary shift": ("on call t { allow when args.n < 5 }", "on call t { allow when (args.n <= 5) }"),
    "boundary shift of a number": ("on call t { allow when args.n < 5 }", "on call t { allow when args.n < 6 }"),
    "boundary shift by the last digit": ("param m: decimal = 0.50", "param m: decimal = 0.49"),
    "comparison flip": ("on call t { allow when args.n < 5 }", "on call t { allow when (args.n > 5) }"),
    "comparison flip of in": ('on call t { allow when args.a in {"x"} }', 'on call t { allow when (args.a not in {"x"}) }'),
    "negation": ("on call t { deny when args.a }", "on call t { deny when not (args.a) }"),
    "negation that is gone": ("on call t { deny when not args.a }", "on call t { deny when (args.a) }"),
    "dropped conjunct": ("on call t { allow when args.a and args.b }", "on call t { allow when (args.b) }"),
    "dropped disjunct": ("on call t { allow when args.a or args.b }", "on call t { allow when (args.a) }"),
    "dropped statement": ("on call t { allow\n deny when args.a }", "on call t { allow\n  }"),
    "dropped when": ("on call t { allow when args.a }", "on call t { allow  }"),
    "dropped when in parentheses": ("on call t { allow when (args.a or args.b) }", "on call t { allow  }"),
    "dropped unless": ("on call t { deny unless args.a }", "on call t { deny  }"),
    "dropped unless of a block": ("on call t unless args.a { deny }", "on call t  { deny }"),
    "narrowed set": ('let s = {"x", "y"}', 'let s = ({"y"})'),
    "widened set": ('on call t { allow when args.a in {"x"} }', "on call t { allow when true }"),
    "narrowed fields": ("on result t { only fields a, b }", "on result t { only fields a }"),
    "changed window": ("on call t { limit 3 per 1d }", "on call t { limit 3 per 2d }"),
    "changed window of a question": ("on call t { ask within 4h }", "on call t { ask within 8h }"),
    "changed key": ("on call t { limit 3 per 1d by args.a }", "on call t { limit 3 per 1d }"),
    "changed unit": ("on session { budget cost 5.00 USD per month }", "on session { budget cost 5.00 EUR per month }"),
    "changed amount": ("on call t { limit 3 per 1d }", "on call t { limit 2 per 1d }"),
    "loosened regex": ("on result t { redact /\\b[0-9]{4}/ }", "on result t { redact /[0-9]{4}/ }"),
    "loosened count": ("on result t { redact /\\b[0-9]{4}/ }", "on result t { redact /\\b[0-9]+/ }"),
    "removed redaction": ("on result t { redact /x/ in result.a, result.b }", "on result t { redact /x/ in result.a }"),
    "weaker method": ("on result t { redact /x/ with drop }", "on result t { redact /x/ with mask }"),
    "swapped outcome": ("on call t { deny }", "on call t { allow }"),
    "swapped outcome of a row": (
        "on call t { threshold args.n { up to 1: allow\n above: deny } }",
        "on call t { threshold args.n { up to 1: deny\n above: deny } }",
    ),
    "changed quantifier": (
        "on call t { allow when any x in args.xs: x == 1 }", "on call t { allow when (all x in args.xs: x == 1) }",
    ),
    "a default": ("default call ask", "default call allow"),
    "a label that is gone": ("on result t { label records, confidential }", "on result t { label confidential }"),
    "another label": ("on result t { label untrusted }", "on result t { label records }"),
    "another label, stricter": ("on result t { label records }", "on result t { label untrusted }"),
    "a label that vouches": ("on result t { label confidential }", "on result t { label confidential, records }"),
    "a label for all of it": ("on result t { label records in result.a }", "on result t { label records }"),
    "a label for fewer places": (
        "on result t { label records in result.a, result.b }", "on result t { label records in result.b }",
    ),
    "a label for all rows": ("on result t { label records where row.a }", "on result t { label records }"),
    "a label for other rows": (
        "on result t { label records where row.a }", "on result t { label records where not (row.a) }",
    ),
    "who vouches": (
        "on call t { allow when origin(args.a) in {user} }", "on call t { allow when (origin(args.a) in {user, model}) }",
    ),
    "one who vouches is gone": (
        "on call t { allow when origin(args.a) in {user, records} }",
        "on call t { allow when origin(args.a) in ({records}) }",
    ),
    "has for is": (
        "on call t { ask when origin(args.a) is untrusted }", "on call t { ask when (origin(args.a) has untrusted) }",
    ),
    "is for has": (
        "on call t { ask when origin(args.a) has untrusted }", "on call t { ask when (origin(args.a) is untrusted) }",
    ),
    "a question about another label": (
        "on call t { ask when context has untrusted }", "on call t { ask when (context has confidential) }",
    ),
    "a flow that is gone": ("flow confidential to call t", ""),
    "a flow without exception": ("flow confidential to call t only when args.a", "flow confidential to call t"),
    "a flow with the opposite exception": (
        "flow confidential to call t only when args.a", "flow confidential to call t only when not (args.a)",
    ),
    "a flow of one label": ("flow confidential, untrusted to call t", "flow untrusted to call t"),
    "a flow to one tool": ('flow confidential to call t, "u.*"', 'flow confidential to call "u.*"'),
    "a task that is gone": ("task a { only call t }", ""),
    "a task with a tool more": (
        "on call t, u { allow }\ntask a { only call t }", "on call t, u { allow }\ntask a { only call t, u }",
    ),
    "a task with a tool less": ("task a { only call t, u }", "task a { only call u }"),
    "a task that may call all": (
        "task a {\n  only call t\n  on call t { deny }\n}", "task a {\n  \n  on call t { deny }\n}",
    ),
    "a task without a block": ("task a {\n  only call t\n  on call t { deny }\n}", "task a {\n  only call t\n  \n}"),
    "a task without a statement": ("task a { on call t { deny\n ask } }", "task a { on call t { deny\n  } }"),
    "a task that asks": ("task a { on call t { deny } }", "task a { on call t { ask } }"),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_operators_make(name: str) -> None:
    policy, mutated = MADE[name]
    found = [mutant.applied(policy) for mutant in mutants(policy)]
    assert mutated in found, found


ORIGINS = """
type label { public < internal < secret }
type principal { id: string }
on result search {
  label records
  label untrusted in result.*.comment, result.*.note
  label internal, secret in result.*.salary where row.team != "press"
}
on call search, "docs.*" { allow }
on call post, wipe {
  ask when context has untrusted
  own: deny when origin(args.text) has internal unless origin(args.to) in {records}
  allow unless origin(args.to) is untrusted
}
flow secret, untrusted to call post, "docs.*" only when args.to == principal.id because "Ours."
task tidy(most: int, who: string) {
  only call wipe, search
  on call wipe when args.n > 1 { require args.n <= most; deny when args.who != who; ask 2 of people within 1h }
  on result search { deny when seen(call wipe) }
  on session { limit 3 calls }
}
"""


def test_each_mutant_about_labels_and_tasks_is_a_policy() -> None:
    found = mutants(ORIGINS)
    assert len({mutant.applied(ORIGINS) for mutant in found}) == len(found) > 70
    for mutant in found:
        loaded = load(["p.guard"], read={"p.guard": mutant.applied(ORIGINS)}.__getitem__)
        assert loaded.program is not None, (mutant.what, loaded.diagnostics)


@pytest.mark.parametrize("pack", PACKS)
def test_mutants_of_the_packs(pack: str) -> None:
    """They differ from the policy and from each other, and keep the lines where they are. That each of them loads is
    asked where they are judged, in `packs/test_scores.py`."""
    path = str(ROOT / "policies" / pack / f"{pack}.guard")
    text = Path(path).read_text(encoding="utf-8")
    file, _ = parse(text, path)
    assert file is not None
    found = list(mutants_of(file))
    mutated = [mutant.applied(text) for mutant in found]
    assert len(found) > 50
    assert len({*mutated, text}) == len(found) + 1
    assert {each.count("\n") for each in mutated} == {text.count("\n")}


def test_mutants_come_in_the_same_order() -> None:
    text = (ROOT / "policies/support/support.guard").read_text(encoding="utf-8")
    assert mutants(text) == mutants(text)


# --- the bench ---------------------------------------------------------------------------------

POLICY = """policy p
on call pay {
  small: allow when args.n <= 10 and args.unit == "EUR"
  never: deny when args.n > 5 and args.n > 4
}
"""


def case(name: str, n: int, unit: str, outcome: str, applied: list[str]) -> dict[str, object]:
    return {
        "name": name, "call": "pay", "args": {"n": n, "unit": unit},
        "expect": {"outcome": outcome, "applied": applied},
    }  # fmt: skip


WEAK = [case("small", 3, "EUR", "allow", ["small"])]


def suite(folder: Path, cases: list[dict[str, object]], policy: str = POLICY) -> str:
    (folder / "p.guard").write_text(policy, encoding="utf-8")
    path = folder / "p.test.yaml"
    listed = "".join(f"  - {json.dumps(each)}\n" for each in cases)
    path.write_text(f"policy: p.guard\ncases:\n{listed}", encoding="utf-8")
    return str(path)


def score(path: str) -> Score:
    return score_of([read_suite(path)], Settings(cache=False))


def test_fates(tmp_path: Path) -> None:
    found = score(suite(tmp_path, WEAK))
    fates = {(each.mutant.operator, each.mutant.what): each.verdict for each in found.judged}
    assert (
        fates["dropped statement", '`small: allow when args.n <= 10 and args.unit == "EUR"` is gone'].by
        == "small"
    )
    assert fates["dropped conjunct", 'without `args.unit == "EUR"`'].fate == "survived"
    # More than 5 is more than 4 as well, so that nothing can tell the policy from one without that part.
    assert fates["dropped conjunct", "without `args.n > 4`"].fate == "equivalent"


def test_a_mutant_that_does_not_load(tmp_path: Path) -> None:
    policy = 'policy p\nparam most: int = 3\nparam few: set<string> = {"a"}\non call pay { allow when args.n <= most }\n'
    path = suite(tmp_path, [case("pay", 3, "EUR", "allow", [])], policy)
    bench = Bench([read_suite(path)], 0)
    whole = next(mutant for mutant in bench.mutants() if mutant.operator == "boundary shift")
    broken = Mutant("boundary shift", "", whole.span, '"text"')
    assert bench.verdict(broken).fate == "invalid"


def test_survivors_come_with_a_case_that_notices_them(tmp_path: Path) -> None:
    """With the cases that it wrote, the score only grows, and what survived is noticed."""
    path = suite(tmp_path, WEAK)
    before = score(path)
    text, count = with_cases(before, read_suite(path))
    assert count > 0
    Path(path).write_text(text, encoding="utf-8")
    assert not any(result.is_bad for result in run_suite(suite_of(text, path)))
    after = score(path)
    noticed = {each.mutant.id for each in after.of("killed")}
    assert {each.mutant.id for each in before.of("survived")} <= noticed
    assert after.percent > before.percent


def test_the_same_seed_gives_the_same_score(tmp_path: Path) -> None:
    path = suite(tmp_path, WEAK)
    assert score(path) == score(path)


def test_processes_judge_alike(tmp_path: Path) -> None:
    path = suite(tmp_path, WEAK)
    assert score_of([read_suite(path)], Settings(jobs=2, cache=False)) == score(path)


def test_verdicts_are_kept_until_the_tests_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUARD_CACHE", str(tmp_path / "cache"))
    path = suite(tmp_path, WEAK)
    first, second = (score_of([read_suite(path)], Settings()) for _ in range(2))
    assert (first.cached, second.cached) == (0, len(first.judged))
    assert first.judged == second.judged
    suite(tmp_path, [*WEAK, case("more", 11, "EUR", "deny", ["never"])])
    assert score_of([read_suite(path)], Settings()).cached == 0


def test_tests_that_fail_judge_nothing(tmp_path: Path) -> None:
    path = suite(tmp_path, [case("wrong", 3, "EUR", "deny", [])])
    with pytest.raises(Broken, match="the case `wrong` of"):
        score(path)


def test_limits_that_nobody_fills(tmp_path: Path) -> None:
    """A limit is only noticed by a test that fills it, and the made-up case does."""
    policy = "policy p\non call pay {\n  allow\n  few: limit 2 per 1d\n}\n"
    found = score(suite(tmp_path, [case("once", 1, "EUR", "allow", [])], policy))
    gone = next(each for each in found.judged if each.mutant.what == "`few: limit 2 per 1d` is gone")
    assert gone.verdict.fate == "survived"
    assert "repeat: 2" in gone.verdict.case


def test_reports(tmp_path: Path) -> None:
    found = score(suite(tmp_path, WEAK))
    text = text_report(found)
    data = json.loads(json_report([found]))["policies"][0]
    assert (
        f"{found.percent:.1f}% ({data['killed']} of {data['killed'] + data['survived']} mutants noticed)"
        in text
    )
    assert '-  small: allow when args.n <= 10 and args.unit == "EUR"' in text
    assert len(data["mutants"]) == len(found.judged)


def test_what_the_mutants_of_a_pack_are_is_loaded_like_any_policy() -> None:
    """Every mutant of the support pack loads, so that none is left out of its score."""
    path = str(ROOT / "policies/support/support.guard")
    text = Path(path).read_text(encoding="utf-8")
    file, _ = parse(text, path)
    assert file is not None
    for mutant in list(mutants_of(file))[::10]:
        mutated = mutant.applied(text)
        read = {path: mutated}
        loaded = load([path], read=lambda name, read=read: read.get(name) or Path(name).read_text("utf-8"))
        assert loaded.program is not None, (mutant.what, loaded.diagnostics)


def test_a_deadline_of_a_review_is_part_of_the_case(tmp_path: Path) -> None:
    policy = "policy p\non call pay {\n  allow\n  look: review by audit within 2d when args.n > 1\n}\n"
    found = score(
        suite(
            tmp_path, [case("one", 1, "EUR", "allow", []), case("two", 2, "EUR", "allow", ["look"])], policy
        )
    )
    later = next(each for each in found.judged if each.mutant.what == "twice the time")
    assert later.verdict.fate == "survived"
    assert 'within: "2d"' in later.verdict.case or "within: 2d" in later.verdict.case


def test_what_is_in_shadow_has_no_outcome_to_swap() -> None:
    made = [
        mutant.operator for mutant in mutants("on call t { shadow deny\n allow }\nshadow on call u { ask }")
    ]
    assert made.count("swapped outcome") == 1
    assert made.count("dropped statement") == 3


def test_cases_may_be_written_as_json(tmp_path: Path) -> None:
    """And a text in one of them may look like the key."""
    path = suite(tmp_path, [])
    cases = [case("small", 3, "EUR", "allow", ["small"]), case("cases:", 30, "EUR", "deny", ["never"])]
    Path(path).write_text(json.dumps({"policy": "p.guard", "cases": cases}), encoding="utf-8")
    assert score(path).of("survived") != ()
