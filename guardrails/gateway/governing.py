"""Governing: what servers ask of the client, which is more than most of them need.

A server may want a text from the client's model (`sampling`), a form filled by its person (`elicitation`), or the
names of its folders (`roots`). Each is a call of `server.NAME.sampling` and so on: closed unless a policy allows it,
and a server is not even told that the client could, where no statement might. The answer is a result, and may be
filtered on its way out.
"""

from __future__ import annotations

import asyncio
from os import urandom
from typing import TYPE_CHECKING, Any

from guardrails.gateway import eras, messages
from guardrails.gateway.flights import Declined
from guardrails.gateway.judging import plain
from guardrails.gateway.passing import Withheld, declined, merged, passed, stop_if_halted
from guardrails.gateway.results import parts_of_answer
from guardrails.model import Outcome

if TYPE_CHECKING:
    from guardrails.gateway.exchange import Exchange
    from guardrails.gateway.flights import Flight
    from guardrails.gateway.links import Client, Id, Message
    from guardrails.gateway.upstream import Upstream

ANSWERS = {
    "sampling": ("role", "content", "model", "stopReason"),
    "elicitation": ("action", "content"),
    "roots": ("roots",),
}
"""What is asked -> the members of its answers."""


class Question:
    """Something that the client is asked; `origin` is the server and its progress token, where it has one."""

    __slots__ = ("future", "origin")

    def __init__(self, future: asyncio.Future[dict[str, Any]], origin: tuple[Upstream, Id] | None) -> None:
        self.future = future
        self.origin = origin


