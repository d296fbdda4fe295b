"""Which tools of a LangGraph graph are checked.

Takes a compiled graph (`create_agent` gives one), a `ToolNode` or a guarded tool node, gives a line for each tool that it
can reach. Wrappers are closures of LangChain's; they are followed to see whether guard is among them.
"""

from __future__ import annotations

from langgraph.prebuilt import ToolNode

from guardrails.integrations.coverage import Covered
from guardrails.integrations.langchain.tools import ToolSeam

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DEPTH = 12
"""How many functions inside one another are followed."""

UNGUARDED = "the node that runs it has neither GuardMiddleware nor `guarded_tools`"
HOSTED = "the provider of the model runs it: no check sees its calls"


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of a graph, a node or an agent, and those of the graphs inside it."""
    yield from _of(agent, set())


def _of(part: Any, seen: set[int]) -> Iterator[Covered]:
    if id(part) in seen:
        return
    seen.add(id(part))
    if isinstance(part, ToolNode):
        yield from _of_node(part)
    nodes = getattr(part, "nodes", None)
    if not isinstance(nodes, dict):
        return
    for node in nodes.values():
        inner = getattr(node, "bound", None) or getattr(node, "runnable", None)
        for each in (inner, *(getattr(node, "subgraphs", None) or ())):
            yield from _of(each, seen)
        yield from _hosted(inner)


def _of_node(node: ToolNode) -> Iterator[Covered]:
    wrappers = (node._wrap_tool_call, node._awrap_tool_call)
    is_guarded = all(wrapper is not None and _reaches(wrapper, DEPTH) for wrapper in wrappers)
    for name in node.tools_by_name:
        yield Covered(name, "" if is_guarded else UNGUARDED)


def _hosted(inner: Any) -> Iterator[Covered]:
    """The tools that a model node only names: its provider runs them."""
    tools = _held(getattr(inner, "func", None)).get("default_tools")
    for tool in tools if isinstance(tools, list) else ():
        if isinstance(tool, dict):
            function = tool.get("function")
            named = function.get("name") if isinstance(function, dict) else None
            yield Covered(str(named or tool.get("name") or tool.get("type") or "?"), HOSTED)


def _held(function: Any) -> dict[str, Any]:
    """What a closure holds, by name."""
    code, cells = getattr(function, "__code__", None), getattr(function, "__closure__", None) or ()
    found: dict[str, Any] = {}
    for name, cell in zip(code.co_freevars if code is not None else (), cells, strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:
            continue
    return found


def _reaches(function: Any, depth: int) -> bool:
    """Whether a wrapper is guard's, or calls it."""
    if depth == 0:
        return False
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ToolSeam) or isinstance(getattr(owner, "seam", None), ToolSeam):
        return True
    inner = [getattr(function, "__wrapped__", None), getattr(function, "func", None)]
    for held in _held(function).values():
        inner += held if isinstance(held, (list, tuple)) else [held]
    return any(callable(each) and _reaches(each, depth - 1) for each in inner)
