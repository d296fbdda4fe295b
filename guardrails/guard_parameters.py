"""What a host gives a guard, judged when it is loaded or asked, and not when a decision first needs it.

Takes parameters by name, gives nothing, or raises: `PolicyError` for what names no policy, else `EvaluationError` that
names the parameter. Guards come here only with what is not left out.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, EventError, PolicyError
from guardrails.parameters import (
    doing,
    flag,
    is_mapping,
    is_path,
    listed,
    mapping,
    misfit,
    seconds,
    shown,
    text,
    text_if_any,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

STORE = ("reserve", "commit", "release", "halts")
"""Methods that tell a store from whatever else may be given for one; all are in `guardrails.stores.port`."""

LOG = ("record", "record_later")
"""Methods that tell an audit log."""

WAYS_TO_DETECT = ("find", "score")


def check(given: Mapping[str, Any]) -> None:
    """Judge each parameter that was not left out."""
    for name, value in given.items():
        if value is not None:
            CHECKS[name](value)


# --- policies ----------------------------------------------------------------------------------


def path_of(path: Any) -> str:
    """The file of a policy."""
    if not is_path(path):
        raise PolicyError((), f"a policy is named by the path of its file, and not by {shown(path)}")
    return str(path)


def texts_of(given: Any) -> list[tuple[str, str]]:
    """The texts of a policy by their names, each once: of two with one name only the last would hold."""
    wanted = "the `text` of a policy is one text, or a list of `(name, text)` pairs"
    try:
        files = listed("text", given, wanted)
    except EvaluationError:
        raise PolicyError((), f"{wanted}, and not {shown(given)}") from None
    for pair in files:
        if not isinstance(pair, tuple | list) or [type(each) for each in pair] != [str, str]:
            raise PolicyError((), f"{wanted}, and there is {_pair_shown(pair)} in it")
    names = [name for name, _ in files]
    for name in names:
        if names.count(name) > 1:
            raise PolicyError((), f"{wanted}, and `{name}` stands there twice")
    if not files:
        raise PolicyError((), f"{wanted}, and there is none in it")
    return list(files)


def _pair_shown(pair: Any) -> str:
    return f"({', '.join(map(shown, pair))})" if isinstance(pair, tuple | list) else shown(pair)


def _params(given: Any) -> None:
    mapping("params", given, 'a mapping of parameters, such as `{"max_refund": 250}`')


def _tools(given: Any) -> None:
    text_if_any("tools", given, "the JSON text of a tool file")


def functions_of(given: Any) -> tuple[Any, ...]:
    """Functions of the host."""
    from guardrails.runtime.host import HostFunction

    wanted = "a list of what `@guardrails.function` gives"
    found = listed("functions", given, wanted)
    for each in found:
        if not isinstance(each, HostFunction):
            raise EvaluationError(f"`functions` is {wanted}, and there is {shown(each)} in it")
    return found


def check_program(given: Any) -> None:
    from guardrails.runtime.program import Program

    if not isinstance(given, Program):
        raise misfit(
            "program", given, "a compiled policy: `Guard.load` takes files, and `Guard.from_text` texts"
        )


# --- what a guard works with -------------------------------------------------------------------


def check_state(store: Any, prices: Any, local_share: Any, strict_halts: Any) -> None:
    """Where a guard keeps count, and how."""
    if not isinstance(store, str):
        doing("store", store, STORE, "a URL (`memory:`, `sqlite:///path` or `redis://host`), or a store")
    if prices is not None and not is_path(prices):
        doing("prices", prices, ("cost",), "the path of a price table, or one that was read")
    _share(local_share)
    flag("strict_halts", strict_halts)


def _share(given: Any) -> None:
    """The part of a limit that is kept here alone: more than all of it would loosen the limit."""
    from fractions import Fraction

    try:
        is_part = not isinstance(given, bool) and 0 <= Fraction(str(given)) <= 1
    except (ValueError, ZeroDivisionError):
        is_part = False
    if not is_part:
        raise misfit("local_share", given, "a part from 0 to 1, such as 0.1")


def _clock(given: Any) -> None:
    wanted = "an object whose `now()` gives microseconds since 1970"
    doing("clock", given, ("now",), wanted)
    if hasattr(given, "year"):  # a moment has a `now` as well
        raise misfit("clock", given, wanted)


def _detectors(given: Any) -> None:
    wanted = 'a mapping of detectors by name, such as `{"pii": detector}`'
    mapping("detectors", given, wanted)
    for name in given:
        detector = given[text("detectors", name, wanted)]
        can = any(callable(getattr(detector, way, None)) for way in WAYS_TO_DETECT)
        if isinstance(detector, type | str | bytes) or not can:  # texts have a `find` of their own
            raise misfit("detectors", detector, f"{wanted}, each with `find`, or with `score` for injection")


def _key(given: Any) -> None:
    if not isinstance(given, str | bytes | bytearray):
        raise misfit("key", given, "a secret: a text, or bytes")


def _telemetry(given: Any) -> None:
    if not isinstance(given, str):
        doing("telemetry", given, ("watch",), "`metrics`, `otel`, `otlp` or a `Telemetry`")


def _audit(given: Any) -> None:
    if not isinstance(given, str):
        doing(
            "audit",
            given,
            LOG,
            "the URL of an audit log, such as `file:///var/log/guard`, or one that is open",
        )


def _reviewers(given: Any) -> None:
    wanted = 'groups, such as `{"finance": ["ana", "bob"]}`, or the path of a file of them'
    if is_path(given) or (hasattr(given, "everybody") and not isinstance(given, type)):
        return
    for members in mapping("reviewers", given, wanted).values():
        if isinstance(members, bytes) or is_mapping(members) or not hasattr(type(members), "__iter__"):
            raise misfit("reviewers", members, wanted)


# --- what a guard is asked ---------------------------------------------------------------------


def check_interval(given: Any) -> None:
    """Without an interval nothing would ever be loaded again."""
    seconds("interval", given)


def check_halt(scope: Any, by: Any, why: Any, lasting: Any) -> None:
    """A halt that is over before it begins would stop nobody."""
    check_scope(scope)
    text("by", by, "who halts, a text")
    text("why", why, "the reason that agents and people are told, a text")
    if lasting is not None:
        seconds("seconds", lasting)


def check_scope(given: Any) -> None:
    if not isinstance(given, str):
        raise misfit("scope", given, "`all`, or `agent:`, `principal:`, `session:` or `tool:` and a name")


def _session(given: Any) -> None:
    text("session", given, "the id of a session, a text")


def _principal(given: Any) -> None:
    text("principal", given, "the id of a principal, a text")


def _now(given: Any) -> None:
    if isinstance(given, bool) or not isinstance(given, int):
        raise EventError(f"`now` is a whole number of microseconds since 1970, and not {shown(given)}")


CHECKS: dict[str, Callable[[Any], None]] = {
    "params": _params, "tools": _tools, "clock": _clock, "detectors": _detectors, "key": _key,
    "telemetry": _telemetry, "audit": _audit, "reviewers": _reviewers,
    "session": _session, "principal": _principal, "now": _now,
}  # fmt: skip
