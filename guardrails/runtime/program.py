"""The compiled policy: what a decision needs and nothing else, as plain data that can lie on disk.

`Program` finds the `Unit` of a point and tool by one dictionary look-up; a unit holds the compiled function,
what its bits mean, and the decisions that were already put together from them.
"""

from __future__ import annotations

import marshal

from guardrails import exact, functions
from guardrails.model import Applied, Outcome, Place
from guardrails.runtime import operations
from guardrails.runtime.constants import materialise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from guardrails.model import Decision

MAX_STRANGERS = 1_000
"""How many names of unknown tools are remembered with their unit."""

DECISIONS_KEPT = 4_096
"""How many ready decisions a unit keeps."""


class Effect:
    """One thing that a bit can mean: a verdict, an obligation or a change, by one statement."""

    __slots__ = (
        "applied", "ask", "because", "bounds", "change", "duty", "grants", "keyword", "mark", "outcome",
        "reads_args", "shadow", "watch",
    )  # fmt: skip

    def __init__(self, data: tuple[Any, ...]) -> None:
        policy, label, self.keyword, self.because, place, outcome, self.grants, self.shadow = data[:8]
        self.ask, self.duty, self.change, self.reads_args, self.bounds, self.watch, self.mark = data[8:]
        self.outcome = Outcome(outcome) if outcome else None
        self.applied = Applied(
            self.keyword, self.outcome, policy=policy, label=label, message=self.because, place=Place(*place)
        )

    @property
    def restricts(self) -> bool:
        return self.outcome is not None and self.outcome is not Outcome.ALLOW


class Owner:
    """A statement of a unit: its name, place, and the bits that are its effects."""

    __slots__ = ("effects", "name", "place", "shadow")

    def __init__(self, data: tuple[Any, ...]) -> None:
        self.name, self.shadow, self.effects, place = data
        self.place = Place(*place)


class Unit:
    """The compiled rules for one point and tool. `always` are the bits of effects that no condition holds back."""

    __slots__ = (
        "always",
        "check",
        "decisions",
        "effects",
        "meters",
        "owners",
        "plain",
        "point",
        "rows",
        "tool",
    )

    def __init__(self, point: str, tool: str | None, data: tuple[Any, ...]) -> None:
        effects, codes, constants, owners, meters, self.always = data
        self.point = point
        self.tool = tool
        self.effects = tuple(map(Effect, effects))
        self.owners = tuple(map(Owner, owners))
        self.decisions: dict[int, Decision] = {}
        self.meters, self.plain = _meters(meters) if meters else ((), True)
        namespace = {**OPERATIONS, **{name: materialise(description) for name, description in constants}}
        checks: list[Callable[..., Any]] = []
        self.rows: dict[str, Callable[..., Any]] = {}
        for name, code in codes:
            exec(marshal.loads(code), namespace)
            if name == "check":
                checks.append(namespace[name])
            else:
                self.rows[name] = namespace[name]
        self.check = checks[0] if len(checks) == 1 else _chained(checks)


NO_RULES: tuple[Any, ...] = ((), (), (), (), (), 0)
"""The data of a unit that no rule speaks of."""


def taken_apart(answer: Any) -> tuple[int, Any, Any]:
    """What a check gives, as `(bits, failures, claims)`: it leaves out what there is none of."""
    if answer.__class__ is int:
        return answer, None, None
    return answer if len(answer) == 3 else (*answer, None)


def _meters(data: tuple[Any, ...]) -> tuple[tuple[Any, ...], bool]:
    from guardrails.runtime.meters import are_plain, meters_of

    meters = meters_of(data)
    return meters, are_plain(meters)


def _chained(checks: list[Callable[..., Any]]) -> Callable[..., Any]:
    """The checks of several files as one: bits are joined, and so is what failed and what is claimed."""

    def check(*event: Any) -> Any:
        fired, failed, claims = 0, None, None
        for part in checks:
            bits, failures, claimed = taken_apart(part(*event))
            fired |= bits
            failed = (failed or []) + failures if failures else failed
            claims = (claims or []) + claimed if claimed is not None else claims
        if claims is not None:
            return fired, failed, claims
        return fired if failed is None else (fired, failed)

    return check


class Program:
    """A compiled policy.

    `head` is plain data: name, digest, defaults by point, descriptions of principal and agent, patterns of
    wildcard blocks by point, digests of pinned tools, descriptions of what is counted, whether any rule reads
    the time, the session's past (`uses_trace`) or its age (`uses_age`), and whether any of it needs a store
    (`stateful`).
    `units` holds compiled units as data; `compile_unit` makes those that are not in it.
    """

    __slots__ = ("_ready", "_strangers", "_wild", "compile_unit", "defaults", "head", "units")

    def __init__(
        self,
        head: Mapping[str, Any],
        units: dict[tuple[str, str | None], Any],
        compile_unit: Callable[[str, str | None], Any],
    ) -> None:
        self.head = head
        self.units = units
        self.compile_unit = compile_unit
        self.defaults = {point: tuple(map(Effect, effects)) for point, effects in head["defaults"]}
        self._ready: dict[str, dict[str | None, Unit]] = {
            point: {} for point in ("call", "result", "input", "output", "usage")
        }
        self._strangers = 0
        self._wild: dict[str, list[Callable[[str], bool]]] | None = None

    @property
    def digest(self) -> str:
        return str(self.head["digest"])

    def ready(self, point: str) -> dict[str | None, Unit]:
        """The units of a point that are loaded; the engine looks here first."""
        return self._ready[point]

    def unit(self, point: str, tool: str | None) -> Unit:
        """The unit of a point and tool, loaded or compiled now."""
        found = self._ready[point].get(tool)
        if found is None:
            found = self._load(point, tool)
        return found

    def _load(self, point: str, tool: str | None) -> Unit:
        ready = self._ready[point]
        data = self.units.get((point, tool))
        if data is None and (tool is None or self._matches(point, tool)):
            data = self.compile_unit(point, tool)
        known = tool is None or tool in self.head["tools"]
        unit = Unit(point, tool, data or NO_RULES)
        if known or self._strangers < MAX_STRANGERS:
            self._strangers += not known
            ready[tool] = unit
        return unit

    def _matches(self, point: str, tool: str) -> bool:
        """Whether any block speaks of a tool: by name, or by a wildcard."""
        if tool in self.head["tools"]:
            return True
        if self._wild is None:
            from guardrails.patterns import compile_wildcard

            self._wild = {
                point: [compile_wildcard(text) for text in texts] for point, texts in self.head["wild"]
            }
        return any(match(tool) for match in self._wild[point])


