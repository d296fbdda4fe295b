"""Where values come from: a checked policy in, sessions out in which a value of a call came in before it.

The idea: what a policy asks of an origin can only turn at who said the value. So the same value is brought in by
everybody who may: by the user, by another agent, by each tool whose results are labelled (at each place that they
are labelled at), and by one that nobody says anything about; by one of them, by two, or by none while they say
something else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any, TypeAlias

from guardrails.language import core
from guardrails.language.checked import Checked, Lowered, Mark
from guardrails.language.checker import Lowering
from guardrails.testing.guessing import beginning_of
from guardrails.testing.knowing import cores_of, forms_of
from guardrails.testing.sampling import at, paths_of, with_value

Event: TypeAlias = dict[str, Any]

LONG = "Settlement with Blackwood Partners 4711"
"""A text that nobody writes by chance: what is short proves nothing of where it came from."""

NEVER_MIND = "Nothing of that kind was ever said."
"""What is said when the value is not."""

SHORTEST = 6
"""Values with fewer characters are replaced by `LONG` as well."""

MOST_PLACES = 6
"""Places of one result that a value is put at, one at a time."""

MOST_TEXTS = 4
"""Texts of one call whose origin is looked into."""

UNHEARD_OF = "another_tool"
"""A tool that no policy speaks of."""


@dataclass(frozen=True, slots=True)
class Bringer:
    """Somebody who may bring a text into a session: who it is, in words, and the event in which it does."""

    name: str
    event: Callable[[str], Event]


def looks_back(form: Lowered) -> bool:
    """Whether a statement asks where something came from, or what happened before."""
    return any(isinstance(node, core.Origin | core.Recall) for node in cores_of(form))


def asks_origin(form: Lowered) -> bool:
    """Whether a statement asks where something came from."""
    return any(isinstance(node, core.Origin) for node in cores_of(form))


def has_text(call: Event) -> bool:
    """Whether there is a text among the arguments, which may come from somewhere."""
    return bool(_asked(call))


def values_of(call: Event) -> list[str]:
    """The texts among the arguments."""
    return [at(call, path) for path in _asked(call)]


def bringers_of(checked: Checked, seen: Iterable[Event] = (), about: Collection[str] = ()) -> list[Bringer]:
    """Who may bring a text in. `seen` are events of tests, whose results look as results do. Of tools whose results
    are labelled alike one will do, but for those that it is `about`."""
    events = [event for event in seen if event["type"] == "result"]
    found = [Bringer("the user", _said), Bringer("another agent", _told)]
    telling, alike = _telling(checked), set[tuple[object, ...]]()
    for tool in telling:
        marks = _marks(checked, tool)
        if tool not in about and marks and marks in alike:
            continue
        alike.add(marks)
        bases = [event for event in events if event.get("tool") == tool] or _made_up(checked, tool)
        found += _placed(tool, bases, [path for mark in marks for path in mark.paths])
    quiet = next((tool for tool in checked.tools if tool not in telling), UNHEARD_OF)
    return [*found, Bringer(quiet, partial(_nested_result, quiet, ("note",)))]


def _said(text: str) -> Event:
    return {"type": "input", "text": f"It is about {text}, please."}


def _told(text: str) -> Event:
    return {**_said(text), "by": "agent"}


def _telling(checked: Checked) -> list[str]:
    """The tools whose results are labelled, or asked about later."""
    lowering = Lowering(checked)
    named = [
        tool
        for rule in checked.rules
        if rule.block.point == "result"
        for tool in lowering.subjects(rule)
        if tool is not None
    ]
    for form in checked.forms.values():
        for node in cores_of(form):
            if isinstance(node, core.Recall) and node.question.point == "result":
                named += [tool for tool in node.question.tools if "*" not in tool]
    return list(dict.fromkeys(named))


def _marks(checked: Checked, tool: str) -> tuple[Mark, ...]:
    """What statements label in the results of a tool."""
    forms = forms_of(checked, "result", tool)
    return tuple(form.meaning for form in forms if isinstance(form.meaning, Mark))


def _made_up(checked: Checked, tool: str) -> list[Event]:
    _, begin = beginning_of(checked, "result", tool, forms_of(checked, "result", tool))
    return begin[:1]


def _placed(tool: str, bases: Sequence[Event], marked: Sequence[tuple[str, ...]]) -> Iterator[Bringer]:
    """The tool with the text at each place of its results, as these look."""
    for base in bases[:MOST_PLACES]:
        places = [path for path in paths_of(base) if path[0] == "result" and isinstance(at(base, path), str)]
        for path in places[:MOST_PLACES]:
            yield Bringer(tool, partial(with_value, bare(base), path))
    for path in marked:
        yield Bringer(tool, partial(_nested_result, tool, path))
    yield Bringer(tool, partial(_nested_result, tool, ()))


def bare(event: Event) -> Event:
    """An event for any session and time."""
    return {name: value for name, value in event.items() if name not in ("session", "time", "call_id")}


def _nested_result(tool: str, path: Sequence[str], text: str) -> Event:
    return {"type": "result", "tool": tool, "result": _nested(path, text)}


def _nested(path: Sequence[str], text: str) -> Any:
    """A value in which the text lies at a path."""
    if not path:
        return text
    inner = _nested(path[1:], text)
    return [inner] if path[0] == "*" else {path[0]: inner}


# --- sessions ----------------------------------------------------------------------------------


def sessions_about(call: Event, bringers: Sequence[Bringer]) -> Iterator[tuple[str, list[Event]]]:
    """Events that end in a call, with who brought its value in, in words: nobody, one, and one who says something
    else."""
    for last, value in _calls(call):
        yield "the model", [last]
        for bringer in bringers:
            yield bringer.name, [bringer.event(value), last]
            yield f"the model, after {bringer.name}", [bringer.event(NEVER_MIND), last]


def sessions_of_two(call: Event, bringers: Sequence[Bringer]) -> Iterator[tuple[str, list[Event]]]:
    """The same, where two bring the value in."""
    for last, value in _calls(call):
        for one, other in combinations(bringers, 2):
            if one.name != other.name:
                yield f"{one.name} and {other.name}", [one.event(value), other.event(value), last]


def _calls(call: Event) -> Iterator[tuple[Event, str]]:
    """The call with each value whose origin may be asked for."""
    for path in _asked(call):
        for value in _values(at(call, path)):
            yield with_value(call, path, value), value


def _asked(call: Event) -> list[tuple[Any, ...]]:
    """The texts among the arguments."""
    found = [path for path in paths_of(call) if path[0] == "args" and isinstance(at(call, path), str)]
    return found[:MOST_TEXTS]


def _values(text: str) -> list[str]:
    return [text] if len(text) >= SHORTEST else [LONG, text]
