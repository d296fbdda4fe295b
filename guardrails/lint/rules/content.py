"""Content: detectors that find nothing here, and tokens that nobody makes."""

from __future__ import annotations

from collections.abc import Iterator

from guardrails.detectors.entities import NAMED_BY_MODEL
from guardrails.detectors.presidio_names import model_present
from guardrails.diagnostics import Span
from guardrails.language import core, syntax
from guardrails.language.checked import Change
from guardrails.lint.policy import Policy, Stated
from guardrails.lint.registry import Finding, rule


@rule("G231", Stated, severity="error")
def absent_model(stated: Stated) -> Iterator[Finding]:
    """An entity that only a model finds, and no model.

    **What.** The policy asks for `PERSON`, `LOCATION`, `NRP` or `ORGANIZATION`, and no language model for texts of
    that language is installed where the policy is looked at.

    **Why.** Such names are not found by rules. Without a model every statement that asks for them is an error when it
    is evaluated: what it restricts is denied, whatever the text says.

    **Avoid**
    ```guard
    on output { redact pii(PERSON, language = "is") }
    ```

    **Prefer**
    ```guard
    on output { redact pii(EMAIL_ADDRESS, PHONE_NUMBER) }
    ```
    """
    for span, detector in _detectors(stated):
        if detector[0] != "pii" or not isinstance(detector[1], tuple):
            continue
        names = sorted(NAMED_BY_MODEL.intersection(detector[1]))
        language = str(detector[3])
        if names and not model_present(language):
            listed = ", ".join(f"`{name}`" for name in names)
            yield Finding(
                span, f"only a model finds {listed}, and none for `{language}` is installed here",
                "install one, such as spaCy's `en_core_web_sm`, or ask for entities that rules find",
            )  # fmt: skip


def _detectors(stated: Stated) -> Iterator[tuple[Span, tuple[object, ...]]]:
    """The detectors that a statement asks, and where."""
    for node in stated.expressions():
        if isinstance(node, core.Detect):
            yield node.span, node.detector
    for _, form in stated.forms[:1]:
        if isinstance(form.meaning, Change) and form.meaning.detector is not None:
            what = getattr(stated.effect, "what", None)
            yield (what or stated.effect).span, form.meaning.detector


@rule("G232", Policy)
def reveal_without_token(policy: Policy) -> Iterator[Finding]:
    """Tokens are turned back that nothing makes.

    **What.** There is a `reveal`, and no `redact ... with token` in any of the files.

    **Why.** A session only knows the tokens that it made itself, so nothing will ever be revealed. Most often the
    redaction was meant to be `with token` and masks instead: then what is behind it is gone.

    **Avoid**
    ```guard
    on result get_customer { redact pii(EMAIL_ADDRESS) }
    on call find_orders { allow }
    reveal in call find_orders.buyer
    ```

    **Prefer**
    ```guard
    on result get_customer { redact pii(EMAIL_ADDRESS) with token }
    on call find_orders { allow }
    reveal in call find_orders.buyer
    ```
    """
    redactions = [site.node for site in policy.sites if isinstance(site.node, syntax.Redact)]
    if any(node.method == "token" for node in redactions):
        return
    for item in policy.items:
        if isinstance(item, syntax.Reveal):
            help = "make tokens with `redact ... with token` where the values come from"
            yield Finding(item.span, "nothing in this policy makes tokens that could be revealed", help)
