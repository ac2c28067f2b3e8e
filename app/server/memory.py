"""How the C library keeps memory that was given back."""

from __future__ import annotations

import ctypes

# Of malloc.h.
_MMAP_THRESHOLD = -3
_ARENA_MAX = -8
_LARGE = 1024 * 1024
_ARENAS = 2


def give_back_large_blocks() -> None:
    """Let what is 1 MiB or more be the kernel's again once it is freed.

    Glibc would keep such blocks, for each of a dozen threads apart: an hour after a few large
    answers a process would still have ten times the memory that it uses. Other C libraries have no
    such habit, and no `mallopt`.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE)
        mallopt(_ARENA_MAX, _ARENAS)
