"""`Guard`: a loaded policy, ready to decide; and `Guard.session`, where an agent's work is checked.

    guard = Guard.load("support.guard")
    session = guard.session(principal={"id": "ana", "customers": ["c-17"]})
    decision = session.check_call("issue_refund", {"customer_id": "c-17", "amount": 40})

The policy can be replaced while it is in use: `reload` swaps it as a whole, and keeps the last good one when
the new one does not load.
"""

from __future__ import annotations

from guardrails.errors import PolicyError
from guardrails.runtime.clock import SystemClock
from guardrails.runtime.engine import Engine, Subject
from guardrails.runtime.events import check_event, session_of, time_of
from guardrails.runtime.program import Program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from os import PathLike
    from typing import Any

    from guardrails.approvals.desk import Approvals
    from guardrails.approvals.groups import Groups
    from guardrails.audit.log import AuditLog
    from guardrails.diagnostics import Diagnostic
    from guardrails.inspection import BreakerState, LimitState
    from guardrails.model import Decision
    from guardrails.observing import Observer
    from guardrails.runtime.host import HostFunction
    from guardrails.runtime.ports import Clock
    from guardrails.runtime.prices import Prices
    from guardrails.server.remote import RemoteGuard
    from guardrails.session import Session
    from guardrails.state import State
    from guardrails.stores.port import Store
    from guardrails.telemetry import Telemetry
    from guardrails.watching import Watch


