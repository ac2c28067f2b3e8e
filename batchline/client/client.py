"""Batchline for programs: submit, wait, read what became of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec

from batchline.client.api import Api, segment
from batchline.client.asking import READ_TIMEOUT, fields_of, query_of, read_as
from batchline.client.download import download
from batchline.client.errors import ApiError, NotEnded
from batchline.client.failures import grouped
from batchline.client.items_to_send import body_of, written
from batchline.client.mending import Mending
from batchline.client.models import Batch, Failure, Item
from batchline.client.submission import File, describe
from batchline.client.submission import submit as submit_file

TRIES = 6
_WAIT = 20
_UNSUCCESSFUL = ("INVALID", "FAILED")


class Client(Mending):
    """One client of one Batchline. Use as a context manager; several threads may share it.

    `url`: its address, without `/v1`. `secret`: of one of the client's keys. `tries`: how often a
    request is sent whose answer is lost or 503, with pauses that grow from half a second.

    Every method raises ApiError, which has `status` (HTTP's; 0 where no answer came) and `problem`
    (the RFC 9457 document, `{}` where there was none).
    """

    def __init__(self, url: str, secret: str, *, tries: int = TRIES) -> None:
        if tries < 1:
            raise ValueError("tries: at least 1")
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"{url!r} is no address: it begins with https:// or http://")
        super().__init__(Api(url, secret), tries)
        self._longest_wait = _WAIT

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._api.__exit__()

    def submit(
        self,
        operation: str | None,
        items: Iterable[Any] | Path,
        *,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> Batch:
        """Submit a batch and return it as it was accepted.

        `operation`: what is to be done with the items; None where each names its own. `items`: a
        list or any iterable of JSON values, among them Decimals, UUIDs and aware datetimes, of
        which no more than some MiB are held in memory; or the Path of a file whose name ends in
        .json, .ndjson, .jsonl or .csv, and perhaps .gz. `fields`: those of a submission, in
        snake_case or as the API has them; None is left out:

        - `name`, `metadata` (an object), `dry_run` (validate only);
        - when: `start` ("now", or "manual", which takes more items), `scheduled_at` (aware);
        - `on_invalid`: "partial", or "reject", by which one invalid item refuses all;
        - `max_failures` (items), `max_failure_percent` (of those processed, 0 to 100, once they are
          `min_processed`): the rest is canceled where more fail;
        - `approval`: another key has to approve before anything runs.

        A lost answer or a 503 is sent again under the same `Idempotency-Key`, so that nothing is
        submitted twice; give a key of your own, and that holds for another run of your program,
        too. Raises BadItem and BadFile for what cannot be sent, and TypeError for text, bytes or an
        object in place of the items (a file's name is no Path); then nothing was.
        """
        if isinstance(items, (str, bytes, bytearray, Mapping)):
            # Iterables, too: of characters, of numbers and of keys, which nobody means.
            raise TypeError("items: a list, an iterable, or the Path of a file")
        given = fields_of({"operation": operation, **fields})
        key = idempotency_key or str(uuid4())
        if isinstance(items, Path):
            return self._submitted(describe(str(items)), given, key)
        with written(items) as texts:
            if isinstance(texts, File):
                return self._submitted(texts, given, key)
            body = body_of(texts, given)
            headers = {"Content-Type": "application/json", "Idempotency-Key": key}
            return self._again(
                lambda: read_as(
                    self._api.request("POST", "/v1/batches", content=body, headers=headers).content,
                    Batch,
                )
            )

    def batch(self, batch_id: str | UUID) -> Batch:
        """The batch as it is now."""
        return self._get(f"/v1/batches/{segment(str(batch_id))}", {}, Batch)

    def wait(self, batch_id: str | UUID, timeout: float | None = None) -> Batch:
        """The batch once it has ended, and no long action goes on with it.

        `timeout`: seconds to wait for that, None for as long as it takes. Raises NotEnded, which
        is a TimeoutError and has the batch as it is then.
        """
        path = f"/v1/batches/{segment(str(batch_id))}"
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            seconds = self._longest_wait if left is None else min(self._longest_wait, int(left))
            began = time.monotonic()
            batch, pause = self._waited(path, seconds)
            if batch is not None and batch.ended:
                return batch
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                batch = self.batch(batch_id)
                if batch.ended:
                    return batch
                raise NotEnded(f"The batch has not ended within {timeout:g} s.", batch=batch)
            # Where the server did not hold the answer, it says when to ask again.
            if time.monotonic() - began < min(1.0, seconds):
                time.sleep(pause if left is None else min(pause, left))
            elif seconds < 1 and left is not None:
                time.sleep(min(pause, left))

    def items(
        self, batch_id: str | UUID, *, limit: int | None = None, **filters: Any
    ) -> Iterator[Item]:
        """A batch's items in index order, page by page as they are asked for.

        `limit`: at most so many of them. `filters`, of which all have to hold: `status` and
        `indexes` (one, or several), `failure` (an id), `code`, `key`.
        """
        path = f"/v1/batches/{segment(str(batch_id))}/items"
        return self._pages(path, Item, limit, query_of(filters))

    def failures(self, batch_id: str | UUID, *, limit: int | None = None) -> Iterator[Failure]:
        """What went wrong with items of the batch: alike ones together, the most frequent first."""
        path = f"/v1/batches/{segment(str(batch_id))}/failures"
        try:
            yield from self._pages(path, Failure, limit, {})
            return
        except ApiError as error:
            if error.status != 404:
                raise
        # A server that does not group them, or no such batch.
        self.batch(batch_id)
        found = list(
            grouped(
                item for status in _UNSUCCESSFUL for item in self.items(batch_id, status=status)
            )
        )
        yield from found[:limit]

    def results(self, batch_id: str | UUID, **filters: Any) -> Iterator[Item]:
        """All of a batch's items, as one stream that goes on where it was if it breaks off.

        Of a batch that still runs, each is told as it is when its turn comes. `filters`: those of
        `items`, and `after` (an index to begin behind).
        """
        rest = b""
        for chunk in download(self._api, str(batch_id), query_of(filters)):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line:
                    yield read_as(line, Item)

    def _submitted(self, file: File, fields: Mapping[str, Any], key: str) -> Batch:
        return self._again(
            lambda: msgspec.convert(
                submit_file(self._api, file, fields, idempotency_key=key), Batch, strict=False
            )
        )

    def _waited(self, path: str, seconds: int) -> tuple[Batch | None, float]:
        """The batch after a wait of so many seconds at most, and for how long not to ask again."""
        try:
            answer = self._again(
                lambda: self._api.request(
                    "GET", path, params={"wait": seconds}, timeout=READ_TIMEOUT + seconds
                )
            )
        except ApiError as error:
            if error.status == 429:
                return None, float(error.retry_after or 1)
            if error.status == 422 and self._longest_wait == _WAIT:
                self._longest_wait = min(_WAIT, self._api.get("/v1/limits")["maxWaitSeconds"])
                return None, 0.0
            raise
        return read_as(answer.content, Batch), float(answer.headers.get("Retry-After", 1))
