"""Values that are stored whole come back as they were, except for secrets, which are not stored at all."""

import json
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.factories import ACCOUNT, CUSTOMER, NOW, declined, grant, invoice, method
from counterfoil.core import effects, facts
from counterfoil.core.effects import Change, Instruct, Post
from counterfoil.core.facts import (
    ActionKind,
    BalanceFact,
    BalanceMoveFact,
    ChangedFact,
    ChargeFee,
    CustomerFact,
    DisputeFact,
    DisputeMoveFact,
    Done,
    Fact,
    IntentFact,
    IntentStatus,
    InvoiceLineFact,
    InvoicePaymentFact,
    MethodFact,
    MissingFact,
    MoneyBackFact,
    MovementFact,
    Notice,
    Outcome,
    PayoutFact,
    ProviderInvoiceFact,
    RefundFact,
    Refusal,
    Refused,
    SessionFact,
    Unfinished,
    Unknown,
    UnreadableFact,
)
from counterfoil.core.ids import OrderId, ProviderRef
from counterfoil.core.journal import Account, Entry, Posting
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.money import CURRENCIES, Money
from counterfoil.core.orders import (
    AddInvoiceLine,
    AttachMethod,
    CancelIntent,
    ConfirmIntent,
    CreateCustomer,
    CreateIntent,
    CreateInvoice,
    DeleteDraft,
    FinalizeInvoice,
    Instruction,
    Order,
    PayInvoice,
    SetDefaultMethod,
    UpdateCustomer,
    VoidInvoice,
)
from counterfoil.store.codec import MODULES, decode, encode, storable, to_json

WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)
MAYBE = st.none() | WORDS
TIMES = st.integers(0, 10**9).map(lambda seconds: NOW + timedelta(seconds=seconds, microseconds=seconds % 999_999))
MONEY = st.builds(Money, st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from(sorted(CURRENCIES)))
NO_METADATA = st.builds(dict[str, str])
REFUSALS = st.builds(Refusal, WORDS, MAYBE, WORDS, MAYBE)
INTENTS = st.builds(
    IntentFact,
    WORDS,
    st.sampled_from(IntentStatus),
    MONEY,
    MONEY,
    MAYBE,
    MAYBE,
    MAYBE,
    st.none() | st.builds(ChargeFee, WORDS, MONEY),
    st.none() | REFUSALS,
    MAYBE,
    st.none() | st.sampled_from(ActionKind),
    st.none(),
    st.booleans(),
    NO_METADATA,
    MAYBE,
)
WHOLE = st.integers(-(2**40), 2**40)
LINES = st.lists(st.builds(InvoiceLineFact, WORDS, WHOLE, MAYBE), max_size=2).map(tuple)
PAID = st.lists(st.builds(InvoicePaymentFact, WORDS, WORDS, WHOLE, st.none() | INTENTS), max_size=2).map(tuple)
MOVES = st.builds(BalanceMoveFact, WORDS, WORDS, WHOLE, WORDS, MAYBE)
GIVEN = st.builds(RefundFact, WORDS, WORDS, WHOLE, WORDS)
TAKEN = st.lists(st.builds(DisputeMoveFact, WORDS, WHOLE, WHOLE, WORDS), max_size=2).map(tuple)
FOUGHT = st.builds(DisputeFact, WORDS, WORDS, WHOLE, WORDS, TAKEN, WORDS, st.none() | TIMES)
MOVEMENTS = st.builds(MovementFact, WORDS, WORDS, WHOLE, WHOLE, WORDS, TIMES, TIMES, MAYBE, MAYBE, st.none() | MONEY)
FACTS: st.SearchStrategy[Fact] = st.one_of(
    INTENTS,
    st.builds(SessionFact, WORDS, WORDS, WORDS),
    st.builds(CustomerFact, WORDS, st.booleans(), MAYBE),
    st.builds(MethodFact, WORDS, WORDS, MAYBE, MAYBE, MAYBE, MAYBE, MAYBE),
    st.builds(
        ProviderInvoiceFact, WORDS, WORDS, WORDS, *[WHOLE] * 8, st.none() | WHOLE, MAYBE, MAYBE, MAYBE, LINES, PAID
    ),
    st.builds(BalanceFact, WORDS, WORDS, st.lists(MOVES, max_size=2).map(tuple)),
    st.builds(
        MoneyBackFact, WORDS, WORDS, st.lists(GIVEN, max_size=2).map(tuple), st.lists(FOUGHT, max_size=2).map(tuple)
    ),
    st.builds(PayoutFact, WORDS, WORDS, WHOLE, WORDS, st.booleans(), TIMES, st.none() | TIMES, MAYBE),
    st.builds(ChangedFact, WORDS),
    st.builds(MissingFact, WORDS),
    st.builds(UnreadableFact, WORDS, WORDS),
)
OUTCOMES: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Done, FACTS),
    st.builds(Refused, REFUSALS, st.none() | FACTS),
    st.builds(Unfinished, WORDS, st.integers(0, 9)),
    st.builds(Unknown, WORDS),
)
INSTRUCTIONS: st.SearchStrategy[Instruction] = st.one_of(
    st.builds(CreateCustomer, WORDS),
    st.builds(UpdateCustomer, WORDS),
    st.builds(AttachMethod, WORDS, WORDS, st.booleans()),
    st.builds(CreateIntent, WORDS, WORDS, MONEY, MAYBE, WORDS),
    st.builds(ConfirmIntent, WORDS, WORDS, WORDS),
    st.builds(CancelIntent, WORDS, WORDS),
    st.builds(SetDefaultMethod, WORDS, WORDS),
    st.builds(CreateInvoice, WORDS, WORDS, WORDS, WORDS),
    st.builds(AddInvoiceLine, WORDS, WORDS, WORDS, MONEY, WORDS),
    st.builds(FinalizeInvoice, WORDS, WORDS),
    st.builds(PayInvoice, WORDS, WORDS, WORDS),
    st.builds(VoidInvoice, WORDS, WORDS),
    st.builds(DeleteDraft, WORDS, WORDS),
)
NOTICES = st.builds(Notice, WORDS, WORDS, WORDS, WORDS, TIMES, st.booleans(), MAYBE, WORDS, WORDS, MAYBE)


