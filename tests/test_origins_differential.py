"""The reference and the engine agree on labels, origins, flows and tasks (law L7)."""

from __future__ import annotations

from os import environ
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import decide

from guardrails import Guard
from guardrails.language.parser import parse
from guardrails.runtime.clock import FrozenClock

NOW = 1_795_262_400_000_000
FEW = 4_000 if environ.get("GUARD_SOAK") else 200
VALUES = (
    "DE89370400440532013000", "GB33BUKB20201555555555", "office@acme.example", "eve@evil.example",
    "bob.lopez@acme.example", "13", "yes",
)  # fmt: skip
LABELS = ("user", "records", "untrusted", "confidential", "low", "mid", "high")
TESTABLE = (*LABELS, "model", "policy")

label_names = st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True).map(", ".join)
targets = st.sampled_from(["", " in result.*.a", " in result.b", " in result.*"])
rows = st.sampled_from(["", "", ' where row.kind == "x"', " where row.n > 1"])
whens = st.sampled_from(
    ["", "", " when args.q == 1", " when context has untrusted", " when result.flag == true"]
)
label_statements = st.builds("label {}{}{}{}".format, label_names, targets, rows, whens)
input_labels = st.builds(
    "label {}{}".format,
    label_names,
    st.sampled_from(["", ' when text contains "acme"', " when context has high"]),
)

one = st.sampled_from(TESTABLE)
braces = st.lists(one, min_size=1, max_size=3, unique=True).map(lambda names: f"{{{', '.join(names)}}}")
about = st.sampled_from(["args.v", "args.vs", "args", "principal.mail", "args.gone"])
tests = st.one_of(
    st.builds("origin({}) in {}".format, about, braces),
    st.builds("origin({}) not in {}".format, about, braces),
    st.builds("origin({}) is {}".format, about, one),
    st.builds("origin({}) is not {}".format, about, one),
    st.builds("origin({}) has {}".format, about, one),
    st.builds("context has {}".format, one),
    st.builds("any v in args.vs: origin(v) is {}".format, one),
)
conditions = st.one_of(tests, st.builds("{} and {}".format, tests.filter(lambda t: t[:3] != "any"), tests),
                       st.builds("not ({})".format, tests))  # fmt: skip
statements = st.one_of(
    st.builds("{} when {}".format, st.sampled_from(["allow", "ask", "deny", "flag seen"]), conditions),
    st.builds("allow unless {}".format, conditions),
    st.builds("require {}".format, conditions),
    st.just("allow"),
)
flows = st.builds(
    "flow {} to call act{}".format, label_names, st.sampled_from(["", " only when args.q == 1"])
)
tasks = st.sampled_from(
    [
        "",
        "task one(n: int) { only call act; on call act { deny when args.q != n } }",
        "task one(n: int) { only call b }",
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> str:
    lines = ["type label { low < mid < high }", 'let office = "office@acme.example"', draw(tasks)]
    lines += draw(st.lists(flows, max_size=1))
    for tool in ("act", "other"):
        inside = draw(st.lists(statements, min_size=1, max_size=3))
        lines.append(f"on call {tool} {{\n" + "\n".join(inside) + "\n}")
    inside = draw(st.lists(label_statements, max_size=2))
    lines.append("on result get {\n" + "\n".join(inside) + "\n}")
    lines.append("on input {\n" + "\n".join(draw(st.lists(input_labels, max_size=1))) + "\n}")
    return "\n".join(lines) + "\n"


value = st.sampled_from(VALUES)
row = st.fixed_dictionaries(
    {}, optional={"a": value, "kind": st.sampled_from(["x", "y", 5]), "n": st.integers(0, 2)}
)
results = st.one_of(
    st.lists(row, max_size=3),
    st.fixed_dictionaries({"b": value}, optional={"c": value, "flag": st.booleans()}),
    value,
)
arguments = st.fixed_dictionaries(
    {}, optional={"q": st.integers(1, 2), "v": value, "vs": st.lists(value, max_size=2)}
)
events = st.one_of(
    st.builds(lambda r, a: {"type": "result", "tool": "get", "result": r, "args": a}, results, arguments),
    st.builds(lambda t: {"type": "input", "text": f"Take {t}, please"}, value),
    st.builds(lambda t: {"type": "input", "text": f"Take {t}, please", "by": "agent"}, value),
)
calls = st.builds(
    lambda t, a: {"type": "call", "tool": t, "args": a}, st.sampled_from(["act", "other"]), arguments
)
principals = st.fixed_dictionaries({}, optional={"mail": value})
sessions = st.sampled_from([{"id": "s"}, {"id": "s", "task": "one", "given": {"n": 1}}])


@settings(max_examples=FEW, deadline=None, suppress_health_check=list(HealthCheck))
@given(policies(), st.lists(events, max_size=4), calls, principals, sessions)
def test_the_engine_and_the_reference_agree(
    policy: str,
    past: list[dict[str, Any]],
    call: dict[str, Any],
    principal: dict[str, Any],
    session: dict[str, Any],
) -> None:
    if "task one" not in policy:
        session = {"id": "s"}
    guard = Guard.from_text(policy, clock=FrozenClock(NOW))
    about = {"principal": principal, "session": session}
    seen = []
    for event in past:
        decision = guard.decide({**event, **about}, now=NOW)
        if event["type"] == "result" or decision.allowed:
            seen.append({**event, **about, "at": NOW, "held": not decision.allowed})
    tree, problems = parse(policy, "policy.guard")
    assert tree is not None, problems
    verdict = decide([tree], {**call, **about}, now=NOW, past=seen)
    decision = guard.decide({**call, **about}, now=NOW)
    assert (str(decision.outcome), sorted({e.statement for e in decision.errors})) == (
        verdict.outcome, sorted({f"policy.{name}" if ":" not in name else name for name, _ in verdict.errors})
    ), policy  # fmt: skip
    assert sorted(each.effect for each in decision.applied) == sorted(
        effect for _, effect, _ in verdict.applied
    )
