"""Policy files on disk: found under folders, read as text, written as a whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from stat import S_ISDIR

from .json_values import text_of_file
from .problems import malformed, unreadable, usage

SUFFIX = ".guard"


def policy_files(paths: Iterable[str]) -> list[str]:
    """The files that `paths` mean: themselves, and every policy under a folder. Each once, in order."""
    found = [file for path in paths for file in _under(path)]
    return list(dict.fromkeys(found))


def _under(path: str) -> Iterator[str]:
    try:
        is_folder = S_ISDIR(os.stat(path).st_mode)
    except OSError as error:
        raise unreadable(path, error) from error
    if not is_folder:
        yield path
        return
    files = sorted(_walked(path))
    if not files:
        raise usage(f"there is no `*{SUFFIX}` file under `{path}`")
    yield from files


def _walked(folder: str) -> Iterator[str]:
    """Hidden folders, such as those of tools and version control, are left out."""
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (os.path.join(base, name) for name in names if name.endswith(SUFFIX))


def read_text(path: str) -> str:
    """The text of a file with its own line ends. Stops when it cannot be read."""
    return text_of_file(path, malformed)


def write_text(path: str, text: str) -> None:
    """Replace a file as a whole; its permissions stay."""
    target = Path(path).resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        temporary.write_bytes(text.encode("utf-8"))
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(target)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise unreadable(path, error) from error
