"""The predicates by themselves: each names what is wrong, and says nothing of what is right."""

from typing import Any

import pytest

from behaviours import behaviour
from core.factories import NOW
from counterfoil.core.invariants import INVARIANTS, Breach, differences

POSTING = {
    "tenant": "tnt",
    "entry": "e",
    "n": 1,
    "of_n": 1,
    "debit": "clearing:a",
    "credit": "revenue",
    "unit": "USD",
    "amount": 5,
    "recorded_at": NOW,
}
LOT = {
    "lot": "g",
    "amount": 10,
    "remaining": 6,
    "held": 2,
    "gone": 1,
    "cost_minor": 8,
    "released_minor": 3,
    "drawn": 3,
    "reserved": 2,
    "recognised": 2,
    "forgone": 1,
}
LEG = {"subject": "leg", "status": "settled", "charge": "ch", "received": 7, "posted": 7, "currency": "USD"}
PAYMENT = {
    "subject": "pmt",
    "stored": "processing",
    "statuses": ["reserved", "processing"],
    "amount": 10,
    "settled": 0,
    "invoice_status": None,
}
MOVES = {
    "machine": "leg",
    "subject": "leg",
    "status": "settled",
    "moves": [[None, "processing"], ["processing", "settled"]],
    "complete": True,
}
PAID = {
    "invoice": "inv",
    "status": "paid",
    "payment_status": "succeeded",
    "total": 10,
    "paid": 10,
    "paid_at": NOW,
    "paid_with": "visa",
    "lines": 10,
}
OPEN = PAID | {"status": "open", "payment_status": "pending", "paid": 4, "paid_at": None, "paid_with": None}
NEWS = {"inbox": "pevt", "status": "decided", "decisions": 1, "provider_event": None, "at_rest": False}
FULFILLED = {
    "purchase": "prch",
    "status": "settled",
    "early": False,
    "quantity": 20,
    "net": 2000,
    "lots": [[20, 2000, False]],
}
BILLED = {
    "purchase": "prch",
    "settlement": "invoice",
    "ours": True,
    "customer": "cust",
    "invoice": "inv",
    "line": "line",
    "status": "settled",
    "authorized_at": NOW,
    "settled_at": NOW,
    "lines": [["line", "inv", "cust"]],
    "waiting": [["invoiced", "line"]],
    "steps": [],
}
CLEARING = {"account": "a", "unit": "USD", "clearing": 6, "received": 7, "fees": 1, "other": 0}
TOLD = {
    "event": "e",
    "kind": "invoice.paid",
    "subject": "inv",
    "customer": "c",
    "sequence": 1,
    "position": 7,
    "told": {"whep": "delivered"},
    "endpoints": [{"id": "whep", "kinds": ["invoice.*"], "from_position": 6, "status": "active"}],
    "at_rest": True,
}
BOOKED = {"refund": "r", "status": "succeeded", "amount": 9, "of_lots": 5, "given": 4, "undone": 0, "paid": 9}
BOOKED |= {"returned": 0}
PAPERS = {"kind": "invoice", "last": 2, "documents": 2, "distinct": 2, "highest": 2, "changed": [], "bare": []}
GOOD: dict[str, dict[str, Any]] = {
    "I1": POSTING,
    "I2": {"entry": "e", "decision": "d", "posted": [["a", "b", "USD", 1]], "decided": [["a", "b", "USD", 1]]},
    "I3": {"entry": "e", "subject": "s", "decision": "d", "cause": "d", "reverses": None, "mirrored": None},
    "I4": {"account": "receivable:c", "unit": "USD", "stored": 5, "posted": 5},
    "I5": LOT,
    "I33": LOT,
    "I34": {"spend": "s", "corrected": 5, "spent": 5},
    "I6": {"subject": "e", "units": ["USD", "usd-credit"], "largest": 9, "smallest": 1},
    "I7": LEG,
    "I10": PAYMENT,
    "I11": MOVES,
    "I13": PAID,
    "I14": TOLD,
    "I15": FULFILLED,
    "I16": {"purchase": "prch", "source": "api", "billed_first": False},
    "I21": BILLED,
    "I35": {"topup": "t", "attempt": "p", "under_way": ["p"], "is_forgotten": False},
    "I12": {"leg": "leg", "status": "settled", "received": 7, "counted": 7, "refunded": 7},
    "I12.books": BOOKED,
    "I12.credits": {"purchase": "p", "quantity": 9, "clawed": 4, "refunded": 5, "paid": 10, "is_given": True},
    "I22": NEWS,
    "I36": PAPERS,
    "I37": {"month": "2026-05", "closed": 3, "found": 3},
    "I27": CLEARING,
}


def breaches(identity: str, *rows: dict[str, Any]) -> list[Breach]:
    return list(INVARIANTS[identity].breaches(rows))


@pytest.mark.parametrize("identity", INVARIANTS)
def test_a_good_row_is_no_breach_and_neither_is_none(identity: str) -> None:
    assert breaches(identity, GOOD[identity]) == []
    assert breaches(identity) == []


