"""`Link` leads to this server, whatever Host a request names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import ip_network

from app.core.settings import Settings
from tests.dialects.conftest import Hold
from tests.dialects.speaking import Speaker
from tests.support.application import application


def links(nilo: Speaker, uuid: str, host: str, peer: str) -> str:
    answer = nilo(
        "GET",
        f"/batch/{uuid}/detail?limit=2",
        headers={"Host": host},
        environ_overrides={"REMOTE_ADDR": peer},
    )
    return answer.headers["Link"]


def test_only_a_host_that_can_be_believed_is_in_a_link(
    speak: Callable[..., Speaker], hold: Hold, settings: Settings
) -> None:
    uuid = hold("nilo", "catalog.availability", ['{"product":"1"}'] * 3)
    nilo = speak("nilo")
    path = f"/batch/{uuid}/detail?page=2&limit=2"
    assert f"<{path}>" in links(nilo, uuid, "elsewhere.example", "192.0.2.1")
    assert f"<http://localhost:8000{path}>" in links(nilo, uuid, "localhost:8000", "192.0.2.1")
    with application(replace(settings, forwarded_allow_ips=(ip_network("192.0.2.0/24"),))) as app:
        behind = Speaker(app.test_client(), nilo.client, "nilo")
        assert f"<http://ours.example{path}>" in links(behind, uuid, "ours.example", "192.0.2.1")
        assert f"<{path}>" in links(behind, uuid, "ours.example", "198.51.100.1")
