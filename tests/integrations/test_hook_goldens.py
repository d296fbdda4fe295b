"""What the hook of each host writes, byte for byte. A host that changes its mind gets a file of its own."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from events import cases
from hook_runs import Guard

from guardrails.integrations.hosts import HOSTS

GOLDENS = Path(__file__).parent / "golden"


def _written(guard: Guard, host: str) -> str:
    """Every case of a host: each in a session of its own, with ids of approvals taken out."""
    found = {}
    for number, (name, event) in enumerate(cases(host).items()):
        key = "conversation_id" if host == "cursor" else "session_id"
        said = guard.hook(host, event | {key: f"s-{number}"})
        found[name] = {"code": said.code, "out": said.out, "err": said.err}
    text = re.sub(r"\b[0-9a-f]{32}\b", "ID", json.dumps(found, indent=1))
    return re.sub(r"\bs-[0-9]+\b", "s", text) + "\n"


@pytest.mark.parametrize("host", HOSTS)
def test_the_answers_of_a_host_are_these_bytes(guard: Guard, host: str) -> None:
    path = GOLDENS / f"{host}.json"
    written = _written(guard, host)
    if os.environ.get("GUARD_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(written, encoding="utf-8")
    assert written == path.read_text(encoding="utf-8"), "GUARD_GOLDEN=write writes it anew"
