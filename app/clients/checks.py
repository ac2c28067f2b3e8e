"""What names and scopes of clients and keys may be."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy.exc import IntegrityError

from app.core.errors import FieldError, Invalid

ADMIN = "admin"
"""The scope that reads and steers every client's batches; granted only where it is named."""
DEFAULT_SCOPES = (
    "batches.read",
    "batches.write",
    "webhooks.manage",
    "supplier/batch.read",
    "supplier/bulk.read",
)
"""What a client or a key gets for which none is named."""
SCOPES = (*DEFAULT_SCOPES, ADMIN)
LONGEST_NAME = 200


def checked_scopes(scopes: Iterable[str] | None) -> tuple[str, ...]:
    """The scopes, each once; the default ones for None. Raises Invalid naming an unknown one."""
    granted = tuple(DEFAULT_SCOPES if scopes is None else dict.fromkeys(scopes))
    unknown = [scope for scope in granted if scope not in SCOPES]
    if unknown:
        raise Invalid(
            f"Unknown scope {unknown[0]!r}; there are {', '.join(SCOPES)}.",
            errors=[FieldError("/scopes", f"Unknown scope {scope!r}.") for scope in unknown],
        )
    return granted


def checked_name(name: str) -> str:
    """A client's name, or a key's. Raises Invalid for one that is empty, or would be misread."""
    if not name.strip():
        raise _no_name("A client needs a name.", "Must not be empty.")
    if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        said = f"Must be at most {LONGEST_NAME} printable characters, without spaces around them."
        raise _no_name(said, said)
    if client_id_of(name) is not None:
        # Commands take a name or an id.
        raise _no_name("A name may not be an id.", "Must not be a UUID.")
    return name


def client_id_of(text: str) -> UUID | None:
    """The id that `text` is, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def name_taken(name: str, error: IntegrityError) -> Invalid:
    """What to raise where Postgres refused the name of a client. Raises `error` for anything else.

    Names are unique among the clients that have not been revoked.
    """
    constraint = getattr(getattr(error.orig, "diag", None), "constraint_name", None)
    if constraint != "uq_clients_name":
        raise error
    return _no_name(f"There is a client {name!r} already.", "Is the name of another client.")


def _no_name(detail: str, message: str) -> Invalid:
    return Invalid(detail, errors=[FieldError("/name", message)])
