"""Approvals: the person at the client, and people elsewhere."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from gateway_peers import SILENT, FakeServer, Peer, gateway, is_denied, run, said, text

from guardrails import Guard
from guardrails.gateway.eras import DECISION_KEY
from guardrails.gateway.links import Limits
from guardrails.gateway.rounds import APPROVAL

ERAS = pytest.mark.parametrize("new", [False, True], ids=["old", "new"])
FORMS = {"elicitation": {}}
YES = {"action": "accept", "content": {"approve": True}}
POLICY = """
policy p
on call "mcp.srv.pay" { ask finance within 1h because "Payments are approved." ; once: limit 2 per 1d by session.id }
on call "mcp.srv.wire" { ask; redact /[0-9]{16}/ in args.note }
"""


def server() -> FakeServer:
    return FakeServer("srv").offer("pay", text("paid")).offer("wire", text("wired"))


async def asked(peer: Peer, name: str, args: dict[str, Any], reply: Any) -> dict[str, Any]:
    """The result of a call whose person gives `reply`, in the way of the client's era."""
    if not peer.new:
        peer.answers["elicitation/create"] = lambda _: reply
        return await peer.call(name, args)
    first = await peer.call(name, args)
    if first.get("resultType") != "input_required":
        return first
    responses = {} if reply is SILENT else {APPROVAL: reply}
    return await peer.call(name, args, requestState=first["requestState"], inputResponses=responses)


@ERAS
def test_the_person_at_the_client_may_approve_for_the_groups_that_are_named(new: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=new, abilities=FORMS, present=["finance"])
        await peer.begin()
        assert said(await asked(peer, "pay", {"to": "bob"}, YES)) == "paid"
        assert srv.called("pay") == [{"to": "bob"}]

    run(work())


@ERAS
def test_what_is_shown_is_the_call_as_it_would_run(new: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=new, abilities=FORMS)
        await peer.begin()
        shown: list[Any] = []
        if new:
            first = await peer.call("wire", {"note": "4111111111111111"})
            shown.append(first["inputRequests"][APPROVAL]["params"])
        else:
            peer.answers["elicitation/create"] = lambda params: shown.append(params) or YES  # type: ignore[func-returns-value]
            await peer.call("wire", {"note": "4111111111111111"})
            assert srv.called("wire") == [{"note": "[REDACTED]"}]
        assert "4111" not in shown[0]["message"]
        assert 'mcp.srv.wire {"note":"[REDACTED]"}' in shown[0]["message"]
        assert shown[0]["requestedSchema"]["required"] == ["approve"]

    run(work())


@ERAS
@pytest.mark.parametrize(
    "reply",
    [
        {"action": "decline"}, {"action": "cancel"}, {"action": "accept"}, {"action": "accept", "content": {}},
        {"action": "accept", "content": {"approve": False}}, {"action": "accept", "content": {"approve": "true"}},
        {"action": "accept", "content": {"approve": 1}}, {"action": "accept", "content": [True]}, {"approve": True},
        {"action": "ACCEPT", "content": {"approve": True}},
    ],
)  # fmt: skip
def test_nothing_but_a_plain_yes_approves(new: bool, reply: Any) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=new, abilities=FORMS, present=["finance"])
        await peer.begin()
        assert is_denied(await asked(peer, "pay", {}, reply))
        assert srv.called("pay") == []

    run(work())


@ERAS
@pytest.mark.parametrize(
    ("abilities", "present"),
    [(FORMS, []), (FORMS, ["sales"]), ({}, ["finance"]), ({"elicitation": {"url": {}}}, ["finance"])],
)
def test_else_the_request_waits_in_the_store(new: bool, abilities: Any, present: list[str]) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        guard = Guard.from_text(POLICY, store="memory:", reviewers={"finance": ["ana"]})
        _, peer = gateway("", srv, new=new, abilities=abilities, present=present, guard=guard)
        await peer.begin()
        refused = await peer.call("pay", {"to": "bob"})
        assert is_denied(refused)
        request = refused["_meta"][DECISION_KEY]["request"]
        assert f"guard approvals approve {request}" in said(refused)
        assert not peer.told("elicitation/create")
        assert is_denied(await peer.call("pay", {"to": "bob"}))
        guard.approvals.approve(request, by="ana")
        assert is_denied(await peer.call("pay", {"to": "eve"}))
        assert said(await peer.call("pay", {"to": "bob"})) == "paid"
        assert is_denied(await peer.call("pay", {"to": "bob"}))
        assert srv.called("pay") == [{"to": "bob"}]

    run(work())


