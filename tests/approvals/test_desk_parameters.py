"""What a desk is asked in the wrong type: no answer, no empty list and no group that nobody meant."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest
from approving import asked_for, guard_of, session_of
from odd_values import FROM_NOTHING, MAPPINGS, ODD, POSITIVE, TEXTS, WORDS, Place, judge

from guardrails import Guard
from guardrails.approvals.answering import Rejected
from guardrails.approvals.desk import Approvals, moment_of
from guardrails.approvals.groups import Groups, groups_of
from guardrails.errors import EvaluationError


@pytest.fixture(scope="module")
def guard() -> Guard:
    guard = guard_of()
    guard.approvals.deny(asked_for(session_of(guard)), by="bob")
    return guard


def answered(act: Callable[[], Any]) -> Any:
    """An answer to a request that is closed, which counts for nothing: what is given is judged before that."""
    try:
        return act()
    except Rejected as error:
        if "already" not in str(error):
            raise
        return None


DESK: dict[str, tuple[str, Callable[[Approvals, Any], Any], tuple[str, ...]]] = {
    "session": ("session", lambda desk, odd: desk.list(session=odd), TEXTS),
    "kind": ("kind", lambda desk, odd: desk.list(kind=odd), ()),
    "kind of batches": ("kind", lambda desk, odd: desk.batches(kind=odd), ()),
    "kind that is watched": ("kind", lambda desk, odd: desk.watch(kind=odd), ()),
    "interval of watching": ("interval", lambda desk, odd: desk.watch(interval=odd), POSITIVE),
    "waiting of watching": ("wait", lambda desk, odd: desk.watch(wait=odd), ("a class",)),
    "interval": ("interval", lambda desk, odd: desk.wait(done(desk), interval=odd), POSITIVE),
    "waiting": ("wait", lambda desk, odd: desk.wait(done(desk), wait=odd), ("a class",)),
    "request": ("request", lambda desk, odd: desk.state_of(odd), ()),
    "quick": ("quick", lambda desk, odd: desk.report(quick=odd), FROM_NOTHING),
    "ids": ("ids", lambda desk, odd: desk.answer_all(no_text(odd), "deny", by="ana"),
            ("a list", "pairs", "an empty list")),
    "by": ("by", lambda desk, odd: answered(lambda: desk.deny(done(desk), by=odd)), WORDS),
    "by, shown": ("by", lambda desk, odd: desk.show(done(desk), by=odd), WORDS),
    "once": ("once", lambda desk, odd: answered(lambda: desk.deny(done(desk), by="ana", once=odd)), ("true",)),
    "together": ("together", lambda desk, odd: answered(lambda: desk.deny(done(desk), by="ana", together=odd)), POSITIVE),
}  # fmt: skip


def done(desk: Approvals) -> str:
    """The id of a request that is closed: what is given is judged before its state."""
    return next(request.id for request in desk.list("denied"))


def no_text(odd: Any) -> Any:
    """Texts are told of in other words, for whoever has one id."""
    return 3 if isinstance(odd, str) else odd


@pytest.mark.parametrize("what", DESK)
def test_a_desk_is_asked_with_what_it_takes(guard: Guard, what: str) -> None:
    name, give, takes = DESK[what]
    judge(Place(name, lambda odd: give(guard.approvals, odd), takes))


def test_of_ids_that_are_none_nothing_is_answered(guard: Guard) -> None:
    desk = guard.approvals
    id = asked_for(session_of(guard, "two"))
    odd: Any
    for odd in ([id, [id]], [id, {}], {id: "approve"}, id.encode(), None):
        with pytest.raises(EvaluationError, match="`ids` is a list of the ids of requests"):
            desk.answer_all(odd, "approve", by="ana")
    assert desk.state_of(desk.get(id)) == "pending"
    odd = [id, 3]
    found: Any = desk.answer_all(odd, "approve", by="ana")
    assert isinstance(found[3], Rejected)
    assert desk.state_of(found[id]) == "approved"


@pytest.mark.parametrize("by", [b"ana", ["ana"], 3, "", " "])
def test_a_name_is_asked_for_before_anything_is_kept(guard: Guard, by: Any) -> None:
    desk = guard.approvals
    id = asked_for(session_of(guard, "three"))
    for act in (desk.approve, desk.deny, desk.show):
        with pytest.raises(Rejected, match="`by` is a text"):
            act(id, by=by)
    assert (desk.get(id).shown, desk.get(id).answers) == ({}, ())


WORKING: dict[str, Callable[[Any, Any], Any]] = {
    "store": lambda state, odd: Approvals(odd, state.clock),
    "clock": lambda state, odd: Approvals(state.store, odd),
    "groups": lambda state, odd: Approvals(state.store, state.clock, odd),
    "policy": lambda state, odd: Approvals(state.store, state.clock, policy=odd),
    "asked": lambda state, odd: Approvals(state.store, state.clock, asked=odd),
    "chronicle": lambda state, odd: Approvals(state.store, state.clock, chronicle=odd),
}  # fmt: skip


@pytest.mark.parametrize("name", WORKING)
def test_a_desk_works_with_what_it_takes(guard: Guard, name: str) -> None:
    class State:
        store = guard.state.store
        clock = guard.clock

    takes = ("a list", "a list in a list", "pairs", "an empty list") if name == "asked" else ()
    judge(Place(name, lambda odd: WORKING[name](State, odd), takes))


def test_groups_say_who_is_in_them() -> None:
    judge(Place("groups", lambda odd: Groups({} if odd == ODD["a mapping"] else odd), MAPPINGS))
    judge(Place("finance", lambda odd: Groups(named(odd)), ("an empty list",)))
    judge(Place("names", lambda odd: Groups({"finance": ["ana"]}).of(odd), ("an empty list",)))
    odd: Any
    for odd in ({3: ["ana"]}, {"": ["ana"]}):
        with pytest.raises(EvaluationError, match="a group of reviewers has a name"):
            Groups(odd)
    for odd in ({"finance": {"ana": True}}, {"finance": b"ana"}, {"finance": 3}, {"finance": None}):
        for make in (Groups, groups_of):
            with pytest.raises(
                EvaluationError, match=r'the group `finance` is a list of names, such as \["ana", "bob"\]'
            ):
                make(odd)


def named(odd: Any) -> Any:
    return {"finance": odd}


def test_groups_are_whoever_was_named_once() -> None:
    """Names that can be gone through only once were gone after they had been judged."""
    groups = Groups(MappingProxyType({"finance": (name for name in ("ana", "bob", "ana"))}))
    assert groups.members == {"finance": ("ana", "bob")}
    assert groups.of(name for name in ("finance",)) == {"ana", "bob"}
    assert groups.lacking(["finance"], 3) == "3 are asked, and `finance` has 2"


def test_a_duration_is_a_text() -> None:
    for odd in ODD.values():
        with pytest.raises(EvaluationError, match="is no time: write one such as `30m`"):
            moment_of(odd)
    assert moment_of("2h") == 7200
