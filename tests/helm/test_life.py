"""Installed, upgraded, rolled back, scaled, and beside another release."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.metrics import catalogue
from tests.helm.rendering import (
    component,
    name_of,
    of_kind,
    refused,
    render,
    selector_of,
    selects,
    words,
    workloads,
)
from tests.helm.scenarios import SECRET, rendered

SERIES = {name: metric for metric in catalogue.ALL for name in metric.series}
# Of KEDA's ScaledObject, whose schema no package has.
SCALED = {
    "scaleTargetRef", "minReplicaCount", "maxReplicaCount", "pollingInterval", "cooldownPeriod",
    "advanced", "triggers",
}  # fmt: skip
TRIGGER = {"type", "name", "metricType", "metadata", "authenticationRef"}
PROMETHEUS = {"serverAddress", "query", "threshold", "activationThreshold", "authModes"}


def hooks(thing: dict[str, Any]) -> dict[str, str]:
    annotations = thing["metadata"].get("annotations", {})
    return {name: value for name, value in annotations.items() if name.startswith("helm.sh/hook")}


def test_the_schema_is_brought_up_before_anything_else_and_not_down() -> None:
    [job] = of_kind(list(rendered("everything")), "Job")
    assert hooks(job)["helm.sh/hook"] == "pre-install,pre-upgrade"
    # A rollback has nothing to do, and an older `migrate` refuses a newer schema.
    assert not any(
        "rollback" in word for thing in rendered("everything") for word in hooks(thing).values()
    )
    [policy] = [one for one in of_kind(list(rendered("everything")), "NetworkPolicy") if hooks(one)]
    assert component(policy) == "migrate"
    assert int(hooks(policy)["helm.sh/hook-weight"]) < int(hooks(job)["helm.sh/hook-weight"])
    assert job["spec"]["template"]["spec"]["restartPolicy"] == "Never"
    assert job["spec"]["backoffLimit"] > 0


@pytest.mark.parametrize("scenario", ["default", "little"])
def test_migrate_needs_nothing_that_the_chart_makes_later(scenario: str) -> None:
    """On a first install hooks run before there is a ServiceAccount."""
    things = list(rendered(scenario))
    made = {
        one["metadata"]["name"] for one in of_kind(things, "ServiceAccount", "Secret", "ConfigMap")
    }
    for job in of_kind(things, "Job"):
        assert not made & set(words(job["spec"]))


def test_the_same_values_make_the_same_objects() -> None:
    """Or each upgrade would restart what has not changed."""
    assert render(SECRET) == list(rendered("default"))


def test_a_new_revision_of_the_secrets_restarts_every_pod() -> None:
    def templates(revision: str) -> dict[str, Any]:
        things = render({"secrets": {"existingSecret": "batchline", "revision": revision}})
        return {name: one["spec"]["template"] for name, one in workloads(things).items()}

    before, after = templates("1"), templates("2")
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] == after[name]] == []


def test_a_release_beside_another_has_nothing_in_common_with_it() -> None:
    ours, theirs = list(rendered("default")), render(SECRET, release="batch-two")
    assert not {name_of(one) for one in ours} & {name_of(one) for one in theirs}
    for thing in [*ours, *theirs]:
        selector = selector_of(thing)
        others = theirs if thing in ours else ours
        assert selector is None or not any(
            selects(selector, one) for one in workloads(others).values()
        )


def test_long_names_stay_names_and_different() -> None:
    names = []
    for last in "ab":
        things = render(SECRET, release="r" * 52 + last)
        names.append({name_of(one) for one in things})
        assert all(len(one["metadata"]["name"]) <= 63 for one in things)
        values = [value for one in things for value in one["metadata"]["labels"].values()]
        assert all(len(value) <= 63 for value in values)
    assert not names[0] & names[1]


def test_a_name_that_no_service_may_have_is_refused() -> None:
    assert "begin with a letter" in render_of_digit()
    assert render({**SECRET, "fullnameOverride": "one"}, release="1st")


def render_of_digit() -> str:
    with pytest.raises(AssertionError) as found:
        render(SECRET, release="1st")
    return str(found.value)


@pytest.mark.parametrize("scenario", ["keda", "hpa"])
def test_an_upgrade_does_not_undo_what_the_autoscaler_did(scenario: str) -> None:
    deployments = {
        component(one): one["spec"] for one in of_kind(list(rendered(scenario)), "Deployment")
    }
    scaled = of_kind(list(rendered(scenario)), "ScaledObject", "HorizontalPodAutoscaler")
    assert {component(one) for one in scaled} == {"worker", "slow"}
    for one in scaled:
        assert one["spec"]["scaleTargetRef"]["name"] == one["metadata"]["name"]
        assert "replicas" not in deployments[component(one)]
    assert "replicas" in deployments["web"]


def queries(scenario: str) -> list[str]:
    found = []
    for one in of_kind(list(rendered(scenario)), "ScaledObject"):
        found += [trigger["metadata"]["query"] for trigger in one["spec"]["triggers"]]
    for one in of_kind(list(rendered(scenario)), "HorizontalPodAutoscaler"):
        found.append(one["metadata"]["annotations"]["batchline-query"])
    return found


@pytest.mark.parametrize("scenario", ["keda", "hpa"])
def test_autoscalers_ask_for_metrics_that_there_are(scenario: str) -> None:
    assert len(queries(scenario)) == {"keda": 3, "hpa": 2}[scenario]
    for query in queries(scenario):
        named = re.findall(r"\bbatchline_\w+", query)
        assert set(named) <= set(SERIES)
        chosen = set(re.findall(r"[{,](\w+)=", query)) - {"namespace"}
        assert chosen <= {label for name in named for label in SERIES[name].labels}
        # Every web process tells of all: the sum would be as many times too much.
        assert not re.search(r"sum\((?!max by)", query)
        assert query.count('namespace="work"') == len(named)


def test_scaled_objects_have_fields_that_keda_knows() -> None:
    worker, slow = sorted(
        of_kind(list(rendered("keda")), "ScaledObject"), key=component, reverse=True
    )
    for one in (worker, slow):
        assert set(one["spec"]) <= SCALED
        for trigger in one["spec"]["triggers"]:
            assert set(trigger) <= TRIGGER
            assert trigger["type"] == "prometheus"
            assert set(trigger["metadata"]) <= PROMETHEUS
            # KEDA takes texts, and nothing else.
            assert all(isinstance(value, str) for value in trigger["metadata"].values())
    # From none only a batch that waits brings the first worker: nobody has planned slices.
    assert [one["name"] for one in worker["spec"]["triggers"]] == ["load", "unfinished"]
    assert [one["name"] for one in slow["spec"]["triggers"]] == ["load"]


def test_without_a_secret_the_chart_says_what_it_needs() -> None:
    assert "secrets.existingSecret has to name a Secret" in refused({})


def test_keda_without_prometheus_is_refused() -> None:
    assert "serverAddress" in refused({**SECRET, "worker": {"autoscaling": {"kind": "keda"}}})
