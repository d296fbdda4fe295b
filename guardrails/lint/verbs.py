"""What a tool does, as far as its hints and its name tell.

A hint of the tool's definition decides; without one the words of the name do, and where they say nothing
the tool is taken for harmless, because a false alarm costs more than a miss.
"""

from __future__ import annotations

import re
from typing import Final

from guardrails.language.schema import Tool

_EFFECT_WORDS: Final = """
    add approve archive ban book buy cancel charge close commit create delete deploy disable drop edit
    enable execute fire forward grant insert install invite issue kill launch merge modify move order pay
    post publish purchase push put refund reject remove rename replace reply reset restart revoke run
    schedule send set share stop submit terminate transfer trigger uninstall update upload upsert wipe
    withdraw write
"""
_READ_WORDS: Final = """
    count describe fetch find get head help inspect list load look lookup ping preview query read retrieve
    search show status summarize tail validate view whoami
"""
_EFFECTS: Final = frozenset(_EFFECT_WORDS.split())
_READS: Final = frozenset(_READ_WORDS.split())
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def has_effects(name: str, tool: Tool | None) -> bool:
    """Whether a call of the tool changes something in the world."""
    if tool is not None and tool.read_only is not None:
        return not tool.read_only
    if tool is not None and tool.destructive:
        return True
    words = [word.lower() for word in _WORDS.findall(name)]
    told = next((word for word in words if word in _EFFECTS or word in _READS), "")
    return told in _EFFECTS
