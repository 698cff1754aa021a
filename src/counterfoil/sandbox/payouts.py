"""Payouts: the account's money goes to its bank, on request, and may come back."""

from __future__ import annotations

from counterfoil.sandbox import balance
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid, invalid_integer, resource_missing
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of, within
from counterfoil.sandbox.params import Choice, Need, Range, Text, Whole, uncovered
from counterfoil.sandbox.ports import digest_token
from counterfoil.sandbox.routing import Route

KIND = "payout"
SUBMITTED_S = 12 * 3_600
"""When a payout is on its way to the bank, and can't be canceled any more."""
ARRIVES_S = 2 * 86_400
FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "insufficient_funds": "Your Stripe account has insufficient funds to cover the payout.",
    "invalid_account_number": "The routing number seems correct, but the account number is invalid.",
    "no_account": "The bank account could not be located.",
}
"""Why a bank sends money back: the code, and the words for it."""


def submit(call: Call, identifier: str) -> None:
    """A payout leaves for the bank."""
    payout = call.shelf.get(KIND, identifier)
    if payout is not None and payout["status"] == "pending":
        before = copy_of(payout)
        payout["status"] = "in_transit"
        call.save(payout, "payout.updated", before)


def arrive(call: Call, identifier: str) -> None:
    """A payout's day has come."""
    payout = call.shelf.get(KIND, identifier)
    if payout is not None and payout["status"] == "in_transit":
        payout |= {"status": "paid", "trace_id": {"status": "supported", "value": call.world.token(18).upper()}}
        call.save(payout, "payout.paid")


def fail(call: Call, payout: Doc, code: str) -> Doc:
    """The bank sends a payout back, even one that seemed to have arrived."""
    if code not in FAILURES:
        raise invalid(f"Invalid failure code: must be one of {', '.join(sorted(FAILURES))}", "failure_code")
    if payout["status"] not in ("pending", "in_transit", "paid"):
        raise invalid(f"This payout is {payout['status']}, so it can't fail.")
    if payout["reversed_by"] is not None:
        raise invalid(f"This payout was reversed by {payout['reversed_by']}, so it can't fail.")
    payout |= {"status": "failed", "failure_code": code, "failure_message": FAILURES[code]}
    _take_back(call, payout, "payout_failure", "STRIPE PAYOUT FAILURE")
    return call.save(payout, "payout.failed")


def _create(call: Call) -> Doc:
    given = call.given
    currency = check_currency(given)
    if given["amount"] < 1:
        raise invalid_integer("This value must be greater than or equal to 1.", "amount")
    if given.get("method") == "instant":
        raise StripeError("The sandbox does not cover method=instant, which Stripe has.", param="method")
    if given.get("destination") not in (None, destination_of(call)):
        raise resource_missing("external account", given["destination"], "destination", 400)
    if given["amount"] > balance.available(call, currency):
        message = "You have insufficient funds in your Stripe account for this transfer."
        raise StripeError(message, code="balance_insufficient", param="amount")
    payout = _blank(call, given["amount"], currency)
    apply_given(payout, given, ("description", "metadata", "statement_descriptor"))
    return _open(call, payout)


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "payout")


def _update(call: Call) -> Doc:
    payout = call.find(KIND, "payout")
    before = copy_of(payout)
    apply_given(payout, call.given, ("metadata",))
    return call.save(payout, "payout.updated", before)


def _cancel(call: Call) -> Doc:
    payout = call.find(KIND, "payout")
    if payout["status"] != "pending":
        raise invalid(f"Payouts can only be canceled while they are pending; this one is {payout['status']}.")
    payout["status"] = "canceled"
    _take_back(call, payout, "payout_cancel", "STRIPE PAYOUT CANCEL")
    return call.save(payout, "payout.canceled")


def _reverse(call: Call) -> Doc:
    """Get the money of a payout back from the bank, by a payout of less than nothing."""
    original = call.find(KIND, "payout")
    if original["status"] not in ("in_transit", "paid") or original["amount"] < 0:
        raise invalid(f"Only payouts that were sent can be reversed; this one is {original['status']}.")
    if original["reversed_by"] is not None:
        raise invalid(f"This payout has already been reversed by {original['reversed_by']}.")
    payout = _blank(call, -original["amount"], original["currency"])
    payout["original_payout"] = original["id"]
    apply_given(payout, call.given, ("metadata",))
    before = copy_of(original)
    original["reversed_by"] = payout["id"]
    call.save(original, "payout.updated", before)
    return _open(call, payout)


def _list(call: Call) -> Page:
    keep = matches(call.given, "destination", "status")
    arrival = call.given.get("arrival_date")
    return page_of(call, KIND, lambda payout: keep(payout) and within(payout["arrival_date"], arrival))


def _open(call: Call, payout: Doc) -> Doc:
    posted = balance.post(call, payout, "payout", -payout["amount"], description="STRIPE PAYOUT")
    payout["balance_transaction"] = posted["id"]
    call.schedule(call.now + SUBMITTED_S, "submit_payout", payout)
    call.schedule(payout["arrival_date"], "payout_arrives", payout)
    return call.create(payout, "payout.created")


def _take_back(call: Call, payout: Doc, kind: str, description: str) -> None:
    posted = balance.post(call, payout, kind, payout["amount"], description=description)
    payout["failure_balance_transaction"] = posted["id"]


def destination_of(call: Call) -> str:
    """The account's one bank account."""
    return "ba_1" + digest_token(call.shelf.key, 23)


def _blank(call: Call, amount: int, currency: str) -> Doc:
    return {
        "id": call.world.new_id("po_1"),
        "object": KIND,
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": call.now + ARRIVES_S,
        "automatic": False,
        "balance_transaction": None,
        "created": call.now,
        "currency": currency,
        "description": None,
        "destination": destination_of(call),
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": call.livemode,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "not_applicable",
        "reversed_by": None,
        "source_type": call.chosen("source_type", "card"),
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }


ROUTES = (
    Route(
        "POST",
        "/v1/payouts",
        _create,
        {
            **METADATA,
            "amount": Need(Whole()),
            "currency": Need(Text()),
            "description": Text(),
            "destination": Text(),
            "method": Choice(("instant", "standard"), clears=False),
            "source_type": Choice(("bank_account", "card", "fpx"), clears=False),
            "statement_descriptor": Text(22),
            **uncovered("payout_method"),
        },
    ),
    Route("GET", "/v1/payouts/{id}", _retrieve),
    Route("POST", "/v1/payouts/{id}", _update, METADATA),
    Route("POST", "/v1/payouts/{id}/cancel", _cancel),
    Route("POST", "/v1/payouts/{id}/reverse", _reverse, METADATA),
    Route(
        "GET",
        "/v1/payouts",
        _list,
        {**PAGING, **CREATED, "arrival_date": Range(), "destination": Text(), "status": Text()},
    ),
)
TIMERS = {"submit_payout": submit, "payout_arrives": arrive}
