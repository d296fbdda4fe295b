"""Proof that a backtracking engine runs a pattern in linear time.

Takes a tree, gives yes or "not proved". The idea: write the pattern as an automaton with one state per
place for a character (Glushkov's construction), keeping count of how often each step can be derived. If
no text has two paths to acceptance, then no prefix has two paths to the same state (every state can still
reach acceptance), so a backtracker takes at most `states * length` steps, whatever it is given. Assertions
are left out of the automaton, which only adds paths. See Book, Even, Greibach and Ott, "Ambiguity in
Graphs and Expressions" (1971), for the construction and the test on pairs of states.
"""

from __future__ import annotations

from guardrails.patterns.tree import Alt, Assertion, Chars, Repeat, Seq, children, longest_match, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.patterns.tree import Node

MAX_STATES = 200
"""Beyond this the proof would take longer than RE2 takes to match."""

MAX_STEPS = 20_000
"""Pairs of steps that the proof may look at."""

MAX_WINDOW = 64
"""Longest text that a searched pattern may span when every start is tried."""


class _Ambiguous(Exception):
    """One step of the automaton has two derivations."""


def is_linear(tree: Node) -> bool:
    """Whether matching a whole text is proved linear."""
    if size(tree) > MAX_STATES:
        return False
    try:
        return _is_unambiguous(_Automaton(tree, searched=False))
    except _Ambiguous:
        return False


def is_linear_search(tree: Node) -> bool:
    """Whether finding a match anywhere, by trying every start, is proved linear."""
    if not is_linear(tree):
        return False
    longest = longest_match(tree)
    if (longest is not None and longest <= MAX_WINDOW) or is_anchored(tree):
        return True
    return _is_unambiguous(_Automaton(tree, searched=True))


def is_anchored(tree: Node) -> bool:
    """Whether every match starts at the start of the text."""
    if isinstance(tree, Assertion):
        return tree.kind == "start"
    if isinstance(tree, Alt):
        return all(map(is_anchored, tree.options))
    if isinstance(tree, Seq):
        return any(is_anchored(item) for item in _leading(tree))
    return isinstance(tree, Repeat) and tree.low > 0 and is_anchored(tree.body)


def _leading(tree: Seq) -> Iterator[Node]:
    """The items that a match meets before its first character."""
    for item in tree.items:
        yield item
        if longest_match(item) != 0:
            return


class _Piece:
    """A part of the automaton: the states a text may start in and end in, and whether it may be empty."""

    __slots__ = ("empty", "first", "last")

    def __init__(self, first: list[int], last: list[int], *, empty: bool) -> None:
        self.first = first
        self.last = last
        self.empty = empty


