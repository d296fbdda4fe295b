"""Regular expressions and globs: one meaning on both engines, and no text takes more than linear time."""

from __future__ import annotations

import itertools
import re

import pytest
import re2
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from soaking import drawn

from guardrails.errors import Ambiguous
from guardrails.patterns import (
    PatternError,
    Plan,
    check_pattern,
    compile_full,
    compile_glob,
    compile_search,
    compile_wildcard,
    matcher,
    plan_full,
    plan_search,
)
from guardrails.patterns.planning import as_re, as_re2
from guardrails.patterns.safety import is_linear
from guardrails.patterns.slips import example_slip, suspicious_class
from guardrails.patterns.syntax import parse
from guardrails.patterns.tree import Repeat, children, size

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "é",
        "-",
        r"\.",
        ".",
        r"\d",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
        r"\n",
        r"\v",
        "[ab]",
        "[^a]",
        "[a-c\\d]",
        "[^\\W]",
        "[[:alpha:]_]",
        "[^[:^space:]]",
        r"\x41",
        r"\x{1F600}",
        "k",
        "S",
        "K",
        "[]-]",
        "]",
        "}",
        "{",
    ]
)
PLACES = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\z", "(?m:^)", "(?m:$)", ""])
REPEATS = st.sampled_from(
    ["", "", "*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "*?", "+?", "??", "{1,2}?"]
)
GROUPS = st.sampled_from(["(", "(?:", "(?i:", "(?s:", "(?is-m:", "(?P<x>"])


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(inner, min_size=1, max_size=3).map("".join)
    choices = st.lists(bodies, min_size=1, max_size=3).map("|".join)
    return st.builds(lambda head, body, times: f"{head}{body}){times}", GROUPS, choices, REPEATS)


LEAVES = st.builds("{}{}".format, ATOMS, REPEATS) | PLACES
PATTERNS = st.lists(st.recursive(LEAVES, _grow, max_leaves=8), max_size=4).map("".join)
SUBJECTS = st.text(st.sampled_from("aabbcAksSK\u212a\u017féÉ-.{}] _1\n\v\t\0\U0001f600"), max_size=12)


def _reference(pattern: str) -> object:
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options)
    except re2.error:
        return None


@settings(max_examples=drawn(600), deadline=None)
@given(PATTERNS, st.lists(SUBJECTS, min_size=1, max_size=5))
def test_both_engines_and_the_pattern_as_written_agree(pattern: str, subjects: list[str]) -> None:
    """RE2 on the original text is the reference; ours is what is said about it after all rewriting."""
    assume(pattern.count("(?P<x>") < 2)
    original = _reference(pattern)
    try:
        tree = parse(pattern)
    except PatternError:
        assume(False)
    assert original is not None, "we accept what RE2 does not"
    proved = re.compile(as_re(tree), re.ASCII) if is_linear(tree) else None
    ours_re2 = re2.compile(as_re2(tree))
    for text in subjects:
        whole = original.fullmatch(text) is not None  # type: ignore[attr-defined]
        found = original.search(text) is not None  # type: ignore[attr-defined]
        assert (ours_re2.fullmatch(text) is not None, ours_re2.search(text) is not None) == (whole, found)
        assert (compile_full(pattern)(text), compile_search(pattern)(text)) == (whole, found)
        if proved:
            assert (proved.fullmatch(text) is not None, proved.search(text) is not None) == (whole, found)


@settings(max_examples=800, deadline=None)
@given(st.text(st.sampled_from("a1(?:P<n>)[]{},|*+?\\dwzZbB^$.-:=!i&#é"), max_size=10))
def test_what_we_accept_re2_accepts(pattern: str) -> None:
    if check_pattern(pattern) is None:
        assert _reference(pattern) is not None
    else:
        with pytest.raises(PatternError):
            compile_full(pattern)


EXPLOSIVE = [
    "(a+)+", "(a|a)*", "(a|aa)+", "(a*)*", "(?:a?){20}a{20}", r"(\w+\s?)*", "a*a*a*a*a*b", ".*.*=.*",
    r"([a-z0-9]+)*@", r"(?:.*,){11}P", "(x+x+)+y", "(?:a+b?)+", "(?:(?:a?)?b)*", "(|a)+", "(a|b|ab)*c",
]  # fmt: skip
"""Patterns known to take a backtracking engine more than linear time."""

