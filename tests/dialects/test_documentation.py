"""What docs/dialects.md shows works: its sessions, its answers, and its example of a dialect."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate

import app.dialects
from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.server.wsgi import create_app
from tests.dialects.conftest import Finish
from tests.dialects.speaking import HEADERS, Speaker
from tests.support.stack import ROOT, Stack

DOCUMENT = (ROOT / "docs" / "dialects.md").read_text()
SESSIONS = dict(re.findall(r"```sh\n# (\w+)\n(.*?)```", DOCUMENT, re.S))
ANSWERS = re.findall(r"```json\n(.*?)```", DOCUMENT, re.S)
CODE = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", DOCUMENT, re.S))
# Otherwise at every run.
VARYING = {
    "uuid",
    "code",
    "id",
    "batchId",
    "entityId",
    "createdAt",
    "startedAt",
    "finishedAt",
    "createdOn",
}


def shape(value: Any) -> Any:
    """`value` without what varies; the order of members is kept."""
    if isinstance(value, dict):
        return [
            (name, type(inner).__name__ if name in VARYING else shape(inner))
            for name, inner in value.items()
        ]
    return [shape(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.stack
@pytest.mark.parametrize("position", range(5))
def test_sessions(stack: Stack, client: ClientSecret, position: int, tmp_path: Path) -> None:
    name, session = list(SESSIONS.items())[position]
    environ = {
        **os.environ,
        "URL": stack.url,
        "API_KEY": client.api_key,
        "SECRET": client.secret,
    }
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", session],
        env=environ,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    answered = json.loads(
        done.stdout[done.stdout.rindex("\n") + 1 :] if "\n" in done.stdout else done.stdout
    )
    assert shape(answered) == shape(json.loads(ANSWERS[position])), name


def test_every_dialect_has_a_session() -> None:
    assert list(SESSIONS) == [dialect.name for dialect in app.dialects.DIALECTS]
    assert len(ANSWERS) == len(SESSIONS)


@pytest.fixture
def acme(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application that speaks the document's sixth dialect, too."""
    name = "app.dialects.acme"
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(CODE["app/dialects/acme.py"], "acme.py", "exec"), module.__dict__)  # noqa: S102
    monkeypatch.setattr(
        app.dialects, "DIALECTS", (*app.dialects.DIALECTS, module.__dict__["dialect"])
    )
    monkeypatch.setitem(HEADERS, "acme", lambda _, secret: {"X-Token": secret})
    return create_app(settings)


def test_a_sixth_dialect(acme: Flask, speak: Callable[..., Speaker], finish: Finish) -> None:
    tests: dict[str, Any] = {}
    exec(CODE["tests/dialects/test_acme.py"], tests)  # noqa: S102
    tests["test_prices"](lambda name: speak(name, app=acme), finish)
    assert acme.test_client().get("/acme/prices/x").status_code == 401
    described = acme.test_client().get("/openapi.json").json
    assert described is not None
    assert set(described["paths"]["/acme/prices"]) == {"post"}
    validate(described)


def assert_examples(described: Any, operation: Any) -> None:
    """The examples of an operation's bodies are what their schemas say."""
    bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
    for body in bodies:
        content = body.get("content", {}).get("application/json", {})
        if "example" in content:
            schema = {"allOf": [content["schema"]], "components": described["components"]}
            OAS30Validator(schema).validate(content["example"])


def test_the_openapi_document_describes_every_dialect(application: Flask) -> None:
    described = application.test_client().get("/openapi.json").json
    assert described is not None
    validate(described)
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    schemes = described["components"]["securitySchemes"]
    seen = set()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if method == "parameters" or operation["tags"][0] not in HEADERS:
                continue
            (dialect,) = operation["tags"]
            seen.add(dialect)
            assert tags[dialect]
            assert operation["summary"], path
            (needed,) = operation["security"]
            assert len(needed) == len(HEADERS[dialect]("key", "secret")), path
            assert set(needed) <= set(schemes)
            answers = operation["responses"]
            assert any("content" in answers[status] for status in answers if status != "default")
            if method in ("post", "patch", "put"):
                assert "requestBody" in operation, path
            assert_examples(described, operation)
            fluent = "FluentErrors" in json.dumps(answers["default"])
            assert fluent == (dialect == "fluent")
    assert seen == set(HEADERS)
