"""Paths in the log: nothing that an item may hold stands there, however the request ends."""

from __future__ import annotations

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from app.core.log_scrubbing import beginning_of_path
from tests.api.conftest import Caller

KEY = "a-key-of-an-item"
BATCH = UUID(int=7)
PRODUCTS = "/commerce/catalog/admin/products"


@pytest.mark.parametrize(
    ("method", "path", "shown"),
    [
        ("GET", f"/v1/records/masterlist/{KEY}", "/v1/records/{collection}/{key}"),
        # What the path does not take, and what there is not, has no rule of its own.
        ("DELETE", f"/v1/records/masterlist/{KEY}", "/v1/records/{collection}/{key}"),
        ("POST", f"/v1/batches/{BATCH}/items/3", f"/v1/batches/{BATCH}/items/3"),
        ("GET", f"/v1/record/masterlist/{KEY}", "/v1/record/…"),
        ("GET", f"/v1/batches/{BATCH}/item/{KEY}", "/v1/batches/…"),
        ("PATCH", f"{PRODUCTS}/{KEY}", f"{PRODUCTS}/{{productCode}}"),
        ("GET", "/nowhere", "/nowhere"),
    ],
)  # fmt: skip
def test_a_path_is_shown_without_what_varies(
    api: Caller, method: str, path: str, shown: str
) -> None:
    with capture_logs() as lines:
        answer = api._client.open(path, method=method, headers=api._headers)
    assert answer.status_code in (404, 405)
    [line] = [line for line in lines if line["event"] == "request.answered"]
    assert line["path"] == shown
    assert KEY not in str(lines)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("", ""),
        ("/", "/"),
        ("/v1", "/v1"),
        ("/v1/batches", "/v1/batches"),
        ("/v1/batches/", "/v1/batches/…"),
        ("/v1/batches/x/y", "/v1/batches/…"),
        ("//a/b", "//a/…"),
        ("/" + "x" * 5000, "/" + "x" * 99 + "/…"),
    ],
)
def test_of_an_unknown_path_the_beginning_is_shown(path: str, shown: str) -> None:
    assert beginning_of_path(path) == shown