class _Automaton:
    """States 1.. are places for a character; 0 is the start, which loops when the pattern is searched."""

    def __init__(self, tree: Node, *, searched: bool) -> None:
        self.masks = [0]
        self.after: list[set[int]] = [set()]
        self.bits = _atoms(tree)
        whole = self._piece(tree)
        self.final = {*whole.last, 0} if whole.empty else set(whole.last)
        self._connect([0], whole.first)
        if searched:
            self.masks[0] = (1 << len(self.bits)) - 1
            self._connect([0], [0])

    def _connect(self, sources: list[int], targets: list[int]) -> None:
        for source in sources:
            for target in targets:
                if target in self.after[source]:
                    raise _Ambiguous
                self.after[source].add(target)

    def _piece(self, node: Node) -> _Piece:
        if isinstance(node, Chars):
            return self._place(node)
        if isinstance(node, Seq):
            return self._in_turn([self._piece(item) for item in node.items])
        if isinstance(node, Alt):
            return _either([self._piece(option) for option in node.options])
        if isinstance(node, Repeat):
            return self._repeated(node)
        return _Piece([], [], empty=True)

    def _place(self, node: Chars) -> _Piece:
        if node.raw:
            raise _Ambiguous
        state = len(self.masks)
        self.masks.append(_mask(node, self.bits))
        self.after.append(set())
        return _Piece([state], [state], empty=False)

    def _in_turn(self, pieces: list[_Piece]) -> _Piece:
        first: list[int] = []
        last: list[int] = []
        empty = True
        for piece in pieces:
            self._connect(last, piece.first)
            first += piece.first if empty else []
            last = piece.last + (last if piece.empty else [])
            empty = empty and piece.empty
        return _Piece(first, last, empty=empty)

    def _repeated(self, node: Repeat) -> _Piece:
        """`x{2,4}` is `xx(x(x)?)?` and `x{2,}` is `xx+`: at most one way to be empty at each step."""
        if node.high is not None:
            required = [self._solid(node) for _ in range(node.low)]
            return self._in_turn([*required, self._nested(node, node.high - node.low)])
        required = [self._solid(node) for _ in range(node.low - 1)]
        looped = self._solid(node)
        self._connect(looped.last, looped.first)
        looped.empty = node.low == 0
        return self._in_turn([*required, looped])

    def _nested(self, node: Repeat, spare: int) -> _Piece:
        """`(x(x)?)?`, with `spare` places for the body."""
        first: list[int] = []
        last: list[int] = []
        previous: list[int] = []
        for _ in range(spare):
            piece = self._solid(node)
            self._connect(previous, piece.first)
            first, previous = first or piece.first, piece.last
            last += piece.last
        return _Piece(first, last, empty=True)

    def _solid(self, node: Repeat) -> _Piece:
        """The body of a repeat; one that may be empty could be so in many ways."""
        piece = self._piece(node.body)
        if piece.empty:
            raise _Ambiguous
        return piece


def _either(pieces: list[_Piece]) -> _Piece:
    if sum(piece.empty for piece in pieces) > 1:
        raise _Ambiguous
    first = [state for piece in pieces for state in piece.first]
    last = [state for piece in pieces for state in piece.last]
    return _Piece(first, last, empty=any(piece.empty for piece in pieces))


def _atoms(tree: Node) -> list[int]:
    """Where the classes of the tree start and end: between two of these, all characters act alike."""
    edges = {0}
    stack: list[Node] = [tree]
    while stack:
        node = stack.pop()
        stack += children(node)
        if isinstance(node, Chars):
            edges.update(edge for low, high in node.ranges for edge in (low, high + 1))
    return sorted(edges)


def _mask(node: Chars, edges: list[int]) -> int:
    mask = 0
    for bit, edge in enumerate(edges):
        if any(low <= edge <= high for low, high in node.ranges):
            mask |= 1 << bit
    return mask


def _is_unambiguous(automaton: _Automaton) -> bool:
    """Whether no text has two paths: apart for a while, then both accepting or together again."""
    pairs = _reachable_pairs(automaton)
    return pairs is not None and not any(_may_rejoin(automaton, left, right) for left, right in pairs)


def _reachable_pairs(automaton: _Automaton) -> set[tuple[int, int]] | None:
    """Unordered pairs of different states that one text can lead to; None if there are too many."""
    found: set[tuple[int, int]] = set()
    agenda = [(state, state) for state in range(len(automaton.masks))]
    steps = 0
    while agenda:
        pair = agenda.pop()
        steps += len(automaton.after[pair[0]]) * len(automaton.after[pair[1]])
        if steps > MAX_STEPS:
            return None
        fresh = set(_steps(automaton, pair)) - found
        found |= fresh
        agenda += fresh
    return found


def _steps(automaton: _Automaton, pair: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The pairs of different states that one more character leads to."""
    for left in automaton.after[pair[0]]:
        for right in automaton.after[pair[1]]:
            if left != right and automaton.masks[left] & automaton.masks[right]:
                yield (left, right) if left < right else (right, left)


def _may_rejoin(automaton: _Automaton, left: int, right: int) -> bool:
    """Whether the text may end here for both, or its next character lead both to one state."""
    both_accept = left in automaton.final and right in automaton.final
    return both_accept or bool(automaton.after[left] & automaton.after[right])
