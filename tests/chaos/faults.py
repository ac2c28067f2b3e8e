"""The faults. Each is a function that injects one and undoes it, blocking until it is over.

Where RabbitMQ is the broker, Redis goes on keeping results, and its faults stay faults; RabbitMQ
has a few of its own beside them. Those of Postgres are in database_faults.py.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import redis

from tests.chaos.machine import Machine
from tests.chaos.messages import RabbitMessages
from tests.chaos.rabbit import lose_data

Fault = Callable[[Machine, random.Random], None]
FAULTS: dict[str, Fault] = {}
_OF_RABBITMQ: set[str] = set()
# Seconds by which a clock is off.
CLOCK_OFF = 60


def fault(function: Fault) -> Fault:
    """Register a fault under its function's name."""
    FAULTS[function.__name__] = function
    return function


def rabbitmq_fault(function: Fault) -> Fault:
    """Register one that needs RabbitMQ as the broker."""
    _OF_RABBITMQ.add(function.__name__)
    return fault(function)


def faults_of(broker: str) -> list[str]:
    """The names of all faults that there are with that broker, sorted."""
    return sorted(FAULTS if broker == "rabbitmq" else FAULTS.keys() - _OF_RABBITMQ)


@fault
def kill_pool_child(machine: Machine, rng: random.Random) -> None:
    """kill -9 one prefork child; its parent goes on."""
    children = machine.pool_children(rng.choice(machine.workers))
    if children:
        _kill(rng.choice(children), signal.SIGKILL)


@fault
def kill_worker(machine: Machine, rng: random.Random) -> None:
    """kill -9 a whole worker; another is started a little later."""
    name = rng.choice(machine.workers)
    for pid in machine.pids(name):
        _kill(pid, signal.SIGKILL)
    time.sleep(rng.uniform(0, 1))
    machine.restart(name)


@fault
def kill_slow_worker(machine: Machine, rng: random.Random) -> None:
    """kill -9 the worker with threads."""
    for pid in machine.pids("slow"):
        _kill(pid, signal.SIGKILL)
    machine.restart("slow")


@fault
def kill_beat(machine: Machine, rng: random.Random) -> None:
    """kill -9 beat, and leave it away for a while, in which workers sweep by themselves."""
    for pid in machine.pids("beat"):
        _kill(pid, signal.SIGKILL)
    time.sleep(rng.uniform(0, 9))
    machine.restart("beat")


@fault
def kill_web(machine: Machine, rng: random.Random) -> None:
    """kill -9 web, whatever it is answering."""
    for pid in machine.pids("web"):
        _kill(pid, signal.SIGKILL)
    machine.restart("web")


@fault
def deploy_worker(machine: Machine, rng: random.Random) -> None:
    """SIGTERM to a worker, and a new one beside it."""
    name = rng.choice(machine.workers)
    machine.stack.processes[name].terminate()
    machine.restart(name)


@fault
def freeze_worker(machine: Machine, rng: random.Random) -> None:
    """SIGSTOP a worker for longer than its heartbeat may be old: a zombie that comes back."""
    pids = machine.pids(rng.choice(machine.workers))
    _freeze(pids, machine.stack.settings.heartbeat_timeout * 2)


@fault
def flush_redis(machine: Machine, rng: random.Random) -> None:
    """FLUSHALL: every message, chord and result is gone."""
    with contextlib.suppress(redis.RedisError), machine.redis as valkey:
        valkey.flushall()


@fault
def restart_valkey(machine: Machine, rng: random.Random) -> None:
    """kill -9 Valkey; it comes back with its append-only file."""
    kill_server(machine, machine.valkey)
    time.sleep(rng.uniform(0, 2))
    machine.valkey.revive()


@fault
def lose_valkey(machine: Machine, rng: random.Random) -> None:
    """kill -9 Valkey; it comes back with nothing."""
    kill_server(machine, machine.valkey)
    for kept in (machine.home / "valkey").iterdir():
        if kept.is_dir():
            shutil.rmtree(kept)
        elif kept.suffix in (".rdb", ".aof"):
            kept.unlink()
    machine.valkey.revive()


