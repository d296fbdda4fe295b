"""The executable meaning of the language: a slow, plain evaluator that walks the syntax tree.

Takes parsed files and one event, gives a `Verdict`. It shares nothing with the checker, the compiler and the
engine but the canonical types, the patterns and the exact numbers, so that where both agree there are two
independent reasons to believe it.
"""

from __future__ import annotations

from reference.deciding import Verdict, decide

__all__ = ["Verdict", "decide"]
