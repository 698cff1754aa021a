"""The rules of what people ask for: a customer erased or changed, a question answered."""

from dataclasses import replace
from datetime import timedelta

import pytest

from core.factories import ACCOUNT, CUSTOMER, CUSTOMER_REF, NOW, Counting, books, customer
from counterfoil.core.books import Books, Case
from counterfoil.core.cases import Resolution, answered_by_claim, decide_resolve
from counterfoil.core.customers import decide_erase, decide_update_customer
from counterfoil.core.effects import Act, Change, Instruct, Notify, Park, Reason, Refuse, Skip, effects_of
from counterfoil.core.facts import CustomerFact, Done, Refusal, Refused, Unknown
from counterfoil.core.ids import CaseId, OrderId, ProviderRef, typeid
from counterfoil.core.lifecycle import CaseStatus, OrderStatus
from counterfoil.core.orders import STORED_ERROR, CreateCustomer, Instruction, Order, UpdateCustomer, must_ask_first
from counterfoil.core.replies import decide_reply

LATER = NOW + timedelta(days=2)
CASE = Case(CaseId(typeid("case", 1)), Reason.MONEY_UNEXPLAINED, "pi_1", "Whose is it?", NOW, customer=CUSTOMER)
UPDATE, CREATE = UpdateCustomer(CUSTOMER), CreateCustomer(CUSTOMER)


def order(instruction: Instruction, status: OrderStatus, *, sent: bool = True) -> Order:
    identity = OrderId(typeid("ordr", 1))
    return Order(identity, ACCOUNT, CUSTOMER, CUSTOMER, instruction, status, NOW, sent_at=NOW if sent else None)


def held(**changes: object) -> Books:
    return books(customer=customer(**changes))


def instructions(*orders: Order, at: Books | None = None) -> list[Instruction]:
    """What the provider is told when a name changes."""
    decision = decide_update_customer(at or held(), orders, LATER, Counting(), told=True)
    return [each.order.instruction for each in effects_of(decision) if isinstance(each, Instruct)]


def test_a_changed_name_is_told_to_the_provider() -> None:
    assert instructions() == [UPDATE]
    assert effects_of(decide_update_customer(held(), (), LATER, Counting(), told=False)) == ()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (OrderStatus.QUEUED, []),
        (OrderStatus.UNKNOWN, []),
        (OrderStatus.SENT, [UPDATE]),
        (OrderStatus.DONE, [UPDATE]),
        (OrderStatus.REFUSED, [UPDATE]),
    ],
)
def test_an_order_that_is_still_to_leave_tells_the_newest_name(status: OrderStatus, told: list[Instruction]) -> None:
    assert instructions(order(UPDATE, status)) == told


@pytest.mark.parametrize(
    ("create", "told"),
    [
        (order(CREATE, OrderStatus.QUEUED, sent=False), []),
        (order(CREATE, OrderStatus.SENT), [UPDATE]),
        (order(CREATE, OrderStatus.UNKNOWN), [UPDATE]),
        (order(CREATE, OrderStatus.REFUSED), []),
    ],
)
def test_a_customer_in_the_making_is_told_only_if_the_old_name_may_have_left(
    create: Order, told: list[Instruction]
) -> None:
    assert instructions(create, at=held(provider_ref=None)) == told


def test_a_customer_that_is_gone_at_the_provider_is_told_nothing() -> None:
    assert instructions(at=held(deleted_at_provider=True)) == []


def test_an_erasure_marks_the_customer_tells_it_and_clears_the_provider_s_copy() -> None:
    decision = decide_erase(held(), (), LATER, Counting())

    assert isinstance(decision, Act)
    changed, told, sent = decision.effects
    assert changed == Change(customer(), customer(erased_at=LATER))
    assert isinstance(told, Notify)
    assert (told.kind, told.data) == ("customer.erased", {"customer": CUSTOMER})
    assert isinstance(sent, Instruct)
    assert sent.order.instruction == UPDATE


