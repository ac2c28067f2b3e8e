"""A key that is narrowed to some operations submits no other by a dialect either."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.dialects.facts.kibo import BY, CATALOG_CALLS
from tests.dialects.facts.kinds import Call
from tests.dialects.sending import Kept, Sender, every, refused
from tests.dialects.speaking import Speaker

Speak = Callable[..., Speaker]
WITHIN = {"gameball": "loyalty.*", "fluent": "catalog.category", "kibo": "*.add"}


@every
@pytest.mark.parametrize("allowed", [False, True])
def test_what_is_not_the_keys_is_refused(
    engine: Engine, client: ClientSecret, speak: Speak, kept: Kept, dialect: str, allowed: bool
) -> None:
    pattern = WITHIN.get(dialect, "catalog.*") if allowed else "demo.*"
    key = create_key(engine, client.client_id, operations=[pattern])
    sender = Sender(dialect, speak(dialect, key))
    before = kept()
    answer = sender(sender.how.body(sender.how.items(2)))
    if allowed:
        assert answer.status_code in (200, 202), answer.data
        assert kept()[1] == 2
    else:
        assert "may not submit" in refused(dialect, answer, 403)
        assert kept() == before


@pytest.mark.parametrize("call", CATALOG_CALLS, ids=str)
def test_nor_by_any_path_of_a_catalog(
    engine: Engine, client: ClientSecret, speak: Speak, kept: Kept, call: Call
) -> None:
    key = create_key(engine, client.client_id, operations=["demo.*"])
    code = Sender("kibo", speak("kibo", key)).path.rpartition("=")[2]
    path = f"{call.path}?{BY.partition('=')[0]}={code}"
    answer = speak("kibo", key)(call.method, path, call.body)
    refused("kibo", answer, 403)
    assert kept() == (1, 0)