class Governor:
    """Asks the client, for the gateway itself and for servers."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._questions: dict[Id, Question] = {}
        self._of_servers: dict[tuple[str, Id], asyncio.Task[Any]] = {}

    # --- asking the client ---------------------------------------------------------------------

    async def ask(
        self,
        flight: Flight | None,
        method: str,
        params: dict[str, Any],
        origin: tuple[Upstream, Id] | None = None,
    ) -> dict[str, Any]:
        """The client's result. Raises `Declined` for its error, or where it does not answer in time."""
        client, about = self._toward(flight)
        number = f"guard-{urandom(8).hex()}"
        question = Question(asyncio.get_running_loop().create_future(), origin)
        self._questions[number] = question
        if origin is not None:
            params = {**params, "_meta": {"progressToken": number}}
        try:
            await client.send(messages.request(number, method, params), about=about)
            async with asyncio.timeout(self._exchange.limits.asking):
                return await question.future
        except TimeoutError:
            await client.send(_taken_back(number, "nobody answered in time"), about=about)
            raise Declined("nobody answered in time") from None
        except asyncio.CancelledError:
            await client.send(_taken_back(number, "the call was given up"), about=about)
            raise
        finally:
            del self._questions[number]

    def _toward(self, flight: Flight | None) -> tuple[Client, Id | None]:
        client = flight.client if flight is not None else self._exchange.client
        if client is None:
            raise Declined("there is no client to ask")
        return client, flight.id if flight is not None else None

    def settle(self, message: Message) -> None:
        """The client answered something; what was not asked is dropped."""
        question = self._questions.get(message["id"]) if message["id"] is not None else None
        if question is None or question.future.done():
            return
        if "result" in message:
            question.future.set_result(message["result"])
        else:
            error = message["error"]
            question.future.set_exception(Declined(error["message"][:500], error["code"]))

    async def progress(self, params: dict[str, Any]) -> None:
        """The client tells how far it is with something that a server asked."""
        token = params.get("progressToken")
        question = self._questions.get(token) if messages.is_id(token) else None
        if question is not None and question.origin is not None:
            upstream, original = question.origin
            told: dict[str, Any] = {name: params[name] for name in ("progress", "total") if name in params}
            await upstream.notify("notifications/progress", {**told, "progressToken": original})

    # --- what servers may ask ------------------------------------------------------------------

    def offered(self, upstream: Upstream) -> dict[str, Any]:
        """What a server is told that the client can do: no more than a policy might let it ask."""
        return {
            name: each for name, each in self._exchange.abilities.items() if name in self.askable(upstream)
        }

    def askable(self, upstream: Upstream) -> frozenset[str]:
        naming, judge = self._exchange.naming, self._exchange.judge
        return frozenset(
            kind
            for method, kind in eras.ASKED.items()
            if judge.may_ever(naming.asked_by(upstream.name, method))
        )

    async def asked(self, upstream: Upstream, message: Message, flight: Flight | None) -> None:
        """A request of a server of the old era, answered."""
        task = asyncio.current_task()
        assert task is not None, "it runs in a task of its own"
        key = (upstream.name, message["id"])
        try:
            if key in self._of_servers or len(self._of_servers) >= self._exchange.limits.most_waiting:
                raise Declined(
                    "too many questions, or one with the same id, wait already", messages.INVALID_REQUEST
                )
            self._of_servers[key] = task
            result = await self._answer_to(upstream, message, flight)
            answer = messages.response(message["id"], result)
        except Declined as declined:
            answer = messages.failure(message["id"], declined.code, str(declined))
        finally:
            if self._of_servers.get(key) is task:
                del self._of_servers[key]
        await upstream.answer(answer)

    async def _answer_to(self, upstream: Upstream, message: Message, flight: Flight | None) -> dict[str, Any]:
        method = message["method"]
        if method not in eras.ASKED:
            raise Declined(f"`{method}` does not pass this gateway", messages.METHOD_NOT_FOUND)
        if self._exchange.new:
            raise Declined(
                "the client is of the new era, in which servers do not ask", messages.METHOD_NOT_FOUND
            )
        return await self.relayed(upstream, method, messages.params_of(message), flight)

    def taken_back(self, upstream: Upstream, number: Any) -> None:
        """A server does not want its answer any more."""
        upstream.withdrawn(number)
        task = self._of_servers.get((upstream.name, number)) if messages.is_id(number) else None
        if task is not None:
            task.cancel()

    async def relayed(
        self, upstream: Upstream, method: str, params: dict[str, Any], flight: Flight | None
    ) -> dict[str, Any]:
        """The client's answer to what a server asks, both judged. Raises `Declined`."""
        allowed = await self.permitted(upstream, method, params, flight)
        token = (params.get("_meta") or {}).get("progressToken")
        origin = (upstream, token) if messages.is_id(token) else None
        given = await self.ask(flight, method, allowed, origin)
        return await self.released(upstream, method, allowed, given)

    async def permitted(
        self, upstream: Upstream, method: str, params: dict[str, Any], flight: Flight | None
    ) -> dict[str, Any]:
        """The parameters with which a server may ask. Raises `Declined` where the policy or the client says no."""
        exchange, kind = self._exchange, eras.ASKED[method]
        abilities = flight.abilities if flight is not None else exchange.abilities
        if abilities.get(kind).__class__ is not dict:
            raise Declined(f"the client cannot do `{kind}`", messages.METHOD_NOT_FOUND)
        tool = exchange.naming.asked_by(upstream.name, method)
        args = {name: value for name, value in params.items() if name not in ("_meta", "task")}
        decision = await exchange.judge.call(tool, args, call_id=urandom(12).hex())
        stop_if_halted(exchange, decision)
        if decision.outcome is not Outcome.ALLOW:
            raise declined(decision)
        allowed = plain(decision.payload) if decision.transforms else args
        if allowed.__class__ is not dict:
            raise Declined(f"the policy leaves nothing of `{tool}`", messages.DENIED)
        return allowed

    async def released(
        self, upstream: Upstream, method: str, params: dict[str, Any], given: dict[str, Any]
    ) -> dict[str, Any]:
        """A client's answer, as a server may have it. Raises `Declined`."""
        exchange, kind = self._exchange, eras.ASKED[method]
        kept = {name: given[name] for name in ANSWERS[kind] if name in given}
        tool = exchange.naming.asked_by(upstream.name, method)
        try:
            return merged(kept, await passed(exchange, tool, params, parts_of_answer(kind, kept)))
        except Withheld as withheld:
            raise declined(withheld.decision) from None


def _taken_back(number: Id, why: str) -> Message:
    return messages.notification("notifications/cancelled", {"requestId": number, "reason": why})
