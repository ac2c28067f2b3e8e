"""Paths and methods that are not there, below the prefixes of the dialects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from tests.dialects.facts import FACTS
from tests.dialects.sending import refused
from tests.dialects.speaking import Speaker


@pytest.mark.parametrize(
    ("dialect", "path"), [(name, path) for name, facts in FACTS.items() for path in facts.nowhere]
)
def test_paths_that_are_not_there(
    speak: Callable[..., Speaker], application: Flask, dialect: str, path: str
) -> None:
    for method in ("GET", "POST", "PATCH"):
        refused(dialect, speak(dialect)(method, path, {}), 404)
        refused(dialect, application.test_client().open(path, method=method), 404)


@pytest.mark.parametrize(
    ("dialect", "method", "path", "allowed"),
    [(name, *case) for name, facts in FACTS.items() for case in facts.not_allowed],
)
def test_methods_that_are_not_there(
    speak: Callable[..., Speaker], dialect: str, method: str, path: str, allowed: str
) -> None:
    response = speak(dialect)(method, path)
    refused(dialect, response, 405)
    assert allowed in response.headers["Allow"]
