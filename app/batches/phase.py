"""What a batch does first with its items."""

from __future__ import annotations


def first_phase(on_invalid: str, dry_run: bool) -> str:
    """The phase a batch begins with: see app.db.models.batch."""
    if on_invalid == "reject":
        return "validate"
    return "dry" if dry_run else "run"
