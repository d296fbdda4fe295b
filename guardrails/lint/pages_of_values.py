"""Pages of the checker's errors about types and values that do not fit together."""

from __future__ import annotations

from typing import Final

VALUES: Final[dict[str, tuple[str, str]]] = {
    "wrong-type": (
        "G034",
        """A value of another type than is needed.

        **What.** A condition is not true or false, a text stands where a number is needed, and so on.

        **Why.** It would err in every call.

        **Avoid**
        ```guard
        on call search { allow when 10 }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "wrong-argument": (
        "G035",
        """A function or statement with the wrong arguments.

        **What.** Too many or too few arguments, one of an unknown name, or a statement without what it works on.

        **Why.** What was meant cannot be told.

        **Avoid**
        ```guard
        on call search { allow when starts_with(args.kind) }
        ```

        **Prefer**
        ```guard
        on call search { allow when starts_with(args.kind, "b") }
        ```
        """,
    ),
    "wrong-target": (
        "G036",
        """A change to something that does not pass here.

        **What.** `redact` in an `on call` block names something else than the arguments, and likewise elsewhere.

        **Why.** A transform changes what goes through its point: `args` of a call, the `result`, the `text`.

        **Avoid**
        ```guard
        on call search {
          allow when args.limit < 10
          redact principal.name
        }
        ```

        **Prefer**
        ```guard
        on call search {
          allow when args.limit < 10
          redact args.name
        }
        ```
        """,
    ),
    "impossible-comparison": (
        "G037",
        """Two values that can never be compared.

        **What.** A number and a text, a text and a set, something without an order and `<`, or a choice and a
        value that it never has.

        **Why.** Values of different kinds are never equal here, and never silently converted: the comparison
        errs for every call.

        **Avoid**
        ```guard
        on call search { allow when length(args.kind) == "4" }
        ```

        **Prefer**
        ```guard
        on call search { allow when length(args.kind) == 4 }
        ```
        """,
    ),
    "unit-mismatch": (
        "G038",
        """A number without its unit, or two units that do not go together.

        **What.** A plain number is compared with a duration, a size, a time, a share or an amount of money, or
        two of these with each other.

        **Why.** Whether 30 is meant as seconds or minutes is for the policy to say.

        **Avoid**
        ```guard
        on call search { allow when length(args.kind) < 5m }
        ```

        **Prefer**
        ```guard
        on call search { allow when length(args.kind) < 5 }
        ```
        """,
    ),
    "bad-pattern": (
        "G039",
        """A pattern that is not accepted.

        **What.** The pattern has a mistake, or uses what cannot be matched in linear time: back references and
        looking around.

        **Why.** A text that an attacker chooses must not be able to make a decision slow.

        **Avoid**
        ```guard
        on call search { allow when args.kind matches /[a-z/ }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.kind matches /[a-z]+/ }
        ```
        """,
    ),
    "bad-constant": (
        "G040",
        """A constant that has no value of the type it is used as.

        **What.** A text is read as a path, a URL, a time or the like and is none, a parameter is set to something
        else than its type, or a constant stands where none may.

        **Why.** It would err in every call, and can be told now.

        **Avoid**
        ```guard
        on call fetch { allow when url(args.link).host == "not a host" }
        ```

        **Prefer**
        ```guard
        on call fetch { allow when url(args.link).host == "docs.example.com" }
        ```
        """,
    ),
    "threshold-overlap": (
        "G041",
        """Rows of a threshold that are not in order.

        **What.** The bound of a row is not above the one before it.

        **Why.** The row could never decide: values up to its bound belong to the row before.

        **Avoid**
        ```guard
        on call transfer {
          threshold args.amount {
            up to 100: allow
            up to 50: ask finance within 4h
            above: deny because "Larger transfers are made by people."
          }
        }
        ```

        **Prefer**
        ```guard
        on call transfer {
          threshold args.amount {
            up to 50: allow
            up to 100: ask finance within 4h
            above: deny because "Larger transfers are made by people."
          }
        }
        ```
        """,
    ),
    "threshold-without-above": (
        "G042",
        """A threshold that leaves values out.

        **What.** The last row of a threshold is not `above`.

        **Why.** Every value has an outcome, the largest ones above all.

        **Avoid.** A threshold that ends with `up to 100: allow`.

        **Prefer.** A last row such as `above: deny because "..."`.
        """,
    ),
}
