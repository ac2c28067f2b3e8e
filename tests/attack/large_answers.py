"""Batches of dialects, as large as they get, asked for and read a little at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.db import make_engine
from handlers.load import load_handlers
from tests.attack.kinds import Attack, Target
from tests.attack.peers import peers
from tests.dialects.facts import FACTS
from tests.dialects.speaking import held

_ITEMS = 50
_EACH = 200_000
# The operation of a dialect's batch, and what shows it with all that it holds.
_LISTS = {
    "nilo": ("catalog.price", "/batch/{}/detail"),
    "kibo": ("catalog.product.add", "/platform/data/batchJob/items/{}?pageSize=1000"),
    "quartile": ("catalog.masterlist", "/amazon/v2/batch/{}"),
}
# Bytes that a peer takes in a second, and that the kernel takes for it beforehand.
_TAKEN, _BEFOREHAND = 2048, 4096


@contextmanager
def _under_way(target: Target) -> Iterator[None]:
    with ExitStack() as asking:
        for dialect, path in _stored(target).items():
            headers = FACTS[dialect].headers(target.attacker.api_key, target.attacker.secret)
            said = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            begin = f"GET {path} HTTP/1.1\r\nHost: here\r\n{said}\r\n".encode()
            number = target.many(2000) // len(_LISTS)
            slow = peers(target, number, begin, take=_TAKEN, receive_buffer=_BEFOREHAND)
            asking.enter_context(slow)
        yield


def _stored(target: Target) -> dict[str, str]:
    """A batch in each dialect, with items that are as large as they may be; paths to them."""
    settings, client = target.stack.settings, target.attacker
    items = [json.dumps({"number": at, "filling": "x" * _EACH}) for at in range(_ITEMS)]
    engine = make_engine(settings.database_url or "", name="batchline-attack")
    paths = {}
    try:
        for dialect, (operation, path) in _LISTS.items():
            reference = held(engine, load_handlers(), client, dialect, operation, items)
            paths[dialect] = path.format(reference)
            if dialect == "quartile":  # which shows nothing before the end
                _end(target, dialect, reference)
            with target.stack.http(client) as http:
                headers = FACTS[dialect].headers(client.api_key, client.secret)
                with http.stream("GET", paths[dialect], headers=headers) as answer:
                    assert answer.is_success, f"{paths[dialect]}: {answer.status_code}"
                    size = sum(map(len, answer.iter_bytes()))
                assert size > _ITEMS * _EACH, f"{paths[dialect]} has but {size} bytes"
    finally:
        engine.dispose()
    return paths


def _end(target: Target, dialect: str, reference: str) -> None:
    query = {"dialect": dialect, "reference": reference}
    with target.stack.http(target.attacker) as http:
        (found,) = http.get("/v1/batches", params=query).raise_for_status().json()["data"]
        http.post(f"/v1/batches/{found['id']}/start").raise_for_status()
        target.stack.finished(http, found["id"])


ATTACK = Attack(
    "2,000 read large answers of dialects slowly",
    "192 MiB of answers that wait",
    _under_way,
    factor=2.0,
    seconds=20,
)
