"""Promises: what a text commits its sender to, by families.

Takes a text, gives the names of the families that it seems to promise something of. The one idea: a promise is
somebody who binds themselves (`we will`, `Sie erhalten`) beside a word of the family in one sentence, without a word
that takes it back. English and German. It is a signal: wordings are without end, so what must not be promised
belongs into what the agent's tools can do as well.
"""

from __future__ import annotations

import re

LONGEST = 400
"""Characters of a sentence that are looked at together; a longer one is looked at in parts."""

_GAP = r"(?:[^\s.!?]+\s+){0,6}?"

_GIVES_EN = (
    r"\b(?:we|i)(?:'ll| will| are going to| am going to|'re going to|'m going to| shall| can| have| do)?\s+"
    r"(?:(?:gladly|happily|also|now|just)\s)?"
)
_GETS_EN = (
    r"\byou(?:'ll| will| are going to|'re going to| are entitled to| can)?\s+(?:also\s|now\s)?"
    r"(?:get|receive|be given|be offered|have)\s+"
)
_GIVES_DE = r"\b(?:wir|ich)\s+(?:werden|können|kann|werde|haben|habe)?\s*"
_GETS_DE = (
    r"\b(?:sie|du)\s+(?:werden|können|wirst|kannst)?\s*(?:erhalten|bekommen|erhältst|bekommst|kriegen|kriegst)\s+"
    r"|\b(?:erhalten|bekommen)\s+sie\s+"
)

FAMILIES: dict[str, tuple[str, ...]] = {
    "refund": (
        rf"{_GIVES_EN}{_GAP}(?:refund(?:ed)?|reimbursed?|money\s+back)\b",
        rf"{_GETS_EN}{_GAP}(?:refund|reimbursement|money\s+back)\b",
        r"\b(?:refund|reimbursement)\s+(?:has\s+been|is\s+being|will\s+be|is|was)\s+(?:issued|approved|processed|granted|on\s+its\s+way)\b",
        r"\byour\s+(?:money|payment|purchase)\s+(?:will\s+be|has\s+been|is\s+being)\s+(?:refunded|returned|reimbursed)\b",
        rf"{_GIVES_DE}{_GAP}(?:erstatten?|zurückerstatten?|zurückzahlen|rückerstattung|erstattet|zurückerstattet)\b",
        rf"(?:{_GETS_DE}){_GAP}(?:geld|betrag|kaufpreis|summe)\s+{_GAP}zurück\b",
        rf"(?:{_GETS_DE}){_GAP}(?:erstattung|rückerstattung|rückzahlung)\b",
        rf"\b(?:wird|werden|wurde|wurden)\s+{_GAP}(?:erstattet|zurückerstattet|zurückgezahlt|zurücküberwiesen)\b",
    ),
    "guarantee": (
        rf"{_GIVES_EN}(?:\w+\s+){{0,2}}?(?:guarantee|warrant|promise|assure\s+you)\b",
        r"\b(?:is|are|comes\s+with\s+a|comes\s+with\s+an?\s+\w+|it's|that's)\s+(?:fully\s+|100\s?%\s+|always\s+)?guaranteed?\b",
        r"\bguaranteed\s+to\b|\byou\s+have\s+(?:my|our)\s+(?:word|guarantee)\b|\bmoney[- ]back\s+guarantee\b",
        rf"\b(?:wir|ich)\s+{_GAP}(?:garantieren?|verspreche[n]?|sichere[n]?\s+(?:ihnen|dir)\b|gewährleisten?)\b",
        rf"\b(?:ist|sind|wird|werden)\s+{_GAP}garantiert\b|\bgarantiere\s+ich\b",
        rf"(?:{_GETS_DE}){_GAP}(?:garantie|zusicherung)\b|\bgeld-zurück-garantie\b",
    ),
    "discount": (
        rf"{_GIVES_EN}{_GAP}(?:discount(?:ed)?|voucher|coupon|price\s+reduction|\d{{1,2}}\s?%\s+off)\b",
        rf"{_GETS_EN}{_GAP}(?:discount|voucher|coupon|price\s+reduction|(?:\d{{1,2}}\s?%|half\s+(?:the\s+)?price)(?:\s+off)?|for\s+free|free\s+of\s+charge)",
        r"\b(?:discount|coupon|voucher)\s+(?:has\s+been|is|will\s+be|was)\s+(?:applied|added|granted|yours)\b",
        rf"{_GIVES_DE}{_GAP}(?:rabatt|nachlass|preisnachlass|gutschein|ermäßigung)\b",
        rf"(?:{_GETS_DE}){_GAP}(?:rabatt|nachlass|preisnachlass|gutschein|ermäßigung|gratis|kostenlos)\b",
        rf"\b(?:gebe|geben|gewähre|gewähren|schenke|schenken)\s+(?:ich|wir)\s+{_GAP}(?:rabatt|nachlass|gutschein)\b",
    ),
    "delivery": (
        rf"{_GIVES_EN}{_GAP}(?:deliver|ship|dispatch)\s+{_GAP}(?:by|on|within|before|today|tomorrow|tonight|in\s+\d)",
        r"\b(?:will|going\s+to)\s+(?:be\s+)?(?:arrive|delivered|shipped|dispatched|reach\s+you|be\s+there|there)\s+"
        rf"{_GAP}(?:by|on|within|before|today|tomorrow|tonight|in\s+\d|no\s+later)",
        rf"\b(?:wir|ich)\s+{_GAP}(?:liefern?|versenden?|verschicken?)\s+{_GAP}(?:bis|am|innerhalb|binnen|heute|morgen|in\s+\d)",
        rf"\b(?:wird|werden|kommt|kommen|trifft|treffen)\s+{_GAP}(?:bis|am|innerhalb|binnen|heute|morgen|spätestens)\s+{_GAP}(?:geliefert|zugestellt|ankommen|an|verschickt|versandt|eintreffen|da\s+sein)\b",
    ),
    "legal": (
        rf"{_GIVES_EN}{_GAP}(?:accept|admit|assume|take|acknowledge)\s+{_GAP}(?:liability|fault|legal\s+responsibility|negligence)\b",
        r"\b(?:we|i)\s+(?:are|am)\s+(?:fully\s+|legally\s+)?(?:liable|at\s+fault|legally\s+responsible)\b",
        r"\byou\s+(?:have\s+a\s+(?:strong|good|valid)\s+(?:legal\s+)?(?:case|claim)|would\s+win|will\s+win|should\s+sue|can\s+sue)\b",
        r"\b(?:this|that|it|which)\s+is\s+(?:legally\s+binding|perfectly\s+legal|completely\s+legal)\b|\b(?:this|it)\s+constitutes\s+legal\s+advice\b",
        r"\b(?:wir|ich)\s+(?:haften?|übernehmen?\s+(?:\w+\s+){0,3}?(?:haftung|schuld))\b",
        r"\b(?:das|dies)\s+ist\s+(?:rechtlich\s+bindend|rechtsverbindlich|völlig\s+legal)\b|\bsie\s+(?:sollten|können)\s+(?:\w+\s+){0,3}?klagen\b",
    ),
    "medical": (
        r"\b(?:you|it|this|that)(?:'ll|\s+will|'s\s+going\s+to|\s+is\s+going\s+to)\s+(?:\w+\s+){0,3}?(?:cure|heal)(?:d|s)?\b",
        r"\byou\s+(?:should|can|may|must)\s+(?:safely\s+)?(?:stop\s+taking|take|double|increase|reduce|skip)\s+"
        rf"{_GAP}(?:medication|medicine|dose|dosage|pills?|tablets?|mg|insulin|antibiotics?)\b",
        r"\byou\s+(?:have|are\s+suffering\s+from|do\s+have)\s+(?:clearly\s+|definitely\s+|probably\s+)?(?:diabetes|cancer|depression|pneumonia|covid|an?\s+infection|appendicitis)\b",
        r"\b(?:you\s+do\s+not|you\s+don't|there(?:'s|\s+is)\s+no)\s+need\s+(?:to\s+see|for)\s+a\s+doctor\b",
        r"\b(?:sie|du)\s+(?:sollten|können|müssen|solltest|kannst|musst)\s+"
        rf"{_GAP}(?:dosis|tabletten?|medikamente?|insulin|antibiotik(?:um|a)|mg)\b",
        r"\b(?:das|es|dies)\s+(?:wird\s+(?:\w+\s+){0,3}?)?(?:heilt|heilen)\b|\bkeinen?\s+arzt\s+(?:aufsuchen|nötig|zu\s+brauchen)\b",
    ),
}  # fmt: skip
"""Family -> the wordings that promise something of it, in texts of small letters."""

