"""What compiled conditions call: loading fields with a check, and operations on values nobody typed.

The one idea: a field that is missing or mistyped becomes a `Poison`, a value whose every use raises. So a
condition either gets a value of the type it was compiled for or errs (law L2); there is no third way, in
which a comparison with something absent is quietly false.
"""

from __future__ import annotations

from guardrails.errors import EvaluationError, MissingField, NotANumber, TooLarge, WrongType
from guardrails.exact import exact
from guardrails.functions import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, NoReturn

MAX_ITEMS = 100_000
"""The largest collection that a quantifier or an aggregate walks."""


class Poison:
    """Stands for a value that cannot be had; every operation on it raises the reason."""

    __slots__ = ("error_class", "message")

    def __init__(self, error_class: type[EvaluationError], message: str) -> None:
        self.error_class = error_class
        self.message = message

    def reject(self, *_: object) -> NoReturn:
        raise self.error_class(self.message)

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = reject
    __hash__ = __bool__ = __len__ = __iter__ = __contains__ = __getitem__ = __call__ = reject
    __getattr__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = reject
    __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __neg__ = __or__ = __ror__ = __and__ = __rand__ = reject

    def __repr__(self) -> str:
        return f"<poison: {self.message}>"


def missing(where: str) -> Poison:
    return Poison(MissingField, f"`{where}` is missing")


def mistyped(value: Any, where: str, expected: str) -> Poison:
    return Poison(WrongType, f"`{where}` is {described(value)}, expected {expected}")


def reject(value: Any, expected: str) -> NoReturn:
    """Raise what is wrong with `value`: its own poison, that it is null, or its type."""
    if value.__class__ is Poison:
        value.reject()
    if value is None:
        raise MissingField(f"a value is missing, expected {expected}")
    raise WrongType(f"{described(value)} stands where {expected} is expected")


def described(value: Any) -> str:
    """The kind of a value in words, with its article."""
    kind = kind_of(value)
    if kind == "any":
        return f"an object of class {type(value).__name__}"
    return "null" if kind == "null" else ("an " if kind[0] in "aeiou" else "a ") + kind


def kind_of(value: Any) -> str:
    """The kind of a value as the language sees it; two values compare only within one kind."""
    known = _KINDS.get(value.__class__)
    if known is not None:
        return known
    if value.__class__.__module__ == "decimal":
        return "number"
    if value.__class__.__module__.startswith("guardrails.canonical"):
        return str(value.__class__.__name__.lower())
    return "any"


_KINDS = {
    int: "number", float: "number", str: "string", bool: "truth value", list: "list", tuple: "list",
    dict: "map", frozenset: "set", set: "set", type(None): "null",
}  # fmt: skip


# --- loading fields ----------------------------------------------------------------------------


def load_number(value: Any, where: str) -> Any:
    """A finite number. A Decimal that a float holds without loss becomes that float, so that comparing
    with a compiled constant is exact; any other keeps its digits in an `ExactDecimal`."""
    if value.__class__ is float:
        if value - value == 0.0:
            return value
        return Poison(NotANumber, f"`{where}` is `{value}`, which is not a number")
    if value.__class__ is int or value.__class__ is Poison:
        return value
    if value is None:
        return missing(where)
    if value.__class__.__module__ == "decimal":
        return _load_decimal(value, where)
    return mistyped(value, where, "a number")


def _load_decimal(value: Any, where: str) -> Any:
    if not value.is_finite():
        return Poison(NotANumber, f"`{where}` is `{value}`, which is not a number")
    as_float = float(value)
    if as_float - as_float == 0.0 and exact(as_float) == value:
        return as_float
    from guardrails.runtime.decimals import ExactDecimal

    return ExactDecimal(value)


def load_int(value: Any, where: str) -> Any:
    if value.__class__ is int or value.__class__ is Poison:
        return value
    if value.__class__ is float and value.is_integer():
        return int(value)
    return missing(where) if value is None else mistyped(value, where, "a whole number")


def load_string(value: Any, where: str) -> Any:
    if value.__class__ is str or value.__class__ is Poison:
        return value
    return missing(where) if value is None else mistyped(value, where, "a string")


def load_bool(value: Any, where: str) -> Any:
    if value.__class__ is bool or value.__class__ is Poison:
        return value
    return missing(where) if value is None else mistyped(value, where, "true or false")


def load_list(value: Any, where: str) -> Any:
    if value.__class__ is list or value.__class__ is frozenset or value.__class__ is Poison:
        return value
    if value.__class__ is tuple:
        return list(value)
    return missing(where) if value is None else mistyped(value, where, "a list")


