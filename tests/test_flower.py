"""Flower, as the Procfile starts it: with credentials where they are set."""

from __future__ import annotations

from dataclasses import replace

import httpx

from app.local.servers.ports import free_port
from tests.support.stack import Stack, wait_for


def test_flower_wants_its_credentials(stack: Stack) -> None:
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
    finally:
        flower.terminate()
        flower.wait()
        stack.processes.pop("flower", None)