class Guard:
    """A policy in force. Thread-safe: deciding changes nothing, and a reload swaps one reference."""

    def __init__(
        self,
        program: Program,
        *,
        clock: Clock | None = None,
        source: Source | None = None,
        state: State | None = None,
        detectors: Mapping[str, Any] | None = None,
        key: str | bytes | None = None,
        reviewers: Any = None,
    ) -> None:
        from guardrails.runtime.host import Host, secret_of

        if program.__class__ is not Program:
            from guardrails.guard_parameters import check_program

            check_program(program)
        _check(clock=clock, detectors=detectors, key=key, reviewers=reviewers)
        self.clock: Clock = SystemClock() if clock is None else clock
        self._state = state
        self.source = source
        self.host = Host(source.functions if source else {}, detectors, secret_of(key))
        self.diagnostics: tuple[Diagnostic, ...] = ()
        self.observers: tuple[Observer, ...] = ()
        """Who is told of every check of sessions that are opened from now on, the outermost first."""
        self.audit: AuditLog | None = None
        self.telemetry: Telemetry | None = None
        self._groups: Groups | None = None if reviewers is None else _groups(reviewers)
        self.engine = Engine(program)

    # --- loading -------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        *paths: str | PathLike[str],
        params: Mapping[str, Any] | None = None,
        functions: Iterable[HostFunction] = (),
        clock: Clock | None = None,
        store: str | Store | None = None,
        prices: str | PathLike[str] | Prices | None = None,
        local_share: float | str = "0.1",
        strict_halts: bool = False,
        detectors: Mapping[str, Any] | None = None,
        key: str | bytes | None = None,
        telemetry: str | Telemetry | None = None,
        audit: str | AuditLog | None = None,
        reviewers: str | PathLike[str] | Mapping[str, Iterable[str]] | None = None,
    ) -> Guard:
        """Load one policy from one or more files. Raises `PolicyError` with every diagnostic, and `EvaluationError`
        with the name of a parameter that was given something else than it takes.

        `store` is where limits, budgets, sessions and halts are kept: a URL (`memory:`, `sqlite:///path`,
        `redis://host`), or a store. Without it `GUARD_STORE` says where, else this process keeps them.
        `prices` is a price table for budgets of cost. `local_share` is the part of a limit that this process
        grants alone where `degrade to local` lets it. `strict_halts` asks the store for halts at every
        event, instead of at most every 50 ms. `detectors` take the place of built-in ones (`pii`, `secrets`,
        `injection`) or of those that the policy declares, by name. `key` is the secret behind `redact ...
        with hash` and `with token`, of 16 bytes or more; without it `GUARD_KEY` holds it. `telemetry` is
        `metrics`, `otel`, `otlp` or a `guardrails.telemetry.Telemetry`; without it `GUARD_TELEMETRY` says
        which, else there is none. `audit` is the log that every decision is written to before it is told: a
        URL (`file:///var/log/guard`, `sqlite:///path`, `postgresql://host/database`), or a log; without it
        `GUARD_AUDIT` says which. Raises `AuditError` for one that cannot be used, and for a policy that says
        `audit` where there is none. `reviewers` says who is in the groups that the policy asks, as
        `{"finance": ["ana", "bob"]}` or as a YAML, TOML or JSON file of that; without it `GUARD_REVIEWERS` names
        the file.
        """
        if not paths:
            raise PolicyError((), "no policy is named: `Guard.load` takes one file or more")
        files = [path if path.__class__ is str else _path(path) for path in paths]
        _check(params=params)
        source = Source(files, params or {}, _hosted(functions))
        state = _state(store, prices, local_share, strict_halts=strict_halts)
        settings: dict[str, Any] = {"detectors": detectors, "key": key, "reviewers": reviewers}
        return cls._from(source, telemetry, audit, clock=clock, state=state, **settings)

    @classmethod
    def from_text(
        cls,
        text: str | Sequence[tuple[str, str]],
        *,
        tools: str | None = None,
        params: Mapping[str, Any] | None = None,
        functions: Iterable[HostFunction] = (),
        clock: Clock | None = None,
        store: str | Store | None = None,
        prices: str | PathLike[str] | Prices | None = None,
        local_share: float | str = "0.1",
        strict_halts: bool = False,
        detectors: Mapping[str, Any] | None = None,
        key: str | bytes | None = None,
        telemetry: str | Telemetry | None = None,
        audit: str | AuditLog | None = None,
        reviewers: str | PathLike[str] | Mapping[str, Iterable[str]] | None = None,
    ) -> Guard:
        """Load a policy from texts, given as one text or as `(name, text)` pairs. `tools` is the JSON text of
        a tool file for all of it; the rest is as for `load`."""
        files = [("policy.guard", text)] if isinstance(text, str) else _texts(text)
        _check(params=params, tools=tools)
        source = Source([name for name, _ in files], params or {}, _hosted(functions), dict(files), tools)
        state = _state(store, prices, local_share, strict_halts=strict_halts)
        settings: dict[str, Any] = {"detectors": detectors, "key": key, "reviewers": reviewers}
        return cls._from(source, telemetry, audit, clock=clock, state=state, **settings)

    @classmethod
    def connect(cls, address: str, *, key: str | None = None, timeout: float = 10.0) -> RemoteGuard:
        """A guard in another process, which `guard serve --frames unix:PATH` runs: the same sessions and decisions.
        `address` is `unix:PATH`, `key` one of its keys where it has any, and `timeout` the seconds that an answer
        may take. See `guardrails.server.remote`."""
        from guardrails.server.remote import RemoteGuard

        return RemoteGuard(address, key=key, timeout=timeout)

    @classmethod
    def _from(
        cls, source: Source, telemetry: str | Telemetry | None, audit: str | AuditLog | None, **settings: Any
    ) -> Guard:
        from os import environ

        _check(telemetry=telemetry, audit=audit)
        program, diagnostics = source.load()
        guard = cls(program, source=source, **settings)
        guard.diagnostics = diagnostics
        guard.write_to(audit)
        telemetry = telemetry or environ.get("GUARD_TELEMETRY")
        if telemetry:
            from guardrails.telemetry import instrument

            instrument(guard, telemetry)
        return guard

    def reload(self) -> bool:
        """Load the policy anew and swap it in. Raises `PolicyError`, with the policy in force unchanged,
        when the new one does not load. True when it is another policy than before."""
        if self.source is None:
            return False
        program, diagnostics = self.source.load()
        changed = program.digest != self.digest
        _check_audit(program, self.audit)
        self.diagnostics = diagnostics
        if changed:
            self.engine = Engine(program)
        return changed

    def watch(self, interval: float = 1.0) -> Watch:
        """Reload in the background whenever a file changes; `interval` is in seconds."""
        from guardrails.guard_parameters import check_interval
        from guardrails.watching import Watch

        check_interval(interval)
        return Watch(self, interval)

    def write_to(self, audit: str | AuditLog | None) -> None:
        """Write every decision to this log, or to the one that `GUARD_AUDIT` names, in the sessions that are
        opened from now on. Raises `AuditError`."""
        from os import environ

        _check(audit=audit)
        named = audit if audit is not None else environ.get("GUARD_AUDIT") or None
        if named is not None:
            from guardrails.audit import open_log
            from guardrails.audit.recorder import Recorder

            self.audit = open_log(named) if isinstance(named, str) else named
            self.observers = (*self.observers, Recorder(self.audit))
        _check_audit(self.engine.program, self.audit)

    # --- state ---------------------------------------------------------------------------------

    @property
    def is_stateful(self) -> bool:
        """Whether a decision needs the store: the policy counts or remembers something, or a store was
        named, which may hold halts."""
        return self._state is not None or self.engine.program.head["stateful"]

    @property
    def state(self) -> State:
        """Where this guard keeps limits, budgets, sessions and halts; opened when it is first needed."""
        if self._state is None:
            from guardrails.state import State

            self._state = State("memory:")
            if not self.engine.program.head["stateful"]:
                self.engine = Engine(self.engine.program)  # sessions that run see that there is something new
        return self._state

    def halt(self, scope: str = "all", *, by: str, why: str, seconds: float | None = None) -> None:
        """Stop `all`, or an `agent:ID`, `principal:ID`, `session:ID` or `tool:NAME` (with `*` for a group),
        for everyone who shares the store, until it is resumed or `seconds` are over."""
        from guardrails.guard_parameters import check_halt

        check_halt(scope, by, why, seconds)
        now = self.clock.now()
        until = None if seconds is None else now + int(seconds * 1_000_000)
        self.state.halt(scope, by, why, now=now, until=until)
        for observer in self.observers:
            observer.switched(self, {"halt": scope, "by": by, "why": why, "seconds": seconds})

    def resume(self, scope: str = "all") -> bool:
        """Lift a halt; False: there was none of that scope."""
        from guardrails.guard_parameters import check_scope

        check_scope(scope)
        lifted = self.state.resume(scope)
        for observer in self.observers:
            observer.switched(self, {"resume": scope, "lifted": lifted})
        return lifted

    def limits(
        self, *, session: str | None = None, principal: str | None = None
    ) -> tuple[LimitState | BreakerState, ...]:
        """How full each limit, budget and breaker of the policy is, also those that nothing has used yet;
        with an id, only what is counted for that session, or by that principal. Charges nothing. Raises
        `StoreUnavailable`."""
        from guardrails.inspection import limits_of

        _check(session=session, principal=principal)
        return limits_of(self, session=session, principal=principal)

    @property
    def approvals(self) -> Approvals:
        """What people are asked, and where their answers come in; with an audit log every answer is written there
        before it counts. Raises `EvaluationError` for reviewers (given, or named by GUARD_REVIEWERS) that cannot
        be read."""
        from guardrails.approvals.desk import Approvals

        if self._groups is None:
            self._groups = _groups(None)
        asked, chronicle = self.engine.program.head["asked"], None
        if self.audit is not None:
            from guardrails.approvals.chronicle import Chronicle

            mode = self.engine.program.head.get("audit")
            chronicle = Chronicle(self.audit, self.clock, spills=mode is None or mode[1] == "spill")
        policy = (self.name, self.digest)
        return Approvals(self.state.store, self.clock, self._groups, policy, asked, chronicle)

    # --- deciding ------------------------------------------------------------------------------

    @property
    def digest(self) -> str:
        """The identity of the policy in force."""
        return self.engine.program.digest

    @property
    def name(self) -> str:
        return str(self.engine.program.head["name"])

    def session(
        self,
        *,
        principal: Mapping[str, Any] | None = None,
        agent: Mapping[str, Any] | None = None,
        id: str | None = None,
        tools: Iterable[Mapping[str, Any]] | None = None,
        facts: Mapping[str, Any] | None = None,
        task: str | None = None,
        given: Mapping[str, Any] | None = None,
        allow: Iterable[str] | Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> Session:
        """A session of an agent that works for `principal`. `tools` are the live tool definitions: one that
        is not what the policy's tool file pinned is denied. `facts` are what else rules see as `session`.

        `task` is a task of the policy, `given` the values that it takes, and `allow` the tools that are enough
        for it: names or patterns, or for each the values that its arguments may have, such as
        `{"pay": {"iban": ["DE89..."]}}`. They narrow what the policy allows. Raises `EvaluationError` for a task
        that the policy does not have, and for values that it does not take.
        """
        chosen: dict[str, Any] = {
            "principal": principal, "agent": agent, "id": id, "tools": tools,
            "facts": facts, "task": task, "given": given, "allow": allow,
        }  # fmt: skip
        if self.observers:
            from guardrails.observing import opened

            return opened(self, **chosen)
        from guardrails.session import Session

        return Session(self, **chosen)

    def subject(self, principal: Any, agent: Any, session: Any) -> Subject:
        """Records of principal, agent and session, bound to their declared types."""
        from guardrails.runtime.binding import bind_record

        head = self.engine.program.head
        return Subject(
            bind_record(principal, head["principal"], "principal"),
            bind_record(agent, head["agent"], "agent"),
            session if session.__class__ is dict else {},
            self.host,
        )

    def now(self) -> int:
        """The time of a decision in microseconds; 0 for a policy that never asks."""
        return self.clock.now() if self.engine.program.head["uses_now"] else 0

    def decide(self, event: Mapping[str, Any], *, now: int | None = None) -> Decision:
        """The decision on one event as data; see `runtime.events`. Raises `EventError` for a malformed one."""
        kind = check_event(event)
        assert isinstance(event, dict)
        if now is not None and now.__class__ is not int:
            _check(now=now)
        if self.observers:
            from guardrails.observing import observed_event

            return observed_event(self, event, lambda: self._decided(event, kind, now), now)
        return self._decided(event, kind, now)

    def _decided(self, event: dict[str, Any], kind: str, now: int | None) -> Decision:
        if self.is_stateful or kind not in ("call", "result", "input", "output"):
            from guardrails.reporting import decided

            return decided(self, event, now)
        at = time_of(event)
        moment = at if at is not None else now if now is not None else self.now()
        session = session_of(event)
        if "task" in session or "given" in session:
            from guardrails.reporting import check_task

            check_task(self, session)
        subject = self.subject(event.get("principal", {}), event.get("agent", {}), session)
        if kind == "call":
            return self.call(event["tool"], event["args"], subject, moment, event.get("tool_digest"))
        if kind == "result":
            return self.engine.result(event["tool"], event.get("args"), event["result"], subject, moment)
        return self.engine.text(kind, event["text"], subject, moment)

    def call(self, tool: str, args: Any, subject: Subject, now: int, digest: str | None = None) -> Decision:
        """The decision on a call; one of a tool that is not the pinned one is denied."""
        if digest is not None and self.engine.program.head["pinned"].get(tool, digest) != digest:
            from guardrails.session import changed_tool

            return changed_tool(tool, self.digest)
        return self.engine.call(tool, args, subject, now)


def _check_audit(program: Program, log: AuditLog | None) -> None:
    """Raise where the policy wants a log that is not there: nothing is decided without it (law L9)."""
    wanted = program.head.get("audit")
    if not wanted or (log is not None and (wanted[1] != "spill" or log.has_spill)):
        return
    from guardrails.audit.errors import AuditError

    if log is None:
        raise AuditError(
            "the policy says `audit`, and no audit log is named: give `audit=`, or set GUARD_AUDIT"
        )
    raise AuditError(
        "the policy says `audit ... else spill`, and the log has no second one: add `?spill=/folder`"
    )


def _state(
    store: str | Store | None, prices: Any, local_share: float | str, *, strict_halts: bool
) -> State | None:
    """The state that was asked for; None where nothing was said of it."""
    from os import environ

    store = store if store is not None else environ.get("GUARD_STORE") or None
    if store is None and prices is None and local_share == "0.1" and strict_halts is False:
        return None
    from guardrails.state import State

    home = "memory:" if store is None else store
    return State(home, prices=prices, local_share=local_share, strict_halts=strict_halts)


def _check(**given: Any) -> None:
    """Raise `EvaluationError` for what does not fit, of what was given for these parameters at all."""
    if any(value is not None for value in given.values()):
        from guardrails.guard_parameters import check

        check(given)


def _path(path: Any) -> str:
    from guardrails.guard_parameters import path_of

    return path_of(path)


def _texts(text: Any) -> list[tuple[str, str]]:
    from guardrails.guard_parameters import texts_of

    return texts_of(text)


def _groups(reviewers: Any) -> Groups:
    from guardrails.approvals.groups import groups_of

    return groups_of(reviewers)


def _hosted(functions: Iterable[HostFunction]) -> dict[str, HostFunction]:
    from sys import modules

    hosting = modules.get("guardrails.hosting")
    registered = dict(hosting.REGISTERED) if hosting else {}
    if functions != ():
        from guardrails.guard_parameters import functions_of

        functions = functions_of(functions)
    return registered | {function.name: function for function in functions}


class Source:
    """Where a policy comes from, to be loaded again: files, or texts by name."""

    def __init__(
        self,
        paths: list[str],
        params: Mapping[str, Any],
        functions: Mapping[str, HostFunction],
        texts: Mapping[str, str] | None = None,
        tools: str | None = None,
    ) -> None:
        self.paths = paths
        self.params = params
        self.functions = functions
        self.texts = texts
        self.tools = tools
        self.files: tuple[str, ...] = tuple(paths)

    def load(self) -> tuple[Program, tuple[Diagnostic, ...]]:
        """The program and its warnings. Raises `PolicyError`."""
        from guardrails.loading import load, read_file

        read = read_file if self.texts is None else self.texts.__getitem__
        loaded = load(self.paths, params=self.params, functions=self.functions, read=read, tools=self.tools)
        self.files = tuple(loaded.sources.texts) or self.files
        if loaded.program is None:
            from guardrails.renderings import render_text

            raise PolicyError(loaded.diagnostics, render_text(loaded.diagnostics, loaded.sources.texts))
        return loaded.program, loaded.diagnostics