def load_collection(value: Any, where: str) -> Any:
    if value.__class__ is dict:
        return value
    return load_list(value, where)


def load_map(value: Any, where: str) -> Any:
    if value.__class__ is dict or value.__class__ is Poison:
        return value
    return missing(where) if value is None else mistyped(value, where, "an object")


def load_any(value: Any, where: str) -> Any:
    return missing(where) if value is None else value


def load_enum(value: Any, where: str, values: frozenset[str]) -> Any:
    value = load_string(value, where)
    if value.__class__ is str and value not in values:
        return Poison(WrongType, f"`{where}` is `{value[:40]}`, which is not one of its declared values")
    return value


def dig(value: Any, path: tuple[str, ...], where: str) -> Any:
    """The raw value below `value`, a `Poison` where a step is not an object; None where it is missing."""
    for name in path:
        if value.__class__ is not dict:
            if value is None or value.__class__ is Poison:
                return value
            return mistyped(value, where, "an object on the way there")
        value = value.get(name)
    return value


def field(value: Any, name: str) -> Any:
    """A field of a value that is not rooted in the event (a row, an element, a fact)."""
    if value.__class__ is not dict:
        reject(value, f"an object with a field `{name}`")
    found = value.get(name)
    return missing(name) if found is None else found


def present(value: Any) -> bool:
    """`has x`: false where it is missing; any other error stays an error."""
    if value.__class__ is Poison:
        return False if value.error_class is MissingField else value.reject()
    return value is not None


def present_at(value: Callable[[], Any]) -> bool:
    """`has` of something inside a list or map: false where any step of the way is missing."""
    try:
        return present(value())
    except MissingField:
        return False


def absent(value: Any) -> bool:
    return not present(value)


# --- narrowing values that nobody typed --------------------------------------------------------


def as_number(value: Any) -> Any:
    if value.__class__ is int:
        return value
    if value.__class__ is Poison or value.__class__ is bool or kind_of(value) != "number":
        reject(value, "a number")
    return exact(value)


def as_int(value: Any) -> int:
    number = as_number(value)
    if number != int(number):
        raise WrongType("a whole number is expected here")
    return int(number)


def as_string(value: Any) -> Any:
    return value if value.__class__ is str else reject(value, "a string")


def as_choice(value: Any, values: frozenset[str]) -> Any:
    if as_string(value) not in values:
        raise WrongType(f"`{value[:40]}` is not one of the declared values")
    return value


def as_bool(value: Any) -> Any:
    return value if value.__class__ is bool else reject(value, "true or false")


def as_list(value: Any) -> Any:
    if value.__class__ is list or value.__class__ is frozenset:
        return value
    return list(value) if value.__class__ is tuple else reject(value, "a list")


def as_collection(value: Any) -> Any:
    return value if value.__class__ is dict else as_list(value)


def as_map(value: Any) -> Any:
    return value if value.__class__ is dict else reject(value, "an object")


def as_value(value: Any) -> Any:
    """Any value at all, as long as it is there."""
    return reject(value, "a value") if value.__class__ is Poison or value is None else value


def as_set(value: Any, kind: str = "") -> frozenset[Any]:
    """The distinct elements of a list; all of one comparable kind, and of `kind` where that is given."""
    if value.__class__ is frozenset:
        return value
    listed = elements(value)
    kinds = {kind_of(item) for item in listed}
    items = frozenset(map(comparable, listed))
    if len(kinds) > 1:
        raise WrongType("a list with elements of several kinds is not a set")
    if kind and kinds and kind not in kinds:
        raise WrongType(f"the collection has a {kinds.pop()} where each element should be a {kind}")
    return items


def alike(left: frozenset[Any], right: frozenset[Any]) -> tuple[frozenset[Any], frozenset[Any]]:
    """Two sets whose elements are of one kind; sets of different kinds never compare."""
    for one in left:
        for other in right:
            if kind_of(one) != kind_of(other):
                raise WrongType(f"a set of {kind_of(one)}s and one of {kind_of(other)}s cannot be compared")
            return left, right
    return left, right


def comparable(value: Any) -> Any:
    """`value` in a form whose `==` and `hash` are the language's equality; for strings, numbers, truth
    values and canonical values."""
    kind = kind_of(value)
    if kind == "number":
        return exact(value)
    if kind in {"list", "map", "set", "null", "any"} or value.__class__ is Poison:
        reject(value, "a plain value")
    return value


