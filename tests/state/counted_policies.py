"""Random policies with limits, and random days of events for them.

The events are few in kind, so that they meet the same counters, and mostly good, so that something is
charged; fields are missing, mistyped, negative or too fine now and then.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from hypothesis import strategies as st

SECOND = 1_000_000
HOUR = 3_600 * SECOND
NOW = 1_800_000_000 * SECOND
NAMES = ("pay", "pay.refund", "send")
TOOLS = json.dumps(
    {
        "tools": [
            {
                "name": name,
                "description": "",
                "inputSchema": {
                    "type": "object",
                    "properties": {
                        "amount": {"type": "number"},
                        "who": {"type": "string"},
                        "to": {"type": "string", "format": "email"},
                        "n": {"type": "integer"},
                        "live": {"type": "boolean"},
                    },
                },
            }
            for name in NAMES
        ]
    }
)
PRELUDE = """
param top: decimal = 3
type principal { id: string; quota?: int }
let big = args.amount > 2
"""
KEYS = (
    "args.who", "lower(args.who)", "args.n", "args.live", "principal.id", "session.id", "tool.name", "args.to",
    "args.to.domain", "args.n, args.who", "args.amount",
)  # fmt: skip
CONDITIONS = (
    "args.amount > 1", "args.live", 'args.who == "a"', "big", "args.n < 2", 'principal.id == "ana"', "has args.n",
)  # fmt: skip


class Step(NamedTuple):
    """After `wait` microseconds: an event, or what `back` events ago was charged is given back."""

    wait: int
    event: dict[str, Any] | None
    back: int = 0


def _clause(draw: st.DrawFn) -> str:
    word = draw(st.sampled_from(["", "", "", "when", "unless"]))
    return f" {word} {draw(st.sampled_from(CONDITIONS))}" if word else ""


def _bounds(draw: st.DrawFn, amounts: tuple[str, ...]) -> str:
    spans = st.sampled_from([" per 1h", " per 1h", " per 90s", " per 1d", ""])
    bound = st.builds(lambda amount, span: f"{amount}{span}", st.sampled_from(amounts), spans)
    return ", ".join(draw(st.lists(bound, min_size=1, max_size=2)))


def _limit(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(["count", "count", "sum", "distinct", "burst", "dynamic"]))
    if kind == "sum":
        what = draw(st.sampled_from(["args.amount", "args.n", "args.amount * 2"]))
        text = f"sum({what}) to {_bounds(draw, ('3', '4.5', 'top', '10'))}"
    elif kind == "distinct":
        what = draw(st.sampled_from(["args.who", "args.to", "args.n", "lower(args.who)", "args.amount"]))
        text = f"distinct({what}) to {_bounds(draw, ('1', '2', '3'))}"
    elif kind == "burst":
        text = draw(st.sampled_from(["6 per 1h burst 2", "4 per 90s burst 1", "10 per 1h burst 3"]))
        by = f" by {draw(st.sampled_from(KEYS))}" if draw(st.booleans()) else ""
        return "limit " + text.replace(" burst", f"{by} burst")
    elif kind == "dynamic":
        text = _bounds(draw, ("principal.quota", "top", "args.n"))
    else:
        text = _bounds(draw, ("1", "2", "3", "5"))
    by = f" by {draw(st.sampled_from(KEYS))}" if draw(st.sampled_from([True, False, False])) else ""
    return f"limit {text}{by}"


def _statement(draw: st.DrawFn, label: str) -> str:
    shadow = draw(st.sampled_from(["", "", "", "", "shadow "]))
    other = st.sampled_from(["deny", "ask finance", "flag odd", "require args.amount <= 5"])
    if draw(st.sampled_from([True, True, True, False])):
        return f"  {label}: {shadow}{_limit(draw)}{_clause(draw)}"
    effect = draw(other)
    clause = "" if effect.startswith("require") else f" when {draw(st.sampled_from(CONDITIONS))}"
    return f"  {label}: {shadow}{effect}{clause}"


def _block(draw: st.DrawFn, labels: Any) -> str:
    tools = draw(st.sampled_from(["pay", "send", '"pay.*"', '"*"', 'pay, "pay.refund"']))
    shadow = draw(st.sampled_from(["", "", "", "", "shadow "]))
    lines = [_statement(draw, next(labels)) for _ in range(draw(st.integers(1, 3)))]
    return f"{shadow}on call {tools}{_clause(draw)} {{\n" + "\n".join(lines) + "\n}\n"


def _session_block(draw: st.DrawFn, labels: Any) -> str:
    limit = st.sampled_from(
        ["limit 3 calls", "limit 2 calls per 1h", "limit 4 calls by principal.id", "limit 2 calls per 90s"]
    )
    return f"on session {{\n  {next(labels)}: {draw(limit)}\n}}\n"


@st.composite
def policies(draw: st.DrawFn) -> list[tuple[str, str]]:
    """One or two files, `(name, text)`."""
    labels = (f"s{index}" for index in range(100))
    text = "policy one\n" + PRELUDE + 'on call "*" { base: allow }\n'
    text += "".join(_block(draw, labels) for _ in range(draw(st.integers(1, 3))))
    if draw(st.sampled_from([True, False, False])):
        text += _session_block(draw, labels)
    files = [("one.guard", text)]
    if draw(st.sampled_from([True, False, False])):
        files.append(("two.guard", "policy two\n" + _block(draw, labels)))
    return files


def _mostly(good: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    junk = st.sampled_from([None, True, "5", -1, 0.0000000001, float("nan"), [], 10**30, ""])
    return st.one_of(*[good] * 19, junk)


_ARGS = st.fixed_dictionaries(
    {"amount": _mostly(st.sampled_from([1, 1.0, 2, 0.5, 3])), "who": _mostly(st.sampled_from("aaAb"))},
    optional={
        "n": _mostly(st.sampled_from([0, 1, 2, 3])),
        "live": _mostly(st.booleans()),
        "to": _mostly(st.sampled_from(["ann@acme.com", "Ann@ACME.com", "bob@b.org", "no mail"])),
    },
)
_PRINCIPAL = st.fixed_dictionaries(
    {"id": _mostly(st.sampled_from(["ana", "bob"]))}, optional={"quota": _mostly(st.sampled_from([1, 2, 3]))}
)


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "type": "call",
        "tool": draw(st.sampled_from(["pay", "pay", "pay.refund", "send"])),
        "args": draw(_ARGS),
        "principal": draw(_PRINCIPAL),
        "session": draw(st.sampled_from(["s1", "s1", "s2"])),
    }


WAITS = st.sampled_from(
    [0, 0, 0, 1, SECOND, SECOND, 45 * SECOND, 90 * SECOND - 1, 90 * SECOND, 20 * 60 * SECOND, HOUR, 24 * HOUR]
)


@st.composite
def days(draw: st.DrawFn) -> list[Step]:
    """Events with the time between them, and now and then one that is given back."""
    event = st.builds(Step, WAITS, calls())
    back = st.builds(lambda wait, number: Step(wait, None, number), WAITS, st.integers(1, 3))
    return draw(st.lists(st.one_of(event, event, event, event, event, back), min_size=8, max_size=20))
