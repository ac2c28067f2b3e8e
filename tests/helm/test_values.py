"""values.schema.json takes what values.yaml has, and refuses what is wrong."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

from tests.helm.rendering import CHART, refused
from tests.helm.scenarios import SECRET

WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a word that is not there": ({"web": {"replica": 2}}, "replica"),
    "a setting that is not there": ({"settings": {"RETENTION_DAY": 3}}, "RETENTION_DAY"),
    "a secret in clear": ({"settings": {"DATABASE_URL": "postgresql://a"}}, "DATABASE_URL"),
    "a setting with a value of its own": ({"settings": {"PORT": 80}}, "PORT"),
    "a list as a setting": ({"settings": {"RETENTION_DAYS": [3]}}, "RETENTION_DAYS"),
    "no Redis": ({"secrets": {"variables": ["DATABASE_URL"]}}, "variables"),
    "a secret that nobody reads": (
        {"secrets": {"variables": ["DATABASE_URL", "REDIS_URL", "TOKEN"]}}, "variables"),
    "no slow workers": ({"slow": {"autoscaling": {"minReplicas": 0}}}, "minReplicas"),
    "no workers with hpa": (
        {"worker": {"autoscaling": {"kind": "hpa", "minReplicas": 0}}}, "minReplicas"),
    "a load that never comes": ({"worker": {"autoscaling": {"target": 1}}}, "target"),
    "another autoscaler": ({"worker": {"autoscaling": {"kind": "vpa"}}}, "kind"),
    "a budget that lets nothing go": (
        {"web": {"disruptionBudget": {"maxUnavailable": 0}}}, "maxUnavailable"),
    "a password for no role": ({"migrate": {"rolePassword": True}}, "role"),
    "a size that is none": ({"web": {"spoolSize": "ten"}}, "spoolSize"),
    "memory that is none": ({"web": {"resources": {"limits": {"memory": "1GB"}}}}, "memory"),
    "no time to stop": ({"worker": {"stopSeconds": 0}}, "stopSeconds"),
    "a digest that is none": ({"image": {"digest": "sha256:1"}}, "digest"),
    "two beats": ({"beat": {"replicas": 2}}, "replicas"),
    "a module that is none": ({"handlers": ["shop-handlers"]}, "handlers"),
    "flower to the outside": ({"flower": {"service": {"type": "LoadBalancer"}}}, "service"),
}  # fmt: skip


@pytest.mark.parametrize("what", WRONG)
def test_wrong_values_are_refused_by_name(what: str) -> None:
    values, named = WRONG[what]
    said = refused({**SECRET, **values})
    assert "don't meet the specifications of the schema" in said
    assert named in said


def test_every_value_is_described_by_the_schema_and_the_other_way_round() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def compare(part: dict[str, Any], described: dict[str, Any], path: str) -> None:
        known = described.get("properties")
        if known is None:
            return
        assert described["additionalProperties"] is False, path
        # `global` is helm's, for charts that have this one below them.
        assert set(part) == set(known) - {"global"}, path
        for name, value in part.items():
            if isinstance(value, dict):
                compare(value, known[name], f"{path}.{name}")

    compare(values, schema, "")


def test_every_value_is_used() -> None:
    templates = "".join(path.read_text() for path in (CHART / "templates").iterdir())
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    named = set(re.findall(r"[.\w]*\.(\w+)", templates)) | {"minReplicas"}

    def leaves(part: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, value in part.items():
            if name in ("resources", "requests", "limits"):
                continue
            found += (
                leaves(value, f"{path}{name}.") if isinstance(value, dict) and value else [name]
            )
        return found

    assert [name for name in leaves(values, "") if name not in named] == []
