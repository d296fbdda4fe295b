"""Pages of the checker's errors about names: what is declared twice, and what is declared nowhere."""

from __future__ import annotations

from typing import Final

NAMES: Final[dict[str, tuple[str, str]]] = {
    "duplicate-label": (
        "G023",
        """One label for two statements.

        **What.** Two statements of a policy have the same label.

        **Why.** A label names a statement in decisions, logs and tests; there it could mean either.

        **Avoid**
        ```guard
        on call search {
          small: allow when args.limit < 10
          small: deny when args.offset > 100 because "Nobody reads that far."
        }
        ```

        **Prefer**
        ```guard
        on call search {
          small: allow when args.limit < 10
          near: deny when args.offset > 100 because "Nobody reads that far."
        }
        ```
        """,
    ),
    "duplicate-name": (
        "G024",
        """One name for two things.

        **What.** Two types, parameters or named values have the same name, or one has that of a word of the
        language. All files of a policy share their names.

        **Why.** What an expression means would depend on the order of files.

        **Avoid**
        ```guard
        let most = 10
        let most = 100
        on call search { allow when args.limit < most }
        ```

        **Prefer**
        ```guard
        let most = 10
        on call search { allow when args.limit < most }
        ```
        """,
    ),
    "unknown-name": (
        "G025",
        """A name that nothing has.

        **What.** An expression reads a name that is neither declared nor a part of the event at this point.

        **Why.** It would be missing in every event.

        **Avoid**
        ```guard
        on call search { allow when limit < 10 }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "unknown-label": (
        "G198",
        """A label that nobody declared.

        **What.** A `label`, `flow`, `origin` or `context` names a label that is neither the language's own nor
        declared by `type label`, or gives one that only comes about by itself.

        **Why.** A misspelt label is never there: what depends on it would never fire.

        **Avoid**
        ```guard
        on result read_email { label untrused }
        ```

        **Prefer**
        ```guard
        on result read_email { label untrusted }
        ```
        """,
    ),
    "unknown-field": (
        "G026",
        """A field that the value does not have.

        **What.** The tool's schema, a declared type or a typed value has no field or property of this name.

        **Why.** It would be missing in every call: an `allow` would never apply, a restriction always.

        **Avoid**
        ```guard
        use tools "tools.json"
        on call search { allow when args.limits < 10 }
        ```
        ```json
        {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["limit"],
          "additionalProperties": false, "properties": {"limit": {"type": "integer"}}}}]}
        ```

        **Prefer**
        ```guard
        use tools "tools.json"
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "unknown-tool": (
        "G027",
        """A tool that no tool file has.

        **What.** A block names a tool, and the policy's tool files do not describe it.

        **Why.** Its statements would hold for nothing, and the tool that was meant stays without them.

        **Avoid**
        ```guard
        use tools "tools.json"
        on call serch { allow when args.limit < 10 }
        ```
        ```json
        {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["limit"],
          "properties": {"limit": {"type": "integer"}}}}]}
        ```

        **Prefer**
        ```guard
        use tools "tools.json"
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "unknown-type": (
        "G028",
        """A type that does not exist.

        **What.** A declaration names a type that is neither built in nor declared before it.

        **Why.** Nothing could be checked against it.

        **Avoid**
        ```guard
        param most: integer = 10
        on call search { allow when args.limit < most }
        ```

        **Prefer**
        ```guard
        param most: int = 10
        on call search { allow when args.limit < most }
        ```
        """,
    ),
    "unknown-function": (
        "G029",
        """A function that does not exist.

        **What.** Neither the language nor the host has a function of this name.

        **Why.** The policy would ask a question that nobody answers. Functions of the host are registered before
        a policy loads.

        **Avoid**
        ```guard
        on call search { allow when lowercase(args.kind) == "book" }
        ```

        **Prefer**
        ```guard
        on call search { allow when lower(args.kind) == "book" }
        ```
        """,
    ),
    "unknown-param": (
        "G030",
        """A value for a parameter that does not exist.

        **What.** `use ... with`, or whoever loads the policy, sets a parameter that no file declares.

        **Why.** Somebody believes that a limit was changed.

        **Avoid.** `use "refunds.guard" with max_refunds = 250`, where the file declares `max_refund`.

        **Prefer.** The name as it stands behind `param`.
        """,
    ),
    "unset-param": (
        "G031",
        """A parameter without a value.

        **What.** A `param` has no default, and nobody sets it.

        **Why.** The policy is not complete without it.

        **Avoid**
        ```guard
        param most: int
        on call search { allow when args.limit < most }
        ```

        **Prefer**
        ```guard
        param most: int = 10
        on call search { allow when args.limit < most }
        ```
        """,
    ),
    "unknown-detector": (
        "G032",
        """A detector that does not exist.

        **What.** `redact` names something that is neither built in nor declared by `detector`.

        **Why.** Nothing would be redacted.

        **Avoid**
        ```guard
        on output { redact creditcards }
        ```

        **Prefer**
        ```guard
        on output { redact /[0-9]{16}/ }
        ```
        """,
    ),
    "unknown-resource": (
        "G075",
        """A budget of something that nobody counts.

        **What.** `budget` names a resource that is none of tokens, cost, calls and the like.

        **Why.** Nothing would ever be charged to it.

        **Avoid**
        ```guard
        on session { budget token 1000 }
        ```

        **Prefer**
        ```guard
        on session { budget tokens 1000 }
        ```
        """,
    ),
    "unknown-entity": (
        "G077",
        """A kind of personal data that no detector knows.

        **What.** `pii` is asked for an entity that neither Guard nor Presidio finds in that language.

        **Why.** Nothing of it would ever be found.

        **Avoid**
        ```guard
        on output { redact pii(EMAIL) }
        ```

        **Prefer**
        ```guard
        on output { redact pii(EMAIL_ADDRESS) }
        ```
        """,
    ),
    "unknown-checksum": (
        "G078",
        """A checksum that does not exist.

        **What.** A `detector` names a checksum that is not built in.

        **Why.** What it finds could not be told from other numbers of the same form.

        **Avoid**
        ```guard
        detector account = pattern /[0-9]{10}/ checksum lunh
        on output { redact account }
        ```

        **Prefer**
        ```guard
        detector account = pattern /[0-9]{10}/ checksum luhn
        on output { redact account }
        ```
        """,
    ),
    "recursive-let": (
        "G033",
        """A named value that is defined by itself.

        **What.** A `let` reads its own name, directly or through others.

        **Why.** Deciding always comes to an end, so nothing may go round in a circle.

        **Avoid**
        ```guard
        let is_small(n: decimal) = n < 10 or is_small(n - 1)
        on call search { allow when is_small(args.limit) }
        ```

        **Prefer**
        ```guard
        let is_small(n: decimal) = n < 10
        on call search { allow when is_small(args.limit) }
        ```
        """,
    ),
}
