"""Who may do what: keys, roles, addresses, and that nobody answers in another name."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from served import ANA, ENVIRONMENT, SCRIPT, Served, make_key

ASKING = {"customer_id": "c1", "amount": 300}


@pytest.fixture
def keyed(folder: Path, serve: Any) -> tuple[Served, dict[str, str]]:
    """A server with a key of each role."""
    names = {"bot": "agent", "prom": "monitor", "slack": "desk", "fin": "operator"}
    keys = {role: make_key(folder, name, "--role", role) for name, role in names.items()}
    keys["bound"] = make_key(folder, "bound", "--agent", "b1")
    words = ("support.guard", "--store", "memory:", "--keys", "keys.json", "--reviewers", "reviewers.json")
    return serve(*words), keys


ROUTES = [
    ("POST", "/v1/check", {"type": "input", "text": "a"}, {"agent", "operator"}),
    ("POST", "/v1/usage", {}, {"agent", "operator"}),
    ("POST", "/v1/sessions", {}, {"agent", "operator"}),
    ("GET", "/v1/limits", None, {"monitor", "desk", "operator"}),
    ("GET", "/v1/halts", None, {"monitor", "desk", "operator"}),
    ("GET", "/v1/policy", None, {"monitor", "desk", "operator"}),
    ("GET", "/v1/approvals", None, {"desk", "operator"}),
    ("POST", "/v1/halts", {"scope": "agent:nobody", "why": "a test"}, {"operator"}),
    ("POST", "/v1/reload", {}, {"operator"}),
    ("GET", "/health", None, {"agent", "monitor", "desk", "operator"}),
]


def test_each_role_may_do_its_own_and_nothing_else(keyed: tuple[Served, dict[str, str]]) -> None:
    server, keys = keyed
    for role in ("agent", "monitor", "desk", "operator"):
        for method, path, body, may in ROUTES:
            reply = server.ask(method, path, body, authorization=f"Bearer {keys[role]}")
            expected = (
                reply.status < 300 if role in may else (reply.status, reply.code) == (403, "wrong_role")
            )
            assert expected, (role, path, reply)


def test_without_a_known_key_nothing_is_told(keyed: tuple[Served, dict[str, str]]) -> None:
    server, keys = keyed
    for header in ({}, {"authorization": "Bearer guard_no"}, {"authorization": f"Basic {keys['agent']}"}):
        reply = server.get("/v1/policy", **header)
        assert (reply.status, reply.code) == (401, "no_key")
        assert reply.headers["www-authenticate"] == "Bearer"
    assert server.get("/v1/policy", x_api_key=keys["operator"]).status == 200
    assert server.get("/ready").status == 200


def test_a_key_of_an_agent_speaks_for_no_other(keyed: tuple[Served, dict[str, str]]) -> None:
    server, keys = keyed
    server.key = keys["bound"]
    event = {"type": "input", "text": "a"}
    assert server.post("/v1/check", event).status == 200
    assert server.post("/v1/check", event | {"agent": {"id": "b1"}}).status == 200
    for agent in ({"id": "b2"}, {}, "b1"):
        assert server.post("/v1/check", event | {"agent": agent}).status in (400, 403)
    assert server.post("/v1/sessions", {"agent": {"id": "b2"}}).code == "another_agent"


def asked(server: Served, session: str) -> str:
    decision = server.call("issue_refund", ASKING, principal=ANA, session=session)
    assert decision["outcome"] == "ask"
    return str(decision["request"])


def test_people_answer_and_the_call_goes_through_once(keyed: tuple[Served, dict[str, str]]) -> None:
    server, keys = keyed
    server.key = keys["agent"]
    id = asked(server, "s1")
    assert server.get(f"/v1/approvals/{id}/state").json["state"] == "pending"
    server.key = keys["operator"]
    assert [each["id"] for each in server.get("/v1/approvals").json["requests"]] == [id]
    assert server.get(f"/v1/approvals/{id}").json["subject"]["args"] == ASKING
    answer = server.post(f"/v1/approvals/{id}/answer", {"verdict": "approve", "reason": "known"})
    assert (answer.status, answer.json["state"]) == (200, "approved")
    assert [(each["by"], each["read"]) for each in answer.json["answers"]] == [("fin", True)]
    again = server.post(f"/v1/approvals/{id}/answer", {"verdict": "approve"})
    assert (again.status, again.code) == (409, "answer_rejected")
    server.key = keys["agent"]
    decisions = [
        server.call("issue_refund", ASKING, principal=ANA, session="s1")["outcome"] for _ in range(2)
    ]
    assert decisions == ["allow", "ask"]


def test_an_operator_answers_for_nobody_else_and_a_desk_says_for_whom(
    keyed: tuple[Served, dict[str, str]],
) -> None:
    server, keys = keyed
    server.key = keys["agent"]
    id = asked(server, "s2")
    path = f"/v1/approvals/{id}/answer"
    assert server.post(path, {"verdict": "deny"}).code == "wrong_role"
    server.key = keys["operator"]
    assert server.post(path, {"verdict": "deny", "by": "ben"}).code == "another_person"
    server.key = keys["desk"]
    assert server.post(path, {"verdict": "deny"}).code == "missing_field"
    assert server.post(path, {"verdict": "approve", "by": "ana"}).status == 409
    assert server.post(path, {"verdict": "deny", "by": "ben", "reason": "no"}).json["state"] == "denied"
    assert server.post("/v1/approvals/nothing-here/answer", {"verdict": "deny", "by": "ben"}).status == 404


def test_halting_and_resuming(keyed: tuple[Served, dict[str, str]]) -> None:
    server, keys = keyed
    server.key = keys["operator"]
    assert server.post("/v1/halts", {"scope": "tool:issue_refund", "why": "a test"}).status == 201
    assert server.call("issue_refund", {"customer_id": "c1", "amount": 4}, principal=ANA)["outcome"] == "deny"
    (halt,) = server.get("/v1/halts").json["halts"]
    assert (halt["scope"], halt["who"]) == ("tool:issue_refund", "fin")
    assert server.ask("DELETE", "/v1/halts?scope=tool%3Aissue_refund").json["lifted"] is True
    assert server.ask("DELETE", "/v1/halts?scope=tool%3Aissue_refund").status == 404
    assert (
        server.call("issue_refund", {"customer_id": "c1", "amount": 4}, principal=ANA)["outcome"] == "allow"
    )
    assert server.post("/v1/halts", {"scope": "nobody", "why": "a test"}).status == 400
    assert server.post("/v1/halts", {"why": " "}).status == 400


def test_without_keys_this_machine_may_ask_and_not_approve_or_halt(serve: Any) -> None:
    server = serve("support.guard", "--store", "memory:")
    id = asked(server, "s3")
    for method, path, body in (
        ("POST", f"/v1/approvals/{id}/answer", {"verdict": "approve"}),
        ("GET", "/v1/approvals", None),
        ("POST", "/v1/halts", {"why": "a test"}),
        ("POST", "/v1/reload", {}),
    ):
        reply = server.ask(method, path, body)
        assert (reply.status, reply.code) == (403, "keys_needed")


# --- what does not start -----------------------------------------------------------------------


def refused(folder: Path, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [str(SCRIPT), "serve", *words], cwd=folder, capture_output=True, text=True, check=False, timeout=60,
        env=ENVIRONMENT,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_an_address_that_others_reach_needs_keys(folder: Path) -> None:
    for address in ("0.0.0.0:0", "[::]:0", "example.com:80"):
        code, err = refused(folder, "plain.guard", "--bind", address)
        assert (code, "nobody would have to say who they are" in err) == (74, True), err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 64, "a policy file is needed"),
        (("plain.guard", "--bind", "8181"), 64, "is no address"),
        (("plain.guard", "--frames", "127.0.0.1:1"), 64, "frames are for Unix sockets"),
        (("nothing.guard",), 64, "no file"),
        (("broken.guard",), 66, "broken.guard"),
        (("plain.guard", "--keys", "nothing.json"), 74, "cannot be read"),
        (("plain.guard", "--keys", "wrong.json"), 74, "needs a `name`"),
        (("plain.guard", "--keys", "open.json"), 74, "can be changed by others"),
        (("support.guard", "--workers", "2", "--store", "memory:"), 64, "need a store that they share"),
        (("plain.guard", "--tls-cert", "a.pem"), 64, "go together"),
        (("plain.guard", "--bind", "unix:plain.guard"), 74, "is no socket"),
    ],
)
def test_what_cannot_be_served_says_why(folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    (folder / "broken.guard").write_text("policy broken\non call { allow\n")
    for name in ("wrong.json", "open.json"):
        (folder / name).write_text(json.dumps({"keys": [{"role": "agent"}]}))
        os.chmod(folder / name, 0o666 if name == "open.json" else 0o600)
    found, err = refused(folder, *words)
    assert (found, said in err) == (code, True), err
    assert (folder / "plain.guard").exists()


def test_keys_are_made_listed_and_taken_away(folder: Path) -> None:
    key = make_key(folder, "bot")
    path = folder / "keys.json"
    assert key.startswith("guard_")
    assert key not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(
        [str(SCRIPT), "key", "bot"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert (again.returncode, "already" in again.stderr) == (64, True)
    make_key(folder, "ana", "--role", "operator")
    subprocess.run([str(SCRIPT), "key", "bot", "--remove"], cwd=folder, check=True)
    assert [each["name"] for each in json.loads(path.read_text())["keys"]] == ["ana"]
