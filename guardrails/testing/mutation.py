"""Mutation testing: test files in, a `Score` for each policy out.

A mutant is a policy with one small mistake. Tests that pass all the same do not test what the mistake is in.
Mutants are judged in as many processes as are asked for; what was judged before, of the same policy by the same
tests, is taken from the cache.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path

from guardrails.cache import folder
from guardrails.testing.cases import Suite
from guardrails.testing.mutation_bench import Bench, Verdict
from guardrails.testing.mutation_operators import Mutant
from guardrails.testing.reading import read_suite
from guardrails.version import VERSION

Progress = Callable[[int, int], None]
"""Is told how many of how many mutants are judged."""

VERSION_OF_MUTANTS = 3
"""Goes up when the same policy gives other mutants or verdicts."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A mutant, what became of it, and the change as a diff."""

    mutant: Mutant
    verdict: Verdict
    diff: str


@dataclass(frozen=True, slots=True)
class Score:
    """The mutants of one policy. `percent` is of those that a test could have noticed, rounded down to a tenth."""

    policy: tuple[str, ...]
    suites: tuple[str, ...]
    judged: tuple[Judged, ...]
    cached: int = 0

    def of(self, fate: str) -> tuple[Judged, ...]:
        return tuple(each for each in self.judged if each.verdict.fate == fate)

    @property
    def percent(self) -> float:
        killed, survived = len(self.of("killed")), len(self.of("survived"))
        return killed * 1000 // (killed + survived) / 10 if killed + survived else 100.0


@dataclass(frozen=True, slots=True)
class Settings:
    """`jobs` processes; `seed` of what is made up; `cache` says whether verdicts are kept."""

    jobs: int = 1
    seed: int = 0
    cache: bool = True


def by_policy(suites: Sequence[Suite]) -> list[list[Suite]]:
    """The suites of each policy together, in order."""
    found: dict[tuple[str, ...], list[Suite]] = {}
    for suite in suites:
        found.setdefault(tuple(map(os.path.normpath, suite.policy)), []).append(suite)
    return list(found.values())


def score_of(suites: Sequence[Suite], settings: Settings, progress: Progress | None = None) -> Score:
    """The score of the tests of one policy. Raises `PolicyError`, and `Broken` when the tests do not pass."""
    bench = Bench(suites, settings.seed)
    mutants = bench.mutants()
    store = _Verdicts(bench) if settings.cache else None
    known = store.read() if store else {}
    missing = [mutant for mutant in mutants if mutant.id not in known]
    found = dict(known)
    for done, (mutant, verdict) in enumerate(_judged(bench, missing, settings), 1):
        found[mutant.id] = verdict
        if progress is not None:
            progress(len(mutants) - len(missing) + done, len(mutants))
    if store is not None and missing:
        store.write({mutant.id: found[mutant.id] for mutant in mutants})
    texts = bench.stands[0].loaded.sources.texts
    judged = tuple(
        Judged(mutant, found[mutant.id], diff_of(mutant, texts[mutant.span.file])) for mutant in mutants
    )
    first = bench.stands[0].suite
    return Score(first.policy, tuple(suite.file for suite in suites), judged, len(mutants) - len(missing))


def diff_of(mutant: Mutant, source: str) -> str:
    """The change as a unified diff of a few lines. Empty lines that keep the numbers are left out."""
    before, after = source.splitlines(keepends=True), mutant.applied(source).splitlines(keepends=True)
    lines = unified_diff(before, after, mutant.span.file, f"{mutant.span.file} (mutant)", n=1)
    return "".join(line for line in lines if line.strip() != "+")


# --- in processes ------------------------------------------------------------------------------


def _judged(bench: Bench, mutants: Sequence[Mutant], settings: Settings) -> Iterator[tuple[Mutant, Verdict]]:
    if settings.jobs < 2 or len(mutants) < 8:
        yield from ((mutant, bench.verdict(mutant)) for mutant in mutants)
        return
    from concurrent.futures import ProcessPoolExecutor

    files = tuple(stand.suite.file for stand in bench.stands)
    _BENCHES[:] = [bench]  # what a forked process inherits need not be made again
    with ProcessPoolExecutor(settings.jobs, initializer=_begin, initargs=(files, settings.seed)) as pool:
        yield from zip(mutants, pool.map(_verdict, mutants, chunksize=4), strict=True)


_BENCHES: list[Bench] = []
"""The bench of this process."""


def _begin(files: Sequence[str], seed: int) -> None:
    if not _BENCHES:
        _BENCHES[:] = [Bench([read_suite(file) for file in files], seed)]


def _verdict(mutant: Mutant) -> Verdict:
    return _BENCHES[0].verdict(mutant)


# --- kept verdicts -----------------------------------------------------------------------------


class _Verdicts:
    """Verdicts on disk, under the digest of the policy and of its tests. Where they cannot be kept or read,
    everything is judged anew."""

    def __init__(self, bench: Bench) -> None:
        base = folder()
        self.path = Path(base, "mutants", f"{_key(bench)}.json") if base else None

    def read(self) -> dict[str, Verdict]:
        if self.path is None:
            return {}
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            return {name: Verdict(**fields) for name, fields in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def write(self, verdicts: dict[str, Verdict]) -> None:
        if self.path is None:
            return
        text = json.dumps({name: asdict(verdict) for name, verdict in verdicts.items()})
        temporary = self.path.with_suffix(f".{os.getpid()}")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            temporary.unlink(missing_ok=True)


def _key(bench: Bench) -> str:
    stands = [
        (stand.loaded.program.digest if stand.loaded.program else "", stand.suite.text)
        for stand in bench.stands
    ]
    names = sorted(bench.stands[0].loaded.sources.texts)
    whole = repr((VERSION, VERSION_OF_MUTANTS, bench.seed, names, stands))
    return sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]
