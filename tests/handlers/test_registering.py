"""What cannot work is refused when it is registered, by module, operation and reason."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest
from marshmallow import INCLUDE, Schema, fields

from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings
from app.local.serve.preflight import check_handlers
from handlers import Operation, Outcome, WrongOperation, operation, registry
from handlers.load import load_handlers

ROOT = Path(__file__).parents[2]


class Named(Schema):
    """With fields by their own and by other names."""

    sku = fields.String()
    renamed = fields.String(data_key="other", attribute="another")


class Odd(Schema):
    """With fields that can be no part of a key."""

    when = fields.DateTime()
    inner = fields.Nested(Named)
    made = fields.String(dump_only=True)


class Unmade(Schema):
    """Cannot be made without being told more."""

    def __init__(self, country: str) -> None:
        super().__init__()


class Open(Schema):
    """Takes whatever there is."""

    class Meta:
        unknown = INCLUDE


async def awaited(item: Any, context: Any) -> Outcome:
    return Outcome()


async def awaited_many(item: Any, context: Any) -> Any:
    yield Outcome()


def generating(item: Any, context: Any) -> Any:
    yield Outcome()


class Awaited:
    async def __call__(self, item: Any, context: Any) -> Outcome:
        return Outcome()


def plain(item: Any, context: Any) -> Outcome:
    return Outcome()


@pytest.mark.parametrize(
    "handler",
    [awaited, awaited_many, Awaited(), Awaited().__call__, partial(awaited, None)],
    ids=["function", "generator", "object", "method", "partial"],
)
def test_what_has_to_be_awaited_is_no_handler(handler: Any) -> None:
    with pytest.raises(WrongOperation, match=r"operation 'case\.x': .*`async def`"):
        Operation("case.x", handler, Named)


def test_a_generator_is_no_handler() -> None:
    with pytest.raises(WrongOperation, match=rf"{__name__}: operation 'case\.x': .*generator"):
        operation("case.x", schema=Named)(generating)
    assert "case.x" not in registry


@pytest.mark.parametrize("name", ["", "a b", "a\n", "x" * 256, 7, None])
def test_a_name_must_be_one(name: Any) -> None:
    with pytest.raises(WrongOperation, match=r"its name must"):
        operation(name, schema=Named)(plain)


@pytest.mark.parametrize("handler", [lambda: None, len, setattr])
def test_a_handler_must_take_an_item_and_a_context(handler: Any) -> None:
    with pytest.raises(WrongOperation, match="its handler cannot be called with an item and a con"):
        Operation("case.x", handler, Named)
    with pytest.raises(WrongOperation, match="cannot be called with a list of items and a context"):
        Operation("case.x", handler, Named, bulk=True)
    assert Operation("case.x", dict, Named)  # which does not say what it takes


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"key": ("skuu",)}, "key has 'skuu', which is no field of Named"),
        ({"key": "skuu"}, "key has 'skuu'"),
        ({"queue": "quick"}, "queue must be 'fast' or 'slow', not 'quick'"),
        ({"schema": dict}, "schema must be a class of marshmallow's Schema"),
        ({"schema": Named()}, "schema must be a class of marshmallow's Schema"),
        ({"max_attempts": 0}, "max_attempts must be above 0, not 0"),
        ({"max_attempts": "3"}, "max_attempts must be a whole number, not '3'"),
        ({"timeout_seconds": float("nan")}, "timeout_seconds must be a number, not nan"),
        ({"timeout_seconds": None}, "timeout_seconds must be a number, not None"),
        ({"backoff_seconds": -1}, "backoff_seconds must be 0 or more, not -1"),
        ({"bulkk": True}, "there is no option bulkk (perhaps bulk is meant)"),
        ({"bulk": 1}, "bulk must be True or False, not 1"),
        ({"in_database": "no"}, "in_database must be True or False, not 'no'"),
        ({"gathers": True}, "gathers is for a handler that takes a list: it wants bulk=True"),
        ({"collection": 5}, "collection must be text without blanks and slashes, not 5"),
        ({"collection": "a/b"}, "collection must be text without blanks and slashes, not 'a/b'"),
        ({"schema": None}, "it has no schema: schema must be a class of marshmallow's Schema"),
        ({"key": None}, "key has None, which is no field of Named"),
        ({"key": ("sku", [])}, "key has [], which is no field of Named"),
        ({"schema": Open, "key": (1,)}, "key has 1, which is no field of Open"),
        ({"key": ("sku", "sku")}, "key has 'sku' more than once"),
        ({"schema": Unmade}, "its schema Unmade cannot be made (TypeError: "),
        ({"schema": Odd, "key": "when"}, "key has 'when', a field of DateTime, which can be no"),
        ({"schema": Odd, "key": "inner"}, "key has 'inner', a field of Nested, which can be no"),
        ({"schema": Odd, "key": "made"}, "key has 'made', which Odd does not load (dump_only)"),
        (
            {"schema": Odd, "key": ("x", "made"), "queue": "q"},
            "queue must be 'fast' or 'slow', not 'q'; key has 'x', which is no field of Odd; key",
        ),
    ],
)
def test_what_cannot_work_is_named(options: dict[str, Any], why: str) -> None:
    with pytest.raises(WrongOperation) as caught:
        operation("case.x", **{"schema": Named, **options})(plain)
    assert str(caught.value).startswith(f"{__name__}: operation 'case.x': {why}")
    assert isinstance(caught.value, ValueError)
    assert "case.x" not in registry


def test_a_decorator_without_its_arguments_names_the_handler() -> None:
    with pytest.raises(WrongOperation, match=rf"^{__name__}: operation 'plain': .* name and sche"):
        operation(plain)  # type: ignore[arg-type]
    with pytest.raises(WrongOperation, match=r"operation 'case\.x': it has no schema"):
        operation("case.x")(plain)


def test_a_name_is_registered_twice_by_the_same_handler_alone() -> None:
    def first(item: Any, context: Any) -> Outcome:
        return Outcome()

    def elsewhere(item: Any, context: Any) -> Outcome:
        return Outcome()

    def below(item: Any, context: Any) -> Outcome:
        return Outcome()

    elsewhere.__qualname__ = below.__qualname__ = first.__qualname__
    elsewhere.__module__ = "another.module"
    try:
        operation("case.twice", schema=Named)(first)
        operation("case.twice", schema=Named)(first)
        for other in (elsewhere, below):
            with pytest.raises(
                WrongOperation,
                match=rf"two handlers .* other by {__name__}: one of them wants another name$",
            ):
                operation("case.twice", schema=Named)(other)
    finally:
        registry.discard("case.twice")


@pytest.mark.parametrize(
    ("schema", "key"),
    [(Named, "sku"), (Named, "other"), (Named, "another"), (Open, "anything")],
)
def test_a_key_may_be_any_name_of_a_field(schema: type[Schema], key: str) -> None:
    assert Operation("case.x", plain, schema, key=(key,)).key == (key,)


MODULES = {
    "exits": ("import sys; sys.exit('no licence')", "it exits when it is imported (SystemExit: no"),
    "is canceled": ("import asyncio; raise asyncio.CancelledError", "CancelledError"),
    "is no Python": ("def x(:", "SyntaxError: "),
    "imports nothing": ("import no_such_module", "No module named 'no_such_module'"),
    "has no text": (
        """
        class Odd(Exception):
            def __str__(self):
                raise SystemExit
        raise Odd
        """,
        "Odd",
    ),
    "registers what cannot work": (
        """
        from marshmallow import Schema
        from handlers import operation
        @operation("case.wrong", schema=Schema, queue="quick")
        def wrong(item, context):
            pass
        """,
        "operation 'case.wrong': queue must be",
    ),
}


@pytest.fixture(params=MODULES)
def module(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str, Path]:
    """A module's name, why it cannot be loaded, and where it is."""
    source, why = MODULES[request.param]
    name = f"bad_{uuid4().hex[:8]}"
    (tmp_path / f"{name}.py").write_text(dedent(source))
    monkeypatch.syspath_prepend(tmp_path)
    return name, why, tmp_path


