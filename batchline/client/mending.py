"""Items that did not succeed: another input for one, another run for some, and what each was."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from batchline.client.api import segment
from batchline.client.asking import READ_TIMEOUT, Asking, fields_of, read_as
from batchline.client.items_to_send import plain
from batchline.client.models import Item, Selected, Try


class Mending(Asking):
    """What `Client` can do with single items."""

    def edit_item(self, batch_id: str | UUID, index: int, input: Any) -> Item:
        """Give an item another input, and return it as it is then; nothing is run.

        Of an item that did not succeed, in a batch that has ended, or of any in an OPEN one; else
        ApiError with status 409. `input`: the whole item, as for `submit`.
        """
        body = json.dumps({"input": input}, default=plain, allow_nan=False)
        headers = {"Content-Type": "application/json"}
        path = f"{_items(batch_id)}/{index}"
        # To send it again changes nothing more.
        return self._again(
            lambda: read_as(
                self._api.request(
                    "PATCH", path, content=body.encode(), headers=headers, timeout=READ_TIMEOUT
                ).content,
                Item,
            )
        )

    def history(
        self, batch_id: str | UUID, index: int, *, limit: int | None = None
    ) -> Iterator[Try]:
        """An item's tries, the oldest first, each with its input; what it came to is the last."""
        return self._pages(f"{_items(batch_id)}/{index}/history", Try, limit, {})

    def retry_items(
        self, batch_id: str | UUID, indexes: Iterable[int] | None = None, **where: Any
    ) -> Selected:
        """Run items of a batch that has ended again, in the order of their keys.

        Either `indexes` (at most 10,000), or `where`, of which all has to hold: `status` (one, or
        several), `failure`, `code`, `key`. Of those, what did not succeed; ApiError with status 409
        where that is none. A lost answer is not asked for again: look what became of it.
        """
        return self._chosen(batch_id, "retry", indexes, where)

    def cancel_items(
        self, batch_id: str | UUID, indexes: Iterable[int] | None = None, **where: Any
    ) -> Selected:
        """End items CANCELED that are PENDING, of a batch that has not ended; as `retry_items`."""
        return self._chosen(batch_id, "cancel", indexes, where)

    def _chosen(
        self,
        batch_id: str | UUID,
        action: str,
        indexes: Iterable[int] | None,
        where: dict[str, Any],
    ) -> Selected:
        body: dict[str, Any] = {}
        if indexes is not None:
            body["indexes"] = list(indexes)
        if given := fields_of(where):
            if isinstance(given.get("status"), str):
                given["status"] = [given["status"]]
            elif "status" in given:
                given["status"] = list(given["status"])
            body["where"] = given
        answer = self._api.request("POST", f"{_items(batch_id)}/{action}", json=body)
        return read_as(answer.content, Selected)


def _items(batch_id: str | UUID) -> str:
    return f"/v1/batches/{segment(str(batch_id))}/items"
