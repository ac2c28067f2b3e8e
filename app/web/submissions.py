"""What the caller of a request submits, within what its key may."""

from __future__ import annotations

from typing import Any

from app.batches.submission import Submission
from app.web.auth import caller


def submission_by_caller(**fields: Any) -> Submission:
    """A submission of the caller's client, of operations that the caller's key may submit.

    `fields`: those of `Submission`. Every API makes its submissions here (a test holds that), so
    that none forgets the key.
    """
    who = caller()
    return Submission(
        client_id=who.client_id, operations=who.operations, quotas=who.quotas, **fields
    )
