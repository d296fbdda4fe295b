"""The lint rules about content: what they find, where, and what they leave alone."""

from __future__ import annotations

import pytest

from guardrails.lint.rules import content
from guardrails.lint.running import lint_text

ABSENT, NO_TOKEN = "absent-model", "reveal-without-token"


def found(text: str) -> list[tuple[str, str, str]]:
    report = lint_text(text)
    return [
        (each.rule, each.severity, text[each.span.start : each.span.end])
        for each in report.diagnostics
        if each.rule in (ABSENT, NO_TOKEN)
    ]


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The languages that there are models for."""
    installed = {"de"}
    monkeypatch.setattr(content, "model_present", lambda language: language in installed)
    return installed


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("on output { redact pii(PERSON) }", ["pii(PERSON)"]),
        (
            "on output { deny when pii(text, EMAIL_ADDRESS, LOCATION) }",
            ["pii(text, EMAIL_ADDRESS, LOCATION)"],
        ),
        ('on output { redact pii(ORGANIZATION, language = "de") }', []),
        ("on output { redact pii }\non input { deny when pii(text) }", []),
        ("on call a { allow when not pii(args.note, NRP) }", ["pii(args.note, NRP)"]),
        ('on call "*" { deny when pii(args, PERSON) }', ["pii(args, PERSON)"]),
    ],
)
def test_absent_model(models: set[str], text: str, where: list[str]) -> None:
    assert found(text) == [(ABSENT, "error", each) for each in where]
    models.add("en")
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("on output { redact pii }\nreveal in output", ["reveal in output"]),
        ("on output { redact pii with hash }\nreveal in call a.to", ["reveal in call a.to"]),
        ("on input { redact pii with token }\nreveal in output", []),
        ("on call a { allow; redact args.to with token }\nreveal in call a.to", []),
    ],
)
def test_reveal_without_token(text: str, where: list[str]) -> None:
    assert found(text) == [(NO_TOKEN, "warning", each) for each in where]
