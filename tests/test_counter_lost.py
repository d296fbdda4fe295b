"""A new version of a policy against the one in force: which counters would begin anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from guardrails.lint.running import lint_files

OLD = """policy p
on call pay {
  allow when args.amount < 100
  daily: limit 3 per 1d by args.customer
}
on session { spent: budget tokens 1_000 }
"""

DAILY = "daily: limit 3 per 1d by args.customer"

KEPT = {
    "another amount": ("limit 3", "limit 5"),
    "another place": ("on call pay {", "let x = 5\non call pay {\n  deny when args.amount > 90"),
    "another label that says so": (DAILY, "day: limit 3 per 1d by args.customer was daily"),
    "one more window": ("per 1d by", "per 1d, 9 per 7d by"),
}

LOST = {
    "another label": ("daily:", "day:", "`p.day` begins to count anew: its label was `p.daily`"),
    "another window": ("per 1d", "per 2d", "the window `1d` is gone, there is `2d` now"),
    "another key": ("by args.customer", "by args.account", "counted by `args.customer` and counts by `args.account`"),
    "no key": (" by args.customer", "", "it counted by `args.customer` and counts everything together"),
    "something else": ("limit 3 per", "limit sum(args.n) to 3 per", "counted limit count and counts limit sum(args.n)"),
    "nothing": (f"  {DAILY}\n", "", "`p.daily` is gone, and what it has counted with it"),
}  # fmt: skip


def compared(tmp_path: Path, new: str) -> list[str]:
    (tmp_path / "old.guard").write_text(OLD)
    (tmp_path / "new.guard").write_text(new)
    report = lint_files([str(tmp_path / "new.guard")], against=[str(tmp_path / "old.guard")])
    return [found.message for found in report.diagnostics if found.rule == "counter-lost"]


@pytest.mark.parametrize("name", KEPT)
def test_a_counter_that_goes_on_is_no_matter(name: str, tmp_path: Path) -> None:
    before, after = KEPT[name]
    assert before in OLD
    assert compared(tmp_path, OLD.replace(before, after)) == []


@pytest.mark.parametrize("name", LOST)
def test_a_counter_that_is_lost_is_told(name: str, tmp_path: Path) -> None:
    before, after, message = LOST[name]
    assert before in OLD
    [said] = compared(tmp_path, OLD.replace(before, after))
    assert said.endswith(message)
    assert "daily" in said


def test_a_policy_in_force_that_does_not_load_is_told(tmp_path: Path) -> None:
    (tmp_path / "old.guard").write_text("on call a { alow }")
    (tmp_path / "new.guard").write_text(OLD)
    report = lint_files([str(tmp_path / "new.guard")], against=[str(tmp_path / "old.guard")])
    assert "syntax-error" in {found.rule for found in report.diagnostics}
