"""The parser's tables, for cache folders of tests: to work them out takes a new process longer than all else it does."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from guardrails.cache import prepare_parser


def with_tables(folder: Path) -> str:
    """A cache folder that has the tables and nothing else yet, as `GUARD_CACHE` names it. Programs are compiled anew."""
    name, data = _tables()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (folder / name).exists():
        (folder / name).write_bytes(data)
        (folder / name).chmod(0o600)  # what others could have written is not believed
    return str(folder)


@cache
def _tables() -> tuple[str, bytes]:
    with TemporaryDirectory() as folder, patch.dict(os.environ, {"GUARD_CACHE": folder}):
        prepare_parser()
        (path,) = Path(folder).glob("*.tables")
        return path.name, path.read_bytes()
