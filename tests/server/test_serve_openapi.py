"""The OpenAPI document: complete, true, and held against a running server by schemathesis."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from served import Served, make_key, policies

from guardrails.server.app import table
from guardrails.server.openapi import openapi

schemathesis = pytest.importorskip("schemathesis")
SCHEMA = schemathesis.openapi.from_dict(openapi())


@pytest.fixture(scope="module")
def operated(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder: Path = policies(tmp_path_factory.mktemp("openapi"))
    key = make_key(folder, "op", "--role", "operator")
    server = Served(
        folder,
        "support.guard",
        "--store",
        "memory:",
        "--keys",
        "keys.json",
        "--metrics",
        "--reviewers",
        "reviewers.json",
    )
    server.key = key
    yield server
    code, err = server.stop()
    assert code == 0
    assert "mistake" not in err, err


def test_every_listed_route_is_in_it_with_a_name_of_its_own() -> None:
    document = openapi()
    listed = {(route.path, route.method.lower()) for route in table().routes if route.listed}
    found = {(path, method) for path, operations in document["paths"].items() for method in operations}
    assert found == listed
    names = [each["operationId"] for operations in document["paths"].values() for each in operations.values()]
    assert len(set(names)) == len(names)


def test_what_it_refers_to_is_there() -> None:
    document = openapi()
    names = set(re.findall(r"#/components/schemas/(\w+)", repr(document)))
    assert names == set(document["components"]["schemas"])


def test_it_is_served(shared: Served) -> None:
    assert shared.get("/openapi.json").json == openapi()


@SCHEMA.include(
    path_regex="^/(v1/(?!streams|halts)|access|health|ready|metrics|openapi|\\.well)"
).parametrize()
@settings(max_examples=10, suppress_health_check=list(HealthCheck))
def test_no_answer_is_outside_of_it(case: Any, operated: Served) -> None:
    case.call_and_validate(
        base_url=operated.address,
        headers={"Authorization": f"Bearer {operated.key}"},
        excluded_checks=[schemathesis.checks.ignored_auth]
        if hasattr(schemathesis.checks, "ignored_auth")
        else [],
    )
