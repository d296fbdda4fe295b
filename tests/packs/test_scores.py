"""The tests of every pack see each condition decide both ways, and notice nearly every small change.

Packs are found, not listed: a new one is held to the same. Mutants are judged anew each time, all of them, since
what is kept on disk knows nothing of a change of the engine.
"""

from __future__ import annotations

import pytest
from docs.blocks import ROOT
from soaking import SOAK

from guardrails.testing.cases import Suite
from guardrails.testing.coverage_reports import text_report as coverage_text
from guardrails.testing.coverage_suites import coverages_of
from guardrails.testing.mutation import Settings, score_of
from guardrails.testing.mutation_bench import Bench
from guardrails.testing.mutation_operators import Mutant
from guardrails.testing.mutation_reports import text_report as score_text
from guardrails.testing.reading import read_suite

POLICIES = ROOT / "policies"
PACKS = sorted(path.parent.name for path in POLICIES.glob("*/*.guard") if path.stem == path.parent.name)

LEAST_SCORE = 95.0
"""Percent of the mutants that could be noticed."""

MOST_EQUIVALENT = 0.05
"""The part of all mutants that may pass for equivalent: more would hide gaps behind a weak search."""


def suites_of(pack: str) -> list[Suite]:
    paths = sorted((POLICIES / pack).glob("*.test.yaml"))
    assert paths, f"the pack `{pack}` has no `*.test.yaml`"
    return [read_suite(str(path)) for path in paths]


def is_noticed(bench: Bench, mutant: Mutant) -> bool:
    """Whether a case fails with the mutant."""
    for stand in bench.stands:
        altered = stand.altered(mutant)
        assert altered is not None, f"an operator made what is no policy: {mutant}"
        if stand.failing(altered) is not None:
            return True
    return False


@pytest.mark.parametrize("pack", PACKS)
def test_everything_is_covered(pack: str) -> None:
    (coverage,) = coverages_of([suites_of(pack)], lambda suite, case: True)
    assert coverage.percent == 100, coverage_text(coverage)


@pytest.mark.parametrize("pack", PACKS)
def test_mutants_are_noticed(pack: str) -> None:
    """Those that no case notices are few enough to be all of them survivors, or all of them equivalent. Where they are
    not, and in a soak, it is looked for what becomes of each, which takes longer than all the others."""
    bench = Bench(suites_of(pack), Settings().seed)
    mutants = bench.mutants()
    unnoticed = sum(not is_noticed(bench, mutant) for mutant in mutants)
    most = min(1 - LEAST_SCORE / 100, MOST_EQUIVALENT) * len(mutants)
    if unnoticed > most or SOAK:
        require_score(pack)


def require_score(pack: str) -> None:
    found = score_of(suites_of(pack), Settings(cache=False))
    assert found.percent >= LEAST_SCORE, score_text(found)
    assert found.of("invalid") == (), "an operator made what is no policy"
    equivalent = found.of("equivalent")
    assert len(equivalent) <= MOST_EQUIVALENT * len(found.judged), [each.diff for each in equivalent]
