"""`links`, `promises` and `mentions`: what they see in texts, and that no text makes them slow or fail."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrails import Guard, Outcome
from guardrails.detectors.languages import language
from guardrails.detectors.links import links
from guardrails.detectors.mentions import mentions
from guardrails.detectors.promises import FAMILIES, promises
from guardrails.errors import Ambiguous, EvaluationError, TooLarge, WrongType

LINKS = [
    ("nothing here, not even example.com/a", []), ("see https://example.com/a.", ["https://example.com/a"]),
    ("(https://example.com/x_(y)) and (http://b.org)", ["https://example.com/x_(y)", "http://b.org/"]),
    ("**https://b.com**, <https://c.com/x>", ["https://b.com/", "https://c.com/x"]),
    ("www.example.com, twice: www.example.com", ["http://www.example.com/"]),
    ('[a](//evil.com/p?x=1 "title") ![b](https://i.com/a.png)', ["https://evil.com/p?x=1", "https://i.com/a.png"]),
    ("[a](https:\\/\\/evil.com) [b][r]\n\n[r]: <https://d.com>", ["https://evil.com/", "https://d.com/"]),
    ("[a](#top) [b](page.html) [c](/path) [d](mailto:x@evil.com) [e](tel:+491)", []),
    ("<a href=//p.com>p</a> <img SRC = 'https://i.com/?a=1&amp;b=2'>", ["https://p.com/", "https://i.com/?a=1&b=2"]),
    ("<img srcset='a.png 1x, //e.com/b 2x'>", ["https://e.com/b"]),
    ('<p style="background: url(//f.com/x)">', ["https://f.com/x"]),
    ("HTTPS://EXAMPLE.com:443/%61", ["https://example.com/a"]),
    ("[a](https://one.com) https://two.com [b](https://one.com)", ["https://one.com/", "https://two.com/"]),
    ("„https://example.com/ä“ https://x.com。", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), [case for case in LINKS if case[1] is not None])
def test_links(text: str, expected: list[str]) -> None:
    assert [link.text for link in links(text)] == expected


@pytest.mark.parametrize(
    "text",
    [
        "[x](javascript:alert(1))", "![](/\\evil.com/x)", "<a href='https:evil.com'>", "<a href='\\\\evil.com'>",
        "https://example.com@evil.com/", "https://ev\u200bil.com", "![](<https://c.com/a b>)", "https://{x}.evil.com",
        "<img src='data:image/png;base64,AA'>", "https://1.2.3.04/",
    ],
)  # fmt: skip
def test_a_link_that_could_lead_to_two_places_is_an_error(text: str) -> None:
    with pytest.raises(Ambiguous):
        links(text)


def test_too_many_links_are_an_error() -> None:
    with pytest.raises(TooLarge):
        links(" ".join(f"https://h{number}.com" for number in range(10_002)))


@given(
    st.lists(
        st.sampled_from(
            ["](", "]:", "<", ">", "(", ")", "href=", '"', "'", "https://", "a.com", "//", " ", "&amp;", "\\"]
        )
    ).map("".join)
)
def test_any_text_gives_links_or_an_error(text: str) -> None:
    try:
        found = links(text)
    except EvaluationError:
        return
    assert len({link.text for link in found}) == len(found)
    assert ("//" in text and "https:" in text) or not found or "//a.com" in text


@pytest.mark.parametrize(
    "part", [")", "](", "](<", 'href="', "href='", "https://a", "[(", "url(", "]:", " ", "www.", "a("]
)
def test_links_take_linear_time_in_any_text(part: str) -> None:
    """Two hundred thousand characters of the same; a quadratic look would not come to its end."""
    text = "https://a.com" + part * (200_000 // len(part))
    with contextlib.suppress(EvaluationError):
        assert len(links(text)) <= 2


CASES = [
    tuple(part.strip() for part in line.split("|", 1))
    for line in (Path(__file__).parent / "promises.txt").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(("family", "text"), CASES)
def test_promises(family: str, text: str) -> None:
    assert promises(text) == (frozenset() if family == "-" else frozenset({family}))


def test_every_family_has_cases_in_both_languages() -> None:
    assert {family for family, _ in CASES} == {*FAMILIES, "-"}


def test_a_text_may_promise_several_things_between_others() -> None:
    text = "Hello!\nWe cannot change the order. But we will refund you, and you'll get 15% off.\nBye"
    assert promises(text) == {"refund", "discount"}
    assert promises("Die Lieferung ist da. " * 500 + "Wir erstatten Ihnen den Betrag.") == {"refund"}


@pytest.mark.parametrize("part", ["we ", "we will ", "you get a ", "wird ", "a" * 50, "i ", ", "])
def test_promises_take_linear_time_in_any_text(part: str) -> None:
    assert promises(part * (100_000 // len(part))) == frozenset()


@pytest.mark.parametrize(
    ("text", "names", "expected"),
    [
        ("Ask ACME about it", {"acme"}, True), ("macmen", {"acme"}, False), ("acme's, offer", {"Acme"}, True),
        ("the Acme   Corp\nrules", {"acme corp"}, True), ("Ｇｌｏｂｅｘ!", {"globex"}, True), ("STRASSE", {"straße"}, True),
        ("x-acme-y", {"acme"}, True), ("acme_1", {"acme"}, False), ("去东京都吧", {"东京"}, True), ("", {"a"}, False),
        ("C++ and C#", {"c#"}, True), ("a b", set(), False), ("ac\u00adme", {"acme"}, True),
    ],
)  # fmt: skip
def test_mentions(text: str, names: set[str], expected: bool) -> None:  # noqa: FBT001
    assert mentions(text, names) is expected


def test_a_name_without_characters_is_an_error() -> None:
    with pytest.raises(WrongType):
        mentions("text", {"acme", " "})


POLICY = """
let allowed = {"example.com"}
on output {
  hosts: require all l in links(text): l.host in allowed
  words: deny when "refund" in promises(text)
  rivals: deny when mentions(text, {"Globex", "Initech"})
}
"""


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("see https://example.com/a", ""), ("see ![x](//evil.com/?q=1)", "hosts"), ("see [x](javascript:a)", "hosts"),
        ("We will refund you.", "words"), ("Try GLOBEX.", "rivals"),
    ],
)  # fmt: skip
def test_a_policy_asks_them(text: str, label: str) -> None:
    session = Guard.from_text(POLICY).session()
    decision = session.check_output(text)
    assert decision.outcome is (Outcome.DENY if label else Outcome.ALLOW)
    assert [reason.label for reason in decision.reasons if reason.outcome is Outcome.DENY] == [label] * bool(
        label
    )
    stream = session.stream_output()
    shown = "".join(map(stream.feed, text)) + stream.close()
    assert (stream.denied, shown == text) == (bool(label), not label)


# --- languages ---------------------------------------------------------------------------------

WRITTEN = [
    line.split("\t", 1)
    for line in (Path(__file__).parent / "languages.txt").read_text(encoding="utf-8").splitlines()
]


@pytest.mark.parametrize(("code", "text"), WRITTEN)
def test_languages(code: str, text: str) -> None:
    assert language(text) == code


def test_a_text_of_two_languages_has_none() -> None:
    by_code: dict[str, str] = dict(WRITTEN)  # type: ignore[arg-type]  # pairs
    assert language(f"{by_code['de']} {by_code['fr']}") == "und"
