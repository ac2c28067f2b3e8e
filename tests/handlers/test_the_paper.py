"""The code of docs/handlers.md, and the README's handler, run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from handlers.load import ENTRY_POINT_GROUP
from tests.support.papers import runnable

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
BATCHLINE = str(Path(sys.executable).with_name("batchline"))


def python_blocks() -> list[str]:
    return [block.code for block in runnable("docs/handlers.md", "python")]


def written(folder: Path, *sources: str) -> Path:
    """The sources as a module `shop.handlers` in that folder."""
    (folder / "shop").mkdir(exist_ok=True)
    (folder / "shop" / "__init__.py").write_text("")
    text = "from __future__ import annotations\n" + "".join(sources)
    (folder / "shop" / "handlers.py").write_text(text)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}"}
    return subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, text=True, timeout=110
    )


def test_its_python_runs_and_its_tests_pass(tmp_path: Path, own_processes: None) -> None:
    python = python_blocks()
    tests = len(re.findall(r"^def test_", "".join(python), re.MULTILINE))
    assert (len(python), tests) == (7, 3)
    digits = (
        "\n\ndef test_digits() -> None:\n"
        '    [result] = run_items(digits, [{"n": 20}])\n'
        '    assert result.result == {"digits": 19}\n'
        "    pool().shutdown()\n"
    )
    folder = written(tmp_path, *python, digits)
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "shop/handlers.py"]
    done = run(folder, *pytest_)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{tests + 1} passed" in done.stdout


def test_its_types_hold(tmp_path: Path) -> None:
    folder = written(tmp_path, *python_blocks())
    done = run(folder, sys.executable, "-m", "mypy", "--strict", "--no-incremental", "-p", "shop")
    assert done.returncode == 0, done.stdout


def test_its_commands_print_what_it_shows(tmp_path: Path) -> None:
    folder = written(tmp_path, python_blocks()[0])
    (tmp_path / "prices.csv").write_text("sku,price\nA1,2.70\nA2,free\n")
    [session] = runnable("docs/handlers.md", "console")
    said = re.split(r"^\$ (.*)\n", session.code, flags=re.MULTILINE)[1:]
    commands = list(zip(said[::2], said[1::2], strict=True))
    assert len(commands) == 2
    for command, shown in commands:
        name, *arguments = command.split()
        assert name == "batchline"
        done = run(folder, BATCHLINE, *arguments)
        printed = done.stdout.splitlines() + done.stderr.splitlines()
        # What is wrong goes to standard error, beside what stands above it.
        assert [line for line in shown.splitlines() if line not in printed] == []


def test_its_entry_point_and_its_image_are_those_of_the_example() -> None:
    [toml] = runnable("docs/handlers.md", "toml")
    assert list(tomllib.loads(toml.code)["project"]["entry-points"]) == [ENTRY_POINT_GROUP]
    [shown] = runnable("docs/handlers.md", "dockerfile")
    lines = (SHOP / "Dockerfile").read_text().splitlines(keepends=True)
    assert shown.code == "".join(line for line in lines if not line.startswith("#"))


def test_the_handler_of_the_readme_can_work(tmp_path: Path) -> None:
    [block] = runnable("README.md", "python")
    folder = written(tmp_path, block.code)
    (tmp_path / "items.json").write_text('[{"sku": "A1", "count": 3}]')
    done = run(folder, BATCHLINE, "check", "shop.handlers", "--items", "items.json")
    assert (done.returncode, done.stderr) == (0, "")
    assert "shop.stock" in done.stdout
