"""The dashboard asks for what is exported, by names and labels that there are, and is one that Grafana takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from guardrails.telemetry import catalogue as of

DASHBOARD: dict[str, Any] = json.loads(files("guardrails.telemetry").joinpath("grafana.json").read_text())
WORD = re.compile(r"(?:guard|gen_ai)_[a-z_]+")
FUNCTIONS = {
    "sum",
    "rate",
    "by",
    "topk",
    "max",
    "min",
    "count",
    "increase",
    "histogram_quantile",
    "le",
    "label_values",
}


def _exported() -> set[str]:
    found = set()
    for measure in of.MEASURES:
        suffixes = ("_bucket", "_sum", "_count") if measure.kind == of.HISTOGRAM else ("",)
        found |= {measure.exposed + suffix for suffix in suffixes}
    return found


def _labels() -> set[str]:
    return {of.exposed_label(label) for measure in of.MEASURES for label in measure.labels}


def _panels() -> list[dict[str, Any]]:
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def _queries() -> Iterator[str]:
    for panel in _panels():
        yield from (target["expr"] for target in panel["targets"])
    for variable in DASHBOARD["templating"]["list"]:
        if variable["type"] == "query":
            yield variable["query"]["query"]
    yield from (annotation["expr"] for annotation in DASHBOARD["annotations"]["list"])


def test_it_asks_for_nothing_that_is_not_exported() -> None:
    known = _exported() | _labels()
    for query in _queries():
        assert set(WORD.findall(query)) <= known, query


def test_every_measure_is_on_it() -> None:
    asked = {word for query in _queries() for word in WORD.findall(query)}
    for measure in of.MEASURES:
        assert any(word.startswith(measure.exposed) for word in asked), measure.name


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_a_query_only_groups_and_filters_by_labels_of_its_measure(query: str) -> None:
    for measure in of.MEASURES:
        names = {name for name in _exported() if name.startswith(measure.exposed)}
        if not names & set(WORD.findall(query)):
            continue
        of_others = _labels() - {of.exposed_label(label) for label in measure.labels}
        used = set(WORD.findall(query)) - _exported()
        assert not used & of_others, f"{measure.name} has no {used & of_others}"


def test_queries_are_closed_and_use_functions_that_there_are() -> None:
    for query in _queries():
        assert query.count("(") == query.count(")")
        assert query.count("{") == query.count("}")
        bare = re.sub(r'"[^"]*"|\$\w+|\[[^]]*\]', "", query)
        called = set(re.findall(r"([a-z_]+) *\(", bare))
        assert called <= FUNCTIONS, query


def test_legends_name_labels_of_their_query() -> None:
    for panel in _panels():
        for target in panel["targets"]:
            grouped = set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", target["expr"]))))
            assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= grouped, panel["title"]


def test_it_is_a_dashboard() -> None:
    assert {"uid", "title", "panels", "schemaVersion", "templating", "time", "annotations"} <= set(DASHBOARD)
    assert DASHBOARD["schemaVersion"] >= 36
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in _panels():
        assert panel["type"] in ("timeseries", "stat", "table")
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"]
        assert panel["description"].endswith(".")
        assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C", "D"][
            : len(panel["targets"])
        ]


def test_panels_stand_side_by_side_and_not_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not taken & cells, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
