"""The coverage of test files: suites in, a `Coverage` for each policy out.

Suites of one policy are counted together, also where they load it with other parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardrails.errors import PolicyError
from guardrails.testing.cases import Case, Suite
from guardrails.testing.coverage import Coverage, coverage_of
from guardrails.testing.coverage_recording import Recorder
from guardrails.testing.running import making, results_of, source_of

Chosen = Callable[[Suite, Case], bool]


def coverages_of(groups: Sequence[Sequence[Suite]], chosen: Chosen) -> list[Coverage]:
    """What the chosen cases cover. Raises `PolicyError` when a policy does not load."""
    return [_coverage_of(suites, chosen) for suites in groups]


def _coverage_of(suites: Sequence[Suite], chosen: Chosen) -> Coverage:
    recorder = Recorder()
    for suite in suites:
        record(recorder, suite, [case for case in suite.cases if chosen(suite, case)])
    return coverage_of(recorder)


def record(recorder: Recorder, suite: Suite, cases: Sequence[Case]) -> None:
    """Run the cases; the recorder sees what they use."""
    source = source_of(suite)
    loaded = recorder.load(source.paths, params=source.params, functions=source.functions)
    if loaded.program is None:
        from guardrails.renderings import render_text

        raise PolicyError(loaded.diagnostics, render_text(loaded.diagnostics, loaded.sources.texts))
    make = making(suite, source, loaded.program)
    for _ in results_of(suite, make=lambda: recorder.guard(make()), cases=cases):
        pass
