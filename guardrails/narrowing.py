"""Narrowing: a session for one task, which may do less than the policy allows, and never more.

Takes what a session is opened with, gives the record that the rules of its task see, and the refusal of calls
that were not asked for. A task that the policy does not know is an error: a misspelt one would narrow nothing.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.model import Applied, Decision, Denial, Outcome, Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from guardrails.runtime.program import Program

NOWHERE = Place("<engine>", 0, 0, 0, 0)
ANYTHING = object()


def narrowed(program: Program, task: Any, given: Any, allow: Any) -> tuple[dict[str, Any], Narrowing | None]:
    """What a session's record says of its task, and the calls it is left with: none, where the policy was
    replaced by one that does not have the task any more. Raises `EvaluationError` for an `allow` that is none."""
    left = None if allow is None else Narrowing(allow, program.digest)
    try:
        return task_record(program, task, given), left
    except EvaluationError:
        return {"task": task, "given": given}, Narrowing((), program.digest)


def task_record(program: Program, task: Any, given: Any) -> dict[str, Any]:
    """What the rules see of a session's task. Raises `EvaluationError` for a task that the policy does not
    have, and for values that it does not take or lacks."""
    if given is not None and not hasattr(type(given), "keys"):
        from guardrails.parameters import misfit

        raise misfit("given", given, 'a mapping with the values of the task, such as `{"customer": "c1"}`')
    if task is None:
        if given:
            raise EvaluationError("`given` holds the values of a task: name the task as well")
        return {}
    known = program.head["tasks"]
    if task.__class__ is not str or task not in known:
        raise EvaluationError(f"the policy has no task {_named(task, known)}")
    values = dict(given or {})
    for name in known[task]:
        if name not in values:
            raise EvaluationError(f"the task `{task}` needs a value for `{name}`")
    for name in values:
        if name not in known[task]:
            raise EvaluationError(f"the task `{task}` takes no {_named(name, known[task])}")
    return {"task": task, "given": values}


def _named(name: Any, known: Iterable[str]) -> str:
    """A name that is not known, and the one that may be meant."""
    if name.__class__ is not str:
        return "without a name"
    from difflib import get_close_matches

    close = get_close_matches(name, list(known), n=1)
    return f"`{name[:80]}`" + (f"; did you mean `{close[0]}`?" if close else "")


class Narrowing:
    """The calls that a session is left with: tools by name or pattern, and of some tools the values that their
    arguments may have. Raises `EvaluationError` for what names nothing."""

    __slots__ = ("_digest", "_tests", "allow")

    def __init__(self, allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None], digest: str) -> None:
        from guardrails.patterns import compile_wildcard

        self._digest = digest
        self.allow = allow_list(allow)
        self._tests = [
            (compile_wildcard(tool), _values_of(tool, values)) for tool, values in self.allow.items()
        ]

    def refusal(self, tool: Any, args: Any = ANYTHING) -> Decision | None:
        """The denial of a call that the session was not opened for; None where it was. Without `args` only the
        tool is asked about."""
        fitting = [values for test, values in self._tests if tool.__class__ is str and test(tool)]
        if not fitting:
            named = ", ".join(f"`{name}`" for name in self.allow) or "no tool"
            return self._denied("never", f"this session was opened for {named}, not for `{tool}`")
        wrong = [None if args is ANYTHING else _first_wrong(values, args) for values in fitting]
        if None in wrong:
            return None
        name = next(name for name in wrong if name is not None)
        message = f"this session was opened for other values of `args.{name}` than this one"
        return self._denied("change_arguments", message)

    def _denied(self, kind: str, message: str) -> Decision:
        applied = Applied(
            "allow", Outcome.DENY, policy="guard", label="narrowed", message=message, place=NOWHERE
        )
        denial = Denial(kind, f"the call is denied: {message}. Do not repeat it.")
        return Decision(Outcome.DENY, self._digest, (applied,), denial=lambda _: denial)


def allow_list(
    allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None],
) -> dict[str, Mapping[str, Any] | None]:
    """Tools, with the values that their arguments may have (None: any)."""
    from guardrails.parameters import is_mapping, listed

    given: Any = allow
    found: dict[Any, Any]
    if is_mapping(given):
        found = {tool: given[tool] for tool in given}
    else:
        tools = listed("allow", given, 'a list of tools, such as `["search"]`')
        found = dict.fromkeys(map(_named_tool, tools))
    for tool, values in found.items():
        _named_tool(tool)
        if values is not None and not is_mapping(values):
            raise EvaluationError(f"`allow` says of `{tool}` which values its arguments may have, by name")
    return found


def _named_tool(tool: Any) -> str:
    if tool.__class__ is not str or not tool:
        raise EvaluationError('`allow` names tools or patterns, such as `["search", "docs.*"]`')
    return str(tool)


def _values_of(tool: str, values: Mapping[str, Any] | None) -> dict[str, frozenset[str]]:
    """The values of each argument, as texts that are the same for equal values."""
    from guardrails.runtime.notes import canonical

    found = {}
    for name, listed in dict(values or {}).items():
        if not isinstance(name, str):
            raise EvaluationError(f"`allow` names the arguments of `{tool}` by texts")
        wanted = f"the values that `{tool}` may have for `{name}` are a list"
        if listed.__class__ not in (list, tuple, set, frozenset):
            raise EvaluationError(wanted)
        if not all(map(_is_data, listed)):
            raise EvaluationError(f"{wanted} of texts, numbers and other values that JSON has")
        found[name] = frozenset(map(canonical, listed))
    return found


def _is_data(value: Any) -> bool:
    """Whether a value can be told from others: all of a class that JSON does not have are written in the same way."""
    kind = value.__class__
    if kind is dict:
        return all(map(_is_data, value.values()))
    if kind in (list, tuple):
        return all(map(_is_data, value))
    return value is None or kind in (str, bool, int, float) or kind.__name__ == "Decimal"


def _first_wrong(values: Mapping[str, frozenset[str]], args: Any) -> str | None:
    """The first argument that has another value; an argument that is not there is another value as well."""
    from guardrails.runtime.notes import canonical

    for name, allowed in values.items():
        given = args.get(name) if args.__class__ is dict else None
        if given is None or canonical(given) not in allowed:
            return name
    return None
