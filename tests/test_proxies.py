"""The proxies' configurations of docs/deploying.md, where such a proxy is on the PATH.

Only names, ports and files are changed: what they pass on, refuse and add is what is tried.
"""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.local.servers.ports import free_port
from tests.support.papers import runnable
from tests.support.stack import wait_for

NAME = "batch.example.com"

pytestmark = pytest.mark.usefixtures("own_processes")


def block(language: str) -> str:
    """The paper's configuration for that proxy."""
    found = {
        "nginx": runnable("docs/deploying.md", "nginx"),
        "caddy": runnable("docs/deploying.md", "caddy"),
    }
    [block] = found[language]
    return block.code


@contextmanager
def upstream() -> Iterator[int]:
    """The port of a server that answers with what it was sent."""

    class Echo(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = json.dumps({"path": self.path, "headers": headers}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate of the name, signed by itself, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    made, key = tmp_path / "cert.pem", tmp_path / "cert.key"
    command = f"openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN={NAME}".split()
    command += ["-addext", f"subjectAltName=DNS:{NAME}", "-keyout", str(key), "-out", str(made)]
    subprocess.run(command, check=True, capture_output=True)
    return made, key


class Ask:
    """Requests to the proxy, by the name that it is for, or another."""

    def __init__(self, port: int, certificate: Path) -> None:
        context = ssl.create_default_context(cafile=str(certificate))
        self._client = httpx.Client(verify=context, base_url=f"https://127.0.0.1:{port}")

    def __call__(self, path: str, *, host: str = NAME, **headers: str) -> httpx.Response:
        request = self._client.build_request(
            "GET", "/", headers={"Host": host, **headers}, extensions={"sni_hostname": NAME}
        )
        request.url = request.url.copy_with(raw_path=path.encode())
        return self._client.send(request)

    def close(self) -> None:
        self._client.close()


def check(ask: Ask) -> None:
    """What both have to do."""
    passed: dict[str, Any] = ask("/v1/records/a/b%2Fc%3A").json()
    assert passed["path"] == "/v1/records/a/b%2Fc%3A", "as it came"
    assert passed["headers"]["host"] == NAME
    forged = ask("/", **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"}).json()
    assert forged["headers"]["x-forwarded-for"] == "127.0.0.1"
    assert forged["headers"]["x-forwarded-proto"] == "https"
    assert "max-age" in ask("/").headers["strict-transport-security"]
    assert ask("/readyz").status_code == 404
    assert ask("/metrics").status_code == 404
    assert ask("/healthz").status_code == 200
    assert b'"path"' not in ask("/", host="other.example.com").content, "not a name of ours"


@contextmanager
def running(command: list[str], port: int, certificate: Path) -> Iterator[Ask]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    ask = Ask(port, certificate)

    def answers() -> bool:
        assert process.poll() is None, process.communicate()[0]
        try:
            return ask("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_for(answers, within=20)
        yield ask
    finally:
        ask.close()
        process.terminate()
        process.communicate(timeout=20)


@pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx on the PATH")
def test_nginx(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    port = free_port()
    with upstream() as behind:
        told = block("nginx")
        for before, after in {
            "127.0.0.1:8000": f"127.0.0.1:{behind}",
            "listen 443": f"listen 127.0.0.1:{port}",
            "/etc/ssl/batchline.pem": str(made),
            "/etc/ssl/batchline.key": str(key),
        }.items():
            assert before in told
            told = told.replace(before, after)
        folders = "".join(
            f"{kind}_temp_path {tmp_path}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = f"daemon off; pid {tmp_path}/pid; error_log stderr; events {{}}\n"
        config = tmp_path / "nginx.conf"
        config.write_text(f"{main}http {{ access_log off;\n{folders}{told}}}\n")
        with running(["nginx", "-c", str(config), "-p", str(tmp_path)], port, made) as ask:
            check(ask)
            assert ask("/a//b%2F").json()["path"] == "/a//b%2F"
            assert ask("/", host="other.example.com").status_code == 421


@pytest.mark.skipif(shutil.which("caddy") is None, reason="no caddy on the PATH")
def test_caddy(tmp_path: Path, certificate: tuple[Path, Path]) -> None:
    made, key = certificate
    port = free_port()
    with upstream() as behind:
        told = block("caddy")
        for before, after in {
            "127.0.0.1:8000": f"127.0.0.1:{behind}",
            f"{NAME} {{": f"{NAME}:{port} {{\n\tbind 127.0.0.1\n\ttls {made} {key}",
            "{\n\tservers": "{\n\tadmin off\n\tauto_https disable_redirects\n\tservers",
        }.items():
            assert before in told
            told = told.replace(before, after, 1)
        config = tmp_path / "Caddyfile"
        config.write_text(told)
        command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
        with running(command, port, made) as ask:
            check(ask)


@pytest.mark.parametrize("language", ["nginx", "caddy"])
def test_they_pass_on_what_batchline_trusts_them_with(language: str) -> None:
    told = block(language)
    for needed in ("127.0.0.1:8000", "X-Forwarded-For", "/metrics", "/readyz", "15s", "600s"):
        assert needed in told
