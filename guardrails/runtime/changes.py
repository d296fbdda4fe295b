"""Changes: the transforms of a decision, applied to its payload (law L3).

Takes the effects that hold and the event, gives the payload that goes on. Imported only by decisions that
change something.
"""

from __future__ import annotations

from guardrails.errors import WrongType
from guardrails.model import Transform
from guardrails.runtime.failures import failure_of
from guardrails.runtime.transforms import Dropped, drop_fields, keep_fields, keep_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.model import Failure
    from guardrails.runtime.program import Effect, Unit


def listed(effects: list[Effect]) -> tuple[Transform, ...]:
    """What the effects change, as the decision lists it."""
    return tuple(Transform(each.change[0], _pointers(each.change), each.applied.name) for each in effects)


def changed(unit: Unit, effects: list[Effect], event: tuple[Any, ...], failures: list[Failure]) -> Any:
    """The payload after all changes; rows that could not be judged are left out and added to `failures`."""
    value = _with_rows(unit, _of_kind(effects, "only rows"), event, failures)
    for effect in _of_kind(effects, "only fields"):
        value = keep_fields(value, list(effect.change[1]))
        if value is Dropped:
            raise WrongType("`only fields` needs a result with fields")
    dropped = [path for effect in _of_kind(effects, "drop fields") for path in effect.change[1]]
    if dropped:
        value = drop_fields(value, dropped)
    redactions = _of_kind(effects, "redact")
    return _redacted(value, redactions, event[1]) if redactions else value


def _redacted(value: Any, effects: list[Effect], subject: Any) -> Any:
    """The value without what the effects redact; None when nothing of it is left."""
    from guardrails.runtime.redacting import redactor_for

    redactor, timed = redactor_for(tuple([effect.change for effect in effects]), subject), subject.host.timed
    return (redactor.redact(value) if timed is None else timed(redactor.redact, value)).value


def _of_kind(effects: list[Effect], kind: str) -> list[Effect]:
    return [effect for effect in effects if effect.change[0] == kind]


def _with_rows(unit: Unit, effects: list[Effect], event: tuple[Any, ...], failures: list[Failure]) -> Any:
    tests = [_row_test(unit, effect, event, failures) for effect in effects]
    return keep_rows(event[2], tests) if tests else event[2]


def _row_test(unit: Unit, effect: Effect, event: tuple[Any, ...], failures: list[Failure]) -> Any:
    function = unit.rows[effect.change[5]]

    def keeps(row: Any) -> bool:
        try:
            return function(row, *event) is True
        except Exception as error:
            failures.append(failure_of(error, effect.applied.name, effect.applied.place))
            return False

    return keeps


def _pointers(change: tuple[Any, ...]) -> tuple[str, ...]:
    return tuple("/" + "/".join(path) if path else "" for path in change[1])
