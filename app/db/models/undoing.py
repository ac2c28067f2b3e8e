"""Triggers that keep what a dry run does from staying."""

from __future__ import annotations

# Slices of such a dry run are for workers that know how to undo them: one of a release before would
# call the handlers, and keep what they did.
KEEPING_FUNCTION = """
CREATE FUNCTION refuse_to_keep_effects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM workers WHERE id = NEW.worker_id AND undoes) THEN
        RAISE EXCEPTION 'a worker of this release would keep the effects of a dry run'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NEW;
END $$
"""
KEEPING_TRIGGER = """
CREATE TRIGGER slices_effects BEFORE INSERT OR UPDATE OF state ON slices FOR EACH ROW
    WHEN (NEW.phase = 'effects' AND NEW.state = 'CLAIMED')
    EXECUTE FUNCTION refuse_to_keep_effects()
"""
# Whoever commits before they are undone is refused. `SET CONSTRAINTS` is no commit.
COMMIT_FUNCTION = r"""
CREATE FUNCTION refuse_commit_of_effects() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_query() !~* '^\s*SET\s+CONSTRAINTS\s' THEN
        RAISE EXCEPTION 'what a dry run does is not committed'
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
    END IF;
    RETURN NULL;
END $$
"""
COMMIT_TRIGGER = """
CREATE CONSTRAINT TRIGGER slices_undoing AFTER UPDATE OF undoing ON slices
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.undoing)
    EXECUTE FUNCTION refuse_commit_of_effects()
"""
UNDOING = (KEEPING_FUNCTION, KEEPING_TRIGGER, COMMIT_FUNCTION, COMMIT_TRIGGER)
