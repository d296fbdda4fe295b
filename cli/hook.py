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
    from guardrails.model import Decision

ROOTS = ("CLAUDE_PROJECT_DIR", "GEMINI_PROJECT_DIR", "CURSOR_PROJECT_DIR")
"""Where hosts say which folder the project is in."""

MOST = 32 * 2**20
"""Bytes of an event that are read."""

TIMEOUT = 8.0
KEEP = 7 * 86_400_000_000
"""How long an event is known again, in microseconds."""


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
        is_audited = bool(request.get("audit") or os.environ.get("GUARD_AUDIT"))
        self._counts = is_audited or bool(policy.program.head["stateful"])
        if self.state is None and is_audited:
            self._remember()

    def decide(self, event: Any, *, once: str = "") -> Decision:
        """The decision on an event. What people are asked, and which events were there before, is kept in a
        store also where the policy itself keeps nothing."""
        if once and self._counts and self.state is not None:
            return self._once(event, "hook/" + _digest(once))
        decision = super().decide(event)
        if decision.outcome.value != "ask" or self.state is not None:
            return decision
        self._remember()
        return super().decide(event)

    def seal(self, session: str, why: str) -> None:
        """Halt a session, also where the policy keeps nothing."""
        if self.state is None:
            self._remember()
        self._guard.halt(f"session:{session}", by="guard hook", why=why)

    def _remember(self) -> None:
        self.state = opened(own_store())
        self._guard = self._watched(self._policy.guard(self.state))

    def held(self, once: str) -> str:
        """The reservation of an earlier event; empty where none is known."""
        if not once or self.state is None:
            return ""
        known = self.state.store.read("hook/" + _digest(once), now=self._guard.clock.now())
        return known.text.split(" ")[2] if known else ""

    def _once(self, event: Any, key: str) -> Decision:
        """The decision on an event that may have been decided before: then it is written down only if it is
        another one now."""
        from guardrails.reporting import decided

        assert self.state is not None
        store, now = self.state.store, self._guard.clock.now()
        name = _name(event, self._guard.digest)
        known = store.read(key, now=now)
        if known is not None and known.text.startswith(name):
            again = decided(self._guard, event, None)
            if known.text.startswith(f"{name} {again.outcome.value} "):
                return again
        decision = super().decide(event)
        text = f"{name} {decision.outcome.value} {decision.reservation}"
        store.swap(key, text, version=known.version if known else 0, keep=KEEP, now=now)
        return decision


def _name(event: Any, policy: str) -> str:
    """What stands for an event and the policy that decides it."""
    from guardrails.strict_json import write_json

    return _digest(policy + write_json(event, by_name=True))


def _digest(text: str) -> str:
    from hashlib import sha256

    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
