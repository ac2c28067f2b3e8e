"""What the papers say of the code is so: paths, targets, settings, tables, the tree of errors."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, inspect

import app
import batchline
import handlers
import workers
from app.core import errors
from app.core.declared import Declaration, declarations
from app.core.settings import GIB, MIB, Settings
from batchline.client import errors as client_errors
from tests.support.papers import runnable

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "workers", "handlers", "batchline")
PAPERS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
# Written by the installation, named by the command line, or made up by an example.
NOT_IN_THE_TREE = {
    "app/dialects/acme.py", "shop/handlers.py", "tests/dialects/test_acme.py", "var/env",
}  # fmt: skip


UNITS = ((GIB, "GiB"), (MIB, "MiB"), (1024, "KiB"))


def prose(paper: Path) -> str:
    """A paper without its blocks of code."""
    return re.sub(r"^```.*?^```", "", paper.read_text(), flags=re.MULTILINE | re.DOTALL)


def paths_named(paper: Path) -> Iterator[str]:
    """What stands in backticks and looks like a path of the repository."""
    folders = "|".join((*PACKAGES, "tests", "docs", "examples", "benchmarks"))
    for found in re.finditer(r"`([^`\s]+)`", prose(paper)):
        path = found[1].rstrip("/")
        if re.fullmatch(rf"(?:{folders})(?:/[\w.-]+)+", path):
            yield path


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_path_that_is_named_exists(paper: Path) -> None:
    missing = [
        path
        for path in paths_named(paper)
        if path not in NOT_IN_THE_TREE and not (ROOT / path).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_link_leads_somewhere(paper: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(paper)):
        if target.startswith("https://"):
            continue
        path, _, chapter = target.partition("#")
        linked = (paper.parent / path).resolve() if path else paper
        assert linked.exists(), target
        if chapter:
            heads = re.findall(r"^#+ (.*)$", linked.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", head).lower().replace(" ", "-") for head in heads}
            assert chapter in anchors, target


def test_internals_name_modules_of_the_engine_that_exist() -> None:
    short = re.findall(
        r"`((?:plan|claim|run|outcome|retries|rescue|process)/\w+\.py)`",
        (ROOT / "docs" / "internals.md").read_text(),
    )
    assert short
    assert [one for one in short if not (ROOT / "workers" / "engine" / one).exists()] == []


def test_internals_have_every_layer_in_order() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    contracts = {one["name"]: one for one in config["tool"]["importlinter"]["contracts"]}
    layers = [
        # In brackets is what is still to come.
        {part for part in re.split(r"[\s|]+", layer) if "(" not in part}
        for layer in contracts["inside app"]["layers"]
    ]
    table = (ROOT / "docs" / "internals.md").read_text().partition("| layer |")[2]
    rows = [
        {path.replace("/", ".") for path in re.findall(r"`([\w/]+)`", row)}
        for row in re.findall(r"^\| (`[^|]*) \|", table.partition("\n\n")[0], re.MULTILINE)
    ]
    assert rows == [{"workers"}, *layers, {"handlers"}, {"batchline"}]


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_make_target_that_is_named_exists(paper: Path) -> None:
    named = re.findall(r"(?:`|^|\()make ([a-z-]+)", paper.read_text(), re.MULTILINE)
    assert set(named) <= make_targets()


def test_make_help_shows_everything_and_first_what_a_newcomer_needs() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    groups = [re.findall(r"^  make (\S+)", group, re.MULTILINE) for group in shown.split("\n\n")]
    first = [name for name in groups[0] if name in {"run", "test", "check"}]
    assert first == ["run", "test", "check"]
    listed = [name for group in groups for name in group]
    assert sorted(listed) == sorted(set(listed))
    assert set(listed) == make_targets() - {"help"}


def code_tree() -> list[str]:
    """The folders of the tree at the end of the README; `<name>` stands for any."""
    [block] = runnable("README.md", "text")
    above: list[str] = []
    paths = []
    for indent, name in re.findall(r"^( *)([\w<>]+)/", block.code, re.MULTILINE):
        above = [*above[: len(indent) // 2], name]
        paths.append("/".join(above))
    return paths


def test_the_tree_of_the_readme_is_the_code_s() -> None:
    tree = code_tree()
    assert [path for path in tree if "<" not in path and not (ROOT / path).is_dir()] == []
    known = re.compile("|".join(re.sub(r"<\w+>", r"\\w+", path) for path in tree))
    packages = [
        init.parent.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for init in (ROOT / package).rglob("__init__.py")
    ]
    assert len(packages) > 30
    assert [path for path in packages if not known.fullmatch(path)] == []


def shown_default(declared: Declaration) -> str:
    value: Any = declared.default
    if value is None or not (value or isinstance(value, (int, float))):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if value and isinstance(value, int) and declared.name.endswith("_bytes"):
        size, unit = next(one for one in UNITS if value >= one[0])
        return f"{value} ({value // size} {unit})"
    return f"{value:g}" if isinstance(value, float) else str(value)


def settings_table() -> list[str]:
    return [
        f"| `{one.variable}` | {one.meaning} | {shown_default(one)} |"
        for one in declarations(Settings)
    ]


def test_operating_has_a_table_of_all_settings() -> None:
    chapter = (ROOT / "docs" / "operating.md").read_text().partition("\n## Settings\n")[2]
    table = re.findall(r"^\| `.*$", chapter.partition("\n## ")[0], re.MULTILINE)
    assert table == settings_table(), "it has to be\n" + "\n".join(settings_table())


@pytest.mark.parametrize("paper", PAPERS, ids=lambda paper: paper.name)
def test_every_setting_that_is_named_exists(paper: Path) -> None:
    """Words in capitals with an underscore, in backticks."""
    known = {one.variable for one in declarations(Settings)}
    known |= {f"{one.variable}_FILE" for one in declarations(Settings) if one.secret}
    known |= {"POSTGRES_PASSWORD", "REDIS_PASSWORD"}  # of the compose file's own servers
    known |= {"DATABASE_ROLE", "ROLE_PASSWORD", "ROLE_PASSWORD_FILE"}  # of `batchline migrate`
    # How long a test leaves something away; a word in Redis' addresses; OpenSSL's own.
    known |= {"AWAY_SECONDS", "CERT_NONE", "SSL_CERT_FILE"}
    others = r"TEST_|OTEL_|BATCHLINE_(?!HOME)|MY_|API_KEY|TEST_JOBS|LOCK_|CLAIM_|CREATE_"
    named = re.findall(r"`([A-Z]+(?:_[A-Z]+)+)(?:=[^`]*)?`", prose(paper))
    assert {name for name in named if not re.match(others, name)} <= known


# What the chart's values have a name of their own for, or what it decides by itself.
OF_THE_CHART = {
    "BIND_HOST", "PORT", "FORWARDED_ALLOW_IPS", "FLOWER_ADDRESS", "FLOWER_PORT", "BATCHLINE_HOME",
    "HANDLERS", "WEB_WORKERS", "WORKER_CONCURRENCY", "SLOW_CONCURRENCY", "WORKER_STOP_SECONDS",
    "WORKER_MEMORY_MIB", "LOG_FORMAT",
}  # fmt: skip


def test_the_chart_takes_every_setting() -> None:
    schema = json.loads((ROOT / "deploy/helm/batchline/values.schema.json").read_text())
    taken = schema["properties"]["settings"]["propertyNames"]["enum"]
    wanted = [
        one.variable
        for one in declarations(Settings)
        if not one.secret and one.variable not in OF_THE_CHART
    ]
    assert taken == wanted, f"it has to be\n{json.dumps(wanted, indent=2)}"


# What the compose file decides otherwise, or for its own servers.
ITS_OWN = {"FLOWER_BASIC_AUTH", "POSTGRES_PASSWORD"}


@pytest.mark.parametrize("name", ["Procfile", "docker-compose.yml"])
def test_defaults_that_are_written_again_are_the_settings(name: str) -> None:
    defaults = {one.variable: shown_default(one) for one in declarations(Settings)}
    given = re.findall(r"\$\{(\w+):-([^}]+)\}", (ROOT / name).read_text())
    assert len(given) > 5
    for variable, default in given:
        assert variable in ITS_OWN or defaults[variable] == default, variable


def test_internals_have_every_table(engine: Engine) -> None:
    text = (ROOT / "docs" / "internals.md").read_text()
    rows = re.findall(r"^\| (`[^|]*) \|", text.partition("Tables\n")[2], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(inspect(engine).get_table_names()) - {"alembic_version"}


# Alembic and gunicorn read their own; a worker's start needs servers.
NOT_TO_BE_IMPORTED = re.compile(
    r"migrations\.|\.gunicorn$|workers\.(celery|tasks|webhooks)$|\.guard$"
)


def import_everything() -> None:
    for package in (app, batchline, handlers, workers):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not NOT_TO_BE_IMPORTED.search(module.name):
                importlib.import_module(module.name)


def below(base: type[BaseException]) -> set[str]:
    """The names of `base` and of all that inherit from it, but for those of tests."""
    inner = {name for one in base.__subclasses__() for name in below(one)}
    return inner if base.__module__.startswith("tests") else {base.__name__, *inner}


@pytest.mark.parametrize(
    ("module", "base"),
    [(errors, errors.BatchlineError), (client_errors, client_errors.ClientError)],
    ids=["app", "client"],
)
def test_the_tree_of_errors_has_every_class(module: Any, base: type[BaseException]) -> None:
    import_everything()
    tree = re.findall(r"^(?:[│ ]*[├└]── )?(\w+)(?: {2,}.*)?$", module.__doc__, re.MULTILINE)
    assert sorted(tree) == sorted(below(base))
