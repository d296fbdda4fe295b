"""`guard hook HOST`: the event of a coding agent in, the answer in its own words out.

This process stands in front of every call of an agent, so it imports what the decision needs and nothing else. Most
hosts run the tool when a hook fails; so whatever goes wrong here, from a command line with a mistake to an answer
that takes too long, ends in the reply that the host takes for a refusal.
"""

from __future__ import annotations

import os
import sys

from guardrails.integrations.hosts import HOSTS, host_named
from guardrails.integrations.judging import Setting, judged
from guardrails.integrations.wire import HookError, Reply, refused

from .check import Decider
from .hook_options import HookRequest, parse
from .policies import Policy
from .problems import Stop
from .stores import opened, own_store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from guardrails.integrations.hosts import Host
    from guardrails.integrations.remembering import Remembered
    from guardrails.model import Decision

ROOTS = ("CLAUDE_PROJECT_DIR", "GEMINI_PROJECT_DIR", "CURSOR_PROJECT_DIR")
"""Where hosts say which folder the project is in."""

MOST = 32 * 2**20
"""Bytes of an event that are read."""

TIMEOUT = 8.0


def hook(words: list[str]) -> int:
    """Run the command; gives the exit code. Raises nothing."""
    try:
        reply = _replied(words)
    except BaseException as error:
        reply = _broken(words, error)
    try:
        sys.stdout.write(reply.out)
        sys.stderr.write(reply.err)
        sys.stdout.flush()
        sys.stderr.flush()
    except Exception:
        return 2
    return reply.code


def _replied(words: list[str]) -> Reply:
    """The reply to the event on standard input."""
    request = parse(words)
    if not request.host:
        raise HookError(f"no host is named: write `guard hook HOST POLICY`; there are {', '.join(HOSTS)}")
    if request.host not in HOSTS:
        raise HookError(f"`{request.host}` is no host; there are {', '.join(HOSTS)}")
    host = host_named(request.host)
    with InTime(request.get("timeout")):
        event = _event()
        moment = host.read(event, _root(request))
        try:
            bench = Hearing(request, _policy(request))
            answer = judged(bench, host, moment, _setting(request))
            bench.policy.keep()
        except Exception as error:
            return _without_decision(host, moment, error)
        return host.write(moment, answer)


def _without_decision(host: Host, moment: Any, error: Exception) -> Reply:
    """The reply where the event was understood and could not be decided."""
    from guardrails.integrations.contract import Verdict, fitted
    from guardrails.integrations.judging import able

    if moment.point == "pre_tool" or moment.point not in host.ABILITIES:
        raise error
    answer = fitted(Verdict("deny", _told(error)), moment, able(host, moment))
    if answer.form == "seal":
        raise error
    return host.write(moment, answer)


def _broken(words: list[str], error: BaseException) -> Reply:
    """The reply to something that was not understood, or could not be decided."""
    if os.environ.get("GUARD_DEBUG") == "1":
        import traceback

        traceback.print_exception(error)
    text = _told(error)
    if words[:1] and words[0] in HOSTS:
        try:
            return host_named(words[0]).broken(text)
        except BaseException:
            return refused(text)
    return refused(text)


def _told(error: BaseException) -> str:
    if isinstance(error, Stop):
        return f"Blocked, because guard could not decide: {error.text.removeprefix('error: ')}"
    said = str(error) or error.__class__.__name__
    return f"Blocked, because guard could not decide: {said}"


# --- what goes in ------------------------------------------------------------------------------


def _event() -> dict[str, Any]:
    from guardrails.strict_json import read_json

    data = sys.stdin.buffer.read(MOST + 1)
    if len(data) > MOST:
        raise HookError(f"the host's event is larger than {MOST // 2**20} MB")
    if not data.strip():
        raise HookError("there is no event on standard input: the host writes one there")
    try:
        event = read_json(data.decode().removeprefix("\ufeff"))
    except UnicodeDecodeError:
        raise HookError("the host's event is not UTF-8 text") from None
    if event.__class__ is not dict:
        raise HookError("the host's event is no JSON object")
    return dict(event)


