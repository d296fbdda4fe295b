"""Circumstances: what a decision read beside its payload, as far as it may be written down.

Takes a check and its content, gives what goes into the sealed body beside them: attributes of the agent, what
the host said of the session (its facts, its task) and of the event (how long a call is held, the digest of its
tool, who wrote an input). None of it passes through the policy's redactions, so no value of a record is written that
has a word in it which the policy took out of the payload; and no record at all where it is not known what that was.

Questions about origins are told by name, answer and numbers of events; the words that they rest on are not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from guardrails.audit.content import MOST
from guardrails.audit.record import MOST_DEPTH, as_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guardrails.audit.content import Content
    from guardrails.model import Decision
    from guardrails.observing import Check

MOST_ORIGINS = 50
"""Questions about origins of one decision that are told; a quantifier over a long list asks many."""

_WORD = re.compile(r"[^\W_]{3,}")
_GONE = object()


def circumstances_of(check: Check, decision: Decision, content: Content | None = None) -> bytes:
    """The JSON of what is written beside a payload; empty where there is nothing."""
    agent = check.agent
    if not (check.said or check.about) and (agent.__class__ is not dict or len(agent) <= ("id" in agent)):
        return b""
    told = {name: value for name, value in check.said.items() if name != "by" or value != "user"}
    records = _records(check)
    if records and content is not None and decision.transforms:
        records = {} if content.body is None else without(records, removed_words(content))
    told |= records
    found = as_json(told) if told else b""
    return b"" if len(found) > MOST else found


def _records(check: Check) -> dict[str, Any]:
    """What is known of agent and session beside their ids."""
    agent, about = check.agent, check.about
    knows_agent = agent.__class__ is dict and len(agent) > ("id" in agent)
    return ({"agent": agent} if knows_agent else {}) | ({"session": dict(about)} if about else {})


def removed_words(content: Content) -> frozenset[str]:
    """The words of what came in that are not in what is written."""
    if content.body is None or content.body == content.original:
        return frozenset()
    before, after = (
        _WORD.findall(each.decode("utf-8", "replace").casefold()) for each in (content.original, content.body)
    )
    return frozenset(before) - frozenset(after)


def without(told: Mapping[str, Any], words: frozenset[str]) -> dict[str, Any]:
    """The same without values, and names, that have one of the words in them."""
    whole = as_json(dict(told)).decode("utf-8", "replace").casefold() if words else ""
    there = [word for word in words if word in whole]  # of very many, a few at most
    if not there:
        return dict(told)
    found = _pruned(told, re.compile("|".join(map(re.escape, there))), 0)
    return found if found.__class__ is dict else {}


def _pruned(value: Any, words: re.Pattern[str], depth: int) -> Any:
    if depth > MOST_DEPTH:
        return _GONE
    if isinstance(value, dict):
        named = {
            name: _pruned(each, words, depth + 1)
            for name, each in value.items()
            if not words.search(_text(name))
        }
        return {name: each for name, each in named.items() if each is not _GONE}
    if isinstance(value, list | tuple | set | frozenset):
        kept = [_pruned(each, words, depth + 1) for each in value]
        return [each for each in kept if each is not _GONE]
    return _GONE if words.search(_text(value)) else value


def _text(value: Any) -> str:
    return str(value).casefold() if isinstance(value, str | int | float) else ""


def origins_of(decision: Decision) -> list[dict[str, Any]]:
    """What a verdict about origins rests on, without any words of the session."""
    return [
        {"what": each.what, "test": each.test, "answer": each.answer,
         "events": sorted({source.event for part in each.parts for source in part.sources})}
        for each in decision.origins[:MOST_ORIGINS]
    ]  # fmt: skip
