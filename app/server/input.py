"""A request's body as the application reads it, whose faults are the client's and say so."""

from __future__ import annotations

import io
from typing import Any

from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest


class Input(io.RawIOBase):
    """Gunicorn's body. What is wrong with its chunks is a BadRequest, not an error of ours."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self._body = body

    def readable(self) -> bool:
        """True."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """So many bytes, fewer only at the end; all of them unless `size` says."""
        return self._checked(self._body.read, -1 if size is None else size)

    def readinto(self, buffer: Any) -> int:
        """The same into `buffer`, which a form's parser asks for; how many bytes."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def readline(self, size: int | None = -1) -> bytes:
        """A line."""
        return self._checked(self._body.readline, -1 if size is None else size)

    @staticmethod
    def _checked(read: Any, size: int) -> bytes:
        try:
            data: bytes = read(size)
        except (NoMoreData, ParseException) as error:
            raise BadRequest(f"The body cannot be read: {error or 'it is cut short'}") from error
        return data