_TAKEN_BACK = re.compile(
    r"\b(?:not|never|cannot|can't|won't|don't|isn't|aren't|unable|no(?!\s+later)|neither|nor|without|if|whether|unless|would|could|might"
    r"|nicht|nie|niemals|kein|keine|keinen|keinerlei|ohne|ob|falls|wenn|würde|würden|könnte|könnten)\b"
)
_OWN_NEGATIVES = frozenset({"medical"})
"""Families in which a `no` may be the promise: there is no need for a doctor."""

_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]?")


def promises(text: str) -> frozenset[str]:
    """The families of FAMILIES that `text` seems to promise something of."""
    found: set[str] = set()
    for sentence in _sentences(text.lower().replace("\u2019", "'")):
        found |= {
            family for family, pattern in _compiled().items() if _is_promised(sentence, family, pattern)
        }
    return frozenset(found)


def _sentences(text: str) -> list[str]:
    """Sentences that state something, in parts of LONGEST characters."""
    stated = (match.group() for match in _SENTENCE.finditer(text) if not match.group().endswith("?"))
    return [part[at : at + LONGEST] for part in stated for at in range(0, len(part), LONGEST // 2)]


def _is_promised(sentence: str, family: str, pattern: re.Pattern[str]) -> bool:
    """Whether some wording of the family stands in the sentence, with nothing in or before it that takes it back."""
    for match in pattern.finditer(sentence):
        clause = sentence[max(0, sentence.rfind(",", 0, match.start())) : match.end()]
        if family in _OWN_NEGATIVES or not _TAKEN_BACK.search(clause):
            return True
    return False


_patterns: dict[str, re.Pattern[str]] = {}


def _compiled() -> dict[str, re.Pattern[str]]:
    if not _patterns:
        _patterns.update({family: re.compile("|".join(forms)) for family, forms in FAMILIES.items()})
    return _patterns
