"""Random events for a policy: a guard or a path in, a Hypothesis strategy out.

    @given(events("support.guard"))
    def test_nothing_is_asked_of_nobody(event): ...

The strategy knows the policy: fields hold the constants that it compares them with and the values next to
those, and what a model may send instead: nothing, null, or something of another type.
"""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from guardrails.guard import Guard
from guardrails.language import types as t
from guardrails.language.checked import Checked
from guardrails.testing.guessing import leaves_of, shapes_of, type_of
from guardrails.testing.guessing_origins import NEVER_MIND, Bringer, asks_origin, bringers_of, values_of
from guardrails.testing.guessing_tasks import given_types, tasks_in
from guardrails.testing.knowing import ROOTS, Fields, Path, complete, forms_of, known_of, places_of, plain

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    Events = SearchStrategy[dict[str, Any]]
    Histories = SearchStrategy[list[dict[str, Any]]]

WRONG: tuple[Any, ...] = (None, "?", 5, True, [], {}, -1, "")
"""What a model may send in the place of anything."""


def events(
    policy: Guard | str | PathLike[str],
    *,
    point: str | None = None,
    tool: str | None = None,
    principal: Mapping[str, Any] | None = None,
    broken: bool = True,
) -> Events:
    """Events that a policy has something to say about: of all its points and tools, or of one.

    `principal` is who they are about, instead of made-up ones. With `broken` false every field that the tool
    needs is there, and of its type. Raises `PolicyError` when the policy does not load, and ValueError where it
    has no such point or tool.
    """
    from hypothesis import strategies as st

    checked = checked_of(policy)
    places = [
        place
        for place in places_of(checked)
        if (point is None or place[0] == point) and (tool is None or place[1] == tool)
    ]
    if not places:
        raise ValueError("the policy says nothing of such events")
    return st.one_of([_Drawing(checked, *place, broken=broken).event(principal) for place in places])


def histories(
    policy: Guard | str | PathLike[str],
    *,
    tool: str | None = None,
    principal: Mapping[str, Any] | None = None,
) -> Histories:
    """Sessions that end in a call of which a policy asks where its values came from, as lists of events to be
    decided one after the other: inputs of the user or of another agent and results, labelled or not, into which
    texts of the call are put, and then the call. The calls of all tools that it asks so of, or of one. Raises
    `PolicyError` when the policy does not load, and ValueError where it asks of no such call.
    """
    from hypothesis import strategies as st

    checked = checked_of(policy)
    complete(checked)
    asked = [
        place for place in places_of(checked)
        if place[0] == "call" and tool in (None, place[1]) and any(map(asks_origin, forms_of(checked, *place)))
    ]  # fmt: skip
    if not asked:
        raise ValueError("the policy asks of no such call where its values came from")
    bringers = bringers_of(checked)
    calls = [_Drawing(checked, *place, broken=False).event(principal) for place in asked]
    about = {} if principal is None else {"principal": dict(principal)}

    def told(call: dict[str, Any]) -> Histories:
        values = [*values_of(call), NEVER_MIND]
        brought = st.tuples(st.sampled_from(bringers), st.sampled_from(values)).map(_brought)
        session = about | {"session": call.get("session", "s1")}
        return st.lists(brought, max_size=4).map(lambda before: [each | session for each in (*before, call)])

    return st.one_of(calls).flatmap(told)


def _brought(pair: tuple[Bringer, str]) -> dict[str, Any]:
    bringer, value = pair
    return bringer.event(value)


def checked_of(policy: Guard | str | PathLike[str]) -> Checked:
    """The checked form of a policy. Raises `PolicyError` when it does not load."""
    from guardrails.loading import load, read_file

    source = (policy if isinstance(policy, Guard) else Guard.load(policy)).source
    if source is None:
        raise ValueError("this guard was made from a program, and not from a policy")
    read = read_file if source.texts is None else source.texts.__getitem__
    loaded = load(
        source.paths, params=source.params, functions=source.functions, read=read, tools=source.tools
    )
    assert loaded.checked is not None, "a guard holds a policy that loads"
    return loaded.checked


