"""What counts as the clean 503, and what as a fault of the server's, is judged closely."""

from __future__ import annotations

import json
from pathlib import Path

from app.core.errors import Unavailable
from app.web.problems import type_of
from tests.attack.flood import BUSY, is_clean
from tests.attack.generated_requests import _server_errors

BODY = json.dumps({"type": BUSY}).encode()


def test_a_503_is_clean_only_if_it_says_that_others_have_it_and_when_to_come_back() -> None:
    assert is_clean("2", BODY)
    assert not is_clean(None, BODY)
    assert not is_clean("soon", BODY)
    away = json.dumps({"type": type_of(Unavailable)}).encode()
    assert not any(is_clean("5", body) for body in (away, b"", b"<html>", b"[]", b"{}"))


def test_what_went_wrong_is_found_in_the_log(tmp_path: Path) -> None:
    def found(*entries: dict[str, object]) -> int:
        log = tmp_path / "web.log"
        log.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))
        return len(_server_errors(log))

    request = {"method": "GET", "path": "/v1/batches"}
    clean = {**request, "event": "request.failed", "status": 503, "type": BUSY}
    assert found({**request, "status": 200}, clean, {**request, "status": 503}) == 0
    assert found({**clean, "type": type_of(Unavailable)}) == 1
    assert found({**request, "status": 500}) == 1
    assert found({"event": "loop.failed"}, {"event": "thread.crashed"}) == 2
    assert found({"event": "Error while answering GET /"}) == 1
