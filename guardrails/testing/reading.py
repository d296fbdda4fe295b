"""Test files: the text of a `*.test.yaml` in, a `Suite` or diagnostics with their places out.

Nothing in a file is ever passed over: an unknown key, a fixture that is not there, a case that asserts
nothing and a name that stands twice are errors.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from guardrails.diagnostics import Diagnostic
from guardrails.testing import shapes
from guardrails.testing.cases import Case, Fixtures, Step, Suite
from guardrails.testing.fixtures import FIXTURES, fixtures_of
from guardrails.testing.reading_steps import STEPS, Steps
from guardrails.testing.shapes import Problems, Read
from guardrails.testing.tables import rows_of
from guardrails.testing.yaml_tree import RULE, Node, parse_yaml, span_at

SUFFIX = ".test.yaml"

_CASE: dict[str, Read] = {
    "name": shapes.text, "tags": shapes.texts, "skip": shapes.reason, "xfail": shapes.reason,
    "now": shapes.moment,
}  # fmt: skip

CASE_KEYS = (*_CASE, "table", "steps")


class SuiteError(Exception):
    """A test file that cannot be used: `diagnostics` in the file `file`, whose text is `text`."""

    def __init__(self, file: str, text: str, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        self.file = file
        self.text = text
        super().__init__(self.rendered())

    def rendered(self, *, color: bool = False) -> str:
        from guardrails.renderings import render_text

        return render_text(self.diagnostics, {self.file: self.text}, color=color)


def read_suite(path: str) -> Suite:
    """The suite in a file. Raises `SuiteError`, and OSError where there is no such file."""
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        place = span_at(path, 0, 0, 0)
        raise SuiteError(path, "", [Diagnostic(RULE, "the file is not UTF-8 text", place)]) from None
    return suite_of(text, path)


def suite_of(text: str, path: str) -> Suite:
    """The suite in the text of a file; what it names is looked for beside `path`. Raises `SuiteError`."""
    root, found = parse_yaml(text, path)
    if root is None:
        raise SuiteError(path, text, found)
    problems = Problems()
    suite = _suite(problems, root, text, path)
    if problems.found:
        unique = dict.fromkeys(problems.found)
        raise SuiteError(path, text, sorted(unique, key=lambda each: (each.span.start, each.message)))
    return suite


def with_only(suite: Suite, cases: str) -> Suite:
    """The suite with other cases in place of its own: `cases` is a list of them as YAML. Raises `SuiteError`."""
    root, found = parse_yaml(cases, suite.file)
    problems = Problems()
    read = _cases(problems, root, suite.fixtures) if root is not None else ()
    if found or problems.found:
        raise SuiteError(suite.file, cases, [*found, *problems.found])
    return replace(suite, text=cases, cases=read)


def _suite(problems: Problems, root: Node, text: str, path: str) -> Suite:
    known: dict[str, Read] = FIXTURES | {"policy": shapes.texts, "cases": lambda problems, node: node}
    found = problems.fields(root, known, "a test file")
    fixtures = fixtures_of(problems, root, found, Path(path).parent)
    policy = tuple(_beside(path, name) for name in found.get("policy", ()))
    if not policy:
        problems.say(
            "the file names no policy", root.span, "such as `policy: support.guard`, beside this file"
        )
    cases = found.get("cases")
    if cases is None or cases.kind != "list" or not cases.items:
        place = cases.span if cases else root.span
        problems.say("the file has no cases", place, "`cases:` is a list of them")
        return Suite(path, text, policy, fixtures, ())
    return Suite(path, text, policy, fixtures, _cases(problems, cases, fixtures))


def _beside(path: str, name: str) -> str:
    return str(Path(path).parent / name)


def _cases(problems: Problems, node: Node, fixtures: Fixtures) -> tuple[Case, ...]:
    reader = _Cases(problems, fixtures)
    found = [case for item in node.items for case in reader.cases(item)]
    first: dict[str, Case] = {}
    for case in found:
        if case.name in first:
            line = first[case.name].span.line
            problems.say(f"the name `{case.name}` stands twice", case.span, f"line {line} has it too")
        first.setdefault(case.name, case)
    return tuple(found)


class _Cases:
    """Reads the cases of one file."""

    def __init__(self, problems: Problems, fixtures: Fixtures) -> None:
        self.problems = problems
        self.steps = Steps(problems, fixtures)

    def cases(self, node: Node) -> list[Case]:
        if node.kind != "object":
            self.problems.expected("a case", node, "such as `- name: ...` with `call` and `expect`")
            return []
        return [self.case(filled, told) for told, filled in rows_of(self.problems, node)]

    def case(self, node: Node, told: str) -> Case:
        own = tuple(pair for pair in node.pairs if pair[0].value in _CASE)
        head = self.problems.fields(node._replace(value=own), _CASE, "a case")
        rest = tuple(pair for pair in node.pairs if pair[0].value not in _CASE)
        steps = self._steps(node._replace(value=rest))
        name = head.get("name") or ""
        if not name:
            self.problems.say("the case has no name", node.span, "`name` says what it is about")
        name = f"{name} ({told})" if told else name
        return Case(
            name, steps, node.span, head.get("tags", ()), head.get("skip"), head.get("xfail"), head.get("now")
        )

    def _steps(self, node: Node) -> tuple[Step, ...]:
        """The steps of a case, or the one step that it is itself."""
        listed = node.get("steps")
        if listed is None:
            return self._checked([self._alone(node)], node)
        for key, _ in node.pairs:
            if key.value != "steps":
                known = dict.fromkeys(CASE_KEYS)
                self.problems.unknown(key, known, "a case with steps")
        if listed.kind != "list":
            self.problems.expected("a list of steps", listed)
            return ()
        return self._checked([self.steps.step(item) for item in listed.items], node)

    def _alone(self, node: Node) -> Step | None:
        unknown = [key for key, _ in node.pairs if key.value in STEPS]
        if not node.pairs or not unknown:
            keys = [key for key, _ in node.pairs if key.value not in ("expect", "args")]
            known = dict.fromkeys((*CASE_KEYS, *STEPS))
            if keys:
                self.problems.unknown(keys[0], known, "a case")
            else:
                self.problems.say(
                    "the case does nothing", node.span, "it needs `call`, another event, or `steps`"
                )
            return None
        return self.steps.step(node)

    def _checked(self, steps: list[Step | None], node: Node) -> tuple[Step, ...]:
        found = tuple(step for step in steps if step is not None)
        if len(found) == len(steps) and not any(step.wants for step in found) and not _expects(node):
            self.problems.say("the case asserts nothing", node.span, "say what is expected with `expect`")
        return found


def _expects(node: Node) -> bool:
    """Whether anything in a case was meant to say what is expected, even if that was wrong."""
    return any(key.value == "expect" for each in node.walk() for key, _ in each.pairs)


def suite_files(paths: Iterable[str]) -> list[str]:
    """The test files that `paths` mean: themselves, and all `*.test.yaml` under folders but hidden ones. Each
    once, sorted. Raises FileNotFoundError for a path that is not there."""
    found: list[str] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = (each for each in path.rglob(f"*{SUFFIX}") if not _is_hidden(each.relative_to(path)))
            found += sorted(map(str, inside))
        elif path.exists():
            found.append(str(path))
        else:
            raise FileNotFoundError(2, "there is no such file", str(path))
    return list(dict.fromkeys(found))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
