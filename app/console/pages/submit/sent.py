"""What a browser sends of the form: with a file, as a form of parts; or without, as short text."""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO, cast

from flask import Request

from app.console.pages.submit.upload import MOST_TYPED, Upload
from app.console.shell.forms import bound
from app.core.errors import BatchlineError, TooLarge, UnsupportedType
from app.web.bodies import Body

_BUFFER = 1 << 18
# Of what stands around the parts.
_SLACK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Sent:
    """`fields`: those that have been read so far. `file`: None where none was chosen.

    `body`: of which the rest is still to come.
    """

    fields: dict[str, str]
    upload: Upload | None = None
    body: Body | None = None

    @property
    def file(self) -> BinaryIO | None:
        """The bytes of the file."""
        found = self.upload
        return None if found is None or found.filename is None else found.file

    @property
    def filename(self) -> str:
        """What the file is called where it comes from."""
        return "" if self.upload is None else self.upload.filename or ""

    def finish(self) -> None:
        """Read what stands behind the file, which has been read."""
        if self.upload is not None:
            self.upload.finish()

    def drain(self) -> None:
        """Read what is still to come, and forget it."""
        if self.body is not None:
            with suppress(BatchlineError):
                self.body.drain()


def sent_by(request: Request, most: int) -> Sent:
    """The form in the request, read up to its file. `most`: bytes that that may have.

    Raises UnsupportedType, Malformed and TooLarge.
    """
    if request.mimetype == "application/x-www-form-urlencoded":
        bound(request, MOST_TYPED)
        return Sent(request.form.to_dict())
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not boundary or not boundary.isascii():
        raise UnsupportedType("This is no form that a browser sends.")
    most += MOST_TYPED + _SLACK
    if (request.content_length or 0) > most:
        raise TooLarge(f"The file is larger than {most} bytes.")
    body = Body(request, most)
    upload = Upload(cast(BinaryIO, io.BufferedReader(body, _BUFFER)), boundary.encode())
    return Sent(upload.fields, upload, body)
