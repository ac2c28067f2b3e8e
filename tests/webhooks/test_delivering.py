"""Deliveries: signed, tried again, claimed by one worker at a time, logged, sent again."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Engine, text
from standardwebhooks.webhooks import WebhookVerificationError

from app.clients.credentials import ClientSecret
from app.clients.quotas import WEBHOOKS, Quotas
from app.core.errors import Invalid, NotFound, OverQuota, WrongState
from app.db import transaction
from app.webhooks.addresses import Policy
from app.webhooks.claiming import (
    MOST_OF_CLIENT,
    call_due,
    nothing_left,
    write_answer,
)
from app.webhooks.delivery_log import forget_old, list_deliveries, resend
from app.webhooks.recording import BATCH_FINISHED, wants
from app.webhooks.registering import (
    create_webhook,
    get_webhook,
    list_webhooks,
    rotate_secret,
)
from app.webhooks.removing import remove_webhook
from app.webhooks.schedule import WAITS, next_wait
from app.webhooks.sending import Answer
from tests.support.receiver import Reply, receiving
from tests.webhooks.hooked import Hooked


def test_what_is_sent_is_signed_and_logged(engine: Engine, client: ClientSecret) -> None:
    with receiving(lambda _: Reply(200, b"thanks")) as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record(name="nightly")
        assert hooked.deliver() == 1
        [received] = receiver.received
    event = received.verified(hooked.secret)
    assert event["type"] == "batch.finished"
    assert event["data"] == {"name": "nightly"}
    assert datetime.fromisoformat(event["timestamp"]).tzinfo is not None
    assert received.headers["content-type"] == "application/json"
    assert received.headers["webhook-id"].startswith("msg_")
    with pytest.raises(WebhookVerificationError):
        received.verified("whsec_" + "A" * 32)
    [entry] = hooked.log()
    assert entry.status == "DELIVERED"
    assert (entry.attempts, entry.answer_status, entry.answer_body) == (1, 200, "thanks")
    assert entry.finished_at is not None
    assert entry.next_at is None
    assert hooked.deliver() == 0


def test_what_is_not_taken_is_tried_again_as_the_same_message(
    engine: Engine, client: ClientSecret
) -> None:
    replies = iter([Reply(500, b"oops"), Reply(503), Reply(204)])
    outcomes: list[str] = []
    with receiving(lambda _: next(replies)) as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record()
        for _ in range(3):
            assert hooked.deliver(noted=outcomes.append) == 1
            assert hooked.deliver() == 0, "not due yet"
            hooked.make_due()
        first, *others = receiver.received
    assert outcomes == ["retried", "retried", "delivered"]
    assert {one.headers["webhook-id"] for one in others} == {first.headers["webhook-id"]}
    assert {one.body for one in others} == {first.body}
    [entry] = hooked.log()
    assert (entry.status, entry.attempts) == ("DELIVERED", 3)


def test_backoff_lasts_about_three_days(engine: Engine, client: ClientSecret) -> None:
    assert 2.9 < sum(WAITS) / 86_400 < 3.3
    hooked = Hooked(engine, client, "http://127.0.0.1:1/refused")
    hooked.record()
    for tries in range(1, len(WAITS) + 2):
        assert hooked.deliver() == 1
        [entry] = hooked.log()
        assert entry.attempts == tries
        if entry.next_at is None:
            break
        assert entry.tried_at is not None
        waits = (entry.next_at - entry.tried_at).total_seconds()
        assert 0.85 * WAITS[tries - 1] < waits < 1.15 * WAITS[tries - 1]
        hooked.make_due()
    assert (entry.status, entry.attempts) == ("FAILED", len(WAITS) + 1)
    assert entry.error


def test_retry_after_makes_a_wait_longer_only() -> None:
    assert next_wait(1, retry_after=600) == 600
    assert next_wait(1, retry_after=10**9) == 86_400
    later = next_wait(3, retry_after=1)
    assert later is not None
    assert later > 1000
    assert next_wait(len(WAITS) + 1, retry_after=5) is None


def test_410_disables_the_webhook(engine: Engine, client: ClientSecret) -> None:
    with receiving(lambda _: Reply(410)) as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record(3)
        assert hooked.deliver() == 1
        assert len(receiver.received) == 1
    with transaction(engine) as connection:
        entry = get_webhook(connection, client.client_id, hooked.id)
        assert entry.disabled_at is not None
        assert "410" in (entry.disabled_reason or "")
        assert wants(connection, client.client_id, BATCH_FINISHED) == []
        assert hooked.id not in call_due(connection)
    assert {delivery.status for delivery in hooked.log()} == {"FAILED"}
    with pytest.raises(WrongState, match="disabled"), transaction(engine) as connection:
        resend(connection, client.client_id, hooked.id, hooked.log()[0].id)


def test_many_workers_send_each_delivery_once(engine: Engine, client: ClientSecret) -> None:
    with receiving(lambda _: Reply(wait=0.02)) as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record(30)
        workers = [threading.Thread(target=hooked.deliver) for _ in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        ids = [one.headers["webhook-id"] for one in receiver.received]
    assert len(ids) == len(set(ids)) == 30
    assert receiver.most_at_once <= MOST_OF_CLIENT
    assert {entry.attempts for entry in hooked.log()} == {1}


def test_a_worker_that_comes_back_late_changes_nothing(
    engine: Engine, client: ClientSecret
) -> None:
    hooked = Hooked(engine, client, "http://127.0.0.1:1/")
    hooked.record()
    [late] = hooked.claim()
    assert hooked.claim() == [], "it is claimed"
    hooked.run("UPDATE webhook_deliveries SET claimed_until = now() WHERE claim IS NOT NULL")
    [other] = hooked.claim()
    assert other.id == late.id
    with transaction(engine) as connection:
        assert not write_answer(
            connection, late, Answer(1.0, status=200), status="DELIVERED", wait=None
        )
        assert write_answer(connection, other, Answer(1.0, status=500), status="PENDING", wait=5)
    [entry] = hooked.log()
    assert (entry.status, entry.attempts, entry.answer_status) == ("PENDING", 1, 500)


def test_a_worker_is_called_once_for_what_is_due(engine: Engine, client: ClientSecret) -> None:
    hooked = Hooked(engine, client, "http://127.0.0.1:1/")

    def called() -> bool:
        with transaction(engine) as connection:
            return hooked.id in call_due(connection)

    assert not called(), "nothing is due"
    hooked.record(2)
    assert called()
    assert not called(), "one was called already"
    hooked.deliver()
    with transaction(engine) as connection:
        nothing_left(connection, hooked.id)
    assert not called(), "what failed is not due yet"
    hooked.make_due()
    assert called()


def test_both_secrets_sign_for_a_day_after_a_rotation(engine: Engine, client: ClientSecret) -> None:
    with receiving() as receiver:
        hooked = Hooked(engine, client, receiver.url)
        with transaction(engine) as connection:
            entry, new = rotate_secret(connection, client.client_id, hooked.id)
        assert new != hooked.secret
        assert entry.previous_until is not None
        ends_in = (entry.previous_until - datetime.now(UTC)).total_seconds() / 3600
        assert ends_in == pytest.approx(24, abs=0.1)
        hooked.record()
        hooked.deliver()
        receiver.received[0].verified(hooked.secret)
        receiver.received[0].verified(new)
        with transaction(engine) as connection:
            connection.execute(
                text("UPDATE webhooks SET previous_until = now() WHERE id = :id"), {"id": hooked.id}
            )
        hooked.record()
        hooked.deliver()
        receiver.received[1].verified(new)
        with pytest.raises(WebhookVerificationError):
            receiver.received[1].verified(hooked.secret)


def test_a_delivery_can_be_sent_again(engine: Engine, client: ClientSecret) -> None:
    with receiving() as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record()
        hooked.deliver()
        [entry] = hooked.log()
        with transaction(engine) as connection:
            again = resend(connection, client.client_id, hooked.id, entry.id)
        assert again.status == "PENDING"
        hooked.deliver()
        first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    [entry] = hooked.log()
    assert (entry.status, entry.attempts) == ("DELIVERED", 2)
    with pytest.raises(NotFound), transaction(engine) as connection:
        resend(connection, client.client_id, hooked.id, uuid4())


def test_old_deliveries_are_forgotten(engine: Engine, client: ClientSecret) -> None:
    with receiving() as receiver:
        hooked = Hooked(engine, client, receiver.url)
        hooked.record(2)
        hooked.deliver()
    hooked.run(
        "UPDATE webhook_deliveries SET finished_at = now() - interval '31 days' "
        f"WHERE id = '{hooked.log()[0].id}'"
    )
    with transaction(engine) as connection:
        forget_old(connection, days=30)
    assert len(hooked.log()) == 1


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "http"),
        ("https://", "host"),
        ("https://user:pw@example.com/", "credentials"),
        ("https://example.com/#part", "fragment"),
        ("https://example.com:0/", "port"),
        ("https://example.com:99999/", "usable"),
        ("https://example.com/a b", "spaces"),
        ("https://exa mple.com/", "spaces"),
        ("https://example.com/" + "a" * 2048, "longer"),
        ("http://127.0.0.1/", "127.0.0.1"),
        ("http://[::1]/", "::1"),
        ("nonsense", "http"),
        ("", "http"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(
    engine: Engine, client: ClientSecret, url: str, why: str
) -> None:
    with pytest.raises(Invalid, match=why) as refused, transaction(engine) as connection:
        create_webhook(connection, client.client_id, url, [BATCH_FINISHED], policy=Policy())
    assert [error.pointer for error in refused.value.errors] == ["/url"]


@pytest.mark.parametrize(
    ("events", "pointer"), [([], "/events"), (["batch.nonsense"], "/events/0")]
)
def test_events_are_checked(
    engine: Engine, client: ClientSecret, events: list[str], pointer: str
) -> None:
    with pytest.raises(Invalid) as refused, transaction(engine) as connection:
        create_webhook(
            connection, client.client_id, "https://example.com/", events, policy=Policy()
        )
    assert [error.pointer for error in refused.value.errors] == [pointer]


def test_there_is_a_limit_of_webhooks(engine: Engine, client: ClientSecret) -> None:
    quotas = Quotas({WEBHOOKS: 50})

    def add(connection: Connection) -> None:
        url, events = "https://example.com/", [BATCH_FINISHED]
        create_webhook(connection, client.client_id, url, events, policy=Policy(), quotas=quotas)

    with transaction(engine) as connection:
        for _ in range(50):
            add(connection)
        assert len(list_webhooks(connection, client.client_id, limit=100)) == 50
        with pytest.raises(OverQuota, match="webhooks is 50"):
            add(connection)


def test_webhooks_are_their_clients_alone(engine: Engine, client: ClientSecret) -> None:
    hooked = Hooked(engine, client, "http://127.0.0.1:1/")
    stranger: UUID = uuid4()
    with transaction(engine) as connection:
        assert list_webhooks(connection, stranger, limit=10) == []
        for call in (get_webhook, rotate_secret):
            with pytest.raises(NotFound):
                call(connection, stranger, hooked.id)
        with pytest.raises(NotFound):
            list_deliveries(connection, stranger, hooked.id, limit=10)
    with pytest.raises(NotFound):
        remove_webhook(engine, stranger, hooked.id)
    hooked.remove()
    with engine.connect() as connection, pytest.raises(NotFound):
        get_webhook(connection, client.client_id, hooked.id)
