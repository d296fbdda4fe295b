"""The corpora: texts with the canonical form, the properties or the refusal that each must give.

A case is `{"input", "expect", "why"}`; `expect` is the canonical text, `{"error": part of the message}`, or
an object of properties. Beside properties it may hold `within: {root: truth}` for paths and addresses and
`matches: {pattern: truth}` for hosts; a truth may be `"ambiguous"`. Canonical values are given by their text.
`parse` names another parser than the file's own, the other keys of a case are arguments of the parser.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from guardrails.canonical.email import parse_email
from guardrails.canonical.host import parse_host
from guardrails.canonical.ip import parse_cidr, parse_ip
from guardrails.canonical.path import parse_path
from guardrails.canonical.shell import parse_shell
from guardrails.canonical.sql import parse_sql
from guardrails.canonical.url import parse_url
from guardrails.canonical.value import Canonical
from guardrails.errors import Ambiguous

CORPUS = Path(__file__).parent / "corpus"
PARSERS: dict[str, Any] = {
    "path": parse_path,
    "url": parse_url,
    "host": parse_host,
    "email": parse_email,
    "ip": parse_ip,
    "cidr": parse_cidr,
    "sql": parse_sql,
    "shell": parse_shell,
}
LEAST_EVASIONS = {"path": 50, "url": 60, "email": 35, "ip": 15, "sql": 45, "shell": 55}


def corpus(name: str) -> dict[str, list[dict[str, Any]]]:
    return json.loads((CORPUS / f"{name}.json").read_text())  # type: ignore[no-any-return]  # of that shape


def cases() -> list[Any]:
    return [
        pytest.param(name, case, id=f"{name}-{kind}-{number}")
        for name in LEAST_EVASIONS
        for kind, group in corpus(name).items()
        for number, case in enumerate(group)
    ]


@pytest.mark.parametrize(("name", "case"), cases())
def test_case(name: str, case: dict[str, Any]) -> None:
    expected = case["expect"]
    if isinstance(expected, dict) and "error" in expected:
        with pytest.raises(Ambiguous) as caught:
            read(name, case)
        assert expected["error"] in str(caught.value), case["why"]
        return
    value = read(name, case)
    for key, wanted in ({"text": expected} if isinstance(expected, str) else expected).items():
        assert observed(value, key, wanted) == wanted, case["why"]


@pytest.mark.parametrize(("name", "least"), LEAST_EVASIONS.items())
def test_corpus_is_as_large_as_promised(name: str, least: int) -> None:
    inputs = [json.dumps(case, sort_keys=True) for case in corpus(name)["evasions"]]
    assert len(set(inputs)) == len(inputs) >= least


def read(name: str, case: dict[str, Any]) -> Any:
    options = {key: value for key, value in case.items() if key not in {"input", "expect", "why", "parse"}}
    return PARSERS[case.get("parse", name)](case["input"], **options)


def observed(value: Any, key: str, wanted: Any) -> Any:
    if key == "within":
        root = parse_path if type(value).__name__ == "Path" else parse_cidr
        return {text: truth(lambda text=text: value.within(root(text))) for text in wanted}
    if key == "matches":
        return {text: truth(lambda text=text: value.matches(text)) for text in wanted}
    return plain(getattr(value, key))


def truth(ask: Any) -> Any:
    try:
        return ask()
    except Ambiguous:
        return "ambiguous"


def plain(value: Any) -> Any:
    if isinstance(value, Canonical):
        return value.text
    if isinstance(value, frozenset):
        return sorted(value)
    return [plain(item) for item in value] if isinstance(value, tuple) else value
