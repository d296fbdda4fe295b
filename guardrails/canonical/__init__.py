"""The domain types of the language: texts that compare by what they mean, not by how they are spelled.

One module per type, each with one immutable value and its `parse_*` function. A parse function takes the
text of an argument and gives a value whose `text` is the canonical form, or raises `Ambiguous`. The one idea
(law L5): a text that two careful readers could read differently has no canonical form, and saying so is
the only safe answer, because law L2 then keeps every restriction in force.

Nothing here touches a file, a socket or a clock, except `path.real_path`. Parsers of other people's
grammars (`sqlglot`, `tree-sitter`, `idna`) are imported on first use: a policy pays for what it names.
"""
