"""Languages: in which one a text is written, as far as its small words and letters say.

Takes a text, gives the code of ISO 639-1, or `und` where it cannot be told: too short, mixed, or a language that
is not known here. The one idea: the words that every sentence needs (`the`, `und`, `que`) tell languages of one
script apart, and where a script belongs to one language its letters do. It is no model; it is meant for whole
answers, not for single words.
"""

from __future__ import annotations

import re
from collections import Counter

UNKNOWN = "und"

MOST = 20_000
"""Characters that are looked at, from the beginning."""

_WORDS = {
    "en": "the and of to in is that it for was with as on be are this by not or have from at which you but we our"
    " your they will can has been their would there what if about who when an were he she his her my do",
    "de": "der die das und ist nicht ein eine zu den mit von für auf sich dem des im wir sie ich es auch als an werden"
    " aus bei nach wird oder sind noch wie einen einem einer hat war ihre ihr kann mehr über nur aber wenn uns",
    "fr": "le la les des et est un une du que qui dans pour pas sur avec au ce il elle nous vous ne se sont par plus"
    " votre notre mais ou où cette ces aux été être avoir leur comme tout fait peut si je",
    "es": "el la los las de y que en un una por con para no es se del al lo su más como pero sus le este está son sobre"
    " ha muy también fue o nos usted si cuando entre hay todo esta ser yo",
    "it": "il lo la gli le di e che un una per con non è si del della dei delle al alla in sono più come anche ma nel"
    " nella ha questo questa suo sua ci loro essere stato o noi vi se quando dal dalla io",
    "pt": "o a os as de e que em um uma por com para não é se do da dos das no na ao à mais como mas foi ele ela são"
    " também seu sua ou quando muito nos já está isso você pela pelo eu",
    "nl": "de het een en van is dat in op te zijn voor met niet aan er om ook als bij maar naar door uit over we wij u"
    " je ze hij zij kan werd wordt hebben heeft worden nog deze dit uw onze of wat",
    "sv": "och att det är en som på för av med den till inte har de om ett var jag men vi så kan från när vid ska eller"
    " din ditt du han hon vara mycket också efter utan alla detta",
    "da": "og at det er en som på for af med den til ikke har de om et var jeg men vi så kan fra når ved skal eller din"
    " dit du han hun være meget også efter uden alle dette blev hvad",
    "pl": "i w na z do nie się jest że to jak ale o po za od dla są być przez oraz czy już tylko ten ta te tym który"
    " która które jego jej ich mnie pan pani może będzie gdy lub",
    "tr": "ve bir bu da de için ile çok ne var mi daha gibi ama en o ben sen biz siz olarak olan değil kadar sonra her"
    " şey ya ki olduğu veya ise tarafından",
    "cs": "a je v na se že to s z do o si ale jako pro by jsem tak co po za jsou který která které není jeho být nebo"
    " jen také už když ve od má jsme",
}
_RUSSIAN = "и в не на что с как это по но из у за от так же для бы мы вы он она они его был быть если или"
_UKRAINIAN = (
    "і в не на що з як це по але із у за від так же для би ми ви він вона вони його був бути якщо або та є"
)
_CYRILLIC = {"ru": frozenset(_RUSSIAN.split()), "uk": frozenset(_UKRAINIAN.split())}
_LATIN = {code: frozenset(words.split()) for code, words in _WORDS.items()}

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")), ("ko", re.compile(r"[\uac00-\ud7af]")), ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")), ("he", re.compile(r"[\u0590-\u05ff]")), ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")), ("th", re.compile(r"[\u0e00-\u0e7f]")),
)  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]+")

LEAST = 3
"""Small words of a language that a text must have at least, and a fifth more than of any other."""


def language(text: str) -> str:
    """The code of the language, or `und`."""
    words = [word.lower() for word in _LETTERS.findall(text[:MOST])]
    letters = sum(map(len, words))
    if not letters:
        return UNKNOWN
    for code, script in _SCRIPTS:
        found = len(script.findall(text[:MOST]))
        # Japanese is written with some letters of its own among many of Chinese.
        if found * (10 if code == "ja" else 2) > letters:
            return code
    is_cyrillic = sum("\u0400" <= word[0] <= "\u04ff" for word in words) * 2 > len(words)
    return _by_words(words, _CYRILLIC if is_cyrillic else _LATIN)


def _by_words(words: list[str], known: dict[str, frozenset[str]]) -> str:
    """The language most of whose small words are there, if one clearly is."""
    counted = Counter(words)
    scores = sorted(
        ((sum(counted[word] for word in small), code) for code, small in known.items()), reverse=True
    )
    (best, code), (second, _) = scores[:2]
    return code if best >= LEAST and best * 5 >= second * 6 and best * 10 >= len(words) else UNKNOWN
