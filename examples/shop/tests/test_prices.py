"""Prices, told to a server that stands for the web shop."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from shop import prices

from batchline.testing import run_items


class WebShop(BaseHTTPRequestHandler):
    """Stands for the web shop: answers as the article's name says, and remembers what came."""

    seen: list[tuple[str, Any, str]]

    def do_PUT(self) -> None:
        sku = self.path.rpartition("/")[2]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen.append((sku, body, self.headers["Idempotency-Key"]))
        status = int(sku) if sku.isdigit() else 204
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "30")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web_shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[WebShop]]:
    WebShop.seen = []
    with ThreadingHTTPServer(("127.0.0.1", 0), WebShop) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("SHOP_URL", f"http://127.0.0.1:{server.server_port}")
        prices.client.cache_clear()
        yield WebShop
        prices.client().close()
        server.shutdown()
        thread.join()


def test_a_price_is_sent_with_its_idempotency_key(web_shop: type[WebShop]) -> None:
    [result] = run_items(prices.publish, [{"sku": "A1", "price": 2.7}])
    assert (result.status, result.result) == ("SUCCESS", {"status": 204})
    [(sku, body, key)] = web_shop.seen
    assert (sku, body) == ("A1", {"price": "2.7"})
    assert key.endswith(":0")


def test_what_the_shop_answers_decides(web_shop: type[WebShop]) -> None:
    items = [{"sku": sku, "price": 1} for sku in ("429", "500", "404")]
    results = run_items("shop.publish_price", items)
    assert [(one.status, one.code, one.message) for one in results] == [
        ("PENDING", 429, "The shop is busy"),
        ("PENDING", 500, "The shop answered 500"),
        ("FAILED", 404, "The shop answered 404"),
    ]
    [last] = run_items("shop.publish_price", items[:1], attempt=5)
    assert last.status == "FAILED"


def test_a_shop_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "http://127.0.0.1:9")
    prices.client.cache_clear()
    with prices.client():
        [result] = run_items(prices.publish, [{"sku": "A1", "price": 1}])
    prices.client.cache_clear()
    assert result.status == "PENDING"
    assert result.message == "The shop cannot be reached: ConnectError"
