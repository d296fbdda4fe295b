"""Calls: built-in functions, the host's functions, and named conditions of the policy."""

from __future__ import annotations

from guardrails.diagnostics import Span, did_you_mean
from guardrails.functions import FUNCTIONS as FUNCTION_VALUES
from guardrails.language import content, core, syntax
from guardrails.language import types as t
from guardrails.language.builtins import FUNCTIONS, SPECIAL, Signature
from guardrails.language.expressions import FAULTY, Typer, described, narrow
from guardrails.language.labels import alone
from guardrails.language.scope import Scope


def lower_call(typer: Typer, node: syntax.Call, scope: Scope) -> core.Core:
    name = node.function
    local = scope.find(name) if "." not in name else None
    if isinstance(local, syntax.Let):
        typer.used.add(name)
        return _named_condition(typer, node, local, scope)
    if name in content.FUNCTIONS or name in scope.namespace.detectors:
        return content.lower_call(typer, node, scope)
    if name in SPECIAL:
        return _over_collection(typer, node, scope)
    host = scope.namespace.functions.get(name)
    if host is not None:
        return core.HostCall(node.span, host.result, name, _arguments(typer, node, host, scope))
    if name in FUNCTIONS:
        return _builtin(typer, node, FUNCTIONS[name], scope)
    return _unknown(typer, node, scope)


def _unknown(typer: Typer, node: syntax.Call, scope: Scope) -> core.Core:
    known = [*FUNCTIONS, *SPECIAL, *scope.namespace.functions]
    known += [key for key, value in scope.namespace.values.items() if isinstance(value, syntax.Let)]
    last = node.function.rpartition(".")[2]
    help = did_you_mean(node.function, known)
    if not help and last in FUNCTIONS and "." in node.function:
        help = f"write `{last}({node.function.rpartition('.')[0]})`"
    if not help:
        help = "a function of the host must be registered before the policy loads"
    return typer.report("unknown-function", f"there is no function `{node.function}`", node.name_span, help)


# --- named conditions --------------------------------------------------------------------------


def _named_condition(typer: Typer, node: syntax.Call, let: syntax.Let, scope: Scope) -> core.Core:
    if let.parameters is None:
        return typer.report(
            "wrong-argument", f"`{let.name}` takes no arguments", node.span, f"write `{let.name}`"
        )
    if let.name in scope.open_lets:
        return typer.report("recursive-let", f"`{let.name}` is defined by itself", node.span)
    if node.named or len(node.arguments) != len(let.parameters):
        needed = ", ".join(parameter.name for parameter in let.parameters)
        return typer.report("wrong-argument", f"`{let.name}` is called as `{let.name}({needed})`", node.span)
    inner = scope.inside(let)
    bindings: list[tuple[str, core.Core]] = []
    for parameter, argument in zip(let.parameters, node.arguments, strict=True):
        kind = type_of(typer, parameter.type, scope.namespace.types)
        value = typer.expect(typer.lower(argument, scope), kind)
        if value.type == FAULTY:
            return value
        variable = typer.fresh(parameter.name)
        inner = inner.bind(parameter.name, core.Var(parameter.span, kind, variable))
        bindings.append((variable, value))
    body = typer.lower(let.value, inner)
    for variable, value in reversed(bindings):
        body = core.Bind(node.span, body.type, variable, value, body)
    return body


def type_of(typer: Typer, node: syntax.TypeExpr, declared: object) -> t.Type:
    from guardrails.language.declarations import resolve_type

    return resolve_type(typer, node, declared)  # type: ignore[arg-type]  # the namespace's own mapping


# --- built-in functions ------------------------------------------------------------------------


def _builtin(typer: Typer, node: syntax.Call, signature: Signature, scope: Scope) -> core.Core:
    if signature.name == "origin":
        return alone(typer, node, scope)
    arguments = _arguments(typer, node, signature, scope)
    if any(argument.type == FAULTY for argument in arguments):
        return core.Const(node.span, FAULTY, None)
    if signature.result in t.CANONICAL or signature.result in (t.TIME, t.DECIMAL, t.MONEY):
        folded = _checked_constant(typer, node, signature, arguments)
        if folded is not None:
            return folded
    return core.Invoke(node.span, signature.result, signature.name, arguments)


def _checked_constant(
    typer: Typer, node: syntax.Call, signature: Signature, arguments: tuple[core.Core, ...]
) -> core.Core | None:
    """A function of constants that cannot work is an error now, not at run time."""
    from guardrails.language.constants import problem_of_call

    if signature.name == "real_path" or not all(isinstance(argument, core.Const) for argument in arguments):
        return None
    values = [argument.value for argument in arguments if isinstance(argument, core.Const)]
    problem = problem_of_call(signature.name, values)
    if not problem:
        return _folded_constant(node, signature, values)
    return (
        typer.report("bad-constant", f"`{signature.name}(...)` fails here: {problem}", node.span)
        if problem
        else None
    )


def _folded_constant(node: syntax.Call, signature: Signature, values: list[object]) -> core.Core | None:
    """The constant that a function of constants is, where constants can hold it."""
    if signature.name in {"time", "money"}:
        value = FUNCTION_VALUES[signature.name](*values)
        kind = t.Money(value[1]) if isinstance(value, tuple) else t.TIME
        return core.Const(node.span, kind, value)
    if signature.name == "window":
        return core.Const(node.span, t.WINDOW, tuple(values))
    if signature.name in {"url", "host", "email", "ip", "cidr", "path"} and len(values) == 1:
        return core.Const(node.span, signature.result, values[0])
    return None


