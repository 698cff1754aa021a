"""The account's balance: a transaction for every movement, with its fee, and sums that are nothing but their total."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.currencies import ZERO_DECIMAL
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Text
from counterfoil.sandbox.routing import Route

PENDING_S = 2 * 86_400
"""How long a charge's money stays pending."""
DISPUTE_FEE = 1_500


def post(
    call: Call, source: Doc, kind: str, amount: int, fee: int = 0, description: str | None = None, wait_s: int = 0
) -> Doc:
    """Move an account's balance by amount − fee because of `source`; the money is available after `wait_s`.

    The balance is the account's, so its time is business time, whatever test clock the customer has.
    """
    call = replace(call, clock=None)
    fees = [
        {
            "amount": fee,
            "application": None,
            "currency": source["currency"],
            "description": _fee_name(kind),
            "type": "stripe_fee",
        }
    ]
    transaction: Doc = {
        "id": call.world.new_id("txn_1"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now + wait_s,
        "balance_type": "payments",
        "created": call.now,
        "currency": source["currency"],
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": fees if fee else [],
        "net": amount - fee,
        "reporting_category": _category(kind, amount),
        "source": source["id"],
        "status": "pending" if wait_s else "available",
        "type": kind,
    }
    if wait_s:
        call.schedule(transaction["available_on"], "balance_available", transaction)
    return call.shelf.save(transaction)


def processing_fee(amount: int, currency: str, bank: bool = False) -> int:
    """What Stripe keeps of a charge: 2.9 % + 30 of a card's, 0.8 % up to 500 of a bank debit; the fixed part exists
    in currencies with cents.
    """
    if bank:
        return min((amount * 8 + 500) // 1000, 500)
    fixed = 1 if currency in ZERO_DECIMAL else 30
    return min(amount, (amount * 29 + 500) // 1000 + fixed)


def become_available(call: Call, identifier: str) -> None:
    """A pending transaction's day has come."""
    transaction = call.shelf.get("balance_transaction", identifier)
    if transaction is None or transaction["status"] == "available":
        return
    transaction["status"] = "available"
    call.shelf.save(transaction)
    call.emit("balance.available", balance(call))


def balance(call: Call) -> Doc:
    """The sums per currency, pending and available."""
    available: dict[str, int] = defaultdict(int)
    pending: dict[str, int] = defaultdict(int)
    currencies = {call.shelf.account["default_currency"]: None}
    for transaction in call.shelf.rows("balance_transaction"):
        currencies[transaction["currency"]] = None
        sums = available if transaction["status"] == "available" else pending
        sums[transaction["currency"]] += transaction["net"]
    return {
        "object": "balance",
        "available": [_amount(available[currency], currency) for currency in currencies],
        "livemode": call.livemode,
        "pending": [_amount(pending[currency], currency) for currency in currencies],
        "refund_and_dispute_prefunding": {
            "available": [{"amount": 0, "currency": currency} for currency in currencies],
            "pending": [{"amount": 0, "currency": currency} for currency in currencies],
        },
    }


def available(call: Call, currency: str) -> int:
    """What of a currency could be paid out now."""
    rows = call.shelf.rows("balance_transaction")
    return sum(row["net"] for row in rows if row["currency"] == currency and row["status"] == "available")


_CATEGORIES = {
    "payout_cancel": "payout_reversal",
    "payout_failure": "payout_reversal",
    "payment": "charge",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
}


def _category(kind: str, amount: int) -> str:
    """What reports call a movement: the adjustments of disputes go out, and come back when they are won."""
    if kind == "adjustment":
        return "dispute" if amount < 0 else "dispute_reversal"
    return _CATEGORIES.get(kind, kind)


def _fee_name(kind: str) -> str:
    return "Dispute fee" if kind == "adjustment" else "Stripe processing fees"


def _amount(amount: int, currency: str) -> Doc:
    return {"amount": amount, "currency": currency, "source_types": {"card": amount}}


def _retrieve(call: Call) -> Doc:
    return call.find("balance_transaction")


def _list(call: Call) -> Page:
    if call.given.get("payout"):
        call.referred("payout", call.given["payout"], "payout")
        raise invalid("Balance transaction history can only be filtered on automatic transfers, not manual.", "payout")
    return page_of(call, "balance_transaction", matches(call.given, "currency", "source", "type"))


ROUTES = (
    Route("GET", "/v1/balance", balance),
    Route(
        "GET",
        "/v1/balance_transactions",
        _list,
        {**PAGING, **CREATED, "currency": Text(), "payout": Text(), "source": Text(), "type": Text()},
    ),
    Route("GET", "/v1/balance_transactions/{id}", _retrieve),
    Route(
        "GET", "/v1/balance/history", _list, {**PAGING, **CREATED, "currency": Text(), "source": Text(), "type": Text()}
    ),
    Route("GET", "/v1/balance/history/{id}", _retrieve),
)
