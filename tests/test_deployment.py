"""Procfile, docker-compose.yml and Dockerfile: they run the same processes, and all that is needed.

There is no Docker where the tests run, so the compose file is read, not started.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.local.serve.procfile import load_procfile
from app.messaging.broker import QUEUES

ROOT = Path(__file__).parents[1]
OURS = {"migrate": "release", "web": "web", "worker": "worker"} | {
    name: name for name in ("slow", "beat", "flower")
}
SERVERS = {"postgres", "redis"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """docker-compose.yml, its anchors and merges resolved."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return content


def test_every_queue_is_consumed_by_a_process() -> None:
    consumed = set()
    for line in load_procfile().values():
        match = re.search(r"--queues (\S+)", line)
        consumed |= set(match[1].split(",")) if match else set()
    assert consumed == set(QUEUES)


def test_two_workers_of_one_machine_have_different_names() -> None:
    for name in ("worker", "slow"):
        assert f"-n {name}-$$@%h" in load_procfile()[name]


def test_what_is_kept_is_kept_under_batchline_home() -> None:
    assert '--db="${BATCHLINE_HOME:-var}/' in load_procfile()["flower"]


def test_every_process_is_a_service_with_the_same_command(compose: dict[str, Any]) -> None:
    assert set(OURS.values()) == set(load_procfile())
    assert set(compose["services"]) == set(OURS) | SERVERS
    for service, process in OURS.items():
        *shell, line = compose["services"][service]["command"]
        assert shell == ["sh", "-c"]
        assert line.replace("$$", "$") == f"exec {load_procfile()[process]}"


def test_nothing_starts_before_the_migrations_have_ended(compose: dict[str, Any]) -> None:
    for service in set(OURS) - {"migrate"}:
        needs = compose["services"][service]["depends_on"]
        assert needs["migrate"] == {"condition": "service_completed_successfully"}
        assert {needs[server]["condition"] for server in SERVERS} == {"service_healthy"}
    needs = compose["services"]["migrate"]["depends_on"]
    assert needs == {"postgres": {"condition": "service_healthy"}}


def test_services_share_one_image_and_the_servers_addresses(compose: dict[str, Any]) -> None:
    for service in OURS:
        told = compose["services"][service]
        assert (told["image"], told["build"]) == ("batchline", ".")
        assert "@postgres:5432/" in told["environment"]["DATABASE_URL"]
        assert "@redis:6379/" in told["environment"]["REDIS_URL"]


def test_the_variables_that_are_passed_on_are_ones_we_know(compose: dict[str, Any]) -> None:
    from app.core.settings import variables_given

    for service in OURS:
        names = compose["services"][service]["environment"]
        # Python's own is there, too, and `batchline migrate` has its own.
        others = {"TMPDIR", *({"DATABASE_ROLE", "ROLE_PASSWORD"} if service == "migrate" else ())}
        assert set(variables_given(dict.fromkeys(names, "x"))) == set(names) - others


# Those that the image or the file itself decides, by what it mounts, publishes or is named.
DECIDED = {"BIND_HOST", "PORT", "FLOWER_ADDRESS", "FLOWER_PORT", "BATCHLINE_HOME"}


def test_every_setting_can_be_set_by_the_env_file(compose: dict[str, Any]) -> None:
    """A line in .env that nothing passes on would have no effect, and nobody would be told."""
    from app.core.declared import declarations
    from app.core.settings import Settings, load_settings

    wanted = {one.variable for one in declarations(Settings)} - DECIDED
    for service in set(OURS):
        environ = compose["services"][service]["environment"]
        # Of Flower alone: who may look on there.
        of_its_own = set() if service == "flower" else {"FLOWER_BASIC_AUTH"}
        assert wanted - of_its_own - set(environ) == set(), service
        for name in wanted - of_its_own - {"DATABASE_URL", "REDIS_URL"}:
            assert re.fullmatch(rf"\$\{{{name}:[-?].*\}}", str(environ[name])), name
    # What is not said in .env leaves the defaults.
    unsaid = {
        name: re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", value)
        for name, value in compose["services"]["web"]["environment"].items()
        if name in wanted and ":-" in value
    }
    assert load_settings(unsaid) == load_settings({})


def test_services_that_can_be_scaled_have_no_fixed_name_or_port(compose: dict[str, Any]) -> None:
    for service in ("worker", "slow"):
        assert {"container_name", "ports", "hostname"}.isdisjoint(compose["services"][service])


