"""What the dialects take beyond their documents: gzip, any Content-Type, an Idempotency-Key."""

from __future__ import annotations

import gzip
import json

from sqlalchemy import Engine, select

from app.db.models import IdempotencyKey
from tests.dialects.sending import Kept, Sender, every


@every
def test_a_gzipped_body_is_taken(sender: Sender) -> None:
    how = sender.how
    body = gzip.compress(json.dumps(how.body(how.items(1))).encode())
    assert sender(body, headers={"Content-Encoding": "gzip"}).status_code in (200, 202)
    sender.refused(body[:-9], headers={"Content-Encoding": "gzip"})
    sender.refused(b"plain", headers={"Content-Encoding": "gzip"})
    sender.refused(body, headers={"Content-Encoding": "br"})


@every
def test_the_content_type_does_not_matter(sender: Sender) -> None:
    """None of the documents asks for one, and clients forget it."""
    how = sender.how
    for content_type in ("application/json; charset=utf-8", "text/plain", "", "application/xml"):
        response = sender(how.body(how.items(1)), headers={"Content-Type": content_type})
        assert response.status_code in (200, 202), response.data


@every
def test_an_idempotency_key_is_honoured(sender: Sender, kept: Kept, engine: Engine) -> None:
    how = sender.how
    key = {"Idempotency-Key": "one"}
    first = sender(how.body(how.items(2)), headers=key)
    after = kept()
    again = sender(how.body(how.items(2)), headers=key)
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert again.headers["Idempotent-Replayed"] == "true"
    sender.refused(how.body(how.items(1)), headers=key)
    assert kept() == after
    sender.refused(how.body([]), headers={"Idempotency-Key": "two"})
    assert sender(how.body(how.items(1)), headers={"Idempotency-Key": "two"}).status_code < 300
    with engine.connect() as connection:
        keys = connection.execute(
            select(IdempotencyKey.key).where(
                IdempotencyKey.client_id == sender.speaker.client.client_id
            )
        ).scalars()
        assert set(keys) == {"one", "two"}
