"""Which operations a dry run may call: those of which all effects can be undone."""

from __future__ import annotations


def cannot_be_undone(name: str) -> str:
    """What is said of an operation whose effects are elsewhere."""
    return (
        f"The effects of {name!r} are not in the server's database, so that no dry run could undo "
        "them."
    )
