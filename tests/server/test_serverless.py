"""The application as a function: events as gateways send them, the same decisions, and no way in without a key."""

from __future__ import annotations

import json
from base64 import b64encode
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from served import ANA, POLICY

from guardrails import Guard
from guardrails.decision_json import decision_as_json
from guardrails.server import Keys, handler
from guardrails.server.keys import Caller, KeysError, new_key

SHAPES = ("http_api", "function_url", "rest_api")
CALL = {"type": "call", "tool": "issue_refund", "args": {"customer_id": "c1", "amount": 40}, "principal": ANA}


def recorded(shape: str) -> dict[str, Any]:
    return json.loads((Path(__file__).parent / "gateway" / f"{shape}.json").read_text())  # type: ignore[no-any-return]


def asking(shape: str, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
    """A recorded event with another question in it."""
    event, (bare, _, query) = recorded(shape), path.partition("?")
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    event["body"] = b64encode(text.encode()).decode() if event["isBase64Encoded"] else text
    if shape == "rest_api":
        event |= {"httpMethod": method, "path": bare}
        event["multiValueHeaders"] |= {name: [value] for name, value in headers.items()}
        pairs = [part.split("=") for part in query.split("&") if part]
        event["multiValueQueryStringParameters"] = {name: [value] for name, value in pairs} or None
        return event
    event |= {"rawPath": f"/prod{bare}" if shape == "http_api" else bare, "rawQueryString": query}
    event["requestContext"]["http"]["method"] = method
    event["headers"] |= headers
    return event


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.from_text([("support.guard", POLICY)], store="memory:")


@pytest.fixture(scope="module")
def keyed(guard: Guard) -> tuple[Any, str]:
    key, entry = new_key("ops", "operator")
    keys = Keys({bytes.fromhex(entry["sha256"]): Caller("ops", "operator")})
    return handler(guard, keys=keys), key


@pytest.mark.parametrize("shape", SHAPES)
def test_a_decision_is_that_of_the_engine(keyed: Any, guard: Guard, shape: str) -> None:
    handle, key = keyed
    for amount in (40, 400, 4000, "x"):
        event = deepcopy(CALL) | {"args": {"customer_id": "c1", "amount": amount}}
        answer = handle(asking(shape, "POST", "/v1/check", event, authorization=f"Bearer {key}"), None)
        here = json.loads(
            json.dumps(decision_as_json(Guard.from_text([("support.guard", POLICY)]).decide(event)))
        )
        found = json.loads(answer["body"])
        for decision in (here, found):
            decision["request"] = None
            decision["message"] = decision["denial"] = None
        assert (answer["statusCode"], answer["isBase64Encoded"], found) == (200, False, here)
        headers = answer["multiValueHeaders"] if shape == "rest_api" else answer["headers"]
        assert headers["content-type"] in ("application/json", ["application/json"])


@pytest.mark.parametrize("shape", SHAPES)
def test_paths_queries_and_problems(keyed: Any, shape: str) -> None:
    handle, key = keyed
    head = {"x-api-key": key}
    assert handle(asking(shape, "GET", "/health"))["statusCode"] == 200
    assert handle(asking(shape, "GET", "/v1/policy"))["statusCode"] == 401
    assert handle(asking(shape, "GET", "/v1/limits?principal=ana", **head))["statusCode"] == 200
    assert handle(asking(shape, "GET", "/v1/limits?nothing=1", **head))["statusCode"] == 400
    assert handle(asking(shape, "GET", "/v1/nothing", **head))["statusCode"] == 404
    assert handle(asking(shape, "POST", "/v1/check", "{", **head))["statusCode"] == 400
    assert (
        handle(asking(shape, "POST", "/v1/check", CALL, origin="http://evil.example", **head))["statusCode"]
        == 403
    )
    opened = handle(asking(shape, "POST", "/v1/sessions", {"id": f"{shape} 1"}, **head))
    assert opened["statusCode"] == 201
    raw = f"{shape} 1" if shape == "rest_api" else f"{shape}%201"
    assert handle(asking(shape, "GET", f"/v1/sessions/{raw}", **head))["statusCode"] == 200


def test_a_stream_comes_back_as_a_whole(keyed: Any) -> None:
    handle, key = keyed
    lines = '{}\n{"text": "card 41111111"}\n{"text": "11111111."}\n'
    answer = handle(asking("function_url", "POST", "/v1/streams/output", lines, **{"x-guard-key": key}))
    found = [json.loads(line) for line in answer["body"].splitlines()]
    assert "".join(line.get("text", "") for line in found) == "card [REDACTED]."
    assert found[-1]["end"] is True


def test_without_keys_the_gateway_has_to_authorise(guard: Guard) -> None:
    with pytest.raises(KeysError, match="nobody would have to say who they are"):
        handler(guard)
    handle = handler(guard, gateway=True)
    assert handle(asking("function_url", "POST", "/v1/check", CALL))["statusCode"] == 200
    for shape in ("http_api", "rest_api"):
        answer = handle(asking(shape, "POST", "/v1/check", CALL))
        assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (401, "no_key")
    event = asking("rest_api", "POST", "/v1/check", CALL)
    event["requestContext"]["identity"]["userArn"] = "arn:aws:iam::123456789012:user/example-user"
    assert handle(event)["statusCode"] == 200
    assert handle(asking("function_url", "POST", "/v1/reload", {}))["statusCode"] == 403


@pytest.mark.parametrize(
    "event", [{}, {"Records": []}, [], None, {"version": "2.0"}, {"httpMethod": 3}, {"rawPath": 3}]
)
def test_what_is_no_request_is_refused(keyed: Any, event: Any) -> None:
    answer = keyed[0](event, None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (400, "no_request")


def test_a_body_that_is_no_base64_is_refused(keyed: Any) -> None:
    event = recorded("function_url") | {"body": "%%%"}
    answer = keyed[0](event, None)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (400, "bad_encoding")
