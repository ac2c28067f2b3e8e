"""The API's reference on the site: whoever has that alone can call every operation."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator

from tests.support.described import bare_document, operations_of, resolved

SITE = Path(__file__).parents[1] / "docs/site"
DOCUMENT = bare_document()
SCHEMAS = DOCUMENT["components"]["schemas"]


@pytest.fixture(scope="module")
def page() -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SITE))
        yield importlib.import_module("api_reference").reference(DOCUMENT)


@pytest.fixture(scope="module")
def sections(page: str) -> dict[str, str]:
    """What stands under each heading of the third level."""
    _, *parts = re.split(r"^### ", page, flags=re.MULTILINE)
    found = {}
    for part in parts:
        heading, _, text = part.partition("\n")
        found[re.sub(r"<[^>]+>", "", heading)] = text.split("\n## ")[0]
    return found


def named_in(schema: Any) -> set[str]:
    """The names of the schemas that it refers to, itself and below."""
    if isinstance(schema, list):
        return set().union(*map(named_in, schema))
    if not isinstance(schema, dict):
        return set()
    own = {schema["$ref"].rsplit("/", 1)[-1]} if isinstance(schema.get("$ref"), str) else set()
    return own.union(*map(named_in, schema.values()))


def linked(text: str) -> set[str]:
    return set(re.findall(r"\[(\w+)\]\(#schema-\w+\)", text))


def examples(section: str) -> list[str]:
    return re.findall(r"^```(?:json|text)\n(.*?)\n```$", section, re.MULTILINE | re.DOTALL)


def test_each_operation_has_its_bodies_with_schema_and_example(sections: dict[str, str]) -> None:
    checked = 0
    for (method, path), said in operations_of(DOCUMENT):
        section = sections[f"{method.upper()} {path}"]
        body = resolved(DOCUMENT, said.get("requestBody", {}))
        for kind, content in body.get("content", {}).items():
            assert f"Body, `{kind}`: " in section, (method, path)
            assert named_in(content["schema"]) <= linked(section), (method, path)
            assert as_shown(content["example"]) in examples(section), (method, path, kind)
            checked += 1
    assert checked > 30


def as_shown(example: Any) -> str:
    if isinstance(example, str):
        return example.rstrip("\n")
    return json.dumps(example, indent=2, ensure_ascii=False)


def test_each_answer_is_there_with_its_schema(sections: dict[str, str]) -> None:
    for (method, path), said in operations_of(DOCUMENT):
        section = sections[f"{method.upper()} {path}"]
        for status, answer in said["responses"].items():
            found = resolved(DOCUMENT, answer)
            for kind, content in found.get("content", {}).items():
                row = f"^\\| {status} \\| `{re.escape(kind)}` \\| .*$"
                [line] = re.findall(row, section, re.MULTILINE)
                assert named_in(content["schema"]) <= linked(section), (method, path, status)
                assert linked(line) >= {*named_in(content["schema"])}, line
            if not found.get("content"):
                assert f"| {status} | - | - |" in section, (method, path)


def test_what_went_well_has_an_example_that_its_schema_takes(sections: dict[str, str]) -> None:
    checked = 0
    for (method, path), said in operations_of(DOCUMENT):
        section = sections[f"{method.upper()} {path}"]
        for status, answer in said["responses"].items():
            for kind, content in resolved(DOCUMENT, answer).get("content", {}).items():
                if not str(status).startswith("2") or "json" not in kind or "ndjson" in kind:
                    continue
                head = f"{status}, `{kind}`, for example"
                [example, *_] = examples(section.partition(head)[2])
                schema = {"allOf": [content["schema"]], "components": DOCUMENT["components"]}
                OAS31Validator(schema).validate(json.loads(example))
                checked += 1
    assert checked > 60


def test_each_schema_stands_there_with_all_its_fields(page: str, sections: dict[str, str]) -> None:
    anchors = re.findall(r'<a id="schema-(\w+)">', page)
    assert len(anchors) == len(set(anchors))
    assert {name.lower() for name in linked(page)} <= set(anchors)
    for name, schema in SCHEMAS.items():
        section = sections[name]
        for field, value in schema.get("properties", {}).items():
            [row] = re.findall(rf"^\| `{re.escape(field)}` \| .*$", section, re.MULTILINE)
            assert named_in(value) <= linked(section), (name, field)
            assert ("*Required.*" in row) == (field in schema.get("required", [])), (name, field)
        assert named_in(schema) <= linked(section), name


def test_parameters_say_what_they_are(sections: dict[str, str]) -> None:
    wait = "| `wait` | query | whole number |"
    assert wait in sections["GET /v1/batches/{batch_id}"]
    assert "| `batch_id` | path | UUID |" in sections["GET /v1/batches/{batch_id}"]
