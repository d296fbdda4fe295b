"""API keys: who calls, and what they may do.

    {"keys": [{"name": "support-bot", "role": "agent", "sha256": "...", "agent": "support-bot"},
              {"name": "ana", "role": "operator", "sha256": "..."}]}

The file holds digests of keys, never keys. A key is 256 random bits, so a plain digest of it tells nothing, and
looking it up takes the same time whether or not somebody guessed a part of it. A key with an `agent` speaks for no
other agent.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Any

from guardrails.errors import GuardError
from guardrails.strict_json import read_json

ROLES = {
    "agent": ("agent",),
    "monitor": ("monitor",),
    "desk": ("desk", "monitor"),
    "operator": ("agent", "monitor", "desk", "operator"),
}
"""Role -> what it may do: ask for decisions; read numbers; answer requests for people whom it names; all of it.
An operator answers in their own name only."""


def holders(duty: str) -> str:
    """The roles that may do something, in words: `desk or operator`."""
    *first, last = [role for role, duties in ROLES.items() if duty in duties]
    return f"{', '.join(first)} or {last}" if first else last


ABOUT = {
    "agent": "ask for decisions and report what became of them",
    "monitor": "read metrics, limits and halts",
    "desk": "read and answer requests, in the name of people that it has logged in",
    "operator": "do all of that, and halt, resume and reload; answers are in their own name",
}

FIELDS = ("name", "role", "sha256", "agent")
PREFIX = "guard_"


class KeysError(GuardError):
    """A file of keys cannot be used."""


class Caller:
    """Who calls: the name of a key, what it may do, and the only agent it speaks for (None: any)."""

    __slots__ = ("agent", "may", "name", "role")

    def __init__(self, name: str, role: str, agent: str | None = None) -> None:
        self.name = name
        self.role = role
        self.agent = agent
        self.may = frozenset(ROLES[role])


class _Local(Caller):
    """Whoever reaches a server without keys: nobody else can, and they may not answer or halt."""

    def __init__(self) -> None:
        super().__init__("local", "agent")
        self.may = frozenset(("agent", "monitor"))


LOCAL = _Local()


class Keys:
    """The callers by the digests of their keys."""

    def __init__(self, callers: dict[bytes, Caller]) -> None:
        self._callers = callers

    def __len__(self) -> int:
        return len(self._callers)

    def caller(self, key: str) -> Caller | None:
        """Who has this key; None for nobody."""
        return self._callers.get(sha256(key.encode("utf-8", "surrogatepass")).digest())

    @classmethod
    def read(cls, path: str) -> Keys:
        """The keys of a file. Raises `KeysError`."""
        try:
            with open(path, encoding="utf-8") as file:
                _check_owner(path, os.fstat(file.fileno()))
                data = read_json(file.read())
        except OSError as error:
            raise KeysError(f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}") from None
        except (GuardError, UnicodeDecodeError) as error:
            raise KeysError(f"`{path}` is not a file of keys: {error}") from None
        return cls(dict(_entry(path, each) for each in _entries(path, data)))


def _check_owner(path: str, state: os.stat_result) -> None:
    if os.name == "posix" and state.st_mode & 0o022:
        raise KeysError(f"`{path}` can be changed by others: take that away with `chmod go-w {path}`")


def _entries(path: str, data: Any) -> list[dict[str, Any]]:
    found = data.get("keys") if isinstance(data, dict) and set(data) == {"keys"} else None
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise KeysError(f"`{path}` is an object with `keys`: a list of objects; `guard key` writes one")
    names = [each.get("name") for each in found]
    for name in names:
        if names.count(name) > 1:
            raise KeysError(f"`{path}` has two keys with the name `{name}`")
    return found


def _entry(path: str, entry: dict[str, Any]) -> tuple[bytes, Caller]:
    unknown = [name for name in entry if name not in FIELDS]
    if unknown:
        raise KeysError(f"`{path}`: a key has no `{unknown[0]}`, but {', '.join(FIELDS)}")
    name, role, agent = entry.get("name"), entry.get("role"), entry.get("agent")
    if not isinstance(name, str) or not name.strip():
        raise KeysError(f"`{path}`: a key needs a `name`")
    if role not in ROLES:
        raise KeysError(f"`{path}`: the role of `{name}` is one of {', '.join(ROLES)}")
    if agent is not None and (not isinstance(agent, str) or role != "agent"):
        raise KeysError(
            f"`{path}`: `agent` of `{name}` is the id of the agent that a key of role `agent` is for"
        )
    return _digest(path, name, entry.get("sha256")), Caller(name, role, agent)


def _digest(path: str, name: str, text: Any) -> bytes:
    try:
        digest = bytes.fromhex(text)
    except (TypeError, ValueError):
        digest = b""
    if len(digest) != 32:
        raise KeysError(f"`{path}`: `sha256` of `{name}` has 64 hexadecimal digits")
    return digest


def new_key(name: str, role: str, agent: str | None = None) -> tuple[str, dict[str, Any]]:
    """A fresh key, and the entry of a file that knows it."""
    from secrets import token_urlsafe

    key = PREFIX + token_urlsafe(32)
    entry: dict[str, Any] = {"name": name, "role": role, "sha256": sha256(key.encode()).hexdigest()}
    return key, entry | ({"agent": agent} if agent is not None else {})
