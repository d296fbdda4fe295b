"""What goes between a host and a hook: fields that have to be there, and the reply of the process.

Takes the JSON object of a host, gives its fields or a `HookError` that names the missing one; a `Reply` is
what the process then writes and how it ends.
"""

from __future__ import annotations

from guardrails.errors import GuardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class HookError(GuardError):
    """A host said something that is not understood; it is answered by what blocks."""


class Reply:
    """Standard output, standard error and exit code of a hook."""

    __slots__ = ("code", "err", "out")

    def __init__(self, out: str = "", err: str = "", code: int = 0) -> None:
        self.out = out
        self.err = err
        self.code = code


NOTHING = Reply()


def told(value: Any) -> Reply:
    """A reply in JSON."""
    from guardrails.strict_json import write_json

    return Reply(out=write_json(value) + "\n")


def refused(reason: str) -> Reply:
    """The reply that most hosts take as a refusal: code 2, and a reason, which is never empty."""
    return Reply(err=(reason.strip() or "Blocked by policy.") + "\n", code=2)


def folder_of(event: Mapping[str, Any], root: str) -> str:
    """The folder in which a call happens, as a full path. Raises `HookError`."""
    from os.path import join

    return join(root, optional_text(event, "cwd") or "")


def text_field(event: Mapping[str, Any], *names: str) -> str:
    """A text under one of these names. Raises `HookError`."""
    for name in names:
        value = event.get(name)
        if value.__class__ is str and value:
            return str(value)
    raise HookError(f"the host's event has no `{names[0]}`, or it is no text")


def optional_text(event: Mapping[str, Any], *names: str) -> str | None:
    """A text under one of these names; None where there is none. Raises `HookError` for another value."""
    found = next((event[name] for name in names if event.get(name) is not None), None)
    if found is not None and found.__class__ is not str:
        raise HookError(f"`{names[0]}` of the host's event is no text")
    return found or None


def some_text(event: Mapping[str, Any], *names: str) -> str:
    """A text that may be empty, but has to be there. Raises `HookError`."""
    for name in names:
        if event.get(name).__class__ is str:
            return str(event[name])
    raise HookError(f"the host's event has no `{names[0]}`, or it is no text")


def object_field(event: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """An object under one of these names, which may be written as JSON text. Raises `HookError`."""
    for name in names:
        value = event.get(name)
        if value.__class__ is str:
            from guardrails.strict_json import read_json

            value = read_json(value)
        if value.__class__ is dict:
            return dict(value)
    raise HookError(f"the host's event has no `{names[0]}`, or it is no object")
