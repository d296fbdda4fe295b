"""Scores for people and programs: a `Score` in, text or JSON out; and survivors' cases for the test file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from guardrails.strict_json import write_json
from guardrails.testing.cases import Suite
from guardrails.testing.mutation import Judged, Score
from guardrails.testing.running import run_suite
from guardrails.testing.writing import flow


def text_report(score: Score) -> str:
    """The sums, then each survivor as a diff, with a case that would notice it."""
    return "".join(f"{line}\n" for line in _lines(score))


def _lines(score: Score) -> Iterator[str]:
    killed, survived, equivalent = (len(score.of(fate)) for fate in ("killed", "survived", "equivalent"))
    yield f"{', '.join(score.policy)}: {score.percent:.1f}% ({killed} of {killed + survived} mutants noticed)"
    notes = [f"{equivalent} seem equivalent"] * bool(equivalent)
    invalid = len(score.of("invalid"))
    notes += [f"{invalid} do not load"] * bool(invalid)
    if notes:
        yield f"  not counted: {', '.join(notes)}"
    for each in score.of("survived"):
        yield from ("", f"survived: {each.mutant.operator}, line {each.mutant.span.line}: {each.mutant.what}")
        yield from (f"  {line}" for line in each.diff.splitlines()[2:])
        yield "  this case would notice it:"
        yield from (f"  {line}" for line in each.verdict.case.splitlines())


def json_report(scores: Sequence[Score]) -> str:
    return write_json({"policies": [_score(score) for score in scores]}) + "\n"


def _score(score: Score) -> dict[str, Any]:
    counts = Counter(each.verdict.fate for each in score.judged)
    return {
        "policy": list(score.policy), "tests": list(score.suites), "percent": score.percent,
        "killed": counts["killed"], "survived": counts["survived"], "equivalent": counts["equivalent"],
        "invalid": counts["invalid"], "mutants": [_mutant(each) for each in score.judged],
    }  # fmt: skip


def _mutant(each: Judged) -> dict[str, Any]:
    mutant, verdict = each.mutant, each.verdict
    return {
        "operator": mutant.operator, "what": mutant.what, "file": mutant.span.file, "line": mutant.span.line,
        "fate": verdict.fate, "by": verdict.by or None, "diff": each.diff, "case": verdict.case or None,
    }  # fmt: skip


def with_cases(score: Score, suite: Suite) -> tuple[str, int]:
    """The text of a test file with cases for the survivors at its end, and how many. A case that notices several
    is added once; each passes on the policy as it is."""
    from guardrails.testing.reading import suite_of

    text = suite.text if suite.text.endswith("\n") else f"{suite.text}\n"
    known = {case.name for case in suite.cases}
    added: dict[str, str] = {}
    for each in score.of("survived"):
        name = _body(each.verdict.case)
        added.setdefault(name, each.verdict.case)
    cases = [case for case in added.values() if not _stands(case, known)]
    if not cases:
        return suite.text, 0
    whole = suite_of(text + "".join(cases), suite.file)
    results = run_suite(whole)[len(suite.cases) :]
    kept = [case for case, result in zip(cases, results, strict=True) if result.status == "passed"]
    return text + "".join(kept), len(kept)


def _body(case: str) -> str:
    """A case without its comment and name."""
    return "\n".join(case.splitlines()[2:])


def _stands(case: str, known: set[str]) -> bool:
    """Whether a case of this name is in the file already, written there by an earlier search."""
    return case.splitlines()[1].strip() in {f"- name: {flow(name)}" for name in known}
