"""Files of settings that belong to somebody else: read as they are, changed whole or not at all.

Takes a path, gives its JSON object; writes a new one beside it and puts it in place, after a copy of the old one
was kept under `NAME.before-guard`.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any

from guardrails.errors import GuardError
from guardrails.integrations.installing import InstallError
from guardrails.strict_json import read_json

COPY = ".before-guard"


def read_settings(path: str) -> dict[str, Any]:
    """The object in a file; empty where there is no file. Raises `InstallError` for anything else."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            text = file.read()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InstallError(f"`{path}` cannot be read: {error}") from error
    if not text.strip():
        return {}
    try:
        found = read_json(text)
    except GuardError as error:
        raise InstallError(f"`{path}` is not plain JSON ({error}), so it is left alone") from error
    if not isinstance(found, dict):
        raise InstallError(f"`{path}` holds no JSON object, so it is left alone")
    return found


def text_of(settings: dict[str, Any]) -> str:
    """Settings as people read them."""
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def write_settings(path: str, settings: dict[str, Any]) -> str | None:
    """Put settings in place; gives the path of the copy of what was there, if that is new. Empty settings
    of a file that guard made take the file away. Raises `InstallError`."""
    real = os.path.realpath(path)
    try:
        copy = _kept(real)
        if not settings and not os.path.exists(real + COPY):
            if os.path.exists(real):
                os.unlink(real)
            return None
        os.makedirs(os.path.dirname(real), exist_ok=True)
        _replace(real, text_of(settings))
    except OSError as error:
        raise InstallError(f"`{path}` cannot be written: {error}") from error
    return copy


def _kept(path: str) -> str | None:
    """A copy of a file, unless there is one or guard wrote the file itself."""
    if not os.path.exists(path) or os.path.exists(path + COPY) or " hook " in _text(path):
        return None
    shutil.copy2(path, path + COPY)
    return path + COPY


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def _replace(path: str, text: str) -> None:
    handle, fresh = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".guard-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(fresh, os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o644)
        os.replace(fresh, path)
    except OSError:
        if os.path.exists(fresh):
            os.unlink(fresh)
        raise
