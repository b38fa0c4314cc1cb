"""Alerts and dashboard ask only for what the processes tell, by labels that it has and values that there are."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

from deploy.processes import PROCESSES, REPOSITORY
from gateway.routes import BEGINNINGS, pattern
from services.ingest.api.webhooks import ADDRESS
from shared import telemetry
from shared.events import EVENTS

FOLDER = REPOSITORY / "deploy"
CONFIG: dict[str, Any] = yaml.safe_load((FOLDER / "prometheus" / "prometheus.yml").read_text("utf-8"))
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((FOLDER / "prometheus" / "rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
HANDBOOK = (REPOSITORY / "docs" / "operations.md").read_text("utf-8")
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "grafana" / "dashboards" / "balcao.json").read_text("utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = sorted(
    {rule["expr"] for rule in RULES} | {target["expr"] for panel in PANELS for target in panel["targets"]}
)

ADDED = frozenset({"job", "instance", "process"})
"""The labels that the scraping adds."""
RECORDED: Mapping[str, frozenset[str]] = {
    rule["record"]: frozenset(rule["labels"]) for rule in RULES if "record" in rule
}

_SELECTOR = re.compile(r'(?P<name>[a-zA-Z_:][\w:]*)\s*(?P<matchers>{(?:[^"}]|"[^"]*")*})?')
_MATCHER = re.compile(r'(?P<label>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>[^"]*)"')
_GROUPING = re.compile(r"\b(?:by|without)\s*\((?P<labels>[^)]*)\)")
_WORDS = frozenset({"and", "or", "unless", "bool", "offset"})


@dataclass(frozen=True)
class Selector:
    """One series that an expression asks for."""

    name: str
    matchers: tuple[tuple[str, str, str], ...]


def selectors(expression: str) -> Iterator[Selector]:
    """The series that a PromQL expression names; what is followed by a bracket is a function."""
    bare = re.sub(r"\[\w+\]", "", _GROUPING.sub("", expression))
    at = 0
    while match := _SELECTOR.search(bare, at):
        at = match.end()
        if bare[at : at + 1] == "(" or bare[at : at + 2] == " (" or match["name"] in _WORDS:
            continue
        yield Selector(match["name"], tuple(_MATCHER.findall(match["matchers"] or "")))


def exported() -> Mapping[str, frozenset[str]]:
    """The series that a process tells, with their labels."""
    series: dict[str, frozenset[str]] = {}
    for metric in REGISTRY._collector_to_names:
        if isinstance(metric, MetricWrapperBase):
            labels = frozenset(metric._labelnames)
            for name in REGISTRY._collector_to_names[metric]:
                series[name] = labels | ({"le"} if name.endswith("_bucket") else frozenset())
        else:
            series |= {sample.name: frozenset(sample.labels) for one in metric.collect() for sample in one.samples}
    return series


EXPORTED: Mapping[str, frozenset[str]] = {**exported(), "up": frozenset()}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_it_asks_for_what_is_told_by_labels_that_it_has(expression: str) -> None:
    asked = list(selectors(expression))
    assert asked or expression.startswith("vector(")
    known: set[str] = set()
    for selector in asked:
        labels = RECORDED.get(selector.name) or EXPORTED[selector.name] | ADDED
        assert {label for label, _, _ in selector.matchers} <= labels
        known |= labels
    for grouping in _GROUPING.findall(expression):
        assert {label.strip() for label in grouping.split(",")} <= known


VALUES: Mapping[str, Collection[str]] = {
    "process": PROCESSES,
    "job": [scrape["job_name"] for scrape in CONFIG["scrape_configs"]],
    "route": [ADDRESS, *map(str, map(pattern, BEGINNINGS))],
    "type": EVENTS,
    "outcome": ["failed"],
    "reason": ["signature"],
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_values_that_it_asks_for_are_there(expression: str) -> None:
    for selector in selectors(expression):
        for label, operator, value in selector.matchers:
            if operator == "=":
                assert value in values_of(selector.name, label)


def values_of(name: str, label: str) -> Collection[str]:
    if label == "le":
        return {str(bound) for bound in REGISTRY._names_to_collectors[name]._upper_bounds}  # type: ignore[attr-defined]
    return VALUES[label]


def test_the_kernel_names_each_metric_after_the_house() -> None:
    ours = [one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase)]
    assert ours
    assert all(one._name.startswith("balcao_") for one in ours)


def test_what_operations_must_see_raises_an_alert() -> None:
    asked = {selector.name for rule in ALERTS for selector in selectors(rule["expr"])}
    assert asked >= {
        "balcao_consumer_lag",
        "balcao_outbox_oldest_seconds",
        "balcao_dead_letters_total",
        "balcao_fuse_blown",
        "balcao_jobs_oldest_seconds",
        "balcao_http_requests_total",
        *RECORDED,
    }


def test_every_objective_has_what_was_bad_what_was_all_and_a_budget() -> None:
    objectives: dict[str, set[str]] = {}
    for rule in RULES:
        if "record" in rule:
            objectives.setdefault(rule["labels"]["slo"], set()).add(rule["record"])
    assert objectives.keys() == {"webhook-accepted", "webhook-in-time", "message-visible", "api-answered"}
    assert all(recorded == RECORDED.keys() for recorded in objectives.values())
    assert all(f"| `{objective}` |" in HANDBOOK for objective in objectives)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])
def test_an_alert_says_how_urgent_it_is_and_the_handbook_what_to_do(alert: Mapping[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert alert["annotations"]["summary"]
    assert f"| `{alert['alert']}` |" in HANDBOOK


def test_every_process_is_scraped() -> None:
    (scrape,) = CONFIG["scrape_configs"]
    assert scrape["dns_sd_configs"][0]["names"] == list(PROCESSES)
    assert scrape["metrics_path"] == "/telemetry"
    absent = next(rule["expr"] for rule in ALERTS if rule["alert"] == "ProcessMissing")
    assert set(re.findall(r'process="(\w+)"', absent)) == set(PROCESSES)


def test_panels_do_not_cover_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
