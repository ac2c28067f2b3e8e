"""What can go wrong for a client.

ClientError
├── ApiError           the API refused a request, or could not be reached
│   └── NotFollowed    it does not offer a batch's events
├── NotEnded           a batch did not end in the time that was given (a TimeoutError)
├── BadFile            a file of items cannot be sent
├── BadItem            an item cannot be sent
└── WebhookRefused     a webhook's message is not to be believed
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchline.client.models import Batch


class ClientError(Exception):
    """Base of the client's errors. `str(error)` is a sentence to be shown."""

    status: int = 0

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457) of the API's answer; empty where there was none."""
        return {}


class ApiError(ClientError):
    """The API refused a request, or could not be reached. `status` is HTTP's, 0 if unreachable.

    `body`: the problem document (RFC 9457), where the answer was one. `retry_after`: seconds after
    which to ask again, where the answer said so.
    """

    def __init__(
        self,
        detail: str,
        *,
        status: int = 0,
        body: Any = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.body = body
        self.retry_after = retry_after

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document (RFC 9457) of the API's answer; empty where there was none."""
        return self.body if isinstance(self.body, dict) else {}


class NotFollowed(ApiError):
    """The API does not offer a batch's events."""


class NotEnded(ClientError, TimeoutError):
    """The batch did not end in the time that was given. `batch`: as it is then."""

    def __init__(self, detail: str, *, batch: Batch) -> None:
        super().__init__(detail)
        self.batch = batch


class BadFile(ClientError):
    """The file cannot be sent; the message names it and says why."""


class BadItem(ClientError):
    """An item is nothing that JSON has a word for. `index`: its position, from 0."""

    def __init__(self, detail: str, *, index: int) -> None:
        super().__init__(detail)
        self.index = index


class WebhookRefused(ClientError):
    """The message's signature is not good, or missing, or too old."""
