"""`guard` as a process of its own: what only that can show, its cold start above all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import ANA, Command


def call(tool: str) -> str:
    return json.dumps({"type": "call", "tool": tool, "args": {}})


SCRIPT = Path(sys.executable).with_name("guard")


def run_process(*words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([str(SCRIPT), *words], capture_output=True, check=False, timeout=60, **options)


def test_the_installed_script_decides(guard: Command) -> None:
    event = call("stop").encode()
    assert run_process("check", "p.guard", input=event).returncode == 30


def test_a_reader_that_goes_away_is_no_crash(guard: Command, tmp_path: Path) -> None:
    (tmp_path / "many.jsonl").write_text((call("stop") + "\n") * 3_000)
    with subprocess.Popen(
        [str(SCRIPT), "check", "p.guard", "--events", "many.jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 74
        assert process.stderr.read() == b""


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals of POSIX")
def test_progress_is_for_people_who_do_not_see_the_output(guard: Command, tmp_path: Path) -> None:
    import pty

    (tmp_path / "many.jsonl").write_text((call("stop") + "\n") * 1_000)
    ours, theirs = pty.openpty()
    words = [str(SCRIPT), "check", "p.guard", "--events", "many.jsonl"]
    ran = subprocess.run(words, stdout=subprocess.PIPE, stderr=theirs, check=False, timeout=60)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    os.close(theirs)
    assert len(ran.stdout.splitlines()) == 1_000
    assert "[######........................] 200 events" in shown
    assert shown.rstrip().endswith("1,000 events: 1,000 halt")


HEAVY = (
    "click",
    "lark",
    "json",
    "re",
    "dataclasses",
    "typing",
    "pathlib",
    "sqlglot",
    "guardrails.language",
    "guardrails.loading",
)


def test_a_warm_check_imports_nothing_heavy(guard: Command, tmp_path: Path) -> None:
    """What makes `guard check` start fast: a decision by a cached program needs none of these. The packages
    are laid out as they are when installed, without what an editable install adds to every start."""
    (tmp_path / "pyproject.toml").write_text("# guard and its tools\n[project]\nname = 'shop'\n")
    words = ["check", "p.guard", "--call", "issue_refund", "--principal", ANA]
    cold, warm = imported(tmp_path, [*words, "--args", '{"customer_id": "c1", "amount": 40}'])
    assert cold[0] == warm[0] == "0"
    assert "lark" in cold
    assert not {name for name in HEAVY if name in warm}


def test_a_warm_check_that_counts_imports_little_more(guard: Command, tmp_path: Path) -> None:
    """The store adds SQLite, and nothing else of weight."""
    (tmp_path / "c.guard").write_text("policy c\non call pay { allow; few: limit 3 per 1d by args.to }\n")
    cold, warm = imported(
        tmp_path, ["check", "c.guard", "--call", "pay", "--args", '{"to": "a"}', "--session", "s"]
    )
    assert cold[0] == warm[0] == "0"
    assert not {name for name in HEAVY if name in warm}
    assert not {name for name in ("urllib.parse", "decimal", "redis", "uuid", "tomllib") if name in warm}


def imported(tmp_path: Path, words: list[str]) -> tuple[list[str], list[str]]:
    """The exit code and the modules of a command, the first time and with a warm cache."""
    root = Path(__file__).parents[2]
    (tmp_path / "site" / "guardrails").mkdir(parents=True)
    for source in [*(root / "guardrails").iterdir(), root / "cli"]:
        (tmp_path / "site" / "guardrails" / source.name).symlink_to(source)
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path / 'site')!r})\n"
        f"from guardrails.cli import main\ncode = main({words!r})\n"
        "print(code, *sorted(sys.modules))\n"
    )
    return run_python("-c", program), run_python("-I", "-S", "-c", program)


def run_python(*words: str) -> list[str]:
    """The words of the last line that a Python program prints."""
    ran = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout.splitlines()[-1].split()
