"""Calls about what the customer does at the provider: hosted checkouts, and setups of a way to pay."""

from typing import Final, TypeAlias

from counterfoil.core.facts import LEG_MARK, ORDER_MARK, Fact, Outcome
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import CancelSetup, CreateCheckout, CreateSetup, ExpireCheckout
from counterfoil.providers.port import Refs
from counterfoil.providers.stripe.calls import Caller, Params, object_path, path_of
from counterfoil.providers.stripe.fields import labels
from counterfoil.providers.stripe.instructions import CUSTOMER_MARK, needed
from counterfoil.providers.stripe.lists import listed
from counterfoil.providers.stripe.outcomes import outcome_of
from counterfoil.providers.stripe.parse import fact_of

SESSIONS: Final = "checkout/sessions"
SETUPS: Final = "setup_intents"
UNNAMED: Final = ProviderRef("")

OnPage: TypeAlias = CreateCheckout | ExpireCheckout | CreateSetup | CancelSetup
"""What is done about a hosted page or a setup."""


class Pages:
    """The hosted pages and setups of one account."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def execute(self, instruction: OnPage, refs: Refs, key: str) -> Outcome:
        """Send an instruction under its key."""
        match instruction:
            case CreateCheckout():
                return self._post(path_of(SESSIONS), checkout_params(instruction, refs), key)
            case CreateSetup(return_url=None):
                return self._post(path_of(SETUPS), setup_params(instruction, refs), key)
            case CreateSetup():
                return self._post(path_of(SESSIONS), setup_page_params(instruction, refs), key)
            case ExpireCheckout(ref=ref):
                return self._post(object_path(SESSIONS, ref, "expire"), {"expand": EXPANDED_PAGE}, key, ref)
            case CancelSetup(ref=ref):
                return self._post(object_path(SETUPS, ref, "cancel"), {}, key, ref)

    def find(self, instruction: CreateCheckout | CreateSetup, refs: Refs) -> Fact | None:
        """Look for what was made and whose reply was lost, by our mark among what the customer has."""
        is_page = isinstance(instruction, CreateCheckout) or instruction.return_url is not None
        mark, wanted = (
            (LEG_MARK, str(instruction.leg))
            if isinstance(instruction, CreateCheckout)
            else (ORDER_MARK, str(instruction.sales_order))
        )
        params: dict[str, object] = {"customer": needed(refs.customer_ref, "customer")}
        if is_page:
            params["expand"] = tuple(f"data.{each}" for each in EXPANDED_PAGE)
        for each in listed(self._caller, path_of(SESSIONS if is_page else SETUPS), params):
            if labels(each).get(mark) == wanted:
                return fact_of(each, UNNAMED)
        return None

    def _post(self, path: str, params: Params, key: str, asked: ProviderRef = UNNAMED) -> Outcome:
        return outcome_of(self._caller.post(path, params, key), asked)


EXPANDED_PAGE: Final = ("payment_intent", "setup_intent")
"""What a hosted page is expanded by, so that what was done on it comes with it."""


def checkout_params(instruction: CreateCheckout, refs: Refs) -> Params:
    """Parameters of a hosted checkout. Its payment, which comes to exist later, carries our mark too."""
    marks = {LEG_MARK: instruction.leg, CUSTOMER_MARK: instruction.customer}
    price = {
        "currency": instruction.amount.currency.lower(),
        "unit_amount": instruction.amount.minor,
        "product_data": {"name": instruction.description or "Invoice"},
    }
    return {
        "mode": "payment",
        "customer": needed(refs.customer_ref, "customer"),
        "client_reference_id": instruction.leg,
        "line_items": [{"quantity": 1, "price_data": price}],
        "payment_intent_data": {"metadata": marks},
        "metadata": marks,
        "success_url": instruction.return_url,
        "cancel_url": instruction.return_url,
    }


def setup_params(instruction: CreateSetup, refs: Refs) -> Params:
    """Parameters of a setup that the host's own page confirms. What it saves may be charged while nobody is there."""
    return {
        "customer": needed(refs.customer_ref, "customer"),
        "usage": "off_session",
        "automatic_payment_methods": {"enabled": True},
        "metadata": _marks(instruction),
    }


def setup_page_params(instruction: CreateSetup, refs: Refs) -> Params:
    """Parameters of the hosted page of a setup."""
    return {
        "mode": "setup",
        "customer": needed(refs.customer_ref, "customer"),
        "currency": instruction.currency.lower(),
        "client_reference_id": instruction.sales_order,
        "setup_intent_data": {"metadata": _marks(instruction)},
        "metadata": _marks(instruction),
        "success_url": instruction.return_url,
        "cancel_url": instruction.return_url,
    }


def _marks(instruction: CreateSetup) -> dict[str, str]:
    return {ORDER_MARK: instruction.sales_order, CUSTOMER_MARK: instruction.customer}
