"""Where a store in Redis is: its URL taken apart, and the node of a Cluster that has it.

Takes a URL and what servers say about where keys are, gives the next address to try.
"""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from redis.crc import key_slot

from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    Node: TypeAlias = tuple[str, int]

TIMEOUT = 1.0
OWN_OPTIONS = ("prefix", "clock", "timeout", "cluster")


class Address:
    """A URL taken apart: what redis-py is given, and what is for the store alone.

    `prefix` (default `guard`) names the store among others on the server and is the hash tag of all its
    keys; `timeout` is in seconds, for all of a call; `clock=caller` goes by the time that callers give
    instead of the server's, for replays and tests; `cluster=yes` is for a Redis Cluster. Raises
    `EvaluationError` for options that mean nothing.
    """

    __slots__ = ("caller_clock", "cluster", "prefix", "timeout", "url")

    def __init__(self, url: str) -> None:
        from guardrails.stores import seconds

        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query))
        theirs = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
        self.url = urlunsplit(parts._replace(query=urlencode(theirs)))
        self.prefix = "{" + _plain_prefix(options.get("prefix", "guard")) + "}:"
        self.timeout = seconds(options.get("timeout", str(TIMEOUT)))
        self.caller_clock = _either(options, "clock", "server", "caller")
        self.cluster = _either(options, "cluster", "no", "yes")


class Route:
    """The node that has the store's slot, as far as known. All of a store's keys lie in one slot.

    `target` is None when nodes have to be asked first, and when there is no Cluster.
    """

    def __init__(self, address: Address, seed: Node) -> None:
        self.is_cluster = address.cluster
        self.target: Node | None = None
        self.known: tuple[Node, ...] = (seed,)
        self._seed = seed
        self._slot = key_slot(address.prefix.encode())

    def learn(self, asked: Node, slots: Sequence[Any]) -> None:
        """Take in what `asked` said to `CLUSTER SLOTS`; an empty host means its own."""
        found: list[Node] = [self._seed]
        for start, end, *nodes in slots:
            here = [_node(node, asked) for node in nodes]
            found += here
            if here and start <= self._slot <= end:
                self.target = here[0]
        self.known = tuple(dict.fromkeys(found))

    def move(self, node: Node) -> None:
        """The slot lies on `node` now."""
        self.target = node
        self.known = tuple(dict.fromkeys([*self.known, node]))

    def doubt(self) -> None:
        """The target did not answer: the others are asked first where the slot is."""
        target, self.target = self.target, None
        if target is not None:
            self.known = (*(node for node in self.known if node != target), target)


def _node(node: Sequence[Any], asked: Node) -> Node:
    host, port = node[0], node[1]
    name = host.decode() if isinstance(host, bytes) else host
    return (name or asked[0], int(port))


def _plain_prefix(prefix: str) -> str:
    # A brace would end the hash tag early, and the keys would lie in many slots.
    if not prefix or "{" in prefix or "}" in prefix:
        raise EvaluationError(f"`{prefix}` is no prefix: give a text without braces")
    return prefix


def _either(options: dict[str, str], name: str, usual: str, other: str) -> bool:
    """Whether the option is `other`, rather than `usual` or not given."""
    value = options.get(name, usual)
    if value not in (usual, other):
        raise EvaluationError(f"`{name}={value}` means nothing: use `{usual}` or `{other}`")
    return value == other
