"""The monitoring examples name metrics and labels that exist, and the guide has every alert."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.metrics import catalogue

ROOT = Path(__file__).parents[1]
MONITORING = ROOT / "examples" / "monitoring"
SERIES = {name: metric for metric in catalogue.ALL for name in metric.series}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    for rule in alerts():
        yield rule["expr"]
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_only_metrics_that_exist_are_named() -> None:
    named = {name for each in expressions() for name in re.findall(r"\bbatchline_\w+", each)}
    assert named - SERIES.keys() == set()


def test_every_metric_is_shown_somewhere() -> None:
    text = " ".join(expressions())
    unseen = [metric.name for metric in catalogue.ALL if metric.name not in text]
    assert unseen == []


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_only_labels_that_they_have_are_used(expression: str) -> None:
    metrics = [SERIES[name] for name in re.findall(r"\bbatchline_\w+", expression)]
    known = {label for metric in metrics for label in metric.labels} | {"le", "job"}
    chosen = set(re.findall(r"[{,]\s*(\w+)\s*=~?", expression))
    grouped = {
        label.strip() for by in re.findall(r"by \(([^)]*)\)", expression) for label in by.split(",")
    }
    assert chosen | grouped <= known


def test_prometheus_reads_the_alerts() -> None:
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    assert [job["metrics_path"] for job in config["scrape_configs"]] == ["/metrics"]


def test_the_guide_says_what_to_do_about_every_alert() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    missing = [rule["alert"] for rule in alerts() if f"### {rule['alert']}" not in guide]
    assert missing == []


def test_the_guide_lists_every_metric() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text()
    assert [metric.name for metric in catalogue.ALL if f"`{metric.name}`" not in guide] == []
