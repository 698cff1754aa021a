"""A customer's balance at the provider: below zero is credit, above is owed; every movement has its transaction."""

from __future__ import annotations

from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid, resource_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Need, Text, Whole
from counterfoil.sandbox.routing import Route

KIND = "customer_balance_transaction"


def move(
    call: Call, customer: Doc, amount: int, currency: str, kind: str = "adjustment", invoice: str | None = None
) -> Doc:
    """Change a customer's balance by `amount` and record it. The customer is the caller's to save."""
    if customer["currency"] not in (None, currency):
        raise invalid(
            "You cannot combine currencies on a single customer. "
            f"This customer has had a balance in {customer['currency']}.",
            "currency",
        )
    customer |= {"balance": customer["balance"] + amount, "currency": currency}
    return call.create(
        {
            "id": call.world.new_id("cbtxn_1"),
            "object": KIND,
            "amount": amount,
            "checkout_session": None,
            "created": call.now,
            "credit_note": None,
            "currency": currency,
            "customer": customer["id"],
            "customer_account": None,
            "description": None,
            "ending_balance": customer["balance"],
            "invoice": invoice,
            "livemode": call.livemode,
            "metadata": {},
            "type": kind,
        }
    )


def _create(call: Call) -> Doc:
    customer = call.find("customer")
    before = copy_of(customer)
    transaction = move(call, customer, call.given["amount"], check_currency(call.given))
    apply_given(transaction, call.given, ("description", "metadata"))
    call.save(customer, "customer.updated", before)
    return call.save(transaction)


def _retrieve(call: Call) -> Doc:
    customer = call.find("customer")
    transaction = call.shelf.find(KIND, call.path["transaction"], "transaction")
    if transaction["customer"] != customer["id"]:
        raise resource_missing("customer balance transaction", transaction["id"], "transaction")
    return transaction


def _update(call: Call) -> Doc:
    transaction = _retrieve(call)
    apply_given(transaction, call.given, ("description", "metadata"))
    return call.save(transaction)


def _list(call: Call) -> Page:
    customer = call.find("customer")
    keep = matches(call.given, "invoice")
    return page_of(call, KIND, lambda doc: bool(doc["customer"] == customer["id"]) and keep(doc))


_PATH = "/v1/customers/{id}/balance_transactions"
ROUTES = (
    Route(
        "POST",
        _PATH,
        _create,
        {**METADATA, "amount": Need(Whole()), "currency": Need(Text()), "description": Text()},
    ),
    Route("GET", _PATH, _list, {**PAGING, **CREATED, "invoice": Text()}),
    Route("GET", _PATH + "/{transaction}", _retrieve),
    Route("POST", _PATH + "/{transaction}", _update, {**METADATA, "description": Text()}),
)
