"""What `parse_shell` lists against what bash runs, on random lines of harmless pieces.

No program exists on the PATH of the run, so bash reports each one that it looks for; all of them must have
been listed, unless the line was refused. Runs in a directory of its own, with limits on time and processes.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from guardrails.canonical.shell import parse_shell
from guardrails.errors import Ambiguous

BASH = shutil.which("bash")
PIECES = (
    ["c1 "] * 25 + ["c2 a b "] * 8 + ["; "] * 8 + [" "] * 10
    + ["\n", ";", "&&", "||", "|", "&", "(", ")", "{ ", "; }", "$(", "`", "'", '"', "\\", "\\\n", "#", " #", "$", "!", " ! "]
    + ["<<E", "<<'E'", "<<-E", "\nE\n", "E", "\n\tE", "c7 <<E\n", "<<<", "<f", ">f", ">>f", "2>&1", "$'", "\\'", "\\x63"]
    + ["${x", "}", "${x:-", "${x#", "$((", "))", "((", "[[ ", " ]]", "[ ", " ]", "a[", "]", "=", "*", "?", "~", "{a,b}"]
    + ["if ", "then ", "else ", "; fi", "for i in a b; do ", "; done", "case a in a) ", "esac", ";; ", "f() { "]
    + ["x=", "x=a ", "arr=(", "eval ", "command ", "exec ", "env ", "trap ", "' EXIT", "-f a", "time ", "coproc "]
    + ["builtin ", "test ", "let ", "unset ", "-v ", "printf ", "'a[", "]'", "<(", ">(", "@(", "$x", "$1", " -c "]
    + ["function g { ", "nohup ", "\t", "\\\\"]
)  # fmt: skip


def random_line(source: random.Random) -> str:
    return "".join(source.choice(PIECES) for _ in range(source.randint(2, 11)))


def programs_that_bash_runs(line: str, directory: Path) -> list[str]:
    log = directory / "log"
    log.write_text("")
    (directory / "f").write_text("x\n")
    (directory / "line").write_text(line)
    setup = 'ulimit -t 1; exec 9>>log; command_not_found_handle() { printf "%s\\0" "$1" >&9; return 1; }'
    script = f"{setup}; export -f command_not_found_handle; . ./line"
    null = subprocess.DEVNULL
    try:
        subprocess.run(
            [str(BASH), "-c", script], cwd=directory, env={"PATH": "/nonexistent"}, timeout=0.5, check=False,
            stdin=null, stdout=null, stderr=null,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return []
    return log.read_text().split("\0")[:-1]


def unlisted(count: int, seed: int, directory: Path) -> tuple[list[tuple[str, str]], int]:
    """Lines that ran a program that was not listed, and how many lines were tried on bash.

    Each line has a directory of its own: what it leaves in the background may write after its end.
    """
    source, found, tried = random.Random(seed), [], 0
    while tried < count:
        line = random_line(source)
        try:
            listed = parse_shell(line).programs
        except Ambiguous:
            continue
        tried += 1
        own = directory / str(tried)
        own.mkdir()
        found += [(line, name) for name in programs_that_bash_runs(line, own) if name not in listed]
    return found, tried


@pytest.mark.skipif(BASH is None, reason="needs bash")
def test_all_that_bash_runs_is_listed(tmp_path: Path) -> None:
    assert unlisted(80, 20261121, tmp_path) == ([], 80)


@pytest.mark.soak
@pytest.mark.skipif(BASH is None, reason="needs bash")
@pytest.mark.parametrize("seed", range(2))
def test_all_that_bash_runs_is_listed_at_length(seed: int, tmp_path: Path) -> None:
    assert unlisted(2000, seed, tmp_path) == ([], 2000)
