"""The recipe for smolagents; see `test_recipes`."""

# --- recipe
from smolagents import Tool

from guardrails.integrations.mediation import Mediation


def guarded_tool(tool: Tool, mediation: Mediation) -> Tool:
    """The tool, for a ToolCallingAgent and a CodeAgent alike: code calls the same object."""
    inner, names = tool.forward, list(tool.inputs)

    def forward(*args, **named):
        passage = mediation.call(tool.name, {**dict(zip(names, args, strict=False)), **named})
        if not passage.allowed:
            raise RuntimeError(passage.text)  # smolagents hands it to the model
        try:
            result = inner(**passage.args)
        except Exception as error:
            mediation.failed(passage.id, tool.name)
            raise RuntimeError(
                mediation.error(passage.id, tool.name, str(error), args=passage.args).value
            ) from None
        return mediation.result(passage.id, tool.name, result).value

    tool.forward = forward
    return tool


def run(agent, task: str, mediation: Mediation) -> str:
    """Run an agent. What it prints (`verbosity_level`) and streams is not judged: turn that off."""
    asked = mediation.input(task)
    if not asked.allowed:
        return asked.value
    answer = mediation.output(str(agent.run(asked.value)))
    answer.raise_if_halted()
    return answer.value
