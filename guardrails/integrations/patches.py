"""Patches as the calls that they mean: one for every file that is written, changed, moved or deleted.

Takes the text of a patch between `*** Begin Patch` and `*** End Patch`. The one idea: every line has to be
understood; what is not is an error, and the call is then judged as an unknown one.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

BEGIN, END = "*** Begin Patch", "*** End Patch"
HEADS = {
    "*** Add File: ": "write_file", "*** Update File: ": "edit_file", "*** Delete File: ": "delete_file",
    "*** Move to: ": "write_file",
}  # fmt: skip


class PatchError(Exception):
    """A patch that cannot be read for certain."""


def patched(text: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    """`(tool, arguments)` of every file of a patch. Raises `PatchError`."""
    lines = text.strip().split("\n")
    if lines[0].strip() != BEGIN or lines[-1].strip() != END:
        raise PatchError("a patch begins and ends with its markers")
    found = [_call(*section) for section in _sections(lines[1:-1])]
    if not found:
        raise PatchError("the patch changes nothing")
    return tuple(found)


def _sections(lines: list[str]) -> Iterator[tuple[str, str, list[str]]]:
    """`(tool, path, body)` of each head; a move is a section of its own, with the body of the change."""
    opened: tuple[str, str, list[str]] | None = None
    for line in lines:
        head = next((head for head in HEADS if line.startswith(head)), None)
        if head is None and opened is None:
            raise PatchError("a line stands before the first file")
        if head is None:
            assert opened is not None
            opened[2].append(line)
            continue
        if opened is not None:
            yield opened
        path = line[len(head) :].strip()
        if not path:
            raise PatchError("a file has no name")
        opened = (HEADS[head], path, [])
    if opened is not None:
        yield opened


def _call(tool: str, path: str, body: list[str]) -> tuple[str, dict[str, Any]]:
    for line in body:
        if line and line[0] not in "+- @" and line.strip() != "*** End of File":
            raise PatchError("a line is no part of a patch")
    added = "\n".join(line[1:] for line in body if line.startswith("+"))
    if tool == "delete_file":
        return tool, {"path": path}
    if tool == "write_file":
        return tool, {"path": path, "content": added}
    return tool, {
        "path": path, "old": "\n".join(line[1:] for line in body if line.startswith("-")), "new": added,
    }  # fmt: skip
