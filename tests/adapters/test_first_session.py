"""What a new user gives an adapter in place of a session, and what they are told, at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from guardrails import Guard
from guardrails.errors import EvaluationError
from guardrails.integrations.answers import Answer
from guardrails.integrations.mediation import Mediation
from guardrails.integrations.seats import Seats

GUARD = Guard.from_text("policy p\non call pay { ask finance }", reviewers={"finance": ["ana"]})
FAR = Guard.connect("unix:/nowhere.sock")


@pytest.mark.parametrize("kind", [Mediation, Seats])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        (GUARD, "a guard is no session: give `guard.session(principal=...)`"),
        (FAR, "a guard is no session: give `guard.session(principal=...)`"),
        (Guard, "not `type`"),
        (None, "not `NoneType`"),
        ("p.guard", "not `str`"),
    ],
)
def test_what_is_no_session_is_told_at_once(kind: Callable[[Any], Any], given: Any, said: str) -> None:
    with pytest.raises(EvaluationError) as told:
        kind(given)
    assert said in str(told.value)


async def late(context: Any) -> Any:
    return GUARD.session()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (lambda context: None, "the function gave `NoneType`"),
        (lambda context: GUARD, "a guard is no session"),
        (late, "an `async` function"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_function_that_gives_no_session_is_told(source: Callable[[Any], Any], said: str) -> None:
    with pytest.raises(EvaluationError) as told:
        Seats(source).of("context")
    assert said in str(told.value)


def test_sessions_and_functions_are_taken() -> None:
    session = GUARD.session()
    for source in (session, lambda context: session, FAR.session()):
        assert Seats(source).of("context").session in (session, source)
    assert Mediation(session).session is session


def test_an_answer_without_a_name_hears_where_names_come_from() -> None:
    mediation = Mediation(GUARD.session())
    refused = mediation.answered(mediation.call("pay", {}, "c1"), Answer(approves=True))
    assert not refused.allowed
    assert "say `by` in it, or `reviewer=` of the adapter" in refused.text


def test_one_session_for_each_key_takes_a_guard() -> None:
    litellm = pytest.importorskip("guardrails.integrations.litellm")
    with pytest.raises(EvaluationError, match="takes a guard"):
        litellm.one_for_each_key(GUARD.session())


@pytest.mark.parametrize("unchecked", ["web_search", {"websearch"}])
def test_names_of_unchecked_tools_are_names(unchecked: Any) -> None:
    agents = pytest.importorskip("agents")
    from guardrails.integrations.openai_agents import guarded

    agent = agents.Agent(name="a", tools=[agents.WebSearchTool()])
    said = "a set of names" if isinstance(unchecked, str) else "did you mean `web_search`?"
    with pytest.raises(EvaluationError) as told:
        guarded(agent, GUARD.session(), unchecked=unchecked)
    assert said in str(told.value)
