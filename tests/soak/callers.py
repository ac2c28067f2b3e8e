"""The callers: batches of 1 to 5,000 items in a row, each looked at when it has ended."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx

MOST_ITEMS = 5000
PLAYERS = 2000
# Keys of records, so that a table of records has an end.
KEYS = 50_000


@dataclass
class Done:
    """What has been done so far, by all callers. `surprises`: what no caller should see."""

    batches: int = 0
    items: int = 0
    surprises: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


class Caller:
    """Submits a batch, waits for its end, looks at its summary, deletes it, and so on."""

    def __init__(self, url: str, secret: str, seed: int, done: Done) -> None:
        self._random = random.Random(seed)
        self._http = httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {secret}"}, timeout=120
        )
        self._done = done
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"caller {seed}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after the batch under way."""
        self._over.set()
        self._thread.join(180)
        self._http.close()

    def _run(self) -> None:
        while not self._over.is_set():
            try:
                self._once()
            except (httpx.HTTPError, KeyError) as error:
                self._surprise(f"{type(error).__name__}: {error}")
                time.sleep(1)

    def _once(self) -> None:
        # As many small ones as large ones, by their magnitude.
        count = int(MOST_ITEMS ** self._random.random())
        operation, items = self._items(count)
        answer = self._http.post(
            "/v1/batches",
            json={"operation": operation, "items": items},
            headers={"Idempotency-Key": uuid4().hex},
        )
        if answer.status_code != 202:
            self._surprise(f"{answer.status_code}: {answer.text[:200]}")
            time.sleep(1)
            return
        batch: dict[str, Any] = answer.json()
        path = f"/v1/batches/{batch['id']}"
        deadline = time.monotonic() + 180
        while not batch["finishedAt"] and time.monotonic() < deadline:
            batch = self._http.get(path, params={"wait": 20}).raise_for_status().json()
        if batch["status"] != "SUCCESS" or batch["summary"]["completed"] != count:
            self._surprise(f"{operation}, {count} items: {batch['status']} {batch['summary']}")
        self._http.delete(path).raise_for_status()
        with self._done.lock:
            self._done.batches += 1
            self._done.items += count

    def _items(self, count: int) -> tuple[str, list[dict[str, Any]]]:
        if self._random.random() < 0.5:
            return "catalog.masterlist", [
                {"asin": f"S{number}", "countryCode": "US", "percACoS": 1.5}
                for number in self._random.sample(range(KEYS), count)
            ]
        run = uuid4().hex
        return "loyalty.cashback", [
            {
                "playerUniqueId": f"p{self._random.randrange(PLAYERS)}",
                "transactionId": f"{run}-{number}",
                "amount": "0.25",
            }
            for number in range(count)
        ]

    def _surprise(self, what: str) -> None:
        with self._done.lock:
            self._done.surprises.append(what)
