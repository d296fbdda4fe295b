"""Google ADK: which tools of an app are checked.

Takes an app, a runner or an agent; gives a line for each tool of all its agents. What the model's provider runs (a
search, code) never becomes a call in this process.
"""

from __future__ import annotations

from typing import Any

from guardrails.integrations.coverage import Covered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BARE = "its app has no plugin of guard; add `GuardPlugin` to `App(plugins=[...])`"
HOSTED = "the model's provider runs it"
CODE = "its code runs without a call of a tool; the plugin does not let such an agent begin"


def coverage(agent: Any) -> Iterator[Covered]:
    """The tools of an app, a runner or an agent."""
    root = getattr(agent, "root_agent", None) or getattr(agent, "agent", None) or agent
    yield from _of_agent(root, "" if _has_plugin(agent) else BARE, set())


def _has_plugin(agent: Any) -> bool:
    from guardrails.integrations.adk import GuardPlugin

    manager = getattr(agent, "plugin_manager", None)
    plugins = getattr(manager if manager is not None else agent, "plugins", None) or ()
    return any(isinstance(plugin, GuardPlugin) for plugin in plugins)


def _of_agent(agent: Any, why: str, seen: set[int]) -> Iterator[Covered]:
    if id(agent) in seen:
        return
    seen.add(id(agent))
    for tool in getattr(agent, "tools", None) or ():
        yield from _of_tool(tool, why, seen)
    if getattr(agent, "code_executor", None) is not None:
        yield Covered(f"{agent.name}.code_executor", HOSTED if is_hosted(agent.code_executor) else CODE)
    for child in getattr(agent, "sub_agents", None) or ():
        yield from _of_agent(child, why, seen)


def is_hosted(executor: Any) -> bool:
    """Whether the model's provider runs the code, and not this machine."""
    from google.adk.code_executors import BuiltInCodeExecutor

    return isinstance(executor, BuiltInCodeExecutor)


def _of_tool(tool: Any, why: str, seen: set[int]) -> Iterator[Covered]:
    from google.adk.tools.agent_tool import AgentTool
    from google.adk.tools.base_tool import BaseTool
    from google.adk.tools.base_toolset import BaseToolset

    if isinstance(tool, BaseToolset):
        yield Covered(f"{type(tool).__name__}.*", why)
        return
    name = getattr(tool, "name", None) or getattr(tool, "__name__", "")
    has_calls = not isinstance(tool, BaseTool) or tool._get_declaration() is not None
    yield Covered(name or type(tool).__name__, why if has_calls else HOSTED)
    if isinstance(tool, AgentTool):
        yield from _of_agent(
            tool.agent, why if tool.include_plugins else why or "its agent runs without plugins", seen
        )
