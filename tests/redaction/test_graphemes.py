"""Where a growing text may be cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from texts import cuts, pieces_of

from guardrails.redaction.graphemes import MOST, GraphemeGate

CLUSTERS = (
    "a", " ", "\n", "\r\n", "\t", "ü", "e\u0301", "e\u0301\u0323", "日", "\U0001f600", "\U0001f44d\U0001f3fd",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\u2764\ufe0f", "\U0001f3f4\u200d\u2620\ufe0f",
    "\U0001f1e9\U0001f1ea", "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "1\ufe0f\u20e3",
    "\u1112\u1161\u11ab", "\ud55c", "\uac00\u11a8", "\u0915\u094d\u0937", "\u0e01\u0e33", "\u0600\u0661", "\u0600" "1",
    "\u0ba8\u0bbf", "\uff76\uff9e", "\u00a9\ufe0f", "\u270a\U0001f3ff",
)  # fmt: skip


@pytest.mark.parametrize("cluster", CLUSTERS, ids=ascii)
def test_no_cluster_is_cut(cluster):
    gate = GraphemeGate()
    out = [gate.feed(character) for character in f"x{cluster}y"]
    assert "".join(out) + gate.close() == f"x{cluster}y"
    shown = [piece for piece in out if piece]
    assert shown in (["x", cluster], ["x" + cluster])


@given(st.lists(st.sampled_from(CLUSTERS)), cuts)
def test_all_goes_on_and_every_piece_ends_at_a_boundary(clusters, sizes):
    text = "".join(clusters)
    ends, at = {0}, 0
    for cluster in clusters:
        at += len(cluster)
        ends.add(at)
    gate, shown = GraphemeGate(), 0
    for piece in pieces_of(text, sizes):
        shown += len(gate.feed(piece))
        assert shown in ends
    assert shown + len(gate.close()) == len(text)


@pytest.mark.parametrize("endless", ["\u0301", "\U0001f1e9", "\u200d", "\u1100"])
def test_a_cluster_without_end_is_cut(endless):
    gate = GraphemeGate()
    for _ in range(10 * MOST):
        gate.feed(endless)
        assert gate.pending <= MOST + 1
