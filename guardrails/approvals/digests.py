"""Digests: what an approval is bound to, so that a changed byte of the arguments is another call.

Takes arguments, gives a digest of their canonical form. Numbers are compared by their exact value and names in
any order, as everywhere in the language; all else counts, also whether a field is null or absent. With a key
the digest is keyed, because arguments that a policy redacts could be guessed from a plain one.
"""

from __future__ import annotations

from hashlib import sha256

from guardrails.errors import EvaluationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_DEPTH = 80


def digest_of(value: Any, key: bytes | None = None) -> str:
    """`sha256:...`, or `hmac:...` under a key. Raises `EvaluationError` for what is no JSON: nobody could say
    later whether it is the same again."""
    text = "".join(_canonical(value, MOST_DEPTH)).encode("utf-8", "surrogatepass")
    if key is None:
        return f"sha256:{sha256(text).hexdigest()}"
    from hmac import digest

    return f"hmac:{digest(key, b'approval' + text, 'sha256').hex()}"


def _canonical(value: Any, depth: int) -> list[str]:
    kind = value.__class__
    if kind is str:
        return [_string(value)]
    if value is None or kind is bool:
        return ["null" if value is None else "true" if value else "false"]
    if kind is int or kind is float or kind.__name__ == "Decimal":
        return [_number(value)]
    if kind not in (dict, list, tuple):
        raise EvaluationError(
            f"the arguments hold a `{kind.__name__}`, which is no JSON: nobody can approve it"
        )
    if not depth:
        raise EvaluationError(
            f"the arguments are nested deeper than {MOST_DEPTH} levels: nobody can approve them"
        )
    return _object(value, depth - 1) if kind is dict else _list(value, depth - 1)


def _object(value: dict[Any, Any], depth: int) -> list[str]:
    if not all(name.__class__ is str for name in value):
        raise EvaluationError("the arguments have a name that is no text: nobody can approve them")
    parts = ["{"]
    for name in sorted(value):
        parts += [_string(name), ":", *_canonical(value[name], depth), ","]
    return [*parts, "}"]


def _list(value: Any, depth: int) -> list[str]:
    parts = ["["]
    for item in value:
        parts += [*_canonical(item, depth), ","]
    return [*parts, "]"]


def _string(text: str) -> str:
    """The text behind its length, so that nothing in it can look like the end of it."""
    return f"{len(text)}'{text}'"


def _number(value: Any) -> str:
    """Sign, digits without zeros that say nothing, and exponent: 50, 50.0 and 5E+1 are `5e1`."""
    from decimal import Decimal

    number = Decimal(repr(value)) if value.__class__ is float else Decimal(value)
    if not number.is_finite():
        raise EvaluationError("the arguments hold a number that is none: nobody can approve them")
    sign, digits, exponent = number.as_tuple()
    plain = "".join(map(str, digits)).lstrip("0")
    short = plain.rstrip("0")
    assert isinstance(exponent, int)  # finite numbers have one
    return f"{'-' * sign}{short}e{exponent + len(plain) - len(short)}" if short else "0"
