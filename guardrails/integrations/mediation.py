"""Mediation: everything that goes between a session and the adapter of a framework.

Takes calls, results and texts as a framework tells them, gives what the framework shall do: a `Passage` for a call, a
`Checked` for a result or text. The one idea: whatever goes wrong while deciding is a refusal, because some frameworks
run the tool when their hook raises; and every step leaves a receipt, so that a step that was skipped is noticed.

    passage = mediation.call("pay", {"amount": 900}, id="call_1")
    if passage.allowed:
        checked = mediation.result(passage.id, "pay", run(passage.args))

Every method has a twin for an event loop, with an `a` before its name.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, GuardError, Unavailable
from guardrails.integrations.given import session_given
from guardrails.integrations.passages import (
    LOG,
    Checked,
    Passage,
    arguments_of,
    checked_of,
    passage_of,
    still_waiting,
    unjudged,
    withheld,
)
from guardrails.integrations.readings import Reading
from guardrails.integrations.receipts import OPEN, REFUSED, WAITING, Newest, Receipts, mark_of
from guardrails.model import Outcome
from guardrails.runtime.usage import Usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Any, Protocol

    from guardrails.integrations.answers import Answer
    from guardrails.integrations.model_streams import ModelStream
    from guardrails.model import Decision

    class AnySession(Protocol):
        """A session of a guard, in this process or behind a socket."""

        id: str

        @property
        def guard(self) -> Any: ...
        def check_call(self, tool: str, args: Any, *, call_id: str | None = None) -> Decision: ...
        def check_result(
            self,
            tool: str,
            result: Any,
            *,
            args: Any = None,
            call_id: str | None = None,
            reservation: str = "",
        ) -> Decision: ...
        def check_input(self, text: str, *, by: str = "user") -> Decision: ...
        def check_output(self, text: str) -> Decision: ...
        def acheck_call(self, tool: str, args: Any, *, call_id: str) -> Awaitable[Decision]: ...
        def acheck_result(
            self,
            tool: str,
            result: Any,
            *,
            args: Any = None,
            call_id: str | None = None,
            reservation: str = "",
        ) -> Awaitable[Decision]: ...
        def acheck_input(self, text: str, *, by: str = "user") -> Awaitable[Decision]: ...
        def acheck_output(self, text: str) -> Awaitable[Decision]: ...
        def failed(
            self, tool: str, args: Any, *, decision: Decision | None = None, call_id: str | None = None
        ) -> None: ...
        def report(self, usage: Usage) -> Decision: ...


class Mediation:
    """One session as an adapter uses it. Thread-safe. `reviewer` is the person in front of the host, by whose name
    answers count that come without one."""

    def __init__(self, session: AnySession, *, reviewer: str = "") -> None:
        self.session: AnySession = session_given(session)
        self.reviewer = reviewer
        self.receipts = Receipts()
        self._open = Newest[Passage]()

    # --- calls ---------------------------------------------------------------------------------

    def call(self, tool: str, args: Any, id: str | None = None) -> Passage:
        """Judge a call that is about to run. `args` are a record, or its JSON. Raises nothing."""
        begun = self._begun(tool, args, id)
        if isinstance(begun, Passage):
            return begun
        name, given = begun
        try:
            decision = self.session.check_call(tool, given, call_id=name)
            if _asks_nobody(decision):
                decision = self._asked(tool, given, name)
        except Exception as error:
            return self._judged(unjudged(tool, given, name, error))
        return self._judged(passage_of(tool, given, name, decision))

    async def acall(self, tool: str, args: Any, id: str | None = None) -> Passage:
        begun = self._begun(tool, args, id)
        if isinstance(begun, Passage):
            return begun
        name, given = begun
        try:
            decision = await self.session.acheck_call(tool, given, call_id=name)
            if _asks_nobody(decision):
                decision = await _apart(lambda: self._asked(tool, given, name))
        except Exception as error:
            return self._judged(unjudged(tool, given, name, error))
        return self._judged(passage_of(tool, given, name, decision))

    def _begun(self, tool: str, args: Any, id: str | None) -> tuple[str, Any] | Passage:
        """The name and arguments of a call; or its refusal, where they cannot be read."""
        try:
            given = arguments_of(args)
        except GuardError as error:
            name, _ = self.receipts.name(tool, mark_of(args), id)
            return self._judged(unjudged(tool, args, name, error))
        name, replaced = self.receipts.name(tool, mark_of(given), id)
        if replaced:
            self._give_back(replaced)
        return name, given

    def _judged(self, passage: Passage) -> Passage:
        state = OPEN if passage.allowed else WAITING if passage.outcome == "ask" else REFUSED
        self.receipts.judged(passage.id, passage.tool, mark_of(passage.given), state)
        if passage.allowed:
            self._open[passage.id] = passage
        return passage

    def _asked(self, tool: str, args: Any, name: str) -> Decision:
        """A policy that keeps nothing has nowhere to keep a request: give it a store, and ask again."""
        _ = self.session.guard.state
        return self.session.check_call(tool, args, call_id=name)

    def dropped(self, passage: Passage) -> None:
        """An allowed call does not run after all: what it was charged is given back."""
        self._give_back(passage.id)

    def _give_back(self, name: str) -> None:
        passage = self._open.pop(name, None)
        self.receipts.closed(name)
        if passage is not None and passage.decision is not None and passage.decision.reservation:
            self._quietly(lambda: self._release(passage))

    def _release(self, passage: Passage) -> None:
        session: Any = self.session
        session.release(passage.decision)

    # --- people --------------------------------------------------------------------------------

    def answered(self, passage: Passage, answer: Answer) -> Passage:
        """Judge a call again, after somebody at the host answered. What was answered is kept with the request first,
        under the name of who did; an answer that does not count is told, and the call stays refused."""
        if answer.approves is not None and passage.request:
            try:
                self._keep(passage, answer)
            except Exception as error:
                return still_waiting(passage, error)
        return self.call(passage.tool, passage.given, passage.id)

    async def aanswered(self, passage: Passage, answer: Answer) -> Passage:
        judged: Passage = await _apart(lambda: self.answered(passage, answer))
        return judged

    def _keep(self, passage: Passage, answer: Answer) -> None:
        by = answer.by or self.reviewer
        if not by:
            raise EvaluationError(
                "an answer counts with the name of who gives it: say `by` in it, or `reviewer=` of the adapter"
            )
        desk = self.session.guard.approvals
        verdict = desk.approve if answer.approves else desk.deny
        verdict(passage.request, by=by, reason=answer.reason)

    # --- results -------------------------------------------------------------------------------

    def result(self, id: str, tool: str, result: Any) -> Checked:
        """Judge what a call gave back. Raises `Unmediated` for a call that was not checked, or not allowed."""
        name = self.receipts.ended(id, tool)
        passage, reading = self._open.pop(name, None), Reading(result)
        try:
            decision = self.session.check_result(tool, reading.value, **_known(passage, name))
        except Exception as error:
            return withheld(error)
        return checked_of(decision, reading, result)

    async def aresult(self, id: str, tool: str, result: Any) -> Checked:
        name = self.receipts.ended(id, tool)
        passage, reading = self._open.pop(name, None), Reading(result)
        try:
            decision = await self.session.acheck_result(tool, reading.value, **_known(passage, name))
        except Exception as error:
            return withheld(error)
        return checked_of(decision, reading, result)

    def failed(self, id: str, tool: str) -> None:
        """A call was made and failed: what it was charged is given back, and breakers count it. Raises `Unmediated`
        for a call that was not checked, or not allowed."""
        name = self.receipts.ended(id, tool)
        passage = self._open.pop(name, None)
        if passage is not None:
            given: Any = passage
            self._quietly(
                lambda: self.session.failed(tool, given.given, decision=given.decision, call_id=name)
            )

    async def afailed(self, id: str, tool: str) -> None:
        await _apart(lambda: self.failed(id, tool))

    def error(self, id: str, tool: str, said: Any, *, args: Any = None) -> Checked:
        """Judge what a call that failed says of it, or what stands in the place of a result: the model reads that like
        a result. Raises nothing."""
        try:
            decision = self.session.check_result(tool, said, args=args, call_id=self.receipts.known(id))
        except Exception as error:
            return withheld(error)
        return checked_of(decision, None, said)

    async def aerror(self, id: str, tool: str, said: Any, *, args: Any = None) -> Checked:
        judged: Checked = await _apart(lambda: self.error(id, tool, said, args=args))
        return judged

    # --- texts ---------------------------------------------------------------------------------

    def input(self, text: str, *, by: str = "user") -> Checked:
        """Judge a text that goes into the model. Raises nothing."""
        try:
            return checked_of(self.session.check_input(text, by=by), None, text)
        except Exception as error:
            return withheld(error)

    async def ainput(self, text: str, *, by: str = "user") -> Checked:
        try:
            return checked_of(await self.session.acheck_input(text, by=by), None, text)
        except Exception as error:
            return withheld(error)

    def output(self, text: str) -> Checked:
        """Judge a text that leaves for a person or another system. Raises nothing."""
        try:
            return self.passed(checked_of(self.session.check_output(text), None, text))
        except Exception as error:
            return self.passed(withheld(error))

    async def aoutput(self, text: str) -> Checked:
        try:
            return self.passed(checked_of(await self.session.acheck_output(text), None, text))
        except Exception as error:
            return self.passed(withheld(error))

    def passed(self, checked: Checked) -> Checked:
        """Note that a text may leave in the form that the check gave it."""
        self.receipts.passed(str(checked.value))
        return checked

    def stream(self, mode: str = "whole") -> ModelStream:
        """The check of an output that the model writes in pieces: `whole` lets nothing go before its end, `pieces`
        what can no longer be part of anything that the policy redacts or denies."""
        from guardrails.integrations.model_streams import ModelStream

        return ModelStream(self, mode)

    # --- what a model used ---------------------------------------------------------------------

    def used(self, model: str | None, *, input: int = 0, output: int = 0, cached: int = 0) -> None:
        """Charge the tokens of a model's answer; a budget that is used up stops the next call. What cannot be charged
        while the store is away is charged before anything else."""
        if not (input or output or cached):
            return
        usage = Usage(model, input_tokens=max(0, input - cached), cached_tokens=cached, output_tokens=output)
        self._quietly(lambda: self.session.report(usage))

    async def aused(self, model: str | None, *, input: int = 0, output: int = 0, cached: int = 0) -> None:
        await _apart(lambda: self.used(model, input=input, output=output, cached=cached))

    # --- the rest ------------------------------------------------------------------------------

    def heard(self, results: Iterable[tuple[str, str]]) -> None:
        """The model is about to read the results of these calls, as `(id, tool)`. Raises `Unmediated`."""
        for id, tool in results:
            self.receipts.heard(id, tool)

    def _quietly(self, report: Callable[[], object]) -> None:
        """Tell what happened already: it cannot be undone, and what the store misses stays charged, the strict side."""
        try:
            report()
        except Unavailable as error:
            LOG.warning("what became of a call could not be kept: %s", error)


def _asks_nobody(decision: Decision) -> bool:
    return decision.outcome is Outcome.ASK and decision.consent is None


def _known(passage: Passage | None, name: str) -> dict[str, Any]:
    """How the check of a result finds its call."""
    if passage is None or passage.decision is None:
        return {"call_id": name}
    return {"args": passage.args, "call_id": name, "reservation": passage.decision.reservation}


async def _apart(work: Callable[[], Any]) -> Any:
    from asyncio import to_thread

    return await to_thread(work)
