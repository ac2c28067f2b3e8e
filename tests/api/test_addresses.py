"""Where a request comes from: what proxies say is believed only from those that are named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path
from runpy import run_path

import pytest
from flask import Flask
from gunicorn.config import Config
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from app.clients.limits import contains
from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings
from app.web.address import address_of
from tests.api.conftest import Caller, make_app

ROOT = Path(__file__).parents[2]
PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.7", "198.51.100.7"),
        # Anybody can send the header.
        ("192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("127.0.0.1", "198.51.100.7", "127.0.0.1"),
        ("::1", "198.51.100.7", "::1"),
        # Several proxies: from the right, up to the first that is none of them.
        ("10.0.0.1", "198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"),
        ("10.0.0.1", "10.9.9.9, 198.51.100.7", "198.51.100.7"),
        ("10.0.0.1", "10.9.9.9, 10.8.8.8", "10.9.9.9"),
        ("2001:db8:ffff::1", "2001:db8::7,2001:db8:ffff:1::2", "2001:db8::7"),
        # IPv4 within IPv6 is the IPv4 address.
        ("::ffff:192.0.2.1", "198.51.100.7", "192.0.2.1"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.7", "198.51.100.7"),
        # Ports, brackets, spaces, capitals.
        ("10.0.0.1", " 198.51.100.7:4711 ", "198.51.100.7"),
        ("10.0.0.1", "[2001:DB8::7]:4711", "2001:db8::7"),
        ("10.0.0.1", "[2001:db8::7]", "2001:db8::7"),
        ("10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("fe80::1%eth0", "", "fe80::1"),
        # What is no address is none, and nothing to the left of it is believed.
        ("10.0.0.1", "198.51.100.7, unknown", None),
        ("10.0.0.1", "198.51.100.7, ", None),
        ("10.0.0.1", "198.51.100.7, 300.1.1.1", None),
        ("10.0.0.1", "198.51.100.7, \x00", None),
        ("10.0.0.1", "198.51.100.7;10.0.0.2", None),
        ("10.0.0.1", "unknown, 198.51.100.7", "198.51.100.7"),
        ("nonsense", "198.51.100.7", None),
        # A Unix socket has no address, and is not believed where this machine is not.
        ("", "", None),
        ("", "198.51.100.7", None),
    ],
)
def test_the_first_from_the_right_that_is_no_proxys(
    peer: str, forwarded: str, address: str | None
) -> None:
    assert address_of(peer, forwarded, PROXIES) == address


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.1", "::1", ""])
def test_nobody_is_believed_unless_named(peer: str) -> None:
    assert address_of(peer, "198.51.100.7", ()) == (peer or None)


def test_a_unix_socket_is_believed_where_this_machine_is() -> None:
    here = (ip_network("127.0.0.0/8"),)
    assert address_of("", "198.51.100.7", here) == "198.51.100.7"
    assert address_of("", "", here) is None
    assert address_of("", "garbage", here) is None


_ADDRESSES = st.ip_addresses().map(str)


@given(st.lists(_ADDRESSES | st.text(max_size=8)), _ADDRESSES, st.integers(0, 3))
def test_what_a_caller_sends_itself_changes_nothing(
    made_up: list[str], caller: str, proxies: int
) -> None:
    """However the header begins: each proxy has put whom it was called by at the end."""
    if contains(PROXIES, caller):
        return
    hops = [caller, *(f"10.0.0.{number}" for number in range(proxies))]
    expected = address_of(caller, "", ())
    assert address_of("10.0.0.9", ",".join([*made_up, *hops]), PROXIES) == expected


@pytest.mark.parametrize("value", ["*", "proxy", "10.0.0.1/8", "10.0.0.1,,::1", "10.0.0.0/33", ","])
def test_what_names_no_proxy_is_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="FORWARDED_ALLOW_IPS"):
        load_settings({"FORWARDED_ALLOW_IPS": value})


def test_proxies_are_addresses_and_networks() -> None:
    settings = load_settings({"FORWARDED_ALLOW_IPS": "10.0.0.0/8, 127.0.0.1,::1"})
    assert [str(each) for each in settings.forwarded_allow_ips] == [
        "10.0.0.0/8",
        "127.0.0.1/32",
        "::1/128",
    ]
    assert load_settings({}).forwarded_allow_ips == ()


@pytest.mark.parametrize("given", ["", "10.0.0.0/8,::1"])
def test_gunicorn_believes_no_others(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    """Left alone, it would believe this machine, and take the setting as it understands it."""
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", given)
    said = run_path(str(ROOT / "app/server/gunicorn.py"))["forwarded_allow_ips"]
    config = Config()
    config.set("forwarded_allow_ips", said)
    networks = config.forwarded_allow_networks()
    assert contains(networks, "::1") is contains(networks, "10.1.2.3") is bool(given)
    assert any(ip_address("::ffff:10.1.2.3") in each for each in networks) is bool(given)
    assert not contains(networks, "127.0.0.1")


@pytest.fixture(scope="module")
def behind_a_proxy(settings: Settings) -> Iterator[Flask]:
    yield from make_app(replace(settings, forwarded_allow_ips=(ip_network("10.0.0.0/8"),)))


@pytest.mark.parametrize(
    ("peer", "headers", "status"),
    [
        ("192.0.2.7", [], 200),
        ("::ffff:192.0.2.7", [], 200),
        ("192.0.3.7", [], 401),
        ("192.0.3.7", ["192.0.2.7"], 401),
        ("127.0.0.1", ["192.0.2.7"], 401),
        ("10.0.0.1", [], 401),
        ("10.0.0.1", ["192.0.2.7"], 200),
        ("10.0.0.1", ["192.0.2.7", "192.0.3.7"], 401),
        ("10.0.0.1", ["192.0.3.7", "192.0.2.7"], 200),
        ("10.0.0.1", ["192.0.2.7", "10.0.0.2"], 200),
        ("10.0.0.1", ["192.0.2.7", "garbage"], 401),
        ("", [], 401),
        ("", ["192.0.2.7"], 401),
    ],
)
def test_a_key_is_good_from_its_networks(
    behind_a_proxy: Flask,
    engine: Engine,
    client: ClientSecret,
    peer: str,
    headers: list[str],
    status: int,
) -> None:
    key = create_key(engine, client.client_id, networks=["192.0.2.0/24"])
    answer = behind_a_proxy.test_client().get(
        "/v1/limits",
        headers=[
            ("Authorization", f"Bearer {key.secret}"),
            *(("X-Forwarded-For", each) for each in headers),
        ],
        environ_overrides={"REMOTE_ADDR": peer},
    )
    assert answer.status_code == status


def test_whoever_comes_from_elsewhere_is_not_told_that_the_key_exists(
    app: Flask, engine: Engine, client: ClientSecret
) -> None:
    key = create_key(engine, client.client_id, networks=["192.0.2.0/24"])
    caller = Caller(app, key)
    from_elsewhere = caller.get("/v1/limits")
    unknown = caller.get("/v1/limits", headers={"Authorization": "Bearer bls_nobodys"})
    assert from_elsewhere.status_code == unknown.status_code == 401
    assert from_elsewhere.json == unknown.json
    assert {*from_elsewhere.headers.keys()} == {*unknown.headers.keys()}