@pytest.mark.parametrize("identity", INVARIANTS)
def test_every_invariant_is_said_in_one_sentence(identity: str) -> None:
    sentence = INVARIANTS[identity].sentence

    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert INVARIANTS[identity].id == identity


@pytest.mark.parametrize(
    ("identity", "changes"),
    [
        ("I1", {"debit": "revenue"}),
        ("I1", {"amount": 0}),
        ("I1", {"amount": -5}),
        ("I1", {"of_n": 2}),
        ("I1", {"n": 2}),
        ("I1", {"unit": "usd-credit"}),
        ("I1", {"credit": "grant:g"}),
        ("I1", {"credit": "savings"}),
        ("I2", {"posted": None}),
        ("I2", {"decided": None}),
        ("I2", {"posted": [["a", "b", "USD", 2]]}),
        ("I2", {"posted": [["b", "a", "USD", 1]]}),
        ("I3", {"cause": None}),
        ("I3", {"reverses": "x", "mirrored": False}),
        ("I3", {"reverses": "x", "mirrored": None}),
        ("I4", {"stored": 4}),
        ("I5", {"remaining": 11, "drawn": -2}),
        ("I5", {"remaining": -1, "drawn": 10, "held": -1, "reserved": -1}),
        ("I5", {"held": 7, "reserved": 7}),
        ("I5", {"reserved": 1}),
        ("I5", {"drawn": 5}),
        ("I5", {"gone": 2}),
        ("I5", {"recognised": 1}),
        ("I5", {"forgone": 0}),
        ("I5", {"released_minor": 9, "recognised": 8}),
        ("I34", {"corrected": 6}),
        ("I36", {"highest": 3}),
        ("I36", {"documents": 3}),
        ("I36", {"last": 3}),
        ("I36", {"changed": ["doc_1"]}),
        ("I36", {"bare": ["inv_1"]}),
        ("I37", {"found": 4}),
        ("I35", {"under_way": ["p", "q"]}),
        ("I35", {"attempt": None}),
        ("I35", {"is_forgotten": True}),
        ("I34", {"spent": 0}),
        ("I33", {"released_minor": 4}),
        ("I33", {"remaining": 7}),
        ("I14", {"sequence": 2}),
        ("I14", {"told": {}}),
        ("I14", {"told": {"whep": "pending"}}),
        ("I15", {"lots": []}),
        ("I15", {"lots": [[20, 2000, False], [20, 2000, False]]}),
        ("I15", {"lots": [[19, 2000, False]]}),
        ("I15", {"lots": [[20, 2001, False]]}),
        ("I15", {"status": "failed"}),
        ("I15", {"status": "canceled", "early": True}),
        ("I12", {"counted": 6}),
        ("I12", {"refunded": 8, "counted": 8}),
        ("I12", {"status": "canceled"}),
        ("I12.books", {"given": 3}),
        ("I12.books", {"paid": 0}),
        ("I12.books", {"status": "processing"}),
        ("I12.books", {"status": "failed", "returned": 9}),
        ("I12.books", {"status": "failed", "undone": 4}),
        ("I12.credits", {"clawed": 0}),
        ("I12.credits", {"refunded": 10}),
        ("I16", {"source": None}),
        ("I16", {"source": "webhook"}),
        ("I16", {"billed_first": True}),
        ("I21", {"lines": []}),
        ("I21", {"lines": [["line", "inv", "cust"], ["line2", "inv", "cust"]]}),
        ("I21", {"lines": [["line", "other", "cust"]]}),
        ("I21", {"customer": "other"}),
        ("I21", {"waiting": []}),
        ("I21", {"waiting": [["waiting", None]]}),
        ("I21", {"status": "scheduled"}),
        ("I21", {"authorized_at": None}),
        ("I21", {"steps": ["settled"]}),
        ("I21", {"settlement": "external", "steps": ["authorized"]}),
        ("I6", {"units": ["EUR", "USD"]}),
        ("I6", {"units": ["XYZ"]}),
        ("I6", {"largest": 2**63}),
        ("I6", {"smallest": -1}),
        ("I7", {"charge": None}),
        ("I7", {"received": 6}),
        ("I7", {"posted": 0}),
        ("I7", {"status": "refused"}),
        ("I7", {"status": "processing", "charge": None, "posted": 0}),
        ("I7", {"theirs": []}),
        ("I7", {"theirs": [("ch", 6, "USD")]}),
        ("I7", {"theirs": [("ch", 7, "USD"), ("ch2", 7, "USD")]}),
        ("I10", {"stored": "succeeded"}),
        ("I10", {"settled": 10}),
        ("I10", {"statuses": ["refused", "reserved"]}),
        ("I11", {"moves": [[None, "settled"], ["settled", "processing"]], "status": "processing"}),
        ("I11", {"status": "canceled"}),
        ("I11", {"status": None}),
        ("I11", {"moves": []}),
        ("I11", {"moves": [[None, "processing"], ["refused", "settled"]]}),
        ("I13", {"paid_at": None}),
        ("I13", {"paid_with": None}),
        ("I13", {"payment_status": "processing"}),
        ("I13", {"paid": 9}),
        ("I13", {"paid": 11}),
        ("I13", {"status": "open"}),
        ("I13", {"status": "void"}),
        ("I13", {"lines": 9}),
        ("I22", {"decisions": 0}),
        ("I22", {"decisions": 2}),
        ("I22", {"status": "received"}),
        ("I22", {"status": "waiting", "decisions": 0, "at_rest": True}),
        ("I27", {"clearing": 7}),
        ("I27", {"fees": 0}),
        ("I27", {"theirs": 7}),
    ],
)
def test_a_broken_row_is_named(identity: str, changes: dict[str, Any]) -> None:
    found = breaches(identity, GOOD[identity] | changes)

    assert {each.invariant for each in found} == {identity}
    assert all(each.subject and each.detail for each in found)


