"""Groups: who is asked when a policy says `ask finance`.

Takes what the host says of its people, answers who may decide. The idea is to fail closed: of a name that
nobody explained nobody is a member, so a request to it can only run out.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError
from guardrails.parameters import listed, mapping, misfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

WANTED = 'a mapping of groups to people, such as `{"finance": ["ana", "bob"]}`'
NAMES = "a list of names of groups or people"


class Groups:
    """Groups of people by name. A name that is no group is the person of that name, if some group has them.
    Raises `EvaluationError` for what says of no group who is in it."""

    def __init__(self, groups: Mapping[str, Iterable[str]] | None = None) -> None:
        given = mapping("groups", groups, WANTED) or {}
        self.members: dict[str, tuple[str, ...]] = {name: _people(name, given[name]) for name in given}
        self.everybody = frozenset(person for members in self.members.values() for person in members)

    def of(self, names: Iterable[str]) -> frozenset[str]:
        """The people behind these names; without any name, everybody whom the host knows."""
        asked = _names(names)
        if not asked:
            return self.everybody
        return frozenset(person for name in asked for person in self._named(name))

    def unknown(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of the names that nobody is behind."""
        return tuple([name for name in _names(names) if not self._named(name)])

    def lacking(self, names: Iterable[str], quorum: int) -> str:
        """Why there are less than `quorum` people behind these names; empty when there are enough."""
        asked = _names(names)
        unknown, able = self.unknown(asked), self.of(asked)
        told = ", ".join(f"`{name}`" for name in unknown or asked) or "any group"
        if unknown:
            return f"nobody is known in {told}"
        if len(able) >= quorum:
            return ""
        return f"{quorum} are asked, and {told} has {len(able)}" if able else f"nobody is known in {told}"

    def _named(self, name: str) -> tuple[str, ...]:
        if name in self.members:
            return self.members[name]
        return (name,) if name in self.everybody else ()


def _names(given: Any) -> tuple[str, ...]:
    """Names that are asked for: what is none would stand for nobody, and a text for its letters."""
    names = listed("names", given, NAMES)
    if not all(isinstance(each, str) for each in names):
        raise misfit("names", given, NAMES)
    return names


def _people(name: Any, members: Any) -> tuple[str, ...]:
    if not isinstance(name, str) or not name.strip():
        raise EvaluationError("a group of reviewers has a name")
    wanted = f'the group `{name}` is a list of names, such as ["ana", "bob"]'
    try:
        people = listed("groups", members, wanted)
    except EvaluationError:
        raise EvaluationError(wanted) from None
    if not all(isinstance(each, str) and each.strip() for each in people):
        raise EvaluationError(wanted)
    return tuple(dict.fromkeys(people))


def same_person(one: object, other: object) -> bool:
    """Whether two names may be of one person: nobody gets around four eyes by another spelling of theirs."""
    return _plain(one) == _plain(other)


def _plain(name: object) -> str:
    from unicodedata import normalize

    return normalize("NFKC", str(name)).strip().casefold()


def groups_of(given: Any) -> Groups:
    """Groups from a mapping, from the path of a YAML, TOML or JSON file, or from GUARD_REVIEWERS where nothing was
    given. Raises `EvaluationError` for a file that cannot be read or says something else."""
    if isinstance(given, Groups):
        return given
    if given is None:
        from os import environ

        given = environ.get("GUARD_REVIEWERS") or None
    if given is None:
        return Groups()
    if hasattr(given, "items"):
        return Groups(given)
    if not hasattr(given, "__fspath__") and not isinstance(given, str):
        message = 'reviewers are groups, such as {"finance": ["ana", "bob"]}, or the path of a file of them'
        raise EvaluationError(f"{message}, and not `{type(given).__name__}`")
    from guardrails.approvals.groups_file import read_groups

    return read_groups(str(given))
