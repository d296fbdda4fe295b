"""The tree, against RFC 6962 as it is written there, and its proofs."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from guardrails.audit.merkle import EMPTY, Tree, leaf, path, root_from

LEAVES = st.lists(st.binary(max_size=4), min_size=1, max_size=70)


def by_the_book(leaves: list[bytes]) -> bytes:
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    cut = 1
    while cut * 2 < len(leaves):
        cut *= 2
    return sha256(b"\x01" + by_the_book(leaves[:cut]) + by_the_book(leaves[cut:])).digest()


def tree_of(leaves: list[bytes]) -> Tree:
    tree = Tree()
    for each in leaves:
        tree.add(each)
    return tree


def test_the_empty_tree() -> None:
    assert Tree().root() == EMPTY == by_the_book([])


@given(LEAVES)
def test_the_root_is_that_of_the_standard(leaves: list[bytes]) -> None:
    assert tree_of(leaves).root() == by_the_book(leaves)


@given(LEAVES, st.integers(0, 70))
def test_a_tree_goes_on_from_its_peaks(leaves: list[bytes], cut: int) -> None:
    begun = tree_of(leaves[:cut])
    again = Tree(begun.size, begun.peaks)
    for each in leaves[cut:]:
        again.add(each)
    assert again.root() == by_the_book(leaves)


@given(LEAVES, st.data())
def test_every_leaf_has_a_proof(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    hashes = [leaf(each) for each in leaves]
    assert root_from(hashes[index], index, len(leaves), path(hashes, index)) == by_the_book(leaves)


@given(LEAVES, st.data())
def test_a_proof_is_good_for_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    hashes = [leaf(each) for each in leaves]
    proof, root = path(hashes, index), by_the_book(leaves)
    assert root_from(leaf(leaves[index] + b"!"), index, len(leaves), proof) != root
    for changed in ([*proof, EMPTY], proof[:-1] if proof else [EMPTY]):
        assert root_from(hashes[index], index, len(leaves), changed) != root
    for at in range(len(proof)):
        wrong = [*proof[:at], EMPTY, *proof[at + 1 :]]
        assert root_from(hashes[index], index, len(leaves), wrong) != root
