"""What a refusal says to the agent, and an approval to the people who are asked."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.language import syntax
from guardrails.language.checked import keyword_of
from guardrails.lint.policy import Site
from guardrails.lint.registry import Finding, of_kind, rule


@rule("G211", syntax.Statement, severity="info")
def deny_without_because(site: Site) -> Iterator[Finding]:
    """A refusal without a reason.

    **What.** `deny` or `halt` without `because`.

    **Why.** The reason is what the agent is told. Without one it tries the same thing in other words; with
    one it can do something else, or tell its user why not.

    **Avoid**
    ```guard
    on call delete_order { deny }
    ```

    **Prefer**
    ```guard
    on call delete_order { deny because "Orders are kept for ten years; cancel the order instead." }
    ```
    """
    node = of_kind(site.node, syntax.Statement)
    if isinstance(node.effect, syntax.Deny | syntax.Halt) and node.because is None:
        word = keyword_of(node.effect)
        yield Finding(node.span, f"this `{word}` gives no reason", 'add `because "..."`')


@rule("G212", syntax.Statement)
def empty_because(site: Site) -> Iterator[Finding]:
    """A reason that says nothing.

    **What.** `because` with an empty text, or one that repeats the outcome.

    **Why.** It silences whoever asks for a reason without giving one.

    **Avoid**
    ```guard
    on call delete_order { deny because "Denied." }
    ```

    **Prefer**
    ```guard
    on call delete_order { deny because "Orders are kept for ten years; cancel the order instead." }
    ```
    """
    node = of_kind(site.node, syntax.Statement)
    if node.because is not None and node.because.strip(" .!").lower() in _NO_REASON:
        yield Finding(
            node.span, "this reason says nothing", "say what the agent could do instead, or why not"
        )


_NO_REASON = frozenset(
    {
        "",
        "no",
        "deny",
        "denied",
        "forbidden",
        "not allowed",
        "refused",
        "blocked",
        "policy",
        "n/a",
        "tbd",
        "todo",
    }
)


@rule("G213", syntax.Ask, severity="info")
def ask_without_reviewer(site: Site) -> Iterator[Finding]:
    """An approval that nobody in particular gives.

    **What.** `ask` without the name of a person or group.

    **Why.** The host decides whom to ask. If it picks whoever started the session, the agent's own user
    approves what the agent does.

    **Avoid**
    ```guard
    on call transfer { ask within 4h }
    ```

    **Prefer**
    ```guard
    on call transfer { ask finance within 4h }
    ```
    """
    node = of_kind(site.node, syntax.Ask)
    if not node.reviewers and not isinstance(site.item, syntax.Default):
        yield Finding(node.span, "this `ask` does not say who decides", "name a group: `ask finance`")


@rule("G214", syntax.Ask, severity="info")
def ask_without_deadline(site: Site) -> Iterator[Finding]:
    """An approval that may be waited for without end.

    **What.** `ask` without `within`.

    **Why.** An answer given next week is an answer to another situation. With a deadline the call is refused,
    or handed to somebody else by `else`, when nobody answers in time.

    **Avoid**
    ```guard
    on call transfer { ask finance }
    ```

    **Prefer**
    ```guard
    on call transfer { ask finance within 4h else treasurer }
    ```
    """
    node = of_kind(site.node, syntax.Ask)
    if node.within is None and node.reviewers and not isinstance(site.item, syntax.Default):
        yield Finding(node.span, "this `ask` has no deadline", "add one: `within 4h`")


@rule("G215", syntax.Statement, severity="info")
def shadow_without_because(site: Site) -> Iterator[Finding]:
    """A statement in shadow that does not say what for.

    **What.** `shadow` before a statement that has no `because`.

    **Why.** Shadow is for trying out. Without a reason nobody knows when the trial is over, and the statement
    is never enforced.

    **Avoid**
    ```guard
    on call search {
      allow when args.limit < 100
      shadow ask support within 1h when args.limit > 50
    }
    ```

    **Prefer**
    ```guard
    on call search {
      allow when args.limit < 100
      shadow ask support within 1h when args.limit > 50 because "On trial until the end of March."
    }
    ```
    """
    node = of_kind(site.node, syntax.Statement)
    is_denial = isinstance(node.effect, syntax.Deny | syntax.Halt)
    if node.shadow and node.because is None and not is_denial:
        yield Finding(node.span, "this is in shadow, and nothing says until when", 'add `because "..."`')
