"""Gzip, member by member: the same as Python's own, whatever it comes in."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import Malformed
from app.web import bodies
from app.web.bodies import Gunzip


def unpacked(packed: bytes, chunk: int, room: int) -> bytes:
    gunzip = Gunzip()
    given_out: list[bytes] = []
    for start in range(0, len(packed), chunk):
        assert gunzip.needs_input
        gunzip.feed(packed[start : start + chunk])
        while not gunzip.needs_input:
            given_out.append(gunzip.give(room))
            assert len(given_out[-1]) <= room
    gunzip.finish()
    return b"".join(given_out)


@given(
    members=st.lists(st.binary(max_size=200) | st.just(b"x" * 5000), max_size=5),
    chunk=st.integers(1, 300),
    room=st.integers(1, 9000),
    look=st.sampled_from([1, 7, 1 << 13]),
)
def test_members_in_any_pieces(members: list[bytes], chunk: int, room: int, look: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bodies, "_INFLATED", look)
        packed = b"".join(map(gzip.compress, members))
        assert unpacked(packed, chunk, room) == b"".join(members)
        if packed:
            with pytest.raises(Malformed):
                unpacked(packed[:-1], chunk, room)


_decompressobj = zlib.decompressobj


class _Counting:
    """zlib's, and how many bytes it has copied because they were behind a member's end."""

    copied = 0

    def __init__(self, bits: int) -> None:
        self._member = _decompressobj(bits)

    def decompress(self, data: bytes, room: int) -> bytes:
        return self._member.decompress(data, room)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        _Counting.copied += len(self._member.unused_data)
        return self._member.unused_data

    @property
    def unconsumed_tail(self) -> bytes:
        return self._member.unconsumed_tail


def test_empty_members_cost_what_their_bytes_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the square of it, as where the whole rest is copied behind each of them."""
    packed = gzip.compress(b"")
    copied = []
    for many in (2000, 8000):
        monkeypatch.setattr(zlib, "decompressobj", _Counting)
        _Counting.copied = 0
        assert unpacked(packed * many, 1 << 20, 1 << 16) == b""
        monkeypatch.undo()
        copied.append(_Counting.copied)
    assert copied[1] < 5 * copied[0]
