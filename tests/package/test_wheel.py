"""A wheel, installed where there is no clone: it runs from any folder, and is typed."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from textwrap import dedent
from zipfile import ZipFile

import pytest

from app.local.serve.examples import find_examples
from tests.package.installing import ROOT, Environment, run
from tests.serve.test_serve import Served, finished, submit

pytestmark = pytest.mark.long

HANDLERS = dedent(
    '''
    """A team's own operation, in a file of the folder that they serve from."""

    from marshmallow import Schema

    from batchline import Context, Item, Outcome, operation
    from batchline.fields import Reference, WholeNumber


    class StockSchema(Schema):
        sku = Reference(required=True)
        count = WholeNumber(required=True)


    @operation("acme.stock", schema=StockSchema, key=("sku",), collection="stock")
    def set_stock(item: Item, context: Context) -> Outcome:
        [new] = context.records.upsert("stock", [(str(item.key), item.data)])
        return Outcome({"new": new})
    '''
)


def test_it_holds_what_serve_needs_and_nothing_of_the_tests(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    examples = {example.file.name for example in find_examples()}
    assert examples
    shipped = {name.removeprefix("app/local/serve/files/") for name in names}
    assert {"Procfile", *(f"examples/{name}" for name in examples)} <= shipped
    assert {"batchline/py.typed", "handlers/py.typed"} <= names
    listed = run(["git", "ls-files", "app", "batchline", "handlers", "workers"], cwd=ROOT)
    assert set(listed.stdout.splitlines()) - names == set()
    assert {name.partition("/")[0] for name in names if ".dist-info/" not in name} == {
        "app", "batchline", "handlers", "workers",
    }  # fmt: skip


@pytest.mark.timeout(300)
def test_it_serves_from_any_folder(
    installed: Environment, tmp_path: Path, own_processes: None
) -> None:
    (tmp_path / "acme_stock.py").write_text(HANDLERS)
    before = set(installed.packages.iterdir())
    served = Served(
        tmp_path / "home",
        "--examples",
        program=str(installed.bin / "batchline"),
        HANDLERS="acme_stock",
    ).wait_until_ready()
    try:
        assert any("nightly feed" in line for line in served.lines)
        with served.http() as http:
            batch = finished(http, submit(http, "acme.stock", [{"sku": "A1", "count": 3}]))
            assert batch["status"] == "SUCCESS"
            record = http.get("/v1/records/stock/A1").json()
            assert record["data"] == {"sku": "A1", "count": 3}
        # It is the wheel that serves, and not what the tests run on.
        commands = [" ".join(process.cmdline()) for process in served.processes()]
        assert any(str(installed.bin / "celery") in command for command in commands)
        of_the_tests = str(Path(sys.executable).parent)
        assert not [command for command in commands if of_the_tests in command]
    finally:
        assert served.end(signal.SIGTERM) == 0
        served.close()
    assert set(installed.packages.iterdir()) == before


def test_names_that_handlers_use_are_typed(installed: Environment, tmp_path: Path) -> None:
    (tmp_path / "acme_stock.py").write_text(HANDLERS)
    (tmp_path / "wrong.py").write_text(HANDLERS.replace('Outcome({"new": new})', '"new"'))
    mypy = [sys.executable, "-m", "mypy", "--strict", "--no-incremental"]
    mypy += ["--python-executable", str(installed.python)]
    for file, status, said in (
        ("acme_stock.py", 0, "no issues"),
        ("wrong.py", 1, 'Incompatible return value type (got "str", expected "Outcome")'),
    ):
        checked = run([*mypy, file], cwd=tmp_path)
        assert (checked.returncode, said in checked.stdout) == (status, True), checked.stdout


def test_the_package_names_what_is_there_and_costs_a_client_nothing(
    installed: Environment, tmp_path: Path
) -> None:
    look = """
    import json, sys
    import batchline.client.api
    unwanted = ("handlers", "marshmallow", "app", "sqlalchemy")
    light = [name for name in unwanted if name in sys.modules]
    import batchline
    from batchline import operation, Item, Context, Outcome, Reject, Retry, Defer
    from batchline.fields import Number
    heavy = [name for name in ("app", "workers", "flask", "celery") if name in sys.modules]
    there = [name for name in batchline.__all__ if getattr(batchline, name) is not None]
    print(json.dumps([light, heavy, there == batchline.__all__, batchline.__file__]))
    """
    looked = installed.run("python", "-c", dedent(look), cwd=tmp_path)
    assert looked.stderr == ""
    light, heavy, there, file = json.loads(looked.stdout)
    assert (light, heavy, there) == ([], [], True)
    assert file.startswith(str(installed.packages))
    missing = installed.run("python", "-c", "from batchline import Breakers", cwd=tmp_path)
    assert "cannot import name 'Breakers'" in missing.stderr
