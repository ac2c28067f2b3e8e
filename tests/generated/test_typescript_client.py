"""`clients/typescript`: its types are the document's, and it does what its README says.

Without npm it is skipped, as openapi-typescript is beside it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.clients.credentials import ClientSecret
from app.local.servers.ports import free_port
from tests.generated.conftest import Run
from tests.support.client_types import CLIENT, TYPES, install, make_types
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
]
# Behind the README's examples: a batch of which the receiver hears, and a message that is forged.
ENDING = """
const heard = new Promise<void>((resolve) => {
  receiver.once("request", (_, response) => response.once("finish", resolve));
});
const told = await client.submit("demo.sleep", [{}]);
await heard;
const port = process.env["MY_HOOK_PORT"];
const forged = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: "{}" });
console.log("told", told.id, "forged", forged.status);
receiver.close();
receiver.closeAllConnections();
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The client in a folder of its own, with what its lock file names, compiled with its tests."""
    folder = tmp_path_factory.mktemp("typescript") / "client"
    made = shutil.ignore_patterns("node_modules", "dist", "build")
    shutil.copytree(CLIENT, folder, ignore=made)
    install(folder)
    for configuration in ("tsconfig.json", "tsconfig.test.json"):
        compiler = folder / "node_modules" / ".bin" / "tsc"
        done = subprocess.run(
            [str(compiler), "-p", configuration], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout
    yield folder


def test_its_types_are_what_the_document_gives(built: Path, stack: Stack) -> None:
    answer = httpx.get(f"{stack.url}/openapi.json", params={"only": "native"}).raise_for_status()
    made = make_types(answer.text, built)
    assert made == (CLIENT / TYPES).read_text(), "make client-types writes them again"


def test_its_functions(built: Path, stack: Stack, client: ClientSecret, run: Run) -> None:
    """Its own tests: alone, on servers that answer badly, and on a running system."""
    tests = sorted(str(path) for path in (built / "build" / "test").glob("*.test.js"))
    said = run(
        *("node", "--test", "--test-reporter=spec", *tests),
        cwd=built,
        BATCHLINE_URL=stack.url,
        BATCHLINE_SECRET=client.secret,
    )
    counts = {name: int(count) for name, count in re.findall(r"^ℹ (\w+) (\d+)$", said, re.M)}
    assert counts["pass"] == counts["tests"] > 45, said[-3000:]


def test_its_readme_can_be_followed(
    built: Path, stack: Stack, client: ClientSecret, run: Run
) -> None:
    readme = (built / "README.md").read_text()
    blocks = re.findall(r"^```ts\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)
    assert len(blocks) == len(re.findall(r"^```(?:ts|js|typescript|javascript)", readme, re.M)) > 4
    (built / "example.ts").write_text("".join(blocks) + ENDING)
    # It imports the package by its name, as what it is installed into does.
    options = ("--strict", "--module", "nodenext", "--target", "es2022", "--types", "node")
    run(str(built / "node_modules" / ".bin" / "tsc"), *options, "example.ts", cwd=built)
    port = free_port()
    said = run(
        *("node", "example.js"),
        cwd=built,
        BATCHLINE_URL=stack.url,
        BATCHLINE_SECRET=client.secret,
        MY_HOOK_URL=f"http://127.0.0.1:{port}/",
        MY_HOOK_PORT=str(port),
    )
    assert "PARTIAL 1 completed" in said
    assert "1 countryCode: Must be two capital letters. first at 1" in said
    assert "20000 succeeded" in said
    assert "422 /operation" in said
    found = re.search(r"^told (\S+) forged 401$", said, re.MULTILINE)
    assert found, said
    assert f"ended: {found[1]} SUCCESS" in said


def test_what_is_packed_is_what_is_needed(built: Path, run: Run) -> None:
    """And its lock file names no registry."""
    said = run("npm", "pack", "--dry-run", "--ignore-scripts", "--json", cwd=built)
    packed = set(re.findall(r'"path": "([^"]+)"', said))
    assert {"package.json", "README.md", "dist/index.js", "dist/index.d.ts"} <= packed
    assert {path for path in packed if not path.startswith("dist/")} == {
        "package.json",
        "README.md",
    }
    assert '"resolved"' not in (CLIENT / "package-lock.json").read_text()