@fault
def cut_off_valkey(machine: Machine, rng: random.Random) -> None:
    """Valkey answers nobody for a while."""
    _freeze(machine.server_pids(machine.valkey), rng.uniform(1, 5))


@rabbitmq_fault
def restart_rabbitmq(machine: Machine, rng: random.Random) -> None:
    """kill -9 RabbitMQ; it comes back with its durable queues and their messages."""
    kill_server(machine, machine.broker)
    machine.broker.revive()


@rabbitmq_fault
def lose_rabbitmq(machine: Machine, rng: random.Random) -> None:
    """kill -9 RabbitMQ; it comes back with nothing."""
    kill_server(machine, machine.broker)
    machine.broker.guarded.wait()
    lose_data(machine.home)
    machine.broker.revive()


@rabbitmq_fault
def cut_off_rabbitmq(machine: Machine, rng: random.Random) -> None:
    """RabbitMQ answers nobody for a while; connections to it are taken, and then nothing comes."""
    _freeze(machine.server_pids(machine.broker), rng.uniform(1, 15))


@rabbitmq_fault
def delete_queues(machine: Machine, rng: random.Random) -> None:
    """Somebody deletes the queues, under their consumers and with all that is in them."""
    assert isinstance(machine.messages, RabbitMessages)
    machine.messages.delete_queues()


@fault
def repeat_messages(machine: Machine, rng: random.Random) -> None:
    """Messages that wait are delivered twice."""
    held = machine.messages.take(20)
    machine.messages.put(held + held)


@fault
def delay_messages(machine: Machine, rng: random.Random) -> None:
    """Messages that wait are delivered seconds late."""
    held = machine.messages.take(50)
    time.sleep(rng.uniform(1, 4))
    machine.messages.put(held)


@fault
def lose_messages(machine: Machine, rng: random.Random) -> None:
    """Every message that waits is gone."""
    machine.messages.lose()


@fault
def lose_callbacks(machine: Machine, rng: random.Random) -> None:
    """Every chord forgets how many of its parts are in: its callback never comes."""
    with contextlib.suppress(redis.RedisError), machine.redis as valkey:
        for key in valkey.scan_iter("celery-taskset-meta-*", count=1000):
            valkey.delete(key)


@fault
def skew_worker(machine: Machine, rng: random.Random) -> None:
    """A worker whose clock is off takes another's place for a while, beside one that is right."""
    _skew(machine, rng.choice(machine.workers), rng)


@fault
def skew_slow_worker(machine: Machine, rng: random.Random) -> None:
    """The worker with threads has a clock that is off."""
    _skew(machine, "slow", rng)


@fault
def skew_beat(machine: Machine, rng: random.Random) -> None:
    """Beat has a clock that is off, and then it jumps back to the right time."""
    _skew(machine, "beat", rng)


@fault
def skew_web(machine: Machine, rng: random.Random) -> None:
    """Web has a clock that is off."""
    _skew(machine, "web", rng)


def _skew(machine: Machine, name: str, rng: random.Random) -> None:
    for clock_off in (rng.choice((-CLOCK_OFF, CLOCK_OFF)), 0):
        machine.replace(name, clock_off=clock_off)
        if clock_off:
            time.sleep(rng.uniform(4, 7))


def _freeze(pids: list[int], seconds: float) -> None:
    for pid in pids:
        _kill(pid, signal.SIGSTOP)
    time.sleep(seconds)
    for pid in pids:
        _kill(pid, signal.SIGCONT)


def _kill(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def kill_server(machine: Machine, server: object) -> None:
    """kill -9 all of its processes, and wait until they are gone."""
    pids = machine.server_pids(server)
    for pid in pids:
        _kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}/exe").exists() for pid in pids):
        if time.monotonic() > deadline:
            raise AssertionError("the server does not die")
        time.sleep(0.02)
