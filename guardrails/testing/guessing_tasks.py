"""Sessions that a task is on in: the statements of a policy in, sessions as data out.

The idea: what a task was opened with is compared with what is asked for, so the values that matter are those of the
event itself, and those next to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from guardrails.language import core
from guardrails.language import types as t
from guardrails.language.checked import Checked, Lowered
from guardrails.testing.cases import SESSION
from guardrails.testing.guessing_values import others_of, plain_of
from guardrails.testing.knowing import Fields, Path, cores_of, numbers_near
from guardrails.testing.sampling import value_at

Session: TypeAlias = dict[str, Any]


def tasks_in(forms: Iterable[Lowered]) -> list[str]:
    """The tasks that these statements belong to."""
    return list(dict.fromkeys(form.rule.task.name for form in forms if form.rule.task is not None))


def task_of(event: dict[str, Any]) -> str | None:
    """The task that the session of an event was opened for."""
    session = event.get("session")
    return session.get("task") if isinstance(session, dict) else None


def sessions_for(
    checked: Checked, task: str, forms: Iterable[Lowered], event: dict[str, Any]
) -> Iterator[Session]:
    """Sessions that were opened for a task: one with the values of the event, and some that differ from it in one."""
    names = checked.tasks[task]
    found = _Given([*forms, *_forms_of(checked, task)])
    values = {name: found.values_of(name, event) for name in names}
    first = {name: several[0] for name, several in values.items()}
    yield _session(task, first)
    for name, several in values.items():
        for other in several[1:]:
            yield _session(task, {**first, name: other})


def known_beside(
    checked: Checked, task: str, forms: Iterable[Lowered], session: Session, known: Fields
) -> Fields:
    """What is worth trying in a session of a task: also what it was opened with, and the numbers next to that."""
    found = _Given([*forms, *_forms_of(checked, task)])
    more = Fields({path: list(values) for path, values in known.values.items()})
    for name, value in session.get("given", {}).items():
        for path in found.places.get(name, ()):
            more.add(path, _near(value, found.types.get(name, t.STRING)))
    return more


def given_types(checked: Checked, task: str, forms: Iterable[Lowered]) -> dict[str, t.Type]:
    """What a task takes, as far as its statements say of which type it is; what none reads is a text."""
    found = _Given([*forms, *_forms_of(checked, task)])
    return {name: found.types.get(name, t.STRING) for name in checked.tasks[task]}


def _forms_of(checked: Checked, task: str) -> list[Lowered]:
    """What is known of the statements of a task, for whatever tool: all of them read the same parameters."""
    rules = {rule.index for rule in checked.rules if rule.task is not None and rule.task.name == task}
    return [form for (index, _), form in checked.forms.items() if index in rules]


def _session(task: str, given: dict[str, Any]) -> Session:
    return {"id": SESSION, "task": task, "given": given} if given else {"id": SESSION, "task": task}


class _Given:
    """What the parameters of tasks are, as far as statements read them: their types, and the places of events that
    they are compared with."""

    def __init__(self, forms: Iterable[Lowered]) -> None:
        self.types: dict[str, t.Type] = {}
        self.places: dict[str, list[Path]] = {}
        for form in forms:
            for node in cores_of(form):
                self.see(node)

    def see(self, node: core.Core) -> None:
        if isinstance(node, core.Load) and _is_given(node):
            self.types.setdefault(node.path[1], node.type)
        if isinstance(node, core.Compare | core.Test):
            loads = [each for each in core.walk(node) if isinstance(each, core.Load)]
            places = [(each.root, *each.path) for each in loads if each.root != "session"]
            for load in filter(_is_given, loads):
                self.places.setdefault(load.path[1], []).extend(places)

    def values_of(self, name: str, event: dict[str, Any]) -> list[Any]:
        """What a parameter may be: first what the event holds where it is compared, never nothing."""
        kind = self.types.get(name, t.STRING)
        held = [value_at(event, path) for path in self.places.get(name, ())]
        near = [other for value in held for other in _near(value, kind)]
        plain = plain_of(kind)
        found = [*near, [plain] if isinstance(kind, t.ListOf | t.SetOf) else plain, *others_of(kind)]
        return [value for index, value in enumerate(found) if repr(value) not in map(repr, found[:index])]


def _is_given(node: core.Load) -> bool:
    return node.root == "session" and len(node.path) > 1 and node.path[0] == "given"


def _near(value: Any, kind: t.Type) -> Sequence[Any]:
    """A value, and its neighbours where it is a number."""
    if value is None or isinstance(value, dict):
        return ()
    if isinstance(kind, t.ListOf | t.SetOf):
        return (value if isinstance(value, list) else [value],)
    if isinstance(value, bool | str | list):
        return (value,)
    from decimal import Decimal

    return numbers_near(value if isinstance(value, int) else Decimal(repr(value)), kind)
