"""Which failure it is."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

from app.batches.failures.normal_form import normal_form
from app.core.jsontext import dumps

OTHER = "other"
"""What a batch's failures beyond its thousandth are called. No id: those are longer."""
_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """A failure. `id`: twelve letters and digits. `message`: its normal form."""

    id: str
    operation: str | None
    status: str
    code: int | None
    message: str


# Most items of a batch that fail say the same, or nearly. Messages have an end, so what is kept
# here is some MiB at most, and most often some dozens of rows.
@lru_cache(_KEPT)
def identify(operation: str | None, status: str, code: int | None, message: str | None) -> Identity:
    """The failure of an item that ended so. `message`: as it is stored."""
    return _identity(operation, status, code, normal_form(message or ""))


@lru_cache(_KEPT)
def _identity(operation: str | None, status: str, code: int | None, form: str) -> Identity:
    text = dumps([operation, status, code, form]).encode()
    digest = blake2b(text, digest_size=8, person=b"failure").digest()
    return Identity(_short(digest), operation, status, code, form)


def _short(digest: bytes) -> str:
    return base64.b32encode(digest).decode().lower()[:12]
