"""The pods run the Procfile's processes, with settings and secrets that these take."""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.core.declared import declarations
from app.core.settings import Settings, load_settings
from app.local.serve.procfile import load_procfile
from tests.helm.rendering import (
    CHART,
    component,
    container,
    environ,
    expanded,
    of_kind,
    pod,
    render,
    workloads,
)
from tests.helm.scenarios import SCENARIOS, SECRET, rendered

every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)
FOLDER = "/run/secrets/batchline/"
# Python's own, that of `batchline migrate`, and the example's.
OTHERS = {"TMPDIR", "DATABASE_ROLE", "ROLE_PASSWORD_FILE", "SHOP_MODE"}
VALUES = {
    "DATABASE_URL": "postgresql://a:b@c/d",
    "REDIS_URL": "redis://:a@b",
    "BROKER_URL": "amqp://a:b@c//",
    "HTTP_HANDLER_BASES": "a=https://b/c",
    "METRICS_TOKEN": "token",
    "FLOWER_BASIC_AUTH": "user:password",
    "ROLE_PASSWORD": "password",
}


def scenario_workloads(scenario: str) -> dict[str, Any]:
    return workloads(list(rendered(scenario)))


@every_scenario
def test_a_pod_runs_its_line_of_the_procfile(scenario: str) -> None:
    procfile = {**load_procfile(), "migrate": load_procfile()["release"]}
    for name, workload in scenario_workloads(scenario).items():
        one = container(workload)
        assert one["command"] == ["sh", "-c"]
        assert [expanded(line) for line in one["args"]] == [f"exec {procfile[name]}"]


@pytest.mark.parametrize(
    ("size", "processes", "most"),
    [
        ("10Gi", 1, 9 << 30),
        ("10Gi", 3, 3 << 30),
        ("1.5G", 1, 1_350_000_000),
        (10_000_000, 1, 9_000_000),
    ],
)
def test_bodies_do_not_fill_the_volume_that_the_pod_has(
    size: str | int, processes: int, most: int
) -> None:
    """Past `sizeLimit` the pod would be evicted, with all who are at work in it."""
    things = render({**SECRET, "web": {"spoolSize": size, "processes": processes}})
    given = environ(workloads(things)["web"])
    assert abs(int(given["SPOOL_BYTES"]) - most) <= 1


def test_every_process_has_pods() -> None:
    processes = set(load_procfile()) - {"release"}
    assert set(scenario_workloads("everything")) == {*processes, "migrate"}
    assert set(scenario_workloads("default")) == {*processes, "migrate"} - {"flower"}
    assert "migrate" not in scenario_workloads("little")


@every_scenario
def test_processes_take_the_environment_that_they_get(scenario: str, tmp_path: Path) -> None:
    for variable, value in VALUES.items():
        (tmp_path / variable).write_text(f"{value}\n")
    known = {one.variable for one in declarations(Settings)}
    known |= {f"{one.variable}_FILE" for one in declarations(Settings) if one.secret}
    for name, workload in scenario_workloads(scenario).items():
        env = environ(workload)
        assert set(env) <= known | OTHERS, name
        # Not in the environment, which tools show.
        assert not set(env) & set(VALUES), name
        env = {key: value.replace(FOLDER, f"{tmp_path}/") for key, value in env.items()}
        settings = load_settings(env)
        assert settings.database_url is not None
        assert str(settings.batchline_home) == "/data"


@every_scenario
def test_each_has_the_secrets_that_it_reads_and_no_other(scenario: str) -> None:
    for name, workload in scenario_workloads(scenario).items():
        told = {
            value.removeprefix(FOLDER)
            for variable, value in environ(workload).items()
            if variable.endswith("_FILE")
        }
        [volume] = [one["secret"] for one in pod(workload)["volumes"] if one["name"] == "secrets"]
        assert {one["key"] for one in volume["items"]} == told
        assert {one["path"] for one in volume["items"]} == told
        assert volume["defaultMode"] == 0o440
        assert ("METRICS_TOKEN" in told) == (name == "web")
        assert ("FLOWER_BASIC_AUTH" in told) == (name == "flower")
        assert ("REDIS_URL" in told) == (name != "migrate")
        assert "DATABASE_URL" in told


