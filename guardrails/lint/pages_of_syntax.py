"""Pages of what can be wrong with a policy's text and files, in the form of the linter's own pages.

Where no text of a page's length shows the problem, Avoid and Prefer say it in words.
"""

from __future__ import annotations

from typing import Final

SYNTAX: Final[dict[str, tuple[str, str]]] = {
    "syntax-error": (
        "G001",
        """Something that cannot be read as a policy.

        **What.** A word, a sign or an end of line stands where the language expects something else. The message
        says what is expected there.

        **Why.** A policy that cannot be read does not load; no part of it is guessed.

        **Avoid**
        ```guard
        on call search { allow when }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "unclosed-brace": (
        "G002",
        """A brace or bracket without its partner.

        **What.** `{`, `(` or `[` is never closed, or a closing one was never opened.

        **Why.** Everything behind it would belong to another block than its author thinks.

        **Avoid**
        ```guard
        on call search {
          allow when args.limit < 10
        ```

        **Prefer**
        ```guard
        on call search {
          allow when args.limit < 10
        }
        ```
        """,
    ),
    "unclosed-string": (
        "G003",
        """A string or pattern without its end.

        **What.** A string has no closing `"`, or a pattern no closing `/`, on the line it began on.

        **Why.** The rest of the file would be part of the text.

        **Avoid**
        ```guard
        on call search { allow when args.kind == "book }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.kind == "book" }
        ```
        """,
    ),
    "unreadable-character": (
        "G004",
        """A character that nobody sees.

        **What.** Control characters, marks that turn the direction of writing, and halves of characters.

        **Why.** A policy is reviewed by eye. What a reader cannot see must not change what it means.

        **Avoid.** A zero byte, or a right-to-left mark, anywhere in the file.

        **Prefer.** Inside of a string such a character is written by its number: `"\\u{202E}"`.
        """,
    ),
    "nested-too-deep": (
        "G005",
        """Expressions inside of expressions, too many levels of them.

        **What.** Brackets, `not` or operators are nested beyond what a person could follow.

        **Why.** Deciding is bounded in time and memory, and so is what it can be asked.

        **Avoid.** Hundreds of brackets around each other, as generated policies sometimes have.

        **Prefer.** Name a part with `let` and use the name.
        """,
    ),
    "wrong-operator": (
        "G006",
        """An operator of another language.

        **What.** `=` for `==`, `&&` for `and`, `||` for `or`, `!` for `not`, and their like.

        **Why.** The fix is known, and is offered; it is still an error, because a policy has one way of saying
        a thing.

        **Avoid**
        ```guard
        on call search { allow when args.limit < 10 && args.kind == "book" }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 and args.kind == "book" }
        ```
        """,
    ),
    "misplaced-statement": (
        "G007",
        """A statement where it has no meaning.

        **What.** A statement outside of a block, a block inside of another one, or `only fields`, `only rows`
        and `drop fields` in a block that has no result.

        **Why.** It would do nothing where it stands.

        **Avoid**
        ```guard
        allow when args.limit < 10
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "format-changed-meaning": (
        "G008",
        """Formatting was stopped because it would have changed the policy.

        **What.** `guard fmt` reads what it has written and found that it means something else.

        **Why.** A formatter that changes a policy is worse than none. This is a defect of the formatter.

        **Avoid.** Nothing: the file was left as it is.

        **Prefer.** Report the file, and format it by hand until then.
        """,
    ),
    "unreadable-file": (
        "G011",
        """A file that cannot be read.

        **What.** A policy or tool file does not exist, may not be read, is too large or is not UTF-8.

        **Why.** A part of the policy would be missing.

        **Avoid**
        ```guard
        use tools "no_such_file.json"
        on call search { allow when args.limit < 10 }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "cyclic-use": (
        "G012",
        """Files that use each other in a circle.

        **What.** A file uses another one that, directly or not, uses the first.

        **Why.** None of them could be understood without the others. What two files share belongs into a third.

        **Avoid**
        ```guard
        use "policy.guard"
        on call search { allow when args.limit < 10 }
        ```

        **Prefer**
        ```guard
        on call search { allow when args.limit < 10 }
        ```
        """,
    ),
    "use-conflict": (
        "G013",
        """A file used twice with different parameters.

        **What.** Two `use` lines name the same file and give its parameters different values.

        **Why.** All files share one set of names, so a parameter has one value.

        **Avoid.** `use "refunds.guard" with max_refund = 100` in one file and `with max_refund = 250` in another.

        **Prefer.** One `use` with the parameters, in the file that brings the others together.
        """,
    ),
    "bad-tool-file": (
        "G014",
        """A tool file that does not say what tools there are.

        **What.** The file is not JSON, has none of the known forms (MCP, OpenAI, Anthropic, pinned), describes a
        tool twice, or a pinned tool was changed after it was pinned.

        **Why.** The policy's types come from this file. A changed definition behind a reviewed policy is a known
        way of attacking an agent.

        **Avoid**
        ```guard
        use tools "tools.json"
        on call search { allow when args.limit < 10 }
        ```
        ```json
        {"tools": [
        ```

        **Prefer**
        ```guard
        use tools "tools.json"
        on call search { allow when args.limit < 10 }
        ```
        ```json
        {"tools": [{"name": "search", "inputSchema": {"type": "object", "required": ["limit"],
          "properties": {"limit": {"type": "integer"}}}}]}
        ```
        """,
    ),
    "duplicate-tool": (
        "G015",
        """One tool, two descriptions.

        **What.** Two tool files describe a tool of the same name differently.

        **Why.** Its arguments would have one type here and another one there.

        **Avoid.** Two servers that both offer `search`, in two files of one policy.

        **Prefer.** Give the tools names of their own, such as `wiki.search` and `mail.search`.
        """,
    ),
    "bad-lint-configuration": (
        "G016",
        """A setting of the linter that it does not know.

        **What.** `[tool.guard.lint]` in `pyproject.toml` has an unknown key, rule or severity, or the file is not
        TOML.

        **Why.** A typing error would switch a rule off, or leave one on, without anybody noticing.

        **Avoid.** `ignore = ["allow-everything"]`, where no such rule exists.

        **Prefer.** `ignore = ["allow-all"]`, with the names that `guard explain` lists.
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
}
