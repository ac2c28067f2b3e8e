"""The code of docs/handlers.md, and the README's handler, run."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from handlers import Defer, Operation, Reject, Retry, fields
from handlers.contract import Problem, Records
from handlers.load import ENTRY_POINT_GROUP
from tests.support.papers import runnable

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "examples" / "shop"
BATCHLINE = str(Path(sys.executable).with_name("batchline"))


def python_blocks() -> list[str]:
    """For one module: what tests import of it is there already."""
    code = [block.code for block in runnable("docs/handlers.md", "python")]
    return [
        re.sub(r"^from shop\.handlers import .*\n", "", one, flags=re.MULTILINE) for one in code
    ]


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


@pytest.mark.whole
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


@pytest.mark.whole
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


def section(title: str) -> str:
    """A chapter of the paper, or a part of one."""
    text = (ROOT / "docs" / "handlers.md").read_text()
    return re.split(r"^##+ ", text.partition(f" {title}\n")[2], flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, str]:
    """What the tables of a text tell, by what stands in backticks in the first column."""
    found = re.findall(r"^\| (`[^|]*`) \| (.*) \|$", text, re.MULTILINE)
    return {name: told for names, told in found for name in re.findall(r"`(\w+)", names)}


def test_it_tells_each_option_of_an_operation() -> None:
    # What is told elsewhere: its name and function, and the bases that http.request alone has.
    others = {"name", "handler", "bases"}
    assert (
        set(rows(section("What it says of itself")))
        == {one.name for one in dataclasses.fields(Operation)} - others
    )


def test_it_tells_each_method_of_records_with_its_parameters() -> None:
    names = {name for name in vars(Records) if not name.startswith("_")}
    told = re.findall(r"^\| `(\w+)\(([^)]*)\)`", section("Records"), re.MULTILINE)
    assert {name for name, _ in told} == names
    for name, parameters in told:
        known = list(inspect.signature(getattr(Records, name)).parameters)[1:]
        assert [each.partition("=")[0].strip() for each in parameters.split(",")] == known


def test_it_tells_each_field_and_its_options() -> None:
    told = rows(section("Fields"))
    assert set(told) == {"Number", "WholeNumber", "Text", "Reference", "Flag", "Timestamp"}
    for name in told:
        field = getattr(fields, name)
        assert (name in ("Number", "Text")) == ("__init__" in vars(field))
        for option, parameter in inspect.signature(field.__init__).parameters.items():
            if "__init__" in vars(field) and parameter.kind is parameter.KEYWORD_ONLY:
                assert f"`{option}`" in told[name], (name, option)
    assert f"1 to {fields.KEY_PART_LENGTH} characters" in told["Text"]


@pytest.mark.parametrize("answer", [Reject, Retry, Defer])
def test_it_tells_an_answer_s_code(answer: type[Problem]) -> None:
    [line] = re.findall(rf"^\| `raise {answer.__name__}\(.*$", section("What it answers"), re.M)
    assert f"`code` is {answer.default_code} |" in line
