"""Laws of all canonical types, on arbitrary text and on text made of the pieces that each grammar cares for."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from soaking import drawn

from guardrails.canonical.email import parse_email
from guardrails.canonical.host import parse_host
from guardrails.canonical.ip import parse_cidr, parse_ip
from guardrails.canonical.path import Path, parse_path
from guardrails.canonical.shell import parse_shell
from guardrails.canonical.sql import parse_sql
from guardrails.canonical.url import parse_url
from guardrails.canonical.window import parse_time, parse_window
from guardrails.errors import Ambiguous

ROOT = parse_path("/workspace")
ANYTHING = st.text(st.characters(), max_size=80)


def made_of(*pieces: str) -> st.SearchStrategy[str]:
    return st.lists(st.sampled_from(pieces), max_size=10).map("".join)


SPICE = ("", " ", "\u200b", "\uff0e", "\udc80", "\x00", "%2e", "\n", "é", "e\u0301", "\u212a", "ß", "０")
PATHS = made_of(
    "/", "\\", "..", ".", "a", "B", "~", "$X", "C:", ":", "//", "PROGRA~1", "con", "proc", "self", *SPICE
)
HOSTS = made_of(
    "a", "Example", ".", "com", "127", "0x7f", "1", "0", "[", "]", ":", "::", "xn--", "-", "_", "ü", *SPICE
)
URLS = made_of(
    "http", "https", "://", "/", "@", ":", "a.com", "?", "#", "80", "..", ";", "%2f", "\\", "[::1]", *SPICE
)
EMAILS = made_of(
    "a", "B.c", "@", "x.com", '"', "<", ">", ",", "(", ")", "=?", "%", "!", "[", "1.1.1.1", "]", *SPICE
)
SQL = made_of(
    "select ", "* ", "from ", "t ", "with ", "as ", "(", ")", ",", "'", '"', ";", "--", "/*", "*/", "insert into ",
    "delete ", "update ", "set ", "where ", "1 ", "= ", "explain ", "pragma ", "call ", "show ", "limit ", "f", "[", *SPICE,
)  # fmt: skip
SHELL = made_of(
    "rm ", "ls ", "sudo ", "env ", "bash -c ", "'", '"', "$(", "`", ")", "(", "{", "}", ";", "|", "&", ">", "<",
    "<<E\n", "E", "\n", "\\", "$X", "eval ", "find . -exec ", " \\;", "if ", "then ", "fi", "A=b ", "#", "xargs ",
    "<(", "case ", "[[ ", *SPICE,
)  # fmt: skip
WINDOWS = made_of("Mon", "fri", "-", " ", ",", ";", "09:00", "17:00", "24:00", "9", "daily", *SPICE)
TIMES = made_of("2026-", "11-", "21", "T", "10:00", ":30", ".5", "Z", "+01:00", "-", "99", *SPICE)

READERS: dict[str, tuple[Any, st.SearchStrategy[str]]] = {
    "path": (parse_path, PATHS),
    "host": (parse_host, HOSTS),
    "url": (parse_url, URLS),
    "email": (parse_email, EMAILS),
    "ip": (parse_ip, HOSTS),
    "cidr": (parse_cidr, HOSTS),
    "sql": (parse_sql, SQL),
    "shell": (parse_shell, SHELL),
    "window": (lambda text: parse_window(text, "Europe/Berlin"), WINDOWS),
    "time": (lambda text: parse_time(text, "Europe/Berlin"), TIMES),
}
FIXED_POINTS = ("path", "host", "url", "email", "ip", "cidr")


def attempt(parse: Any, text: str) -> Any:
    """The value, or None where the text is ambiguous. Anything else that is raised is a failure."""
    try:
        return parse(text)
    except Ambiguous as error:
        require_readable(str(error))
        return None


def require_readable(message: str) -> None:
    """A message is one short line that any terminal can show."""
    assert message.isprintable()
    assert 0 < len(message.encode()) < 1000


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=drawn(150), deadline=None)
@given(data=st.data())
def test_reading_gives_a_value_or_is_ambiguous(name: str, data: st.DataObject) -> None:
    parse, pieces = READERS[name]
    text = data.draw(st.one_of(pieces, ANYTHING))
    value = attempt(parse, text)
    assert value is None or hash(value) == hash(parse(text))


@pytest.mark.parametrize("name", FIXED_POINTS)
@settings(max_examples=drawn(200), deadline=None)
@given(data=st.data())
def test_the_canonical_form_is_a_fixed_point(name: str, data: st.DataObject) -> None:
    parse, pieces = READERS[name]
    value = attempt(parse, data.draw(pieces))
    if value is not None:
        assert parse(value.text) == value
        assert parse(value.text).text == value.text


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize(
    "text", ["", "NaN", "\udc80", "\x00", "💥" * 50, "(" * 5000, "a" * 100_000, "'" * 4001, "\\" * 4001]
)
def test_extreme_texts(name: str, text: str) -> None:
    value = attempt(READERS[name][0], text)
    assert value is None or value == READERS[name][0](text)


@settings(max_examples=drawn(300), deadline=None)
@given(PATHS)
@example("../workspace/../etc")
def test_what_is_within_a_root_starts_with_its_components(text: str) -> None:
    path = attempt(lambda one: parse_path(one, "/workspace/a"), text)
    if isinstance(path, Path) and not path.windows and path.within(ROOT):
        assert path.parts[0] == "workspace"
        assert ".." not in path.parts
        assert path.text == "/workspace" or path.text.startswith("/workspace/")


@settings(max_examples=drawn(200), deadline=None)
@given(st.lists(st.sampled_from(["..", ".", "a", "bb", "..a", "a..", ""]), max_size=8))
def test_relative_steps_agree_with_a_plain_stack(names: list[str]) -> None:
    stack = ["workspace", "x"]
    above = False
    for name in names:
        if name == "..":
            above = above or not stack
            stack = stack[:-1]
        elif name not in ("", "."):
            stack.append(name)
    if not names or names[0] == "":
        return
    path = attempt(lambda text: parse_path(text, "/workspace/x"), "/".join(names))
    assert (path is None) == above
    assert path is None or path.parts == tuple(stack)


@settings(max_examples=drawn(200), deadline=None)
@given(st.ip_addresses(v=4))
def test_every_spelling_of_an_address_is_that_address(address: Any) -> None:
    number = int(address)
    a, b, c, d = address.packed
    spellings = [str(address), str(number), hex(number), f"{a}.{number & 0xFFFFFF}", f"{a}.{b}.{c << 8 | d}"]
    spellings += [f"[::ffff:{address}]", f"{hex(a)}.{b}.{hex(c)}.{d}", f"{address}."]
    assert {parse_host(spelling).text for spelling in spellings} == {str(address)}
    assert address.is_global or parse_ip(str(address)).private


@settings(max_examples=drawn(100), deadline=None)
@given(st.integers(-(2**62), 2**62))
def test_a_time_reads_back(at: int) -> None:
    from datetime import UTC, datetime, timedelta

    try:
        moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    except OverflowError:
        return
    assert parse_time(moment.isoformat()) == at


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_path, "/a/b.txt"),
        (parse_url, "https://example.com/"),
        (parse_email, "Bob <bob@example.com>"),
        (parse_sql, "select 1"),
        (parse_shell, "ls -la"),
    ],
)
def test_values_are_immutable_and_travel(parse: Any, text: str) -> None:
    value = parse(text)
    with pytest.raises(AttributeError):
        value.text = "x"
    with pytest.raises(AttributeError):
        del value.text
    assert copy.deepcopy(value) is value
    again = pickle.loads(pickle.dumps(value))
    assert again == value
    assert all(getattr(again, name) == getattr(value, name) for name in type(value).__slots__)


def test_values_of_different_types_differ() -> None:
    assert parse_host("10.0.0.1").text == parse_ip("10.0.0.1").text
    assert parse_host("10.0.0.1") != parse_ip("10.0.0.1")
    assert parse_ip("10.0.0.1") != "10.0.0.1"


def test_unknown_sql_dialects_are_named() -> None:
    with pytest.raises(ValueError, match="postgres"):
        parse_sql("select 1", "nosql")
