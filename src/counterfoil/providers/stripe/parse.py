"""Turn the provider's objects into facts, whatever API version rendered them.

Total: an object that can't be booked (unknown currency, an amount that is not a whole number of minor units) becomes
an UnreadableFact that says why, never an exception and never a guess.
"""

from collections.abc import Callable
from typing import Final, TypeAlias

from counterfoil.core.facts import (
    ActionKind,
    ChargeFee,
    CustomerFact,
    Fact,
    IntentFact,
    IntentStatus,
    MethodFact,
    Refusal,
    SessionFact,
    SetupFact,
    UnreadableFact,
)
from counterfoil.core.ids import ProviderRef
from counterfoil.core.money import Money, MoneyError
from counterfoil.providers.stripe.fields import Doc, Unreadable, child, labels, lenient_ref, ref, text, whole
from counterfoil.providers.stripe.refunds import refund_of

INTENT: Final = "payment_intent"
SESSION: Final = "checkout.session"
CUSTOMER: Final = "customer"
METHOD: Final = "payment_method"
SETUP: Final = "setup_intent"

KNOWN_STATUSES: Final = {status.value: status for status in IntentStatus}
ACTION_URLS: Final = ("url", "hosted_verification_url", "hosted_instructions_url", "hosted_voucher_url")
"""Where in the details of a next action the page for the customer may be."""
MESSAGE_MAX: Final = 500
WHY_MAX: Final = 200

Parser: TypeAlias = Callable[[Doc], Fact]


def fact_of(doc: Doc, asked: ProviderRef, *, pays: Doc | None = None) -> Fact:
    """Give the fact that an object states. `asked` names it where the object itself does not.

    `pays` is the row that the invoice payments list has of a payment; from 2025-03-31 on the payment itself does not
    say which invoice it belongs to.
    """
    try:
        return _parser(doc, pays)(doc)
    except (Unreadable, MoneyError) as error:
        return UnreadableFact(lenient_ref(doc, "id") or asked, str(error)[:WHY_MAX])


def says_its_invoice(intent: Doc) -> bool:
    """Say whether a payment carries the answer to "does it pay an invoice of the provider?" itself.

    The key decides, not the version: an endpoint can be pinned to an older version than our requests.
    """
    return "invoice" in intent


def intent_of(session: Doc) -> Doc | None:
    """Give the expanded payment of a hosted checkout, None when it has none yet."""
    return child(session, "payment_intent") or None


def refusal_of(error: Doc) -> Refusal:
    """Read the provider's `error` or `last_payment_error` object. `code` is never empty."""
    return Refusal(
        code=text(error, "code") or text(error, "type") or "unknown",
        decline_code=text(error, "decline_code"),
        message=(text(error, "message") or "")[:MESSAGE_MAX],
        try_ref=lenient_ref(error, "charge"),
    )


def money(doc: Doc, name: str, currency: str) -> Money:
    """Give an amount that is not negative. The provider's minor units are ours. Raises Unreadable, MoneyError."""
    minor = whole(doc, name)
    if minor < 0:
        raise Unreadable(f"{name} is negative")
    return Money(minor, currency)


def _parser(doc: Doc, pays: Doc | None) -> Parser:
    match doc.get("object"):
        case "payment_intent":
            return lambda intent: _intent(intent, pays)
        case "checkout.session":
            return lambda session: _session(session, pays)
        case "setup_intent":
            return _setup
        case "customer":
            return _customer
        case "payment_method":
            return _method
        case "refund":
            return refund_of
        case other:
            raise Unreadable(f"object {str(other)[:40]!r} is not one that is read")


def _intent(doc: Doc, pays: Doc | None, session: Doc | None = None) -> IntentFact:
    currency = _currency(doc)
    charge = child(doc, "latest_charge")
    last_error = child(doc, "last_payment_error")
    return IntentFact(
        ref=_required_ref(doc),
        status=KNOWN_STATUSES.get(text(doc, "status") or "", IntentStatus.OTHER),
        amount=money(doc, "amount", currency),
        received=money(doc, "amount_received", currency),
        customer_ref=ref(doc, "customer"),
        method_ref=ref(doc, "payment_method"),
        charge_ref=ref(doc, "latest_charge"),
        charge_fee=_charge_fee(charge),
        refusal=refusal_of(last_error) if last_error else None,
        action_url=_action_url(child(doc, "next_action")) or _page_of(session),
        action=_action(child(doc, "next_action")),
        client_secret=text(doc, "client_secret"),
        pays_provider_invoice=doc.get("invoice") is not None or pays is not None,
        invoice_ref=lenient_ref(doc, "invoice") or (lenient_ref(pays, "invoice") if pays else None),
        metadata={**labels(session or {}), **labels(doc)},
        session_ref=ref(session, "id") if session else None,
        session_status=text(session, "status") if session else None,
        means=_means(child(charge, "payment_method_details")),
    )


