"""What the engine's functions need, wired once a process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from app.settings import Settings
from handlers import Registry
from workers.engine.identity import WorkerIdentity


@dataclass(slots=True)
class Runtime:
    """`send_wave(batch_id, wave, slices)` publishes a chord; `send_advance(batch_id, delay)` a task.

    Tests of the engine's functions give their own.
    """

    settings: Settings
    engine: Engine
    registry: Registry
    identity: WorkerIdentity
    send_wave: Callable[[UUID, int, list[Any]], None]
    send_advance: Callable[[UUID, float], None]
    stopping: threading.Event = field(default_factory=threading.Event)
