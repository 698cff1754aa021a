"""Phases that flows take together: the books are those of flows that went alone, and a cut loses nothing."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest

from counterfoil.core.invariants import differences
from counterfoil.engine import claims
from counterfoil.engine.answers import payment_answer
from counterfoil.engine.load import Scope, load_books
from counterfoil.engine.notices import Decide, Fetch, Number, Open
from counterfoil.engine.phases import Phase
from counterfoil.engine.together import Alone, take
from counterfoil.sim.desk import read
from counterfoil.store.work import Claim, Queue
from counterfoil.worker.crew import Crew
from counterfoil.worker.loop import round_of_work
from databases import Databases
from scenarios.stage import BROWSER, Stage, open_stage

CHARGE, UPDATED, INTENT = "charge.succeeded", "charge.updated", "payment_intent.succeeded"
A_LEASE = timedelta(minutes=2)


@pytest.fixture
def other_stage(databases: Databases) -> Iterator[Stage]:
    """A second house with the same seed, to compare with."""
    dsn = databases.migrated()
    with open_stage(dsn) as stage:
        yield stage
    databases.drop(dsn)


def crowd(stage: Stage, amounts: Sequence[int], credits: int = 0) -> list[str]:
    """Payments of different customers that succeeded at the provider; their last news is under way."""
    customers = [stage.customer() for _ in amounts]
    for each in customers:
        if credits:
            stage.credits(each, credits)
    return paid(stage, customers, amounts)


def paid(stage: Stage, customers: Sequence[str], amounts: Sequence[int]) -> list[str]:
    bills = [stage.bill(customer, minor) for customer, minor in zip(customers, amounts, strict=True)]
    payments = [stage.pay(bill, terms=BROWSER) for bill in bills]
    stage.run()
    for each in payments:
        assert stage.confirm(stage.intent_of(each), "pm_card_visa") == "succeeded"
    stage.post.collect()
    return payments


def work_together(stage: Stage) -> None:
    """Work as the worker's loop does, until nothing is due."""
    with Crew(stage.site.house, 1) as crew:
        while due := claims.claim_due(stage.site.house):
            crew.work_on(due)
    stage.post.collect()


def news_due(stage: Stage) -> list[Claim]:
    return [each for each in claims.claim_due(stage.site.house) if each.queue is Queue.INBOX]


def next_of(stage: Stage, phases: Sequence[Phase]) -> list[Phase]:
    return [each for each in take(stage.site.house, phases) if each is not None]


def settled(stage: Stage) -> int:
    return len(stage.rows("select 1 from posting where tenant = %(tenant)s and entry like 'leg:%%:settled' and n = 1"))


# --- the same books ---


@pytest.mark.parametrize("credits", [0, 300], ids=["by card", "by credits and card"])
def test_news_taken_together_leads_to_the_books_of_news_taken_alone(
    stage: Stage, other_stage: Stage, credits: int
) -> None:
    amounts = [1000, 2000, 3000, 4000, 5000]
    for each in (stage, other_stage):
        crowd(each, amounts, credits)
        each.post.bring_all()

    work_together(stage)
    other_stage.work()
    stage.rest()
    other_stage.rest()

    assert list(differences(stage.standing(), other_stage.standing())) == []
    assert settled(stage) == len(amounts) * (2 if credits else 1)
    assert stage.sound()
    assert stage.at_rest()


def test_every_news_of_a_batch_has_one_decision_and_the_first_of_each_payment_settles(stage: Stage) -> None:
    crowd(stage, [1000, 2000, 3000])
    stage.post.bring_all()

    work_together(stage)

    decided = stage.rows(
        "select i.subject_ref, d.outcome from inbox i join decision d on d.tenant = i.tenant and d.inbox = i.id "
        "where i.tenant = %(tenant)s and i.kind = any (%(kinds)s)",
        kinds=[CHARGE, UPDATED, INTENT],
    )
    assert Counter(row["outcome"] for row in decided) == {"applied": 3, "no_effect": 6}
    assert {row["subject_ref"] for row in decided if row["outcome"] == "applied"} == {
        row["subject_ref"] for row in decided
    }


def test_a_command_is_answered_as_if_its_news_had_come_alone(stage: Stage) -> None:
    customers = [stage.customer(), stage.customer()]
    asked = [stage.desk.pay(stage.bill(each, 1000), terms=BROWSER) for each in customers]
    stage.run()
    for each in asked:
        stage.confirm(stage.intent_of(read(each)["id"]), "pm_card_visa")
    stage.post.bring_all()

    work_together(stage)

    for customer, each in zip(customers, asked, strict=True):
        payment = read(each)["id"]
        answered = stage.desk.look(each)
        with stage.database.transaction(stage.site.tenant) as tx:
            books = load_books(tx, customer, Scope(payments=(payment,)))
        assert books
        assert answered.final
        assert answered.answer == payment_answer(books, payment)


def test_two_payments_of_one_customer_settle_one_after_the_other(stage: Stage) -> None:
    customer = stage.customer()
    payments = paid(stage, [customer, customer], [1000, 2000])
    stage.bring(INTENT, INTENT)

    work_together(stage)

    assert [stage.statuses(each) for each in payments] == [["provider 1000 settled"], ["provider 2000 settled"]]
    assert stage.sound()


# --- one look for all news of an object ---


def test_news_of_one_payment_share_one_look(stage: Stage) -> None:
    (payment,) = crowd(stage, [1000])
    stage.post.bring_all()
    path = f"/v1/payment_intents/{stage.intent_of(payment)}"
    before = len(stage.requests(path))

    work_together(stage)

    assert len(stage.requests(path)) == before + 1
    assert stage.reasons()["superseded"] == 2
    assert stage.statuses(payment) == ["provider 1000 settled"]


