"""AuthZEN Authorization API 1.0 against a real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from served import Served, make_key

SUBJECT = {"type": "user", "id": "ana", "properties": {"customers": ["c1"]}}


def body(amount: Any, tool: str = "issue_refund", **context: Any) -> dict[str, Any]:
    args = {"customer_id": "c1", "amount": amount}
    found: dict[str, Any] = {
        "subject": SUBJECT,
        "action": {"name": "tools/call", "properties": {"arguments": args}},
        "resource": {"type": "tool", "id": tool},
    }
    return found | ({"context": context} if context else {})


def test_a_decision_is_a_200_with_a_bool(shared: Served) -> None:
    good = shared.post("/access/v1/evaluation", body(40), X_Request_Id="r1")
    assert (good.status, good.json["decision"], good.headers["x-request-id"]) == (200, True, "r1")
    bad = shared.post("/access/v1/evaluation", body(4000))
    assert (bad.status, bad.json["decision"]) == (200, False)
    assert bad.json["context"]["reason"] == "policy_denied"
    assert "Too much." in bad.json["context"]["reason_user"]["en"]


def test_an_action_on_anything_else_is_a_call_of_its_name(serve: Any, folder: Path) -> None:
    (folder / "docs.guard").write_text(
        'policy docs\non call can_read { allow when args.resource.id == "d1" and principal.id == "ana" }\n'
    )
    server = serve("docs.guard")
    request = {
        "subject": SUBJECT,
        "action": {"name": "can_read"},
        "resource": {"type": "document", "id": "d1"},
    }
    assert server.post("/access/v1/evaluation", request).json["decision"] is True
    request["resource"] = {"type": "document", "id": "d2", "properties": {"id": "d1"}}
    assert server.post("/access/v1/evaluation", request).json["decision"] is False
    request |= {
        "resource": {"type": "document", "id": "d1"},
        "subject": SUBJECT | {"id": "bob", "properties": {"id": "ana"}},
    }
    assert server.post("/access/v1/evaluation", request).json["decision"] is False


def test_a_change_is_told_to_who_can_make_it_and_refused_to_others(shared: Served) -> None:
    request = body(1, "send")
    request["action"]["properties"]["arguments"] = {"body": "4111111111111111"}
    refused = shared.post("/access/v1/evaluation", request).json
    assert (refused["decision"], refused["context"]["reason"]) == (False, "transform_unsupported")
    request["context"] = {"supported_obligations": ["custom"]}
    allowed = shared.post("/access/v1/evaluation", request).json
    (duty,) = allowed["context"]["obligations"]
    assert allowed["decision"] is True
    assert "4111" not in duty["properties"]["arguments"]["body"]


def test_a_halt_ends_the_session(shared: Served) -> None:
    request = body(1, "stop", supported_obligations=["session_termination"], session="az-halt")
    found = shared.post("/access/v1/evaluation", request).json
    assert (found["decision"], found["context"]["obligations"][0]["type"]) == (False, "session_termination")
    assert shared.post("/access/v1/evaluation", body(1, session="az-halt")).json["decision"] is False


@pytest.mark.parametrize(
    "change",
    [
        {"subject": None},
        {"action": {}},
        {"resource": {"type": "tool"}},
        {"context": 3},
        {"subject": {"type": "", "id": "x"}},
    ],
)
def test_what_is_no_request_is_a_400_in_plain_text(shared: Served, change: dict[str, Any]) -> None:
    reply = shared.post("/access/v1/evaluation", body(1) | change)
    assert (reply.status, reply.headers["content-type"]) == (400, "text/plain; charset=utf-8")
    assert shared.post("/access/v1/evaluation", b"{").status == 400


def test_arguments_that_contradict_each_other_are_refused(shared: Served) -> None:
    request = body(1)
    request["resource"]["properties"] = {"arguments": {"customer_id": "c1", "amount": 2}}
    assert shared.post("/access/v1/evaluation", request).status == 400


# --- many --------------------------------------------------------------------------------------

AMOUNTS = [10, 4000, 20, 5000]


def many(semantic: str | None) -> dict[str, Any]:
    items = [{"action": body(amount)["action"]} for amount in AMOUNTS]
    found: dict[str, Any] = {
        "subject": SUBJECT,
        "resource": {"type": "tool", "id": "issue_refund"},
        "evaluations": items,
    }
    return found | ({"options": {"evaluations_semantic": semantic}} if semantic else {})


@pytest.mark.parametrize(
    ("semantic", "wanted"),
    [
        (None, [True, False, True, False]),
        ("execute_all", [True, False, True, False]),
        ("deny_on_first_deny", [True, False]),
        ("permit_on_first_permit", [True]),
    ],
)
def test_each_semantic(shared: Served, semantic: str | None, wanted: list[bool]) -> None:
    reply = shared.post("/access/v1/evaluations", many(semantic))
    assert [each["decision"] for each in reply.json["evaluations"]] == wanted


def test_an_unknown_semantic_is_a_400(shared: Served) -> None:
    assert shared.post("/access/v1/evaluations", many("any")).status == 400


def test_without_evaluations_it_is_one(shared: Served) -> None:
    assert shared.post("/access/v1/evaluations", body(40)).json["decision"] is True
    assert shared.post("/access/v1/evaluations", body(40) | {"evaluations": []}).json["decision"] is True


def test_a_malformed_item_is_its_own_refusal(shared: Served) -> None:
    request = many(None)
    request["evaluations"] = [3, {"action": {"name": 3}}, request["evaluations"][0]]
    found = shared.post("/access/v1/evaluations", request).json["evaluations"]
    assert [each["decision"] for each in found] == [False, False, True]
    assert [each["context"].get("error", {}).get("status") for each in found] == [400, 400, None]


# --- metadata and access requests --------------------------------------------------------------


def test_the_well_known_document(shared: Served) -> None:
    found = shared.get("/.well-known/authzen-configuration").json
    assert found["policy_decision_point"] == shared.address
    for name in ("access_evaluation_endpoint", "access_evaluations_endpoint"):
        path = found[name].removeprefix(shared.address)
        assert shared.post(path, body(40)).json["decision"] is True


def test_people_lift_a_refusal_once_for_exactly_that_call(serve: Any, folder: Path) -> None:
    operator = make_key(folder, "fin", "--role", "operator")
    bot = make_key(folder, "bot")
    server = serve(
        "support.guard", "--store", "memory:", "--keys", "keys.json", "--reviewers", "reviewers.json"
    )
    server.key = bot
    refused = server.post("/access/v1/evaluation", body(300, session="s")).json
    assert (refused["decision"], refused["context"]["reason"]) == (False, "approval_required")
    access = refused["context"]["access_request"]
    request = body(300) | {"denial": {"binding_token": access["binding_token"]}}
    asked = server.post(access["endpoint"].removeprefix(server.address), request)
    task = asked.json["task"]
    assert (asked.status, task["status"], asked.headers["location"]) == (
        202,
        "pending",
        task["status_endpoint"],
    )
    server.key = operator
    server.post(f"/v1/approvals/{task['id']}/answer", {"verdict": "approve"})
    server.key = bot
    done = server.get(task["status_endpoint"].removeprefix(server.address)).json
    assert done["task"]["status"] == "approved"
    approval = {"id": done["result"]["approval"]["id"]}
    other = server.post("/access/v1/evaluation", body(301, session="s", approval=approval)).json
    assert other["decision"] is False
    decisions = [
        server.post("/access/v1/evaluation", body(300, session="s", approval=approval)).json["decision"]
        for _ in range(2)
    ]
    assert decisions == [True, False]
    assert server.get("/access/v1/requests/nothing-here").status == 404
