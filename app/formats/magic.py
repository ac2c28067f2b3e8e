"""Bodies that are no text at all, told by how they begin."""

from __future__ import annotations

_KINDS = {
    b"\x1f\x8b": "It is compressed by gzip; say so by `Content-Encoding: gzip`.",
    b"PK\x03\x04": "It is a workbook or an archive (zip), and no text; save it as CSV.",
    b"\xff\xfe": "It is UTF-16; send UTF-8.",
    b"\xfe\xff": "It is UTF-16; send UTF-8.",
}


def not_text(begin: bytes) -> str | None:
    """What a body is that begins so, and what to do; None where that is not known."""
    return next((said for magic, said in _KINDS.items() if begin.startswith(magic)), None)
