"""The plugin of pytest: collects `*.test.yaml`, and gives tests in Python a guard, a session and a clock.

    @pytest.mark.policy("support.guard", params={"max_refund": 250})
    def test_large_refunds(session):
        assert_decision(session.check_call("issue_refund", {"amount": 900}), outcome="deny")

A policy is looked for beside the test, then beside pytest's root; the option `guard_policy` of the ini file
names one for tests without the mark. Nothing of Guard is imported before a test needs it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from guardrails.guard import Guard
    from guardrails.runtime.clock import FrozenClock
    from guardrails.session import Session
    from guardrails.testing.cases import Case, Suite
    from guardrails.testing.running import Make

SUFFIX = ".test.yaml"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("guard_policy", "The policy (paths) of tests without `@pytest.mark.policy`.", "args", [])


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "policy(*paths, **settings): the policy of the fixtures `guard` and `session`; settings are those of "
        "Guard.load (params, functions, detectors, key), and `principal`, `agent` and `id` of the session",
    )


# --- test files --------------------------------------------------------------------------------


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    if not file_path.name.endswith(SUFFIX):
        return None
    file: pytest.Collector = TestFile.from_parent(parent, path=file_path)
    return file


class TestFile(pytest.File):
    """A `*.test.yaml`; its policy is loaded once, when it is collected."""

    __test__ = False

    def collect(self) -> Iterator[pytest.Item]:
        from guardrails.errors import PolicyError
        from guardrails.testing.reading import SuiteError, read_suite
        from guardrails.testing.running import maker_of

        try:
            suite = read_suite(str(self.path))
            make = maker_of(suite)
        except SuiteError as error:
            raise self.CollectError(error.rendered()) from None
        except PolicyError as error:
            raise self.CollectError(str(error)) from None
        for case in suite.cases:
            item = TestCase.from_parent(self, name=case.name)
            item.prepare(suite, case, make)
            yield item


class CaseFailed(Exception):
    """A case came out otherwise than expected; its text says how."""


class TestCase(pytest.Item):
    """A case; its tags are keywords, so that `-k` finds them."""

    __test__ = False

    def prepare(self, suite: Suite, case: Case, make: Make) -> None:
        self.suite, self.case, self.make = suite, case, make
        self.extra_keyword_matches.update(case.tags)
        if case.skip is not None:
            self.add_marker(pytest.mark.skip(reason=case.skip))
        if case.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=case.xfail, strict=True, raises=CaseFailed))

    def runtest(self) -> None:
        from guardrails.testing.reporting import failure_text
        from guardrails.testing.running import run_case

        result = run_case(self.suite, self.case, self.make)
        if result.failures:
            raise CaseFailed("\n".join(failure_text(each, self.suite.file) for each in result.failures))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Only what is different: where in Guard that was noticed is of no use to anybody."""
        return (
            str(excinfo.value) if excinfo.errisinstance(CaseFailed) else super().repr_failure(excinfo, style)
        )

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, self.case.span.line - 1, self.name


# --- fixtures ----------------------------------------------------------------------------------

_OF_SESSION = ("principal", "agent", "id", "tools")


@pytest.fixture
def frozen_clock() -> FrozenClock:
    """A clock that stands still, at 2026-01-01 12:00 UTC; `advance` moves it by microseconds."""
    from guardrails.runtime.clock import FrozenClock
    from guardrails.testing.cases import START

    return FrozenClock(START)


@pytest.fixture
def guard(request: pytest.FixtureRequest, frozen_clock: FrozenClock) -> Guard:
    """The policy of the test, with an empty store in memory and `frozen_clock`."""
    from guardrails.guard import Guard
    from guardrails.testing.cases import KEY

    paths, settings = _policy_of(request)
    known = {name: value for name, value in settings.items() if name not in _OF_SESSION}
    files = [_found(path, request) for path in paths]
    return Guard.load(*files, clock=frozen_clock, **({"store": "memory:", "key": KEY} | known))


@pytest.fixture
def session(request: pytest.FixtureRequest, guard: Guard) -> Session:
    """A session with that guard, for the principal that the mark names."""
    _, settings = _policy_of(request)
    named = {name: value for name, value in settings.items() if name in _OF_SESSION}
    return guard.session(**({"id": "test"} | named))


def _policy_of(request: pytest.FixtureRequest) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The paths and settings of the nearest mark, or the paths of the ini file."""
    mark = request.node.get_closest_marker("policy")
    paths = mark.args if mark is not None and mark.args else tuple(request.config.getini("guard_policy"))
    if not paths:
        raise pytest.UsageError(
            f"`{request.node.name}` uses the fixture `guard` and names no policy; "
            'mark it with `@pytest.mark.policy("NAME.guard")`, or set `guard_policy` in the ini file'
        )
    return paths, dict(mark.kwargs) if mark is not None else {}


def _found(path: str, request: pytest.FixtureRequest) -> str:
    beside = request.path.parent / path
    return str(beside if beside.exists() else request.config.rootpath / path)
