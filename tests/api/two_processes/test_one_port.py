"""Two web processes on one port (`WEB_WORKERS=2`): whichever answers, the answer is the same."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import httpx
import psutil
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, revoke_client
from tests.api.conftest import ITEM
from tests.api.test_web_process import claims
from tests.api.two_processes.processes import connected, held_by, only, processes
from tests.support.stack import Stack, wait_for
from tests.support.wire import Wire

pytestmark = pytest.mark.usefixtures("own_processes")


@pytest.fixture
def both(pair: Stack, client: ClientSecret) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A connection to each."""
    first, second = processes(pair)
    with ExitStack() as stack:
        yield (
            stack.enter_context(connected(pair, first, client)),
            stack.enter_context(connected(pair, second, client)),
        )


def refused(http: httpx.Client) -> bool:
    return http.get("/v1/batches").status_code == 401


Both = tuple[httpx.Client, httpx.Client]
OPEN = {"operation": "catalog.masterlist", "start": "manual", "items": [ITEM]}


def test_what_one_took_the_other_shows(both: Both) -> None:
    for one, other in (both, both[::-1]):
        batch = one.post("/v1/batches", json=OPEN).raise_for_status().json()
        assert other.get(f"/v1/batches/{batch['id']}").json() == batch


def test_whoever_waits_at_one_hears_what_the_other_did(both: Both, pair: Stack) -> None:
    for one, other in (both, both[::-1]):
        batch_id = one.post("/v1/batches", json=OPEN).json()["id"]
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(one.get, f"/v1/batches/{batch_id}?wait=60")
            with pytest.raises(TimeoutError):
                waiting.result(0.5)
            assert other.post(f"/v1/batches/{batch_id}/cancel").is_success
            # Long before the minute has passed.
            assert waiting.result(30).json()["status"] == "CANCELED"


@pytest.mark.parametrize("place", [0, 1])
def test_a_key_in_flight_at_one_is_refused_at_the_other(
    both: Both, pair: Stack, client: ClientSecret, engine: Engine, place: int
) -> None:
    chosen, other = processes(pair)[place], both[1 - place]
    body = b'{"asin":"A1","countryCode":"US","percACoS":2.7}\n'

    def send() -> int:
        return other.post(
            "/v1/batches", json=OPEN, headers={"Idempotency-Key": "in flight"}
        ).status_code

    with only(pair, chosen):
        wire = Wire(pair, client)
        wire.head(f"Content-Length: {2 * len(body)}", "Idempotency-Key: in flight")
        wire.socket.sendall(body)
        wait_for(lambda: wire.port in held_by(pair, chosen))
    with wire.socket:
        # Half of the body has come, and the key is held until the rest has.
        wait_for(lambda: claims(engine, client), within=10)
        assert send() == 409
        wire.socket.sendall(body)
        status, batch = wire.answer()
    assert (status, batch["summary"]["total"]) == (202, 2)
    assert send() == 422, "another body under that key"


def test_a_client_that_is_revoked_is_refused_by_both(
    both: Both, engine: Engine, client: ClientSecret
) -> None:
    assert [http.get("/v1/batches").status_code for http in both] == [200, 200]
    revoke_client(engine, client.client_id)
    for http in both:
        # Credentials are kept for a second, by each of them.
        wait_for(partial(refused, http), within=2)


def test_sigterm_ends_both_and_what_they_hold(both: Both, pair: Stack) -> None:
    """The last one: nothing answers afterwards."""
    ending = processes(pair)
    batch_id = both[0].post("/v1/batches", json=OPEN).json()["id"]
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(http.get, f"/v1/batches/{batch_id}?wait=60") for http in both]
        with pytest.raises(TimeoutError):
            waiting[0].result(0.5)
        os.kill(pair.processes["web"].process.pid, signal.SIGTERM)
        # Both are let go with an answer, and nobody waits for the minute to be over.
        assert [each.result(30).json()["status"] for each in waiting] == ["OPEN", "OPEN"]
    _, alive = psutil.wait_procs(ending, timeout=30)
    assert not alive
    assert pair.processes["web"].wait(30) == 0
