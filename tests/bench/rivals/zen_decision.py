"""zen-engine (Rust): a decision graph for each tool, as its editor would save it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from refunds import PRINCIPAL

from rivals import Decide, on_first_use
from rivals.zen_expression import VERDICT

NAME = "zen decision"
PACKAGE = "zen-engine"
COMPLETE = True

GRAPH = {
    "nodes": [
        {"id": "asked", "type": "inputNode", "name": "asked", "content": {}},
        {
            "id": "rules",
            "type": "expressionNode",
            "name": "rules",
            "content": {"expressions": [{"id": "1", "key": "verdict", "value": VERDICT}]},
        },
        {"id": "answer", "type": "outputNode", "name": "answer"},
    ],
    "edges": [
        {"id": "1", "type": "edge", "sourceId": "asked", "targetId": "rules"},
        {"id": "2", "type": "edge", "sourceId": "rules", "targetId": "answer"},
    ],
}


def by_tool() -> Decide:
    from zen import ZenEngine

    engine, graph = ZenEngine(), json.dumps(GRAPH)

    def make(_: str) -> Callable[[dict[str, Any]], str]:
        evaluate = engine.create_decision(graph).evaluate
        return lambda args: evaluate({"args": args, "principal": PRINCIPAL})["result"]["verdict"]

    return on_first_use(make)
