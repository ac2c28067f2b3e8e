"""What a file of items holds, for commands that have `--format`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchline.client.submission import File


def described_file(path: str, format_: str | None) -> File:
    """The file `path` ("-" for standard input), by `--format` or by its name. Raises BadFile."""
    from batchline.client.errors import BadFile
    from batchline.client.submission import SUFFIXES, describe, format_by_name

    if path != "-" and format_ is None and format_by_name(path) is None:
        raise BadFile(f"{path}: say --format, as its name ends in none of {', '.join(SUFFIXES)}")
    return describe(path, format_)