PLAIN = [
    r"[a-z]+@[a-z]+\.com", r"[\w.]+@[\w.]+\.com", r"\d{3}-\d{2}-\d{4}", "(?i)secret", r"https?://[^/]+/.*",
    r"(?:[a-z]+,)*[a-z]+", r"\w+(\s\w+)*", "[A-Z]{2}[0-9]{6}", "foo|bar|baz", r"[a-z]{1,64}", "(?:ab)*c",
]  # fmt: skip


@pytest.mark.parametrize("pattern", EXPLOSIVE)
def test_patterns_that_explode_are_left_to_re2(pattern: str) -> None:
    assert plan_full(pattern).engine == "re2"
    assert compile_full(pattern)("a" * 50_000 + "!") is False


@pytest.mark.parametrize("pattern", PLAIN)
def test_patterns_of_every_day_take_the_fast_engine(pattern: str) -> None:
    assert plan_full(pattern).engine == "re"


@pytest.mark.parametrize("pattern", ["a+b", r"\w+@", "(?:ab)*c", r"\s+$", r"[a-z]*x", r"\d+(?:,\d+)*!"])
def test_a_search_that_is_quadratic_from_many_starts_is_left_to_re2(pattern: str) -> None:
    assert plan_full(pattern).engine == "re"
    assert plan_search(pattern).engine == "re2"
    assert compile_search(pattern)("ab" * 50_000 + " " * 50_000 + "?") in (True, False)


@pytest.mark.parametrize("pattern", [r"\d{3}-\d{4}", "(?i)secret", r"^\w+@", r"\bpassword\b", "a.{3}b"])
def test_a_search_of_bounded_shape_takes_the_fast_engine(pattern: str) -> None:
    assert plan_search(pattern).engine == "re"


def _attempts(pattern: str, text: str) -> int:
    """Steps of a plain backtracker over the tree of a pattern, without memory: `re` at its worst."""
    steps = itertools.count()

    def run(node: object, at: int) -> list[int]:
        """All ends of a match of `node` from `at`, with repetition, one entry a path."""
        next(steps)
        if isinstance(node, Repeat):
            return _repeat(node, at, 0)
        parts = children(node)  # type: ignore[arg-type]
        if type(node).__name__ == "Alt":
            return [end for option in parts for end in run(option, at)]
        if type(node).__name__ == "Chars":
            hit = at < len(text) and any(low <= ord(text[at]) <= high for low, high in node.ranges)  # type: ignore[attr-defined]
            return [at + 1] if hit else []
        ends = [at]
        for part in parts:
            ends = [last for end in ends for last in run(part, end)]
        return ends

    def _repeat(node: Repeat, at: int, done: int) -> list[int]:
        ends = [at] if done >= node.low else []
        if node.high is None or done < node.high:
            for end in run(node.body, at):
                ends += _repeat(node, end, done + 1) if end > at else []
        return ends

    run(parse(pattern), 0)
    return next(steps)


