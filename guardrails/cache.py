"""Compiled programs on disk, so that a new process decides at once instead of compiling first.

A cached program holds code that will be run, so a file is only believed when nobody but its user could have
written it, and only used while every source file still has the bytes it was compiled from. Whatever does
not fit is as good as absent: the policy is loaded anew.

`GUARD_CACHE` names the folder, or is `off`; without it the cache lies in the user's own cache folder.
"""

from __future__ import annotations

import marshal
import os
import sys
from stat import S_ISREG

from guardrails.errors import GuardError
from guardrails.version import VERSION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import IO, Any

    from guardrails.runtime.program import Program

FORMAT = 7
"""Changes with the shape of what is stored."""

MAX_UNITS = 2_000
"""Units that are compiled ahead; a larger policy is compiled as its tools come."""

MAX_PROGRAMS = 256
"""Programs that are kept; beyond them the oldest go."""


class CacheError(GuardError):
    """The cache cannot be written."""


def folder() -> str | None:
    """The folder of the cache, which need not exist; None when caching is off or has no home."""
    chosen = os.environ.get("GUARD_CACHE")
    if chosen is not None:
        return None if chosen in ("off", "") else chosen
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA", "")
        return os.path.join(base, "guard", "cache") if base else None
    base = os.environ.get("XDG_CACHE_HOME") or ""
    home = os.environ.get("HOME") or ""
    if os.path.isabs(base):
        return os.path.join(base, "guard")
    return os.path.join(home, ".cache", "guard") if os.path.isabs(home) else None


def location(paths: Sequence[str], params: Mapping[str, Any]) -> str | None:
    """The file where the program of these paths and parameters is kept."""
    base = folder()
    if base is None:
        return None
    chosen = sorted((name, repr(value)) for name, value in params.items())
    key = _digest(
        repr((sys.implementation.cache_tag, os.getcwd(), list(paths), chosen)).encode(
            "utf-8", "surrogatepass"
        )
    )
    return os.path.join(base, f"{key[:32]}.program")


class StoredUnits(dict):  # type: ignore[type-arg]  # a subscript would import `typing`
    """Units as they are stored, each read when it is asked for: a process decides about one tool, not all."""

    def get(self, key: tuple[str, str | None], default: Any = None) -> Any:
        data = super().get(key)
        return default if data is None else marshal.loads(data)


# --- reading -----------------------------------------------------------------------------------


def load_program(paths: Sequence[str], params: Mapping[str, Any]) -> Program | None:
    """The cached program, or None when there is none that can be trusted and is up to date."""
    where = location(paths, params)
    stored = _stored(where) if where else None
    if stored is None:
        return None
    identity, files, head, units = stored
    if identity != _identity() or not all(_is_unchanged(path, digest) for path, digest in files):
        return None
    from guardrails.runtime.program import Program

    return Program(head, StoredUnits(units), _compiling(paths, params, head["digest"]))


def _stored(where: str) -> tuple[Any, ...] | None:
    try:
        data = _trusted_bytes(where)
        stored = marshal.loads(data) if data else None
    except (OSError, EOFError, ValueError, TypeError):
        return None
    return stored if stored.__class__ is tuple and len(stored) == 4 else None


def _trusted_bytes(where: str) -> bytes | None:
    """The content of a file that only its user can write, in a folder that only its user can write."""
    if not _is_own(os.stat(os.path.dirname(where))):
        return None
    with open(where, "rb", buffering=0) as file:
        state = os.fstat(file.fileno())
        return file.read() if S_ISREG(state.st_mode) and _is_own(state) else None


def _is_own(state: os.stat_result) -> bool:
    if sys.platform == "win32":
        return True
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022


def _is_unchanged(path: str, digest: str) -> bool:
    try:
        with open(path, "rb", buffering=0) as file:
            return _digest(file.read()) == digest
    except OSError:
        return False


def _compiling(paths: Sequence[str], params: Mapping[str, Any], digest: str) -> Callable[..., Any]:
    """Compiles what is not in the cache: tools that only a wildcard speaks of."""
    compilers: list[Callable[[str, str | None], Any]] = []

    def compile_unit(point: str, tool: str | None) -> Any:
        if not compilers:
            from guardrails.loading import load

            program = load(paths, params=params).program
            if program is None or program.digest != digest:
                raise CacheError("the policy was changed while it was in use")
            compilers.append(program.compile_unit)
        return compilers[0](point, tool)

    return compile_unit


