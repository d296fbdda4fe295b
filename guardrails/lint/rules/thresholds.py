"""Thresholds whose rows do not do what rows are for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from guardrails.diagnostics import Edit, Fix, Note
from guardrails.language import core, syntax
from guardrails.language.checked import Steps, keyword_of
from guardrails.lint.policy import Site, Stated
from guardrails.lint.reasoning import natural
from guardrails.lint.registry import Finding, of_kind, rule
from guardrails.lint.sameness import says_the_same

_RANK = {syntax.Allow: 0, syntax.Ask: 1, syntax.Deny: 2, syntax.Halt: 3}


@rule("G121", syntax.Threshold)
def single_row_threshold(site: Site) -> Iterator[Finding]:
    """A threshold with no bound.

    **What.** The only row of the threshold is `above`.

    **Why.** One outcome holds for every value, so the statement is that outcome in disguise; a bound was
    forgotten or removed.

    **Avoid**
    ```guard
    on call transfer {
      threshold args.amount {
        above: ask finance within 4h
      }
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      ask finance within 4h
    }
    ```
    """
    node = _threshold(site)
    if len(node.rows) == 1:
        yield Finding(node.span, "this threshold has no bound", "add a row such as `up to 100: allow`")


@rule("G122", syntax.Threshold)
def uniform_threshold(site: Site) -> Iterator[Finding]:
    """A threshold with the same outcome in every row.

    **What.** All rows of the threshold say the same.

    **Why.** The bounds decide nothing; a row was copied and its outcome not changed.

    **Avoid**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 100: allow
        above: allow
      }
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 100: allow
        above: ask finance within 4h
      }
    }
    ```
    """
    node = _threshold(site)
    if len(node.rows) > 1 and all(says_the_same(a.effect, b.effect) for a, b in pairwise(node.rows)):
        word = keyword_of(node.rows[0].effect)
        yield Finding(node.span, f"every row of this threshold says `{word}`")


@rule("G123", syntax.Threshold)
def mergeable_rows(site: Site) -> Iterator[Finding]:
    """Two neighbouring rows with the same outcome.

    **What.** A row of a threshold repeats the outcome of the row before it.

    **Why.** Its bound separates nothing; one row with the higher bound says the same.

    **Avoid**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 50: allow
        up to 100: allow
        above: ask finance within 4h
      }
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 100: allow
        above: ask finance within 4h
      }
    }
    ```
    """
    rows = _threshold(site).rows
    if len({type(row.effect) for row in rows}) == 1:
        return
    for row, following in pairwise(rows):
        if says_the_same(row.effect, following.effect) and row.because == following.because:
            edit = Edit(row.span._replace(end=following.span.start), "")
            note = Note(following.span, "this row goes on with it")
            fix = Fix("remove the row", (edit,), "unsafe")
            yield Finding(row.span, "this row says the same as the next one", "", (note,), fix)


@rule("G124", syntax.Threshold)
def descending_threshold(site: Site) -> Iterator[Finding]:
    """A threshold that becomes milder as the value grows.

    **What.** A row is less strict than the row below it.

    **Why.** Larger amounts are nearly always the riskier ones. Where small values are the danger (a balance,
    a score), a `require` says so more plainly.

    **Avoid**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 100: ask finance within 4h
        above: allow
      }
    }
    ```

    **Prefer**
    ```guard
    on call transfer {
      threshold args.amount {
        up to 100: allow
        above: ask finance within 4h
      }
    }
    ```
    """
    for row, following in pairwise(_threshold(site).rows):
        if _RANK[type(following.effect)] < _RANK[type(row.effect)]:
            note = Note(row.span, "the row before it is stricter")
            yield Finding(following.span, "this row is milder than the one before it", "", (note,))
            return


def _threshold(site: Site) -> syntax.Threshold:
    return of_kind(site.node, syntax.Threshold)


@rule("G125", Stated)
def unreachable_row(stated: Stated) -> Iterator[Finding]:
    """A row for values that there are none of.

    **What.** The bound of a row is below everything that the threshold's value can be, as a negative bound
    for a count is.

    **Why.** The row never decides anything, so the case that its author had in mind is not covered.

    **Avoid**
    ```guard
    on call send_email {
      threshold count(args.to) {
        up to -1: allow
        up to 5: ask support within 1h
        above: deny because "Mail goes to five people at most."
      }
    }
    ```

    **Prefer**
    ```guard
    on call send_email {
      threshold count(args.to) {
        up to 5: ask support within 1h
        above: deny because "Mail goes to five people at most."
      }
    }
    ```
    """
    for _, form in stated.forms[:1]:
        steps = form.meaning
        low = natural(steps.value).low if isinstance(steps, Steps) else None
        if low is None or not isinstance(steps, Steps):
            continue
        for row in steps.rows:
            bound = row.bound.right if isinstance(row.bound, core.Compare) else None
            if isinstance(bound, core.Const) and isinstance(bound.value, int) and bound.value < low[0]:
                yield Finding(row.span, f"the value is never below {low[0]}, so this row never decides")
