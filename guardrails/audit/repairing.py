"""Repairing: a log in files whose end a crash left damaged can be written to again.

What a torn last line needs happens by itself at the next record. Here is the rest: whole records at the end that
do not follow, as a machine leaves them that lost its power. They are moved aside, never thrown away, and a
record says how many bytes that were. Damage before the last segment is not repaired: that is for people.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from guardrails.audit.errors import AuditError
from guardrails.audit.linking import own_record
from guardrails.audit.segments import segments_of

if TYPE_CHECKING:
    from guardrails.audit.damage import Damage
    from guardrails.audit.files import FileHome


def cut_off(home: FileHome, damage: Damage) -> Path:
    """Move everything from the damaged record on out of the last segment; gives the file that holds it. Raises
    `AuditError` when the damage is somewhere else."""
    folder = home.folder
    names = segments_of(folder)
    if not names or damage.part != names[-1]:
        raise AuditError(f"the damage is in `{damage.part}`, and only the end of a log can be cut off")
    path = folder / names[-1]
    offset = _offset_of(path, damage.seq - int(names[-1].partition(".")[0]))
    with open(path, "rb") as file:
        file.seek(offset)
        rest = file.read()
    aside = _set_aside(folder, names[-1], rest)
    os.truncate(path, offset)
    (folder / "head").unlink(missing_ok=True)
    facts = {
        "segment": names[-1], "bytes": len(rest), "sha256": sha256(rest).hexdigest(), "after": damage.seq,
        "kept": aside.name,
    }  # fmt: skip
    home.append([own_record("repaired", facts)])
    return aside


def _offset_of(path: Path, lines: int) -> int:
    with open(path, "rb") as file:
        return sum(len(file.readline()) for _ in range(lines))


def _set_aside(folder: Path, name: str, data: bytes) -> Path:
    for number in range(1000):
        aside = folder / f"{name}.cut-{number}"
        try:
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(handle)
        return aside
    raise AuditError(f"`{folder}` holds a thousand pieces that were cut off: move them away first")
