"""Test cases as values: what a test file says, after it was read and checked.

A `Suite` is a file; its `Case`s are run apart from each other, each with a store and a clock of its own. A case
is a list of `Step`s: an event, time that goes by, a halt, a look at the limits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from guardrails.diagnostics import Span

START = 1_767_268_800_000_000
"""When a case begins that does not say: 2026-01-01 12:00 UTC, in microseconds since 1970."""

SESSION = "test"
"""The session of events that name none."""

KEY = "the key of guard tests, no secret"
"""What hashes and tokens are made with in tests that bring no key."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A function of the host, made up: an answer for these arguments, for all others, or a failure."""

    name: str
    parameters: tuple[object, ...]
    result: object
    answers: tuple[tuple[tuple[Any, ...], Any], ...] = ()
    returns: tuple[Any, ...] = ()
    fails: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What a stub of a detector finds: every place where `text` stands."""

    text: str
    entity: str
    score: float = 1.0


@dataclass(frozen=True, slots=True)
class Fixtures:
    """What all cases of a file share."""

    params: Mapping[str, Any] = field(default_factory=dict)
    principals: Mapping[str, Any] = field(default_factory=dict)
    agents: Mapping[str, Any] = field(default_factory=dict)
    sessions: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)
    prices: Any = None
    detectors: Mapping[str, tuple[Found, ...]] = field(default_factory=dict)
    functions: Mapping[str, Stub] = field(default_factory=dict)
    key: str = KEY
    now: int = START
    system_clock: bool = False
    shared_store: bool = False


@dataclass(frozen=True, slots=True)
class Want:
    """One thing that is expected: the aspect of a decision, its value, and where the file says so."""

    aspect: str
    value: Any
    span: Span


Action: TypeAlias = Literal["event", "advance", "at", "halt", "resume", "limits"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `value` is an event as data, microseconds, a halt, or a scope. An event happens `repeat` times
    one after the other, or `parallel` times at once; each has to come out as `wants` say."""

    action: Action
    value: Any
    span: Span
    wants: tuple[Want, ...] = ()
    repeat: int = 1
    parallel: int = 1


@dataclass(frozen=True, slots=True)
class Case:
    """One test. `skip` and `xfail` hold the reason; None where there is none."""

    name: str
    steps: tuple[Step, ...]
    span: Span
    tags: tuple[str, ...] = ()
    skip: str | None = None
    xfail: str | None = None
    now: int | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A test file: the policy it tests (paths), what its cases share, and the cases. `text` is its source."""

    file: str
    text: str
    policy: tuple[str, ...]
    fixtures: Fixtures
    cases: tuple[Case, ...]
