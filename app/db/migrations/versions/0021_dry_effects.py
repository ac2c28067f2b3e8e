"""dry runs that call handlers and undo what they did

Revision ID: 0021
Revises: 0020
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_EFFECTS = """CASE WHEN dry_effects THEN dry_run AND phase IN ('validate', 'effects')
    ELSE phase <> 'effects' END"""
_FALSE = sa.text("false")

# A worker of a release that knows nothing of this would call the handlers, and keep what they did.
_REFUSE_CLAIM = """
CREATE FUNCTION refuse_to_keep_effects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM workers WHERE id = NEW.worker_id AND undoes) THEN
        RAISE EXCEPTION 'a worker of this release would keep the effects of a dry run'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$
"""
_CLAIMED = """
CREATE TRIGGER slices_effects BEFORE INSERT OR UPDATE OF state ON slices FOR EACH ROW
    WHEN (NEW.phase = 'effects' AND NEW.state = 'CLAIMED')
    EXECUTE FUNCTION refuse_to_keep_effects()
"""
# Whoever commits while there are effects is refused. Those who only ask whether all constraints
# hold are let pass.
_REFUSE_COMMIT = """
CREATE FUNCTION refuse_commit_of_effects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() !~* '^\\s*SET\\s+CONSTRAINTS\\s' THEN
        RAISE EXCEPTION 'what a dry run does is not committed'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$
"""
_COMMITTED = """
CREATE CONSTRAINT TRIGGER slices_undoing AFTER UPDATE OF undoing ON slices
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.undoing)
    EXECUTE FUNCTION refuse_commit_of_effects()
"""


def upgrade() -> None:
    for table, name in (("batches", "dry_effects"), ("slices", "undoing"), ("workers", "undoes")):
        op.add_column(table, sa.Column(name, sa.Boolean(), server_default=_FALSE, nullable=False))
    op.drop_constraint(op.f("ck_batches_phase"), "batches", type_="check")
    op.create_check_constraint(
        op.f("ck_batches_phase"), "batches", "phase IN ('validate', 'run', 'dry', 'effects')"
    )
    op.create_check_constraint(op.f("ck_batches_effects"), "batches", _EFFECTS)
    for statement in (_REFUSE_CLAIM, _CLAIMED, _REFUSE_COMMIT, _COMMITTED):
        op.execute(statement)


def downgrade() -> None:
    for name, function in (
        ("slices_undoing", "refuse_commit_of_effects"),
        ("slices_effects", "refuse_to_keep_effects"),
    ):
        op.execute(f"DROP TRIGGER {name} ON slices")
        op.execute(f"DROP FUNCTION {function}()")
    op.drop_constraint(op.f("ck_batches_effects"), "batches", type_="check")
    # What remains of such dry runs only validates.
    op.execute("DELETE FROM slices WHERE phase = 'effects'")
    op.execute("UPDATE batches SET phase = 'dry' WHERE phase = 'effects'")
    op.drop_constraint(op.f("ck_batches_phase"), "batches", type_="check")
    op.create_check_constraint(
        op.f("ck_batches_phase"), "batches", "phase IN ('validate', 'run', 'dry')"
    )
    for table, name in (("workers", "undoes"), ("slices", "undoing"), ("batches", "dry_effects")):
        op.drop_column(table, name)