def test_a_module_that_cannot_be_loaded_is_named(module: tuple[str, str, Path]) -> None:
    name, why, _ = module
    with pytest.raises(ImportError) as caught:
        load_handlers([name])
    assert str(caught.value).startswith(f"handlers module {name!r}: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match=f"^HANDLERS: handlers module {name!r}: "):
        check_handlers(load_settings({"HANDLERS": name}))


@pytest.mark.parametrize("name", ["shop/handlers.py", "./handlers.py", "handlers.py"])
def test_a_file_is_no_module(name: str) -> None:
    with pytest.raises(ImportError) as caught:
        load_handlers([name])
    assert str(caught.value) == (
        f"handlers module {name!r}: a module is named as in an import (shop.handlers), "
        "not by its file"
    )


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_worker_with_such_a_module_ends_with_one_line(
    settings: Settings, tmp_path: Path, pool: str
) -> None:
    (tmp_path / "bad_module.py").write_text("import sys; print('hello'); sys.exit(0)")
    worker = subprocess.run(
        [
            *(sys.executable, "-m", "celery", "--quiet", "-A", "workers.celery", "worker"),
            *("--pool", pool, "--concurrency", "1", "--queues", "slow"),
        ],
        cwd=ROOT,
        env={
            **os.environ,
            "DATABASE_URL": settings.database_url or "",
            "REDIS_URL": settings.redis_url or "",
            "BATCHLINE_HOME": str(settings.batchline_home),
            "HANDLERS": "bad_module",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert worker.returncode == 1, worker.stderr
    assert json.loads(worker.stderr.splitlines()[-1])["event"] == (
        "HANDLERS: handlers module 'bad_module': it exits when it is imported (SystemExit: 0) "
        "(bad_module.py, line 1)"
    )
    assert "Traceback" not in worker.stderr
