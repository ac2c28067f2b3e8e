"""Clients that generators make of `/openapi.json` submit, wait, page and stream.

Each is made of the document that a running system gives, and used by a driver that is written as
its users would (`drivers/`).
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.clients.credentials import ClientSecret
from tests.generated.conftest import DRIVERS, TYPESCRIPT, Run, tool
from tests.support.papers import runnable
from tests.support.stack import Stack

pytestmark = pytest.mark.long


def test_openapi_python_client(
    run: Run, document: Path, tmp_path: Path, brings_about: Callable[..., None]
) -> None:
    options = tmp_path / "options.yml"
    # Its formatter is left out, which would only change how it looks.
    options.write_text("post_hooks: []\n")
    run(
        *(tool("openapi-python-client"), "generate", "--path", str(document)),
        *("--meta", "none", "--output-path", str(tmp_path / "made_by_opc")),
        *("--config", str(options)),
    )
    # NDJSON and CSV in requests are beyond it, and it says so; it leaves out no operation.
    made = len(list((tmp_path / "made_by_opc" / "api").glob("*/[a-z]*.py")))
    assert made == document.read_text().count('"operationId"')
    brings_about(sys.executable, str(DRIVERS / "openapi_python_client.py"))


def test_the_guide_s_client(run: Run, stack: Stack, client: ClientSecret, tmp_path: Path) -> None:
    """What docs/integrating.md has typed makes a client, by which its Python works."""
    [made] = [
        block.code
        for block in runnable("docs/integrating.md", "console")
        if "openapi-python-client" in block.code
    ]
    [used] = [
        block.code
        for block in runnable("docs/integrating.md", "python")
        if "batchline_api" in block.code
    ]
    (tmp_path / "used.py").write_text(used)  # as it stands: nothing of the page's is wanted
    known = {"BATCHLINE_URL": stack.url, "BATCHLINE_SECRET": client.secret}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    run("sh", "-euc", made, PATH=path, **known)
    assert run(sys.executable, "used.py", **known) == "SUCCESS\n0 SUCCESS\n"


def test_openapi_generator(
    run: Run, document: Path, tmp_path: Path, brings_about: Callable[..., None]
) -> None:
    run(
        *(tool("openapi-generator-cli"), "generate", "-i", str(document), "-g", "python"),
        *("-o", str(tmp_path), "--additional-properties", "packageName=made_by_og"),
        *("--global-property", "apiTests=false,modelTests=false,apiDocs=false,modelDocs=false"),
    )
    brings_about(sys.executable, str(DRIVERS / "openapi_generator.py"))


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_openapi_typescript(
    run: Run, document: Path, tmp_path: Path, brings_about: Callable[..., None]
) -> None:
    """Its types hold what the driver does with them, before it is run."""
    for name in ("package.json", "package-lock.json", "tsconfig.json", "driver.ts"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
    installed = tmp_path / "node_modules" / ".bin"
    run(str(installed / "openapi-typescript"), str(document), "-o", str(tmp_path / "api.d.ts"))
    run(str(installed / "tsc"))
    brings_about("node", str(tmp_path / "made" / "driver.js"))
