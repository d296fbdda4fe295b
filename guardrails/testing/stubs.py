"""Stubs: what a test makes up in the place of detectors and functions of the host."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from guardrails.detectors.matches import Match
from guardrails.errors import Unavailable
from guardrails.runtime.host import HostFunction
from guardrails.testing.cases import Found, Stub
from guardrails.testing.comparing import same


class StubDetector:
    """Finds the texts that a test names, wherever they stand; nothing else."""

    left = 0

    def __init__(self, name: str, found: Sequence[Found]) -> None:
        self.name = name
        self._found = tuple(found)
        self.hold = max((len(each.text) for each in found), default=1)

    def find(self, text: str, context: Sequence[str] = ()) -> list[Match]:
        places = [match for each in self._found for match in _places(text, each)]
        return sorted(places, key=lambda match: (match.start, -match.end))

    def settled(self, text: str) -> int:
        return max(0, len(text) - self.hold)

    def score(self, text: str) -> Score:
        """For the place of the injection detector."""
        return Score(max((match.score for match in self.find(text)), default=0.0))


class Score:
    """How sure a detector is of a whole text."""

    __slots__ = ("score",)

    def __init__(self, score: float) -> None:
        self.score = score


def _places(text: str, found: Found) -> list[Match]:
    places, start = [], text.find(found.text)
    while start >= 0:
        places.append(Match(start, start + len(found.text), found.entity, found.score, "a stub says so"))
        start = text.find(found.text, start + len(found.text))
    return places


def detectors_of(stubs: Mapping[str, Sequence[Found]]) -> dict[str, StubDetector]:
    return {name: StubDetector(name, found) for name, found in stubs.items()}


def functions_of(stubs: Mapping[str, Stub]) -> dict[str, HostFunction]:
    return {name: _function(stub) for name, stub in stubs.items()}


def _function(stub: Stub) -> HostFunction:
    """The time that a stub takes says nothing of the policy, so it has a minute."""

    def answer(*arguments: Any) -> Any:
        if stub.fails is not None:
            raise Unavailable(f"the host's function `{stub.name}` failed: {stub.fails}")
        for expected, value in stub.answers:
            if same(list(expected), list(arguments)):
                return value
        if not stub.returns:
            raise Unavailable(f"the stub of `{stub.name}` has no answer for {arguments!r}")
        return stub.returns[0]

    parameters = tuple((f"argument_{i}", kind) for i, kind in enumerate(stub.parameters, start=1))
    return HostFunction(stub.name, answer, parameters, stub.result, budget=60.0)
