"""The scripts that run in Redis, put together from their parts.

Takes the `redis_*.lua` beside this module, gives what is sent to a server. The bounds that all stores share
are put in front, so that they are written down once.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from guardrails.stores.breakers import FORGOTTEN, MOST_OUTCOMES, PROBE
from guardrails.stores.demands import MOST_UNITS
from guardrails.stores.port import KEEP, LOOK_AHEAD
from guardrails.stores.sessions import MOST_BYTES, MOST_NOTES

REPEATS = 10_000
"""Milliseconds for which a settled reservation is remembered, for a client whose answer was lost."""

BOUNDS = f"""\
local KEEP, LOOK_AHEAD, MOST_UNITS, REPEATS = {KEEP}, {LOOK_AHEAD}, '{MOST_UNITS}', {REPEATS}
local PROBE, MOST_OUTCOMES, FORGOTTEN = {PROBE}, {MOST_OUTCOMES}, {FORGOTTEN}
local MOST_NOTES, MOST_BYTES = {MOST_NOTES}, {MOST_BYTES}
"""


class Script:
    """One script: its `text`, and the `digest` by which a server knows it once it has seen it."""

    __slots__ = ("digest", "text")

    def __init__(self, *parts: str) -> None:
        self.text = BOUNDS + "\n".join(map(_part, parts))
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _part(name: str) -> str:
    return Path(__file__).with_name(f"redis_{name}.lua").read_text(encoding="utf-8")


RESERVE = Script("counters", "members", "gates", "logs", "holds", "reserve")
SETTLE = Script("counters", "members", "gates", "holds", "settle")
LOOK = Script("counters", "members", "gates", "logs", "look")
