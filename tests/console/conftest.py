"""The application, and somebody who fills in its forms without a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret
from app.core.settings import Settings
from tests.support.application import application

_FORM = re.compile(r"<form\b(?P<head>[^>]*)>(?P<body>.*?)</form>", re.DOTALL)
_INPUT = re.compile(r"<(?:input|button)\b[^>]*>")
_ATTRIBUTE = re.compile(r'([\w-]+)="([^"]*)"')


class Person:
    """Somebody with a browser that keeps cookies and runs no scripts.

    `address`: whence they come, so that the attempts of one test are not another's.
    """

    def __init__(self, app: Flask, address: str = "127.0.0.1") -> None:
        self.http = app.test_client()
        self.address = address

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET, without following."""
        return self.http.get(path, environ_base={"REMOTE_ADDR": self.address}, **options)

    def post(self, path: str, fields: dict[str, Any] | bytes, **options: Any) -> TestResponse:
        """POST of these fields alone; of a form that is written, if they are bytes."""
        return self.http.post(
            path, data=fields, environ_base={"REMOTE_ADDR": self.address}, **options
        )

    def fill(self, page: TestResponse, leads_to: str, **fields: Any) -> TestResponse:
        """Send the page's form for that address, with what it holds and these fields."""
        return self.post(leads_to, {**fields_of(page.text, leads_to), **fields})

    def sign_in(self, secret: str, start: str = "/console") -> TestResponse:
        """By the form that `start` shows."""
        return self.fill(self.get(start), "/console/sign-in", secret=secret)


def fields_of(html: str, action: str) -> dict[str, str]:
    """What the form that leads to `action` holds; fails the test where there is none."""
    for form in _FORM.finditer(html):
        if dict(_ATTRIBUTE.findall(form["head"])).get("action") == action:
            inputs = [dict(_ATTRIBUTE.findall(each)) for each in _INPUT.findall(form["body"])]
            return {
                each["name"]: unescape(each.get("value", "")) for each in inputs if "name" in each
            }
    raise AssertionError(f"no form leads to {action}: {html}")


@pytest.fixture(scope="module")
def app(settings: Settings) -> Iterator[Flask]:
    """The application, in the test's own process."""
    with application(settings) as made:
        yield made


@pytest.fixture
def person(app: Flask, client: ClientSecret) -> Person:
    """Somebody who is signed in with every scope but admin."""
    found = Person(app, "192.0.2.1")
    assert found.sign_in(client.secret).status_code == 303
    return found
