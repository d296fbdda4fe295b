"""Pages of the checker's errors: names, types and values that do not fit together."""

from __future__ import annotations

from typing import Final

MEANING: Final[dict[str, tuple[str, str]]] = {
    "degraded-at-host": (
        "G244",
        """A statement that means less at a host than it says.

        **What.** `guard lint --target HOST` looks at a policy as the hook of that host enforces it. What the host cannot
        express becomes something stricter there: a redaction a denial, a question a denial with a request to wait for.

        **Why.** Nothing gets through that the policy would stop, but an agent is stopped where its policy would let a
        changed call go on.

        **Avoid.** Relying on the changed call at that host.

        **Prefer.** A statement that the host can carry out, or another host.
        """,
    ),
    "misplaced-policy": (
        "G022",
        """`policy` somewhere else than at the beginning.

        **What.** A file has two `policy` lines, or one that is not its first.

        **Why.** `shadow policy` changes what the whole file does; a reader looks for it at the top.

        **Avoid**
        ```guard
        on call search { allow when args.limit < 10 }
        policy search_agent
        ```

        **Prefer**
        ```guard
        policy search_agent
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
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
    "bad-schema": (
        "G079",
        """A file that is no JSON Schema.

        **What.** The file behind `schema` is not JSON, or says something that JSON Schema does not know.

        **Why.** No output could be held against it.

        **Avoid.** `schema "reply.json"`, where the file is an example of a reply.

        **Prefer.** A JSON Schema: `{"type": "object", "required": ["answer"]}`.
        """,
    ),
    "bad-test-file": (
        "G080",
        """A test file that does not say what it should.

        **What.** A `*.test.yaml` file has a key or a value that test files do not have, or a case that checks
        nothing.

        **Why.** A case that is misspelt would pass without having tested anything.

        **Avoid.** `expect: {outcom: deny}`.

        **Prefer.** `expect: {outcome: deny}`.
        """,
    ),
    "counter-lost": (
        "G076",
        """A limit that forgets what it has counted.

        **What.** `guard lint --against OLD` compares a policy with the one in force: a limit, budget or breaker
        has another label, another `by` or another window than there.

        **Why.** A store knows a counter by these three. Under another name it begins at nothing, so whoever has
        used up a limit gets all of it once more.

        **Avoid.** Renaming `daily: limit 3 per 1d` to `per_day: limit 3 per 1d`.

        **Prefer.** `per_day: limit 3 per 1d was daily`, which takes the counter over.
        """,
    ),
}