# --- what generated code may call --------------------------------------------------------------


def noted(
    failed: list[tuple[int, Exception]] | None, owner: int, error: Exception
) -> list[tuple[int, Exception]]:
    """Append what a statement could not evaluate."""
    if failed is None:
        return [(owner, error)]
    failed.append((owner, error))
    return failed


def count_of(values: Any) -> int:
    return sum(1 for _ in values)


def first_present(value: Callable[[], Any], default: Callable[[], Any]) -> Any:
    from guardrails.errors import MissingField

    try:
        return value()
    except MissingField:
        return default()


def amounts(left: Any, right: Any) -> tuple[Any, Any]:
    """Two amounts of one currency, to be compared."""
    from guardrails.errors import WrongType

    if left[1] != right[1]:
        raise WrongType(f"an amount in {left[1]} and one in {right[1]} cannot be compared")
    return left[0], right[0]


def session_fact(kind: str, subject: Any, tool: Any, args: Any, now: int) -> int:
    """What is known of the session that the event is in."""
    from guardrails.errors import Unavailable

    if kind == "elapsed":
        if subject.started is None:
            raise Unavailable("when the session began is not known here")
        return int(now - subject.started)
    if subject.trace is None:
        raise Unavailable("the session's past is not known here; give the session an id and a store")
    return int(subject.trace.failures(tool, args) if kind == "failures" else subject.trace.streak())


def recalled(
    subject: Any, asked: dict[Any, Any] | None, key: int | None, question: Any, now: int, test: Any
) -> Any:
    """What the session's past says; under a key it is asked once in a decision."""
    if asked is None:
        from guardrails.runtime.trace import recall

        return recall(subject, question, now, test)
    if key not in asked:
        asked[key] = recalled(subject, None, None, question, now, test)
    return asked[key]


def in_task(subject: Any, task: str) -> bool:
    """Whether the session was opened for a task."""
    return bool(subject.session.get("task") == task)


def originated(subject: Any, question: tuple[Any, ...], value: Any) -> bool:
    """What the session knows of where a value came from."""
    from guardrails.runtime.provenance import originated

    return originated(subject, question, value)


def context_has(subject: Any, question: tuple[Any, ...], _: Any) -> bool:
    """Whether something with a label came into the session."""
    from guardrails.runtime.provenance import context_has

    return context_has(subject, question)


def detected(subject: Any, spec: tuple[Any, ...], value: Any) -> Any:
    """What a detector says of a value; detectors are only loaded by policies that ask them."""
    from guardrails.runtime.content import detected

    return detected(subject, spec, value)


def conforming(schema: str, value: Any) -> bool:
    from guardrails.runtime.contracts import conforming

    return conforming(schema, value)


def json_of(text: Any) -> Any:
    from guardrails.runtime.contracts import json_of

    return json_of(text)


def host_call(subject: Any, asked: dict[Any, Any], name: str, arguments: tuple[Any, ...]) -> Any:
    """A function of the host, asked once in a decision for the same arguments."""
    return subject.host.call(asked, name, arguments)


_EXPORTS = (
    operations.field, operations.dig, operations.missing, operations.present, operations.present_at,
    operations.absent, operations.load_number, operations.load_int, operations.load_string,
    operations.load_bool, operations.load_list, operations.load_map, operations.load_collection,
    operations.load_enum, operations.as_number, operations.as_int, operations.as_string, operations.as_choice,
    operations.as_bool, operations.member_as,
    operations.as_list, operations.as_map, operations.as_collection, operations.as_value, operations.as_set,
    operations.alike, operations.read_as, operations.read_all, operations.equal, operations.member,
    operations.string_member, operations.contains, operations.elements, operations.item_at,
    operations.constant_at, exact.add, exact.subtract, exact.multiply, exact.divide, exact.remainder,
    exact.negate, functions.read, functions.total, functions.smallest, functions.largest,
    any, all, map, list, int, str, bool, dict, Exception, noted, count_of, first_present, amounts, host_call,
    session_fact, recalled, in_task, originated, context_has, detected, conforming, json_of,
)  # fmt: skip

OPERATIONS: dict[str, Any] = {
    "__builtins__": {},
    "UNSET": object(),
    **{name.replace(".", "_"): function for name, function in functions.FUNCTIONS.items()},
    **{function.__name__: function for function in _EXPORTS},
}
"""The whole world of a compiled policy."""