def test_news_of_an_object_that_is_not_there_are_each_looked_at(stage: Stage) -> None:
    """What a missing object means depends on the news: only money asks a person."""
    (payment,) = crowd(stage, [1000])
    stage.post.bring_all()
    path = f"/v1/payment_intents/{stage.intent_of(payment)}"
    stage.site.provider.control(
        "POST",
        "faults",
        {"match": {"path": path, "method": "GET"}, "do": "status", "status": 404, "times": 2}
        | {"code": "resource_missing"},
    )
    before = len(stage.requests(path))

    work_together(stage)

    assert len(stage.requests(path)) == before + 3
    stage.rest()
    assert stage.statuses(payment) == ["provider 1000 settled"]


def test_a_provider_that_is_away_puts_all_of_them_off(stage: Stage) -> None:
    (payment,) = crowd(stage, [1000])
    stage.post.bring_all()
    path = f"/v1/payment_intents/{stage.intent_of(payment)}"
    stage.trouble("timeout_before", path, method="GET", hang_s=0)
    with Crew(stage.site.house, 1) as crew:
        crew.work_on(news_due(stage))

    waiting = stage.rows(
        "select waiting_for, w.leased_until from inbox i join work w on w.tenant = i.tenant and w.id = i.id "
        "where i.tenant = %(tenant)s and i.subject_ref = %(ref)s and i.status = 'received'",
        ref=stage.intent_of(payment),
    )
    assert [(bool(row["waiting_for"]), row["leased_until"]) for row in waiting] == [(True, None)] * 3
    stage.rest()
    assert stage.at_rest()


def test_a_worker_goes_round_by_round_until_nothing_is_due_or_under_way(stage: Stage) -> None:
    payments = crowd(stage, [1000, 2000, 3000, 4000, 5000])
    stage.post.bring_all()
    house = replace(stage.site.house, settings=replace(stage.site.house.settings, batch=2))
    with Crew(house, 1) as crew:
        rounds = 0
        while round_of_work(house, crew):
            rounds += 1

        assert settled(stage) == len(payments)
    assert rounds > len(payments) / 2
    stage.rest()
    assert stage.at_rest()


# --- cuts, lost leases, poison ---


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_batch_that_is_cut_between_two_phases_loses_nothing(stage: Stage, steps: int) -> None:
    payments = crowd(stage, [1000, 2000, 3000])
    stage.post.bring_all()
    phases: list[Phase] = [Open(each) for each in news_due(stage)]
    for kind in (Open, Number, Fetch)[:steps]:
        assert {type(each) for each in phases} == {kind}
        phases = [one for each in phases for one in next_of(stage, [each])] if kind is Fetch else next_of(stage, phases)

    del phases  # as by kill -9
    stage.site.pass_time(A_LEASE)
    work_together(stage)

    assert settled(stage) == len(payments)
    assert stage.sound()


def test_what_another_worker_took_over_is_left_to_it_and_the_rest_of_the_batch_is_written(stage: Stage) -> None:
    first, second = crowd(stage, [1000, 2000])
    stage.bring(INTENT, INTENT)
    phases = up_to_decide(stage)
    taken = phases[0].claim
    with stage.database.transaction(stage.site.tenant) as tx:
        tx.run("update work set token = token + 1 where tenant = %(tenant)s and id = %(id)s", id=taken.id)

    following = next_of(stage, phases)

    assert following == []
    assert Counter(map(str, stage.statuses(first) + stage.statuses(second))) == {
        "provider 1000 requires_action": 1,
        "provider 2000 settled": 1,
    }
    with stage.database.claims() as tx:
        left = tx.rows("select id from work where queue = 'inbox'")
    assert [row["id"] for row in left] == [taken.id]


def test_a_decision_that_cant_be_written_holds_up_no_other(stage: Stage, database: str) -> None:
    payments = crowd(stage, [1000, 2000, 777, 3000])
    stage.post.bring_all()
    with psycopg.connect(database) as owner:
        owner.execute("alter table leg add constraint poison check (amount_minor <> 777 or status <> 'settled')")
    with Crew(stage.site.house, 1) as crew:
        crew.work_on(news_due(stage))

    assert [stage.statuses(each)[0].split()[-1] for each in payments] == [
        "settled",
        "settled",
        "requires_action",
        "settled",
    ]
    with psycopg.connect(database) as owner:
        owner.execute("alter table leg drop constraint poison")
    stage.rest()
    assert settled(stage) == len(payments)
    assert stage.at_rest()


def test_what_needs_more_than_a_batch_goes_alone(stage: Stage) -> None:
    host = stage.customer()
    (payment,) = crowd(stage, [1000])
    stranger = stage.intent(host, 500, "pm_card_visa")
    stage.post.bring_all()
    phases = up_to_decide(stage)

    following = next_of(stage, phases)

    assert {type(each) for each in following} == {Alone}
    assert {each.phase.seen.ref for each in following if isinstance(each, Alone) and each.phase.seen} == {stranger}
    assert stage.statuses(payment) == ["provider 1000 settled"]


def up_to_decide(stage: Stage) -> list[Decide]:
    """Take all news that is due to the point where it is decided."""
    numbers = next_of(stage, [Open(each) for each in news_due(stage)])
    fetches = next_of(stage, numbers)
    looks = [each.run(stage.site.house) for each in fetches]
    return [each for each in looks if isinstance(each, Decide)]
