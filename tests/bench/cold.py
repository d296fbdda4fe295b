"""`guard check` as a process of its own, with a warm cache, against a Python that does nothing.

The project is installed as a wheel into a fresh environment first: what an editable install adds to the
start of every Python there would be counted on both sides.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import refunds
from measuring import Contender
from tables import Ratio, Seconds, Table

ROOT = Path(__file__).parents[2]
SHIPPED = ("pyproject.toml", "README.md", "LICENSE", "guardrails", "grammar", "cli")
ROUNDS = 41


HOOKS = ("verdict", "guard check", "guard hook", "ratio")
COLUMNS = ("verdict", "python -c pass", "guard check", "ratio")


def run() -> list[Table]:
    table = Table("a cold process with a warm cache", COLUMNS, aim="at most 2.5x")
    counted = Table("the same, with a limit that is counted in a SQLite file", COLUMNS)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        programs = _installed(home)
        policy = _policy(home)
        environment = os.environ | {
            "GUARD_CACHE": str(home / "cache"), "PYTHONPATH": "", "XDG_STATE_HOME": str(home / "state")
        }  # fmt: skip
        environment.pop("GUARD_STORE", None)
        for code, (args, verdict) in _cases():
            words = [str(programs / "guard"), "check", str(policy), "--call", refunds.TOOL]
            words += ["--args", json.dumps(args), "--principal", json.dumps(refunds.PRINCIPAL)]
            _measure(table, (verdict, code), environment, (programs, words))
        for verdict, code, limit in (("allow", 0, 1_000_000), ("deny by the limit", 20, 1)):
            words = [str(programs / "guard"), "check", str(_counting(home, limit)), "--call", "pay"]
            words += ["--args", '{"customer": "c1"}', "--session", "s1"]
            if code:
                subprocess.run(words, env=environment, capture_output=True)
            _measure(counted, (verdict, code), environment, (programs, words))
        hooked = Table("`guard hook` with a warm cache, beside `guard check`", HOOKS)
        for verdict, command, code in (("allow", "ls", 0), ("deny", "rm x", 20)):
            _measure_hook(hooked, (verdict, command, code), environment, programs)
    return [table, counted, hooked]


def _measure_hook(
    table: Table, case: tuple[str, str, int], environment: dict[str, str], programs: Path
) -> None:
    """A row of the table: what a coding agent waits for, in turns with the same decision by `guard check`."""
    verdict, command, code = case
    policy = Path(environment["XDG_STATE_HOME"]).parent / "shell.guard"
    policy.write_text(
        'policy shell\non call run_command { allow when args.command == "ls" }\n', encoding="utf-8"
    )
    args = json.dumps({"command": command})
    words = [str(programs / "guard"), "check", str(policy), "--call", "run_command", "--args", args]
    event = {
        "session_id": "s",
        "hook_event_name": "PreToolUse",
        "tool_use_id": "t",
        "cwd": str(policy.parent),
    }
    event |= {"tool_name": "Bash", "tool_input": json.loads(args)}
    hook = [str(programs / "guard"), "hook", "claude-code", str(policy), "--root", str(policy.parent)]
    checked = Contender("check", _process(environment, code), [(words, None)])
    hooked = Contender("hook", _process(environment, 0), [(hook, json.dumps(event))])
    _take_turns(checked, hooked)
    table.add(verdict, Seconds(checked.cost), Seconds(hooked.cost), Ratio(hooked.ratio_to(checked)))


def _measure(
    table: Table, expected: tuple[str, int], environment: dict[str, str], asked: tuple[Path, list[str]]
) -> None:
    """A row of the table: the command in turns with a Python that does nothing."""
    (verdict, code), (programs, words) = expected, asked
    bare = [str(programs / "python"), "-c", "pass"]
    nothing = Contender("nothing", _process(environment, 0), [(bare, None)])
    checked = Contender("guard", _process(environment, code), [(words, None)])
    _take_turns(nothing, checked)
    table.add(verdict, Seconds(nothing.cost), Seconds(checked.cost), Ratio(checked.ratio_to(nothing)))


def _counting(home: Path, limit: int) -> Path:
    """A policy with one limit, counted under a name of its own."""
    path = home / f"limit{limit}.guard"
    text = f"policy limit{limit}\non call pay {{ allow; few: limit {limit} per 1d by args.customer }}\n"
    path.write_text(text, encoding="utf-8")
    return path


def _cases() -> list[tuple[int, tuple[dict[str, Any], str]]]:
    from guardrails.cli import exits

    return [(exits.OUTCOMES[refunds.CASES[index][1]], refunds.CASES[index]) for index in (0, 4, 7)]


def _take_turns(*contenders: Contender) -> None:
    for contender in contenders:
        contender.run(2)
    for number in range(ROUNDS):
        for contender in contenders[:: 1 if number % 2 else -1]:
            contender.take_turn()


def _process(environment: dict[str, str], expected: int) -> Any:
    """Runs a command to its end, which must be with the expected code."""

    def start(words: list[str], text: str | None) -> None:
        given = (text or "").encode()
        done = subprocess.run(words, env=environment, input=given, capture_output=True)
        if done.returncode != expected:
            raise SystemExit(
                f"`{' '.join(words)}` ended with {done.returncode}: {done.stderr.decode()[-2000:]}"
            )

    return start


def _installed(home: Path) -> Path:
    """A fresh environment with the project's wheel; gives its folder of programs."""
    copy, wheels, target = home / "source", home / "wheels", home / "environment"
    copy.mkdir()
    for name in SHIPPED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, copy / name)
    quiet = ["--quiet", "--disable-pip-version-check"]
    _must(sys.executable, "-m", "pip", "wheel", *quiet, "--no-deps", "--wheel-dir", str(wheels), str(copy))
    _must(sys.executable, "-m", "venv", str(target))
    programs = target / ("Scripts" if sys.platform == "win32" else "bin")
    _must(str(programs / "python"), "-m", "pip", "install", *quiet, *map(str, wheels.glob("*.whl")))
    return programs


def _must(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"`{' '.join(words)}` failed:\n{done.stderr[-4000:]}")


def _policy(home: Path) -> Path:
    (home / "tools.json").write_text(refunds.tool_file([refunds.TOOL]), encoding="utf-8")
    text = refunds.policy([refunds.TOOL], refunds.FIVE)
    head, rest = text.split("\n", 1)
    path = home / "refunds.guard"
    path.write_text(f'{head}\n\nuse tools "tools.json"\n{rest}', encoding="utf-8")
    return path
