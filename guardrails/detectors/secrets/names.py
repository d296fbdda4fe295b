"""Names of fields: which of them hold secrets.

Takes a name as it is written (`DB_PASSWORD`, `apiKey`, `x-auth-token`), gives `password`, `token` or nothing.
The one idea: the words of a name are read from the end, as the last one says what the field is: a
`token_count` is a count and a `max_tokens` a number, but a `github_token` is a token.
"""

from __future__ import annotations

import re

STEMS = (
    r"passw(?:or)?d|passphrase|passcode|passwort|passwd|pass|pwd|secret|token|credential|kennwort|senha|contrase"
    r"|wachtwoord|mot.?de.?passe|api.?key|(?:access|secret|private|signing|sign|encryption|master|auth|account|shared"
    r"|service|subscription|session|client|storage|admin|app|application|deploy|license).?key"
    r"|пароль|密码|密碼|パスワード|비밀번호|authorization"
)
"""What the name of a secret holds somewhere, as a regular expression without regard to case."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PASSWORDS = _words(
    "password passwd pwd pass passphrase passcode passwort kennwort senha contraseña contrasena wachtwoord "
    "motdepasse mdp psw пароль 密码 密碼 パスワード 비밀번호"
)
_TOKENS = _words("secret token apikey credential credentials authtoken accesstoken secretkey authkey")
_BEFORE_KEY = _words(
    "api access secret private signing sign encryption master auth account shared service subscription session "
    "client storage admin app application deploy license"
)
_NO_SECRETS = _words(
    "max min num count total prompt completion input output cached next page pagination continuation cursor sync "
    "eos bos pad unk sep cls mask stop public hash hashed hashing has is no forgot reset change require requires "
    "enable enabled show hide cancellation csrf xsrf length type name url uri endpoint path file policy expiry "
    "expires bucket sort partition primary foreign index device"
)
_TAILS = _words(
    "value string text plain plaintext raw prod production dev test staging live new old current default main "
    "primary secondary backup base base64 b64 admin root db key header env"
)
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-zà-öø-ÿ0-9]+|[^\W\dA-Za-z_]+")
_NUMBER = re.compile(r"(?:v?\d+)?$")

LONGEST = 64
"""Characters of a name that are looked at."""


def kind_of(name: str) -> str:
    """`password` or `token` for the name of a secret, else nothing."""
    words = [word for found in _WORDS.findall(name) if (word := _NUMBER.sub("", found.lower()))]
    while words and words[-1] in _TAILS and not _is_key(words):
        words.pop()
    if not words or not _NO_SECRETS.isdisjoint(words):
        return ""
    if words[-1] in _PASSWORDS or "".join(words[-3:]) == "motdepasse":
        return "password"
    return "token" if words[-1] in _TOKENS or _is_key(words) else ""


def _is_key(words: list[str]) -> bool:
    return len(words) > 1 and words[-1] == "key" and words[-2] in _BEFORE_KEY
