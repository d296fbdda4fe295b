"""Rego on regorus (Rust), compiled for its virtual machine or run by its interpreter."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use

NAME = "regorus"
PACKAGE = "celine-regorus"
COMPLETE = True

RULES = """
default verdict := "allow"
verdict := "deny" if denied
else := "ask" if asked
asked if input.amount > 100
asked if { input.reason == "goodwill"; input.amount > 25 }
denied if not input.customer_id in data.principal.customers
denied if input.amount > 500
denied if input.currency != "EUR"
denied if not startswith(input.order_id, "ORD-")
denied if count(input.order_id) != 10
denied if input.amount <= 0
denied if { input.currency == "GBP"; input.amount > 80 }
denied if input.reason == "fraud"
denied if input.customer_id == data.principal.id
denied if { input.reason == "duplicate"; input.order_id == "ORD-000000" }
denied if { input.reason == "late"; input.amount > 300 }
"""


def module(tool: str) -> str:
    return f"package {tool}\nimport rego.v1\n{RULES}"


def by_tool() -> Decide:
    """The virtual machine, one program for each tool: it has too few registers for the rules of many."""
    from orjson import dumps
    from regorus.regorus import Program, Rvm

    data = json.dumps({"principal": PRINCIPAL})

    def make(tool: str) -> Callable[[dict[str, Any]], str]:
        machine = Rvm()
        machine.load_program(
            Program.compile_from_modules(data, [("rules.rego", module(tool))], [f"data.{tool}.verdict"])
        )
        machine.set_data_json(data)

        def decide(args: dict[str, Any]) -> str:
            machine.set_input_json(dumps(args).decode())
            return str(machine.execute()[1:-1])

        return decide

    return on_first_use(make)


def in_one(tools: Sequence[str]) -> Decide:
    """The interpreter, with a package for each tool."""
    from regorus import Engine

    engine = Engine()
    for tool in tools:
        engine.add_policy(f"{tool}.rego", module(tool))
    engine.add_data({"principal": PRINCIPAL})

    def decide(tool: str, args: dict[str, Any]) -> str:
        engine.set_input(args)
        return str(engine.eval_rule(f"data.{tool}.verdict"))

    return decide
