"""Rego on rego-cpp (C++): a bundle that is built once and queried by entry point."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use
from rivals.regorus_vm import module

NAME = "regopy"
PACKAGE = "regopy"
COMPLETE = True


def by_tool() -> Decide:
    def make(tool: str) -> Callable[[dict[str, Any]], str]:
        decide = in_one([tool])
        return lambda args: decide(tool, args)

    return on_first_use(make)


def in_one(tools: Sequence[str]) -> Decide:
    from regopy import Input, Interpreter

    interpreter = Interpreter()
    for tool in tools:
        interpreter.add_module(f"{tool}.rego", module(tool))
    interpreter.add_data({"principal": PRINCIPAL})
    bundle = interpreter.build(None, [f"{tool}/verdict" for tool in tools])

    def decide(tool: str, args: dict[str, Any]) -> str:
        interpreter.set_input(Input(args))
        return str(interpreter.query_bundle_entrypoint(bundle, f"{tool}/verdict").results[0].expressions[0])

    return decide
