"""Behavioural alarms: an agent that suddenly does other things than it did before.

Takes the tools it calls, what is denied to it and how long its outputs are; gives an `Alarm` when one of them
changes, and another when that is over. The one idea: there is no threshold to set for "normal"; the last events
are compared with the ones before them, so a new way of working raises one alarm and then is the new normal.

    tool mix        which tools are called, and how often
    denial rate     the share of calls that are denied
    output length   how long outputs are

Counted in events, not in time: what is learned at night is not compared with a different number by day.
"""

from __future__ import annotations

from threading import Lock

from guardrails.model import Value
from guardrails.telemetry.baselines import Kinds, Lengths
from guardrails.telemetry.catalogue import ALARMS_ON

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from guardrails.telemetry.baselines import Change
    from guardrails.telemetry.catalogue import Measure

TOOL_MIX, DENIAL_RATE, OUTPUT_LENGTH = "tool mix", "denial rate", "output length"
ALARM_KINDS = (TOOL_MIX, DENIAL_RATE, OUTPUT_LENGTH)
DENIED, LET_THROUGH = "denied", "let through"

LEAST_SIZE = {TOOL_MIX: 0.25, DENIAL_RATE: 0.2, OUTPUT_LENGTH: 2.0}
"""How large a change has to be beside being significant: a distance, a difference of shares, a factor."""


class Sensitivity(Value):
    """What is compared with what: the newest `window` events with the `baseline` events before them, of which
    `least` must be known. An alarm is raised at `raised` standard deviations and over below `cleared`."""

    __slots__ = ("baseline", "cleared", "least", "raised", "window")

    def __init__(
        self, window: int = 50, baseline: int = 500, least: int = 150, raised: float = 5.0, cleared: float = 3.0
    ) -> None:  # fmt: skip
        self.window = window
        self.baseline = baseline
        self.least = least
        self.raised = raised
        self.cleared = cleared


class Alarm(Value):
    """A change of an agent's behaviour: `kind` is one of the three, `state` raised or cleared. `score` says how
    unlikely it is by chance (standard deviations), `before` and `now` are the figures that changed (a distance
    from before for the tool mix), and `tools` those whose share changed most."""

    __slots__ = ("agent", "before", "kind", "now", "score", "state", "tools")

    def __init__(
        self, kind: str, agent: str, state: str, change: Change, tools: tuple[str, ...] = ()
    ) -> None:
        self.kind = kind
        self.agent = agent
        self.state = state
        self.score = round(change.score, 2)
        self.before = change.before
        self.now = change.size if kind == TOOL_MIX else change.now
        self.tools = tools


class Behaviour:
    """What one agent did last."""

    def __init__(self, agent: str, sensitivity: Sensitivity) -> None:
        self._agent = agent
        self._by = sensitivity
        self._tools = Kinds(sensitivity.window, sensitivity.baseline)
        self._verdicts = Kinds(sensitivity.window, sensitivity.baseline)
        self._outputs = Lengths(sensitivity.window, sensitivity.baseline)
        self._calls = self._texts = 0
        self.standing: dict[str, bool] = {}

    def called(self, tool: str, verdict: str) -> list[Alarm]:
        self._tools.add(tool)
        self._verdicts.add(verdict)
        self._calls += 1
        if not self._is_due(self._calls, self._tools.known):
            return []
        found = [
            self._judged(TOOL_MIX, self._tools.change()),
            self._judged(DENIAL_RATE, self._verdicts.change_of(DENIED)),
        ]
        return [alarm for alarm in found if alarm is not None]

    def wrote(self, length: int) -> list[Alarm]:
        self._outputs.add(length)
        self._texts += 1
        if not self._is_due(self._texts, self._outputs.known):
            return []
        found = self._judged(OUTPUT_LENGTH, self._outputs.change())
        return [] if found is None else [found]

    def _is_due(self, count: int, known: int) -> bool:
        """Looked at a few times in each window, not at every event: each look is another chance to be wrong."""
        return known >= self._by.least and count % max(self._by.window // 5, 1) == 0

    def _judged(self, kind: str, change: Change) -> Alarm | None:
        stands = self.standing.get(kind, False)
        if not stands and change.score >= self._by.raised and change.size >= LEAST_SIZE[kind]:
            state = "raised"
        elif stands and change.score < self._by.cleared:
            state = "cleared"
        else:
            return None
        self.standing[kind] = state == "raised"
        return Alarm(kind, self._agent, state, change, self._tools.movers() if kind == TOOL_MIX else ())


class Alarms:
    """The behaviour of every agent, by a label that is bounded already. Thread-safe."""

    def __init__(self, sensitivity: Sensitivity | None = None) -> None:
        self._sensitivity = sensitivity or Sensitivity()
        self._lock = Lock()
        self._agents: dict[str, Behaviour] = {}

    def called(self, agent: str, tool: str, *, denied: bool) -> list[Alarm]:
        """A call was decided."""
        with self._lock:
            return self._of(agent).called(tool, DENIED if denied else LET_THROUGH)

    def wrote(self, agent: str, length: int) -> list[Alarm]:
        """An output of so many characters was decided."""
        with self._lock:
            return self._of(agent).wrote(length)

    def _of(self, agent: str) -> Behaviour:
        found = self._agents.get(agent)
        if found is None:
            found = self._agents[agent] = Behaviour(agent, self._sensitivity)
        return found

    def read(self) -> Iterator[tuple[Measure, tuple[str, str], float]]:
        """Which alarms stand, as gauges; those that ever did stay, with 0."""
        with self._lock:
            standing = {
                (kind, name): float(on)
                for name, agent in self._agents.items()
                for kind, on in agent.standing.items()
            }
        for labels, value in standing.items():
            yield ALARMS_ON, labels, value
