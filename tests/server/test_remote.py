"""A session whose policy is elsewhere is used like one in process: the same names, the same decisions, the same effects."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from served import Served, make_key, policies

from guardrails import ApprovalRequired, Denied, EventError, Guard, Outcome, PolicyError
from guardrails.approvals.answering import Rejected
from guardrails.approvals.desk import Approvals
from guardrails.argument_streaming import ArgumentStream
from guardrails.errors import EvaluationError, Unavailable
from guardrails.runtime.usage import Usage
from guardrails.server.remote import ELSEWHERE, RemoteGuard, RemoteSession
from guardrails.server.remote_desk import ELSEWHERE as DESK_ELSEWHERE
from guardrails.server.remote_desk import RemoteApprovals
from guardrails.server.remote_streams import RemoteArgumentStream, RemoteOutputStream
from guardrails.session import Session
from guardrails.streaming import OutputStream

POLICY = """\
policy work

use tools "tools.json"
type principal { id: string }

task help(customer: string) {
  only call greet, send
}

on call greet { allow }
on call send { allow; redact /[0-9]{16}/ in args.body }
on call pay {
  allow
  daily: limit 3 per 1d by principal.id
  ask finance within 1h when args.amount > 100
}
on call stop { halt because "enough" }
on result greet { redact /[0-9]{16}/ }
on output { redact /[0-9]{16}/ }
on session {
  tokens: budget tokens 1_000
  slow: budget tool_time 100s
}
breaker payments on call pay {
  open after 3 consecutive failures
  retry after 60s
}
"""
TOOLS = [
    {"name": name, "description": name, "inputSchema": {"type": "object", "properties": properties}}
    for name, properties in {
        "greet": {"name": {"type": "string"}},
        "send": {"body": {"type": "string"}},
        "pay": {"amount": {"type": "number"}},
        "stop": {},
    }.items()
]
CARD = "4111111111111111"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = policies(tmp_path_factory.mktemp("remote"))
    (folder / "work.guard").write_text(POLICY)
    (folder / "tools.json").write_text(json.dumps({"tools": TOOLS}))
    return folder


@pytest.fixture(scope="module")
def keys(place: Path) -> dict[str, str]:
    names = {"bot": "agent", "fin": "operator", "slack": "desk", "prom": "monitor"}
    return {name: make_key(place, name, "--role", role) for name, role in names.items()}


@pytest.fixture(scope="module")
def server(place: Path, keys: dict[str, str]) -> Iterator[Served]:
    words = ("work.guard", "--store", "memory:", "--keys", "keys.json", "--reviewers", "reviewers.json")
    found = Served(place, *words, "--frames", f"unix:{place}/frames.sock")
    yield found
    code, err = found.stop()
    assert (code, "mistake" in err) == (0, False), err


@pytest.fixture
def connect(server: Served, place: Path, keys: dict[str, str]) -> Any:
    return lambda name="fin": Guard.connect(f"unix:{place}/frames.sock", key=keys[name])


@pytest.fixture
def there(connect: Any) -> RemoteGuard:
    return connect()  # type: ignore[no-any-return]


@pytest.fixture
def here(place: Path) -> Guard:
    return Guard.load(place / "work.guard", store="memory:", reviewers=place / "reviewers.json")


def new_id(counter: list[int] = []) -> str:  # noqa: B006 - it counts
    counter.append(1)
    return f"s{len(counter)}"


# --- names -------------------------------------------------------------------------------------


def public(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


PAIRS = [
    (Session, RemoteSession, set()),
    (Guard, RemoteGuard, set(ELSEWHERE)),
    (Approvals, RemoteApprovals, set(DESK_ELSEWHERE)),
    (OutputStream, RemoteOutputStream, set()),
    (ArgumentStream, RemoteArgumentStream, set()),
]


@pytest.mark.parametrize(("near", "far", "elsewhere"), PAIRS, ids=lambda part: getattr(part, "__name__", ""))
def test_every_name_of_the_one_is_one_of_the_other(near: type, far: type, elsewhere: set[str]) -> None:
    assert public(near) - public(far) == elsewhere


@pytest.mark.parametrize(("near", "far"), [(Session, RemoteSession), (Guard, RemoteGuard)])
def test_every_method_takes_the_same(near: type, far: type) -> None:
    for name in public(near) & public(far):
        one, other = getattr(near, name), getattr(far, name)
        if inspect.isfunction(one):
            mine, theirs = (inspect.signature(each).parameters for each in (one, other))
            assert list(mine) == list(theirs), name
            assert [each.kind for each in mine.values()] == [each.kind for each in theirs.values()], name
            assert inspect.iscoroutinefunction(one) == inspect.iscoroutinefunction(other), name


def test_what_is_only_in_process_says_so_at_once(there: RemoteGuard) -> None:
    for name in ELSEWHERE:
        with pytest.raises(EvaluationError, match="in this process"):
            getattr(there, name)
    for name in DESK_ELSEWHERE:
        with pytest.raises(EvaluationError, match="over a connection"):
            getattr(there.approvals, name)
    with pytest.raises(EvaluationError, match="the server keeps"):
        _ = there.session().ledger
    with pytest.raises(EvaluationError, match="policy of its own"):
        there.session().delegate(guard=object())
    with pytest.raises(EventError, match="what time"):
        there.decide({"type": "input", "text": "a"}, now=3)


# --- enforcement -------------------------------------------------------------------------------


@pytest.fixture(params=["here", "there"])
def guard(request: Any) -> Any:
    return request.getfixturevalue(request.param)


def opened(guard: Any, who: str, **more: Any) -> Any:
    return guard.session(principal={"id": who}, id=new_id(), **more)


def test_a_tool_runs_with_what_the_policy_made_of_it(guard: Any) -> None:
    session, seen = opened(guard, "a"), []

    @session.tool
    def send(body: str) -> str:
        seen.append(body)
        return "sent"

    @session.tool(name="greet")
    async def hello(name: str) -> str:
        return f"{name} {CARD}"

    assert send(f"card {CARD}") == "sent"
    assert CARD not in seen[0]
    assert asyncio.run(hello("you")) == "you [REDACTED]"
    with pytest.raises(Denied):
        session.enforce(print, tool="unknown")()
    with pytest.raises(TypeError, match="generator"):
        session.enforce(lambda: (yield), tool="greet")


def test_a_failure_gives_back_and_what_is_cut_off_does_not(guard: Any) -> None:
    session = opened(guard, f"fail-{guard.__class__.__name__}")

    def broken(amount: float) -> None:
        raise ZeroDivisionError

    def cut(amount: float) -> None:
        raise KeyboardInterrupt

    pay = session.enforce(broken, tool="pay")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            pay(amount=1)
    with pytest.raises(KeyboardInterrupt):
        session.enforce(cut, tool="pay")(amount=1)
    works = session.enforce(lambda amount: "paid", tool="pay")
    assert [works(amount=1), works(amount=1)] == ["paid", "paid"]
    with pytest.raises(Denied):
        works(amount=1)


def test_three_failures_open_a_breaker(here: Guard, place: Path, tmp_path: Path) -> None:
    """On a server of its own, as its breaker would refuse everybody else."""
    server = Served(place, "work.guard", "--store", "memory:", "--frames", f"unix:{tmp_path}/f.sock")
    try:
        for guard in (here, Guard.connect(f"unix:{tmp_path}/f.sock")):
            session = opened(guard, "b")
            for number in range(3):
                decision = session.check_call("pay", {"amount": number}, call_id=f"c{number}")
                session.failed("pay", {"amount": number}, decision=decision, call_id=f"c{number}")
            after = session.check_call("pay", {"amount": 9})
            assert (after.outcome, [each.label for each in after.reasons]) == (Outcome.DENY, ["payments"])
    finally:
        server.stop()


def test_a_halt_ends_the_session(guard: Any) -> None:
    session = opened(guard, "h")
    assert session.check_call("stop", {}).outcome is Outcome.HALT
    after = session.check_call("greet", {})
    assert (after.outcome, session.halted.outcome) == (Outcome.DENY, Outcome.HALT)
    assert after == guard.session(principal={"id": "h"}, id=session.id).check_call("greet", {})


# --- sessions ----------------------------------------------------------------------------------


def test_allow_narrows(guard: Any) -> None:
    session = opened(guard, "n", allow={"send": {"body": ["hi"]}, "gr*": None})
    assert session.check_call("greet", {}).allowed
    assert session.check_call("send", {"body": "hi"}).allowed
    refused = session.check_call("send", {"body": "ho"})
    assert (refused.outcome, refused.denial.kind) == (Outcome.DENY, "change_arguments")
    assert session.check_call("pay", {"amount": 1}).outcome is Outcome.DENY
    assert session.check_result("pay", 1).outcome is Outcome.DENY
    with pytest.raises(EvaluationError, match="list of tools"):
        opened(guard, "n", allow="greet")


def test_a_task_and_its_values(guard: Any) -> None:
    session = opened(guard, "t", task="help", given={"customer": "c1"})
    assert session.told == {"task": "help", "given": {"customer": "c1"}}
    assert session.check_call("greet", {}).allowed
    assert session.check_call("pay", {"amount": 1}).outcome is Outcome.DENY
    with pytest.raises(EvaluationError, match="did you mean"):
        opened(guard, "t", task="helq")


def test_a_tool_that_changed_is_denied(guard: Any) -> None:
    changed = [{**tool, "description": "something else"} for tool in TOOLS]
    for live in (TOOLS, changed):
        session = opened(guard, "d", tools=live)
        assert session.live_digest("greet")
        near = Guard.load(guard_file(guard), store="memory:").session(tools=live)
        assert session.check_call("greet", {}).outcome is near.check_call("greet", {}).outcome


def guard_file(guard: Any) -> str:
    return guard.source.paths[0] if isinstance(guard, Guard) else f"{Path(guard._path).parent}/work.guard"


def test_a_sub_agent_may_do_less(guard: Any) -> None:
    parent = opened(guard, f"deleg-{guard.__class__.__name__}")
    child = parent.delegate(agent={"id": "helper"}, tools=["pay", "gr*"])
    grandchild = child.delegate(tools=["greet"])
    assert child.check_call("greet", {}).allowed
    assert child.check_call("send", {"body": "a"}).outcome is Outcome.DENY
    assert grandchild.check_call("pay", {"amount": 1}).outcome is Outcome.DENY
    assert [child.check_call("pay", {"amount": 1}).allowed for _ in range(2)] == [True, True]
    assert parent.check_call("pay", {"amount": 1}).allowed
    assert child.check_call("pay", {"amount": 1}).outcome is Outcome.DENY
    assert child.check_output(f"a {CARD}").payload == "a [REDACTED]"
    assert child.check_result("greet", CARD).payload == "[REDACTED]"
    assert child.check_input("hello", by="agent").allowed
    assert child.enforce(lambda name: name, tool="greet")(name="x") == "x"
    with pytest.raises(EvaluationError, match="list of names"):
        parent.delegate(tools="greet")


def test_a_call_of_a_child_is_given_back(guard: Any) -> None:
    child = opened(guard, f"back-{guard.__class__.__name__}").delegate(agent={"id": "helper"})
    for _ in range(5):
        decision = child.check_call("pay", {"amount": 1})
        assert decision.allowed
        child.release(decision)


# --- usage -------------------------------------------------------------------------------------


def test_usage_is_reserved_settled_and_reported(guard: Any) -> None:
    session = opened(guard, "u")
    most = Usage("m", output_tokens=600)
    held = session.reserve(most, hold=60)
    assert held.allowed
    assert held.reservation
    assert session.reserve(most).outcome is Outcome.DENY
    assert session.settle(held, Usage("m", output_tokens=100)) is True
    assert session.settle(held) is False
    again = session.reserve(most)
    assert again.allowed
    assert session.release(again) is True
    assert session.report(Usage("m", input_tokens=901, cost=(Decimal("0.05"), "USD"))).outcome is Outcome.DENY
    assert session.reserve(Usage("m", output_tokens=1)).outcome is Outcome.DENY


def test_a_held_call_is_settled_or_given_back(guard: Any) -> None:
    session = opened(guard, f"hold-{guard.__class__.__name__}")
    decisions = [session.check_call("pay", {"amount": 1}, hold=60, call_id=f"c{n}") for n in range(3)]
    assert session.settle(decisions[0]) is True
    assert session.release(decisions[1]) is True
    session.check_result(
        "pay", "done", args={"amount": 1}, call_id="c2", reservation=decisions[2].reservation
    )
    assert session.check_call("pay", {"amount": 1}).allowed
    assert session.check_call("pay", {"amount": 1}).outcome is Outcome.DENY


# --- streams -----------------------------------------------------------------------------------


def test_outputs_in_pieces(here: Guard, there: RemoteGuard) -> None:
    text = f"Your card {CARD} was charged, and {CARD} again."
    pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
    whole = here.session().check_output(text).payload
    for guard in (here, there):
        stream = guard.session().stream_output()
        assert "".join(stream.pieces(pieces)) == whole
        assert (stream.denied, stream.decision.allowed, stream.hold is None) == (False, True, False)
        assert stream.feed("more") == stream.close() == ""

    async def later() -> str:
        async def source() -> Any:
            for piece in pieces:
                yield piece

        return "".join([piece async for piece in there.session().stream_output().apieces(source())])

    assert asyncio.run(later()) == whole
    assert there.session().check_output("a").allowed


def test_arguments_in_pieces(here: Guard, there: RemoteGuard) -> None:
    text = json.dumps({"body": f"to {CARD}!"})
    for cut in range(0, len(text), 7):
        shown = []
        for guard in (here, there):
            stream = guard.session().stream_args("send")
            shown.append(stream.feed(text[:cut]) + stream.feed(text[cut:]) + stream.close())
            assert stream.error is None
        assert shown[0] == shown[1]
        assert CARD not in shown[0]
    broken = there.session().stream_args("send")
    _ = broken.feed('{"body": nonsense') + broken.close()
    assert broken.error is not None


def test_a_stream_of_a_child_and_a_server_that_goes_away(
    place: Path, tmp_path: Path, there: RemoteGuard
) -> None:
    child = there.session().delegate(agent={"id": "h"})
    assert "".join(child.stream_output().pieces(["a ", CARD])) == "a [REDACTED]"
    server = Served(place, "work.guard", "--store", "memory:", "--frames", f"unix:{tmp_path}/f.sock")
    stream = Guard.connect(f"unix:{tmp_path}/f.sock").session().stream_output()
    server.process.kill()
    server.stop()
    with pytest.raises(Unavailable):
        stream.feed("a")


# --- people, halts, limits ---------------------------------------------------------------------


def test_people_answer_over_a_connection(connect: Any) -> None:
    bot, operator, desk = connect("bot"), connect("fin"), connect("slack")
    session = bot.session(principal={"id": "asks"}, id=new_id())
    with pytest.raises(ApprovalRequired) as question:
        session.call("pay", print, {"amount": 300})
    id = question.value.decision.request
    assert bot.approvals.state_of(id) == "pending"
    (found,) = operator.approvals.list(session=session.id)
    assert (found.id, found.subject["args"], operator.approvals.state_of(found)) == (
        id,
        {"amount": 300},
        "pending",
    )
    assert operator.approvals.list("denied", "approved", session=session.id) == ()
    with pytest.raises(Unavailable, match="wrong_role"):
        bot.approvals.list()
    with pytest.raises(Unavailable, match="another_person"):
        operator.approvals.approve(id, by="ben")
    with pytest.raises(Rejected):
        desk.approvals.approve(id, by="nobody", reason="ok")
    assert desk.approvals.approve(id, by="ben", reason="ok").state == "approved"
    assert bot.approvals.wait(id).state == "approved"
    assert session.call("pay", lambda amount: f"paid {amount}", {"amount": 300}) == "paid 300"
    assert operator.approvals.get(id).state == "consumed"
    with pytest.raises(Rejected):
        operator.approvals.deny(id)
    with pytest.raises(Rejected):
        operator.approvals.get("nothing")


def test_halting_resuming_and_limits(connect: Any) -> None:
    bot, operator, monitor = connect("bot"), connect("fin"), connect("prom")
    session = bot.session(principal={"id": "halts"}, id=new_id(), agent={"id": "x9"})
    with pytest.raises(Unavailable, match="wrong_role"):
        bot.halt("agent:x9", why="a test")
    with pytest.raises(EvaluationError, match="leave `by` out"):
        operator.halt("agent:x9", by="somebody", why="a test")
    operator.halt("agent:x9", by="fin", why="a test", seconds=60)
    assert "a test" in session.check_call("greet", {}).message
    assert (operator.resume("agent:x9"), operator.resume("agent:x9")) == (True, False)
    assert session.check_call("pay", {"amount": 1}).allowed
    (daily,) = [each for each in monitor.limits(principal="halts") if each.name == "work.daily"]
    assert (daily.used, daily.limit, daily.per) == (1, 3, "1d")
    with pytest.raises(Unavailable, match="wrong_role"):
        monitor.session().check_call("greet", {})
    with pytest.raises(Unavailable, match="wrong_role"):
        monitor.session().release(session.check_call("greet", {}))


def test_names_digests_and_reloads(connect: Any, place: Path) -> None:
    operator = connect()
    assert (operator.name, operator.digest) == ("work", operator.session().check_call("greet", {}).policy)
    assert operator.reload() is False
    (place / "work.guard").write_text("policy work\non call {")
    try:
        with pytest.raises(PolicyError, match=r"work\.guard"):
            operator.reload()
    finally:
        (place / "work.guard").write_text(POLICY)
    assert operator.reload() is False


def test_what_is_asked_wrongly_is_told(there: RemoteGuard) -> None:
    for question in (
        {"do": "nothing"},
        {"do": "check_call", "with": {"tool": "x", "argz": {}}},
        {"do": "check_call", "session": "s"},
        {"do": "check_call", "chain": [3]},
        {"do": "check_call", "chain": [{"agent": {}}]},
        {"do": "reserve", "with": {"usage": {"tokens": 3}}},
        {"do": "release", "with": {"reservation": 3}},
        {"method": "GET", "path": 3},
        {"do": "open", "allow": 3},
        {"do": "open", "chain": [{"id": "c", "tools": [3]}]},
        {"do": "open", "time": "2026-01-01T00:00:00Z"},
    ):
        with pytest.raises((Unavailable, EvaluationError, EventError)):
            there.ask(question)
    assert there.ask({"method": "POST", "path": "/access/v1/evaluation"})["status"] == 404
    assert there.ask({"method": "POST", "path": "/v1/streams/output"})["status"] == 404
    with pytest.raises(EventError, match="hold"):
        there.session().delegate().check_call("greet", {}, hold=-1)
    assert there.session().check_call("greet", {}).allowed


def test_a_key_that_is_taken_away_is_refused_on_open_connections(serve: Any, folder: Path) -> None:
    operator, bot = make_key(folder, "ana", "--role", "operator"), make_key(folder, "bot")
    server = serve("plain.guard", "--keys", "keys.json", "--no-watch", "--frames", f"unix:{folder}/f.sock")
    guard = Guard.connect(f"unix:{folder}/f.sock", key=bot)
    assert guard.session().check_call("ping", {}).allowed
    entries = json.loads((folder / "keys.json").read_text())["keys"]
    (folder / "keys.json").write_text(
        json.dumps({"keys": [each for each in entries if each["name"] == "ana"]})
    )
    import signal
    from time import sleep

    server.process.send_signal(signal.SIGHUP)
    server.key = operator
    for _ in range(200):
        try:
            guard.session().check_call("ping", {})
        except Unavailable as error:
            assert "no_key" in str(error)  # noqa: PT017 - which of many it is does not matter
            break
        sleep(0.02)
    else:
        raise AssertionError("the key still works")
    assert Guard.connect(f"unix:{folder}/f.sock", key=operator).session().check_call("ping", {}).allowed


def test_processes_that_fork_do_not_share_a_connection(there: RemoteGuard) -> None:
    """Two that ask on one connection would get each other's decisions."""
    session = there.session(principal={"id": "forks"}, id=new_id())
    assert session.check_call("greet", {}).allowed
    known = {id(each) for each in there._idle}
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the other process
        connection = there.take()
        os.write(writes, b"shared" if id(connection) in known else b"its own")
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reads, 100) == b"its own"
    assert session.check_call("greet", {}).allowed
    os.close(reads)
    os.close(writes)
