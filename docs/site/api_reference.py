"""The page of the API's reference, made of the OpenAPI document: it needs no other one beside it.

Each operation has its parameters, its bodies and its answers, each with its schema and an example;
the schemas that have a name stand at the end, once each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from api_examples import example_of
from api_schemas import Schema, about, anchor_of, cell, fields_of, kind_of, name_of, resolved


def reference(document: Schema) -> str:
    """The page, in Markdown."""
    lines = [
        "# API reference",
        "",
        "From `/openapi.json`, which every running server has; `/docs` there lets you try it. "
        "A field that is *required* has to be in a body, and is always in an answer; answers may "
        "have more fields and words one day. Examples of answers are made of their schemas: they "
        "have each field, but not values that belong together.",
    ]
    for tag in document.get("tags", []):
        lines += ["", f"## {tag['name']}", "", tag.get("description", "")]
        for path, methods in document["paths"].items():
            shared = methods.get("parameters", [])
            for method, operation in methods.items():
                if method != "parameters" and tag["name"] in operation.get("tags", ()):
                    lines += ["", f"### {method.upper()} {path}", ""]
                    lines += _operation(document, operation, shared)
    lines += ["", "## Schemas", ""]
    for name, schema in sorted(document["components"]["schemas"].items()):
        lines += [f'### <a id="{anchor_of(name)}"></a>{name}', ""]
        lines += [schema.get("description", ""), "", *fields_of(schema), ""]
    return "\n".join(lines) + "\n"


def _operation(document: Schema, operation: Schema, shared: list[Any]) -> Iterator[str]:
    yield f"**{operation.get('summary', '')}**"
    yield ""
    yield operation.get("description", "")
    parameters = [*shared, *operation.get("parameters", [])]
    yield from _parameters([resolved(document, one) for one in parameters])
    body = resolved(document, operation.get("requestBody", {}))
    for kind, content in body.get("content", {}).items():
        yield ""
        yield f"Body, `{kind}`: {kind_of(content['schema'])}"
        yield from _shown(content, content.get("example"))
    yield from _answers(document, operation["responses"])


def _parameters(parameters: list[Schema]) -> Iterator[str]:
    if not parameters:
        return
    yield ""
    yield "| parameter | in | is | |"
    yield "| --- | --- | --- | --- |"
    for one in parameters:
        schema = one.get("schema", {})
        said = one.get("description") or schema.get("description", "")
        more = about({name: value for name, value in schema.items() if name != "description"})
        needed = "*Required.*" if one.get("required") and one["in"] != "path" else ""
        words = cell(" ".join(filter(None, [said, more, needed])))
        yield f"| `{one['name']}` | {one['in']} | {cell(kind_of(schema))} | {words} |"


def _answers(document: Schema, responses: Schema) -> Iterator[str]:
    found = {status: resolved(document, answer) for status, answer in responses.items()}
    yield ""
    yield "| answer | by | is | |"
    yield "| --- | --- | --- | --- |"
    for status, answer in found.items():
        said = cell(answer.get("description", ""))
        headers = ", ".join(f"`{name}`" for name in answer.get("headers", {}))
        said += f" Headers: {headers}." if headers else ""
        for kind, content in answer.get("content", {"": None}).items():
            by = f"`{kind}`" if kind else "-"
            is_ = cell(kind_of(content["schema"])) if content else "-"
            yield f"| {status} | {by} | {is_} | {said} |"
    for status, answer in found.items():
        for kind, content in answer.get("content", {}).items():
            if str(status).startswith("2"):
                yield ""
                yield f"{status}, `{kind}`, for example"
                yield from _shown(content, _example(document, kind, content))


def _example(document: Schema, kind: str, content: Schema) -> Any:
    given = content.get("example")
    return example_of(document, content["schema"]) if given is None and "json" in kind else given


def _shown(content: Schema, example: Any) -> Iterator[str]:
    """The fields of a schema that has no name, and the example of it."""
    if name_of(content["schema"]) is None and "properties" in content["schema"]:
        yield ""
        yield from fields_of(content["schema"])
    if example is None:
        return
    is_text = isinstance(example, str)
    text = example if is_text else json.dumps(example, indent=2, ensure_ascii=False)
    yield ""
    yield "```text" if is_text else "```json"
    yield text.rstrip("\n")
    yield "```"
