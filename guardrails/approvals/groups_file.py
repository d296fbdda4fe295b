"""Groups of reviewers from a file.

    finance: [ana, bob]
    security: [eve]

YAML (`.yaml`, `.yml`), TOML (`.toml`) or JSON (`.json`); at the top are groups, each a list of names.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from guardrails.approvals.groups import Groups
from guardrails.errors import EvaluationError


def read_groups(path: str) -> Groups:
    """The groups in a file. Raises `EvaluationError`: without them nobody knows who may decide."""
    reader = _READERS.get(Path(path).suffix.lower())
    if reader is None:
        raise EvaluationError(f"`{path}` is no file of reviewers: use .yaml, .toml or .json")
    try:
        found = reader(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise EvaluationError(f"the reviewers in `{path}` cannot be read: {reason}") from None
    except ValueError as error:
        raise EvaluationError(f"the reviewers in `{path}` cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise EvaluationError(f"`{path}` says no groups of reviewers: write `finance: [ana, bob]`")
    try:
        return Groups({name: members if isinstance(members, list) else "" for name, members in found.items()})
    except EvaluationError as error:
        raise EvaluationError(f"`{path}`: {error}") from None


def _yaml(text: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from error


def _toml(text: str) -> Any:
    import tomllib

    return tomllib.loads(text)


def _json(text: str) -> Any:
    from json import loads

    return loads(text)


_READERS = {".yaml": _yaml, ".yml": _yaml, ".toml": _toml, ".json": _json}
