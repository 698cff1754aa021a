"""Webhooks that arrive together are stored together, and each is answered as if it had come alone."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from counterfoil.engine import claims, setup
from counterfoil.engine.intake import BODY_MAX, Accepted, IntakeLane, Rejected, accept
from counterfoil.engine.lanes import Lane, Limits, Waiting, pending
from counterfoil.store import inbox, work
from counterfoil.store.database import DatabaseUnavailable, Row
from doors.intake.webhooks import event, signed
from houses import SANDBOX, SECRET, STRIPE_KEY, World, house_with_sandbox

TESTS = Path(__file__).parents[2]
Answer: TypeAlias = Accepted | Rejected
KILLED_AFTER = 300
PATIENCE_S = 30.0


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with house_with_sandbox(database, timeout_s=1.0) as world:
        yield world


@pytest.fixture
def lane(world: World) -> Iterator[IntakeLane]:
    with IntakeLane(world.house) as lane:
        yield lane


def test_a_webhook_is_in_the_database_and_due_when_its_sender_hears_so(world: World, lane: IntakeLane) -> None:
    body = event(1)

    answer = lane.accept("default", signed(body), body)

    assert isinstance(answer, Accepted)
    assert answer.new
    with world.house.database.transaction(world.tenant.id) as tx:
        assert inbox.body(tx, answer.inbox) == body
    due = [claim.id for claim in claims.claim_due(world.house) if claim.queue is work.Queue.INBOX]
    assert due == [answer.inbox]


def test_a_lane_stores_what_a_single_acceptance_stores(world: World, lane: IntakeLane) -> None:
    one, other = event(7001), event(7002)
    accept(world.house, "default", signed(one), one)

    lane.accept("default", signed(other), other)

    first, second = _rows(world)
    assert _without_number(first, "7001") == _without_number(second, "7002")


def test_many_at_once_are_stored_once_each(world: World, lane: IntakeLane) -> None:
    bodies = [event(number) for number in range(500)]
    with ThreadPoolExecutor(16) as senders:
        answers = list(senders.map(lambda body: lane.accept("default", signed(body), body), bodies))

    assert all(isinstance(answer, Accepted) and answer.new for answer in answers)
    assert Counter(row["deliveries"] for row in _rows(world)) == {1: 500}


def test_the_same_webhook_many_times_at_once_is_one_row_that_counts_its_deliveries(
    world: World, lane: IntakeLane
) -> None:
    """Within one batch as well as over several: the provider sends again whenever our answer was slow."""
    bodies = [event(number % 3) for number in range(120)]

    answers = [future.result() for future in [lane.submit("default", signed(body), body) for body in bodies]]

    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    assert len(accepted) == 120
    assert sum(answer.new for answer in accepted) == 3
    assert len({answer.inbox for answer in accepted}) == 3
    assert [row["deliveries"] for row in _rows(world)] == [40, 40, 40]


def test_a_webhook_that_was_decided_is_not_due_again_when_it_comes_again(world: World, lane: IntakeLane) -> None:
    body = event(1, type="account.updated", data={"object": {"id": "acct_1", "object": "account"}})
    lane.accept("default", signed(body), body)
    world.pump()

    again = lane.accept("default", signed(body, at=world.clock.wall()), body)

    assert isinstance(again, Accepted)
    assert not again.new
    assert [claim for claim in claims.claim_due(world.house) if claim.queue is work.Queue.INBOX] == []
    assert [(row["status"], row["deliveries"]) for row in _rows(world)] == [("decided", 2)]


def test_what_is_not_signed_is_refused_and_the_rest_of_its_batch_is_stored(world: World, lane: IntakeLane) -> None:
    bodies = [event(number) for number in range(20)]
    secrets = [SECRET if number % 2 else "whsec_of_somebody_else" for number in range(20)]

    sent = [lane.submit("default", signed(body, secret), body) for body, secret in zip(bodies, secrets, strict=True)]

    statuses = Counter(_status(future.result()) for future in sent)
    assert statuses == {200: 10, 400: 10}
    assert len(_rows(world)) == 10


def test_a_body_that_is_too_large_and_a_path_that_is_nobodys_are_refused(world: World, lane: IntakeLane) -> None:
    body, large = event(1), b"x" * (BODY_MAX + 1)

    answers = [lane.accept("default", signed(large), large), lane.accept("nobody", signed(body), body)]

    assert [_status(answer) for answer in answers] == [413, 404]
    assert _rows(world) == []


# --- poison ---


def test_a_webhook_that_cant_be_stored_fails_alone(world: World, lane: IntakeLane) -> None:
    """A constraint that nobody thought of must not turn away the 19 that came with it."""
    with psycopg.connect(world.house.database.dsn) as owner:  # type: ignore[attr-defined]
        owner.execute("alter table inbox add constraint poison check (subject_ref <> 'pi_7')")
    bodies = [event(number) for number in range(20)]

    sent = [lane.submit("default", signed(body), body) for body in bodies]

    failed = [number for number, future in enumerate(sent) if future.exception()]
    assert failed == [7]
    assert isinstance(sent[7].exception(), psycopg.errors.CheckViolation)
    assert len(_rows(world)) == 19


# --- the endpoint is remembered for a moment ---


def test_a_secret_that_was_rotated_away_stops_counting_within_a_second(world: World) -> None:
    ticks = [100.0]
    body, later = event(1), event(2)
    with IntakeLane(world.house, ticks=lambda: ticks[0]) as lane:
        before = lane.accept("default", signed(body), body)
        setup.connect(world.house, world.tenant.id, setup.Connection(STRIPE_KEY, ("whsec_new",), base_url=SANDBOX))
        ticks[0] += 1.0
        old = lane.accept("default", signed(later), later)
        new = lane.accept("default", signed(later, "whsec_new"), later)

    assert [_status(each) for each in (before, old, new)] == [200, 400, 200]


def test_an_endpoint_counts_at_once_when_it_is_made(world: World, lane: IntakeLane) -> None:
    body = event(1)
    before = lane.accept("second", signed(body), body)
    wanted = setup.Connection(STRIPE_KEY, (SECRET,), base_url=SANDBOX, slug="second")
    setup.connect(world.house, world.tenant.id, wanted)

    after = lane.accept("second", signed(body), body)

    assert [_status(each) for each in (before, after)] == [404, 200]


# --- limits ---


def test_a_lane_that_is_full_refuses_and_loses_nothing_that_it_took() -> None:
    go, started = Event(), Event()
    written: list[int] = []

    def write(batch: Sequence[int]) -> Sequence[int]:
        started.set()
        assert go.wait(PATIENCE_S)
        written.extend(batch)
        return batch

    with ThreadPoolExecutor(1) as executor:
        lane: Lane[int, int] = Lane(write, executor, Limits(batch=2, waiting=3))
        answers: list[Future[int]] = [pending() for _ in range(5)]
        first = lane.put(Waiting(0, 1, answers[0]))
        assert started.wait(PATIENCE_S)
        rest = [lane.put(Waiting(number, 1, answers[number])) for number in range(1, 5)]
        go.set()

    assert [first, *rest] == [True, True, True, True, False]
    assert written == [0, 1, 2, 3]
    assert [each.result() for each in answers[:4]] == [0, 1, 2, 3]
    assert not answers[4].done()


def test_a_batch_is_bounded_by_its_bytes_too() -> None:
    batches: list[Sequence[int]] = []
    go = Event()

    def write(batch: Sequence[int]) -> Sequence[int]:
        assert go.wait(PATIENCE_S)
        batches.append(batch)
        return batch

    with ThreadPoolExecutor(1) as executor:
        lane: Lane[int, int] = Lane(write, executor, Limits(batch=10, batch_bytes=100))
        lane.put(Waiting(0, 1, pending()))
        for number in range(1, 5):
            lane.put(Waiting(number, 60, pending()))
        go.set()

    assert sorted(number for batch in batches for number in batch) == [0, 1, 2, 3, 4]
    assert max(len(batch) for batch in batches[1:]) == 1


class Counted(ThreadPoolExecutor):
    """Counts what it is given to do."""

    given = 0

    def submit(self, *work: Any, **more: Any) -> "Future[Any]":
        self.given += 1
        return super().submit(*work, **more)


@pytest.mark.parametrize(("hands", "waiting", "under_way"), [(1, 4, 1), (2, 1, 1), (2, 2, 2), (2, 4, 2), (3, 4, 3)])
def test_another_hand_begins_when_half_a_batch_waits(hands: int, waiting: int, under_way: int) -> None:
    go, begun = Event(), Event()
    written: list[int] = []

    def write(batch: Sequence[int]) -> Sequence[int]:
        begun.set()
        assert go.wait(PATIENCE_S)
        written.extend(batch)
        return batch

    with Counted(4) as executor:
        lane: Lane[int, int] = Lane(write, executor, Limits(batch=4), hands=hands)
        lane.put(Waiting(0, 1, pending()))
        assert begun.wait(PATIENCE_S)
        for number in range(1, waiting + 1):
            lane.put(Waiting(number, 1, pending()))
        given = executor.given
        go.set()

    assert given == under_way
    assert sorted(written) == list(range(waiting + 1))


def test_what_was_taken_in_is_stored_before_the_lane_closes(world: World) -> None:
    with IntakeLane(world.house) as lane:
        sent = [lane.submit("default", signed(event(number)), event(number)) for number in range(50)]

    assert all(future.done() and _status(future.result()) == 200 for future in sent)
    assert len(_rows(world)) == 50


# --- trouble ---


def test_everyone_hears_that_the_database_is_gone_and_all_is_well_when_it_is_back(
    world: World, lane: IntakeLane, postgres_dsn: str
) -> None:
    warm = event(0)
    lane.accept("default", signed(warm), warm)
    bodies = [event(number) for number in range(1, 9)]
    dsn: str = world.house.database.dsn  # type: ignore[attr-defined]

    with _gone(postgres_dsn, dsn):
        during = [lane.submit("default", signed(body), body) for body in bodies]
        errors = [future.exception() for future in during]
    after = [_until_stored(lane, body) for body in bodies]

    assert {type(error) for error in errors} == {DatabaseUnavailable}
    assert all(isinstance(answer, Accepted) for answer in after)
    assert len(_rows(world)) == 9


def test_nothing_that_was_answered_is_lost_when_the_process_is_killed(world: World) -> None:
    arguments = (world.house.database.dsn, "a-master-key-of-tests")  # type: ignore[attr-defined]
    process = subprocess.Popen(
        [sys.executable, "-m", "doors.intake.door_process", *arguments],
        cwd=TESTS,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    answered = [process.stdout.readline().strip() for _ in range(KILLED_AFTER)]
    os.kill(process.pid, signal.SIGKILL)
    answered += [line.strip() for line in process.stdout.read().splitlines(keepends=True) if line.endswith("\n")]
    process.wait()
    process.stdout.close()

    stored = {row["id"]: row for row in _rows(world)}
    assert len(answered) >= KILLED_AFTER
    assert set(answered) - set(stored) == set()
    assert {row["deliveries"] for row in stored.values()} == {1}
    with world.house.database.claims() as tx:
        due = {row["id"] for row in tx.rows("select id from work where queue = 'inbox'")}
    with world.house.database.transaction(world.tenant.id) as tx:
        bodies = {row["inbox"] for row in tx.rows("select inbox from raw_body where tenant = %(tenant)s")}
    assert due == bodies == set(stored)


# --- reading ---


def _rows(world: World) -> list[Row]:
    with world.house.database.transaction(world.tenant.id) as tx:
        return tx.rows("select * from inbox where tenant = %(tenant)s and source = 'webhook' order by identity")


def _without_number(row: Row, number: str) -> dict[str, str]:
    return {name: str(value).replace(number, "") for name, value in row.items() if name != "id"}


def _status(answer: Answer) -> int:
    return answer.status if isinstance(answer, Rejected) else 200


def _until_stored(lane: IntakeLane, body: bytes) -> Answer:
    """As the provider does: again until it is taken in."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            return lane.accept("default", signed(body), body)
        except DatabaseUnavailable:
            assert time.monotonic() < end


@contextmanager
def _gone(server: str, dsn: str) -> Iterator[None]:
    """A database that lets nobody in and has thrown out who was."""
    name = sql.Identifier(urlsplit(dsn).path.lstrip("/"))
    with psycopg.connect(server, autocommit=True) as owner:
        owner.execute(sql.SQL("alter database {} with allow_connections false").format(name))
        owner.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name.as_string()[1:-1],)
        )
        try:
            yield
        finally:
            owner.execute(sql.SQL("alter database {} with allow_connections true").format(name))