# --- writing -----------------------------------------------------------------------------------


def save_program(
    paths: Sequence[str], params: Mapping[str, Any], program: Program, texts: Mapping[str, str]
) -> str | None:
    """Keep a program that was loaded from files with these texts. Gives where it lies, or None when caching
    is off. Raises CacheError when it cannot be written, or not safely. A policy that needs functions of the
    host must not be kept: they are not part of it."""
    where = location(paths, params)
    if where is None:
        return None
    compile_ahead(program)
    sources = tuple((path, _digest(text.encode("utf-8", "surrogatepass"))) for path, text in texts.items())
    units = {key: marshal.dumps(unit) for key, unit in program.units.items()}
    stored: Any = (_identity(), sources, dict(program.head), units)
    try:
        _write(where, marshal.dumps(stored))
        _prune(os.path.dirname(where))
    except OSError as error:
        raise CacheError(f"the cache cannot be written: {(error.strerror or str(error)).lower()}") from error
    return where


def compile_ahead(program: Program) -> None:
    """Compile the units that the policy names, up to MAX_UNITS of them."""
    for _, (point, tool) in zip(range(MAX_UNITS), _named_units(program), strict=False):
        if (point, tool) not in program.units:
            program.units[point, tool] = program.compile_unit(point, tool)


def _named_units(program: Program) -> Iterator[tuple[str, str | None]]:
    yield "input", None
    yield "output", None
    has_budget = any(meter[0] == "budget" for meter in program.head["meters"])
    if has_budget:
        yield "usage", None
    for tool in sorted(program.head["tools"]):
        yield "call", tool
        yield "result", tool
        if has_budget:
            yield "usage", tool


def _prune(base: str) -> None:
    with os.scandir(base) as entries:
        kept = [
            (entry.stat().st_mtime_ns, entry.path) for entry in entries if entry.name.endswith(".program")
        ]
    for _, path in sorted(kept, reverse=True)[MAX_PROGRAMS:]:
        os.unlink(path)


def _write(where: str, data: bytes) -> None:
    base = os.path.dirname(where)
    os.makedirs(base, mode=0o700, exist_ok=True)
    if not _is_own(os.stat(base)):
        raise CacheError(f"the cache folder `{base}` can be written by others")
    temporary = f"{where}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, where)
    except OSError:
        os.unlink(temporary)
        raise


# --- the parser's tables -----------------------------------------------------------------------


def prepare_parser() -> None:
    """Give the parser its tables, from the cache or else to it. Without a cache, or with one that cannot be
    trusted, the parser works them out for itself."""
    base = folder()
    if base is None:
        return
    from io import BytesIO

    import lark

    from guardrails.language import parser

    key = _digest(repr((_identity(), lark.__version__, parser.grammar())).encode())
    where = os.path.join(base, f"{key[:32]}.tables")
    try:
        data = _trusted_bytes(where)
    except OSError:
        data = None
    if data and _took(parser.use_tables, BytesIO(data)):
        return
    out = BytesIO()
    parser.save_tables(out)
    try:
        _write(where, out.getvalue())
    except (OSError, CacheError):
        return  # the tables are there, in memory; only the next process works them out again


def _took(use_tables: Callable[[IO[bytes]], None], stored: IO[bytes]) -> bool:
    """Whether the tables could be read; a file that was cut short is as good as absent."""
    try:
        use_tables(stored)
    except Exception:
        return False
    return True


# --- identity ----------------------------------------------------------------------------------


def _identity() -> tuple[object, ...]:
    """The engine and the Python that a program was compiled by and for. The engine's own files take part,
    so that a changed engine never runs the code of the one before."""
    return (FORMAT, VERSION, sys.implementation.cache_tag, sys.hexversion, _engine())


def _engine() -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    found = []
    for part in ("", "language", "runtime", "stores", "canonical", "patterns"):
        with os.scandir(os.path.join(here, part)) as entries:
            files = [entry for entry in entries if entry.name.endswith(".py")]
        for entry in files:
            state = entry.stat()
            found.append((part, entry.name, state.st_size, state.st_mtime_ns))
    return _digest(repr(sorted(found)).encode())


def _digest(data: bytes) -> str:
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=32).hexdigest()
