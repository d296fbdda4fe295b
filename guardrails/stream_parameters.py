"""What a stream is given, judged before anything of it goes on.

Takes values as they were given, gives them back as a stream can use them, or raises `EvaluationError` that names the
parameter; the stream stays as it was. Streams look at the usual types themselves and come here with the others.
"""

from __future__ import annotations

from guardrails.parameters import doing, is_mapping, misfit
from guardrails.runtime.engine import MAX_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def piece_of(piece: Any) -> str:
    """The letters of a piece of text, and of nothing else: a class of its own may show others than it holds."""
    if not isinstance(piece, str):
        raise misfit("piece", piece, "a text")
    return str.__str__(piece)


def check_tool(tool: Any) -> None:
    """By what is no name no rule of a tool would be found, and all of its arguments shown."""
    if tool.__class__ is not str or not 0 < len(tool) <= MAX_NAME:
        raise misfit("tool", tool, f"a name of 1 to {MAX_NAME} characters")


def check_source(source: Any, method: str) -> None:
    """What pieces are taken from has `__iter__`, or `__aiter__` where they are awaited."""
    wanted = f"what pieces of text come from, with `{method}`"
    doing("source", source, (method,), wanted)
    if isinstance(source, bytes | bytearray) or is_mapping(source):
        raise misfit("source", source, wanted)
