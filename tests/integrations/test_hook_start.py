"""The hook is a cold process in front of every call, so a warm start imports nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from events import shell
from hook_runs import Guard
from parser_tables import with_tables

from guardrails.integrations.hosts import HOSTS

HEAVY = {
    "click", "lark", "json", "re", "dataclasses", "typing", "pathlib", "sqlglot", "contextlib", "subprocess",
    "guardrails.language", "guardrails.loading", "guardrails.integrations.installing", "tree_sitter", "sqlite3",
}  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_warm_hook_imports_nothing_heavy(guard: Guard, host: str) -> None:
    root = Path(__file__).parents[2]
    site = guard.folder / "site" / "guardrails"
    site.mkdir(parents=True)
    for source in [*(root / "guardrails").iterdir(), root / "cli"]:
        (site / source.name).symlink_to(source)
    (guard.folder / "p.guard").write_text('on call run_command { allow when args.command == "ls" }\n')
    program = (
        f"import sys; sys.path.insert(0, {str(guard.folder / 'site')!r})\n"
        "from guardrails.cli import main\n"
        f"code = main(['hook', {host!r}, 'p.guard', '--root', '/work', '--timeout', '60'])\n"
        "print(); print(code, *sorted(sys.modules))\n"
    )
    with_tables(guard.folder / "cache")
    event = json.dumps(shell(host, "ls"))
    ran = [
        subprocess.run([sys.executable, *words, "-c", program], input=event, capture_output=True, text=True)
        for words in ([], ["-I", "-S"])
    ]
    (cold, *_), (code, *modules) = (each.stdout.splitlines()[-1].split() for each in ran)
    assert (cold, code) == ("0", "0"), ran
    assert "guardrails.integrations.judging" in modules
    assert not HEAVY & set(modules)
    others = {f"guardrails.integrations.hosts.{module}" for name, module in HOSTS.items() if name != host}
    assert not others & set(modules)
