"""How the host application writes our invoices into the metadata of its own payments, and what such a text names.

The mapping is declared, typed and versioned. A text that is not of a declared form is garbage, which is never skipped:
it is about money.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from counterfoil.core import journal, launch
from counterfoil.core.books import Books, Case, Confirmation, Invoice, invoice_of
from counterfoil.core.effects import Act, Change, Decision, Effect, Park, Post, Reason, Refuse, Skip, Why
from counterfoil.core.facts import IntentFact, IntentStatus
from counterfoil.core.ids import AccountId, CaseId, InvoiceId, NewId, noun_of
from counterfoil.core.launch import Launch
from counterfoil.core.money import Money
from counterfoil.core.settlement import inputs_of
from counterfoil.core.strangers import Held, fee_of

RULE: Final = "claim-by-metadata@1"
FORMAT: Final = 1
"""The version of what a mapping may say."""
IDS_MAX: Final = 50
"""More invoices than one text of metadata can name: the provider keeps 500 characters of each."""


class Form(StrEnum):
    """How invoices are written."""

    ID = "id"
    """One id, as it is."""
    LIST = "list"
    """A JSON list of ids."""


@dataclass(frozen=True, slots=True)
class MetadataMapping:
    """Under which key, and in which forms, the host application names our invoices. `revision` grows with each change;
    0 is nothing declared."""

    revision: int = 0
    version: int = FORMAT
    key: str = ""
    forms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """The invoices that a text names, each once, in its order."""

    invoices: tuple[InvoiceId, ...]


@dataclass(frozen=True, slots=True)
class Garbage:
    """A text that names nothing that we can read, and why."""

    why: str


Reading: TypeAlias = Named | Garbage


def read(mapping: MetadataMapping, metadata: Mapping[str, str]) -> Reading | None:
    """Read what metadata name, None when they say nothing under the key. A total function: any text is an answer."""
    text = metadata.get(mapping.key) if mapping.key else None
    if text is None:
        return None
    found = _listed(text) if Form.LIST in mapping.forms else None
    if found is None and Form.ID in mapping.forms:
        found = (text.strip(),)
    if not found:
        return Garbage("it is of none of the declared forms")
    if len(found) > IDS_MAX or len(set(found)) != len(found):
        return Garbage("it names an invoice twice, or too many")
    if any(noun_of(each) != "invoice" for each in found):
        return Garbage("it names what is no invoice")
    return Named(tuple(InvoiceId(each) for each in found))


def _listed(text: str) -> tuple[str, ...] | None:
    """Read a JSON list of texts, None when it is anything else."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        return None
    return tuple(found)


MOVES_MONEY: Final = frozenset({IntentStatus.SUCCEEDED, IntentStatus.PROCESSING, IntentStatus.NEEDS_ACTION})
"""Where a payment of the host application is worth claiming: it collects, or the customer is doing their part."""


def claims(fact: IntentFact) -> bool:
    """Say whether a payment may be claimed by its metadata: money moved by it, or is about to."""
    return not fact.pays_provider_invoice and fact.status in MOVES_MONEY


def decide_claim(
    books: Books | None,
    account: AccountId,
    fact: IntentFact,
    reading: Reading,
    held: Held,
    now: datetime,
    new_id: NewId,
) -> Decision:
    """Claim a payment of the host application for the invoices that its metadata name, once everything fits.

    Metadata alone never route money: customer, currency and amount are compared first, and what settles is the payment
    that is launched here, by the same road as any other. What does not fit is kept apart, and a person is asked.
    """
    if isinstance(reading, Garbage):
        sentence = f"The metadata of {fact.ref} can't be read: {reading.why}. Nothing was settled by it; claim it."
        return _kept_apart(account, fact, held, Reason.METADATA_UNREADABLE, sentence, now, new_id)
    odd = _oddity(books, fact, reading)
    if books is None or odd:
        sentence = f"The metadata of {fact.ref} name invoices that it does not fit. {odd} Nothing was settled by it."
        return _kept_apart(account, fact, held, Reason.METADATA_MISMATCH, sentence, now, new_id)
    wanted = Launch(reading.invoices, use_credits=False, confirmation=Confirmation.HOST, provider_ref=fact.ref)
    decision = launch.decide_launch(books, wanted, now, new_id)
    if isinstance(decision, Refuse):
        sentence = f"The metadata of {fact.ref} name invoices that can't be collected by it. {decision.why.sentence}"
        return _kept_apart(account, fact, held, Reason.METADATA_MISMATCH, sentence, now, new_id)
    assert isinstance(decision, Act)
    names = ", ".join(_names(books, reading))
    sentence = f"The metadata of {fact.ref} name {names}; customer, currency and amount fit, so it is claimed for them."
    why = replace(decision.why, rule=RULE, sentence=sentence, about=(fact.ref, *decision.why.about))
    return Act(why, decision.effects)


def _oddity(books: Books | None, fact: IntentFact, named: Named) -> str | None:
    """Compare what the provider holds with what we are owed, before any of it is believed."""
    if books is None:
        return "They are not all invoices of one customer of ours."
    invoices = _invoices(books, named)
    if len(invoices) != len(named.invoices):
        return "They are not all invoices of one customer of ours."
    if books.customer.provider_ref is None or fact.customer_ref != books.customer.provider_ref:
        return f"It belongs to the provider's customer {fact.customer_ref}, not to that of the invoices."
    if {each.currency for each in invoices} != {fact.amount.currency}:
        return f"It is in {fact.amount.currency}, and they are not."
    due = sum(each.due_minor for each in invoices)
    if due != fact.amount.minor:
        return f"It is for {fact.amount}, and they have {Money(due, fact.amount.currency)} left to pay."
    return None


def _invoices(books: Books, named: Named) -> tuple[Invoice, ...]:
    return tuple(each for each in (invoice_of(books, one) for one in named.invoices) if each)


def _names(books: Books, named: Named) -> tuple[str, ...]:
    return tuple(each.number or each.id for each in _invoices(books, named))


def _kept_apart(
    account: AccountId, fact: IntentFact, held: Held, question: Reason, sentence: str, now: datetime, new_id: NewId
) -> Decision:
    """Put money that came into suspense and ask a person, once. What is only on its way is asked about too."""
    fee = fee_of(account, fact, held, now)
    if held.money and not fee:
        return Skip(_why(Reason.ALREADY_KNOWN, f"The money of {fact.ref} is in suspense already.", fact))
    if held.money:
        return Act(_why(Reason.FEE_BOOKED, f"The provider's fee for {fact.ref} became known.", fact), fee)
    case = Case(CaseId(new_id("case")), question, fact.ref, sentence, now, customer=held.customer)
    came: tuple[Effect, ...] = ()
    if fact.received.minor > 0:
        came = (Post(journal.money_unexplained(account, fact.ref, fact.received, now)), *fee)
    return Park(_why(question, sentence, fact), (*came, Change(None, case)))


def _why(reason: Reason, sentence: str, fact: IntentFact) -> Why:
    return Why(RULE, reason, sentence, (fact.ref,), inputs_of(fact))
