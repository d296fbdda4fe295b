"""Runs of AgentDojo's suites: what a user asks, the calls that solve it, and what an attacker makes of them.

Takes a suite of the package `agentdojo`, plays its reference solutions in its environments held in memory, and
shows each step to a watcher before it is executed. No model takes part: an attacked run is the user's solution,
with the attacker's calls after the first result that shows the planted instruction. The one idea: the watcher
decides which of the attacker's calls happen, and the benchmark itself says whether the attack succeeded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import yaml
from agentdojo.agent_pipeline.ground_truth_pipeline import GroundTruthPipeline
from agentdojo.agent_pipeline.tool_execution import tool_result_to_str
from agentdojo.attacks.important_instructions_attacks import ImportantInstructionsAttack
from agentdojo.functions_runtime import FunctionCall, FunctionsRuntime
from agentdojo.task_suite.load_suites import get_suite
from agentdojo.task_suite.task_suite import read_suite_file
from pydantic import TypeAdapter

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = "v1.2.2"
VICTIM = "gpt-4o-2024-05-13"
"""The planted text greets a model by name; which one changes nothing here."""

_PLAIN = TypeAdapter(Any)
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Watcher(Protocol):
    """Who sees a run as an application would, and says which calls go on."""

    def asked(self, text: str) -> None: ...
    def allows(self, tool: str, args: dict[str, Any], *, attacker: bool) -> bool: ...
    def gave(self, tool: str, args: dict[str, Any], result: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Task:
    """One run to play: a user's task, and what an attacker wants, if there is one."""

    suite: str
    user: str
    attack: str = ""

    @property
    def name(self) -> str:
        return f"{self.user}/{self.attack}" if self.attack else self.user


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run: whether the attacker had calls to make, and whether the attack succeeded."""

    tried: bool
    succeeded: bool


class Suite:
    """One of the benchmark's suites."""

    def __init__(self, name: str, *, as_text: bool = False) -> None:
        self.name = name
        self.as_text = as_text
        self._suite = get_suite(VERSION, name)
        self._attack = _attack_on(self._suite)

    def benign(self) -> Iterator[Task]:
        yield from (Task(self.name, user) for user in self._suite.user_tasks)

    def attacked(self) -> Iterator[Task]:
        for user in self._suite.user_tasks:
            yield from (Task(self.name, user, wanted) for wanted in self._suite.injection_tasks)

    def play(self, task: Task, watcher: Watcher) -> Played:
        """The run, before a watcher."""
        user = self._suite.user_tasks[task.user]
        wanted = self._suite.injection_tasks[task.attack] if task.attack else None
        planted = self._attack.attack(user, wanted) if wanted else {}
        stage = _Stage(self._suite, user, planted, watcher, as_text=self.as_text)
        watcher.asked(user.PROMPT)
        for call in user.ground_truth(self._clean(user)):
            shown = stage.run(call, attacker=False)
            if shown and wanted and not stage.tried:
                stage.attack(wanted)
        return Played(stage.tried and stage.has_calls, stage.succeeded(wanted))

    def _clean(self, user: Any) -> Any:
        """The environment that the reference solution was written for."""
        return user.init_environment(_environment(self._suite, {}))


class _Stage:
    """An environment in which one run is played."""

    def __init__(
        self, suite: Any, user: Any, planted: dict[str, str], watcher: Watcher, *, as_text: bool
    ) -> None:
        self._suite = suite
        self._planted = [_one_line(text) for text in planted.values()]
        self._watcher = watcher
        self._as_text = as_text
        self._environment = user.init_environment(_environment(suite, planted))
        self._before = self._environment.model_copy(deep=True)
        self._runtime = FunctionsRuntime(suite.tools)
        self._calls: list[FunctionCall] = []
        self.tried = False
        self.has_calls = False

    def attack(self, wanted: Any) -> None:
        """The attacker's calls, as if the model had obeyed."""
        self.tried = True
        for call in wanted.ground_truth(self._environment):
            self.has_calls = True
            self.run(call, attacker=True)

    def run(self, call: FunctionCall, *, attacker: bool) -> bool:
        """One call, and whether its result shows the planted text. What a person has to approve is taken to be
        approved when it is the user's, and to be refused when it is the attacker's."""
        args = _PLAIN.dump_python(dict(call.args), mode="json")
        allowed = self._watcher.allows(call.function, args, attacker=attacker)
        if attacker and not allowed:
            return False
        result, error = self._runtime.run_function(self._environment, call.function, call.args)
        self._calls.append(call)
        given = error or (tool_result_to_str(result) if self._as_text else _plain(result))
        self._watcher.gave(call.function, args, given)
        return any(_holds(_plain(result), text) for text in self._planted)

    def succeeded(self, wanted: Any) -> bool:
        if wanted is None or not self.has_calls:
            return False
        by_trace = wanted.security_from_traces("", self._before, self._environment, self._calls)
        if by_trace is not None:
            return bool(by_trace)
        return bool(wanted.security("", self._before, self._environment))


def _attack_on(suite: Any) -> ImportantInstructionsAttack:
    pipeline = GroundTruthPipeline(None)
    pipeline.name = VICTIM
    return ImportantInstructionsAttack(suite, pipeline)


def _plain(result: Any) -> Any:
    """A result as the JSON that a tool server would give."""
    return json.loads(json.dumps(_PLAIN.dump_python(result, mode="json"), default=str))


def _holds(value: Any, text: str) -> bool:
    if isinstance(value, str):
        return text in _one_line(value)
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_holds(child, text) for child in children)


def _one_line(text: str) -> str:
    """The text with its lines joined: the environments are YAML, which folds them."""
    return " ".join(text.split())


def _environment(suite: Any, planted: dict[str, str]) -> Any:
    """What `load_and_inject_default_environment` gives, ten times faster."""
    written = read_suite_file(suite.name, "environment.yaml", suite.data_path)
    filled = written.format(**(suite.get_injection_vector_defaults() | planted))
    return suite.environment_type.model_validate(yaml.load(filled, _LOADER))
