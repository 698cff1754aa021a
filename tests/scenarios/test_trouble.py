"""What we stand on goes away and comes back: nothing is lost, and no hand is needed."""

import os
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from behaviours import behaviour
from counterfoil.engine import claims
from counterfoil.sim.desk import read
from counterfoil.store.migrate import migrate
from counterfoil.store.server import NOT_DURABLE, EmbeddedPostgres
from counterfoil.store.work import LeaseLost
from counterfoil.worker.loop import Pace, work_until
from quick import quiet
from scenarios.stage import Stage, open_stage

DEADLINE_S = 90.0


@pytest.mark.parametrize("do", ["refuse", "timeout_before", "reset"], ids=["away", "silent", "breaking off"])
def test_a_provider_that_is_away_for_an_hour_is_waited_for(stage: Stage, do: str) -> None:
    customer = stage.customer("pm_card_visa")
    stage.credits(customer, 3000)
    invoice = stage.bill(customer, 10000)
    stage.site.provider.control("POST", "faults", {"match": {"path": "*"}, "do": do})

    result = stage.desk.pay(invoice)
    for _ in range(12):
        stage.worker.work()
        stage.site.pass_time(timedelta(minutes=5))
        assert stage.answer(result) == (202, "processing")
        assert stage.sound()
    stage.site.provider.control("DELETE", "faults")
    for _ in range(3):
        stage.site.pass_time(timedelta(minutes=10))
        stage.run()

    assert stage.answer(result) == (200, "succeeded")
    assert stage.charged() == [7000]
    assert stage.at_rest()


@behaviour("R-LG-64")
def test_two_workers_that_overlap_charge_once(stage: Stage) -> None:
    """A lease lasts as long as its holder's heart beats. One that stops is followed by another worker, and what the
    first still sends when it wakes up is the same call under the same key."""
    customer = stage.customer("pm_card_visa")
    invoice = stage.bill(customer, 10000)
    payment = stage.pay(invoice)
    stage.finish(stage.until("order.send"))
    slow = stage.set_aside(stage.until("order.send"))
    for _ in range(5):
        claims.heartbeat(stage.site.house, slow.flow.claims)
        stage.site.pass_time(timedelta(seconds=20))
        stage.worker.work()
        assert (stage.statuses(payment), stage.charged()) == (["provider 10000 processing"], [])

    stage.site.pass_time(timedelta(minutes=2))
    stage.worker.work()
    settled = stage.standing()
    with pytest.raises(LeaseLost):
        slow.finish()

    assert stage.standing() == settled
    assert (stage.invoice(invoice)["status"], stage.charged()) == ("paid", [10000])
    stage.rest()
    assert stage.at_rest()


def test_an_error_that_the_provider_has_stored_is_looked_into_and_not_repeated(stage: Stage) -> None:
    """A 500 came after the effect and stays under its key: a replay only repeats it, so the object is looked for."""
    stage.trouble("status", "/v1/customers", status=500, when="after")

    customer = read(stage.desk.customer("dana"))["id"]
    for _ in range(4):
        stage.work()
        stage.site.pass_time(timedelta(minutes=1))

    assert stage.customer_ref(customer).startswith("cus_")
    assert len(list(stage.site.provider.objects("/v1/customers"))) == 1
    stage.rest()
    assert stage.at_rest()


@pytest.fixture
def server() -> Iterator[EmbeddedPostgres]:
    """A Postgres of the test's own, which it may kill."""
    home = Path(tempfile.mkdtemp(prefix="counterfoil-trouble-", dir="/tmp"))
    home.chmod(0o711)
    server = EmbeddedPostgres(home, settings=NOT_DURABLE)
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(home)


@pytest.mark.timeout(0)
def test_a_database_that_is_killed_in_the_middle_of_the_work_loses_nothing(server: EmbeddedPostgres) -> None:
    """kill -9 while a worker is at it. It comes back, the worker goes on by itself, each invoice is paid once."""
    running = server.start()
    migrate(running.dsn)
    with quiet(), open_stage(running.dsn) as stage:
        customer = stage.customer("pm_card_visa")
        stage.credits(customer, 500)
        invoices = [stage.bill(customer, 1000 + number) for number in range(8)]
        for each in invoices:
            stage.pay(each)
        stop = threading.Event()
        worker = threading.Thread(target=work_until, args=(stage.site.house, stop, Pace(threads=1, trouble_s=0.1)))
        worker.start()
        try:
            eventually(stage, lambda: any(is_paid(stage, each) for each in invoices[1:]))
            assert running.pid
            os.kill(running.pid, signal.SIGKILL)
            time.sleep(0.5)
            server.start()
            eventually(stage, lambda: all(is_paid(stage, each) for each in invoices))
        finally:
            stop.set()
            worker.join()
        stage.rest()

        assert sorted(stage.charged()) == sorted([500, *(1000 + number for number in range(1, 8))])
        assert stage.at_rest()


def is_paid(stage: Stage, invoice: str) -> bool:
    return bool(stage.invoice(invoice)["status"] == "paid")


def eventually(stage: Stage, holds: Callable[[], bool]) -> None:
    """Wait for real threads. Virtual time runs ten times as fast, so that pauses are short and leases hold."""
    until = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < until, "it did not come to that"
        stage.site.clock.step(timedelta(seconds=0.5))
        time.sleep(0.05)
