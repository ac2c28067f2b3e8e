"""Secrets in files instead of variables, and Flower's credentials."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.core.declared import declarations
from app.core.errors import SettingsError
from app.core.settings import Settings, load_settings, variables_given
from workers.flower_access import guard_flower

VALUES = {
    "DATABASE_URL": "postgresql://u:hunter2@h/d",
    "REDIS_URL": "redis://:hunter2@h/0",
    "BROKER_URL": "amqp://u:hunter2@h//",
    "HTTP_HANDLER_BASES": "erp=https://u:hunter2@h",
    "METRICS_TOKEN": "hunter2",
    "FLOWER_BASIC_AUTH": "u:hunter2",
}


def written(folder: Path, content: bytes | str, name: str = "secret") -> str:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_every_secret_can_be_in_a_file(tmp_path: Path) -> None:
    assert {one.variable for one in declarations(Settings) if one.secret} == set(VALUES)
    given = {
        f"{name}_FILE": written(tmp_path, f"{value}\n", name) for name, value in VALUES.items()
    }
    assert load_settings(given) == load_settings(VALUES)
    assert variables_given(given) == given


def test_other_settings_are_not_read_from_files(tmp_path: Path) -> None:
    assert load_settings({"PORT_FILE": written(tmp_path, "1")}).port == 8000


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe", "UTF-8"),
        ("", "empty"),
        ("  \n", "empty"),
        ("one\ntwo", "more than one line"),
        ("x" * 70_000, "64 KiB"),
    ],
)
def test_a_file_that_says_nothing_is_named(tmp_path: Path, content: bytes | str, why: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SettingsError, match=rf"^METRICS_TOKEN_FILE: .*{why}") as refused:
        load_settings({"METRICS_TOKEN_FILE": path})
    assert path in str(refused.value)


@pytest.mark.parametrize("path", ["/nowhere/at/all", "relative/path", "/"])
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    with pytest.raises(SettingsError, match=r"^METRICS_TOKEN_FILE: .*cannot be used"):
        load_settings({"METRICS_TOKEN_FILE": path})


def test_both_at_once_are_refused_and_neither_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, "hunter2")
    with pytest.raises(SettingsError, match=r"^METRICS_TOKEN_FILE: METRICS_TOKEN is set") as wrong:
        load_settings({"METRICS_TOKEN_FILE": path, "METRICS_TOKEN": "hunter3"})
    assert "hunter" not in str(wrong.value)


def test_a_wrong_value_in_a_file_is_not_told(tmp_path: Path) -> None:
    path = written(tmp_path, "mysql://u:hunter2@h/d")
    with pytest.raises(SettingsError, match=r"^DATABASE_URL: ") as wrong:
        load_settings({"DATABASE_URL_FILE": path})
    assert "hunter2" not in str(wrong.value)


FLOWER = ["celery", "-A", "workers.celery", "flower"]


@pytest.mark.parametrize("address", ["0.0.0.0", "10.0.0.1", "::", ""])
@pytest.mark.parametrize("by_option", [True, False])
def test_flower_wants_credentials_off_the_loopback(address: str, by_option: bool) -> None:
    settings = load_settings({} if by_option else {"FLOWER_ADDRESS": address or "::"})
    arguments = [*FLOWER, f"--address={address}"] if by_option else FLOWER
    with pytest.raises(SettingsError, match=r"^FLOWER_BASIC_AUTH: "):
        guard_flower(settings, arguments, {})
    guard_flower(settings, [*arguments, "--basic-auth=u:password"], {})
    guard_flower(settings, ["celery", "worker"], {})


def test_on_the_loopback_it_does_not() -> None:
    for address in ("127.0.0.1", "::1", "localhost"):
        guard_flower(load_settings({}), [*FLOWER, "--address", address], {})


def test_flower_is_given_what_is_in_a_file(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    path = written(tmp_path, "u:hunter2")
    settings = load_settings({"FLOWER_BASIC_AUTH_FILE": path, "FLOWER_ADDRESS": "0.0.0.0"})
    guard_flower(settings, FLOWER, environ)
    assert environ == {"FLOWER_BASIC_AUTH": "u:hunter2"}
