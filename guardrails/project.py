"""The project's own settings: `[tool.guard]` of the nearest `pyproject.toml`.

Takes a folder, gives what is set for it. `guard check` looks here at every start, so a file that cannot hold
the setting is not parsed.
"""

from __future__ import annotations

import os

from guardrails.errors import GuardError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILE = "pyproject.toml"
KEYS = ("lint", "store")
"""What `[tool.guard]` may hold."""


class ProjectError(GuardError):
    """The project's settings cannot be read, or are not what they should be."""


def project_file(folder: str) -> str | None:
    """The `pyproject.toml` in `folder` or the nearest folder above it; None when there is none."""
    place = os.path.abspath(folder)
    while True:
        path = os.path.join(place, FILE)
        if os.path.isfile(path):
            return path
        above = os.path.dirname(place)
        if above == place:
            return None
        place = above


def project_store(folder: str) -> str | None:
    """The URL of the project's store, a relative file from the folder of the settings; None when none is named.

    Raises `ProjectError`: without the settings nobody knows where limits and halts are kept.
    """
    path = project_file(folder)
    table = _table(path, "store") if path else {}
    if path is None or "store" not in table:
        return None
    url = table["store"]
    if not isinstance(url, str) or not url:
        raise ProjectError(f"`{path}`: `tool.guard.store` is the URL of a store, as text")
    return _from_folder(url, os.path.dirname(path))


def _table(path: str, key: str) -> dict[str, Any]:
    """`[tool.guard]`, or nothing where the text does not even have the words for it."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
    except OSError as error:
        raise ProjectError(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
    if key.encode() not in data or not _may_speak_of_guard(data):
        return {}
    import tomllib

    try:
        found = tomllib.loads(data.decode()).get("tool", {}).get("guard", {})
    except ValueError as error:
        raise ProjectError(f"`{path}` is not valid TOML: {str(error).lower()}") from None
    return found if isinstance(found, dict) else {}


def _may_speak_of_guard(data: bytes) -> bool:
    """Whether TOML could have `tool.guard` in it: in one line, or as `guard` in a table `[tool]`. Reading it as
    TOML costs a third of a cold start. No table or key begins in a comment."""
    lines = [line for line in data.splitlines() if b"guard" in line and not line.lstrip().startswith(b"#")]
    if any(b"tool" in line for line in lines):
        return True
    bare = (line.translate(None, b" \t\"'") for line in data.splitlines())
    return bool(lines) and any(line.startswith((b"[tool]", b"tool=")) for line in bare)


def _from_folder(url: str, folder: str) -> str:
    """The URL with the path of its file made absolute."""
    scheme, _, rest = url.partition(":")
    path, mark, options = rest.partition("?")
    path = path.removeprefix("//")
    if scheme != "sqlite" or not path or os.path.isabs(path) or path[2:3] == ":":
        return url
    return file_url(os.path.join(folder, "")) + path + mark + options


def file_url(path: str) -> str:
    """The URL of a store in the file at an absolute path."""
    plain = path.replace(os.sep, "/").replace("%", "%25").replace("?", "%3F")
    return f"sqlite://{plain if plain.startswith('/') else f'/{plain}'}"
