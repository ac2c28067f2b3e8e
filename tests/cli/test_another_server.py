"""An address at which something else answers: a proxy that redirects, a page of another server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner

from app.cli import main
from batchline.client import ApiError, Client

SECURE = "https://batchline.example"


class _Redirects(BaseHTTPRequestHandler):
    """As a proxy does at port 80, for the same path at port 443."""

    def _serve(self) -> None:
        # What a client sends has to be read, or it may see a reset in place of the answer.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        self.send_response(301)
        self.send_header("Location", SECURE + self.path)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = do_PATCH = _serve

    def log_message(self, *_: object) -> None:
        pass


class _Page(_Redirects):
    """Any other server: a page for every path."""

    def _answer(self) -> None:
        body = b"<!doctype html>\n<h1>It works!</h1>\n"
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(params=[_Redirects, _Page])
def other(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, int]]:
    """Its address, what is to be said of it, and the status that it answers with."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), request.param)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    said = f"redirects to {SECURE}/" if request.param is _Redirects else "is it Batchline?"
    status = 301 if request.param is _Redirects else 200
    yield f"http://127.0.0.1:{server.server_port}", said, status
    server.shutdown()
    server.server_close()


COMMANDS = [
    ("submit", "--operation", "demo.sleep", "{file}"),
    ("submit", "--operation", "demo.sleep", "{file}", "--format", "csv"),
    ("status",),
    ("items", "b"),
    ("results", "b"),
    ("events", "b"),
    ("watch", "b"),
    ("failures", "b"),
    ("retry", "b"),
    ("retry", "b", "--failure", "f"),
    ("edit", "b", "0", "--input", "{}"),
    ("cancel", "b"),
    ("operations",),
    ("operations", "open", "demo.sleep"),
    ("webhooks", "add", "https://a.example/"),
    ("webhooks", "rotate", "w"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_says_so_in_a_line(
    command: tuple[str, ...], other: tuple[str, str, int], tmp_path: Path
) -> None:
    url, said, _ = other
    file = tmp_path / "items.json"
    file.write_text("[{}]")
    env = {"BATCHLINE_URL": url, "BATCHLINE_SECRET": "bls_x", "BATCHLINE_HOME": str(tmp_path)}
    given = [str(file) if part == "{file}" else part for part in command]
    done = CliRunner(env=env).invoke(main, given)
    assert done.exit_code == 1, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    assert said in done.stderr
    assert done.stdout == ""


CALLS: list[Callable[[Client, Path], Any]] = [
    lambda client, _: client.submit("demo.sleep", [{}]),
    lambda client, file: client.submit("demo.sleep", file),
    lambda client, _: client.batch("b"),
    lambda client, _: client.wait("b", timeout=5),
    lambda client, _: list(client.items("b")),
    lambda client, _: list(client.results("b")),
    lambda client, _: list(client.failures("b")),
    lambda client, _: client.edit_item("b", 0, {}),
]


@pytest.mark.parametrize("call", CALLS)
def test_the_client_raises_at_once(
    call: Callable[[Client, Path], Any], other: tuple[str, str, int], tmp_path: Path
) -> None:
    url, _, status = other
    file = tmp_path / "items.ndjson"
    file.write_text("{}\n")
    with Client(url, "bls_x") as client, pytest.raises(ApiError) as caught:
        call(client, file)
    assert caught.value.status == status
    if status == 301:
        assert str(caught.value).endswith(f": use {SECURE}")
