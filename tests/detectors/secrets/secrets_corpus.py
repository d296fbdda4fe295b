# ruff: noqa: E501 - a text stays on one line
"""Labelled texts for the detector of secrets, from a seed.

Tokens are drawn from the patterns of the formats, with their checksums made right; passwords and keys are drawn
at random and given names; texts without a secret are those that look most like ones with it.
"""

from __future__ import annotations

import hashlib
import json
import string
from base64 import b64encode, urlsafe_b64encode
from binascii import crc32
from random import Random
from typing import NamedTuple
from uuid import UUID

from guardrails.detectors.secrets.checks import base62
from guardrails.detectors.secrets.tokens import FORMATS, Format
from guardrails.patterns.syntax import parse
from guardrails.patterns.tree import Alt, Chars, Repeat, Seq

ALPHANUMERIC = string.ascii_letters + string.digits


class Labelled(NamedTuple):
    """A text; `secret` is what should be found in it, empty for none."""

    kind: str
    text: str
    secret: str


PLACES = (
    "{}",
    "the key is {} and it works",
    'export SERVICE="{}"',
    '{{"service": {{"id": 7, "value": "{}"}}}}',
    "service:\n  value: {}\n  region: eu",
    "GET /v1/items?limit=3&k={}&page=2",
    "2026-03-01T10:00:00Z INFO client started with {} (retry=3)",
    "curl -H 'X-Key: {}' https://api.example.com",
)


def token_of(form: Format, draw: Random) -> str:
    """A token of a format, made so that its checksum is right. Empty where that takes more than drawing."""
    token = _drawn(parse(form.pattern), draw)
    if form.check == "crc_base62":
        prefix = token[: token.index("_") + 1]
        body = token[len(prefix) : -6]
        return prefix + body + base62(crc32(body.encode()))
    if form.check == "crc_hex":
        body = token.rpartition("_")[0]
        return f"{body}_{crc32(body.encode()):08x}"
    if form.check == "macaroon":
        return "pypi-" + urlsafe_b64encode(b"\x02\x01\x08pypi.org\x02" + draw.randbytes(80)).decode().rstrip(
            "="
        )
    return "" if form.check != "-" else token


def _drawn(node: Alt | Chars | Repeat | Seq | object, draw: Random) -> str:
    if isinstance(node, Chars):
        low, high = draw.choice(node.ranges) if len(node.ranges) < 3 else _weighted(node.ranges, draw)
        return chr(draw.randint(low, high))
    if isinstance(node, Seq):
        return "".join(_drawn(item, draw) for item in node.items)
    if isinstance(node, Alt):
        return _drawn(draw.choice(node.options), draw)
    if isinstance(node, Repeat):
        return "".join(_drawn(node.body, draw) for _ in range(draw.randint(node.low, node.high or node.low)))
    return ""


def _weighted(ranges: object, draw: Random) -> tuple[int, int]:
    pairs = [(low, high) for low, high in ranges]  # type: ignore[attr-defined]
    return draw.choices(pairs, [high - low + 1 for low, high in pairs])[0]


def formats(seed: int = 1) -> list[Labelled]:
    """Every format in every place."""
    draw = Random(seed)
    found = []
    for form in FORMATS:
        for place in PLACES:
            token = token_of(form, draw)
            if token:
                found.append(Labelled(form.words, place.format(token), token))
    return found


NAMES = (
    "password", "DB_PASSWORD", "userPassword", "pwd", "api_key", "apiKey", "API-KEY", "secret", "client_secret",
    "clientSecret", "AWS_SECRET_ACCESS_KEY", "auth_token", "accessToken", "GITHUB_TOKEN", "private_key",
    "encryption_key", "signing-key", "passphrase", "SECRET_KEY_BASE64", "webhook_secret",
)  # fmt: skip

ASSIGNED = (
    '{0} = "{1}"', "{0}={1}", '"{0}": "{1}",', "{0}: {1}", "export {0}={1}", "'{0}' => '{1}',", "<{0}>{1}</{0}>",
    "--{0} {1}", "https://example.com/?{0}={1}&page=2", '{{"{0}":"{1}","id":4}}', "Server=db;User=app;{0}={1};Port=1",
)  # fmt: skip


def assigned(seed: int = 2, count: int = 400) -> list[Labelled]:
    """Random values under the names of secrets."""
    draw = Random(seed)
    found = []
    for _ in range(count):
        value = "".join(draw.choices(ALPHANUMERIC + "_-+/.", k=draw.randint(12, 40))) + str(
            draw.randint(0, 9)
        )
        text = draw.choice(ASSIGNED).format(draw.choice(NAMES), value)
        found.append(Labelled("assigned", text, value))
    return found


def placed(seed: int = 3) -> list[Labelled]:
    """Secrets that are known by their place: addresses, headers, signed tokens, blocks, JSON keys."""
    draw = Random(seed)
    found = []
    for _ in range(25):
        word = "".join(draw.choices(ALPHANUMERIC, k=18)) + "7"
        raw = draw.randbytes(96)
        for scheme in ("postgres", "mysql", "redis", "amqps", "mongodb+srv", "https"):
            found.append(Labelled("address", f"{scheme}://app:{word}@db.example.com:5432/main", word))
        basic = b64encode(f"app:{word}".encode()).decode()
        found.append(Labelled("header", f"Authorization: Basic {basic}", basic))
        found.append(
            Labelled("header", f'curl -H "Authorization: Bearer {word}{word}" https://x', word + word)
        )
        header = urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT"}).encode()).decode().rstrip("=")
        body = urlsafe_b64encode(json.dumps({"sub": word}).encode()).decode().rstrip("=")
        token = f"{header}.{body}.{urlsafe_b64encode(raw[:32]).decode().rstrip('=')}"
        found.append(Labelled("jwt", f"session {token} expired", token))
        lines = [b64encode(draw.randbytes(48)).decode() for _ in range(8)]
        block = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
        found.append(Labelled("block", f"key:\n{block}\nend", block))
        escaped = block.replace("\n", "\\n")
        found.append(Labelled("block", f'{{"pem": "{escaped}"}}', escaped))
        short = "\n".join(["-----BEGIN RSA PRIVATE KEY-----", *lines])
        found.append(Labelled("block", f"log: {short}\n(cut)", short))
        member = urlsafe_b64encode(raw[:32]).decode().rstrip("=")
        found.append(Labelled("jwk", f'{{"kty":"EC","crv":"P-256","d":"{member}"}}', member))
    return found


