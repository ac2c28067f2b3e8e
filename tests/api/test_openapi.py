"""The OpenAPI document, and the page that shows it."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask
from openapi_spec_validator import validate

from tests.api.conftest import Caller


def document(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = Caller(app, None).get("/openapi.json").json
    return found


def test_the_document_is_valid(app: Flask) -> None:
    validate(document(app))


def test_every_native_route_is_in_it(app: Flask) -> None:
    paths = document(app)["paths"]
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/v1/"):
            continue
        path = re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            said = paths[path][method.lower()]
            assert said["summary"], rule
            assert said["security"], rule
            assert said["tags"], rule
            assert set(said["responses"]) & {"200", "201", "202", "204"}, rule


def test_what_is_referred_to_is_there(app: Flask) -> None:
    whole = document(app)

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                found: Any = whole
                for part in reference.removeprefix("#/").split("/"):
                    found = found[part]
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(whole)
    schemes = whole["components"]["securitySchemes"]
    for path in whole["paths"].values():
        for said in path.values():
            for wanted in said.get("security", []) if isinstance(said, dict) else []:
                assert wanted.keys() <= schemes.keys()


def test_submissions_are_described_in_each_of_their_types(app: Flask) -> None:
    submit = document(app)["paths"]["/v1/batches"]["post"]
    assert submit["requestBody"]["content"].keys() == {
        "application/json",
        "application/x-ndjson",
        "text/csv",
    }
    names = {parameter.get("name") for parameter in submit["parameters"]}
    assert {"Idempotency-Key", "operation", "metadata", "scheduledAt"} <= names


def test_the_page_takes_nothing_from_another_host(app: Flask) -> None:
    caller = Caller(app, None)
    page = caller.get("/docs")
    assert page.mimetype == "text/html"
    assert "default-src 'self'" in page.headers["Content-Security-Policy"]
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert len(addresses) >= 4
    for address in addresses:
        assert address.startswith("/"), address
        assert not address.startswith("//")
        with caller.get(address) as asset:
            assert (asset.status_code, bool(asset.data)) == (200, True)
    assert "<script>" not in page.text
    start = caller.get("/docs/start.js")
    assert '"/openapi.json"' in start.text
    assert "http" not in start.text.replace("https://json", "")


def test_only_the_pages_files_are_served(app: Flask) -> None:
    caller = Caller(app, None)
    for name in ("index.html", "..%2f__init__.py", "swagger-ui-bundle.js.map", "nothing"):
        assert caller.get(f"/docs/assets/{name}").status_code == 404
