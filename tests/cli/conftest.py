"""Makes the `guard` of `command` a fixture of every test here."""

from __future__ import annotations

from command_line import guard

__all__ = ["guard"]