@settings(max_examples=drawn(400), deadline=None)
@given(
    PATTERNS,
    st.text(st.sampled_from("ab-"), min_size=1, max_size=3),
    st.text(st.sampled_from("ab-."), max_size=3),
)
def test_a_proved_pattern_takes_a_backtracker_linear_steps(pattern: str, pump: str, tail: str) -> None:
    """The theorem behind `safety`, on the machine it speaks of: every path counted, no engine's luck."""
    assume(pattern.count("(?P<x>") < 2 and check_pattern(pattern) is None and is_linear(parse(pattern)))
    few, more, many = (_attempts(pattern, pump * times + tail) for times in (20, 40, 80))
    assert many - more <= 2 * (more - few) + 8 * size(parse(pattern)) + 8


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"(a)\1", "back references"),
        ("a(?=b)", "look-ahead"),
        ("(?<!a)b", "look-behind"),
        ("a*+", "possessive"),
        ("(?>a)", "atomic"),
        (r"a\Z", r"write `\z`"),
        ("a{,3}", "{0,n}"),
        ("a{1001}", "up to 1000"),
        ("a**", "repeated"),
        ("(?:a{40}){40}", "copies"),
        ("*a", "nothing to repeat"),
        ("^*", "matches no text"),
        ("(a", "never closed"),
        ("a)", "unmatched"),
        ("[a", "never closed"),
        ("[b-a]", "is empty"),
        ("[^\\x{0}-\\x{10FFFF}]", "no character"),
        (r"\pL", "Unicode classes"),
        (r"\u0041", r"\x{...}"),
        (r"\0", r"\x00"),
        ("(?x)a", "not a flag"),
        ("a\\", "lone"),
        ("[[:alfa:]]", "alfa"),
        ("(?P<a>x)(?P<a>y)", "two groups"),
        ("a" * 2_001, "2000"),
        ("(?i-)a", "flags are"),
        ("(?:x{999}){0}" + "(?:y{900})" * 6, "5000 places"),
        ("(?P<1>x)", "letters"),
        (r"\x{110000}", "no character"),
        ("\ud800", "surrogate"),
        ("a{3,2}", "below"),
        ("[a-\\d]", "no meaning"),
        ("[\\d-z]", "range"),
        ("(?P=n)", "back"),
        ("(" * 60 + ")" * 60, "deep"),
        ("[a-c-e]", "two things"),
        ("(?#x)", "comments"),
        ("(?(1)a)", "conditional"),
    ],
)
def test_what_cannot_be_accepted_is_explained(pattern: str, words: str) -> None:
    message = check_pattern(pattern)
    assert message is not None
    assert words in message
    assert not message.endswith(".")


@pytest.mark.parametrize(
    ("pattern", "text", "whole", "found"),
    [
        ("a$", "a\n", False, False),
        ("(?m)a$", "a\nb", False, True),
        (r"\d+", "٣", False, False),
        (".", "\n", False, False),
        ("(?s).", "\n", True, True),
        (r"\s", "\v", False, False),
        (r"\s", "\u00a0", False, False),
        (r"\B", "", True, True),
        ("(?i)k", "\u212a", True, True),
        ("(?i)é", "É", True, True),
        ("(?i)[^k]", "\u212a", False, False),
        ("", "", True, True),
        ("a|ab", "ab", True, True),
        (r"\bé", "é", False, False),
        ("acme.com", "acmeXcom", True, True),
        ("b", "abc", False, True),
    ],
)
def test_the_meaning_of_a_pattern(pattern: str, text: str, *, whole: bool, found: bool) -> None:
    assert (compile_full(pattern)(text), compile_search(pattern)(text)) == (whole, found)


@pytest.mark.parametrize("pattern", ["abc", "[a-z]+", "(a+)+", "."])
def test_half_of_a_surrogate_pair_is_an_error_on_every_engine(pattern: str) -> None:
    for match in (compile_full(pattern), compile_search(pattern), compile_glob("**")):
        with pytest.raises(Ambiguous, match="surrogate"):
            match("abc\ud800")


def test_a_plan_can_be_stored_and_read_back() -> None:
    for pattern in ["abc", "[a-z]+", "(a+)+"]:
        plan = plan_full(pattern)
        again = Plan(str(plan.engine), str(plan.source), whole=plan.whole)
        assert matcher(again)("abc") == compile_full(pattern)("abc")


def _glob_reference(glob: str, text: str) -> bool:
    """The definition of a glob, tried out in every way."""
    if not glob:
        return not text
    if glob.startswith("**"):
        return any(_glob_reference(glob[2:], text[cut:]) for cut in range(len(text) + 1))
    if glob[0] == "*":
        run = len(text) - len(text.lstrip("".join(set(text) - {"/"})))
        return any(_glob_reference(glob[1:], text[cut:]) for cut in range(run + 1))
    if not text or not (text[0] == glob[0] or (glob[0] == "?" and text[0] != "/")):
        return False
    return _glob_reference(glob[1:], text[1:])


@settings(max_examples=600, deadline=None)
@given(
    st.text(st.sampled_from("ab/*?*.[\\\n"), max_size=7),
    st.text(st.sampled_from("aabb//.[\\\n?"), max_size=8),
)
def test_globs_match_their_definition(glob: str, text: str) -> None:
    assert compile_glob(glob)(text) is _glob_reference(glob, text)


