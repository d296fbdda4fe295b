"""What a host gives in the wrong type: accepted with its meaning, denied, or refused in words of our own, at once."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import guardrails
from guardrails import Decision, EventError, Guard, GuardError, Outcome, PolicyError
from guardrails.delegation import Delegate
from guardrails.hosting import REGISTERED
from guardrails.runtime.usage import Usage
from guardrails.session import Session

POLICY = """
policy p

task help(customer: string) { only call pay }

on call pay { allow }
on call lim { allow; daily: limit 1_000_000 per 1d by args.c }
on call big { ask finance within 1h }
on session { tokens: budget tokens 1_000_000 }
"""
PLAIN = "policy p\non call pay, lim { allow }\non call big { ask finance }"

ODD: dict[str, Any] = {
    "a number": 3, "a negative": -1, "no number": float("nan"), "an infinity": float("inf"), "true": True,
    "a word": "ana", "nothing written": "", "bytes": b"pay", "a list": [1], "a mapping": {"a": 1},
    "pairs": [("a", 1)], "an object": object(), "a class": int, "an empty mapping": {}, "an empty list": [],
    "a path": Path("pay"), "a time": datetime(2026, 1, 1),
}  # fmt: skip
"""What is given for a parameter, by what it is; each but those that a place takes."""

NUMBERS = ("a number",)
ANY_NUMBERS = (*NUMBERS, "a negative", "no number", "an infinity", "true")
TEXTS = ("a word",)
MAPPINGS = ("a mapping", "an empty mapping")


class Place(NamedTuple):
    """A parameter: what it is called in the error, how it is given, and which of the odd values it takes."""

    name: str
    give: Callable[[Any], Any]
    takes: tuple[str, ...] = ()


def outcome_of(place: Place, odd: Any) -> Any:
    """What comes of it: a result, or the error."""
    try:
        found = place.give(odd)
        return asyncio.run(found) if inspect.iscoroutine(found) else found
    except (GuardError, TypeError) as error:
        return error


def is_clear(place: Place, found: Any) -> bool:
    """Whether an error names the parameter, as we write it and not as Python does."""
    return isinstance(found, Exception) and place.name in str(found)


def judge(place: Place) -> None:
    wrong = {}
    for what, odd in ODD.items():
        found = outcome_of(place, odd)
        is_taken = what in place.takes
        if is_taken and isinstance(found, Exception) and f"`{place.name}` is " in str(found):
            wrong[what] = f"refused: {found}"
        elif not is_taken and not is_clear(place, found):
            wrong[what] = repr(found)
    assert wrong == {}


# --- guards ------------------------------------------------------------------------------------


def loaded(name: str) -> Callable[[Any], Any]:
    return lambda odd: Guard.from_text(POLICY, **{name: odd})


LOADING = {
    "a path": Place("policy", lambda odd: Guard.load(odd), (*TEXTS, "nothing written", "a path")),
    "a text": Place("text", lambda odd: Guard.from_text(odd), (*TEXTS, "nothing written")),
    "one of the texts": Place("text", lambda odd: Guard.from_text([odd])),
    "the name of a text": Place("text", lambda odd: Guard.from_text([(odd, POLICY)]), (*TEXTS, "nothing written")),
    "a text with a name": Place("text", lambda odd: Guard.from_text([("a.guard", odd)]), (*TEXTS, "nothing written")),
    "tools": Place("tools", loaded("tools"), (*TEXTS, "nothing written")),
    "params": Place("params", loaded("params"), MAPPINGS),
    "functions": Place("functions", loaded("functions"), ("an empty list",)),
    "clock": Place("clock", loaded("clock")),
    "store": Place("store", loaded("store")),
    "prices": Place("prices", loaded("prices"), (*TEXTS, "nothing written", "a path")),
    "local_share": Place("local_share", loaded("local_share")),
    "strict_halts": Place("strict_halts", loaded("strict_halts"), ("true",)),
    "detectors": Place("detectors", loaded("detectors"), ("an empty mapping",)),
    "a detector": Place("detectors", lambda odd: Guard.from_text(POLICY, detectors={"pii": odd})),
    "key": Place("key", loaded("key")),
    "telemetry": Place("telemetry", loaded("telemetry"), ("nothing written",)),
    "audit": Place("audit", loaded("audit")),
    "reviewers": Place("reviewers", loaded("reviewers"), ("an empty mapping", *TEXTS, "nothing written", "a path")),
    "a program": Place("program", lambda odd: Guard(odd)),
    "the address of a server": Place("address", lambda odd: Guard.connect(odd), TEXTS),
    "the key of a server": Place("key", lambda odd: Guard.connect("unix:/x", key=odd), (*TEXTS, "nothing written")),
    "the timeout of a server": Place("timeout", lambda odd: Guard.connect("unix:/x", timeout=odd), NUMBERS),
}  # fmt: skip


@pytest.mark.parametrize("place", LOADING.values(), ids=LOADING.keys())
def test_a_guard_is_loaded_with_what_it_takes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_TELEMETRY", raising=False)
    judge(place)


def test_texts_without_a_policy_or_with_a_name_twice_do_not_load() -> None:
    """The one would let every text through, and of the other only the last text would hold."""
    nothing: tuple[Any, ...] = ([], (), {})
    for texts in nothing:
        with pytest.raises(PolicyError, match="text"):
            Guard.from_text(texts)
    with pytest.raises(PolicyError, match=r"`a\.guard` stands there twice"):
        Guard.from_text([("a.guard", "policy p\non output { deny }"), ("a.guard", "policy p")])


def test_a_share_of_a_limit_is_no_more_than_the_limit() -> None:
    for share in (0, 1, 0.25, "0.5", "1/4"):
        assert Guard.from_text(POLICY, local_share=share).state.local.share == share_of(share)
    for share in (1.5, "2", "-1", "nan", "a half"):
        with pytest.raises(GuardError, match="local_share"):
            Guard.from_text(POLICY, local_share=share)


def share_of(share: Any) -> Any:
    from fractions import Fraction

    return Fraction(str(share))


@pytest.fixture(scope="module")
def guard() -> Guard:
    return Guard.from_text(POLICY, store="memory:", reviewers={"finance": ["ana"]})


RUNNING: dict[str, tuple[str, Callable[[Guard, Any], Any], tuple[str, ...]]] = {
    "principal": ("principal", lambda guard, odd: guard.session(principal=odd), MAPPINGS),
    "agent": ("agent", lambda guard, odd: guard.session(agent=odd), MAPPINGS),
    "id": ("id", lambda guard, odd: guard.session(id=odd), TEXTS),
    "live tools": ("tool", lambda guard, odd: guard.session(tools=odd), ("an empty list",)),
    "facts": ("facts", lambda guard, odd: guard.session(facts=odd), MAPPINGS),
    "task": ("task", lambda guard, odd: guard.session(task=odd), ()),
    "given": ("given", lambda guard, odd: guard.session(given=odd), ("an empty mapping",)),
    "given with a task": ("given", lambda guard, odd: guard.session(task="help", given=odd), MAPPINGS),
    "allow": ("allow", lambda guard, odd: guard.session(allow=odd), ("an empty mapping", "an empty list")),
    "event": ("event", lambda guard, odd: guard.decide(odd), ()),
    "now": ("now", lambda guard, odd: guard.decide({"type": "call", "tool": "pay", "args": {}}, now=odd),
            ("a number", "a negative")),
    "limits of a session": ("session", lambda guard, odd: guard.limits(session=odd), TEXTS),
    "limits of a principal": ("principal", lambda guard, odd: guard.limits(principal=odd), TEXTS),
    "scope": ("tool:", lambda guard, odd: guard.halt(odd, by="ana", why="a drill"), ()),
    "by": ("by", lambda guard, odd: guard.halt("tool:x", by=odd, why="a drill"), TEXTS),
    "why": ("why", lambda guard, odd: guard.halt("tool:x", by="ana", why=odd), TEXTS),
    "seconds": ("seconds", lambda guard, odd: guard.halt("tool:x", by="ana", why="a drill", seconds=odd), NUMBERS),
    "scope to resume": ("tool:", lambda guard, odd: guard.resume(odd), ()),
    "interval": ("interval", lambda guard, odd: guard.watch(odd).stop(), NUMBERS),
    "log": ("audit", lambda guard, odd: Guard.from_text(POLICY).write_to(odd), ()),
}  # fmt: skip


@pytest.mark.parametrize("what", RUNNING)
def test_a_guard_is_asked_with_what_it_takes(guard: Guard, what: str) -> None:
    name, give, takes = RUNNING[what]
    judge(Place(name, lambda odd: give(guard, odd), takes))


def test_what_cannot_be_left_out_is_not_nothing(guard: Guard) -> None:
    session, nothing = guard.session(), None
    asked: dict[str, Callable[[Any], Any]] = {
        "path": Guard.load, "text": Guard.from_text, "program": Guard, "address": Guard.connect,
        "functions": loaded("functions"), "local_share": loaded("local_share"), "strict_halts": loaded("strict_halts"),
        "interval": guard.watch, "scope": guard.resume, "event": guard.decide,
        "tool:": lambda odd: guard.halt(odd, by="a", why="b"),
        "by": lambda odd: guard.halt(by=odd, why="b"), "why": lambda odd: guard.halt(by="a", why=odd),
        "decision": session.settle, "usage": session.report, "function": session.enforce, "name": guardrails.function(),
    }  # fmt: skip
    for name, give in asked.items():
        with pytest.raises((GuardError, TypeError), match=name):
            give(nothing)
    for check in (session.check_call, session.check_result):
        assert check(nothing, {}).outcome is Outcome.DENY  # type: ignore[arg-type]
    for say in (session.check_input, session.check_output):
        assert say(nothing).outcome is Outcome.DENY  # type: ignore[arg-type]


def test_a_halt_that_would_be_over_at_once_is_none(guard: Guard) -> None:
    for wrong in (0, -1, -1e-9):
        with pytest.raises(GuardError, match="`seconds` is a number of seconds above 0"):
            guard.halt("agent:x", by="ana", why="a drill", seconds=wrong)


def test_a_session_belongs_to_a_guard() -> None:
    for odd in ODD.values():
        with pytest.raises(GuardError, match="`guard` is a guard"):
            Session(odd)


def test_an_event_without_a_name_of_its_session_is_not_counted_apart() -> None:
    """Each one would have limits of its own, which are never full."""
    guard = Guard.from_text("policy p\non call pay { allow }\non session { few: limit 1 calls }")
    for session in ("", {"id": ""}):
        with pytest.raises(EventError, match="session"):
            guard.decide({"type": "call", "tool": "pay", "args": {}, "session": session})


# --- sessions ----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["plain", "counting", "delegated"])
def session(request: pytest.FixtureRequest) -> Session:
    if request.param == "plain":
        return Guard.from_text(PLAIN).session()
    found = Guard.from_text(POLICY).session()
    return found.delegate() if request.param == "delegated" else found


NAMED = {
    "a tool": lambda session, odd: session.check_call(odd, {}),
    "a tool, awaited": lambda session, odd: session.acheck_call(odd, {}),
    "a tool with a digest": lambda session, odd: session.check_call(odd, {}, digest="x"),
    "arguments": lambda session, odd: session.check_call("pay", None if odd == {} or odd == {"a": 1} else odd),
    "an input": lambda session, odd: session.check_input(None if isinstance(odd, str) else odd),
    "an output": lambda session, odd: session.check_output(None if isinstance(odd, str) else odd),
    "an output, awaited": lambda session, odd: session.acheck_output(None if isinstance(odd, str) else odd),
    "a result of a tool": lambda session, odd: session.check_result(None if odd == "ana" else odd, {}),
}  # fmt: skip


@pytest.mark.parametrize("give", NAMED.values(), ids=NAMED.keys())
def test_what_cannot_be_judged_is_denied(session: Session, give: Callable[[Any, Any], Any]) -> None:
    for odd in ODD.values():
        found = give(session, odd)
        decision = asyncio.run(found) if inspect.iscoroutine(found) else found
        assert decision.outcome is Outcome.DENY


def test_a_session_that_knows_live_tools_denies_what_is_no_name() -> None:
    definition = {"name": "pay", "inputSchema": {"type": "object"}}
    for opening in ({"tools": [definition]}, {"allow": ["pay"]}):
        session = Guard.from_text(POLICY).session(**opening)
        for odd in ODD.values():
            assert session.check_call(odd, {}).outcome is Outcome.DENY
            assert asyncio.run(session.acheck_call(odd, {})).outcome is Outcome.DENY


def call(**more: Any) -> Callable[[Any, Any], Any]:
    name = next(iter(more))
    return lambda session, odd: session.check_call(more[name], {"c": "x"}, **{name: odd})


ASKED: dict[str, tuple[str, Callable[[Any, Any], Any], tuple[str, ...]]] = {
    "digest": ("digest", call(digest="big"), (*TEXTS, "nothing written")),
    "by": ("by", lambda session, odd: session.check_input("x", by=odd), ()),
    "settled decision": ("decision", lambda session, odd: session.settle(odd), ()),
    "settled usage": ("usage", lambda session, odd: session.settle(allowed(), odd), ()),
    "released decision": ("decision", lambda session, odd: session.release(odd), ()),
    "failed tool": ("tool", lambda session, odd: session.failed(odd, {}), TEXTS),
    "failed decision": ("decision", lambda session, odd: session.failed("lim", {}, decision=odd), ()),
    "failed call": ("call_id", lambda session, odd: session.failed("lim", {}, call_id=odd), (*TEXTS, "nothing written")),
    "report": ("usage", lambda session, odd: session.report(odd), ()),
    "reserve": ("usage", lambda session, odd: session.reserve(odd), ()),
    "hold of usage": ("hold", lambda session, odd: session.reserve(Usage(input_tokens=1), hold=odd), NUMBERS),
    "function": ("function", lambda session, odd: session.enforce(odd), ()),
    "function with a name": ("function", lambda session, odd: session.enforce(odd, tool="pay"), ()),
    "decorated": ("function", lambda session, odd: session.tool(odd), ()),
    "name of a tool": ("tool", lambda session, odd: session.enforce(print, tool=odd), TEXTS),
    "name in the decorator": ("tool", lambda session, odd: session.tool(name=odd)(print), TEXTS),
    "agent below": ("agent", lambda session, odd: session.delegate(agent=odd), MAPPINGS),
    "tools below": ("tools", lambda session, odd: session.delegate(tools=odd), ("an empty list",)),
    "guard below": ("guard", lambda session, odd: session.delegate(guard=odd), ()),
    "id below": ("id", lambda session, odd: session.delegate(id=odd), TEXTS),
}  # fmt: skip

COUNTED: dict[str, tuple[str, Callable[[Any, Any], Any], tuple[str, ...]]] = {
    "hold": ("hold", call(hold="lim"), NUMBERS),
    "hold, awaited": ("hold", lambda session, odd: session.acheck_call("lim", {"c": "x"}, hold=odd), NUMBERS),
    "call": ("call_id", call(call_id="lim"), (*TEXTS, "nothing written")),
    "call, awaited": ("call_id", lambda session, odd: session.acheck_call("lim", {"c": "x"}, call_id=odd),
                      (*TEXTS, "nothing written")),
    "approval": ("approval", call(approval="big"), (*TEXTS, "nothing written")),
    "approval of nothing": ("approval", call(approval="lim"), (*TEXTS, "nothing written")),
    "call of a result": ("call_id", lambda session, odd: session.check_result("lim", {}, call_id=odd),
                         (*TEXTS, "nothing written")),
    "reservation": ("reservation", lambda session, odd: session.check_result("lim", {}, reservation=odd),
                    (*TEXTS, "nothing written")),
}  # fmt: skip


OF_A_PARENT = ("decision", "call_id")


def allowed() -> Decision:
    return Decision(Outcome.ALLOW, "sha256:x")


@pytest.mark.parametrize("what", ASKED)
def test_a_session_is_asked_with_what_it_takes(session: Session, what: str) -> None:
    name, give, takes = ASKED[what]
    if name in OF_A_PARENT and isinstance(session, Delegate):
        pytest.skip("a sub-agent's session splits this for those that it answers to")
    judge(Place(name, lambda odd: give(session, odd), takes))


@pytest.mark.parametrize("what", COUNTED)
def test_what_is_counted_is_named_by_texts_and_held_for_a_time(what: str) -> None:
    session = Guard.from_text(POLICY).session()
    name, give, takes = COUNTED[what]
    judge(Place(name, lambda odd: give(session, odd), takes))


def test_what_is_held_for_less_than_nothing_is_not_given_back_at_once() -> None:
    """A negative `hold` was a charge that nobody counted."""
    session = Guard.from_text("policy p\non call pay { allow; few: limit 1 per 1d }").session()
    for hold in (-1, -0.5, 0):
        with pytest.raises(GuardError, match="`hold` is a number of seconds above 0"):
            session.check_call("pay", {}, hold=hold)
    assert session.check_call("pay", {}, hold=60).allowed
    assert session.check_call("pay", {}).outcome is Outcome.DENY


def test_a_reservation_is_settled_after_a_wrong_report_as_before() -> None:
    session = Guard.from_text("policy p\non session { tokens: budget tokens 100 }").session()
    reserved = session.reserve(Usage(output_tokens=60))
    with pytest.raises(GuardError, match="`usage` is a `Usage`"):
        session.settle(reserved, {"output_tokens": 10})  # type: ignore[arg-type]
    assert session.settle(reserved, Usage(output_tokens=10))
    assert session.report(Usage(output_tokens=80)).allowed


def test_usage_of_a_tool_without_a_name_is_not_left_uncharged() -> None:
    """It was denied and charged nothing, so the next call was within the budget."""
    guard = Guard.from_text("policy p\non session { tokens: budget tokens 100 }")
    for tool in ("", 3, "x" * 257):
        usage: Any = Usage(input_tokens=200)
        usage.tool = tool  # one that is made so is refused at once
        with pytest.raises(GuardError, match=r"`usage\.tool` is a name"):
            guard.session().report(usage)
    with pytest.raises(EventError, match="a name of 1 to 256 characters"):
        guard.decide({"type": "usage", "session": "s", "input_tokens": 200, "tool": ""})


def test_a_result_of_no_tool_is_not_let_out() -> None:
    """A session that counts took it for something that no rule was about."""
    guard = Guard.from_text(
        'policy p\non result "*" { redact /[0-9]{16}/ }\non session { t: budget tokens 9 }'
    )
    for session in (guard.session(), guard.session().delegate()):
        for odd in ODD.values():
            if odd != "ana":
                assert session.check_result(odd, {"card": "4111111111111111"}).outcome is Outcome.DENY


def test_an_error_of_the_store_is_not_taken_for_a_wrong_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Guard.from_text(POLICY).session()

    def broken(*_: Any, **__: Any) -> Any:
        raise AttributeError("the store's own")

    monkeypatch.setattr(session.ledger.state.store, "reserve", broken)
    with pytest.raises(AttributeError, match="the store's own"):
        session.report(Usage(input_tokens=1))


def test_what_a_session_is_left_with_stays_after_a_reload() -> None:
    """Tools that can be gone through only once were gone after the policy had changed."""
    guard = Guard.from_text(POLICY)
    session = guard.session(allow=(name for name in ("pay",)))
    guard.engine = Guard.from_text(POLICY + "on call other { allow }").engine
    assert session.check_call("pay", {}).allowed


# --- functions and usage -----------------------------------------------------------------------


@pytest.fixture
def _registry() -> Iterator[None]:
    before = dict(REGISTERED)
    yield
    REGISTERED.clear()
    REGISTERED.update(before)


def plain(customer: str) -> bool:
    return bool(customer)


FUNCTIONS = {
    "target": Place("function", lambda odd: guardrails.function(odd)),
    "decorated": Place("function", lambda odd: guardrails.function()(odd)),
    "name": Place("name", lambda odd: guardrails.function(name=odd)(plain), TEXTS),
    "pure": Place("pure", lambda odd: guardrails.function(pure=odd)(plain), ("true",)),
    "budget": Place("budget", lambda odd: guardrails.function(budget=odd)(plain), NUMBERS),
}


@pytest.mark.parametrize("place", FUNCTIONS.values(), ids=FUNCTIONS.keys())
@pytest.mark.usefixtures("_registry")
def test_a_function_is_registered_with_what_it_takes(place: Place) -> None:
    judge(place)


def test_a_function_without_a_name_or_code_says_so() -> None:
    from functools import partial

    class Called:
        def __call__(self, customer: str) -> bool:
            return True

    for odd in (partial(plain, "c"), Called(), len):
        with pytest.raises(GuardError, match="function"):
            guardrails.function(odd)
