"""The parts: checksums, recognisers of one's own, the prefilter, what is allowed, and overlaps."""

from __future__ import annotations

from random import Random
from time import process_time

import pytest

from detectors import pii_values as values
from detectors.pii_corpus import WORST, texts
from guardrails.detectors import prefilter, validators
from guardrails.detectors.entities import DEFAULT
from guardrails.detectors.normalise import normalised
from guardrails.detectors.pii import Custom, PiiDetector
from guardrails.detectors.pii.detector import RECOGNISERS
from guardrails.errors import EvaluationError


@pytest.mark.parametrize("name", ["luhn", "mod10", "mod97", "verhoeff", "mod11"])
def test_checksums_notice_any_wrong_digit(name: str) -> None:
    holds = validators.CHECKSUMS[name]
    good = next(t for t in (f"{n:09d}" for n in range(123_456_000, 123_457_000)) if holds(t))
    changed = [good[:i] + str((int(good[i]) + 1) % 10) + good[i + 1 :] for i in range(9)]
    assert not any(map(holds, changed))


def test_checksums_of_generated_values() -> None:
    random = Random(3)
    for _ in range(50):
        assert validators.card(values.card(random).replace(" ", "").replace("-", ""))
        assert validators.iban(values.iban(random).replace(" ", ""))
        assert validators.base58check(values.bitcoin(random))
        assert validators.dea(values.dea(random))
        assert validators.nhs(values.nhs(random).replace(" ", ""))


def test_own_recognisers() -> None:
    badge = Custom("BADGE", r"\bB[0-9]{6}\b", checksum=None, context=("badge", "pass"))
    parcel = Custom("PARCEL", "[0-9]{12}", checksum="verhoeff")
    good = next(t for t in (f"{n:012d}" for n in range(10**11, 10**11 + 50)) if validators.verhoeff(t))
    detector = PiiDetector(frozenset({"BADGE", "PARCEL"}), custom=[badge, parcel])
    text = f"badge B123456; then, a line later: B654321 and {good} and 111111111111"
    assert [text[m.start : m.end] for m in detector.find(text)] == ["B123456", good]
    assert [m.entity for m in detector.find("B654321", context=["pass"])] == ["BADGE"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Custom("X", "a+"), "can match more than 512 characters"),
        (lambda: Custom("X", "(a"), "the pattern of `X` is not one"),
        (lambda: Custom("X", "a", checksum="crc"), "there is no checksum `crc`; known are .*`luhn`"),
        (lambda: PiiDetector(custom=[Custom("X", "(?=a)b")]), "cannot be run in linear time"),
    ],
)
def test_own_recognisers_that_cannot_work(make: object, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        make()  # type: ignore[operator]


def test_the_prefilter_never_leaves_out_a_recogniser_that_finds_something() -> None:
    for labelled in texts(77, 300):
        text = normalised(labelled.text).text
        families = prefilter.families(text)
        assert all(family in families for family, scan, _ in RECOGNISERS if any(True for _ in scan(text)))


def test_the_prefilter_answers_alike_without_its_automaton(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = [normalised(labelled.text).text for labelled in texts(78, 60)]
    answers = [prefilter.families(text) for text in chosen]
    monkeypatch.setattr(prefilter, "_re2_set", lambda: None)
    assert [prefilter.families(text) for text in chosen] == answers


def test_a_silent_automaton_runs_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        def Match(self, _: str) -> list[int]:  # the name that RE2 gives it
            return []

    monkeypatch.setattr(prefilter, "_re2_set", Silent)
    assert prefilter.families("1 digit") == prefilter.ALL


def test_allowed_values_are_not_reported() -> None:
    detector = PiiDetector(allow=["Support@example.com"])
    found = detector.find("support@example.com and jane@example.com")
    assert [m.entity for m in found] == ["EMAIL_ADDRESS"]
    assert found[0].start == 24


def test_words_around_decide() -> None:
    detector = PiiDetector()
    assert [m.entity for m in detector.find("2062290360", context=["mobile"])] == ["PHONE_NUMBER"]
    assert [m.entity for m in detector.find("2062290360", context=["contact", "order_id"])] == []
    assert [m.entity for m in detector.find("the passport is 123456789")] == ["US_PASSPORT"]
    assert [m.entity for m in detector.find("order 4111111111111111")] == []


@pytest.mark.parametrize(
    "text",
    [
        "-----END PRIVATE KEY----- 4111111111111111",
        "value: 4111111111111111",
        "in this case 4111111111111111",
        "in this case (212) 555-0123",
        "line 3: 212-555-0123",
    ],
)
def test_everyday_words_do_not_hide_a_number(text: str) -> None:
    assert len(PiiDetector().find(text)) == 1


def test_matches_are_in_order_nested_or_apart() -> None:
    detector = PiiDetector(threshold=0.01)
    for labelled in texts(79, 120):
        found = detector.find(labelled.text)
        assert [(m.start, -m.end) for m in found] == sorted((m.start, -m.end) for m in found)
        assert all(b.start >= a.end or b.end <= a.end for i, a in enumerate(found) for b in found[i + 1 :])
        assert all(0 < m.score <= 1 and m.entity in DEFAULT and m.reason for m in found)


def test_any_text_can_be_judged() -> None:
    detector = PiiDetector()
    random = Random(5)
    for _ in range(200):
        text = "".join(
            chr(random.choice((random.randrange(128), random.randrange(0x3000), random.randrange(0x110000))))
            for _ in range(60)
        )
        assert all(0 <= m.start < m.end <= len(text) for m in detector.find(text))


@pytest.mark.soak
@pytest.mark.parametrize("unit", WORST.values(), ids=WORST.keys())
def test_twice_the_text_costs_about_twice_the_work(unit: str) -> None:
    once, twice = (_work((unit * (size // len(unit) + 1))[:size]) for size in (1_000_000, 2_000_000))
    assert twice < 3 * once + 0.5


def _work(text: str) -> float:
    begin = process_time()
    PiiDetector().find(text)
    return process_time() - begin
