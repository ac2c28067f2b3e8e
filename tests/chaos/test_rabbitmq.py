"""RabbitMQ as the broker, where it is installed: the same promises, and what is told of it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import httpx
import pytest

from app.clients.credentials import create_client
from app.local.servers.ports import free_port
from app.messaging.broker import QUEUES
from app.messaging.dispatch import Dispatcher
from tests.chaos.machine import Machine, running_machine
from tests.chaos.messages import RabbitMessages
from tests.chaos.rabbit import NOT_INSTALLED, rabbitmq_script
from tests.chaos.receiver import Receiver
from tests.chaos.run import run_on
from tests.support.application import close_dispatcher
from tests.support.processes import frozen
from tests.support.stack import wait_for
from workers.engine.plan.chords import queue_depth

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(rabbitmq_script() is None, reason=NOT_INSTALLED),
]

FAULTS = ["repeat_messages", "kill_worker", "restart_rabbitmq", "delete_queues", "lose_callbacks"]


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where `http.request` items go."""
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[Machine]:
    """A stack whose broker is a RabbitMQ of its own."""
    home = tmp_path_factory.mktemp("rabbitmq")
    home.chmod(0o711)
    with running_machine(
        home, receiver.url, broker="rabbitmq", handlers="tests.chaos.misbehaving"
    ) as machine:
        yield machine


def _depths(http: httpx.Client) -> dict[str, float]:
    name = "batchline_queue_messages{queue="
    page = http.get("/metrics").raise_for_status().text
    lines = [line.removeprefix(name) for line in page.splitlines() if line.startswith(name)]
    return {line.split('"')[1]: float(line.split()[1]) for line in lines}


def _status(url: str) -> httpx.Response:
    return httpx.get(f"{url}/readyz", timeout=10)


@pytest.mark.timeout(120)
def test_queues_are_counted(machine: Machine) -> None:
    item = {"method": "POST", "path": "/things", "body": {}}
    with machine.stack.http(machine.client) as http:
        wait_for(lambda: _depths(http) == dict.fromkeys(QUEUES, 0.0), within=20)
        machine.stack.processes["slow"].stop()
        body = {"operation": "http.request", "items": [item] * 20}
        batch = http.post("/v1/batches", json=body).raise_for_status().json()
        # A message a slice, and nobody takes them.
        wait_for(lambda: _depths(http)["slow"] > 0, within=20, what=machine.stack.tail)
        dispatcher = Dispatcher(machine.stack.settings)
        celery = dispatcher.celery
        wait_for(lambda: queue_depth(celery, "slow") == _depths(http)["slow"] > 0, within=20)
        assert queue_depth(celery, "nobody-made-this") == 0
        assert (queue_depth(celery, "slow") or 0) > 0, "the channel goes on after a refusal"
        close_dispatcher(dispatcher)
        machine.restart("slow")
        assert machine.stack.finished(http, batch["id"])["status"] == "SUCCESS"


@pytest.mark.timeout(120)
def test_flower_sees_the_workers_and_one_that_was_refused_comes_again(machine: Machine) -> None:
    name = f"refused@{socket.gethostname()}"
    assert isinstance(machine.messages, RabbitMessages)
    # As after a connection that was lost, and that RabbitMQ does not know to be.
    with machine.messages.channel() as channel:
        channel.queue_declare(f"{name}.celery.pidbox", exclusive=True)
        machine.stack.start("worker", "worker-refused", options=f"-n {name}")
        log = machine.stack.logs / "worker-refused.log"
        wait_for(lambda: "RESOURCE_LOCKED" in log.read_text(), within=30, what=machine.stack.tail)
    port = free_port()
    environ = {**machine.stack.environ, "FLOWER_PORT": str(port), "FLOWER_BASIC_AUTH": "a:secret"}
    flower = replace(machine.stack, environ=environ).start("flower")

    def page() -> str:
        try:
            where = f"http://127.0.0.1:{port}/workers"
            return httpx.get(where, auth=("a", "secret"), timeout=5).text
        except httpx.HTTPError:
            return ""

    def shows(name: str) -> bool:
        return name in page()

    try:
        for shown in ("worker-", "slow-", name):
            wait_for(partial(shows, shown), within=40, what=machine.stack.tail)
    finally:
        flower.terminate()
        for gone in ("flower", "worker-refused"):
            machine.stack.processes.pop(gone).stop()


@pytest.mark.timeout(120)
def test_while_it_hangs_batches_are_accepted_and_wait(machine: Machine) -> None:
    with machine.stack.http(machine.client) as http:
        body = {"operation": "catalog.masterlist", "items": [{"asin": "A", "countryCode": "US"}]}
        with frozen(machine.server_pids(machine.broker)):
            began = time.monotonic()
            batches = [http.post("/v1/batches", json=body) for _ in range(5)]
            took = time.monotonic() - began
            assert [batch.status_code for batch in batches] == [202] * 5
            assert took < 5
            ready = _status(machine.stack.url)
            assert ready.status_code == 503
            assert "the broker" in ready.json()["detail"]
            assert 'batchline_source_up{source="broker"} 0.0' in http.get("/metrics").text
        for batch in batches:
            machine.stack.finished(http, batch.json()["id"], within=20)
        wait_for(lambda: _status(machine.stack.url).is_success, within=20)


@pytest.mark.timeout(240)
def test_whatever_happens_to_it_nothing_is_lost_and_nothing_happens_twice(
    machine: Machine, receiver: Receiver
) -> None:
    fresh = replace(machine, client=create_client(machine.engine, "chaos on RabbitMQ"))
    report = run_on(fresh, receiver, 4, FAULTS, batches=12)
    assert report.faults == FAULTS
    assert report.batches >= 12
    assert report.problems == []
    assert report.longest[1] < 60, report.recoveries
