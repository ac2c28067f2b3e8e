"""What a batch does first with its items."""

from __future__ import annotations


def first_phase(on_invalid: str, dry_run: bool, *, checked: bool = False) -> str:
    """The phase a batch begins with: see app.db.models.batch. `checked`: before an approval."""
    if checked or on_invalid == "reject":
        return "validate"
    return "dry" if dry_run else "run"