def test_what_was_erased_is_neither_erased_nor_changed_again() -> None:
    erased = held(erased_at=NOW)

    changed = decide_update_customer(erased, (), LATER, Counting(), told=True)

    assert isinstance(decide_erase(erased, (), LATER, Counting()), Skip)
    assert isinstance(changed, Refuse)
    assert changed.why.reason is Reason.CUSTOMER_ERASED


def test_a_try_to_tell_the_provider_never_has_to_be_looked_up() -> None:
    lost = replace(order(UPDATE, OrderStatus.UNKNOWN), why=STORED_ERROR)

    assert not must_ask_first(lost, LATER)
    assert must_ask_first(replace(lost, instruction=CREATE), LATER)


def reply(instruction: Instruction, outcome: Done | Refused | Unknown) -> tuple[str, OrderStatus, list[str]]:
    """The reason, where the order ends, and whom is asked about what."""
    sent = order(instruction, OrderStatus.SENT)
    decision = decide_reply(books(), sent, outcome, LATER, Counting())
    after = [each.after for each in effects_of(decision) if isinstance(each, Change)]
    ends = next(each.status for each in after if isinstance(each, Order))
    asked = [str(each.customer) for each in after if isinstance(each, Case)]
    assert bool(asked) is isinstance(decision, Park)
    return decision.why.reason, ends, asked


def test_what_became_of_telling_the_provider() -> None:
    told = Done(CustomerFact(CUSTOMER_REF))

    assert reply(UPDATE, told) == ("customer_told", OrderStatus.DONE, [])
    assert reply(UPDATE, Unknown("no_reply")) == ("outcome_unknown", OrderStatus.UNKNOWN, [])
    assert reply(UPDATE, Refused(Refusal("resource_missing"))) == ("order_refused", OrderStatus.REFUSED, [])
    assert reply(UPDATE, Refused(Refusal("email_invalid"))) == ("order_refused", OrderStatus.REFUSED, [CUSTOMER])


def test_a_key_that_stands_for_an_older_name_says_that_the_first_try_arrived() -> None:
    refused = Refused(Refusal("idempotency_error"))

    assert reply(CREATE, refused) == ("outcome_unknown", OrderStatus.UNKNOWN, [])
    assert reply(UPDATE, refused) == ("order_refused", OrderStatus.REFUSED, [CUSTOMER])


# --- questions ---


def test_an_answer_closes_a_question_and_is_told_to_its_customer() -> None:
    decision = decide_resolve(CASE, Resolution.DISMISSED, LATER)

    assert isinstance(decision, Act)
    changed, told = decision.effects
    closed = replace(CASE, status=CaseStatus.RESOLVED, resolution="dismissed", resolved_at=LATER)
    assert changed == Change(CASE, closed)
    assert isinstance(told, Notify)
    assert told.data == {"case": CASE.id, "question": "money_unexplained", "resolution": "dismissed"}


def test_nobody_is_told_of_a_question_that_is_nobody_s() -> None:
    decision = decide_resolve(replace(CASE, customer=None), Resolution.HANDLED, LATER)

    assert [type(each) for each in effects_of(decision)] == [Change]


def test_an_answer_stays() -> None:
    answered = replace(CASE, status=CaseStatus.RESOLVED, resolution="handled", resolved_at=NOW)

    other = decide_resolve(answered, Resolution.DISMISSED, LATER)

    assert isinstance(decide_resolve(answered, Resolution.HANDLED, LATER), Skip)
    assert isinstance(other, Refuse)
    assert other.why.reason is Reason.CASE_NOT_OPEN


def test_a_claim_answers_what_was_asked_about_its_money_and_nothing_else() -> None:
    others = (replace(CASE, subject="pi_2"), replace(CASE, question=Reason.OVERPAID))

    effects = answered_by_claim((CASE, *others), ProviderRef("pi_1"), LATER)

    after = [each.after for each in effects if isinstance(each, Change)]
    assert after == [replace(CASE, status=CaseStatus.RESOLVED, resolution="claimed", resolved_at=LATER)]