def test_an_entry_that_grew_is_named() -> None:
    first, second = POSTING | {"of_n": 2}, POSTING | {"of_n": 2, "n": 2}

    assert breaches("I1", first, second) == []
    assert breaches("I1", first, second | {"recorded_at": NOW.replace(hour=5)}) != []
    assert breaches("I1", first, second | {"tenant": "other"}) != []
    assert breaches("I1", first, second, POSTING | {"of_n": 2, "n": 3}) != []


def test_two_causes_of_one_entry_are_named() -> None:
    cause = GOOD["I3"]

    assert breaches("I3", cause, cause) == []
    assert breaches("I3", cause, cause | {"decision": "d2", "cause": "d2"}) == [Breach("I3", "e", "has 2 causes")]


def test_an_event_stored_twice_is_named() -> None:
    first, second = NEWS | {"provider_event": "a evt_1"}, NEWS | {"inbox": "pevt_2", "provider_event": "a evt_2"}

    assert breaches("I22", first, second) == []
    assert [each.subject for each in breaches("I22", first, second | {"provider_event": "a evt_1"})] == ["pevt_2"]
    assert breaches("I22", NEWS, NEWS) == [], "what is no event has nothing to repeat"


@behaviour("R-SU-3", "R-SU-7")
@pytest.mark.parametrize(
    ("statuses", "settled", "expected"),
    [
        ([], 0, "pending"),
        (["reserved"], 0, "pending"),
        (["reserved", "waiting"], 0, "processing"),
        (["reserved", "processing"], 0, "processing"),
        (["reserved", "requires_action", "processing"], 0, "requires_action"),
        (["reserved", "refused"], 0, "failed"),
        (["released", "refused"], 0, "failed"),
        (["refused", "processing"], 0, "processing"),
        (["released", "canceled"], 0, "canceled"),
        (["returned"], 0, "failed"),
        (["settled", "returned"], 3, "failed"),
        (["settled"], 10, "succeeded"),
        (["settled", "canceled"], 10, "succeeded"),
        # It collected less than it was to, and nothing of it is open any more.
        (["settled", "released"], 7, "succeeded"),
        (["settled", "processing"], 7, "processing"),
    ],
)
def test_a_payment_s_status_is_what_its_legs_say(statuses: list[str], settled: int, expected: str) -> None:
    row = PAYMENT | {"statuses": statuses, "settled": settled, "amount": 10}

    assert breaches("I10", row | {"stored": expected}) == []
    others = {"pending", "processing", "requires_action", "failed", "canceled", "succeeded"} - {expected}
    assert all(breaches("I10", row | {"stored": each}) for each in others)


@pytest.mark.parametrize(
    ("status", "statuses", "expected"),
    [
        ("draft", [], "pending"),
        ("open", [], "pending"),
        ("open", ["canceled", "released"], "pending"),
        ("open", ["settled"], "pending"),
        ("open", ["refused", "reserved"], "failed"),
        ("open", ["processing"], "processing"),
        ("paid", ["settled", "refused"], "succeeded"),
        ("void", ["refused"], "pending"),
        ("uncollectible", ["refused"], "failed"),
    ],
)
def test_an_invoice_s_payment_status_is_what_its_legs_and_its_debt_say(
    status: str, statuses: list[str], expected: str
) -> None:
    row = PAYMENT | {"invoice_status": status, "statuses": statuses, "stored": expected}

    assert breaches("I10", row) == []
    assert breaches("I10", row | {"stored": "requires_action"}) != []


def test_an_open_invoice_that_is_partly_paid_is_no_breach() -> None:
    assert breaches("I13", OPEN) == []
    assert breaches("I13", OPEN | {"status": "uncollectible"}) == []
    assert breaches("I13", OPEN | {"paid": 10}) != []


def test_two_empty_books_do_not_differ() -> None:
    assert list(differences([], [])) == []


def test_a_row_that_is_there_twice_differs_from_one_that_is_there_once() -> None:
    row = {"kind": "posting", "debit": "bank", "credit": "opening", "amount": 5}

    assert [each.detail for each in differences([row, row], [row])] == ["is in the first books only"]
    assert [each.detail for each in differences([row], [row, row])] == ["is in the second books only"]
