"""What an adapter needs: the message where its framework is not there, or too old.

Takes the name of an extra; the versions are those of this distribution's own metadata, so they are written in one place.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, requires, version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def missing(extra: str) -> str:
    """Which packages an extra needs, which of them are there, and how to get them."""
    needed = list(_needed(extra))
    if not needed:  # Guard itself was put there by hand, and has no metadata
        return f"the adapter needs its framework: pip install 'guard-policy[{extra}]'"
    there = ", ".join(f"{name} is {_installed(name)}" for name in (each.partition(">")[0] for each in needed))
    return f"the adapter needs {' and '.join(needed)} ({there}): pip install 'guard-policy[{extra}]'"


def _needed(extra: str) -> Iterator[str]:
    try:
        lines = requires("guard-policy") or []
    except PackageNotFoundError:
        lines = []
    for line in lines:
        requirement, _, marker = line.partition(";")
        if marker.strip().replace("'", '"') == f'extra == "{extra}"':
            yield requirement.strip()


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