def _session(doc: Doc, pays: Doc | None) -> Fact:
    session_ref = _required_ref(doc)
    intent = intent_of(doc)
    if intent is not None:
        return _intent(intent, pays, doc)
    if ref(doc, "payment_intent") is not None:
        raise Unreadable("payment_intent is not expanded")
    if child(doc, "setup_intent"):
        return _setup(child(doc, "setup_intent"), doc)
    return SessionFact(
        ref=session_ref,
        status=text(doc, "status") or "",
        payment_status=text(doc, "payment_status") or "",
        metadata=labels(doc),
        url=_web_address(text(doc, "url")),
        amount=money(doc, "amount_total", _currency(doc)) if doc.get("amount_total") is not None else None,
        customer_ref=ref(doc, "customer"),
    )


def _setup(doc: Doc, session: Doc | None = None) -> SetupFact:
    last_error, action = child(doc, "last_setup_error"), child(doc, "next_action")
    return SetupFact(
        ref=_required_ref(doc),
        status=text(doc, "status") or "",
        customer_ref=ref(doc, "customer"),
        method_ref=ref(doc, "payment_method"),
        refusal=refusal_of(last_error) if last_error else None,
        action=_action(action),
        action_url=_action_url(action) or _page_of(session),
        client_secret=text(doc, "client_secret"),
        metadata={**labels(session or {}), **labels(doc)},
        session_ref=ref(session, "id") if session else None,
        session_status=text(session, "status") if session else None,
    )


def _customer(doc: Doc) -> CustomerFact:
    if doc.get("deleted") is True:
        return CustomerFact(ref=_required_ref(doc), deleted=True)
    return CustomerFact(
        ref=_required_ref(doc),
        default_method_ref=ref(child(doc, "invoice_settings"), "default_payment_method"),
        metadata=labels(doc),
        default_source_ref=ref(doc, "default_source"),
        currency=_currency(doc) if doc.get("currency") else None,
        balance_minor=whole(doc, "balance") if doc.get("balance") else 0,
    )


def _method(doc: Doc) -> MethodFact:
    kind = text(doc, "type")
    if kind is None:
        raise Unreadable("type is missing")
    details = child(doc, kind)
    return MethodFact(
        ref=_required_ref(doc),
        kind=kind,
        customer_ref=ref(doc, "customer"),
        brand=text(details, "brand") or text(details, "bank_name"),
        last4=text(details, "last4"),
        expires=_expires(details),
        fingerprint=text(details, "fingerprint"),
        country=text(details, "country"),
    )


def _charge_fee(charge: Doc) -> ChargeFee | None:
    """Give what the provider kept. It is known only once the balance transaction exists, in the account's currency."""
    transaction = child(charge, "balance_transaction")
    transaction_ref = ref(charge, "balance_transaction")
    if not transaction or transaction_ref is None:
        return None
    return ChargeFee(transaction_ref, money(transaction, "fee", _currency(transaction)))


def _means(details: Doc) -> str | None:
    """Say in words what a charge was taken from. Kinds that name no number are called by their own name."""
    kind = text(details, "type")
    if kind is None:
        return None
    used = child(details, kind)
    name = text(used, "brand") or text(used, "bank_name") or kind.replace("_", " ")
    return f"{name} {text(used, 'last4') or ''}".strip()


def _action_url(action: Doc) -> str | None:
    """Give the page that the customer has to visit, None where the next step is not a page (`use_stripe_sdk`).

    Only web addresses: it ends up in a link.
    """
    kind = text(action, "type")
    if kind is None or kind == "use_stripe_sdk":
        return None
    details = child(action, kind)
    found = (text(details, name) for name in ACTION_URLS)
    return next((url for url in found if _web_address(url)), None)


def _page_of(session: Doc | None) -> str | None:
    return _web_address(text(session, "url")) if session else None


def _web_address(url: str | None) -> str | None:
    """Give an address that may end up in a link: only one of the web."""
    return url if url and url.startswith(("https://", "http://")) else None


def _action(action: Doc) -> ActionKind | None:
    """Say what the customer has to do. Whatever it is, unless it is about the bank account, it confirms the payment."""
    kind = text(action, "type")
    if kind is None:
        return None
    return ActionKind.VERIFY_BANK if kind == "verify_with_microdeposits" else ActionKind.CONFIRM


def _expires(details: Doc) -> str | None:
    """Write a card's last month as 2030-08, None for what does not expire."""
    year, month = details.get("exp_year"), details.get("exp_month")
    if type(year) is not int or type(month) is not int or not (1 <= year <= 9999 and 1 <= month <= 12):
        return None
    return f"{year:04d}-{month:02d}"


def _currency(doc: Doc) -> str:
    code = text(doc, "currency")
    if code is None or not code.isascii():
        # Upper case makes USD of more than three ASCII letters.
        raise Unreadable("currency is missing")
    return code.upper()


def _required_ref(doc: Doc) -> ProviderRef:
    found = ref(doc, "id")
    if found is None:
        raise Unreadable("id is missing")
    return found
