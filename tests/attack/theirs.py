"""What a third client has, natively and in every dialect, as long as nobody changes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from handlers.load import load_handlers
from tests.api.conftest import ITEM, Caller
from tests.api.test_anothers_ids import MARK, belongings, owned
from tests.console.test_every_route import state_of
from tests.dialects.facts.fluent import CATEGORY, FLUENT
from tests.dialects.speaking import Speaker, ended, held
from tests.support.stack import Stack

# The operation of a batch of each dialect, but Fluent's, which are under a job.
_OPERATIONS = {
    "nilo": "catalog.price",
    "quartile": "catalog.masterlist",
    "kibo": "catalog.product.add",
    "gameball": "loyalty.balance",
}
_JOBS = "/api/v4.1/job"


@dataclass(frozen=True)
class Theirs:
    """`ids`: what there is, by the names that paths have for it. `references`: a dialect's ids.

    `seen`: all of it, as its owner sees it.
    """

    client: ClientSecret
    ids: Mapping[str, Any]
    references: Mapping[str, tuple[str, ...]]
    seen: Callable[[], Any]


def what_another_has(stack: Stack, app: Flask, engine: Engine) -> Theirs:
    """Give a new client some of everything, with MARK in all of it.

    Nothing is left under way: what is seen afterwards stays as it is.
    """
    client = create_client(engine, f"theirs {uuid4()}")
    api = Caller(app, client)
    # Before there is a webhook that would be told of its end.
    references = {"fluent": _of_fluent(stack, app, client)}
    for dialect, operation in _OPERATIONS.items():
        items = [json.dumps({"sku": MARK})]
        reference = held(engine, load_handlers(), client, dialect, operation, items)
        references[dialect] = (reference,)
    check = api.opened([{**ITEM, "asin": MARK}], dryRun=True, name=MARK)
    ids = {**belongings(engine, client, api), "check_id": check}
    return Theirs(client, ids, references, lambda: [owned(api, ids), state_of(engine, ids)])


def _of_fluent(stack: Stack, app: Flask, client: ClientSecret) -> tuple[str, ...]:
    """The numbers of a job and of its batch, which has ended."""
    fluent = Speaker(app.test_client(), client, "fluent")
    job = _id(fluent.post(_JOBS, {"name": MARK}))
    body = {**FLUENT, "entities": [{**CATEGORY, "name": MARK}]}
    batch = _id(fluent.post(f"{_JOBS}/{job}/batch", body))
    ended(stack, client, "fluent", batch)
    return job, batch


def _id(answer: Any) -> str:
    assert answer.status_code == 200, answer.text
    return str(answer.json["id"])
