"""Tokens: the text that stands for a value that its session's vault can bring back.

`<EMAIL_ADDRESS_1_bcdfghjkmn>`: the entity, a number to speak of it by, and ten letters that only the holder
of the vault's key can make, for this session, entity, number and value. Nobody can guess or invent one, and
two workers that number at the same time never give one token to two values.
"""

from __future__ import annotations

from hashlib import blake2b

from guardrails.redaction.values import LABEL_LENGTH, LETTERS, in_letters

TAG_BYTES = 5

TOKEN = f"<[A-Z][A-Z0-9_]{{0,{LABEL_LENGTH - 1}}}_[0-9]{{1,6}}_[{LETTERS}]{{{2 * TAG_BYTES}}}>"
"""What a token looks like, as a pattern."""


def token(name: str, number: int, *, session: str, value: str, key: bytes) -> str:
    """The token of the canonical `value`, the `number`th of its session with that name."""
    parts = (session, name, str(number), value)
    message = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
    return f"<{name}_{number}_{in_letters(blake2b(message, key=key, digest_size=TAG_BYTES).digest())}>"


def number_in(token: str) -> int:
    return int(token.rsplit("_", 2)[1])


def name_in(token: str) -> str:
    return token[1:].rsplit("_", 2)[0]
