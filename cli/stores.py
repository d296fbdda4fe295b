"""Which store a command uses, for what is counted and halted among processes.

`--store` says so, else GUARD_STORE, else the project's settings, else it is a file in the user's own state
folder, made so that nobody else can read or write it. This is on the cold path of `guard check`.
"""

from __future__ import annotations

import os
import sys

from guardrails.errors import EvaluationError, Unavailable
from guardrails.project import ProjectError, file_url, project_store

from . import exits
from .problems import Stop, unreadable, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from guardrails.state import State

    Answer = TypeVar("Answer")

FORMS = "use `memory:`, `sqlite:///path/guard.db` or `redis://host:6379/0`"


def named_store(given: str | None) -> str | None:
    """The URL that somebody named; None when nobody did. Stops when the project's settings are wrong."""
    url = given if given is not None else os.environ.get("GUARD_STORE")
    if url:
        return url
    if given is not None:
        raise usage("`--store` needs the URL of a store", FORMS)
    try:
        return project_store(os.curdir)
    except ProjectError as error:
        raise Stop(exits.IO, f"error: {error}") from error


def own_file() -> str | None:
    """The file of this user's own store, which need not exist; None where the user has no home."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or ""
        return os.path.join(base, "guard", "guard.db") if base else None
    base = os.environ.get("XDG_STATE_HOME") or ""
    home = os.environ.get("HOME") or ""
    if os.path.isabs(base):
        return os.path.join(base, "guard", "guard.db")
    return os.path.join(home, ".local", "state", "guard", "guard.db") if os.path.isabs(home) else None


def own_store() -> str:
    """The URL of this user's own store, whose file is there now and is nobody else's to read or write."""
    path = own_file()
    if path is None:
        raise usage(
            "this user has no home folder to keep a store in", "name one with `--store` or GUARD_STORE"
        )
    try:
        _make_private(path)
    except OSError as error:
        raise unreadable(path, error) from error
    return file_url(path)


def _make_private(path: str) -> None:
    """SQLite gives the files beside it the permissions of the file itself."""
    folder = os.path.dirname(path)
    if not os.path.exists(path):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600))
    for place in (folder, path):
        if not _is_own(os.stat(place)):
            message = f"`{place}` can be changed by others, so the limits and halts in it prove nothing"
            raise Stop(exits.IO, f"error: {message}")
    if sys.platform != "win32" and os.stat(path).st_mode & 0o077:
        os.chmod(path, 0o600)


def _is_own(state: os.stat_result) -> bool:
    if sys.platform == "win32":
        return True
    return state.st_uid == os.geteuid() and not state.st_mode & 0o022


def shared_store(given: str | None) -> str:
    """The URL of the store that other processes see too, for commands that are about nothing else."""
    url = named_store(given) or own_store()
    if url.startswith("memory:"):
        raise usage(f"`{url}` is seen by one process only", "name the store that the agents use")
    return url


def opened(url: str, prices: str | None = None) -> State:
    """The state in the store at `url`. Stops for a URL that names none; a store that does not answer is found
    out when it is asked."""
    from guardrails.state import State

    try:
        state = State(url, prices=prices)
        _ = state.store
    except Unavailable:
        return state
    except (EvaluationError, ValueError) as error:
        advice = "" if "names no store" in str(error) else FORMS
        message = str(error).replace(url, shown(url))
        raise usage(f"the store cannot be used: {message}" if advice else message, advice) from None
    return state


def asked(question: Callable[[], Answer]) -> Answer:
    """What a store answers. Stops when it does not."""
    try:
        return question()
    except Unavailable as error:
        raise Stop(exits.IO, f"error: {error}") from error
    except EvaluationError as error:
        raise usage(str(error)) from error


def shown(url: str) -> str:
    """A URL for people to see, without the password in it."""
    scheme, mark, rest = url.partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}{mark}{user.partition(':')[0]}:***@{place}" if at and ":" in user else url


def check_prices(state: State | None) -> None:
    """Stop for a price table that cannot be used: without it, the cost of an event is not known."""
    if state is None:
        return
    try:
        _ = state.prices
    except EvaluationError as error:
        raise Stop(exits.DATA, f"error: {error}") from error


def state_of(store: str | None, prices: str | None, *, needed: bool) -> State | None:
    """The state that decisions go by; None where a policy keeps nothing (`needed` is false) and no store is
    there in which something could be halted."""
    url = named_store(store)
    if url is None:
        own = own_file()
        if not needed and not (own and os.path.exists(own)):
            return None
        url = own_store()
    return opened(url, prices)
