"""The vault of a session: gives values tokens and brings them back.

Takes entities and values, gives tokens, and for texts or JSON with tokens the same with values. What it
holds can be written as sealed records, one for each new value, that any text store may keep and any worker
with the key can learn from. What is no exact token of this vault is left as it is, whatever a model made of
it: a token with a changed letter or case, cut in two, of another session, or invented, restores nothing; in
`<A_<B_1_...>_1>` the inner one is a token and the outer is not. A text is looked through once, so a value is
never read as a token.
"""

from __future__ import annotations

import re
from _thread import allocate_lock
from hashlib import blake2b

from guardrails.errors import TooLarge
from guardrails.redaction.sealing import KEY_BYTES, Seal
from guardrails.redaction.tokens import TOKEN, name_in, number_in, token
from guardrails.redaction.values import canonical, label

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

MOST_TOKENS = 10_000
"""Values that a vault holds."""

LONGEST_VALUE = 16_384
"""Characters of a value."""

MAX_DEPTH = 100
"""Levels of a JSON value in which tokens are looked for."""


class Vault:
    """The values and tokens of one session. Safe to share among threads.

    `key`: 32 secret bytes, the same for all workers of the session. Raises ValueError for another length
    and `Unavailable` when the package `cryptography` is missing.
    """

    __slots__ = ("_by_value", "_lock", "_numbers", "_pattern", "_pending", "_records", "_seal", "_tag_key",
                 "_values", "session")  # fmt: skip

    def __init__(self, session: str, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"the key of a vault needs {KEY_BYTES} bytes and has {len(key)}")
        self.session = session
        self._seal = Seal(session, _derived(key, b"seal"))
        self._tag_key = _derived(key, b"tag")
        self._pattern = re.compile(TOKEN)
        self._values: dict[str, str | int] = {}
        self._by_value: dict[tuple[str, str], str] = {}
        self._numbers: dict[str, int] = {}
        self._records: list[str] = []
        self._pending: dict[str, str] = {}
        self._lock = allocate_lock()

    @classmethod
    def from_records(cls, session: str, key: bytes, records: Iterable[str]) -> Vault:
        """The vault that wrote `records`, in their order. Raises `EvaluationError` for a record that is not
        of this session and key."""
        vault = cls(session, key)
        for record in records:
            vault.learn(record)
        return vault

    def tokenise(self, entity: str, value: str | int) -> str:
        """The token of a value, the same for every spelling of it. Raises `TooLarge` beyond LONGEST_VALUE
        and MOST_TOKENS."""
        text = str(value)
        if len(text) > LONGEST_VALUE:
            raise TooLarge(f"a value of {len(text):,} characters is too long for a token; mask it instead")
        name, plain = label(entity), canonical(entity, text)
        with self._lock:
            known = self._by_value.get((name, plain))
            return known or self._add(name, plain, value)

    def knows(self, text: str) -> bool:
        """Whether `text` is exactly a token of this vault."""
        return text in self._values

    def restore(self, value: Any) -> Any:
        """`value`, a text or any JSON value, with the values of its tokens; keys are left as they are.

        A text that is nothing but the token of a number becomes that number. Another spelling than the one
        first seen is not brought back. Raises `TooLarge` beyond MAX_DEPTH.
        """
        return self._restored(value, 0)

    def records(self) -> tuple[str, ...]:
        """One sealed text for each value, in the order in which they came."""
        return tuple(self._records)

    def unsaved(self) -> tuple[str, ...]:
        """The records that are in no store as far as the vault was told, by `saved` or `learn`."""
        with self._lock:
            return tuple(self._pending.values())

    def saved(self, record: str) -> None:
        """A store has this record now."""
        with self._lock:
            self._pending.pop(record.split(" ", 2)[1], None)

    def learn(self, record: str) -> bool:
        """Take over a record from the store. True: it has another token for a value that got one here, and is
        not saved yet; both are known, and the store's is given from now on. Raises `EvaluationError` for a
        record that is not of this session and key."""
        from guardrails.strict_json import read_json

        made, text = self._seal.open(record)
        plain, value = read_json(text)
        with self._lock:
            self._pending.pop(made, None)
            if made in self._values:
                return False
            place = (name_in(made), plain)
            is_late = self._by_value.get(place) in self._pending
            if is_late:
                self._by_value[place] = made
            self._by_value.setdefault(place, made)
            self._keep(made, value, record)
            # What is yet to be saved stays behind all that is.
            self._records.insert(len(self._records) - 1 - len(self._pending), self._records.pop())
            return is_late

    def _add(self, name: str, plain: str, value: str | int) -> str:
        from guardrails.strict_json import write_json

        if len(self._values) >= MOST_TOKENS:
            raise TooLarge(f"session `{self.session}` has {MOST_TOKENS:,} tokens, and no more are given")
        number = self._numbers.get(name, 0) + 1
        made = token(name, number, session=self.session, value=plain, key=self._tag_key)
        self._by_value[name, plain] = made
        record = self._pending[made] = self._seal.close(made, write_json([plain, value]))
        self._keep(made, value, record)
        return made

    def _keep(self, made: str, value: str | int, record: str) -> None:
        name = name_in(made)
        self._numbers[name] = max(self._numbers.get(name, 0), number_in(made))
        self._values[made] = value
        self._records.append(record)

    def _restored(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise TooLarge(f"a value nested more than {MAX_DEPTH} levels deep cannot be searched for tokens")
        if value.__class__ is str:
            return self._restored_text(value)
        if value.__class__ is dict:
            return {name: self._restored(item, depth + 1) for name, item in value.items()}
        if value.__class__ is list:
            return [self._restored(item, depth + 1) for item in value]
        return value

    def _restored_text(self, text: str) -> str | int:
        if text in self._values:
            return self._values[text]
        return self._pattern.sub(lambda found: str(self._values.get(found[0], found[0])), text)


def _derived(key: bytes, purpose: bytes) -> bytes:
    return blake2b(purpose, key=key, digest_size=KEY_BYTES, person=b"guard vault").digest()
