"""Segments of a log in files: which there are, and what their first lines say."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from guardrails.audit.chain import FIRST, Head, chain_of, seq_of
from guardrails.audit.errors import AuditError

_NAME = re.compile(r"[0-9]{20}\.jsonl")


def segments_of(folder: Path) -> list[str]:
    """The names of the segments, oldest first; empty segments, which a crash leaves, are none."""
    try:
        names = sorted(name for name in os.listdir(folder) if _NAME.fullmatch(name))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditError(f"`{folder}` cannot be read: {(error.strerror or str(error)).lower()}") from error
    return [name for name in names if os.path.getsize(folder / name)]


def made_private(folder: Path) -> None:
    """Make the folder for its owner alone, unless it is there. Raises `AuditError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise AuditError(
            f"the audit log `{folder}` cannot be made: {(error.strerror or str(error)).lower()}"
        ) from error


def log_id(folder: Path) -> str:
    """The id of the log in a folder; a new one where there is none yet, which `id` in it holds."""
    names = segments_of(folder)
    if names:
        with open(folder / names[0], "rb") as file:
            facts = facts_of(file.readline())
        if isinstance(facts.get("log"), str):
            return str(facts["log"])
    path = folder / "id"
    try:
        with open(path, "x") as file_of_id:
            file_of_id.write(os.urandom(16).hex())
    except FileExistsError:
        pass
    except OSError as error:
        raise AuditError(f"`{path}` cannot be written: {(error.strerror or str(error)).lower()}") from error
    for _ in range(100):
        if found := path.read_text():
            return found
    raise AuditError(f"`{path}` is empty: remove it, and the log gets a new name")


def first_head(folder: Path, names: Sequence[str], at: int) -> Head:
    """The head before the first record of segment `at`, as its checkpoint says."""
    if at == 0:
        return Head()
    with open(folder / names[at], "rb") as file:
        line = file.readline()
    facts = facts_of(line)
    try:
        peaks = [bytes.fromhex(peak) for peak in facts["peaks"]]
        return Head(seq_of(line), _last_chain(folder / names[at - 1]), peaks)
    except (KeyError, TypeError, ValueError) as error:
        raise AuditError(f"`{folder / names[at]}` does not begin with a checkpoint") from error


def _last_chain(path: Path) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 78))
        return chain_of(b" " + file.read().rstrip(b"\n")) or FIRST


def facts_of(line: bytes) -> dict[str, Any]:
    """What a record of the log about itself says; empty for anything else."""
    from orjson import JSONDecodeError, loads

    try:
        facts = loads(line)["facts"]
    except (JSONDecodeError, KeyError, TypeError):
        return {}
    return facts if isinstance(facts, dict) else {}