def through_json(value: Any) -> Any:
    return decode(json.loads(to_json(value)))


@given(st.one_of(FACTS, OUTCOMES, INSTRUCTIONS, NOTICES, MOVEMENTS))
def test_what_is_stored_comes_back(value: Any) -> None:
    assert through_json(value) == value


def test_every_member_of_the_stored_unions_is_among_the_examples() -> None:
    money = (RefundFact, DisputeFact, DisputeMoveFact, BalanceMoveFact, MovementFact)
    parts = (Refusal, ChargeFee, InvoiceLineFact, InvoicePaymentFact, *money)
    made: list[type] = [*get_args(Fact), *get_args(Outcome), *get_args(Instruction), Notice, *parts]

    assert {name for name, each in vars(facts).items() if is_dataclass(each) and each.__module__ == facts.__name__} == {
        each.__name__ for each in made if each.__module__ == facts.__name__
    }


@pytest.mark.parametrize(
    "effect",
    [
        Change(None, grant(1, 30)),
        Change(method(), method(is_default=False)),
        Change(invoice(), invoice(paid_minor=5)),
        Post(Entry("k", "s", NOW, (Posting(Account("clearing", ACCOUNT), Account("revenue"), "USD", 1),))),
        Instruct(Order(OrderId("o"), ACCOUNT, CUSTOMER, "s", CreateCustomer(CUSTOMER), OrderStatus.QUEUED, NOW)),
    ],
)
def test_effects_come_back_with_the_subjects_in_them(effect: effects.Effect) -> None:
    assert through_json(effect) == effect


def test_a_secret_is_never_written() -> None:
    fact = IntentFact(
        ProviderRef("pi_1"),
        IntentStatus.NEEDS_METHOD,
        Money(1, "USD"),
        Money(0, "USD"),
        client_secret="pi_1_secret_xyz",
    )

    assert "secret" not in to_json(fact)
    assert through_json(fact).client_secret is None
    assert "secret_xyz" not in repr(fact)


def test_no_two_of_our_values_share_a_name() -> None:
    """A value is stored under its class's name alone."""
    names = [
        name
        for module in MODULES
        for name, each in vars(module).items()
        if isinstance(each, type) and is_dataclass(each) and each.__module__ == module.__name__
    ]

    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("data", [None, 5, "text", [], {}, {"is": None}, {"is": "Popen"}, {"is": "Money"}])
def test_what_is_not_ours_is_an_error(data: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        decode(data)


def test_a_value_that_lacks_something_is_an_error_and_not_a_guess() -> None:
    written = encode(CreateCustomer(CUSTOMER))
    del written["customer"]

    with pytest.raises(TypeError, match="customer"):
        decode(written)


@pytest.mark.parametrize(
    ("text", "kept"), [("a\x00b", "a\ufffdb"), ("\ud800", "\ufffd" * 3), ("plain – 日本", "plain – 日本"), ("👍", "👍")]
)
def test_text_that_postgres_refuses_is_made_storable(text: str, kept: str) -> None:
    assert storable(text) == kept


def test_what_others_wrote_into_an_object_s_metadata_is_never_stored() -> None:
    """It may be personal, and what is stored of facts is not erased with a person."""
    written = to_json(CustomerFact(ProviderRef("cus_1"), metadata={"note": "dana@example.com"}))

    assert "dana" not in written


@given(st.text(st.characters(), max_size=20))
def test_any_text_can_be_stored(text: str) -> None:
    written = to_json(UnreadableFact(ProviderRef("cus_1"), text))

    assert "\\u0000" not in written
    written.encode("utf-8")


def test_a_refusal_is_readable_in_the_stored_text() -> None:
    told = json.loads(to_json(declined("pi_1")))

    assert told["refusal"] == {
        "is": "Refusal",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "",
    }
    assert [each.name for each in fields(Refusal)] == ["code", "decline_code", "message", "try_ref"]
