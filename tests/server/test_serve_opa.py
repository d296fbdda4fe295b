"""OPA's Data API: our own requests, and an OPA client library."""

from __future__ import annotations

import gzip
import json
from typing import Any
from urllib.parse import quote

import pytest
from served import ANA, Served

REFUND = {"tool": "issue_refund", "args": {"customer_id": "c1", "amount": 40}, "principal": ANA}
LARGE = REFUND | {"args": {"customer_id": "c1", "amount": 4000}}


def test_documents_by_path(shared: Served) -> None:
    assert shared.post("/v1/data/guard/allow", {"input": REFUND}).json["result"] is True
    assert shared.post("/v1/data/guard/allow", {"input": LARGE}).json["result"] is False
    whole = shared.post("/v1/data/guard", {"input": LARGE}).json["result"]
    assert (whole["allow"], "Too much." in whole["reason"]) == (False, True)
    assert whole["decision"]["outcome"] == "deny"
    assert (
        shared.post("/v1/data/guard/decision/denial/kind", {"input": LARGE}).json["result"]
        == "change_arguments"
    )
    text = {"type": "output", "text": "card 4111111111111111"}
    assert shared.post("/v1/data/guard/decision/payload", {"input": text}).json["result"] != text["text"]


def test_in_the_query_and_unwrapped(shared: Served) -> None:
    assert shared.get(f"/v1/data/guard/allow?input={quote(json.dumps(REFUND))}").json["result"] is True
    assert shared.post("/v0/data/guard/allow", REFUND).json is True
    assert shared.post("/", LARGE).json is False


def test_a_change_is_no_allow(shared: Served) -> None:
    event = {"tool": "send", "args": {"body": "4111111111111111"}}
    assert shared.post("/v1/data/guard/allow", {"input": event}).json["result"] is False
    assert (
        shared.post("/v1/data/guard/allow", {"input": {"tool": "send", "args": {"body": "hi"}}}).json[
            "result"
        ]
        is True
    )


def test_what_is_undefined_has_no_result(shared: Served) -> None:
    for path, body in (
        ("/v1/data/guard/allow", {}),
        ("/v1/data/other", {"input": REFUND}),
        ("/v1/data/", {"input": {}}),
    ):
        reply = shared.post(path, body)
        assert (reply.status, "result" in reply.json) == (200, False)
    missing = shared.post("/v0/data/other", REFUND)
    assert (missing.status, missing.json["code"]) == (404, "undefined_document")
    assert "warning" in shared.post("/v1/data/guard/allow", b"").json


@pytest.mark.parametrize("body", [{"input": 3}, {"input": {"tool": 3}}, {"input": {"x": 1}}, [1]])
def test_a_malformed_input_is_a_400_in_its_shape(shared: Served, body: Any) -> None:
    reply = shared.post("/v1/data/guard/allow", body)
    assert (reply.status, reply.json["code"]) == (400, "invalid_parameter")


def test_gzip_within_the_size(serve: Any) -> None:
    server = serve("support.guard", "--store", "memory:", "--max-body", "2000")
    packed = gzip.compress(json.dumps({"input": REFUND}).encode())
    assert server.post("/v1/data/guard/allow", packed, content_encoding="gzip").json["result"] is True
    bomb = gzip.compress(b" " * 1_000_000)
    assert server.post("/v1/data/guard/allow", bomb, content_encoding="gzip").status == 413
    assert server.post("/v1/data/guard/allow", packed[:-4], content_encoding="gzip").status == 400
    assert server.post("/v1/data/guard/allow", packed, content_encoding="br").status == 415


def test_a_client_library_of_opa(shared: Served) -> None:
    client_of = pytest.importorskip("opa_client.opa").OpaClient
    with client_of(host="127.0.0.1", port=shared.port) as client:
        assert client.check_connection()
        assert client.query_rule(REFUND, "guard", "allow")["result"] is True
        assert client.query_rule(LARGE, "guard", "allow")["result"] is False
        assert client.query_rule(LARGE, "guard", "decision")["result"]["outcome"] == "deny"
