"""Many things at once: whatever order servers answer in, every answer finds its question, and no other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from gateway_peers import SILENT, FakeServer, gateway, run, said, text
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.gateway import messages

POLICY = """
policy p
on call "mcp.a.do" { allow when args.n < 90 }
on call "mcp.b.do" { allow }
on result "mcp.a.do" { redact /SECRET/ }
"""

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("call"), st.sampled_from(["a__do", "b__do"]), st.integers(0, 99)),
        st.tuples(st.just("answer"), st.integers(0, 20), st.booleans()),
        st.tuples(st.just("progress"), st.integers(0, 20), st.integers(0, 9)),
        st.tuples(st.just("cancel"), st.integers(0, 20), st.just(0)),
        st.tuples(st.just("nonsense"), st.integers(0, 400), st.just(0)),
    ),
    max_size=25,
)


class Silent(FakeServer):
    """A server that answers calls when the test says so."""

    def __init__(self, name: str, era: str) -> None:
        super().__init__(name, era)
        self.offer("do", lambda _: SILENT)

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [each for each in self.heard if each.get("method") == "tools/call"]


@settings(max_examples=60)
@given(STEPS, st.booleans(), st.sampled_from(["old", "new"]))
def test_answers_progress_and_cancellations_find_their_calls(
    steps: list[Any], new: bool, era: str  # noqa: FBT001
) -> None:  # fmt: skip
    async def work() -> None:
        servers = {"a": Silent("a", era), "b": Silent("b", "old")}
        _, peer = gateway(POLICY, *servers.values(), new=new)
        await peer.begin()
        await peer.ask("tools/list")
        asked: dict[Any, tuple[str, int]] = {}
        open_: list[tuple[Any, FakeServer, Any]] = []
        cancelled: set[Any] = set()
        answered: dict[Any, str] = {}
        for what, one, other in steps:
            if what == "call":
                id = await peer.start(
                    "tools/call",
                    {"name": one, "arguments": {"n": other}, "_meta": {"progressToken": f"t{len(asked)}"}},
                )
                asked[id] = (one, other)
                server = servers[one[0]]
                before = len(server.calls)
                await _until(lambda: len(server.calls) > before or _answers(peer, id))  # noqa: B023 - awaited here
                if len(server.calls) > before:
                    open_.append((id, server, server.calls[-1]))
                else:
                    assert one == "a__do"
                    assert other >= 90
            elif what == "nonsense":
                await servers["a"].say(messages.response(one + 10_000, text("SECRET")))
                await servers["b"].say(
                    {"jsonrpc": "2.0", "id": f"x{one}", "error": {"code": 1, "message": "SECRET"}}
                )
            elif open_:
                id, server, call = open_[one % len(open_)]
                if what == "progress":
                    before = len(peer.told("notifications/progress"))
                    token = call["params"]["_meta"]["progressToken"]
                    await server.say(messages.notification(
                        "notifications/progress", {"progressToken": token, "progress": other}))  # fmt: skip
                    await _until(lambda: len(peer.told("notifications/progress")) > before)  # noqa: B023
                    told = peer.told("notifications/progress")[before:]
                    assert told == [{"progressToken": f"t{list(asked).index(id)}", "progress": other}]
                    continue
                open_.remove((id, server, call))
                if what == "cancel":
                    await peer.tell("notifications/cancelled", {"requestId": id})
                    cancelled.add(id)
                    number = call["id"]
                    await _until(lambda: number in _ids(server.of("notifications/cancelled")))  # noqa: B023
                    assert server.of("notifications/cancelled")[-1]["requestId"] == call["id"]
                mark = f"{server.name} {call['params']['arguments']['n']} {id}"
                await server.say(messages.response(call["id"], text(f"{mark} SECRET")))
                if what == "answer":
                    await _until(lambda: _answers(peer, id))  # noqa: B023
                    answered[id] = mark
                await _quiet()
        for id in asked:
            found = _answers(peer, id)
            assert len(found) == (0 if id in cancelled or any(id == each for each, _, _ in open_) else 1)
            if id in answered:
                hidden = "[REDACTED]" if asked[id][0] == "a__do" else "SECRET"
                assert said(found[0]["result"]) == f"{answered[id]} {hidden}"
        await peer.exchange.close()

    run(work())


def _answers(peer: Any, id: Any) -> list[dict[str, Any]]:
    return [each for each, _ in peer.heard if each.get("id") == id and messages.is_response(each)]


def _ids(params: list[dict[str, Any]]) -> list[Any]:
    return [each["requestId"] for each in params]


async def _until(done: Callable[[], object]) -> None:
    """Wait for what has to come; a test that waits in vain fails by what it asserts next."""
    for _ in range(2_000):
        if done():
            return
        await asyncio.sleep(0.001)


async def _quiet() -> None:
    for _ in range(30):
        await asyncio.sleep(0)
