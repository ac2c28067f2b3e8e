"""What `make audit` makes of pip-audit's answers."""

from __future__ import annotations

import json

from tests.support.audit_lock import audit_of

KNOWN = {"id": "PYSEC-2026-1", "fix_versions": ["2.0", "1.9.1"], "aliases": []}


def test_what_is_known_is_told_with_its_cure() -> None:
    output = json.dumps(
        {
            "dependencies": [
                {"name": "good", "version": "1", "vulns": []},
                {"name": "bad", "version": "1.9", "vulns": [KNOWN, {**KNOWN, "fix_versions": []}]},
            ]
        }
    )
    audit = audit_of(output, "")
    assert audit.looked_at == 2
    assert audit.known == [
        "bad 1.9: PYSEC-2026-1, mended in 2.0, 1.9.1",
        "bad 1.9: PYSEC-2026-1, mended in no release yet",
    ]


def test_an_index_that_does_not_answer_is_no_failure_and_no_success() -> None:
    audit = audit_of("", "Traceback\n  ...\nConnectionError: no such host\n")
    assert (audit.looked_at, audit.known) == (0, [])
    assert audit.why_not == "ConnectionError: no such host"


def test_one_that_knows_none_of_them_neither() -> None:
    skipped = {"name": "x", "version": "1", "skip_reason": "not found"}
    audit = audit_of(json.dumps({"dependencies": [skipped]}), "")
    assert (audit.looked_at, audit.known, audit.why_not) == (0, [], "not found")
