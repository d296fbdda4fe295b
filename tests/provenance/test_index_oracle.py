"""The index against an oracle that knows by construction which texts hold which values, however they are spelled."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from guardrails.provenance import Index

SPELLINGS = {
    "ann": ["ann.lee@example.org", "Ann.Lee@Example.org", "ANN.LEE@EXAMPLE.ORG"],
    "ann elsewhere": ["ann.lee@example.org.evil.io", "Ann.Lee@example.org.EVIL.io"],
    "another ann": ["joann.lee@example.org"],
    "account": ["DE89370400440532013000", "DE89 3704 0044 0532 0130 00", "de89-3704-0044-0532-0130-00"],
    "another account": ["GB29NWBK60161331926819", "GB29 NWBK 6016 1331 9268 19"],
    "sum": ["1234567.5", "1,234,567.50", "1234567.500000"],
    "larger sum": ["91234567.5", "91,234,567.50"],
    "debt": ["-1234567.5", "-1,234,567.50"],
    "day": ["2026-11-21", "21 Nov 2026", "November 21st, 2026", "2026/11/21"],
    "next day": ["2026-11-22", "22 November 2026"],
    "phone": ["+49 30 12345678", "0049 30 12345678", "+49 (0)30 12345678", "+493012345678"],
    "another phone": ["+39 30 12345678", "+393012345678"],
    "card": ["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"],
    "page": ["https://shop.example.com/a", "HTTPS://Shop.Example.com:443/x/../a"],
    "deeper page": ["https://shop.example.com/a/b"],
    "name": ["John Smithers"],
    "longer name": ["John Smithers-Jones"],
    "ticket": ["INV-2024-0099"],
    "longer ticket": ["INV-2024-0099-B", "X-INV-2024-0099"],
    "code": ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "6F9619FF-8B86-D011-B42D-00CF4FC964FF"],
}
ATOMS = [(name, spelling) for name, spellings in SPELLINGS.items() for spelling in spellings]
FILLER = ["Thanks for everything so far.", "They write again.\n" * 90, "a;b;c", ""]

HOLDING = st.lists(st.tuples(st.sampled_from(ATOMS), st.sampled_from(FILLER)), max_size=5)
EVENTS = st.lists(
    st.tuples(HOLDING, st.sampled_from(["user", "records", "untrusted"]), st.booleans()), max_size=6
)


def filled(events):
    index = Index()
    for number, (holding, label, split) in enumerate(events):
        texts = [f"{filler} see: {atom[1]}; {filler}" for atom, filler in holding]
        index.add(number, "result", "read", texts if split else "\n".join(texts), frozenset({label}))
    return index


@settings(max_examples=400)
@given(EVENTS, st.sampled_from(ATOMS))
def test_a_value_is_the_same_exactly_where_it_was_put(events, wanted):
    parts = filled(events).look_up(wanted[1])
    found = {source.event for part in parts for source in part.sources if source.exact}
    there = {
        number for number, (holding, _, _) in enumerate(events) if any(a[0] == wanted[0] for a, _ in holding)
    }
    assert found <= there
    assert {events[number][1] for number in found} == {events[number][1] for number in there}


@settings(max_examples=200)
@given(EVENTS, st.sampled_from(ATOMS))
def test_a_flood_of_other_events_changes_nothing(events, wanted):
    index = filled(events)
    before = {source.event for part in index.look_up(wanted[1]) for source in part.sources if source.exact}
    for number in range(20):
        index.add(100 + number, "result", "read", "They say something else. " * 60, frozenset({"untrusted"}))
    after = {source.event for part in index.look_up(wanted[1]) for source in part.sources if source.exact}
    assert before == after
