"""The errors whose message is for whoever asked: a caller of the API, or an operator.

BatchlineError
├── SettingsError       a configuration value is wrong or missing
├── ServeError          `batchline serve` cannot go on (app/local/serve/errors.py)
├── ServerError         an embedded server does not do what it should (app/local/servers/errors.py)
│   └── HomeInUse            another process uses this BATCHLINE_HOME
├── WrongRevision       there is no way up to that revision of the schema (app/db/migrations)
├── NoPassword          a role of the database is to be made without one (app/db/roles.py)
├── Malformed           400  the request cannot be read at all
├── Unauthenticated     401  no credentials, or wrong ones
├── Forbidden           403  known, but the key may not do this
├── NotFound            404  no such thing, or another client's
├── TooSlow             408  its head or its body took too long to come
├── WrongState          409  the batch's state does not allow the move
├── KeyInFlight         409  the Idempotency-Key is of a request that is being carried out
├── AlreadyExists       409  something of the caller's has this name already
├── PreconditionFailed  412  not what If-Match names any more
├── TooLarge            413  over a limit
├── UnsupportedType     415  a media type that is not taken
├── Invalid             422  readable, but a field is at fault
│   └── KeyReused            the Idempotency-Key was another request's
├── TooMany             429  slow down
│   └── OverQuota            over one of the client's quotas
└── Unavailable         503  a server this needs is away
    ├── Busy                 it is there, and others have taken what there is of something
    └── CommitUnknown        it went away in the middle of a commit

Those with a number reach callers: `status` is the HTTP status that a dialect or the native API
answers with, and the domain raises them without knowing the shape they take on the wire. The others
end a command with one line. A test holds this tree and the classes together.

Not in it is what never leaves its own part: a handler's answers (`handlers.contract.Problem`), what
makes a slice start over (`workers.engine`), and an address that webhooks must not reach
(`app.webhooks.network`). The client, which stands alone, has a tree of its own
(batchline/client/errors.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field at fault: `pointer` is a JSON Pointer into the request, `message` says why."""

    pointer: str
    message: str


class BatchlineError(Exception):
    """Base of these errors. `str(error)` is a sentence for whoever asked."""

    status = 500
    title = "Internal error"
    kind: str | None = None
    """What it is called in a problem's `type`, where that is not its own name."""

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        retry_after: int | None = None,
    ) -> None:
        """`detail`: what is wrong, in words. `errors`: fields at fault. `retry_after`: seconds."""
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after = retry_after


class SettingsError(BatchlineError):
    """A configuration value is wrong or missing; the message names its variable."""

    title = "Configuration error"


class Malformed(BatchlineError):
    """The request cannot be read: broken JSON, a body cut short, a bad line."""

    status = 400
    title = "Malformed request"


class Unauthenticated(BatchlineError):
    """No credentials, or wrong ones."""

    status = 401
    title = "Authentication required"


class Forbidden(BatchlineError):
    """The client is known, but its key lacks the scope, or may not submit that operation."""

    status = 403
    title = "Not allowed with this key"


class NotFound(BatchlineError):
    """Nothing there, or another client's: the two are not told apart."""

    status = 404
    title = "Not found"


class TooSlow(BatchlineError):
    """The request's head or body took too long to come."""

    status = 408
    title = "Too slow"
    kind = "timeout"


class WrongState(BatchlineError):
    """The batch's state does not allow the move; the message names the state."""

    status = 409
    title = "Not allowed in this state"


class KeyInFlight(BatchlineError):
    """A request with this `Idempotency-Key` is being carried out: send this one again later."""

    status = 409
    title = "Still being carried out"


class AlreadyExists(BatchlineError):
    """There is one with this name or code already; the message names it."""

    status = 409
    title = "Already exists"


class PreconditionFailed(BatchlineError):
    """`If-Match` names another state than the present one; nothing was changed."""

    status = 412
    title = "Precondition failed"


class TooLarge(BatchlineError):
    """Over one of the limits that `GET /v1/limits` tells."""

    status = 413
    title = "Too large"


class UnsupportedType(BatchlineError):
    """A media type or encoding that is not taken."""

    status = 415
    title = "Unsupported media type"


class Invalid(BatchlineError):
    """Readable, but at least one field is at fault; `errors` names each."""

    status = 422
    title = "Invalid request"


class KeyReused(Invalid):
    """This `Idempotency-Key` was used for another request, which differs from this one."""

    title = "Key used for another request"


class TooMany(BatchlineError):
    """Too many requests; `Retry-After` says when to come back."""

    status = 429
    title = "Too many requests"


class OverQuota(TooMany):
    """The client would have more than one of its quotas allows, which `quota` names."""

    title = "Quota used up"
    kind = "quota"

    def __init__(self, detail: str, *, quota: str, retry_after: int) -> None:
        """`quota`: `storedItems`. `retry_after`: seconds after which there may be room."""
        super().__init__(detail, retry_after=retry_after)
        self.quota = quota


class Unavailable(BatchlineError):
    """A server that this needs (Postgres, the broker) is away for the moment."""

    status = 503
    title = "Temporarily unavailable"


class Busy(Unavailable):
    """All of something that is shared is taken: connections, memory, places."""

    title = "Busy"


class CommitUnknown(Unavailable):
    """The database went away while it was told to commit: what was to be done may have been."""
