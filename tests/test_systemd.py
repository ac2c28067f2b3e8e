"""deploy/systemd: units start what the Procfile does, confined, and systemd understands them."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.core.declared import declarations
from app.core.settings import Settings
from app.local.serve.procfile import load_procfile

UNITS = Path(__file__).parents[1] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROGRAMS = "/opt/batchline/bin/"
CONFINED = {
    "User": "batchline",
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "UMask": "0077",
    "SystemCallFilter": "@system-service",
}


def values(unit: Path) -> dict[str, list[str]]:
    """What a unit says, by name."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def name_of(unit: Path) -> str:
    return unit.stem.removeprefix("batchline-").removesuffix("@")


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_unit_starts_what_the_procfile_does(unit: Path) -> None:
    procfile = load_procfile()
    line = {**procfile, "migrate": procfile["release"]}[name_of(unit)]
    defaults = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", line))
    line = re.sub(r"\$\{(\w+):-[^}]*\}", r"${\1}", line)
    # An instance's name stands for the number of a process; `%` is doubled in units.
    line = line.replace("%", "%%").replace("$$", "%i")
    [started] = values(unit)["ExecStart"]
    assert started.startswith(PROGRAMS)
    assert shlex.split(started.removeprefix(PROGRAMS)) == shlex.split(line)
    given = dict(
        pair.split("=", 1) for each in values(unit)["Environment"] for pair in shlex.split(each)
    )
    for name, default in defaults.items():
        assert name in {one.variable for one in declarations(Settings)}
        assert given[name] == ("/var/lib/batchline" if name == "BATCHLINE_HOME" else default)


def test_large_bodies_wait_on_a_disk() -> None:
    said = values(UNITS / "batchline-web.service")
    # Where /tmp is memory, what is kept there counts for MemoryMax.
    assert f"TMPDIR=/var/lib/{said['StateDirectory'][0]}" in said["Environment"]


def test_every_process_has_a_unit() -> None:
    processes = set(load_procfile()) - {"release"}
    assert {name_of(unit) for unit in SERVICES} == {*processes, "migrate"}


@pytest.mark.parametrize("unit", SERVICES, ids=name_of)
def test_a_unit_is_confined(unit: Path) -> None:
    said = values(unit)
    assert {name: said[name][-1] for name in CONFINED} == CONFINED
    [secrets] = said["EnvironmentFile"]
    assert secrets == f"/etc/batchline/{'owner' if name_of(unit) == 'migrate' else 'environment'}"
    if name_of(unit) != "migrate":
        assert said["Restart"] == ["always"]
        assert "MemoryMax" in said


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_understands_them(tmp_path: Path) -> None:
    here = f"{Path(sys.executable).parent}/"
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAMS, here))
    units = [str(path) for path in tmp_path.iterdir()]
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True
    )
    ours = [line for line in done.stderr.splitlines() if "batchline" in line]
    assert ours == []