@ERAS
def test_clients_that_anybody_may_run_are_not_asked_for_nobody(new: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=new, abilities=FORMS, present=["finance"], anybody=False)
        await peer.begin()
        assert is_denied(await asked(peer, "wire", {"note": "x"}, YES))
        assert said(await asked(peer, "pay", {}, YES)) == "paid"
        assert srv.called("wire") == []

    run(work())


def test_a_state_is_for_one_call_and_one_use() -> None:
    async def work() -> None:
        srv = server()
        hub, peer = gateway(POLICY, srv, new=True, abilities=FORMS, present=["finance"])
        first = await peer.call("pay", {"to": "bob"})
        state, answers = first["requestState"], {APPROVAL: YES}
        other = Peer(hub.open(hub.who()), new=True, abilities=FORMS)

        async def refused(who: Peer, args: dict[str, Any], sealed: str, name: str = "pay") -> None:
            params = {"name": name, "arguments": args, "requestState": sealed, "inputResponses": answers}
            answer = await who.ask("tools/call", params)
            assert answer["error"]["code"] == -32602, answer

        await refused(peer, {"to": "eve"}, state)
        await refused(peer, {"to": "bob"}, state, "wire")
        await refused(other, {"to": "bob"}, state)
        await refused(peer, {"to": "bob"}, state[:-1] + ("0" if state[-1] != "0" else "1"))
        await refused(peer, {"to": "bob"}, "A" + state[1:])
        await refused(peer, {"to": "bob"}, "")
        assert srv.called("pay") == []
        assert (
            said(await peer.call("pay", {"to": "bob"}, requestState=state, inputResponses=answers)) == "paid"
        )
        await refused(peer, {"to": "bob"}, state)
        assert srv.called("pay") == [{"to": "bob"}]

    run(work())


def test_a_state_is_over_after_its_time() -> None:
    async def work() -> None:
        srv = server()
        _, peer = gateway(
            POLICY, srv, new=True, abilities=FORMS, present=["finance"], limits=Limits(asking=0.02)
        )
        first = await peer.call("pay", {})
        await asyncio.sleep(0.05)
        params = {"name": "pay", "arguments": {}, "requestState": first["requestState"]}
        answer = await peer.ask("tools/call", {**params, "inputResponses": {APPROVAL: YES}})
        assert answer["error"]["code"] == -32602

    run(work())


def test_an_answer_without_a_state_approves_nothing() -> None:
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=True, abilities=FORMS, present=["finance"])
        result = await peer.call("pay", {}, inputResponses={APPROVAL: YES})
        assert result["resultType"] == "input_required"
        assert srv.called("pay") == []

    run(work())


def test_a_person_who_does_not_answer_in_time_is_asked_no_more() -> None:
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, abilities=FORMS, present=["finance"], limits=Limits(asking=0.05))
        await peer.begin()
        assert is_denied(await peer.call("pay", {}))
        question = next(each for each, _ in peer.heard if each.get("method") == "elicitation/create")
        assert [each["requestId"] for each in peer.told("notifications/cancelled")] == [question["id"]]
        await peer.exchange.heard({"jsonrpc": "2.0", "id": question["id"], "result": YES}, peer)
        assert srv.called("pay") == []

    run(work())


def test_answers_that_nobody_asked_for_do_nothing() -> None:
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, abilities=FORMS, present=["finance"])
        await peer.begin()
        peer.answers["elicitation/create"] = lambda _: SILENT
        id = await peer.start("tools/call", {"name": "pay", "arguments": {}})
        await asyncio.sleep(0.02)
        for guess in (1, id, "guard-1", "guard-0000000000000000", None):
            await peer.exchange.heard({"jsonrpc": "2.0", "id": guess, "result": YES}, peer)
        await asyncio.sleep(0.02)
        assert srv.called("pay") == []

    run(work())


@ERAS
def test_limits_are_asked_again_when_it_runs(new: bool) -> None:  # noqa: FBT001
    async def work() -> None:
        srv = server()
        _, peer = gateway(POLICY, srv, new=new, abilities=FORMS, present=["finance"])
        await peer.begin()
        results = [await asked(peer, "pay", {"n": number}, YES) for number in range(3)]
        assert [is_denied(each) for each in results] == [False, False, True]

    run(work())


def test_a_long_call_says_what_is_not_shown() -> None:
    async def work() -> None:
        _, peer = gateway(POLICY, server(), new=True, abilities=FORMS)
        first = await peer.call("wire", {"note": "x" * 10_000})
        message = first["inputRequests"][APPROVAL]["params"]["message"]
        assert len(message) < 5_000
        assert "more characters, which `guard approvals show" in message

    run(work())
