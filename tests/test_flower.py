"""Flower, as the Procfile starts it: with credentials where they are set."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import httpx
import pytest
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.local.servers.ports import free_port
from tests.support.stack import Stack, wait_for

pytestmark = pytest.mark.whole


def swept_at(engine: Engine) -> datetime:
    """When the last sweep was."""
    with engine.connect() as connection:
        found: datetime = connection.execute(text("SELECT swept_at FROM sweeps")).scalar_one()
    return found


def test_flower_shows_tasks_to_those_with_its_credentials(
    stack: Stack, client: ClientSecret, engine: Engine
) -> None:
    port = free_port()
    environ = {
        **stack.environ,
        "FLOWER_PORT": str(port),
        "FLOWER_BASIC_AUTH": "watcher:secret",
    }
    flower = replace(stack, environ=environ).start("flower")
    url = f"http://127.0.0.1:{port}"
    try:

        def up() -> bool:
            try:
                return httpx.get(f"{url}/healthcheck").is_success
            except httpx.HTTPError:
                return False

        wait_for(up, within=30, what=lambda: f"Flower\n{stack.tail()}")
        assert httpx.get(f"{url}/workers").status_code == 401
        assert httpx.get(f"{url}/workers", auth=("watcher", "wrong")).status_code == 401
        assert httpx.get(f"{url}/workers", auth=("watcher", "secret")).status_code == 200
        assert httpx.get(f"{url}/api/workers").status_code == 401

        batch_id = ""

        def shown() -> bool:
            """Whether it shows the tasks of a batch, and that each is over."""
            tasks = httpx.get(f"{url}/api/tasks", auth=("watcher", "secret")).json().values()
            of_batch = [task for task in tasks if batch_id in str(task["kwargs"])]
            return bool(of_batch) and all(task["state"] == "SUCCESS" for task in of_batch)

        # It has every worker tell it of tasks within five seconds of its start, and only then.
        with stack.http(client) as http:

            def told() -> bool:
                nonlocal batch_id
                body = {"operation": "test.bulk", "items": [{"do": "succeed"}]}
                batch_id = http.post("/v1/batches", json=body).raise_for_status().json()["id"]
                stack.finished(http, batch_id)
                try:
                    return bool(wait_for(shown, within=2))
                except AssertionError:
                    return False

            wait_for(told, within=30, what=lambda: f"Flower\n{stack.tail()}")
            # It hears of tasks now; of the sweeps, one a second, it hears nothing.
            before = swept_at(engine)
            wait_for(lambda: (swept_at(engine) - before).total_seconds() > 2)
            wait_for(told, within=30, what=lambda: f"Flower\n{stack.tail()}")
        tasks = httpx.get(f"{url}/api/tasks", auth=("watcher", "secret")).json().values()
        assert "batchline.sweep" not in {task["name"] for task in tasks}
    finally:
        flower.terminate()
        flower.wait()
        stack.processes.pop("flower", None)
