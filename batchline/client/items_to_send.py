"""Items of a program's own as the body of a submission.

Each is encoded once, and what was encoded is what is sent again if it has to be: the API compares
bodies by their bytes. Some MiB are held in memory; what is more waits in a temporary file, so that
an iterable may give as many as it likes.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from batchline.client.errors import BadItem
from batchline.client.submission import File

_MOST_BYTES = 4 * 1024 * 1024
_MOST_ITEMS = 10_000


@contextmanager
def written(items: Iterable[Any]) -> Iterator[list[bytes] | File]:
    """`items` as JSON texts: a list of them, or a file of NDJSON, gone when the context is left.

    Raises BadItem for one that is no JSON.
    """
    texts = (_text(index, item) for index, item in enumerate(items))
    held: list[bytes] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size > _MOST_BYTES or len(held) > _MOST_ITEMS:
            break
    else:
        yield held
        return
    with tempfile.NamedTemporaryFile(prefix="batchline-", suffix=".ndjson") as spool:
        spool.write(b"\n".join(held) + b"\n")
        held.clear()
        for text in texts:
            spool.write(text + b"\n")
        spool.flush()
        yield File(Path(spool.name), "ndjson")


def body_of(texts: list[bytes], fields: Mapping[str, Any]) -> bytes:
    """A JSON request with those items and `fields`."""
    head = json.dumps(fields, default=plain, allow_nan=False).encode()[:-1]
    return head + (b", " if fields else b"") + b'"items": [' + b",".join(texts) + b"]}"


def plain(value: Any) -> Any:
    """What JSON has no word for: exact numbers as text, which the API takes, times, ids."""
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: which moment is meant is not clear")
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} has no form in JSON")


def _text(index: int, item: Any) -> bytes:
    try:
        return json.dumps(item, default=plain, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise BadItem(f"Item {index} cannot be sent: {error}", index=index) from error
