"""`clients/typescript`: its types are the document's, and it does what its README says.

Without npm it is skipped, as openapi-typescript is beside it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app.clients.credentials import ClientSecret
from app.local.servers.ports import free_port
from tests.generated.conftest import Run
from tests.support.client_types import CLIENT, TYPES, make_types
from tests.support.papers import runnable
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed"),
    # Before the first come the stack, npm and two runs of a compiler, on however busy a machine.
    pytest.mark.timeout(300),
]
Follow = Callable[..., str]
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
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client in a folder of its own, packed as its README says, and compiled with its tests."""
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "build"))
    [pack] = runnable("clients/typescript/README.md", "console")
    for command in (pack.code, "node_modules/.bin/tsc -p tsconfig.test.json"):
        done = subprocess.run(
            ["sh", "-euc", command], cwd=folder, capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture
def follow(built: Path, stack: Stack, client: ClientSecret, run: Run, tmp_path: Path) -> Follow:
    """`follow(code)`: what it prints as a program of someone who has installed what was packed."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    [packed] = built.glob("*.tgz")
    run("npm", "install", "--offline", "--no-audit", "--no-fund", str(packed))

    def follow(code: str, **environ: str) -> str:
        (tmp_path / "example.ts").write_text(code)
        run(
            *(str(built / "node_modules" / ".bin" / "tsc"), "--strict", "--module", "nodenext"),
            *("--target", "es2022", "--types", "node", "--skipLibCheck"),
            *("--typeRoots", str(built / "node_modules" / "@types"), "example.ts"),
        )
        known = {"BATCHLINE_URL": stack.url, "BATCHLINE_SECRET": client.secret}
        return run("node", "example.js", **known, **environ)

    return follow


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


def test_its_readme_can_be_followed(follow: Follow) -> None:
    blocks = [block.code for block in runnable("clients/typescript/README.md", "ts")]
    port = free_port()
    said = follow(
        "".join(blocks) + ENDING,
        MY_HOOK_URL=f"http://127.0.0.1:{port}/",
        MY_HOOK_PORT=str(port),
    )
    assert "PARTIAL 1 completed" in said
    assert "1 countryCode: Must be two capital letters. first at 1" in said
    assert "12000 succeeded" in said
    assert "422 /operation" in said
    found = re.search(r"^told (\S+) forged 401$", said, re.MULTILINE)
    assert found, said
    assert f"ended: {found[1]} SUCCESS" in said


def test_the_guide_can_be_followed(follow: Follow) -> None:
    [block] = runnable("docs/integrating.md", "ts")
    good = '{ asin: "A", countryCode: "US", percACoS: 2.7 }'
    said = follow(f"const prices = [{good}, {{}}];\n{block.code}")
    assert said.startswith("PARTIAL 1 completed\n1 ")


def test_what_is_packed_is_what_is_needed(built: Path) -> None:
    """And its lock file names no registry."""
    [packed] = built.glob("*.tgz")
    with tarfile.open(packed) as archive:
        names = {name.removeprefix("package/") for name in archive.getnames()}
    made = {
        f"dist/{path.stem}{ending}"
        for path in (CLIENT / "src").glob("*.ts")
        for ending in (".js", ".d.ts")
    }
    assert names == {"package.json", "README.md", *made}
    assert '"resolved"' not in (CLIENT / "package-lock.json").read_text()
