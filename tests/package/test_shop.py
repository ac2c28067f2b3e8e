"""`examples/shop`, as a team would have it: built, installed beside Batchline, tested, served."""

from __future__ import annotations

import shutil
import signal
import sys
from pathlib import Path

import pytest

from app.core.envfile import read_env
from app.db import make_engine
from tests.conftest import fresh_database
from tests.package.installing import ROOT, Environment, build, run
from tests.serve.test_serve import Served, finished, submit

pytestmark = pytest.mark.long

SHOP = ROOT / "examples" / "shop"


@pytest.fixture(scope="module")
def shop(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with the wheels of Batchline and of the shop, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("shop")
    return Environment(folder / "venv", wheel, build(SHOP, folder))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The shop's folder without its package, so that what is tested is what is installed."""
    shutil.copytree(SHOP, tmp_path / "source", ignore=shutil.ignore_patterns("shop"))
    return tmp_path / "source"


def test_its_tests_pass(shop: Environment, source: Path, own_processes: None) -> None:
    done = shop.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=source)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_its_types_hold(shop: Environment, tmp_path: Path) -> None:
    mypy = [sys.executable, "-m", "mypy", "--no-incremental", "--python-executable"]
    checked = run([*mypy, str(shop.python), "shop", "tests"], cwd=SHOP)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_its_operations_are_found_by_whoever_starts(shop: Environment, tmp_path: Path) -> None:
    done = shop.run("batchline", "check", "shop.stock", "shop.prices", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == {
        "shop.movement",
        "shop.publish_price",
    }
    look = "from handlers.load import load_handlers; print('shop.movement' in load_handlers())"
    assert shop.run("python", "-c", look, cwd=tmp_path).stdout == "True\n"


def test_its_command_makes_its_tables_beside_batchline_s(
    shop: Environment, postgres_url: str, tmp_path: Path
) -> None:
    with fresh_database(postgres_url) as url:
        for command, said in (
            (["batchline", "migrate"], "Applied "),
            (["shop-migrate"], "The tables of shop are up to date."),
            (["shop-migrate"], "The tables of shop are up to date."),
            (["batchline", "migrate", "--check"], "The schema is up to date."),
        ):
            done = shop.run(*command, cwd=tmp_path, DATABASE_URL=url)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(said)
        role = "shop_processes_of_the_tests"
        engine = make_engine(url, name="batchline-tests")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {role}")
        done = shop.run("shop-migrate", cwd=tmp_path, DATABASE_URL=url, DATABASE_ROLE=role)
        assert (done.returncode, done.stderr) == (0, "")
        with engine.begin() as connection:
            connection.exec_driver_sql(f"SET LOCAL ROLE {role}")
            assert connection.exec_driver_sql("SELECT count(*) FROM shop.stock").scalar() == 0
        with engine.begin() as connection:
            connection.exec_driver_sql(f"DROP OWNED BY {role}; DROP ROLE {role}")
        engine.dispose()
    missing = shop.run("shop-migrate", cwd=tmp_path, DATABASE_URL="")
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)


@pytest.mark.timeout(300)
def test_its_operations_run_in_a_whole_stack(
    shop: Environment, tmp_path: Path, own_processes: None
) -> None:
    program = str(shop.bin / "batchline")
    served = Served(tmp_path / "home", "--demo", program=program).wait_until_ready()
    try:
        url = read_env(served.home)["DATABASE_URL"]
        made = shop.run("shop-migrate", cwd=tmp_path, DATABASE_URL=url)
        assert made.returncode == 0, made.stderr
        with served.http() as http:
            items = [
                {"sku": "A1", "warehouse": "north", "change": change} for change in (5, -3, -3)
            ]
            batch_id = submit(http, "shop.movement", items)
            assert finished(http, batch_id)["status"] == "PARTIAL"
            ended = http.get(f"/v1/batches/{batch_id}/items").json()["data"]
        assert [(item["result"], item["message"]) for item in ended] == [
            ({"pieces": 5}, None),
            ({"pieces": 2}, None),
            (None, "There are only 2"),
        ]
    finally:
        assert served.end(signal.SIGTERM) == 0
        served.close()
