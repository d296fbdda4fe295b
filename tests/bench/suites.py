"""`guard test`: how long it takes to start, and how many cases without state it gets through in a second.

The file is made of the refund of the other sections: 5,000 cases, each with what it expects. Beside it, in the
same turns, stand what cannot be avoided: a Python that does nothing, and PyYAML reading the same text.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

import refunds
from measuring import Contender, compare
from tables import Ratio, Seconds, Table

from guardrails.testing.writing import case_text

CASES = 5_000
STARTS = 15

HEAD = """policy: refunds.guard
principals:
  agent: {id: agent-7, customers: [c-17, c-18, c-19]}
defaults: {principal: agent}

cases:
"""


def run() -> list[Table]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        os.environ["GUARD_CACHE"] = str(home / "cache")
        many, one = _files(home)
        return [_throughput(many), _starts(home, many, one)]


def case_of(number: int) -> str:
    """A case as people write them."""
    args, verdict = refunds.CASES[number % len(refunds.CASES)]
    written = {"name": f"case {number}", "call": refunds.TOOL, "args": args, "expect": {"outcome": verdict}}
    return case_text(written)


def _files(home: Path) -> tuple[Path, Path]:
    """A test file with all cases, and one with a single case, of the same policy."""
    (home / "refunds.guard").write_text(refunds.policy([refunds.TOOL], refunds.FIVE), encoding="utf-8")
    found = []
    for name, size in (("many", CASES), ("one", 1)):
        path = home / f"{name}.test.yaml"
        path.write_text(HEAD + "".join(map(case_of, range(size))), encoding="utf-8")
        found.append(path)
    return found[0], found[1]


# --- cases a second ----------------------------------------------------------------------------


def _throughput(path: Path) -> Table:
    import yaml

    from guardrails.testing.files import Choice, report_of
    from guardrails.testing.reading import read_suite
    from guardrails.testing.running import maker_of, run_suite

    text, suite = path.read_text(encoding="utf-8"), read_suite(str(path))
    make = maker_of(suite)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    def whole(_: None, __: None) -> None:
        report = report_of(str(path), Choice())
        if len(report.results) != CASES or report.is_bad:
            raise SystemExit(f"not all of {CASES} cases passed: {report.error}")

    bare = Contender("PyYAML reads the text (C loader, no places)", lambda *_: yaml.load(text, loader), [_NO])
    ways = [
        Contender("reading the cases, with their places", lambda *_: read_suite(str(path)), [_NO]),
        Contender("running them", lambda *_: run_suite(suite, make=make), [_NO]),
        Contender("all of it, as `guard test` does", whole, [_NO]),
    ]
    compare([bare, *ways])
    columns = ("what", "time", "cases/s", "ratio to PyYAML")
    table = Table(f"a file of {CASES:,} cases without state", columns, aim="at least 5,000 cases/s")
    for each in (bare, *ways):
        table.add(each.name, Seconds(each.cost), int(CASES / each.cost), Ratio(each.ratio_to(bare)))
    return table


_NO: tuple[None, None] = (None, None)


# --- starting ----------------------------------------------------------------------------------


def _starts(home: Path, many: Path, one: Path) -> Table:
    """Processes, from their start to their end, in turns."""
    packs = str(Path(__file__).parents[2] / "policies")
    settings: dict[str, dict[str, str]] = {"on": {}, "off": {"GUARD_CACHE": "off"}}
    nothing = Contender("a Python that does nothing", _process("pass"), [(settings["on"], [])])
    ways = [
        Contender("one case", _guard, [(settings["on"], [str(one)])]),
        Contender("one case, the policy was just edited", _edited(home), [(settings["on"], [])]),
        Contender("one case, without a cache", _guard, [(settings["off"], [str(one)])]),
        Contender("all cases of the packs", _guard, [(settings["on"], [packs])]),
        Contender(f"{CASES:,} cases", _guard, [(settings["on"], [str(many)])]),
    ]
    contenders = [nothing, *ways]
    for each in contenders:
        each.run(1)
    for number in range(STARTS):
        for each in contenders[:: 1 if number % 2 else -1]:
            each.take_turn()
    table = Table(
        "`guard test` as a process", ("what", "time", "ratio to nothing"), aim="starts in under 0.5 s"
    )
    for each in contenders:
        table.add(each.name, Seconds(each.cost), Ratio(each.ratio_to(nothing)))
    return table


def _process(code: str) -> Any:
    """Runs this code in a process of its own, which must end well."""

    def start(settings: dict[str, str], words: list[str]) -> None:
        command = [sys.executable, "-c", code, *words]
        done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
        if done.returncode not in (0, 1):  # a case of the packs that fails takes its time as well
            raise SystemExit(
                f"`{' '.join(words)}` ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr}"
            )

    return start


_guard = _process(
    "import sys; from importlib.metadata import entry_points as e\n"
    "sys.exit(next(iter(e(group='console_scripts', name='guard'))).load()(['test', *sys.argv[1:]]))"
)


def _edited(home: Path) -> Any:
    """The same with files of its own, of which the policy gets another comment every time."""
    own = home / "edited"
    own.mkdir()
    _, one = _files(own)
    policy = own / "refunds.guard"
    text = policy.read_text(encoding="utf-8")
    edits = count()

    def start(settings: dict[str, str], _: list[str]) -> None:
        policy.write_text(f"{text}# edit {next(edits)}\n", encoding="utf-8")
        _guard(settings, [str(one)])

    return start