def harmless(seed: int = 4, count: int = 40) -> list[Labelled]:
    """Texts that hold no secret."""
    draw = Random(seed)
    found = [Labelled("text", text, "") for text in _HARMLESS]
    for _ in range(count):
        data = draw.randbytes(32)
        found += [Labelled(kind, text, "") for kind, text in _lookalikes(data, draw)]
    return found


def _lookalikes(data: bytes, draw: Random) -> list[tuple[str, str]]:
    sha1, sha256 = hashlib.sha1(data).hexdigest(), hashlib.sha256(data).hexdigest()
    uuid = UUID(bytes=data[:16], version=4)
    number = draw.randint(10**9, 10**10)
    return [
        ("commit", f"commit {sha1}\nAuthor: Ana"),
        ("commit", f"merged {sha1[:12]} into main"),
        ("digest", f"sha256:{sha256}"),
        ("digest", f'"integrity": "sha512-{b64encode(data * 2).decode()}"'),
        ("digest", f'ETag: "{hashlib.md5(data).hexdigest()}"'),
        ("digest", f"golang.org/x/net v0.1.0 h1:{b64encode(data).decode()}"),
        ("uuid", f"request {uuid} took 12 ms"),
        ("uuid", f'{{"id": "{uuid}", "token_type": "bearer"}}'),
        ("image", f"data:image/png;base64,{b64encode(data * 4).decode()}"),
        ("cursor", f'{{"next_page_token": "{urlsafe_b64encode(data).decode()}"}}'),
        ("hash", f'password_hash = "$2b$12${"".join(draw.choices(ALPHANUMERIC, k=53))}"'),
        (
            "certificate",
            "-----BEGIN CERTIFICATE-----\n" + b64encode(data * 2).decode() + "\n-----END CERTIFICATE-----",
        ),
        ("key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + b64encode(data).decode()[:43] + " ana@laptop"),
        ("log", f"{number} INFO worker={number % 97} msg=done bytes={number % 65536} hash={sha1[:16]}"),
        ("address", f"0x{sha1} sent 4 to 0x{sha1[::-1]}"),
        ("minified", f"function a{number % 99}(t,e){{return t[e]||(t[e]={{k:{number},v:'{sha1[:8]}'}})}}"),
        (
            "jsonline",
            json.dumps({"max_tokens": number % 4096, "prompt_tokens": 12, "model": "m-4", "user": str(uuid)}),
        ),
    ]


_HARMLESS = (
    'password = "changeme"', "password = ${DB_PASSWORD}", "password: <your password>", 'api_key = "xxxxxxxxxxxxxxxx"',
    'api_key="YOUR_API_KEY"', "API_KEY=$API_KEY", 'token = os.environ["TOKEN"]', "token = request.headers.get('X-Token')",
    "password=getpass.getpass()", "Password: required", "Password must have at least 8 characters.",
    "password: str | None = None", "self.password = password", "def login(user: str, password: str) -> Token:",
    "if (!token) return null;", "const token = await getToken();", '"password": {"type": "string", "minLength": 8}',
    "type: password", "<input type=\"password\" name=\"password\">", "secret: false", "tokens: 4096", "token_count=1523",
    "The secret of good bread is time.", "The password is stored as a hash.", "Forgot your password? Reset it here.",
    "postgres://user:password@localhost/db", "postgres://${USER}:${PASS}@host/db", "https://example.com:8080/path",
    "redis://localhost:6379/0", "Authorization: Bearer <token>", "Authorization: Bearer $TOKEN",
    "Authorization: Basic <credentials>", "AKIAIOSFODNN7EXAMPLE", "sk-ant-api03-...", "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk_test_...", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----", "look for `-----BEGIN RSA PRIVATE KEY-----` lines",
    "token: {{ .Values.token }}", "password: !vault |", "secret_name: db-credentials", "secretKeyRef:\n  name: db\n  key: password",
    "tokenizer = AutoTokenizer.from_pretrained(name)", "pass", "def f():\n    pass", "key: value", "primary key: id",
    "public_key = 04a1b2c3d4e5f60718293a4b5c6d7e8f", "keyboard = qwerty12345", "monkey=banana42split", "author: jane99doe",
    "password=*****", "password=[REDACTED]", "PASSWORD=", 'secret = ""', "passenger=4A72B9C1D0", "compass: N45E12W33",
    "token = jwt.encode(payload, key)", "api_key: string", "password is incorrect", "your token is invalid or expired",
    "bearer of good news", "basic income experiment", "a basic understanding", "negotiate settlements", "token economics",
    "csrf_token = form.token", "nextToken=eyJvZmZzZXQiOjEwMH0", "private_key_path = /etc/ssl/server.key",
    "token_url: https://auth.example.com/token", "secrets.token_hex(16)", "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db",
)  # fmt: skip
