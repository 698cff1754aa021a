"""Customers and their saved payment methods: the commands, and what the provider says about them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Final

from counterfoil.core.books import (
    Books,
    Customer,
    Method,
)
from counterfoil.core.effects import (
    Act,
    Change,
    Decision,
    Effect,
    Instruct,
    Notify,
    Reason,
    Refuse,
    Skip,
    Why,
)
from counterfoil.core.facts import CustomerFact, MethodFact
from counterfoil.core.ids import CustomerId, MethodId, NewId, OrderId
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.orders import AttachMethod, CreateCustomer, Instruction, Order, UpdateCustomer

CREATE: Final = "create-customer@1"
UPDATE: Final = "update-customer@1"
ERASE: Final = "erase-customer@1"
PAUSE: Final = "pause-customer@1"
SAVE_METHOD: Final = "save-method@1"
PROVIDER_CUSTOMER: Final = "follow-customer@1"


def decide_create_customer(wanted: Customer, now: datetime, new_id: NewId) -> Decision:
    """Create a customer. Unless it names one that exists at the provider, it is made there too."""
    effects: tuple[Effect, ...] = (Change(None, wanted),)
    if wanted.provider_ref is None:
        effects += (_order(wanted, wanted.id, CreateCustomer(wanted.id), now, new_id),)
    data: dict[str, str | int] = {"customer": wanted.id}
    effects += (Notify(f"customer.created:{wanted.id}", "customer.created", wanted.id, wanted.id, data),)
    sentence = "The customer is on the books" + ("." if wanted.provider_ref else "; it is being made at the provider.")
    return Act(Why(CREATE, Reason.CUSTOMER_CREATED, sentence, (wanted.id,)), effects)


def decide_update_customer(
    books: Books, orders: Iterable[Order], now: datetime, new_id: NewId, *, told: bool
) -> Decision:
    """Change what is personal about a customer. It stands apart from the books; nothing here depends on it.

    `told` says that something changes which the provider has a copy of; `orders` are those about the customer itself.
    """
    customer = books.customer
    if customer.erased_at:
        sentence = "This customer's personal data were erased. They are never filled in again."
        return Refuse(Why(UPDATE, Reason.CUSTOMER_ERASED, sentence, (customer.id,)), "customer")
    effects = _tell_provider(customer, orders, now, new_id) if told else ()
    sentence = "The customer's personal fields were changed" + ("; the provider is told." if effects else ".")
    return Act(Why(UPDATE, Reason.CUSTOMER_UPDATED, sentence, (customer.id,)), effects)


def decide_erase(books: Books, orders: Iterable[Order], now: datetime, new_id: NewId) -> Decision:
    """Erase what is personal about a customer, here and in the provider's copy. The books stay: they hold ids only."""
    customer = books.customer
    if customer.erased_at:
        sentence = "The customer's personal data were erased before."
        return Skip(Why(ERASE, Reason.ALREADY_KNOWN, sentence, (customer.id,)))
    data: dict[str, str | int] = {"customer": customer.id}
    effects: tuple[Effect, ...] = (
        Change(customer, replace(customer, erased_at=now)),
        Notify(f"customer.erased:{customer.id}", "customer.erased", customer.id, customer.id, data),
        *_tell_provider(customer, orders, now, new_id),
    )
    sentence = "The customer's personal data were erased; invoices, payments and the journal keep its id."
    return Act(Why(ERASE, Reason.PERSONAL_DATA_ERASED, sentence, (customer.id,)), effects)


def _tell_provider(customer: Customer, orders: Iterable[Order], now: datetime, new_id: NewId) -> tuple[Effect, ...]:
    """Have the provider's copy made like ours, unless an order that is still to leave does so anyway."""
    about = tuple(orders)
    is_under_way = any(isinstance(each.instruction, CreateCustomer) and each.open and each.sent_at for each in about)
    if customer.deleted_at_provider or not (customer.provider_ref or is_under_way):
        return ()
    yet_to_leave = (OrderStatus.QUEUED, OrderStatus.UNKNOWN)
    if any(isinstance(each.instruction, UpdateCustomer) and each.status in yet_to_leave for each in about):
        return ()
    return (_order(customer, customer.id, UpdateCustomer(customer.id), now, new_id),)


def decide_pause(books: Books, *, paused: bool) -> Decision:
    """Pause a customer, so that nothing is collected and no order leaves, or resume it."""
    customer = books.customer
    if customer.paused is paused:
        sentence = f"The customer is {'paused' if paused else 'not paused'} already."
        return Skip(Why(PAUSE, Reason.ALREADY_KNOWN, sentence, (customer.id,)))
    word = "paused by a person; nothing is collected until it is resumed" if paused else "resumed"
    reason = Reason.CUSTOMER_HELD if paused else Reason.CUSTOMER_RESUMED
    why = Why(PAUSE, reason, f"The customer was {word}.", (customer.id,))
    return Act(why, (Change(customer, replace(customer, paused=paused)),))


