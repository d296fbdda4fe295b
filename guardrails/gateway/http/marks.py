"""Marks: which arguments of which tools headers repeat, toward clients of the new era.

Takes answers to `tools/list` as they pass, and compares the headers of calls with what they mark. A client may have its
list from elsewhere, or from long ago: the gateway then lists the tools itself, in the client's name, so that a header
which nobody compared is never let through.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from guardrails.gateway.eras import RESERVED
from guardrails.gateway.http.headers import Mark, Mismatch, check_params, has_params, marks_of
from guardrails.gateway.messages import is_response, params_of, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guardrails.gateway.http.sessions import Exchange
    from guardrails.gateway.links import Id, Message

AGAIN = 5.0
"""Seconds before the tools are listed again for a name that was not among them."""
MOST_PAGES = 100


class Answered:
    """A client that waits for one answer, for what the gateway itself asks."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

    async def send(self, message: Message, *, about: Id | None = None) -> None:
        if is_response(message) and not self.answer.done():
            self.answer.set_result(message)


class Marks:
    """The marks of all tools that one exchange offers. `patience` is how many seconds a list may take."""

    def __init__(self, exchange: Exchange, patience: float) -> None:
        self._exchange = exchange
        self._patience = patience
        self._marks: dict[str, tuple[Mark, ...]] = {}
        self._listed = float("-inf")

    def learn(self, answer: Message) -> None:
        """Take in what an answer to `tools/list` says."""
        tools = answer.get("result", {}).get("tools")
        for tool in tools if isinstance(tools, list) else ():
            self._marks[tool["name"]] = marks_of(tool.get("inputSchema"))

    def forget(self) -> None:
        """The tools have changed."""
        self._marks.clear()
        self._listed = float("-inf")

    async def check(self, headers: Sequence[tuple[bytes, bytes]], message: Message) -> None:
        """Raise `Mismatch` where a header and the argument of a call that it repeats differ."""
        params = params_of(message)
        name, arguments, is_marked = params.get("name"), params.get("arguments"), has_params(headers)
        if not isinstance(name, str) or not (arguments or is_marked):
            return
        is_known = name in self._marks or await self._list(message)
        if is_marked and not is_known:
            raise Mismatch("the headers `Mcp-Param-*` cannot be compared: the tools cannot be listed now")
        check_params(headers, arguments, self._marks.get(name, ()))

    async def _list(self, message: Message) -> bool:
        """List the tools, if that was not done just now; whether they are known then."""
        now = asyncio.get_running_loop().time()
        if now - self._listed < AGAIN:
            return True
        try:
            async with asyncio.timeout(self._patience):
                is_known = await self._listed_whole(message)
        except TimeoutError:
            return False
        self._listed = now if is_known else self._listed
        return is_known

    async def _listed_whole(self, message: Message) -> bool:
        meta = {key: each for key, each in params_of(message)["_meta"].items() if key.startswith(RESERVED)}
        params: dict[str, Any] = {"_meta": meta}
        for page in range(MOST_PAGES):
            answer = await self._page(page, params)
            if "error" in answer:
                return False
            self.learn(answer)
            cursor = answer["result"].get("nextCursor")
            if not isinstance(cursor, str):
                return True
            params = {**params, "cursor": cursor}
        return False

    async def _page(self, number: int, params: dict[str, Any]) -> Message:
        client = Answered()
        try:
            await self._exchange.heard(request(f"guard-list-{number}", "tools/list", params), client)
            return await client.answer
        except asyncio.CancelledError:
            self._exchange.gone(client)
            raise