def _arguments(typer: Typer, node: syntax.Call, signature: Signature, scope: Scope) -> tuple[core.Core, ...]:
    """The arguments in the order of the parameters, converted; trailing ones may be left out."""
    given: dict[str, syntax.Expr] = {}
    if len(node.arguments) > len(signature.parameters):
        return (_wrong(typer, node.span, signature),)
    for parameter, argument in zip(signature.parameters, node.arguments, strict=False):
        given[parameter.name] = argument
    for name, argument in node.named:
        if name in given or all(parameter.name != name for parameter in signature.parameters):
            return (_wrong(typer, argument.span, signature),)
        given[name] = argument
    lowered = []
    for parameter in signature.parameters:
        if parameter.name not in given:
            if not parameter.optional:
                return (_wrong(typer, node.span, signature),)
            break
        value = typer.expect(typer.lower(given[parameter.name], scope), parameter.type)
        if parameter.constant and not isinstance(value, core.Const):
            value = typer.report(
                "bad-constant", f"`{parameter.name}` must be a constant", given[parameter.name].span
            )
        lowered.append(value)
    return tuple(lowered)


def _wrong(typer: Typer, span: Span, signature: Signature) -> core.Const:
    return typer.report(
        "wrong-argument", f"`{signature.name}` is not called so", span, f"it is `{signature}`"
    )


# --- functions over collections ----------------------------------------------------------------


def _over_collection(typer: Typer, node: syntax.Call, scope: Scope) -> core.Core:
    name = node.function
    arguments = tuple(typer.lower(argument, scope) for argument in node.arguments)
    if any(argument.type == FAULTY for argument in arguments):
        return core.Const(node.span, FAULTY, None)
    if node.named or not arguments or (len(arguments) > 1 and name not in {"min", "max"}):
        return typer.report(
            "wrong-argument",
            f"`{name}` is not called so",
            node.span,
            f"it is `{SPECIAL[name].split(' | ')[0]}`",
        )
    if len(arguments) > 1:
        return _extreme(typer, node, arguments)
    return _SPECIAL_RESULTS[name](typer, node, arguments[0])


def _extreme(typer: Typer, node: syntax.Call, arguments: tuple[core.Core, ...]) -> core.Core:
    kinds = {argument.type for argument in arguments}
    if len(kinds) == 1 and kinds <= t.ORDERED:
        kind = kinds.pop()
    else:
        arguments = tuple(typer.expect(argument, t.DECIMAL, "a number") for argument in arguments)
        kind = t.INT if {argument.type for argument in arguments} == {t.INT} else t.DECIMAL
    return core.Invoke(node.span, kind, node.function, (core.Collect(node.span, t.ListOf(kind), arguments),))


def _count(typer: Typer, node: syntax.Call, value: core.Core) -> core.Core:
    if value.type == t.ANY:
        value = narrow(value, t.COLLECTION) if node.function == "count" else value
    elif t.is_textual(value.type) and node.function == "length":
        value = typer.expect(value, t.STRING) if value.type not in t.CANONICAL else value
    elif not isinstance(value.type, t.ListOf | t.SetOf | t.MapOf):
        return typer.report("wrong-type", f"{described(value)}, which has no {_counted(node)}", node.span)
    return core.Invoke(node.span, t.INT, node.function, (value,))


def _counted(node: syntax.Call) -> str:
    return "elements to count" if node.function == "count" else "length"


def _folded(typer: Typer, node: syntax.Call, value: core.Core) -> core.Core:
    """sum, min, max of one collection."""
    value = _listed(typer, value)
    if value.type == FAULTY:
        return value
    kind = t.item_of(value.type)
    if kind not in (t.ANY, *t.ORDERED):
        return typer.report("wrong-type", f"`{node.function}` needs a collection of numbers", node.span)
    return core.Invoke(node.span, t.DECIMAL if kind in (t.ANY, *t.NUMERIC) else kind, node.function, (value,))


def _listed(typer: Typer, value: core.Core) -> core.Core:
    if value.type == t.ANY:
        return narrow(value, t.ListOf(t.ANY))
    if isinstance(value.type, t.ListOf | t.SetOf):
        return value
    return typer.report("wrong-type", f"{described(value)}, but a collection is expected here", value.span)


def _set(typer: Typer, node: syntax.Call, value: core.Core) -> core.Core:
    value = _listed(typer, value)
    return (
        value
        if value.type == FAULTY
        else core.Invoke(node.span, t.SetOf(t.item_of(value.type)), "set", (value,))
    )


def _of_map(typer: Typer, node: syntax.Call, value: core.Core) -> core.Core:
    value = narrow(value, t.MapOf(t.STRING, t.ANY)) if value.type == t.ANY else value
    if not isinstance(value.type, t.MapOf | t.Record):
        return typer.report("wrong-type", f"{described(value)}, but a map is expected here", value.span)
    inner = value.type.value if isinstance(value.type, t.MapOf) else t.ANY
    kind = t.STRING if node.function == "keys" else inner
    return core.Invoke(node.span, t.ListOf(kind), node.function, (value,))


_SPECIAL_RESULTS = {
    "count": _count, "length": _count, "sum": _folded, "min": _folded, "max": _folded,
    "keys": _of_map, "values": _of_map, "set": _set,
}  # fmt: skip
