"""Mistakes of people: the corpus in `tests/corpus/mistakes` in, what notices each of them out.

A mistake is an edit of a pack's policy. The checker refuses it, or the linter warns, or a case of the pack's tests
fails, in this order; where nothing does, it survives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias

import yaml
from docs.blocks import ROOT

from guardrails.lint import lint_files
from guardrails.loading import load, read_file
from guardrails.testing.cases import Suite
from guardrails.testing.reading import read_suite
from guardrails.testing.running import making, results_of, source_of

FOLDER = ROOT / "tests" / "corpus" / "mistakes"
PACKS = sorted(path.stem for path in FOLDER.glob("*.yaml"))

Way: TypeAlias = Literal["checker", "lint", "tests", "nothing"]
WAYS: tuple[Way, ...] = ("checker", "lint", "tests", "nothing")


@dataclass(frozen=True, slots=True)
class Mistake:
    """An edit of the policy of a pack, and how it came about. `caught` says what notices it; where that is
    nothing, `reason` says why that has to be so."""

    pack: str
    name: str
    story: str
    edits: tuple[tuple[str, str], ...]
    caught: Way
    reason: str

    def applied(self, text: str) -> str:
        """The policy with the mistake in it. Raises ValueError for an edit that fits nowhere, or in several
        places."""
        for old, new in self.edits:
            if text.count(old) != 1:
                raise ValueError(f"`{old}` stands {text.count(old)} times in the policy of {self.pack}")
            text = text.replace(old, new)
        return text


@dataclass(frozen=True, slots=True)
class Noticed:
    """What notices a mistake first, and what it says: a diagnostic's rule, or the name of a case."""

    way: Way
    what: str = ""


def mistakes_of(pack: str) -> list[Mistake]:
    """The mistakes of a pack, in the order of the file."""
    data = yaml.safe_load((FOLDER / f"{pack}.yaml").read_text(encoding="utf-8"))
    return [_mistake(pack, each) for each in data]


def _mistake(pack: str, data: dict[str, Any]) -> Mistake:
    edits = tuple((each["find"], each["replace"]) for each in data.get("edits", [data]))
    return Mistake(
        pack, data["name"], data["story"], edits, data.get("caught", "tests"), data.get("reason", "")
    )


def policy_of(pack: str) -> Path:
    return ROOT / "policies" / pack / f"{pack}.guard"


@cache
def _suite(pack: str) -> Suite:
    return read_suite(str(policy_of(pack).with_suffix(".test.yaml")))


def noticed(mistake: Mistake) -> Noticed:
    """What notices it first."""
    path = str(policy_of(mistake.pack))
    text = mistake.applied(read_file(path))

    def read(name: str) -> str:
        return text if name == path else read_file(name)

    suite = _suite(mistake.pack)
    loaded = load(suite.policy, params=suite.fixtures.params, read=_for(suite, text))
    if loaded.program is None:
        return Noticed("checker", loaded.diagnostics[0].rule)
    serious = [found for found in lint_files([path], read=read).diagnostics if found.severity != "info"]
    if serious:
        return Noticed("lint", serious[0].rule)
    make = making(suite, source_of(suite), loaded.program)
    failed = next((result for result in results_of(suite, make=make) if result.is_bad), None)
    return Noticed("nothing") if failed is None else Noticed("tests", failed.case)


def _for(suite: Suite, text: str) -> Any:
    (policy,) = suite.policy
    return lambda name: text if name == policy else read_file(name)
