"""Sending bodies to the call of a dialect that takes items, with all that it needs in place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.dialects.facts import FACTS
from tests.dialects.facts.kinds import Submitting
from tests.dialects.speaking import Speaker

every = pytest.mark.parametrize("dialect", FACTS)
Kept = Callable[[], tuple[int, int]]


class Sender:
    """The call of one dialect. `how`: what is known of it."""

    def __init__(self, dialect: str, speaker: Speaker) -> None:
        self.dialect, self.speaker = dialect, speaker
        self.how: Submitting = FACTS[dialect].submitting
        self.path = self.how.path.format(**self.how.begin(speaker))

    def __call__(self, body: Any, **options: Any) -> TestResponse:
        return self.speaker(self.how.method, self.path, body, **options)

    def refused(self, body: Any, **options: Any) -> str:
        """Assert that the body is refused, with 400; what the answer says."""
        return refused(self.dialect, self(body, **options))


def refused(dialect: str, response: TestResponse, status: int = 400) -> str:
    """Assert that it was, in the dialect's own shape of error; what it said."""
    assert response.status_code == status, response.data
    return FACTS[dialect].refused.said(response, status)


def sender_to(application: Flask, speak: Callable[..., Speaker], dialect: str) -> Sender:
    """A sender of the test's client to that application."""
    return Sender(dialect, speak(dialect, app=application))
