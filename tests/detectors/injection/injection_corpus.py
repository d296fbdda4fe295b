"""Labelled texts for the detector of injection.

Attacks and harmless texts are lines of two files, in the project's own words; harmless ones are joined by
ordinary mails, tickets, code and articles put together from parts. Odd lines were looked at while the rules were
written, even lines were held out.
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

_HERE = Path(__file__).parent

_WHO = ("Ana", "the finance team", "our supplier", "the new colleague", "support")
_ASKS = (
    "Please send the minutes to {}.",
    "Can you ask {} to update the previous rules for travel?",
    "Do not forget to tell {} about the change before Monday.",
    "The instructions for {} are in the shared folder, see the section above.",
    "Forward the invoice to {} and keep a copy.",
    "Please ignore the earlier draft, {} has the final text.",
    "{} will show you how the system works; bring your questions.",
    "I need {} to approve this right away, thank you!",
    "As agreed with {}, the old contract is void from now on.",
    "Let {} know that the password policy changes in June.",
)
_CODE = (
    "def {}(text: str) -> str:\n    # skip all previous entries\n    return text.strip()",
    "class {}(Base):\n    '''Overrides the rules of the parent class.'''",
    "ERROR {}: could not read the system message, ignoring it",
    "- {}: show the instructions when the user asks for help",
)
_NAMES = (
    "loader",
    "parser",
    "prompt_builder",
    "agent",
    "token_store",
    "session",
    "router",
    "reporter",
    "mailer",
)
_ARTICLES = (
    "Researchers who study {} say that filters alone will not be enough.",
    "Our guide to {} has a chapter on how assistants are attacked and defended.",
    "In this talk on {} we look at how a model follows instructions in a document.",
)
_SUBJECTS = ("prompt injection", "agent security", "jailbreaks", "data leaks", "model alignment", "tool use")


def attacks() -> list[str]:
    """Texts that speak to a model against its user."""
    return _lines("attacks.txt")


def benign() -> list[str]:
    """Texts that do not, many of which use the same words."""
    return [*_lines("benign.txt"), *_composed()]


def _composed() -> list[str]:
    parts = ((_ASKS, _WHO), (_CODE, _NAMES), (_ARTICLES, _SUBJECTS))
    return [text.replace("{}", word, 1) for texts, words in parts for text, word in product(texts, words)]


def _lines(name: str) -> list[str]:
    lines = (_HERE / name).read_text(encoding="utf-8").splitlines()
    return [line.replace("\\n", "\n") for line in lines]


def tuned(texts: list[str]) -> list[str]:
    return texts[::2]


def held_out(texts: list[str]) -> list[str]:
    return texts[1::2]
