"""The form that submits, filled in without a browser."""

from __future__ import annotations

import gzip
import io
import json
import re
from html import unescape
from typing import Any
from uuid import uuid4

from flask import Flask
from werkzeug.datastructures import FileStorage
from werkzeug.test import TestResponse, encode_multipart

from tests.console.conftest import Person, fields_of

PATH = "/console/submit"
HEADER = "asin,countryCode,percACoS"
CSV = f"{HEADER}\nA1,US,2.7\nA2,usa,2.7\nA3,US,lots\n"
NDJSON_LINE = json.dumps({"asin": "A1", "countryCode": "US", "percACoS": 2.70})
HOSTILE = "</textarea><script>alert(1)</script>\"'"


def packed(content: bytes) -> bytes:
    """By gzip, and the same whenever it is."""
    return gzip.compress(content, mtime=0)


def signed_in(app: Flask, secret: str) -> Person:
    person = Person(app, f"192.0.2.{uuid4().int % 200 + 20}")
    assert person.sign_in(secret).status_code == 303
    return person


def sent(
    person: Person, content: bytes | str | None = None, filename: str = "feed.csv", **fields: Any
) -> TestResponse:
    """The form of the page, with that file; the fields first, as browsers send them."""
    form = fields_of(person.get(PATH).text, PATH)
    fields = {"csrf": form["csrf"], "operation": "catalog.masterlist", "items": "", **fields}
    body = content.encode() if isinstance(content, str) else content
    file = {} if body is None else {"file": FileStorage(io.BytesIO(body), filename)}
    # Werkzeug's client would write what is large to a file that it leaves to be collected.
    boundary, form_data = encode_multipart({**fields, **file})
    kind = f'multipart/form-data; boundary="{boundary}"'
    return person.post(PATH, form_data, content_type=kind)


def checked(
    person: Person, content: bytes | str = CSV, filename: str = "feed.csv", **fields: Any
) -> str:
    """The page of a check of that file."""
    answer = sent(person, content, filename, **fields)
    assert answer.status_code == 303, answer.text
    assert answer.location.startswith(f"{PATH}/")
    return answer.location


def submitted(person: Person, check: str, **fields: Any) -> TestResponse:
    """By the form of the check's page."""
    return person.fill(person.get(check), check.partition("?")[0], **fields)


def alert(answer: TestResponse) -> str:
    """What it says, without its markup."""
    found = re.search(r'role="alert"[^>]*>(.*?)</(?:div|p)>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return " ".join(unescape(re.sub("<[^>]*>", "", found[1])).split())


def batch_of(app: Flask, secret: str, path: str) -> dict[str, Any]:
    """As the API shows it."""
    answer = app.test_client().get(
        f"/v1/batches/{path.rpartition('/')[2].partition('?')[0]}",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.json is not None
    return dict(answer.json)


def items_of(app: Flask, secret: str, path: str) -> list[dict[str, Any]]:
    answer = app.test_client().get(
        f"/v1/batches/{path.rpartition('/')[2].partition('?')[0]}/items",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.json is not None
    return list(answer.json["data"])
