"""What the page about the gateway says of HTTP is true: its exchange runs, its figures are those of the code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from docs.blocks import ROOT, blocks_of
from http_gateway import Gateway, peer
from test_endpoint import raw

from guardrails.gateway.http.server import Serving
from guardrails.gateway.http.serving import STUCK

PAGE = "grammar/MCP.md"
PART = (ROOT / PAGE).read_text(encoding="utf-8").split("## Over HTTP\n")[1].split("\n## ")[0]


def test_its_exchange(tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks_of(PAGE) if block.kind == "http"]
    (policy,) = [block.text for block in blocks_of(PAGE) if block.note == "file: shop.guard"]
    head, body, answer = example.strip().split("\n\n")
    data = json.dumps(json.loads(body)).encode()
    lines = "\r\n".join(["content-type: application/json", f"content-length: {len(data)}", "host: localhost"])
    first, *more = head.split("\n")
    (server,) = [block.text for block in blocks_of(PAGE) if block.note == "file: shop.py"]
    (tmp_path / "shop.py").write_text(server)
    gateway = Gateway(tmp_path, {"shop": {"command": peer(2), "args": ["shop.py"]}}, policy=policy)
    try:
        sent = "\r\n".join([f"{first} HTTP/1.1", lines, *more, "", ""]).encode() + data
        status, _, found = raw(gateway, sent)
    finally:
        assert gateway.stop() == 0
    wanted_status, wanted = answer.split("\n", 1)
    assert status == int(wanted_status)
    result = json.loads(found)
    assert is_in(json.loads(wanted), result), result


def is_in(part: object, whole: object) -> bool:
    """Whether an object has at least these members."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_in(value, whole[name]) for name, value in part.items())
    return part == whole


@pytest.mark.parametrize(
    ("words", "figure"),
    [
        ("more than {} MiB, or takes", Serving().limits.most_bytes / 2**20),
        ("once {} MiB wait", 2 * Serving().limits.most_bytes / 2**20),
        ("took nothing for {} s", STUCK),
        ("takes more than {} s to send", Serving().patience),
        ("or {} MiB for one answer", Serving().limits.most_stream / 2**20),
        ("has at most {},", Serving().keeping.most),
    ],
)
def test_its_figures(words: str, figure: float) -> None:
    assert words.format(f"{figure:g}") in PART


def test_half_an_hour() -> None:
    assert Serving().keeping.idle == 30 * 60
    assert "half an hour" in PART
