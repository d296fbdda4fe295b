"""`guard eval`: how often a policy or a detector is right about labelled examples, and whether that got worse."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import click

from guardrails.diagnostics import did_you_mean
from guardrails.errors import EvaluationError, PolicyError
from guardrails.guard import Source
from guardrails.testing.evaluation import Evaluation
from guardrails.testing.evaluation_baseline import Terms, baseline_text, drift, read_baseline
from guardrails.testing.evaluation_data import (
    OUTCOMES,
    DatasetError,
    Example,
    read_dataset,
    read_event,
    read_sign,
    reads_spans,
)
from guardrails.testing.evaluation_detectors import BUILT_IN, detector_of, entities_of, wanted_of
from guardrails.testing.evaluation_reports import RENDERINGS, Bar, Verdict, figures_of
from guardrails.testing.evaluation_subjects import (
    CLEAN,
    INJECTION,
    Fit,
    Judge,
    Unjudged,
    policy_judge,
    sign_judge,
    span_judge,
)
from guardrails.testing.programs import loaded_of, program_of

from . import exits
from .files import read_text, write_text
from .options import chosen, format_option, functions_option, param_option
from .policies import functions_of
from .problems import Stop, unreadable, usage

SHOW_EVERY = 200
"""Examples between two signs of life on a terminal."""

_SUBJECT = (
    click.option("--policy", "policies", multiple=True, metavar="FILE", help="The policy; may be repeated."),
    click.option(
        "--detector", metavar="NAME", help="Evaluate pii, secrets or injection, or a detector that --policy declares."
    ),
    param_option,
    functions_option,
    click.option(
        "--threshold", type=click.FloatRange(0, 1), help="The least score that counts, of a detector.  [default: 0.5]"
    ),
    click.option("--language", metavar="CODE", help="The language of the texts, for pii.  [default: en]"),
    click.option(
        "--match", type=click.Choice(("cover", "overlap", "exact")),
        help="When a found span is the expected one.  [default: cover]",
    ),
)  # fmt: skip
_GATE = (
    click.option("--filter", "words", default="", metavar="WORD", help="Only examples of this group or tag."),
    click.option("--baseline", metavar="FILE", help="Compare with this earlier evaluation; a drop exits with 1."),
    click.option("--save-baseline", metavar="FILE", help="Keep this evaluation, unless something failed."),
    click.option(
        "--tolerance", default="0", show_default=True, metavar="SHARE", help="A drop up to this is none: 0.02, or 2%."
    ),
    click.option(
        "--level", type=click.FloatRange(0, 0.5), default=0.05, show_default=True,
        help="A drop that chance explains with less than this probability is one, within the tolerance too.",
    ),
    click.option(
        "--min", "least", multiple=True, metavar="NAME=SHARE",
        help="Exit with 1 below this: accuracy=90%, recall:deny=0.99; may be repeated.",
    ),
    click.option(
        "--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True,
        help="The confidence of intervals.",
    ),
    click.option(
        "--show", type=click.IntRange(min=0), default=10, show_default=True, help="Mistakes that are listed."
    ),
)  # fmt: skip


class Subject(NamedTuple):
    """What is evaluated: its kind in a baseline, its name for people, how lines are read, the labels that there
    are (None: those that the dataset names), and what makes the judge, once the examples are known."""

    kind: str
    name: str
    read: Callable[[Any], tuple[Any, Any, str]]
    labels: tuple[str, ...] | None
    judge: Callable[[list[Example]], Judge]


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed((*_SUBJECT, *_GATE, format_option(*RENDERINGS))):
        command = option(command)
    return command


@click.command("eval")
@click.argument("dataset", metavar="DATASET", type=click.Path())
@_options
def command(dataset: str, **options: Any) -> int:
    """Judge the labelled examples of DATASET (`-`: standard input), one JSON object a line, and show how often
    the policy or detector is right.

    Exits with 1 when something dropped since the baseline or is below a `--min`, with 65 when the dataset or the
    baseline is malformed, and with 66 when the policy does not load.
    """
    _check_kept(options["save_baseline"], options["words"])
    terms = _terms(options)
    subject = _subject(options)
    before = _baseline(options["baseline"], subject)
    examples = _examples(dataset, subject, options["words"])
    evaluation = _evaluated(subject, examples)
    found = None if before is None else drift(before, evaluation, terms)
    source = "standard input" if dataset == "-" else dataset
    bars = _bars(options["least"], evaluation)
    verdict = Verdict(source, evaluation, terms, found, bars, options["show"])
    click.echo(RENDERINGS[options["form"]](verdict), nl=False)
    if verdict.failures:
        return exits.FINDINGS
    if options["save_baseline"]:
        write_text(options["save_baseline"], baseline_text(subject.kind, evaluation))
    return exits.ALLOW


# --- what is evaluated -------------------------------------------------------------------------


def _subject(options: dict[str, Any]) -> Subject:
    if options["detector"]:
        return _detector(options["detector"], options)
    for name in ("threshold", "match", "language"):
        if options[name] is not None:
            raise usage(f"`--{name}` is for detectors", "a policy says for itself what it asks of them")
    if not options["policies"]:
        raise usage("there is nothing to evaluate", "name a policy with `--policy`, or `--detector pii`")
    source = _source(options)
    try:
        program = program_of(source)
    except PolicyError as error:
        raise Stop(exits.POLICY, str(error).rstrip("\n")) from error
    name = str(program.head["name"])
    return Subject("policy", name, read_event, OUTCOMES, lambda _: policy_judge(program, source))


def _source(options: dict[str, Any]) -> Source:
    for path in options["policies"]:
        try:
            os.stat(path)
        except OSError as error:
            raise unreadable(path, error) from error
    return Source(list(options["policies"]), chosen(options["params"]), functions_of(options["modules"]))


def _detector(name: str, options: dict[str, Any]) -> Subject:
    spec = None if name in BUILT_IN else _declared(name, options)
    threshold = 0.5 if options["threshold"] is None else options["threshold"]
    language = options["language"] or "en"
    fit: Fit = options["match"] or "cover"
    if name == "injection":
        if options["match"]:
            raise usage("`--match` is for detectors that find spans", "an injection is a text as a whole")
        judge = sign_judge(detector_of(name, None, language, threshold, ()), threshold)
        return Subject("detector injection", name, read_sign, (INJECTION, CLEAN), lambda _: judge)

    def made(examples: list[Example]) -> Judge:
        return span_judge(detector_of(name, spec, language, threshold, wanted_of(examples)), fit)

    read = reads_spans(entities_of(name, spec, language))
    return Subject(f"detector {name}", name, read, None, made)


def _declared(name: str, options: dict[str, Any]) -> tuple[Any, ...]:
    """What a policy says of a detector of its own."""
    known: dict[str, Any] = {}
    if options["policies"]:
        try:
            loaded = loaded_of(_source(options))
        except PolicyError as error:
            raise Stop(exits.POLICY, str(error).rstrip("\n")) from error
        assert loaded.checked is not None, "it stops otherwise"
        known = dict(loaded.checked.namespace.detectors)
    if name not in known:
        names = (*BUILT_IN, *known)
        near = did_you_mean(name, names) or f"there are {', '.join(names)}"
        raise usage(f"there is no detector `{name}`", near)
    spec: tuple[Any, ...] = known[name]
    return spec


# --- examples ----------------------------------------------------------------------------------


def _examples(path: str, subject: Subject, words: str) -> list[Example]:
    try:
        with _opened(path) as lines:
            found = read_dataset(lines, "standard input" if path == "-" else path, subject.read)
    except DatasetError as error:
        raise Stop(exits.DATA, "\n".join(f"error: {line}" for line in error.problems)) from error
    except OSError as error:
        raise unreadable(path, error) from error
    kept = [example for example in found if not words or example.has(words)]
    if not kept:
        known = {name for example in found for name in (example.group, *example.tags) if name}
        raise usage(
            f"no example fits `--filter {words}`", did_you_mean(words, known) or "it is a group or a tag"
        )
    return kept


def _opened(path: str) -> Any:
    from contextlib import nullcontext

    return nullcontext(sys.stdin.buffer) if path == "-" else open(path, "rb")


def _evaluated(subject: Subject, examples: list[Example]) -> Evaluation:
    try:
        judge = subject.judge(examples)
        judged = tuple(map(judge, _with_progress(examples)))
    except (Unjudged, EvaluationError) as error:
        raise Stop(exits.DATA, f"error: {error}") from error
    labels = subject.labels
    if labels is None:
        labels = tuple(sorted({side for each in judged for pair in each.pairs for side in pair if side}))
    return Evaluation(subject.name, labels, judged)


def _with_progress(examples: list[Example]) -> Iterator[Example]:
    shows = sys.stderr.isatty()
    for number, example in enumerate(examples):
        if shows and number % SHOW_EVERY == 0:
            sys.stderr.write(f"\r{number:,} of {len(examples):,} examples")
            sys.stderr.flush()
        yield example
    if shows:
        sys.stderr.write("\r\x1b[K")


# --- what it is held against -------------------------------------------------------------------


def _terms(options: dict[str, Any]) -> Terms:
    return Terms(_share(options["tolerance"], "--tolerance"), options["level"], options["confidence"])


def _share(text: str, option: str) -> Fraction:
    """`0.02`, or `2%`, exactly."""
    try:
        value = Fraction(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except (ValueError, ZeroDivisionError):
        value = Fraction(-1)
    if not 0 <= value <= 1:
        raise usage(f"`{option} {text}` is no share", "it is from 0 to 1, such as 0.02, or in percent: 2%")
    return value


def _bars(least: Iterable[str], evaluation: Evaluation) -> tuple[Bar, ...]:
    known = figures_of(evaluation)
    return tuple(_bar(text, known) for text in least)


def _bar(text: str, known: dict[str, Fraction | None]) -> Bar:
    name, sign, share = text.rpartition("=")
    if not sign:
        raise usage(f"`--min {text}` names no share", "such as `--min accuracy=90%`")
    if name not in known:
        raise usage(
            f"there is no figure `{name}` here", did_you_mean(name, known) or f"there are {', '.join(known)}"
        )
    return Bar(name, _share(share, f"--min {name}="), known[name])


def _check_kept(path: str | None, words: str) -> None:
    """Say at once that the evaluation cannot be kept, and not when all is judged."""
    if path is None:
        return
    if words:
        raise usage("a baseline is of the whole dataset", "leave out `--filter`, or `--save-baseline`")
    folder = os.path.dirname(path) or "."
    if not os.path.isdir(folder):
        raise usage(
            f"there is no folder `{folder}` for `--save-baseline`", "make it first, or name another one"
        )


def _baseline(path: str | None, subject: Subject) -> Any:
    if path is None:
        return None
    try:
        found = read_baseline(read_text(path), path)
    except DatasetError as error:
        raise Stop(exits.DATA, f"error: {error}") from error
    if found.kind != subject.kind:
        raise Stop(
            exits.DATA, f"error: `{path}` is a baseline of a {found.kind}, and this is a {subject.kind}"
        )
    return found