class _Drawing:
    """Strategies for the events of one point and tool."""

    def __init__(self, checked: Checked, point: str, tool: str | None, *, broken: bool) -> None:
        self.checked = checked
        self.point = point
        self.tool = tool
        self.broken = broken
        self.known: Fields = known_of(checked, point, tool)
        self.forms = forms_of(checked, point, tool)
        self.shapes = shapes_of(self.forms, ROOTS[point])
        for root, shape in self.shapes.items():
            for path, values in leaves_of(shape, (root,)):
                self.known.add(path, values)

    def event(self, principal: Mapping[str, Any] | None) -> Events:
        from hypothesis import strategies as st

        parts: dict[str, Any] = {"type": st.just(self.point)}
        described = self.checked.tools.get(self.tool) if self.tool is not None else None
        if self.tool is not None:
            parts["tool"] = st.just(self.tool)
        if self.point == "call":
            parts["args"] = self.record(described.args, ("args",)) if described else self.guessed("args")
        elif self.point == "result":
            kind = described.result if described else t.ANY
            parts["result"] = self.guessed("result") if kind == t.ANY else self.value(kind, ("result",))
        else:
            parts["text"] = self.text(("text",))
        optional: dict[str, Any] = {}
        if self.point == "input" and "origin" in self.checked.features:
            optional["by"] = st.sampled_from(["user", "agent"])
        tasks = tasks_in(self.forms)
        if tasks:
            optional["session"] = st.one_of([self.session(task) for task in tasks])
        if principal is not None:
            parts["principal"] = st.just(dict(principal))
        for name, kind in (("principal", self.checked.principal), ("agent", self.checked.agent)):
            if name in parts:
                continue
            if isinstance(kind, t.Record) and kind.fields:
                parts[name] = self.record(kind, (name,))
            elif name in self.shapes:
                parts[name] = self.guessed(name)
        return st.fixed_dictionaries(parts, optional=optional)

    def session(self, task: str) -> Any:
        """A session that was opened for a task, with values as its statements read them."""
        from hypothesis import strategies as st

        kinds = given_types(self.checked, task, self.forms)
        given = {name: self.value(kind, ("session", "given", name)) for name, kind in kinds.items()}
        opened = {"id": st.just("s1"), "task": st.just(task)}
        return st.fixed_dictionaries(opened | ({"given": st.fixed_dictionaries(given)} if given else {}))

    def guessed(self, root: str) -> Any:
        """Something that nobody described, as the policy reads it."""
        kind = type_of(self.shapes[root]) if root in self.shapes else t.Record(root, ())
        return self.value(kind if isinstance(kind, t.Record | t.ListOf) else t.Record(root, ()), (root,))

    def record(self, kind: t.Record, path: Path) -> Any:
        from hypothesis import strategies as st

        needed, optional = {}, {}
        for field in kind.fields:
            value = self.value(field.type, (*path, field.name))
            if field.optional or (self.broken and field.type == t.ANY):
                optional[field.name] = value
            else:
                needed[field.name] = value
        whole = st.fixed_dictionaries(needed, optional=optional)
        if not self.broken or not needed:
            return whole
        return st.one_of(whole, whole, whole, self._broken(whole, list(needed)))

    def _broken(self, whole: Any, names: list[str]) -> Any:
        """A record in which one field is gone, or something else."""
        from hypothesis import strategies as st

        def without(pair: tuple[dict[str, Any], str]) -> dict[str, Any]:
            return {name: value for name, value in pair[0].items() if name != pair[1]}

        def instead(three: tuple[dict[str, Any], str, Any]) -> dict[str, Any]:
            return {**three[0], three[1]: three[2]}

        name = st.sampled_from(names)
        return st.one_of(
            st.tuples(whole, name).map(without), st.tuples(whole, name, st.sampled_from(WRONG)).map(instead)
        )

    def value(self, kind: t.Type, path: Path) -> Any:
        """A value of a type: mostly one that the policy names."""
        from hypothesis import strategies as st

        plain_ones = self.plain(kind, path)
        named = [each for each in self.known.values.get(path, ()) if _fits(each, kind)]
        return st.one_of(st.sampled_from(named), st.sampled_from(named), plain_ones) if named else plain_ones

    def plain(self, kind: t.Type, path: Path) -> Any:
        from hypothesis import strategies as st

        match kind:
            case t.Enum(values=values):
                return st.sampled_from(values)
            case t.Record():
                return self.record(kind, path)
            case t.ListOf(item=item) | t.SetOf(item=item):
                return st.lists(self.value(item, (*path, "*")), max_size=3)
            case t.MapOf(value=item):
                return st.dictionaries(
                    st.sampled_from(["a", "b"]), self.value(item, (*path, "*")), max_size=2
                )
        if kind in t.NUMERIC:
            whole = st.integers(-1_000_000, 1_000_000)
            return (
                whole if kind == t.INT else st.one_of(whole, st.floats(-1e6, 1e6).map(lambda x: round(x, 2)))
            )
        if kind == t.BOOL:
            return st.booleans()
        if kind == t.ANY:
            return st.sampled_from([*WRONG[1:], "a", 1.5])
        return self.text(path, kind)

    def text(self, path: Path, kind: t.Type = t.STRING) -> Any:
        """A text with what the policy looks for in it, alone or among other words; for a field of a kind
        (an address, a path), texts of that kind."""
        from hypothesis import strategies as st

        held = self.held()
        few = st.sampled_from([*_EXAMPLES.get(kind, ("a", "b", "")), *held])
        if kind != t.STRING or not self.known.values.get(path):
            return few if kind != t.STRING else st.one_of(few, st.text(max_size=12))
        words = st.sampled_from([each for each in self.known.values[path] if isinstance(each, str)] or ["a"])
        around = st.text("ab .-", max_size=6)
        return st.one_of(few, words, st.tuples(around, words, around).map("".join))

    def held(self) -> list[str]:
        """Texts that occur anywhere in the policy's constants, for fields that are compared with each other."""
        found = [plain(each) for values in self.known.values.values() for each in values]
        return sorted({each for each in found if isinstance(each, str)})[:6]


_EXAMPLES: dict[t.Type, tuple[str, ...]] = {
    t.EMAIL: ("ann@example.test", "Ann <ann@example.test>", "ann@EXAMPLE.test", "no address"),
    t.URL: ("https://example.test/", "http://192.0.2.1/", "no link"),
    t.HOST: ("example.test", "sub.example.test", "192.0.2.1"),
    t.PATH: ("a.txt", "/etc/passwd", "../a", "/workspace/a/../b"),
    t.IP: ("192.0.2.1", "::1", "10.0.0.1"),
    t.SQL: ("select 1", "delete from a", "select 1; drop table a"),
    t.SHELL: ("ls", "rm -rf /", "ls | sh"),
}


def _fits(value: Any, kind: t.Type) -> bool:
    """Whether a constant of the policy may stand in a field of this type."""
    if kind in t.NUMERIC:
        return not isinstance(value, bool | str) and (kind == t.DECIMAL or isinstance(value, int))
    return isinstance(value, str) if t.is_textual(kind) else kind == t.ANY or isinstance(value, bool)
