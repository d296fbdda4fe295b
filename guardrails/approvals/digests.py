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

FEW = 10**18
"""Whole numbers below it are most of them, and written without more ado."""


def digest_of(value: Any, key: bytes | None = None) -> str:
    """`sha256:...`, or `hmac:...` under a key. Raises `EvaluationError` for what is no JSON: nobody could say
    later whether it is the same again."""
    text = _canonical(value, MOST_DEPTH).encode("utf-8", "surrogatepass")
    if key is None:
        return f"sha256:{sha256(text).hexdigest()}"
    from hmac import digest

    return f"hmac:{digest(key, b'approval' + text, 'sha256').hex()}"


def _canonical(value: Any, depth: int) -> str:
    """The canonical form. A text stands behind its length, so that nothing in it can look like the end of it."""
    kind = value.__class__
    if kind is str:
        return f"{len(value)}'{value}'"
    if kind is int and -FEW < value < FEW:
        return _small(value)
    if kind is dict:
        return _object(value, depth)
    if value is None or kind is bool:
        return "null" if value is None else "true" if value else "false"
    if kind is list or kind is tuple:
        inner = _inside(depth)
        return f"[{''.join([f'{_canonical(item, inner)},' for item in value])}]"
    if kind is int or kind is float or kind.__name__ == "Decimal":
        return _number(value)
    raise EvaluationError(f"the arguments hold a `{kind.__name__}`, which is no JSON: nobody can approve it")


def _object(value: dict[Any, Any], depth: int) -> str:
    inner = _inside(depth)
    parts = []
    try:
        for name in sorted(value):
            item = value[name]
            text = f"{len(item)}'{item}'" if item.__class__ is str else _canonical(item, inner)
            if name.__class__ is not str:
                raise TypeError
            parts.append(f"{len(name)}'{name}':{text},")
    except TypeError:
        raise EvaluationError("the arguments have a name that is no text: nobody can approve them") from None
    return f"{{{''.join(parts)}}}"


def _inside(depth: int) -> int:
    if not depth:
        raise EvaluationError(
            f"the arguments are nested deeper than {MOST_DEPTH} levels: nobody can approve them"
        )
    return depth - 1


def _small(number: int) -> str:
    """As `_number` writes it."""
    text = str(number)
    short = text.rstrip("0")
    return f"{short}e{len(text) - len(short)}" if short else "0"


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
