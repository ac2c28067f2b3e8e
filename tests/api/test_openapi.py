"""The OpenAPI document, and the page that shows it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.core.lifecycle import BATCH_STATUSES
from app.web.envelope import FIELDS
from tests.api.conftest import Caller
from tests.support.described import document as made
from tests.support.described import operations_of, path_of, resolved

# Routes that are no operations: pages for a browser, their files, and Flask's own.
_PAGES = re.compile(r"/((docs|console|static)\b.*)?")


def document(app: Flask, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = Caller(app, None).get(f"/openapi.json{query}").json
    return found


def parameters_of(described: dict[str, Any], path: str, method: str) -> dict[tuple[str, str], Any]:
    """By where each is and its name."""
    there = described["paths"][path]
    both = [*there.get("parameters", []), *there[method].get("parameters", [])]
    return {(each["in"], each["name"]): each for each in both}


def test_the_document_is_valid(app: Flask) -> None:
    for query in ("", "?only=native"):
        found = document(app, query)
        assert found["openapi"].startswith("3.1.")
        OpenAPIV31SpecValidator(found).validate()


def test_every_route_is_in_it_with_its_parameters(app: Flask) -> None:
    described = document(app)
    seen = set()
    for rule in app.url_map.iter_rules():
        if _PAGES.fullmatch(rule.rule):
            continue
        path = path_of(rule.rule)
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            said = described["paths"][path][method.lower()]
            seen.add((method.lower(), path))
            assert said["summary"], rule
            assert said["tags"], rule
            assert any(status.startswith("2") for status in said["responses"]), rule
            found = parameters_of(described, path, method.lower())
            for name in rule.arguments:
                assert found["path", name]["required"], (rule, name)
            for place, name in queried(app.view_functions[rule.endpoint]):
                assert (place, name) in found, (rule, name)
            if method != "GET" or path.startswith("/v1/"):
                assert said["security"], rule
    assert seen == {place for place, _ in operations_of(described)}


def queried(view: Any) -> list[tuple[str, str]]:
    """The query parameters and headers that a view reads, as it says itself."""
    info = getattr(view, "_apidoc", {})
    found = [
        (each["in"], name)
        for each in info.get("arguments", {}).get("parameters", [])
        for name in each["schema"]().fields
    ]
    for each in info.get("manual_doc", {}).get("parameters", []):
        found += [(each["in"], each["name"])] if "name" in each else []
    return found


def test_what_was_missing_is_in_it(app: Flask) -> None:
    described = document(app)
    assert ("query", "wait") in parameters_of(described, "/v1/batches/{batch_id}", "get")
    products = parameters_of(described, "/commerce/catalog/admin/products", "post")
    assert products["query", "batchJobCode"]["required"]
    for action in ("start", "pause", "resume", "cancel", "retry", "reset"):
        said = described["paths"][f"/v1/batches/{{batch_id}}/{action}"]["post"]
        assert said["operationId"] == f"{action}Batch"
        assert ("requestBody" in said) == (action == "retry")


def test_every_operation_has_an_id_of_its_own(app: Flask) -> None:
    ids = [said["operationId"] for _, said in operations_of(document(app))]
    assert len(ids) == len(set(ids)) > 60
    # Generators make names of them, some in small letters.
    assert len({name.lower() for name in ids}) == len(ids)
    for name in ids:
        assert re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII), name


def test_every_answer_has_its_content(app: Flask) -> None:
    described = document(app)
    for (method, path), said in operations_of(described):
        for status, answer in said["responses"].items():
            content = resolved(described, answer).get("content")
            if status in ("204", "304"):
                assert content is None
                continue
            assert content, (method, path, status)
            assert all(each["schema"] for each in content.values()), (method, path, status)
    assert set(
        described["paths"]["/v1/batches/{batch_id}/results"]["get"]["responses"]["200"]["content"]
    ) == {"application/x-ndjson", "text/csv"}
    followed = described["paths"]["/v1/batches/{batch_id}/events"]["get"]["responses"]["200"]
    assert set(followed["content"]) == {"text/event-stream"}


def test_no_answer_is_closed_to_new_fields_and_words(app: Flask) -> None:
    """A client that was made from today's document has to read tomorrow's answers."""
    described = document(app)
    closed = []

    def walk(name: str, part: Any, seen: frozenset[str]) -> None:
        if isinstance(part, list):
            for inner in part:
                walk(name, inner, seen)
        if not isinstance(part, dict):
            return
        if part.get("additionalProperties") is False or "enum" in part:
            closed.append(name)
        reference = part.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            walk(reference, resolved(described, part), seen | {reference})
        for inner in part.values():
            walk(name, inner, seen)

    for place, said in operations_of(described):
        walk(" ".join(place), said["responses"], frozenset())
    assert not closed
    # What is not known in a request is refused, and the document says so.
    submission = described["components"]["schemas"]["Submission"]
    assert submission["additionalProperties"] is False
    assert submission["properties"]["start"]["enum"] == ["now", "manual"]
    status = described["components"]["schemas"]["Batch"]["properties"]["status"]
    assert status["x-extensible-enum"] == list(BATCH_STATUSES)


def test_a_query_beside_a_body_has_nothing_that_is_sent_unasked(app: Flask) -> None:
    """A generated client sends each default; a page that tries it out, each example too."""
    described = document(app)
    for (method, path), said in operations_of(described):
        body = said.get("requestBody", {}).get("content", {}).get("application/json", {})
        for (place, name), each in parameters_of(described, path, method).items():
            if place != "query":
                continue
            assert "null" not in each["schema"].get("type", ""), (path, name)
            if body:
                assert "default" not in each["schema"], (path, name)
            shown = each.get("example", each["schema"].get("example"))
            if shown is not None and not each.get("required"):
                assert body["example"][name] == shown, (path, name)


def test_parameters_with_several_values_are_arrays_with_commas(app: Flask) -> None:
    described = document(app)
    for path in ("/v1/batches/{batch_id}/items", "/v1/batches/{batch_id}/results"):
        found = parameters_of(described, path, "get")
        for name, kind in (("status", "string"), ("indexes", "integer")):
            each = found["query", name]
            assert (each["style"], each["explode"]) == ("form", False), (path, name)
            assert each["schema"]["type"] == "array", (path, name)
            assert each["schema"]["items"]["type"] == kind, (path, name)


def test_what_a_field_of_a_body_is_unless_said_is_told_in_words(app: Flask) -> None:
    """openapi-typescript wants a field that has a default to be given."""
    described = document(app)
    submission = described["components"]["schemas"]["Submission"]["properties"]
    assert "default" not in str(submission)
    assert submission["start"]["description"].endswith("`now` unless said.")
    assert submission["dryRun"]["description"].endswith("`false` unless said.")


def test_examples_are_what_their_schemas_say(app: Flask) -> None:
    described = document(app)
    checked = 0
    for place, said in operations_of(described):
        for body in (said.get("requestBody", {}), *said["responses"].values()):
            for kind, content in resolved(described, body).get("content", {}).items():
                assert "example" in content or body is not said.get("requestBody"), place
                if "json" in kind and "example" in content:
                    schema = {
                        "allOf": [content["schema"]],
                        "components": described["components"],
                    }
                    OAS31Validator(schema).validate(content["example"])
                    checked += 1
    assert checked > 30


def test_the_dialects_can_be_left_out(app: Flask) -> None:
    whole, native = document(app), document(app, "?only=native")
    assert set(native["paths"]) == {
        path
        for path in whole["paths"]
        if path.startswith(("/v1/", "/healthz", "/readyz", "/metr", "/openapi"))
    }
    names = str(native)
    for dialect in ("nilo", "quartile", "kibo", "gameball", "fluent"):
        assert dialect not in names.lower(), dialect
    for path, said in native["paths"].items():
        assert said == whole["paths"][path]
    assert native["components"]["securitySchemes"].keys() == {"bearer"}
    assert native["components"]["schemas"].keys() < whole["components"]["schemas"].keys()


@pytest.mark.parametrize(
    "query", ["?only=kibo", "?only=", "?only=native&only=native", "?nly=native"]
)
def test_what_else_is_asked_of_it_is_refused(app: Flask, query: str) -> None:
    answer = Caller(app, None).get(f"/openapi.json{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] in ("/only", "/nly")


def test_what_is_referred_to_is_there_and_the_other_way_about(app: Flask) -> None:
    whole = document(app)
    seen = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                seen.add(reference)
                resolved(whole, value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(whole)
    schemes = whole["components"]["securitySchemes"]
    needed = {
        name
        for _, said in operations_of(whole)
        for wanted in said.get("security", [])
        for name in wanted
    }
    assert needed == schemes.keys()
    for kind in ("schemas", "responses"):
        for name in whole["components"][kind]:
            assert f"#/components/{kind}/{name}" in seen, name


def test_submissions_are_described_in_each_of_their_types(app: Flask) -> None:
    described = document(app)
    submit = described["paths"]["/v1/batches"]["post"]
    assert submit["requestBody"]["content"].keys() == {
        "application/json",
        "application/x-ndjson",
        "text/csv",
    }
    names = {name for _, name in parameters_of(described, "/v1/batches", "post")}
    assert {"Idempotency-Key", *FIELDS} <= names


def test_it_is_made_without_any_server(app: Flask) -> None:
    assert made(app)["paths"] == document(app)["paths"]


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
    assert "persistAuthorization: true" not in start.text, "no secret is left in a browser"


def test_the_page_reads_documents_of_this_version(app: Flask) -> None:
    """Swagger UI does so from its version 5 on; one before shows an error in place of the API."""
    with Caller(app, None).get("/docs/assets/swagger-ui-bundle.js") as bundle:
        version = re.search(rb'PACKAGE_VERSION:"(\d+)\.', bundle.data)
    assert version is not None
    assert int(version[1]) >= 5
    assert document(app)["openapi"].startswith("3.1.")


def test_only_the_pages_files_are_served(app: Flask) -> None:
    caller = Caller(app, None)
    for name in ("index.html", "..%2f__init__.py", "swagger-ui-bundle.js.map", "nothing"):
        assert caller.get(f"/docs/assets/{name}").status_code == 404
