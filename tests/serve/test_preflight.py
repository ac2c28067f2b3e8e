"""What is checked before anything starts, and how a refusal reads."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from app.core.errors import SettingsError
from app.core.settings import load_settings
from app.local.serve.preflight import check_given_servers, check_handlers, listen, reserve
from tests.handlers.test_outside_package import installed


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"^PORT: cannot listen on port {port} "):
            listen("127.0.0.1", port)
        with pytest.raises(SettingsError, match=rf"^FLOWER_PORT: cannot listen on port {port} "):
            reserve("FLOWER_PORT", port)


def test_port_0_is_any_free_port() -> None:
    with listen("127.0.0.1", 0) as one, listen("127.0.0.1", 0) as other:
        assert 0 != one.getsockname()[1] != other.getsockname()[1]
        assert one.get_inheritable()


def test_a_reserved_port_is_free_for_whom_it_is_held_only() -> None:
    with reserve("FLOWER_PORT", 0) as held:
        address = held.getsockname()
        # As tornado does it.
        with socket.create_server(address) as server, socket.create_connection(address):
            assert server.getsockname() == address


def test_given_servers_that_do_not_answer_are_named() -> None:
    settings = load_settings(
        {
            "DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/d",
            "REDIS_URL": "redis://:hunter2@127.0.0.1:1/0",
            "BROKER_URL": "amqp://u:hunter2@127.0.0.1:1//",
        }
    )
    with pytest.raises(SettingsError) as caught:
        check_given_servers(settings)
    message = str(caught.value)
    assert "DATABASE_URL: " in message
    assert "REDIS_URL: " in message
    assert "BROKER_URL: " in message
    assert "hunter2" not in message


def test_given_servers_that_answer_are_fine(database_url: str, redis_url: str) -> None:
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "BROKER_URL": redis_url}
    check_given_servers(load_settings(given))


def test_handlers_that_cannot_be_imported_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("broken_handlers.py").write_text("raise RuntimeError('not today')")
    Path("fine_handlers.py").write_text("")
    check_handlers(load_settings({"HANDLERS": "fine_handlers"}))
    assert os.getcwd() in sys.path
    with pytest.raises(SettingsError, match=r"HANDLERS: .*not today"):
        check_handlers(load_settings({"HANDLERS": "broken_handlers"}))
    with pytest.raises(SettingsError, match=r"HANDLERS: .*no_such_handlers"):
        check_handlers(load_settings({"HANDLERS": "fine_handlers,no_such_handlers"}))


@pytest.mark.parametrize("handlers", ["", "json"])
def test_an_installed_package_that_cannot_be_loaded_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handlers: str
) -> None:
    monkeypatch.syspath_prepend(installed(tmp_path, module="import nowhere_at_all"))
    for name in ("acme_batchline", "acme_batchline.orders"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(SettingsError) as caught:
        check_handlers(load_settings({"HANDLERS": handlers}))
    assert str(caught.value) == (
        "handlers module 'acme_batchline.orders' (of the installed package acme-batchline): "
        "No module named 'nowhere_at_all' (orders.py, line 1)"
    )
