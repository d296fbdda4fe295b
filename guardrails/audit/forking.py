"""Forking: what a child process does when it begins, on systems that fork."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def in_each_child(work: Callable[[], object]) -> None:
    """Have this done in every child process before anything else; nothing where processes do not fork."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=work)
