"""The page of the server is true: its requests are sent to a server of its policy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docs.blocks import blocks_of

from guardrails import Guard
from guardrails.server.app import table

PAGE = "grammar/SERVER.md"


def is_in(part: Any, whole: Any) -> bool:
    """Whether an object has at least these members."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(name in whole and is_in(value, whole[name]) for name, value in part.items())
    return bool(part == whole)


def blocks(kind: str) -> list[str]:
    return [block.text for block in blocks_of(PAGE) if block.kind == kind]


def test_its_requests_get_its_answers(serve: Any, folder: Path) -> None:
    (policy,) = blocks("guard")
    (folder / "page.guard").write_text(policy)
    server = serve("page.guard", "--store", "memory:")
    examples = blocks("http")
    assert len(examples) >= 3
    for example in examples:
        question, _, answer = example.partition("\n\n")
        (line, body), (status, wanted) = question.split("\n", 1), answer.strip().split("\n", 1)
        method, path = line.split()
        reply = server.ask(method, path, json.loads(body))
        assert reply.status == int(status)
        assert is_in(json.loads(wanted), reply.json), reply.json


def test_its_client_works(serve: Any, folder: Path) -> None:
    (policy,), (program,) = blocks("guard"), blocks("python")
    (folder / "page.guard").write_text(policy)
    path = f"unix:{folder}/frames.sock"
    serve("page.guard", "--store", "memory:", "--frames", path)
    here = Guard.from_text([("page.guard", policy)]).session()
    names: dict[str, Any] = {}
    exec(program.replace("unix:/run/guard-frames.sock", path), names)
    assert names["decision"].allowed
    assert names["decision"] == here.check_call("refund", {"amount": 40})


def test_every_path_is_named_on_it() -> None:
    page = Path(__file__).parents[2].joinpath(PAGE).read_text()
    heads = {route.path.split("{")[0].rstrip("*/") for route in table().routes}
    missing = [head for head in heads if head and head not in page and head.rpartition("/")[0] not in page]
    assert missing == []