def decide_add_method(
    books: Books, token: str, make_default: bool, wanted: MethodId, now: datetime, new_id: NewId
) -> Decision:
    """Ask the provider to save a payment method. It is ours only once the provider says that it is saved.

    `wanted` is the id that the method will have.
    """
    if books.customer.deleted_at_provider:
        sentence = "This customer was deleted at the provider; no payment method can be saved for it."
        return Refuse(Why(SAVE_METHOD, Reason.METHOD_NOT_USABLE, sentence, (books.customer.id,)), "customer")
    default = make_default or not any(each.attached for each in books.methods)
    order = _order(books.customer, wanted, AttachMethod(books.customer.id, token, default), now, new_id)
    sentence = "The provider is asked to save the payment method."
    return Act(Why(SAVE_METHOD, Reason.METHOD_REQUESTED, sentence, (wanted, books.customer.id)), (order,))


def decide_method_fact(
    books: Books,
    fact: MethodFact,
    now: datetime,
    new_id: NewId,
    *,
    make_default: bool = False,
    wanted: str | None = None,
) -> Decision:
    """Follow a payment method as it is at the provider: saved, changed or detached."""
    held = next((each for each in books.methods if each.provider_ref == fact.ref), None)
    about = (held.id if held else wanted or fact.ref, books.customer.id)
    if fact.customer_ref is None or fact.customer_ref != books.customer.provider_ref:
        return _detached(books, fact, held, about)
    identity = held.id if held else MethodId(wanted or new_id("method"))
    after = Method(
        id=identity,
        customer=books.customer.id,
        account=books.customer.account,
        provider_ref=fact.ref,
        kind=fact.kind,
        created_at=held.created_at if held else now,
        brand=fact.brand,
        last4=fact.last4,
        expires=fact.expires,
        fingerprint=fact.fingerprint,
        is_default=make_default or (held is not None and held.is_default),
    )
    if after == held:
        return Skip(
            Why(SAVE_METHOD, Reason.ALREADY_KNOWN, f"Payment method {fact.ref} is on the books as it is.", about)
        )
    effects: tuple[Effect, ...] = (*_no_longer_default(books, after), Change(held, after))
    sentence = f"Payment method {fact.ref} ({fact.brand or fact.kind} {fact.last4 or ''}) is saved for the customer."
    return Act(Why(SAVE_METHOD, Reason.METHOD_SAVED, sentence, about), effects)


def _detached(books: Books, fact: MethodFact, held: Method | None, about: tuple[str, ...]) -> Decision:
    if held is None or not held.attached:
        return Skip(
            Why(SAVE_METHOD, Reason.NOT_OURS, f"Payment method {fact.ref} is not saved for this customer.", about)
        )
    effects = (Change(held, replace(held, attached=False, is_default=False)),)
    sentence = f"Payment method {fact.ref} was detached at the provider; it can no longer be charged."
    return Act(Why(SAVE_METHOD, Reason.METHOD_DETACHED, sentence, about), effects)


def _no_longer_default(books: Books, chosen: Method) -> tuple[Effect, ...]:
    if not chosen.is_default:
        return ()
    others = (each for each in books.methods if each.is_default and each.id != chosen.id)
    return tuple(Change(each, replace(each, is_default=False)) for each in others)


def decide_customer_fact(books: Books, fact: CustomerFact) -> Decision:
    """Follow a customer as it is at the provider: gone, or with another default method."""
    customer = books.customer
    about = (customer.id, fact.ref)
    if fact.deleted and not customer.deleted_at_provider:
        sentence = f"The customer {fact.ref} was deleted at the provider; it can't be charged there any more."
        methods = tuple(Change(each, replace(each, attached=False, is_default=False)) for each in books.methods)
        gone = Change(customer, replace(customer, deleted_at_provider=True))
        return Act(Why(PROVIDER_CUSTOMER, Reason.CUSTOMER_DELETED, sentence, about), (gone, *methods))
    chosen = next((each for each in books.methods if each.provider_ref == fact.default_method_ref), None)
    if chosen is None or chosen.is_default or not chosen.attached:
        sentence = f"The customer {fact.ref} at the provider says nothing that our books need."
        return Skip(Why(PROVIDER_CUSTOMER, Reason.ALREADY_KNOWN, sentence, about))
    default = replace(chosen, is_default=True)
    sentence = f"The customer's default payment method at the provider is now {chosen.provider_ref}."
    effects = (*_no_longer_default(books, default), Change(chosen, default))
    return Act(Why(PROVIDER_CUSTOMER, Reason.METHOD_SAVED, sentence, about), effects)


def _order(customer: Customer, subject: str, instruction: Instruction, now: datetime, new_id: NewId) -> Instruct:
    identity = OrderId(new_id("order"))
    order = Order(identity, customer.account, CustomerId(customer.id), subject, instruction, OrderStatus.QUEUED, now)
    return Instruct(order)
