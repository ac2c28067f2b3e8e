"""A stand-in for Batchline's API: real HTTP, made-up batches, for what is hard to bring about.

The commands are tried against the real one, too, in `test_against_the_stack.py`.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRET = "bls_test"


class FakeBatchline:
    """`ends`: the status every batch ends with, after `looks` looks at it."""

    def __init__(self, ends: str = "SUCCESS", looks: int = 2) -> None:
        self.ends = ends
        self.looks = looks
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""
        self._seen: dict[str, int] = {}

    def batch(self, batch_id: str) -> dict[str, Any]:
        seen = self._seen[batch_id] = self._seen.get(batch_id, -1) + 1
        ended = seen >= self.looks
        good = 2 if self.ends == "SUCCESS" else 1 if self.ends == "PARTIAL" else 0
        completed = good if ended else 0
        failed = 2 - good if ended else 0
        return {
            "id": batch_id,
            "name": "a [red]name[/red]",
            "operation": "demo.sleep",
            "status": self.ends if ended else "RUNNING",
            "finishedAt": "2026-11-21T09:41:00.123Z" if ended else None,
            "stopReason": None,
            "summary": {
                "total": 2,
                "pending": 0 if ended else 2,
                "running": 0,
                "completed": completed,
                "failed": failed,
                "invalid": 0,
                "canceled": 0,
                "processed": completed + failed,
            },
        }

    def answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path == "/v1/operations":
            operation = {"name": "demo.sleep", "key": ["a", "b"], "description": "Waits."}
            return 200, {"data": [operation]}
        if path.endswith("/breaker"):
            asked = json.loads(self.requests[-1][3])
            kept = {"base": asked["base"], "state": asked["state"]}
            entry = {"name": "demo.sleep", "breaker": asked["state"], "breakers": [kept]}
            return 200, entry
        if method == "POST" and path == "/v1/batches":
            return 202, self.batch("b-1")
        if path == "/v1/batches":
            return 200, {"data": [self.batch("b-1"), self.batch("b-2")], "next": None}
        if path.endswith("/items"):
            return 200, self._items(query)
        if path.startswith("/v1/batches/b-"):
            return 200, self.batch(path.rpartition("/")[2])
        problem = {
            "title": "Not found",
            "status": 404,
            "detail": "There is no such batch.",
            "errors": [{"pointer": "/id", "message": "unknown"}],
        }
        return 404, problem

    def _items(self, query: dict[str, str]) -> dict[str, Any]:
        limit, begin = int(query["limit"]), int(query.get("cursor", 0))
        rows = [
            {
                "index": index,
                "key": f"k{index}",
                "operation": "demo.sleep",
                "status": "FAILED" if index % 2 else "SUCCESS",
                "message": "no luck" if index % 2 else None,
                "result": None if index % 2 else {"slept": 1},
            }
            for index in range(2500)
            if query.get("status") in (None, "FAILED" if index % 2 else "SUCCESS")
        ]
        end = begin + limit
        return {"data": rows[begin:end], "next": str(end) if end < len(rows) else None}


@contextmanager
def serving(fake: FakeBatchline) -> Iterator[FakeBatchline]:
    """`fake`, reachable at its `url`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            body = self._body()
            fake.requests.append((self.command, parts.path, query, body))
            fake.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, content = fake.answer(self.command, parts.path, query)
            if self.headers.get("Authorization") != f"Bearer {SECRET}":
                status, content = 401, {"title": "Authentication required", "detail": "Who?"}
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _serve

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Content-Encoding") == "gzip":
                return gzip.decompress(body)
            return body

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    fake.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
