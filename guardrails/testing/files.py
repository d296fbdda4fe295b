"""Test files as a whole: paths in, a `Report` for each out, in as many processes as are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from guardrails.errors import PolicyError
from guardrails.testing.cases import Case, Suite
from guardrails.testing.reading import SuiteError, read_suite
from guardrails.testing.reporting import Report
from guardrails.testing.running import Result, results_of

MALFORMED, UNLOADABLE, UNREADABLE = "test file", "policy", "unreadable"
"""Why the cases of a file could not be run."""

COLLECT_AFTER = 100_000
"""New values after which the garbage collector comes by."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which cases are run: those with `words` in their file or name, or as a tag (empty: all). `fail_fast`
    stops after the first that fails."""

    words: str = ""
    fail_fast: bool = False
    color: bool = False

    def has(self, suite: Suite, case: Case) -> bool:
        words = self.words.lower()
        return words in f"{suite.file} {case.name}".lower() or words in (tag.lower() for tag in case.tags)


def report_of(path: str, choice: Choice) -> Report:
    """What becomes of the file at `path`."""
    try:
        with _seldom_collected():
            suite = read_suite(path)
            cases = [case for case in suite.cases if choice.has(suite, case)]
            return Report(path, tuple(_results(suite, cases, choice)) if cases else ())
    except SuiteError as error:
        return Report(path, error=error.rendered(color=choice.color), kind=MALFORMED)
    except PolicyError as error:
        return Report(path, error=str(error), kind=UNLOADABLE)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Report(path, error=f"`{path}` cannot be read: {reason}", kind=UNREADABLE)


@contextmanager
def _seldom_collected() -> Iterator[None]:
    """A file is read into very many values that live on and hold no circles. Looking through them again and again
    for such takes longer than reading them, so the collector comes by less often meanwhile."""
    import gc

    before = gc.get_threshold()
    gc.set_threshold(max(before[0], COLLECT_AFTER) if before[0] else 0, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _results(suite: Suite, cases: Sequence[Case], choice: Choice) -> Iterator[Result]:
    for result in results_of(suite, cases=cases):
        yield result
        if choice.fail_fast and result.is_bad:
            return


def reports_of(paths: Sequence[str], choice: Choice, *, jobs: int = 1) -> Iterator[Report]:
    """The reports of files in their order, as soon as each is there."""
    if jobs > 1 and len(paths) > 1:
        yield from _in_processes(paths, choice, min(jobs, len(paths)))
        return
    for path in paths:
        report = report_of(path, choice)
        yield report
        if choice.fail_fast and report.is_bad:
            return


def _in_processes(paths: Sequence[str], choice: Choice, jobs: int) -> Iterator[Report]:
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(jobs) as pool:
        waiting = [pool.submit(report_of, path, choice) for path in paths]
        for each in waiting:
            report = each.result()
            yield report
            if choice.fail_fast and report.is_bad:
                pool.shutdown(wait=False, cancel_futures=True)
                return