def read_as(kind: str, value: Any) -> Any:
    """A text, or a value that was read before, as a canonical value of type `kind`."""
    return (
        reject(value, f"a text that is a {kind}")
        if value.__class__ is Poison or value is None
        else read(kind, value)
    )


def read_all(item: Callable[[Any], Any], values: Any) -> list[Any]:
    """A list from outside, with each element read."""
    return [item(value) for value in elements(as_list(values))]


# --- operations on values that nobody typed ----------------------------------------------------


def equal(left: Any, right: Any) -> bool:
    """Equality within one kind; two kinds never compare (law L2)."""
    kind = _common_kind(left, right)
    if kind == "number":
        return exact(left) == exact(right)
    if kind == "list":
        return len(left) == len(right) and all(map(equal, left, right))
    if kind == "map":
        return left.keys() == right.keys() and all(equal(left[name], right[name]) for name in left)
    return bool(left == right)


def _common_kind(left: Any, right: Any) -> str:
    for value in (left, right):
        if value.__class__ is Poison or value is None:
            reject(value, "a value")
    kind = kind_of(left)
    if kind != kind_of(right):
        raise WrongType(f"{described(left)} and {described(right)} cannot be compared")
    if kind == "any":
        reject(left, "a plain value")
    return kind


def equals_null(value: Any) -> bool:
    return not present(value)


def less(left: Any, right: Any) -> bool:
    return bool(as_number(left) < as_number(right))


def less_or_equal(left: Any, right: Any) -> bool:
    return bool(as_number(left) <= as_number(right))


def member(value: Any, collection: Any) -> bool:
    """`value in collection`; an element of another kind than `value` is an error unless `value` is found."""
    kind = collection.__class__
    if kind is dict:
        return as_string(value) in collection
    if kind is frozenset or kind is list:
        return _is_element(comparable(value), collection)
    if kind is str:
        raise WrongType(
            "`in` needs a list, a set or a map on its right; for a part of a string use `contains`"
        )
    return _is_element(comparable(value), as_list(collection))


def _is_element(value: Any, collection: Iterable[Any]) -> bool:
    kind = kind_of(value)
    other = False
    for item in collection:
        if kind_of(item) != kind:
            other = True
        elif (exact(item) if kind == "number" else item) == value:
            return True
    if other:
        raise WrongType(f"the collection has elements that are not comparable with a {kind}")
    return False


def string_member(value: Any, collection: Any) -> bool:
    """`member` for a value known to be a string: the common case, made fast."""
    if value.__class__ is not str:
        reject(value, "a string")
    if collection.__class__ is not list and collection.__class__ is not frozenset:
        return member(value, collection)
    if value in collection:
        return True
    for item in collection:
        if item.__class__ is not str:
            raise WrongType("the collection has elements that are not strings")
    return False


def member_as(kind: str, value: Any, texts: Any) -> bool:
    """Whether one of the texts, read as a `kind`, is `value`. A text that cannot be read is an error unless
    `value` is found elsewhere."""
    problem: EvaluationError | None = None
    for text in elements(as_list(texts)):
        try:
            if read_as(kind, text) == value:
                return True
        except EvaluationError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    return False


def contains(collection: Any, value: Any) -> bool:
    """`collection contains value`: a part of a string, or an element."""
    if collection.__class__ is str:
        return as_string(value) in collection
    return member(value, collection)


def elements(collection: Any) -> Any:
    """What a quantifier walks: the elements of a list or set, the keys of a map. Bounded (law L4)."""
    kind = collection.__class__
    if kind is not list and kind is not frozenset and kind is not dict:
        collection = as_list(collection)
    if len(collection) > MAX_ITEMS:
        raise TooLarge(f"a collection has more than {MAX_ITEMS:,} elements")
    return collection


def item_at(collection: Any, key: Any) -> Any:
    """`collection[key]`; a key or position that is not there is an error."""
    if collection.__class__ is dict:
        key = as_string(key) if key.__class__ is not bool else reject(key, "a string")
        found = collection.get(key)
        return Poison(MissingField, f"there is no entry `{key[:40]}`") if found is None else found
    items = as_list(collection)
    position = as_int(key)
    if not 0 <= position < len(items):
        return Poison(MissingField, f"there is no element {position}")
    return items[position]


def constant_at(table: dict[Any, Any], key: Any) -> Any:
    """A constant map of the policy at `key`."""
    if key.__class__ is Poison:
        key.reject()
    try:
        return table[key]
    except (KeyError, TypeError):
        raise MissingField(f"the map has no entry for `{str(key)[:40]}`") from None
