"""The form's body, read as it comes: never all of it, and to its end."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

import pytest

from app.console.pages.submit.upload import Upload
from app.core.errors import Malformed


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, and says how many it has given."""

    def __init__(self, data: bytes, piece: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._piece = piece

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._piece))


@pytest.mark.parametrize("piece", [*range(1, 80), 10_000])
def test_a_form_is_read_in_whatever_pieces_it_comes(piece: int) -> None:
    content = b"\r\n--bound\r\n-\r\n--boun" * 50
    head = b'Content-Disposition: form-data; name="%b"'
    body = b"".join(
        (
            b"--boundary\r\n" + head % b"name" + b"\r\n\r\nnightly\r\n",
            b"--boundary\r\n" + head % b"file" + b'; filename="a.csv"\r\n\r\n' + content,
            b"\r\n--boundary\r\n" + head % b"items" + b"\r\n\r\nnone\r\n--boundary--\r\n",
        )
    )
    upload = Upload(cast(BinaryIO, Trickle(body, piece)), b"boundary")
    assert upload.fields == {"name": "nightly"}
    assert upload.filename == "a.csv"
    assert upload.file.read() == content
    upload.finish()
    assert upload.fields == {"name": "nightly", "items": "none"}
    with pytest.raises(Malformed):
        Upload(cast(BinaryIO, Trickle(body[:-40], piece)), b"other")


def test_a_head_without_an_end_is_not_collected() -> None:
    endless = b'--boundary\r\nContent-Disposition: form-data; name="' + b"x" * 5_000_000
    with pytest.raises(Malformed):
        Upload(cast(BinaryIO, Trickle(endless, 10_000)), b"boundary")
