"""The scripts that run in Redis, put together from their parts.

Takes the `redis_*.lua` beside this module, gives what is sent to a server. The bounds that all stores share
are put in front, so that they are written down once.
"""

from __future__ import annotations

from hashlib import sha1
from pathlib import Path

from guardrails.stores.breakers import FORGOTTEN, MOST_OUTCOMES, PROBE
from guardrails.stores.demands import MOST_UNITS
from guardrails.stores.documents import FEW_OLD
from guardrails.stores.port import KEEP, LOOK_AHEAD
from guardrails.stores.sessions import MOST_BYTES, MOST_NOTES

REPEATS = 10_000
"""Milliseconds for which a settled reservation is remembered, for a client whose answer was lost."""

BOUNDS = f"""\
local KEEP, LOOK_AHEAD, MOST_UNITS, REPEATS = {KEEP}, {LOOK_AHEAD}, '{MOST_UNITS}', {REPEATS}
local PROBE, MOST_OUTCOMES, FORGOTTEN = {PROBE}, {MOST_OUTCOMES}, {FORGOTTEN}
local MOST_NOTES, MOST_BYTES, FEW_OLD = {MOST_NOTES}, {MOST_BYTES}, {FEW_OLD}
local HEAD, HEAD_SIZE = '<{"d" * 17}c24', 160
local SLOT, SLOT_SIZE, FEW_SLOTS = '<ddd', 24, 8
local HELD, HELD_SIZE, FEW_HELD = '<c24Hddddc1', 59, 16
"""

# Functions of their own, because what functions share with the chunk around them costs them a search.
NEED = """\
local need
local has = {}
function need(part)
if has[part] then return end
has[part] = true
"""
MAIN = "local function main()"


def _text(name: str) -> str:
    return Path(__file__).with_name(f"redis_{name}.lua").read_text(encoding="utf-8")


QUICK = {"reserve": _text("quick_reserve"), "settle": _text("quick_settle")}


class Script:
    """One script: its `text`, and the `digest` by which a server knows it once it has seen it.

    `name` is the part that is run at last, after its plain case was tried, if it has one.
    """

    __slots__ = ("digest", "text")

    def __init__(self, name: str, *parts: str) -> None:
        parted = [NEED, *map(_part, parts), "end"]
        pieces = [
            BOUNDS,
            QUICK.get(name, ""),
            _text("head"),
            *parted,
            MAIN,
            _text(name),
            "end",
            "return main()",
        ]
        self.text = "\n".join(pieces)
        self.digest = sha1(self.text.encode(), usedforsecurity=False).hexdigest()


def _part(name: str) -> str:
    return f"if part == '{name}' then\n{_text(name)}\nend"


RESERVE = Script("reserve", "counters", "charges", "members", "gates", "logs", "holds", "rare")
SETTLE = Script("settle", "counters", "charges", "members", "gates", "holds")
LOOK = Script("look", "counters", "charges", "members", "gates", "logs")
DOCUMENTS = Script("documents")
