"""CEL on a Rust interpreter: one compiled program for each tool, and a context that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use
from rivals.cel_cpp import VERDICT

NAME = "cel (Rust)"
PACKAGE = "common-expression-language"
COMPLETE = False


def by_tool() -> Decide:
    import cel

    context = cel.Context({"principal": PRINCIPAL})

    def make(_: str) -> Callable[[dict[str, Any]], str]:
        program = cel.compile(VERDICT)

        def decide(args: dict[str, Any]) -> str:
            context.add_variable("args", args)
            return str(program.execute(context))

        return decide

    return on_first_use(make)
