"""The same decision in other engines, each in the fastest form that Python can reach.

A rival's module says who it is, and gives `by_tool` and, where the engine can hold the rules of many tools
at once, `in_one`: a function of tool and arguments that gives "allow", "ask" or "deny". The host's own
dictionary of tools may do the look-up: who uses an engine that way gets the best out of it.

`COMPLETE` tells policy engines, which say which rule decided or at least keep rules apart, from evaluators
of single expressions. No rival is asked to match a pattern: most of them would compile it anew each time,
so the order number is checked by its beginning and its length, which says the same about the cases.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

Decide = Callable[[str, dict[str, Any]], str]

MODULES = (
    "zen_expression", "zen_decision", "cel_cpp", "cel_rust", "regorus_vm", "cedar", "rego_cpp", "casbin_abac",
)  # fmt: skip


def rivals() -> list[tuple[ModuleType, str | None]]:
    """All rivals, and the version of each that is installed."""
    modules = [import_module(f"rivals.{name}") for name in MODULES]
    return [(module, installed(module.PACKAGE)) for module in modules]


def installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def on_first_use(make: Callable[[str], Callable[[dict[str, Any]], str]]) -> Decide:
    """A decision for each tool, made when the tool is first asked about."""
    made: dict[str, Callable[[dict[str, Any]], str]] = {}

    def decide(tool: str, args: dict[str, Any]) -> str:
        found = made.get(tool)
        if found is None:
            found = made[tool] = make(tool)
        return found(args)

    return decide


def one_for_all(tools: Sequence[str], text: Callable[[str], str]) -> str:
    """The rules of all tools, one after the other."""
    return "\n".join(map(text, tools))
