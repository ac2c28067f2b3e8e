"""`Link` leads to this server, whatever Host a request names."""

from __future__ import annotations

from collections.abc import Callable

from tests.dialects.conftest import Hold
from tests.dialects.speaking import Speaker


def test_no_host_of_the_callers_is_in_a_link(speak: Callable[..., Speaker], hold: Hold) -> None:
    nilo = speak("nilo")
    uuid = hold("nilo", "catalog.availability", ['{"product":"1"}'] * 3)
    answer = nilo("GET", f"/batch/{uuid}/detail?limit=2", headers={"Host": "elsewhere.example"})
    assert f"/batch/{uuid}/detail?page=2&limit=2" in answer.headers["Link"]
    assert "elsewhere" not in str(answer.headers)