def _root(request: HookRequest) -> str:
    named = request.get("root") or next((os.environ[name] for name in ROOTS if os.environ.get(name)), None)
    return os.path.abspath(named or os.curdir)


def _policy(request: HookRequest) -> Policy:
    if not request.paths:
        named = os.environ.get("GUARD_POLICY")
        if not named:
            raise HookError("no policy is named: give it as `guard hook HOST POLICY`, or in GUARD_POLICY")
        request.paths.append(named)
    return Policy(request)


def _setting(request: HookRequest) -> Setting:
    principal, agent = _record(request, "principal"), _record(request, "agent")
    return Setting(principal or {}, agent or {"id": request.host}, request.present)


def _record(request: HookRequest, name: str) -> dict[str, Any] | None:
    text = request.get(name)
    if text is None:
        return None
    from .json_values import option_value

    value = option_value(text, name)
    if value.__class__ is not dict:
        raise HookError(f"`--{name}` is a JSON object")
    return dict(value)


class InTime:
    """What runs inside ends in time, or with a `HookError`: a hook that the host has to kill is passed over."""

    __slots__ = ("_before", "_seconds")

    def __init__(self, text: str | None) -> None:
        try:
            self._seconds = float(text) if text else TIMEOUT
        except ValueError:
            self._seconds = -1.0
        if not 0 < self._seconds < 3600:
            raise HookError(f"`--timeout` is a number of seconds, not `{text}`")
        self._before: Any = None

    def __enter__(self) -> None:
        if sys.platform == "win32":
            return
        from signal import ITIMER_REAL, SIGALRM, setitimer, signal

        self._before = signal(SIGALRM, self._late)
        setitimer(ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        if sys.platform == "win32":
            return
        from signal import ITIMER_REAL, SIGALRM, setitimer, signal

        setitimer(ITIMER_REAL, 0)
        signal(SIGALRM, self._before)

    def _late(self, *_: object) -> None:
        raise HookError(f"deciding took longer than {self._seconds:g} s")


# --- deciding ----------------------------------------------------------------------------------


class Hearing(Decider):
    """Decides the events of one hook process, by the policy and by what the store knows."""

    def __init__(self, request: HookRequest, policy: Policy) -> None:
        super().__init__(request, policy)
        self.policy = policy
        self._request: HookRequest = request
        is_audited = bool(request.get("audit") or os.environ.get("GUARD_AUDIT"))
        self._counts = is_audited or bool(policy.program.head["stateful"])
        if self.state is None and is_audited:
            self._remember()

    def decide(self, event: Any, *, once: str = "") -> Decision:
        """The decision on an event. What people are asked, and which events were there before, is kept in a
        store also where the policy itself keeps nothing."""
        if once and self._counts and self.state is not None:
            return self._remembered.decided(event, once, super().decide)
        decision = super().decide(event)
        if decision.outcome.value != "ask" or self.state is not None:
            return decision
        self._remember()
        return super().decide(event)

    def agreed(self, event: Any, decision: Decision, *, once: str = "") -> Decision:
        """The decision on a call that asks, as if whoever sits at the host had agreed. What it uses up is held until
        its result is here; when they do not agree it comes back in a day."""
        from guardrails.integrations.remembering import HOLD

        self._remembered.approve(decision, self._request.host, self._request.present)
        return self.decide({**event, "hold": HOLD}, once=once)

    def keep(self, once: str, event: Any, text: str) -> None:
        if self.state is not None:
            self._remembered.keep(once, event, text)

    def kept(self, once: str, event: Any) -> str:
        return self._remembered.kept(once, event) if self.state is not None else ""

    def held(self, once: str) -> str:
        return self._remembered.held(once) if once and self.state is not None else ""

    def seal(self, session: str, why: str) -> None:
        """Halt a session, also where the policy keeps nothing."""
        if self.state is None:
            self._remember()
        self._guard.halt(f"session:{session}", by="guard hook", why=why)

    @property
    def _remembered(self) -> Remembered:
        from guardrails.integrations.remembering import Remembered

        return Remembered(self._guard)

    def _remember(self) -> None:
        self.state = opened(own_store())
        self._guard = self._watched(self._policy.guard(self.state))
