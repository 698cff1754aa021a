"""Customers and their saved payment methods: the commands, and what the provider says about them."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
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
    Observe,
    Reason,
    Refuse,
    Skip,
    Why,
)
from counterfoil.core.facts import CustomerFact, MethodFact, balance_ref
from counterfoil.core.ids import CustomerId, MethodId, NewId, OrderId
from counterfoil.core.lifecycle import OrderStatus
from counterfoil.core.orders import AttachMethod, CreateCustomer, Instruction, Order, UpdateCustomer

CREATE: Final = "create-customer@1"
UPDATE: Final = "update-customer@1"
ERASE: Final = "erase-customer@1"
PAUSE: Final = "pause-customer@1"
SAVE_METHOD: Final = "save-method@1"
STANDING: Final = "note-standing@1"
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


def decide_standing(books: Books, *, email_verified: bool, risk: str | None) -> Decision:
    """Note what the application says of a customer: that its address is its own, and why nothing is sold to it."""
    customer = books.customer
    changed = replace(customer, email_verified=email_verified, risk=risk)
    if changed == customer:
        return Skip(Why(STANDING, Reason.ALREADY_KNOWN, "That is known of this customer already.", (customer.id,)))
    address = "is its own" if email_verified else "is not verified"
    flag = f"nothing is sold to it because of {risk}" if risk else "no risk is flagged"
    sentence = f"The application says: the customer's address {address}; {flag}."
    return Act(Why(STANDING, Reason.STANDING_CHANGED, sentence, (customer.id,)), (Change(customer, changed),))


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
        country=fact.country,
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


def decide_customer_fact(
    books: Books, fact: CustomerFact, now: datetime, credit_minor: int = 0, *, looked: bool = False
) -> Decision:
    """Follow a customer as it is at the provider: gone, billed in a currency, with another default or balance.

    `credit_minor` is what our books say the customer has in credit there; below zero it owes. `looked` says that this
    is a look of our own, after which we don't look again.
    """
    customer = books.customer
    about = (customer.id, fact.ref)
    if fact.deleted and not customer.deleted_at_provider:
        sentence = f"The customer {fact.ref} was deleted at the provider; it can't be charged there any more."
        methods = tuple(Change(each, replace(each, attached=False, is_default=False)) for each in books.methods)
        gone = Change(customer, replace(customer, deleted_at_provider=True))
        return Act(Why(PROVIDER_CUSTOMER, Reason.CUSTOMER_DELETED, sentence, about), (gone, *methods))
    moved = _balance_moved(customer, fact, now, credit_minor)
    billed = _billed_in(customer, fact)
    default = _default_there(books, fact) or (() if looked else _unknown_source(books, fact, now))
    if not (moved or billed or default):
        sentence = f"The customer {fact.ref} at the provider says nothing that our books need."
        return Skip(Why(PROVIDER_CUSTOMER, Reason.ALREADY_KNOWN, sentence, about))
    named = fact.default_method_ref or fact.default_source_ref
    sentence = f"The customer's default payment method at the provider is now {named}."
    reason = Reason.METHOD_SAVED
    if not default:
        reason = Reason.BALANCE_MOVED if moved else Reason.CUSTOMER_UPDATED
        sentence = "The customer's balance at the provider moved; it is looked at." if moved else BILLED.format(fact)
    return Act(Why(PROVIDER_CUSTOMER, reason, sentence, about), (*billed, *default, *moved))


BILLED: Final = "The provider bills this customer in {0.currency} from now on."


def _balance_moved(customer: Customer, fact: CustomerFact, now: datetime, credit_minor: int) -> tuple[Effect, ...]:
    """Have the balance looked at when it is not as our books have it."""
    if fact.deleted or -fact.balance_minor == credit_minor:
        return ()
    return (Observe(customer.account, "customer_balance", balance_ref(fact.ref), now, "the customer's balance moved"),)


def _billed_in(customer: Customer, fact: CustomerFact) -> tuple[Effect, ...]:
    if fact.currency is None or fact.currency == customer.currency:
        return ()
    return (Change(customer, replace(customer, currency=fact.currency)),)


def _unknown_source(books: Books, fact: CustomerFact, now: datetime) -> tuple[Effect, ...]:
    """Look at a default source of older times that is not on our books, and then at the customer again.

    Nothing tells of such a source when it is saved, as it does of a payment method.
    """
    source = fact.default_source_ref
    if source is None or fact.default_method_ref or any(each.provider_ref == source for each in books.methods):
        return ()
    account, again = books.customer.account, now + AFTER_THE_SOURCE
    return (
        Observe(account, "payment_method", source, now, "it is the customer's default source"),
        Observe(account, "customer", fact.ref, again, "its default source was looked at"),
    )


def _default_there(books: Books, fact: CustomerFact) -> tuple[Effect, ...]:
    """Follow the default: that of invoices, else the default source of older times."""
    named = fact.default_method_ref or fact.default_source_ref
    chosen = next((each for each in books.methods if each.provider_ref == named), None)
    if chosen is None or chosen.is_default or not chosen.attached:
        return ()
    default = replace(chosen, is_default=True)
    return (*_no_longer_default(books, default), Change(chosen, default))


AFTER_THE_SOURCE: Final = timedelta(seconds=5)
"""How much later the customer is looked at again, when its default source was not known yet."""


def _order(customer: Customer, subject: str, instruction: Instruction, now: datetime, new_id: NewId) -> Instruct:
    identity = OrderId(new_id("order"))
    order = Order(identity, customer.account, CustomerId(customer.id), subject, instruction, OrderStatus.QUEUED, now)
    return Instruct(order)
