"""What people get wrong in a policy is noticed: by the checker, by the linter, or by the tests of the pack.

The mistakes were written down before it was looked at which of them are noticed; the README beside them has the
figures, and they are counted here.
"""

from __future__ import annotations

from collections import Counter

import pytest
from mistakes import FOLDER, PACKS, WAYS, Mistake, mistakes_of, noticed, policy_of

MISTAKES = [mistake for pack in PACKS for mistake in mistakes_of(pack)]
ENOUGH = 60


def test_there_are_enough_of_them() -> None:
    assert len(MISTAKES) >= ENOUGH


@pytest.mark.parametrize("pack", PACKS)
def test_each_is_a_change_of_its_own(pack: str) -> None:
    text = policy_of(pack).read_text(encoding="utf-8")
    found = [mistake.applied(text) for mistake in mistakes_of(pack)]
    assert len({text, *found}) == len(found) + 1
    assert len({mistake.name for mistake in mistakes_of(pack)}) == len(found)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.pack}: {mistake.name}")
def test_is_noticed(mistake: Mistake) -> None:
    found = noticed(mistake)
    assert found.way == mistake.caught, f"{mistake.story} Noticed by {found.way} ({found.what})."
    assert (found.way == "nothing") == bool(mistake.reason), "what survives, and only that, has a reason"


def test_the_figures_are_told() -> None:
    """The table of the README, line by line."""
    said = (FOLDER / "README.md").read_text(encoding="utf-8")
    counts = Counter((mistake.pack, mistake.caught) for mistake in MISTAKES)
    rows = {pack: [counts[pack, way] for way in WAYS] for pack in PACKS}
    rows["**all**"] = [sum(row[index] for row in rows.values()) for index in range(len(WAYS))]
    for name, row in rows.items():
        assert f"| {name} | {' | '.join(map(str, [sum(row), *row]))} |" in said
