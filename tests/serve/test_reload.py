"""`serve --reload`: new code of handlers is run, and wrong code is said and is not."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from textwrap import dedent
from typing import Any

import psutil
import pytest

from app.core.errors import SettingsError
from app.core.settings import load_settings
from app.local.serve.reloading import Watched
from tests.serve.test_serve import READY_SECONDS, Served, finished, submit

SOURCE = """
    from marshmallow import Schema
    from batchline import Outcome, operation


    @operation("acme.version", schema=Schema{more})
    def version(item, context):
        return Outcome("{version}")
    """


def write(folder: Path, version: str, more: str = "") -> None:
    (folder / "acme_version.py").write_text(dedent(SOURCE).format(version=version, more=more))


def told(served: Served) -> str:
    """What the operation answers just now."""
    with served.http() as http:
        batch = finished(http, submit(http, "acme.version", [{}]))
        items: list[dict[str, Any]] = http.get(f"/v1/batches/{batch['id']}/items").json()["data"]
    return str(items[0]["result"])


def pids(served: Served, name: str) -> set[int]:
    found = set()
    for process in served.processes():
        try:
            if name in " ".join(process.cmdline()):
                found.add(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.whole
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_new_code_is_run_and_wrong_code_is_not(tmp_path: Path) -> None:
    write(tmp_path, "one")
    served = Served(
        tmp_path / "home", "--demo", "--reload", HANDLERS="acme_version"
    ).wait_until_ready()
    try:
        served.wait_for(rf"reloading when Python files change in {tmp_path}.*never in production")
        assert told(served) == "one"
        beat = pids(served, " beat ")
        assert beat

        write(tmp_path, "wrong", ', key=("sku",)')
        served.wait_for(r"acme_version: operation 'acme\.version': key has 'sku'")
        served.wait_for("not reloaded; what was started before goes on")
        assert told(served) == "one"

        write(tmp_path, "number two")
        served.wait_for("handlers have changed: starting web and workers again")
        deadline = time.monotonic() + READY_SECONDS
        while (answer := told(served)) != "number two":
            assert answer == "one"
            assert time.monotonic() < deadline
        assert pids(served, " beat ") == beat
        assert not [line for line in served.lines if "starting it again in" in line]
    finally:
        assert served.end(signal.SIGTERM) == 0
        served.close()


def test_what_is_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "one")
    (tmp_path / "acme_shop" / "deep").mkdir(parents=True)
    (tmp_path / "acme_shop" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    named = "acme_version,acme_shop.deep.more,acme_shop.other"
    watched = Watched.of(load_settings({"HANDLERS": named}))
    assert watched.modules == tuple(named.split(","))
    assert (watched.packages, watched.folders) == ((tmp_path / "acme_shop",), (tmp_path,))
    with pytest.raises(SettingsError, match="--reload: there is nothing to watch"):
        Watched.of(load_settings({}))
    assert os.fspath(tmp_path) in str(watched)
