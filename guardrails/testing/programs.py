"""The program that a test file is about: a `Source` in, a `Program` out, from the cache where it holds it.

Checking and compiling a policy takes longer than most test files do, and a policy is tested far more often than
it is changed. What the cache gives is what would be compiled now: it goes by the bytes of every source file.
"""

from __future__ import annotations

from guardrails.cache import CacheError, load_program, prepare_parser, save_program
from guardrails.errors import PolicyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from guardrails.guard import Source
    from guardrails.loading import Loaded
    from guardrails.runtime.program import Program


def program_of(source: Source) -> Program:
    """The program of the files of a source. Raises `PolicyError` when they do not load. A policy with functions
    (a test's stubs) is compiled anew every time, because they are no part of what is kept."""
    found = None if source.functions else load_program(source.paths, source.params)
    if found is not None:
        return found
    loaded = loaded_of(source)
    assert loaded.program is not None, "`loaded_of` raises otherwise"
    if not source.functions:
        _keep(source, loaded)
    return loaded.program


def loaded_of(source: Source) -> Loaded:
    """The policy, read and checked now. Raises `PolicyError` with every diagnostic."""
    from guardrails.loading import load

    prepare_parser()
    loaded = load(source.paths, params=source.params, functions=source.functions)
    if loaded.program is None:
        from guardrails.renderings import render_text

        raise PolicyError(loaded.diagnostics, render_text(loaded.diagnostics, loaded.sources.texts))
    return loaded


def _keep(source: Source, loaded: Loaded) -> None:
    """For the next run; where the cache cannot be written, that one is slower and nothing else."""
    assert loaded.program is not None
    try:
        save_program(source.paths, source.params, loaded.program, loaded.sources.texts)
    except CacheError:
        return
