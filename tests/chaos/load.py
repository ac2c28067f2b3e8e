"""The callers: they submit batches all the while, and remember what they were told."""

from __future__ import annotations

import itertools
import random
import threading
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import uuid4

import httpx

from tests.chaos.misbehaving import COUNT, KINDS_OF

PLAYERS = 40
# Small batches in a row.
BURST = 20


@dataclass
class Sent:
    """One submission. `batch_id`: what the 202 said. `expected`: what it adds to each player.

    `guilty`: the item whose handler misbehaves, and has to fail alone.
    """

    key: str
    operation: str
    count: int
    batch_id: str | None = None
    guilty: int | None = None
    expected: dict[str, Decimal] = field(default_factory=dict)


class Load:
    """Submits a batch every now and then, each with an idempotency key.

    So many `batches`, and then more, at longer intervals, until `join` is called: there is always
    something that a fault can hit.

    A submission that gets no answer, or a 503, is sent again with its key until it is accepted.
    `surprises`: answers that no caller should ever see. `misbehaving`: some handlers do.
    """

    def __init__(
        self, url: str, secret: str, seed: int, *, batches: int, misbehaving: bool = True
    ) -> None:
        self._random = random.Random(seed)
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=15
        )
        self._batches = batches
        self._kinds = ["loyalty", "loyalty", "catalog", "http", "small"]
        self._kinds += ["case"] * misbehaving
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)
        self.sent: list[Sent] = []
        self.surprises: list[str] = []
        self.unavailable = 0

    def start(self) -> None:
        """Begin to submit."""
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Have no more submitted than `batches`, and wait until these are."""
        self._enough.set()
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise AssertionError(f"submissions still going on after {timeout} s")
        self._http.close()

    @property
    def running(self) -> bool:
        """Whether submissions are still being made."""
        return self._thread.is_alive()

    def _run(self) -> None:
        for number in itertools.count(1):
            for sent, items in self._make():
                self.sent.append(sent)
                self._submit(sent, items)
            if number < self._batches:
                time.sleep(self._random.uniform(0, 0.6))
            elif self._enough.wait(self._random.uniform(0, 1.5)):
                break

    def _make(self) -> list[tuple[Sent, list[dict[str, Any]]]]:
        kind = self._random.choice(self._kinds)
        make = {
            "loyalty": lambda: self._loyalty(self._random.randrange(50, 1500)),
            "catalog": lambda: self._catalog(self._random.randrange(50, 3000)),
            "http": lambda: self._http_requests(self._random.randrange(5, 60)),
            "case": self._misbehaving,
        }
        if kind != "small":
            return [make[kind]()]
        # As integrations send them: one after the other, of a few items each.
        return [self._loyalty(self._random.randrange(1, 10)) for _ in range(BURST)]

    def _loyalty(self, count: int) -> tuple[Sent, list[dict[str, Any]]]:
        run = uuid4().hex[:8]
        sent = Sent(run, "loyalty.cashback", count)
        items = []
        for number in range(count):
            player = f"p{self._random.randrange(PLAYERS)}"
            amount = Decimal(self._random.randrange(1, 100_000)) / 10_000
            sent.expected[player] = sent.expected.get(player, Decimal(0)) + amount
            items.append(
                {
                    "playerUniqueId": player,
                    "transactionId": f"{run}-{number}",
                    "amount": str(amount),
                }
            )
        return sent, items

    def _catalog(self, count: int) -> tuple[Sent, list[dict[str, Any]]]:
        run = uuid4().hex[:8]
        return Sent(run, "catalog.masterlist", count), [
            {"asin": f"C{run}{number}", "countryCode": "US", "percACoS": 1.5}
            for number in range(count)
        ]

    def _http_requests(self, count: int) -> tuple[Sent, list[dict[str, Any]]]:
        run = uuid4().hex[:8]
        return Sent(run, "http.request", count), [
            {"method": "POST", "path": "/things", "body": {"run": run, "number": number}}
            for number in range(count)
        ]

    def _misbehaving(self) -> tuple[Sent, list[dict[str, Any]]]:
        run = uuid4().hex[:8]
        operation = self._random.choice(sorted(KINDS_OF))
        sent = Sent(run, operation, COUNT, guilty=self._random.randrange(COUNT))
        kind = self._random.choice(KINDS_OF[operation])
        return sent, [
            {"id": f"{run}-{number}", "kind": kind if number == sent.guilty else "ok"}
            for number in range(COUNT)
        ]

    def _submit(self, sent: Sent, items: list[dict[str, Any]]) -> None:
        body = {"operation": sent.operation, "name": sent.key, "items": items}
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                answer = self._http.post(
                    "/v1/batches", json=body, headers={"Idempotency-Key": sent.key}
                )
            except httpx.HTTPError:
                time.sleep(0.2)  # the server is being restarted
                continue
            if answer.status_code == 202:
                sent.batch_id = answer.json()["id"]
                return
            if answer.status_code == 503 and "Retry-After" in answer.headers:
                self.unavailable += 1
            elif answer.status_code != 409:  # 409: the first try is still in flight
                self.surprises.append(f"{answer.status_code}: {answer.text[:300]}")
                return
            time.sleep(0.2)
        self.surprises.append(f"{sent.key} was not accepted within 120 s")