def test_only_migrate_has_the_owner_s_secret() -> None:
    owners = {
        name: [one["secret"]["secretName"] for one in pod(workload)["volumes"] if "secret" in one]
        for name, workload in scenario_workloads("owner").items()
    }
    assert owners.pop("migrate") == ["owner"]
    assert set(map(tuple, owners.values())) == {("batchline",)}
    migrate = environ(scenario_workloads("owner")["migrate"])
    assert migrate["DATABASE_ROLE"] == "processes"
    assert migrate["ROLE_PASSWORD_FILE"] == f"{FOLDER}ROLE_PASSWORD"


def test_settings_arrive_as_they_were_written() -> None:
    for name in ("web", "worker", "slow", "beat", "flower"):
        env = environ(scenario_workloads("everything")[name])
        assert env["MAX_ITEMS_STREAM"] == "5000000"
        assert env["MAX_STREAM_BYTES"] == "8589934592"
        assert env["SLICE_TARGET_SECONDS"] == "0.5"
        assert env["WEBHOOK_SHOW_BODIES"] == "1"
        assert env["HANDLERS"] == "shop.handlers,more"
        assert (env["WORKER_CONCURRENCY"], env["SLOW_CONCURRENCY"]) == ("8", "32")


def test_a_dollar_sign_in_a_setting_is_one() -> None:
    things = render({**SECRET, "settings": {"WEBHOOK_ALLOW": "$(PATH)$$"}})
    [given] = [
        one["value"]
        for one in container(workloads(things)["web"])["env"]
        if one["name"] == "WEBHOOK_ALLOW"
    ]
    # Kubernetes resolves `$(NAME)`, but not `$$(NAME)`.
    assert given == "$$(PATH)$$$$"


@every_scenario
def test_a_missing_worker_does_not_take_the_api_out_of_service(scenario: str) -> None:
    web = container(scenario_workloads(scenario)["web"])
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert web[probe]["httpGet"]["path"] == "/healthz"
    for name in ("worker", "slow", "beat"):
        one = container(scenario_workloads(scenario)[name])
        assert "readinessProbe" not in one
        # It asks by the broker, and is there only where it is asked for.
        assert ("livenessProbe" in one) == (scenario == "everything" and name == "worker")


@every_scenario
def test_a_pod_has_the_time_to_stop_that_its_process_needs(scenario: str) -> None:
    for name, workload in scenario_workloads(scenario).items():
        grace = pod(workload)["terminationGracePeriodSeconds"]
        if name in ("worker", "slow"):
            needs = float(environ(workload)["WORKER_STOP_SECONDS"])
            assert grace == math.ceil(needs) + 10
        if name == "web":
            waits = container(workload)["lifecycle"]["preStop"]["exec"]["command"]
            # What gunicorn has for its answers comes after that.
            assert waits[0] == "sleep"
            assert grace >= int(waits[1]) + 10 + 5


def test_there_is_one_beat_and_none_takes_a_place_before_it_is_free() -> None:
    deployments = {
        component(one): one["spec"] for one in of_kind(list(rendered("everything")), "Deployment")
    }
    for name in ("beat", "flower"):
        assert deployments[name]["replicas"] == 1
        assert deployments[name]["strategy"] == {"type": "Recreate"}
    for name in ("web", "worker", "slow"):
        assert deployments[name]["strategy"]["rollingUpdate"] == {
            "maxUnavailable": 0,
            "maxSurge": 1,
        }


def test_the_chart_is_of_this_release() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((CHART.parents[2] / "pyproject.toml").read_text())["project"]
    assert chart["appVersion"] == project["version"]
    assert (
        container(scenario_workloads("default")["web"])["image"]
        == f"batchline:{project['version']}"
    )
    assert container(scenario_workloads("everything")["beat"])["image"].startswith(
        "our/shop@sha256:"
    )
