"""What docs/dialects.md shows works: its sessions, its answers, and its example of a dialect."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

import app.dialects
from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from app.dialects.common.dialect import Dialect
from tests.dialects.conftest import Finish
from tests.dialects.facts import FACTS
from tests.dialects.sending import Sender
from tests.dialects.speaking import Speaker
from tests.support.application import application as running_application
from tests.support.papers import Block, runnable
from tests.support.stack import Stack


def named(block: Block) -> tuple[str, str]:
    """The name in the comment that a block begins with, and the rest of it."""
    head, _, rest = block.code.partition("\n")
    return head.removeprefix("# "), rest


# By dialect: what is typed, and what is answered.
SESSIONS = {
    name: (session, answer.code)
    for (name, session), answer in zip(
        map(named, runnable("docs/dialects.md", "sh")),
        runnable("docs/dialects.md", "json"),
        strict=True,
    )
}
CODE = dict(map(named, runnable("docs/dialects.md", "python")))
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
@pytest.mark.parametrize("name", [dialect.name for dialect in app.dialects.DIALECTS])
def test_sessions(stack: Stack, client: ClientSecret, name: str, tmp_path: Path) -> None:
    session, expected = SESSIONS[name]
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
    assert shape(answered) == shape(json.loads(expected))


def test_every_dialect_has_a_session() -> None:
    assert list(SESSIONS) == [dialect.name for dialect in app.dialects.DIALECTS]


@pytest.fixture
def acme(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """An application that speaks the document's own dialect, too."""
    name = "app.dialects.acme"
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(CODE["app/dialects/acme/__init__.py"], "acme", "exec"), module.__dict__)  # noqa: S102
    monkeypatch.setattr(
        app.dialects, "DIALECTS", (*app.dialects.DIALECTS, module.__dict__["dialect"])
    )
    facts: dict[str, Any] = {}
    exec(CODE["tests/dialects/facts/acme.py"], facts)  # noqa: S102
    monkeypatch.setitem(FACTS, "acme", facts["FACTS"])
    with running_application(settings) as made:
        yield made


def test_another_dialect(acme: Flask, speak: Callable[..., Speaker], finish: Finish) -> None:
    tests: dict[str, Any] = {}
    exec(CODE["tests/dialects/test_acme.py"], tests)  # noqa: S102
    tests["test_prices"](lambda name: speak(name, app=acme), finish)
    for call in FACTS["acme"].calls:
        assert acme.test_client().open(call.path, method=call.method).status_code == 401
    sender = Sender("acme", speak("acme", app=acme))
    assert "at most 500" in sender.refused(sender.how.body(sender.how.items(501)))
    ticket = sender(sender.how.body(sender.how.items(3))).json
    assert ticket is not None
    (reading,) = FACTS["acme"].readings
    shown = sender.speaker.get(reading.path.format(id=ticket["ticket"])).json
    assert reading.entries is not None
    assert len(reading.entries(shown)) == 3
    described = acme.test_client().get("/openapi.json").json
    assert described is not None
    assert set(described["paths"]["/acme/prices"]) == {"post"}
    validate(described)


def examples_in(described: Any) -> list[Any]:
    """Every example of a body in the OpenAPI document."""
    if isinstance(described, list):
        return [found for inner in described for found in examples_in(inner)]
    if not isinstance(described, dict):
        return []
    here = [described["example"]] if "schema" in described and "example" in described else []
    return here + [found for inner in described.values() for found in examples_in(inner)]


@pytest.mark.parametrize("dialect", app.dialects.DIALECTS, ids=lambda dialect: dialect.name)
def test_the_examples_of_a_dialect_are_shown(application: Flask, dialect: Dialect) -> None:
    described = application.test_client().get("/openapi.json").json
    assert described is not None
    shown = examples_in(described["paths"])
    assert dialect.examples
    for name, example in dialect.examples.items():
        assert example in shown or [example] in shown, name


def assert_examples(described: Any, operation: Any) -> None:
    """The examples of an operation's bodies are what their schemas say."""
    bodies = [*operation["responses"].values(), operation.get("requestBody", {})]
    for body in bodies:
        content = body.get("content", {}).get("application/json", {})
        if "example" in content:
            schema = {"allOf": [content["schema"]], "components": described["components"]}
            OAS31Validator(schema).validate(content["example"])


def test_the_openapi_document_describes_every_dialect(application: Flask) -> None:
    described = application.test_client().get("/openapi.json").json
    assert described is not None
    validate(described)
    tags = {tag["name"]: tag["description"] for tag in described["tags"]}
    schemes = described["components"]["securitySchemes"]
    seen = set()
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if method == "parameters" or operation["tags"][0] not in FACTS:
                continue
            (dialect,) = operation["tags"]
            seen.add(dialect)
            assert tags[dialect]
            assert operation["summary"], path
            (needed,) = operation["security"]
            assert len(needed) == len(FACTS[dialect].headers("key", "secret")), path
            assert set(needed) <= set(schemes)
            answers = operation["responses"]
            assert any("content" in answers[status] for status in answers if status != "default")
            if method in ("post", "patch", "put"):
                assert "requestBody" in operation, path
            assert_examples(described, operation)
            own = FACTS[dialect].refused.schema
            assert (own or "DEFAULT_ERROR") in json.dumps(answers["default"])
    assert seen == set(FACTS)
