"""Policies for commands: the ready program of some files, from the cache or loaded now.

A value of a parameter that begins like a JSON list, object or text is read as JSON; every other one is the
text as it stands, and its type in the policy says what it means.
"""

from __future__ import annotations

import os
import sys

from guardrails.cache import CacheError, load_program, prepare_parser, save_program

from . import exits
from .problems import Stop, unreadable, usage
from .terminal import is_colored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from guardrails.guard import Guard
    from guardrails.loading import Loaded
    from guardrails.runtime.host import HostFunction
    from guardrails.runtime.program import Program
    from guardrails.state import State

    from .check_options import Request


def settings(params: Mapping[str, str]) -> dict[str, Any]:
    """The values of parameters as a policy is loaded with."""
    return {name: _setting(name, text) for name, text in params.items()}


def _setting(name: str, text: str) -> Any:
    if not text.startswith(("[", "{", '"')):
        return text
    from .json_values import json_of

    return json_of(text, f"--param {name}")


class Policy:
    """The policy of a request, ready to decide. `keep` saves a program that had to be loaded; one that needs
    functions of the host is loaded every time."""

    __slots__ = ("_loaded", "functions", "params", "paths", "program")

    def __init__(self, request: Request) -> None:
        self.paths = request.paths
        self.params = settings(request.params)
        self.functions = functions_of(request.modules)
        self._loaded: Loaded | None = None
        cached = None if self.functions else load_program(self.paths, self.params)
        self.program: Program = self._load() if cached is None else cached

    def _load(self) -> Program:
        self._loaded = load_or_stop(self.paths, self.params, self.functions)
        assert self._loaded.program is not None, "it stops otherwise"
        return self._loaded.program

    def guard(self, state: State | None = None) -> Guard:
        from guardrails.guard import Guard, Source

        source = Source(self.paths, self.params, self.functions)
        return Guard(self.program, source=source, state=state)

    def keep(self) -> None:
        """Save the program for the next process. Where the cache cannot be written every process loads
        anew: slower, not wrong, so only `guard compile` complains."""
        if self._loaded is None or self.functions:
            return
        try:
            save_program(self.paths, self.params, self.program, self._loaded.sources.texts)
        except CacheError as error:
            if os.environ.get("GUARD_DEBUG") == "1":
                sys.stderr.write(f"warning: {error}\n")


def functions_of(modules: Sequence[str]) -> dict[str, HostFunction]:
    """The functions that these modules register. Modules in the current folder are found, as by `python -m`."""
    if not modules:
        return {}
    from importlib import import_module

    from guardrails.hosting import REGISTERED

    sys.path.insert(0, os.getcwd())
    for name in modules:
        try:
            import_module(name)
        except ImportError as error:
            raise usage(f"the module `{name}` cannot be imported: {error}") from error
    return dict(REGISTERED)


def load_or_stop(
    paths: Sequence[str], params: Mapping[str, Any], functions: Mapping[str, HostFunction]
) -> Loaded:
    """A policy that loads. Stops with its diagnostics when it does not."""
    from guardrails.loading import load

    prepare_parser()
    loaded = load(paths, params=params, functions=functions)
    if loaded.program is not None:
        return loaded
    for path in paths:
        _exists(path)
    from guardrails.diagnostics import has_errors
    from guardrails.renderings import render_text

    assert has_errors(loaded.diagnostics), "a policy without errors loads"
    text = render_text(loaded.diagnostics, loaded.sources.texts, color=is_colored(sys.stderr))
    raise Stop(exits.POLICY, text.rstrip("\n"))


def _exists(path: str) -> None:
    try:
        os.stat(path)
    except OSError as error:
        raise unreadable(path, error) from error
