"""Reloading: the policy of a gateway that runs, loaded anew when its files change; and it is said what became of it.

A policy that does not load leaves the last good one in force. Whoever edited the file sees why, with its place, on
standard error: nobody asks a gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guardrails.gateway.stdio import say
from guardrails.watching import Watch

if TYPE_CHECKING:
    from guardrails.errors import GuardError


class SaidWatch(Watch):
    """Watches the files of a guard, and tells what it did."""

    def check(self) -> bool:
        before = self.problem
        changed = super().check()
        if self.problem is not None and self.problem is not before:
            say_kept(self.problem)
        elif changed:
            say("the policy was loaded anew, and is in force")
        return changed


def say_kept(problem: GuardError) -> None:
    """Say that a policy was not taken, and why: line by line, as a diagnostic is drawn."""
    for line in (
        "the policy in force stays, because the new one cannot be loaded:",
        *str(problem).splitlines(),
    ):
        say(line)
