"""What the chart makes is what Kubernetes takes, belongs together, and may do little."""

from __future__ import annotations

import re

import pytest

from tests.helm.rendering import (
    CHART,
    WORKLOADS,
    component,
    container,
    name_of,
    of_kind,
    pod,
    run_helm,
    selector_of,
    selects,
    workloads,
)
from tests.helm.scenarios import SCENARIOS, rendered
from tests.helm.tools import complaints

# The oldest that Chart.yaml allows, and the newest whose schemas there are.
KUBERNETES = ("1.27", "1.37")
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS)


@every_scenario
def test_helm_finds_nothing_to_complain_of(scenario: str) -> None:
    done = run_helm("lint", "--strict", str(CHART), values=SCENARIOS[scenario])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", KUBERNETES)
@every_scenario
def test_kubernetes_knows_each_field_of_each_object(scenario: str, version: str) -> None:
    things = [thing for thing in rendered(scenario) if thing["kind"] != "ScaledObject"]
    assert len(things) >= 5
    assert {
        name_of(one): complaints(version, one) for one in things if complaints(version, one)
    } == {}


def test_an_unknown_field_would_be_seen() -> None:
    [beat] = [
        one for one in rendered("default") if name_of(one) == "Deployment/batch-batchline-beat"
    ]
    spec = {**beat["spec"], "replica": 1}
    assert complaints("1.37", {**beat, "spec": spec}) != []


def test_the_oldest_kubernetes_is_the_one_that_is_looked_at() -> None:
    assert f'kubeVersion: ">={KUBERNETES[0]}.0-0"' in (CHART / "Chart.yaml").read_text()


@every_scenario
def test_names_are_unique_and_names(scenario: str) -> None:
    names = [name_of(thing) for thing in rendered(scenario)]
    assert sorted(names) == sorted(set(names))
    for thing in rendered(scenario):
        assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", thing["metadata"]["name"])
        assert thing["metadata"]["namespace"] == "work"


@every_scenario
def test_whatever_chooses_pods_chooses_those_of_one_workload(scenario: str) -> None:
    things = list(rendered(scenario))
    choosing = [thing for thing in things if selector_of(thing) is not None]
    # A Service, and the Deployments themselves.
    assert len(choosing) >= 5
    for thing in choosing:
        chosen = [
            name
            for name, one in workloads(things).items()
            if selects(selector_of(thing) or {}, one)
        ]
        assert chosen == [component(thing)], name_of(thing)


@every_scenario
def test_ports_that_are_named_are_there(scenario: str) -> None:
    things = list(rendered(scenario))
    for service in of_kind(things, "Service"):
        ports = {one["name"] for one in container(workloads(things)[component(service)])["ports"]}
        assert {one["targetPort"] for one in service["spec"]["ports"]} <= ports
    for workload in workloads(things).values():
        ports = {one["name"] for one in container(workload).get("ports", [])}
        for name, probe in container(workload).items():
            if name.endswith("Probe") and "httpGet" in probe:
                assert probe["httpGet"]["port"] in ports


@every_scenario
def test_what_is_mounted_is_a_volume(scenario: str) -> None:
    for workload in workloads(list(rendered(scenario))).values():
        volumes = [one["name"] for one in pod(workload)["volumes"]]
        mounted = [one["name"] for one in container(workload)["volumeMounts"]]
        assert sorted(volumes) == sorted(set(mounted))
        assert not any("hostPath" in one for one in pod(workload)["volumes"])


@every_scenario
def test_the_account_is_there_and_has_no_token(scenario: str) -> None:
    things = list(rendered(scenario))
    made = of_kind(things, "ServiceAccount")
    assert all(one["automountServiceAccountToken"] is False for one in made)
    known = {one["metadata"]["name"] for one in made} | {"ours", "default"}
    for workload in workloads(things).values():
        assert pod(workload)["automountServiceAccountToken"] is False
        assert pod(workload)["serviceAccountName"] in known


@every_scenario
def test_a_pod_may_do_little(scenario: str) -> None:
    for workload in of_kind(list(rendered(scenario)), *WORKLOADS):
        spec = pod(workload)
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container(workload)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        limits = container(workload)["resources"]
        assert {"cpu", "memory"} <= set(limits["requests"])
        assert "memory" in limits["limits"]
        # REDIS_PORT=tcp://… of a Service called redis is no setting; FLOWER_PORT would be one.
        assert spec["enableServiceLinks"] is False


def test_the_image_s_user_is_the_pods() -> None:
    dockerfile = (CHART.parents[2] / "Dockerfile").read_text()
    assert "--uid 10001" in dockerfile


def test_a_budget_lets_a_node_be_drained() -> None:
    budgets = of_kind(list(rendered("default")), "PodDisruptionBudget")
    assert {component(one) for one in budgets} == {"web", "worker", "slow"}
    for budget in budgets:
        assert budget["spec"]["maxUnavailable"] == 1
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert of_kind(list(rendered("little")), "PodDisruptionBudget") == []


def test_nobody_connects_but_those_who_are_named() -> None:
    policies = {
        component(one): one for one in of_kind(list(rendered("everything")), "NetworkPolicy")
    }
    assert set(policies) == set(workloads(list(rendered("everything"))))
    for name, policy in policies.items():
        spec = policy["spec"]
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        assert bool(spec["ingress"]) == (name == "web")
        assert all(rule.get("from") for rule in spec["ingress"])
        outside = any(
            port.get("port") == 443 for rule in spec["egress"] for port in rule.get("ports", [])
        )
        assert outside == (name in ("web", "worker", "slow"))
        assert {"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]} in spec["egress"]
    assert of_kind(list(rendered("default")), "NetworkPolicy") == []
