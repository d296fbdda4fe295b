"""Arguments while they are written: what is shown is what the call would be given, and nothing is decided by it."""

from __future__ import annotations

from json import dumps, loads
from typing import Any

import pytest
from content_cases import KEY, STATELESS, cuts, guard_of, pieces_of, redactions, texts
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails import Guard, Outcome

FEWER = settings(max_examples=120)

values = st.recursive(
    texts | st.integers(-(10**17), 10**17) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(("note", "password", "a b")), inner),
    max_leaves=6,
)  # fmt: skip
arguments = st.dictionaries(st.sampled_from(("note", "to", "phone")), values, max_size=3)
targets = st.sampled_from(("", " in args.note", " in args.*", " in args.to.*.note"))


def shown(guard: Guard, args: Any, sizes: list[int]) -> tuple[Any, Any]:
    """What a stream shows, and the stream."""
    stream = guard.session(id="s").stream_args("send")
    out = "".join(map(stream.feed, pieces_of(dumps(args, ensure_ascii=False), sizes))) + stream.close()
    return loads(out), stream


def called(guard: Guard, args: Any) -> Any:
    decision = guard.session(id="s").check_call("send", args)
    return decision.payload if decision.transforms else args


@FEWER
@given(st.data(), arguments, cuts)
def test_what_is_shown_is_what_the_call_is_given(data: st.DataObject, args: Any, sizes: list[int]) -> None:
    statements = data.draw(redactions(STATELESS, data.draw(targets)))
    guard = guard_of("on call send {\nallow\n" + "\n".join(statements) + "\n}")
    found, stream = shown(guard, args, sizes)
    assert stream.error is None
    assert stream.hold is not None
    assert found == called(guard, args)


@FEWER
@given(arguments, cuts, st.sampled_from(('args.to == "hello"', "length(args.to) > 3", "pii(args.note)")))
def test_what_depends_on_the_arguments_waits_for_them(args: Any, sizes: list[int], condition: str) -> None:
    guard = guard_of(f"on call send {{ allow; redact secrets; redact pii in args.note when {condition} }}")
    found, stream = shown(guard, args, sizes)
    assert (stream.hold, stream.error) == (None, None)
    assert found == called(guard, args)


def test_a_text_is_shown_while_it_grows() -> None:
    stream = guard_of("on call send { allow; redact pii(EMAIL_ADDRESS) }").session().stream_args("send")
    greeting = "hello there, everybody; " * 20
    first = stream.feed(f'{{"note": "{greeting}please write to ana@exam')
    assert first.startswith('{"note":"hello there')
    assert "ana" not in first
    rest = stream.feed('ple.com now"}') + stream.close()
    assert first + rest == f'{{"note":"{greeting}please write to [REDACTED] now"}}'


def test_nothing_is_decided_counted_or_turned_back() -> None:
    policy = """
    on call send { allow; most: limit 1 per 1d; redact pii(CREDIT_CARD) }
    on result look { redact pii(EMAIL_ADDRESS) with token }
    on call other { deny }
    reveal in call send.to
    """
    session = Guard.from_text(policy, key=KEY).session()
    token = session.check_result("look", {"to": "ana@example.com"}).payload["to"]
    args = {"to": token, "card": "4111 1111 1111 1111"}
    for _ in range(3):
        stream = session.stream_args("send")
        assert loads(stream.feed(dumps(args)) + stream.close()) == {"to": token, "card": "[REDACTED]"}
    decision = session.check_call("send", args)
    assert (decision.outcome, decision.payload["to"]) == (Outcome.ALLOW, "ana@example.com")
    stream = session.stream_args("other")
    assert stream.feed('{"a": 1}') + stream.close() == '{"a":1}'


def test_tokens_of_a_stream_are_those_of_the_call() -> None:
    guard = Guard.from_text("on call send { allow; redact pii with token }\nreveal in output", key=KEY)
    found, _ = shown(guard, {"to": "ana@example.com"}, [3])
    assert found["to"].startswith("<EMAIL_ADDRESS_1_")
    assert called(guard, {"to": "ana@example.com"}) == found
    assert guard.session(id="s").check_output(found["to"]).payload == "ana@example.com"


@pytest.mark.parametrize("condition", ["", ' when args.a == "x"'])
@pytest.mark.parametrize(
    "text", ['{"a": "x", "a": "y"}', '{"a": "x"', "[1]]", '{"a": nope}', "", '{"a": "\\ud800"}']
)
def test_what_is_no_json_ends_as_json(text: str, condition: str) -> None:
    guard = guard_of(f"on call send {{ allow; redact pii{condition} }}")
    stream = guard.session().stream_args("send")
    out = "".join(map(stream.feed, text)) + stream.close()
    assert stream.error is not None
    loads(out)
    assert (stream.feed("more"), stream.close()) == ("", "")


def test_without_a_key_nothing_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUARD_KEY", raising=False)
    session = Guard.from_text("on call send { allow; redact pii with hash }").session()
    stream = session.stream_args("send")
    assert stream.feed('{"to": "ana@example.com"}') + stream.close() == "null"
    assert stream.error is not None
    assert stream.error.kind == "unavailable"


def test_the_past_of_a_session_counts() -> None:
    policy = """
    on result read { allow }
    on call send { allow; redact pii(EMAIL_ADDRESS) when seen(call read) }
    on call read { allow }
    """
    session = Guard.from_text(policy).session()

    def show() -> str:
        stream = session.stream_args("send")
        assert stream.hold is None
        return stream.feed('{"to": "ana@example.com"}') + stream.close()

    assert show() == '{"to":"ana@example.com"}'
    session.check_call("read", {})
    assert show() == '{"to":"[REDACTED]"}'


def test_a_delegated_session_shows_by_all_policies() -> None:
    parent = Guard.from_text("on call send { allow; redact pii(EMAIL_ADDRESS) }").session()
    own = Guard.from_text("on call send { allow; redact pii(CREDIT_CARD) }")
    stream = parent.delegate(guard=own).stream_args("send")
    text = '{"note": "ana@example.com, 4111 1111 1111 1111"}'
    assert stream.feed(text) + stream.close() == '{"note":"[REDACTED], [REDACTED]"}'
