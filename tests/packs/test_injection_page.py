"""The page about planted instructions is true: its example is decided as it says, its tables are the bench's."""

from __future__ import annotations

import re
import sys

import pytest
from docs.blocks import ROOT, blocks_of
from docs.notation import outcome_of

from guardrails import Guard

sys.path.insert(0, str(ROOT / "tests" / "bench"))

PAGE = "policies/INJECTION.md"


def test_the_example_is_decided_as_it_says() -> None:
    policy, events = blocks_of(PAGE)
    assert (policy.kind, events.kind) == ("guard", "guard-check")
    guard = Guard.from_text(policy.text)
    for number, line in events.lines:
        expected, actual = outcome_of(guard, line)
        assert actual == expected, f"{PAGE}:{number}: {line}"


def table(name: str) -> list[str]:
    text = (ROOT / PAGE).read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)\n<!-- {name}: end -->", text, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def test_the_tables_add_up() -> None:
    for name in ("bench", "bench text"):
        for line in table(name)[2:]:
            runs, clean, asked, broken, attacks, *fates = map(int, re.findall(r"\b\d+\b", line))
            assert runs == clean + asked + broken
            assert attacks == sum(fates)


@pytest.mark.soak
@pytest.mark.parametrize(("name", "as_text"), [("bench", False), ("bench text", True)])
def test_the_tables_are_what_the_bench_gives(name: str, as_text: bool) -> None:  # noqa: FBT001
    pytest.importorskip("agentdojo", reason="the extra `injection-bench` is not installed")
    from injection import HEAD, PACKS, row, verdicts

    made = [row(suite, *verdicts(suite, as_text=as_text)) for suite in PACKS]
    assert table(name) == [*HEAD, *made]
