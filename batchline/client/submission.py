"""A file of items as a submission: JSON in one piece, NDJSON and CSV streamed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from batchline.client.api import Api
from batchline.client.errors import BadFile

CHUNK_BYTES = 256 * 1024

MEDIA_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
}
SUFFIXES = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv"}

_Content = dict[str, msgspec.Raw] | list[msgspec.Raw]

Progress = Callable[[int], None]
"""Called with the number of bytes sent since the last call."""


@dataclass(frozen=True, slots=True)
class File:
    """A file of items. `path` is None for standard input; `format`: a key of MEDIA_TYPES."""

    path: Path | None
    format: str
    gzipped: bool = False

    @property
    def name(self) -> str:
        """The file's name, for people."""
        return self.path.name if self.path else "standard input"

    @property
    def size(self) -> int | None:
        """Bytes of the file as it is; None for what is no regular file."""
        return self.path.stat().st_size if self.path and self.path.is_file() else None


def describe(path: str, format: str | None = None) -> File:
    """What `path` ("-" for standard input) holds, by `format` or by its name. Raises BadFile."""
    if path == "-":
        return File(None, format or "json")
    format = format or format_by_name(path)
    if format is None:
        raise BadFile(f"{path}: its name has to end in one of {', '.join(SUFFIXES)}, or also .gz")
    if not Path(path).exists():
        raise BadFile(f"{path}: there is no such file")
    return File(Path(path), format, _suffixes(path)[-1:] == [".gz"])


def format_by_name(path: str) -> str | None:
    """What the ending of the name says, before `.gz`; None where it says nothing."""
    suffixes = _suffixes(path)
    if suffixes[-1:] == [".gz"]:
        del suffixes[-1]
    return SUFFIXES.get(suffixes[-1]) if suffixes else None


def _suffixes(path: str) -> list[str]:
    return [suffix.lower() for suffix in Path(path).suffixes]


def submit(
    api: Api,
    file: File,
    fields: Mapping[str, Any],
    *,
    idempotency_key: str | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Submit `file` and return the new batch.

    `fields`: those of the envelope (`operation`, `name`, …) that are to be set; None is left out.
    In a JSON file that is a whole request they replace its own. Raises ApiError and BadFile.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    headers["Content-Type"] = MEDIA_TYPES[file.format]
    batch: dict[str, Any]
    with _open(file) as stream:
        if file.format == "json" and not file.gzipped:
            body = _json_request(file, stream.read(), given)
            batch = api.call("POST", "/v1/batches", content=body, headers=headers)
            progress(len(body))
        else:
            if file.gzipped:
                headers["Content-Encoding"] = "gzip"
            if file.size is not None:
                headers["Content-Length"] = str(file.size)
            batch = api.call(
                "POST",
                "/v1/batches",
                params={name: _as_parameter(value) for name, value in given.items()},
                content=_chunks(stream, progress),
                headers=headers,
            )
    return batch


def _json_request(file: File, text: bytes, given: Mapping[str, Any]) -> bytes:
    """The request, in which what the file says stands to the letter.

    Read into numbers of this language and written again, prices would lose digits, and one item
    too many of them would spoil the file.
    """
    try:
        # By its first bytes it is known what text it is: PowerShell writes UTF-16.
        utf8 = text.decode(json.detect_encoding(text)).encode()
        content = msgspec.json.decode(utf8, type=_Content)
    except msgspec.ValidationError:
        content = {}
    except ValueError as error:
        raise BadFile(f"{file.name}: not JSON: {error}") from None
    except RecursionError:
        raise BadFile(f"{file.name}: its values are nested too deeply") from None
    if isinstance(content, list):
        content = {"items": msgspec.Raw(utf8)}
    if "items" not in content:
        raise BadFile(f"{file.name}: neither an array of items nor a request with items")
    replaced = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in given.items()}
    return msgspec.json.encode({**content, **replaced})


def _as_parameter(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


def _open(file: File) -> BinaryIO:
    if file.path is None:
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    try:
        return file.path.open("rb")
    except OSError as error:
        raise BadFile(f"{file.path}: {error.strerror}") from error


def _chunks(stream: BinaryIO, progress: Progress) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk
        progress(len(chunk))
