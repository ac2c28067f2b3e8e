"""What can go wrong for a client.

ClientError
├── ApiError         the API refused a request, or could not be reached
│   └── NotFollowed  it does not offer a batch's events
└── BadFile          a file of items cannot be sent
"""

from __future__ import annotations

from typing import Any


class ClientError(Exception):
    """Base of the client's errors. `str(error)` is a sentence to be shown."""


class ApiError(ClientError):
    """The API refused a request, or could not be reached. `status` is HTTP's, 0 if unreachable.

    `body`: the problem document (RFC 9457), where the answer was one.
    """

    def __init__(self, detail: str, *, status: int = 0, body: Any = None) -> None:
        super().__init__(detail)
        self.status = status
        self.body = body


class NotFollowed(ApiError):
    """The API does not offer a batch's events."""


class BadFile(ClientError):
    """The file cannot be sent; the message names it and says why."""