@settings(max_examples=300, deadline=None)
@given(st.text(st.sampled_from("ab.*"), max_size=6), st.text(st.sampled_from("ab.*"), max_size=8))
def test_the_star_of_a_tool_name_is_any_run(name: str, text: str) -> None:
    expected = re.fullmatch(".*".join(map(re.escape, name.split("*"))), text) is not None
    assert compile_wildcard(name)(text) is expected


@pytest.mark.parametrize(
    ("glob", "text", "expected"),
    [
        ("*.md", "a.md", True),
        ("*.md", "a/b.md", False),
        ("**.md", "a/b.md", True),
        ("src/**/x?.py", "src/a/b/x1.py", True),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("?", "/", False),
        ("", "", True),
        ("*", "", True),
        ("a*b*c?", "axbxc/", False),
    ],
)
def test_globs_by_example(glob: str, text: str, *, expected: bool) -> None:
    assert compile_glob(glob)(text) is expected


def test_hostile_globs_stay_linear() -> None:
    assert compile_glob("**a" * 30 + "b")("a" * 100_000) is False
    assert compile_glob("*a?" * 30 + "b")("a" * 100_000) is False
    assert compile_wildcard("*a" * 200 + "b")("a" * 100_000) is False


@pytest.mark.parametrize(
    ("pattern", "searched", "slip"),
    [
        (r"acme.com", False, "acmeXcom"),
        (r"(?:www\.)?acme.com", False, "acmeXcom"),
        (r"https://acme.com/.*", False, "https://acmeXcom/"),
        (r"acme\.com", True, "https://evil.example/?u=acme.com"),
        (r"^https://acme\.com", True, "https://acme.com.evil.example"),
        (r"acme\.com$", True, "evil-acme.com"),
        (r"(?:^|[a-z])acme\.com$", True, "evilacme.com"),
        (r"^acme.com$", True, "acmeXcom"),
        ("git status", True, "anything before git status and after"),
        ("^git status", True, "git status and anything after"),
        (r"\border\b", True, "anything before order and after"),
    ],
)
def test_a_slip_is_shown_by_an_example(pattern: str, slip: str, *, searched: bool) -> None:
    assert example_slip(pattern, searched=searched) == slip
    assert (compile_search if searched else compile_full)(pattern)(slip)


@pytest.mark.parametrize(
    ("pattern", "searched"),
    [
        (r"acme\.com", False),
        (r"a.*b", False),
        (r"[a-z]+.[a-z]+", False),
        (r"ab.+cd", False),
        (r"x.y", False),
        (r"^acme\.com$", True),
        (r"^https://acme\.com/", True),
        (r"@acme\.com$", True),
        (r"\.acme\.com$", True),
        (".*acme.*", True),
        ("", True),
        (r"\Aa\z", True),
        ("^(?:a|b)$", True),
        (r"a\Bb\b!", False),
        ("x{300}", True),
    ],
)
def test_a_careful_pattern_has_no_slip(pattern: str, *, searched: bool) -> None:
    assert example_slip(pattern, searched=searched) is None


@settings(max_examples=drawn(200), deadline=None)
@given(pattern=PATTERNS, searched=st.booleans())
def test_a_slip_always_matches(pattern: str, *, searched: bool) -> None:
    assume(check_pattern(pattern) is None)
    slip = example_slip(pattern, searched=searched)
    assert slip is None or (compile_search if searched else compile_full)(pattern)(slip)


@pytest.mark.parametrize(
    "pattern", ["[^ourcompany.com$]", "a[foo|bar]", r"[^acme\.com]", "([hello])+", "x[.org$]"]
)
def test_a_class_that_was_meant_as_a_word_is_found(pattern: str) -> None:
    reason = suspicious_class(pattern)
    assert reason is not None
    assert reason.endswith("matches one character out of a list, not a word")


@pytest.mark.parametrize(
    "pattern",
    ["[a-zA-Z_$][a-zA-Z0-9_$]*", "[aeiou]", "[aeiouAEIOU]", r"[\w.%+-]+", "[[:alpha:]]", "[^@]+", "[abc|]",
     "[A|B]", "[0-9a-fA-F]", "[+-.,!@#$%&*();]", r"[\n\r\t\f]", "hello|foo", "[.$]", r"[\x{41}]", "[][]"],
)  # fmt: skip
def test_an_honest_class_is_left_alone(pattern: str) -> None:
    assert suspicious_class(pattern) is None
