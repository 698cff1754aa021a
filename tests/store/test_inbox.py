"""News is stored before anything is done about it, once, however often it comes; looks at an object are numbered."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from psycopg.errors import UniqueViolation

from behaviours import behaviour
from core.factories import ACCOUNT, CUSTOMER, NOW, Counting, intent
from counterfoil.core.effects import Outcome, Reason, Why
from counterfoil.core.facts import IntentStatus, Notice, Source
from counterfoil.core.ids import ProviderRef
from counterfoil.core.journal import Entry
from counterfoil.core.lifecycle import InboxStatus
from counterfoil.store import decisions, inbox, journal
from counterfoil.store.database import Database
from counterfoil.store.decisions import StoredDecision
from counterfoil.store.inbox import Answer, News, Observation
from store.road import OTHER, TENANT

NOTICE = Notice(
    ProviderRef("evt_1"),
    "payment_intent.succeeded",
    "payment_intent",
    ProviderRef("pi_1"),
    NOW,
    False,
    None,
    "2025-02-24.acacia",
    ProviderRef("pi_1"),
)
NEWS = News(
    "pevt_1", Source.WEBHOOK, NOTICE.kind, "event:evt_1", NOW, NOW, ACCOUNT, detail=NOTICE, body=b'{"id": "evt_1"}'
)


@behaviour("R-LG-13")
def test_news_is_kept_with_its_exact_body(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        assert inbox.put(tx, NEWS) == ("pevt_1", True)

    with house.transaction(TENANT) as tx:
        row = inbox.get(tx, "pevt_1")
        assert row is not None
        assert (row["status"], row["detail"], row["deliveries"]) == ("received", NOTICE, 1)
        assert inbox.body(tx, "pevt_1") == b'{"id": "evt_1"}'


@behaviour("R-LG-14")
def test_the_same_news_again_is_the_same_row(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, NEWS)
    with house.transaction(TENANT) as tx:
        assert inbox.put(tx, replace(NEWS, id="pevt_2")) == ("pevt_1", False)

    with house.transaction(TENANT) as tx:
        row = inbox.by_identity(tx, "event:evt_1")
        assert row is not None
        assert (row["id"], row["deliveries"]) == ("pevt_1", 2)
        assert inbox.get(tx, "pevt_2") is None


def test_storing_it_under_the_same_id_after_an_unknown_commit_is_a_repeat(house: Database) -> None:
    for is_new in (True, False):
        with house.transaction(TENANT) as tx:
            assert inbox.put(tx, NEWS) == ("pevt_1", is_new)


def test_fifty_deliveries_at_once_are_one_row(house: Database) -> None:
    new_id = Counting()

    def deliver(_: int) -> bool:
        with house.transaction(TENANT) as tx:
            return inbox.put(tx, replace(NEWS, id=new_id("inbox")))[1]

    with ThreadPoolExecutor(8) as threads:
        new = list(threads.map(deliver, range(50)))

    with house.transaction(TENANT) as tx:
        row = inbox.by_identity(tx, "event:evt_1")
    assert new.count(True) == 1
    assert row is not None
    assert row["deliveries"] == 50


def test_what_another_tenant_was_told_is_other_news(house: Database) -> None:
    for tenant in (TENANT, OTHER):
        with house.transaction(tenant) as tx:
            assert inbox.put(tx, replace(NEWS, account=None)) == ("pevt_1", True)


def test_a_body_may_be_any_bytes(house: Database) -> None:
    raw = bytes(range(256))
    with house.transaction(TENANT) as tx:
        inbox.put(tx, replace(NEWS, body=raw))

    with house.transaction(TENANT) as tx:
        assert inbox.body(tx, "pevt_1") == raw


def decided(inbox_id: str, identity: str) -> StoredDecision:
    why = Why("test@1", Reason.ALREADY_KNOWN, "It was known.", (inbox_id,), {"amount_minor": 5, "code": None})
    return StoredDecision(identity, inbox_id, Outcome.NO_EFFECT, why, CUSTOMER, ("pi_1", "pi_1"), [], NOW)


def test_every_piece_of_news_has_one_decision(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, NEWS)
        decisions.put(tx, decided("pevt_1", "dec_1"))

    with pytest.raises(UniqueViolation), house.transaction(TENANT) as tx:
        decisions.put(tx, decided("pevt_1", "dec_2"))

    with house.transaction(TENANT) as tx:
        stored = decisions.of_inbox(tx, "pevt_1")
        assert stored is not None
        assert (stored["id"], stored["inputs"]) == ("dec_1", {"amount_minor": 5, "code": None})
        assert [row["id"] for row in decisions.about(tx, ["pi_1"])] == ["dec_1"]


@behaviour("R-LG-15")
def test_a_mark_is_undone_with_the_effect_that_failed(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, NEWS)

    with pytest.raises(AssertionError, match="is empty"):
        decide_and_fail(house)

    with house.transaction(TENANT) as tx:
        row = inbox.get(tx, "pevt_1")
        assert row is not None
        assert row["status"] == "received"
        assert decisions.of_inbox(tx, "pevt_1") is None


def decide_and_fail(house: Database) -> None:
    """Mark news as decided, and then break off at its effect."""
    with house.transaction(TENANT) as tx:
        decisions.put(tx, decided("pevt_1", "dec_1"))
        inbox.mark(tx, "pevt_1", InboxStatus.DECIDED)
        journal.post(tx, [Entry("test:empty", "pevt_1", NOW, ())], "dec_1", NOW)


# --- observations ---


def number(house: Database) -> int:
    with house.transaction(TENANT) as tx:
        return inbox.number_observation(tx, ACCOUNT, "payment_intent", "pi_1")


def look(house: Database, n: int) -> None:
    fact = intent("pi_1", IntentStatus.PROCESSING)
    with house.transaction(TENANT) as tx:
        inbox.apply_observation(tx, Observation(ACCOUNT, "payment_intent", "pi_1", n, fact.status, fact), NOW)


def test_looks_are_numbered_one_after_the_other(house: Database) -> None:
    assert [number(house) for _ in range(3)] == [1, 2, 3]


def test_two_looks_at_once_have_two_numbers(house: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        numbers = list(threads.map(lambda _: number(house), range(20)))

    assert sorted(numbers) == list(range(1, 21))


def test_the_newest_applied_look_is_remembered(house: Database) -> None:
    first, second = number(house), number(house)
    with house.transaction(TENANT) as tx:
        assert inbox.applied_observation(tx, ACCOUNT, "pi_1") == 0

    look(house, second)

    with house.transaction(TENANT) as tx:
        assert inbox.applied_observation(tx, ACCOUNT, "pi_1") == second > first
    assert number(house) == second + 1


# --- the answers of commands ---


def test_the_first_final_answer_stays_for_ever(house: Database) -> None:
    with house.transaction(TENANT) as tx:
        inbox.put(tx, NEWS)
        inbox.put_command(tx, "pevt_1", b"hash", "pmt_1", Answer(202, "{}"), None)

    for body in ('{"status":"succeeded"}', '{"status":"returned"}'):
        with house.transaction(TENANT) as tx:
            inbox.finish_commands(tx, "pmt_1", Answer(200, body))

    with house.transaction(TENANT) as tx:
        row = inbox.command_of(tx, "pevt_1")
        assert row is not None
        assert (row["first_status"], row["final_status"], row["final_body"]) == (202, 200, '{"status":"succeeded"}')
