"""The chart rendered with values, and what is in what comes of it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.helm.tools import find_helm

CHART = Path(__file__).parents[2] / "deploy" / "helm" / "batchline"
Thing = dict[str, Any]
WORKLOADS = ("Deployment", "Job")


def run_helm(*arguments: str, values: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """helm's `template` or `lint`, with these values."""
    return subprocess.run(
        [find_helm(), *arguments, "--values", "-"],
        input=yaml.safe_dump(dict(values)),
        capture_output=True,
        text=True,
        timeout=60,
    )


def render(values: Mapping[str, Any], *, release: str = "batch") -> list[Thing]:
    """The objects that helm would install, hooks too."""
    done = run_helm("template", release, str(CHART), "--namespace", "work", values=values)
    assert done.returncode == 0, done.stderr
    return [thing for thing in yaml.safe_load_all(done.stdout) if thing]


def refused(values: Mapping[str, Any]) -> str:
    """What helm says of values that it does not take."""
    done = run_helm("template", "batch", str(CHART), values=values)
    assert done.returncode != 0, done.stdout
    return done.stderr


def name_of(thing: Thing) -> str:
    """As in `kind/name`."""
    return f"{thing['kind']}/{thing['metadata']['name']}"


def component(thing: Thing) -> str:
    """The part of Batchline that it belongs to."""
    found: str = thing["metadata"]["labels"]["app.kubernetes.io/component"]
    return found


def of_kind(things: list[Thing], *kinds: str) -> list[Thing]:
    """Those of these kinds."""
    return [thing for thing in things if thing["kind"] in kinds]


def workloads(things: list[Thing]) -> dict[str, Thing]:
    """Deployments and Jobs, by component."""
    return {component(thing): thing for thing in of_kind(things, *WORKLOADS)}


def pod(workload: Thing) -> Thing:
    """The spec of its pods."""
    found: Thing = workload["spec"]["template"]["spec"]
    return found


def container(workload: Thing) -> Thing:
    """The only one of its pods."""
    [found] = pod(workload)["containers"]
    assert isinstance(found, dict)
    return found


def environ(workload: Thing) -> dict[str, str]:
    """Its environment, as the process has it."""
    pairs = [(one["name"], expanded(one["value"])) for one in container(workload)["env"]]
    assert len(dict(pairs)) == len(pairs), "a variable is set twice"
    return dict(pairs)


def expanded(text: str) -> str:
    """A command or value as Kubernetes passes it on: one dollar sign of two. None has `$(A)`."""
    assert not re.search(r"(?<!\$)(\$\$)*\$\(", text), text
    return text.replace("$$", "$")


def selects(selector: Mapping[str, str], workload: Thing) -> bool:
    """Whether these labels choose its pods."""
    labels = workload["spec"]["template"]["metadata"]["labels"]
    return bool(selector) and selector.items() <= labels.items()


def selector_of(thing: Thing) -> dict[str, str] | None:
    """The labels of the pods that it is about, if it is about pods."""
    spec = thing.get("spec", {})
    if thing["kind"] == "Service":
        found: dict[str, str] = spec["selector"]
        return found
    for name in ("selector", "podSelector"):
        if name in spec:
            labels: dict[str, str] = spec[name]["matchLabels"]
            return labels
    return None


def words(thing: Any) -> Iterator[str]:
    """Every string in it, keys as well."""
    if isinstance(thing, dict):
        for name, value in thing.items():
            yield name
            yield from words(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from words(value)
    elif isinstance(thing, str):
        yield thing
