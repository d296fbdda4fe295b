"""Functions of the host: what a policy may ask the application, typed and bounded in time.

A function is asked once in a decision for the same arguments. One that fails, is too slow or gives a value
of another type is an error of the expression that asked (law L2), never a guess.
"""

from __future__ import annotations

from time import monotonic

from guardrails.errors import EvaluationError, Unavailable
from guardrails.runtime.binding import bind
from guardrails.runtime.operations import Poison

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class HostFunction:
    """A Python function under the name and types that a policy sees.

    `parameters` are `(name, type description)` pairs and `result` a description (see `runtime.binding`).
    `pure` says that it gives the same for the same arguments; `budget` is its time in seconds. Raises
    `EvaluationError` for what no policy could call.
    """

    __slots__ = ("budget", "function", "name", "parameters", "pure", "result")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        parameters: tuple[tuple[str, Any], ...],
        result: Any,
        *,
        pure: bool = True,
        budget: float = 0.05,
    ) -> None:
        from guardrails.parameters import flag, seconds, text

        self.name = text("name", name, "what policies call the function, a text")
        self.function = _function(function)
        self.parameters = _parameters(parameters)
        self.result = _result(result)
        self.pure = flag("pure", pure)
        self.budget = seconds("budget", budget)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self.function(*arguments, **named)


def _function(given: Any) -> Callable[..., Any]:
    from guardrails.parameters import misfit

    if not callable(given):
        raise misfit("function", given, "what policies call, in Python")
    function: Callable[..., Any] = given
    return function


def _parameters(given: Any) -> tuple[tuple[str, Any], ...]:
    from guardrails.parameters import listed, misfit

    wanted = 'a list of names and types, such as `(("customer", "string"),)`'
    pairs = listed("parameters", given, wanted)
    for pair in pairs:
        if pair.__class__ not in (tuple, list) or len(pair) != 2:
            raise misfit("parameters", pair, wanted)
        name, kind = pair
        if not isinstance(name, str) or not name or not isinstance(kind, str | tuple):
            raise misfit("parameters", pair, wanted)
    return tuple(map(tuple, pairs))


def _result(given: Any) -> Any:
    from guardrails.parameters import misfit

    if not isinstance(given, str | tuple):
        raise misfit("result", given, "the description of a type, such as `string`")
    return given


class Host:
    """The host's functions and detectors by name, and its secret key for hashes and reversible tokens."""

    __slots__ = ("detectors", "functions", "key", "timed")

    def __init__(
        self,
        functions: Mapping[str, HostFunction],
        detectors: Mapping[str, Any] | None = None,
        key: bytes | None = None,
    ) -> None:
        self.functions = functions
        self.detectors = detectors or {}
        self.key = key
        self.timed: Callable[..., Any] | None = None
        """Does detectors' work, given as a function and its arguments, for whoever measures it."""

    def call(self, asked: dict[Any, Any], name: str, arguments: tuple[Any, ...]) -> Any:
        """The answer of a function; `asked` remembers the answers and errors of this decision."""
        key = (name, repr(arguments))
        if key not in asked:
            asked[key] = self._ask(self.functions[name], arguments)
        answer = asked[key]
        return answer.reject() if answer.__class__ is Poison else answer

    def _ask(self, function: HostFunction, arguments: tuple[Any, ...]) -> Any:
        started = monotonic()
        try:
            answer = _run(function, arguments)
        except EvaluationError as error:
            return Poison(type(error), str(error))
        except Exception as error:
            return Poison(Unavailable, f"the host's function `{function.name}` failed: {error!r}")
        if answer is _LATE or monotonic() - started > function.budget:
            return Poison(
                Unavailable, f"the host's function `{function.name}` took longer than {function.budget} s"
            )
        return bind(answer, function.result, f"{function.name}(...)")


def secret_of(key: str | bytes | None) -> bytes | None:
    """The 32 bytes that hashes and tokens are made with; None where no key was given or set.

    Raises `EvaluationError` for one of less than 16 bytes, which could be guessed, and for what is no secret.
    """
    if key is None:
        from os import environ

        key = environ.get("GUARD_KEY") or None
    if key is None:
        return None
    if not isinstance(key, str | bytes | bytearray):
        from guardrails.parameters import misfit

        raise misfit("key", key, "a secret: a text, or bytes")
    secret = key.encode() if isinstance(key, str) else key
    if len(secret) < LEAST_SECRET:
        raise EvaluationError(f"a `key` needs {LEAST_SECRET} bytes or more, and this one has {len(secret)}")
    from hashlib import blake2b

    return blake2b(secret, digest_size=32, person=b"guard key").digest()


LEAST_SECRET = 16

_LATE = object()


def _run(function: HostFunction, arguments: tuple[Any, ...]) -> Any:
    """The answer, or `_LATE`. A look-up waits for the outside, so it runs in a thread that can be left behind;
    a pure function only computes, so it runs here and its time is judged afterwards."""
    if function.pure:
        return function.function(*arguments)
    from threading import Thread

    answers: list[tuple[Any, Exception | None]] = []

    def ask() -> None:
        try:
            answers.append((function.function(*arguments), None))
        except Exception as error:
            answers.append((None, error))

    thread = Thread(target=ask, daemon=True, name=f"guard-{function.name}")
    thread.start()
    thread.join(function.budget)
    if not answers:
        return _LATE
    answer, error = answers[0]
    if error is not None:
        raise error
    return answer
