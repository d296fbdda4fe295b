"""Anchors: second places in which the head of a log is written down, so that nobody can cut its end unseen.

    /path/anchors.jsonl   a line is added to the file: put it on another machine, or on storage that keeps all
    command:CMD ...       the command gets the line on its standard input
    https://host/path     the line is sent as a POST; a GET gives all lines back

An anchor is a signed checkpoint without its peaks. Who changes one makes it worthless; who cuts the log below
one, or writes it anew, is found by `guard audit verify --anchor`.
"""

from __future__ import annotations

import os
from typing import Any

from guardrails.audit.errors import AuditError, AuditUnavailable

WAIT = 10.0
"""Seconds that a command or a server may take."""


def write_anchor(target: str, checkpoint: dict[str, Any]) -> None:
    """Write a checkpoint down. Raises `AuditUnavailable` when that fails, `AuditError` for a target that is none."""
    from orjson import dumps

    line = dumps(checkpoint) + b"\n"
    if target.startswith("command:"):
        _run(target.removeprefix("command:"), line)
    elif target.startswith(("http://", "https://")):
        _send(target, line)
    else:
        _add(_path(target), line)


def read_anchors(target: str) -> list[dict[str, Any]]:
    """All checkpoints of a place. Raises `AuditError` for a place that cannot be read, or holds something else."""
    from orjson import JSONDecodeError, loads

    if target.startswith("command:"):
        raise AuditError("a command gives no anchors back: name the file or URL where it keeps them")
    text = _fetched(target) if target.startswith(("http://", "https://")) else _read(_path(target))
    try:
        found = [loads(line) for line in text.splitlines() if line.strip()]
        for anchor in found:
            int(anchor["size"]), str(anchor["root"]), str(anchor["signature"])
    except (JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise AuditError(f"`{target}` holds something that is no anchor: {error}") from error
    if not found:
        raise AuditError(f"`{target}` holds no anchor")
    return found


def _path(target: str) -> str:
    path = target.removeprefix("file://")
    if "://" in path:
        raise AuditError(f"`{target}` is no place for an anchor: use a path, `command:...` or `https://...`")
    return path


def _add(path: str, line: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise AuditUnavailable(f"the anchor `{path}` cannot be written: {reason}") from error


def _run(command: str, line: bytes) -> None:
    from shlex import split
    from subprocess import SubprocessError, run

    try:
        done = run(split(command), input=line, capture_output=True, timeout=WAIT, check=False)
    except (OSError, SubprocessError, ValueError) as error:
        raise AuditUnavailable(f"the anchor `command:{command}` cannot be run: {error}") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:200]
        raise AuditUnavailable(f"the anchor `command:{command}` failed with {done.returncode}: {said}")


def _send(url: str, line: bytes) -> None:
    _asked(url, line)


def _fetched(url: str) -> bytes:
    return _asked(url, None)


def _asked(url: str, data: bytes | None) -> bytes:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    request = Request(url, data=data, headers={"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=WAIT) as answer:
            body: bytes = answer.read()
            return body
    except (URLError, OSError, ValueError) as error:
        raise AuditUnavailable(f"the anchor `{url}` does not answer: {error}") from error


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise AuditError(
            f"the anchor `{path}` cannot be read: {(error.strerror or str(error)).lower()}"
        ) from error
