"""Content: detectors, schemas and what they are told, from a policy into plain data.

Takes `pii(args.note, EMAIL_ADDRESS)`, `redact secrets`, `detector badge = pattern /.../` and gives what the
run time needs to find the same: a tuple that says which detector, made of constants only.

    ("pii", entities or None, threshold or None, language, allowed texts)
    ("secrets",)   ("injection",)   ("own", name, pattern, checksum or None, context words)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from guardrails.diagnostics import did_you_mean
from guardrails.language import core, syntax
from guardrails.language import types as t
from guardrails.language.expressions import FAULTY, Typer
from guardrails.language.scope import Scope

Spec: TypeAlias = tuple[object, ...]

FUNCTIONS = frozenset({"pii", "secrets", "injection"})
OPTIONS = ("threshold", "language", "ignore")
DETECTORS = ("pii", "secrets")
"""What is built in and can be redacted."""


def lower_call(typer: Typer, node: syntax.Call, scope: Scope) -> core.Core:
    """`pii(x, ENTITY, ...)`, `secrets(x)`, `injection(x)`, or a detector of the policy, of a value."""
    name = node.function
    if not node.arguments:
        return typer.report(
            "wrong-argument", f"`{name}` needs a text to look at", node.span, f"write `{name}(text)`"
        )
    value = typer.lower(node.arguments[0], scope)
    spec = _spec(typer, name, node.arguments[1:], node.named, scope)
    if spec is None or value.type == FAULTY:
        return core.Const(node.span, FAULTY, None)
    return core.Detect(node.span, t.DECIMAL if name == "injection" else t.BOOL, spec, value)


def redacted(typer: Typer, what: syntax.Expr, scope: Scope) -> Spec | None:
    """The detector of a `redact`; None when it was reported."""
    if isinstance(what, syntax.Call):
        name, arguments, named = what.function, what.arguments, what.named
    else:
        name, arguments, named = getattr(what, "id", ""), (), ()
    known = {*DETECTORS, *scope.namespace.detectors}
    if name not in known:
        help = did_you_mean(name, known)
        typer.report("unknown-detector", f"there is no detector `{name}`", what.span, help)
        return None
    return _spec(typer, name, arguments, named, scope)


def _spec(
    typer: Typer,
    name: str,
    entities: Iterable[syntax.Expr],
    named: Iterable[tuple[str, syntax.Expr]],
    scope: Scope,
) -> Spec | None:
    entities, named = tuple(entities), tuple(named)
    if name == "pii":
        return _pii(typer, entities, named, scope)
    for extra in (*entities, *(value for _, value in named)):
        typer.report("wrong-argument", f"`{name}` takes nothing else", extra.span)
        return None
    return scope.namespace.detectors.get(name) or (name,)


def _pii(
    typer: Typer, entities: tuple[syntax.Expr, ...], named: tuple[tuple[str, syntax.Expr], ...], scope: Scope
) -> Spec | None:
    options = _options(typer, named, scope)
    if options is None:
        return None
    names = [_entity(typer, part, str(options["language"])) for part in entities]
    if None in names:
        return None
    chosen = tuple(sorted({str(name) for name in names})) or None
    return ("pii", chosen, options["threshold"], options["language"], options["ignore"])


def _options(typer: Typer, named: tuple[tuple[str, syntax.Expr], ...], scope: Scope) -> dict[str, Any] | None:
    found: dict[str, Any] = {"threshold": None, "language": "en", "ignore": ()}
    for name, node in named:
        if name not in OPTIONS:
            help = did_you_mean(name, OPTIONS) or f"`pii` takes {', '.join(OPTIONS)}"
            typer.report("wrong-argument", f"`pii` has no option `{name}`", node.span, help)
            return None
        value = typer.lower(node, scope)
        if value.type == FAULTY:
            return None
        read = _READ[name](value) if isinstance(value, core.Const) else None
        if read is None:
            typer.report("wrong-argument", f"`{name}` is {_EXPECTED[name]}", node.span)
            return None
        found[name] = read
    return found


def _threshold(value: core.Const) -> object:
    number: Any = value.value
    return str(number) if value.type in (*t.NUMERIC, t.PERCENT) and 0 <= number <= 1 else None


def _text(value: core.Const) -> object:
    return value.value if value.type == t.STRING else None


def _texts(value: core.Const) -> object:
    if not isinstance(value.type, t.SetOf | t.ListOf) or t.item_of(value.type) != t.STRING:
        return None
    items: Any = value.value
    return tuple(sorted(items))


_READ = {"threshold": _threshold, "language": _text, "ignore": _texts}
_EXPECTED = {
    "threshold": "a constant from 0 to 1", "language": 'the code of a language, such as `"en"`',
    "ignore": "a set of texts that are no personal data",
}  # fmt: skip


def _entity(typer: Typer, node: syntax.Expr, language: str) -> str | None:
    from guardrails.detectors.entities import DEFAULT, NAMED_BY_MODEL

    name = node.id if isinstance(node, syntax.Name) else ""
    if name in DEFAULT | NAMED_BY_MODEL or (name and name in _regional(language)):
        return name
    if not name:
        help = "write it in capitals, such as `EMAIL_ADDRESS`"
        typer.report("unknown-entity", "this is not the name of an entity", node.span, help)
        return None
    help = did_you_mean(name, sorted(DEFAULT | NAMED_BY_MODEL | _regional(language)))
    typer.report("unknown-entity", f"there is no entity `{name}`", node.span, help)
    return None


def _regional(language: str) -> frozenset[str]:
    """Entities of single countries, which the recognisers of Presidio find."""
    from guardrails.detectors.presidio_regions import known

    return frozenset(known(language))


# --- declared detectors ------------------------------------------------------------------------


def declared(typer: Typer, items: Iterable[syntax.Detector]) -> Mapping[str, Spec]:
    """The policy's own detectors, by name."""
    found: dict[str, Spec] = {}
    for item in items:
        spec = _own(typer, item)
        if item.name in found or item.name in (*FUNCTIONS, *DETECTORS):
            typer.report("duplicate-name", f"`{item.name}` is declared twice", item.span)
        else:
            # One that was reported is still declared: what uses it is not wrong as well.
            found[item.name] = spec or ("own", item.name, "a", None, ())
    return found


def _own(typer: Typer, item: syntax.Detector) -> Spec | None:
    from guardrails.detectors.pii.custom import Custom, scanner
    from guardrails.detectors.validators import CHECKSUMS
    from guardrails.errors import EvaluationError

    if item.checksum is not None and item.checksum not in CHECKSUMS:
        help = did_you_mean(item.checksum, CHECKSUMS) or f"there are {', '.join(sorted(CHECKSUMS))}"
        typer.report("unknown-checksum", f"there is no checksum `{item.checksum}`", item.span, help)
        return None
    pattern = str(item.pattern.value)
    try:
        scanner(Custom(item.name, pattern, item.checksum, item.context))
    except EvaluationError as error:
        typer.report("bad-pattern", str(error), item.pattern.span)
        return None
    return ("own", item.name, pattern, item.checksum, tuple(item.context))