def test_data_is_on_volumes_that_are_declared(compose: dict[str, Any]) -> None:
    mounted = {
        volume.partition(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    }
    assert mounted == set(compose["volumes"])
    assert {"postgres", "redis"} <= mounted
    # The image of Postgres 18 keeps its data one folder further up than earlier ones.
    assert compose["services"]["postgres"]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_long_running_services_say_how_they_are(compose: dict[str, Any]) -> None:
    for name in (set(OURS) | SERVERS) - {"migrate"}:
        assert "healthcheck" in compose["services"][name]


def test_the_image_does_not_run_as_root_and_has_what_it_copies() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER batchline" in lines
    let_in = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[0] == "!"
    }
    copied = {
        source.rstrip("/")
        for line in lines
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    }
    assert copied == let_in
    assert all((ROOT / path).exists() for path in copied - {"README.md"})


def test_both_locks_pin_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        lines = (ROOT / name).read_text().splitlines()
        return {line.split()[0] for line in lines if re.match(r"[a-z0-9]", line)}

    assert pins("requirements.lock") <= pins("requirements-dev.lock")


# What somebody else could guess, or what would be open without it.
MUST_BE_SET = {
    "POSTGRES_PASSWORD",
    "ROLE_PASSWORD",
    "REDIS_PASSWORD",
    "METRICS_TOKEN",
    "FLOWER_BASIC_AUTH",
}


def test_every_password_has_to_be_set() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    wanted = set(re.findall(r"\$\{(\w+):\?", text))
    assert wanted == MUST_BE_SET
    for name in re.findall(r"\$\{(\w+)", text):
        if re.search("PASSWORD|TOKEN|AUTH|SECRET", name):
            assert name in MUST_BE_SET, f"{name} may be left out"
    assert not re.search(rf"\$\{{({'|'.join(MUST_BE_SET)})\}}", text), "an empty one would pass"
    assert "batchline:batchline" not in text


def test_ports_are_this_machines_own(compose: dict[str, Any]) -> None:
    published = {
        name: port for name, one in compose["services"].items() for port in one.get("ports", ())
    }
    assert set(published) == {"web", "flower"}
    for port in published.values():
        assert port.startswith("127.0.0.1:")


def test_containers_may_do_little(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert re.fullmatch(r"\d+[mg]", service["mem_limit"]), name
        assert service["pids_limit"] > 0, name
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc"} & set(service), name
        assert not [one for one in service.get("volumes", ()) if one.startswith(("/", "."))], name
        if name in SERVERS:
            assert service["user"] not in ("root", "0"), name


def test_servers_want_their_passwords_and_are_reached_from_inside_alone(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    assert compose["networks"]["inside"] == {"internal": True}
    for name in SERVERS:
        assert services[name]["networks"] == ["inside"]
        assert "ports" not in services[name]
    assert '--requirepass "$$REDIS_PASSWORD"' in services["redis"]["command"][-1]
    assert "REDIS_PASSWORD" in services["redis"]["environment"]
    assert "POSTGRES_HOST_AUTH_METHOD" not in services["postgres"]["environment"]
    for name in OURS:
        environ = services[name]["environment"]
        owner = name == "migrate"
        assert ("${POSTGRES_PASSWORD:?" in environ["DATABASE_URL"]) == owner, name
        assert ("//batchline_processes:${ROLE_PASSWORD:?" in environ["DATABASE_URL"]) != owner, name
        assert "${REDIS_PASSWORD:?" in environ["REDIS_URL"], name
        assert "${METRICS_TOKEN:?" in environ["METRICS_TOKEN"], name
        assert "inside" in services[name]["networks"], name
    assert "${FLOWER_BASIC_AUTH:?" in services["flower"]["environment"]["FLOWER_BASIC_AUTH"]


def test_the_image_alone_has_flower_on_the_loopback(compose: dict[str, Any]) -> None:
    """`batchline serve` is what it runs, without credentials for Flower."""
    assert "FLOWER_ADDRESS" not in (ROOT / "Dockerfile").read_text()
    assert compose["services"]["flower"]["environment"]["FLOWER_ADDRESS"] == "0.0.0.0"


def test_postgres_quotes_nothing_of_clients_in_its_log(compose: dict[str, Any]) -> None:
    command = compose["services"]["postgres"]["command"]
    assert {"log_error_verbosity=terse", "log_min_error_statement=panic"} <= set(command)
