"""What a batch does first with its items, and what it does with those that it may go on with."""

from __future__ import annotations

from app.db.statements.batches import BatchRow

CALLING = ("run", "effects")
"""The phases in which handlers are called."""


def first_phase(on_invalid: str, *, dry_run: bool, dry_effects: bool, checked: bool = False) -> str:
    """The phase a batch begins with: see app.db.models.batch. `checked`: before an approval."""
    if checked or on_invalid == "reject":
        return "validate"
    return working_phase(dry_run=dry_run, dry_effects=dry_effects)


def working_phase(*, dry_run: bool, dry_effects: bool) -> str:
    """The phase in which its items end."""
    if dry_effects:
        return "effects"
    return "dry" if dry_run else "run"


def phase_anew(batch: BatchRow, *, checked: bool = False) -> str:
    """The phase that a batch which has ended begins anew with."""
    return first_phase(
        batch.on_invalid,
        dry_run=batch.dry_run,
        dry_effects=batch.dry_effects,
        checked=checked,
    )
