"""What happens when a payment intent is confirmed: a challenge, a refusal, a charge, or a bank debit on its way."""

from __future__ import annotations

from counterfoil.sandbox import charges, disputes, microdeposits, payment_methods
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.cards import Card
from counterfoil.sandbox.declines import BANK_FAILURES, DECLINES, Decline
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import DOC_URL, StripeError, invalid
from counterfoil.sandbox.pages import CHALLENGE

AUTHENTICATION_FAILED = (
    "The provided PaymentMethod has failed authentication. You can provide "
    "payment_method_data or a new PaymentMethod to attempt to fulfill this "
    "PaymentIntent again."
)


def check_usable(method: Doc, customer: str | None) -> None:
    """A payment method pays for its own customer only, a used-up one never again, and one of others not here."""
    if method["type"] == "custom":
        raise invalid(f"The PaymentMethod {method['id']} can't be processed by Stripe.", "payment_method")
    if method["customer"] is None and method["_spent"]:
        raise invalid(payment_methods.SPENT, "payment_method")
    if method["customer"] == customer or method["customer"] is None:
        return
    if customer is None:
        raise invalid(
            f"The PaymentMethod {method['id']} belongs to the Customer {method['customer']}. "
            "Please include the Customer in the `customer` parameter "
            "on the PaymentIntent.",
            "payment_method",
        )
    raise payment_methods.not_of_customer(method["id"])


def pay(call: Call, intent: Doc, method: Doc, off_session: bool, refuse_challenge: bool) -> Doc:
    """Try to take the money of an intent from a method; a refusal raises the 402 after it is recorded.

    `off_session`: the customer is away. `refuse_challenge`: a challenge is a refusal, as nobody would answer it.
    """
    intent |= {"payment_method": method["id"], "last_payment_error": None, "next_action": None}
    if method["type"] == "us_bank_account":
        return _debit(call, intent, method)
    card = payment_methods.behaviour(method)
    authenticated = bool(intent.get("_authenticated"))
    if not authenticated and challenged(card, method, off_session, _asks_for_challenge(intent)):
        if refuse_challenge:
            return _refuse(call, intent, method, DECLINES["authentication_required"], authenticated)
        return _challenge(call, intent)
    if card.decline:
        return _refuse(call, intent, method, DECLINES[card.decline], authenticated)
    return _approve(call, intent, method, authenticated)


def dispute_if_wont(call: Call, charge: Doc) -> None:
    """Some test cards dispute whatever is taken from them."""
    method = call.shelf.get("payment_method", charge["payment_method"])
    kind = payment_methods.behaviour(method).dispute if method is not None and "card" in method else None
    if kind:
        disputes.open_dispute(call, charge, kind)


def challenged(card: Card, method: Doc, off_session: bool, asked: bool) -> bool:
    """True when the issuer wants the customer to authenticate, or the merchant asked for it and the card can."""
    match card.challenge:
        case "always":
            return True
        case "until_set_up":
            return not (method["_set_up"] and off_session)
        case "on_session":
            return not off_session
        case "if_asked":
            return asked and not off_session
        case "never":
            return False


def _asks_for_challenge(intent: Doc) -> bool:
    options = (intent["payment_method_options"] or {}).get("card") or {}
    return options.get("request_three_d_secure") in ("any", "challenge")


def authenticate(call: Call, intent: Doc, succeeded: bool) -> Doc:
    """The customer passed or failed the challenge."""
    if intent["status"] != "requires_action":
        raise invalid(f"PaymentIntent {intent['id']} awaits no authentication (status: {intent['status']}).")
    method = call.shelf.find("payment_method", intent["payment_method"], "payment_method")
    intent["next_action"] = None
    if not succeeded:
        _authentication_failed(call, intent, method)
        return intent
    intent["_authenticated"] = True
    if intent["confirmation_method"] == "manual":
        intent["status"] = "requires_confirmation"
        return call.save(intent)
    try:
        return pay(call, intent, method, off_session=False, refuse_challenge=False)
    except StripeError:
        # The customer's browser sees the refusal on the intent; the challenge itself went well.
        return intent


def settle_debit(call: Call, identifier: str) -> None:
    """A bank debit's days are over: it settles or comes back."""
    intent = call.shelf.get("payment_intent", identifier)
    if intent is None or intent["status"] != "processing":
        return
    charge = call.shelf.find("charge", intent["latest_charge"], "charge")
    method = call.shelf.find("payment_method", charge["payment_method"], "payment_method")
    failure = payment_methods.bank_outcome(method)
    if failure in BANK_FAILURES:
        _return_debit(call, intent, charge, method, str(failure))
        return
    charges.approve(call, charge, "automatic_async")
    _succeed(call, intent, method)
    if failure == "dispute":
        disputes.open_dispute(call, charge, "bank_cannot_process")


def expire_authorization(call: Call, identifier: str) -> None:
    """An authorization that nobody captured in a week lapses."""
    charge = call.shelf.get("charge", identifier)
    intent = call.shelf.get("payment_intent", charge["payment_intent"]) if charge else None
    if charge is None or intent is None or intent["status"] != "requires_capture":
        return
    charge |= {"refunded": True, "amount_refunded": charge["amount"]}
    call.shelf.save(charge)
    call.emit("charge.expired", charge)
    intent |= {
        "status": "canceled",
        "canceled_at": call.now,
        "cancellation_reason": "automatic",
        "amount_capturable": 0,
    }
    call.shelf.save(intent)
    call.emit("payment_intent.canceled", intent)


def _challenge(call: Call, intent: Doc) -> Doc:
    intent |= {"status": "requires_action", "next_action": next_action(call, intent)}
    call.shelf.save(intent)
    call.emit("payment_intent.requires_action", intent)
    return intent


def next_action(call: Call, intent: Doc) -> Doc:
    """Where the customer is sent: a page, when the caller gave a way back from it, else whatever the browser library
    does.
    """
    url = f"{call.world.settings.public_url}{CHALLENGE}{intent['id']}"
    if intent.get("_return_url"):
        return {"redirect_to_url": {"return_url": intent["_return_url"], "url": url}, "type": "redirect_to_url"}
    return {
        "type": "use_stripe_sdk",
        "use_stripe_sdk": {"source": call.world.new_id("src_1"), "stripe_js": url, "type": "three_d_secure_redirect"},
    }


def _refuse(call: Call, intent: Doc, method: Doc, refusal: Decline, authenticated: bool) -> Doc:
    charge = charges.decline(call, charges.new_charge(call, intent, method, authenticated), refusal)
    intent |= {
        "status": "requires_payment_method",
        "payment_method": None,
        "latest_charge": charge["id"],
        "_authenticated": False,
    }
    intent["last_payment_error"] = {"charge": charge["id"], **refusal.error_fields(), "payment_method": copy_of(method)}
    call.shelf.save(intent)
    call.emit("payment_intent.payment_failed", intent)
    raise refusal.error(charge=charge["id"], payment_intent=intent, payment_method=method)


def _authentication_failed(call: Call, intent: Doc, method: Doc) -> None:
    code = "payment_intent_authentication_failure"
    error: Doc = {
        "code": code,
        "doc_url": DOC_URL + code.replace("_", "-"),
        "message": AUTHENTICATION_FAILED,
        "payment_method": copy_of(method),
        "type": "invalid_request_error",
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
    call.shelf.save(intent)
    call.emit("payment_intent.payment_failed", intent)


def _approve(call: Call, intent: Doc, method: Doc, authenticated: bool) -> Doc:
    capture = intent["capture_method"]
    charge = charges.approve(call, charges.new_charge(call, intent, method, authenticated), capture)
    intent["latest_charge"] = charge["id"]
    if capture == "manual":
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"]}
        _use(call, intent, method)
        call.shelf.save(intent)
        call.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    _succeed(call, intent, method)
    dispute_if_wont(call, charge)
    return intent


def _succeed(call: Call, intent: Doc, method: Doc) -> None:
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "processing": None}
    _use(call, intent, method)
    call.shelf.save(intent)
    call.emit("payment_intent.succeeded", intent)


def _use(call: Call, intent: Doc, method: Doc) -> None:
    """After a payment a method is saved for its customer where the intent says so, or is used up."""
    usage = intent["setup_future_usage"]
    if method["customer"] is None and intent["customer"] and usage:
        customer = call.shelf.get("customer", intent["customer"])
        if customer is not None and not customer.get("deleted"):
            payment_methods.attach_to(call, method, customer)
    elif method["customer"] is None:
        method["_spent"] = True
    method["_set_up"] = method["_set_up"] or usage == "off_session"
    call.shelf.save(method)


def _debit(call: Call, intent: Doc, method: Doc) -> Doc:
    if microdeposits.awaited(intent, method):
        return microdeposits.start(call, intent, method)
    charge = charges.new_charge(call, intent, method, authenticated=False)
    call.shelf.save(charge)
    call.note("debit", charge)
    intent |= {"status": "processing", "latest_charge": charge["id"]}
    call.shelf.save(intent)
    call.emit("charge.pending", charge)
    call.emit("payment_intent.processing", intent)
    if payment_methods.bank_outcome(method) != "processing":
        call.schedule(call.now + call.world.settings.bank_debit_settles_s, "settle_debit", intent)
    return intent


def _return_debit(call: Call, intent: Doc, charge: Doc, method: Doc, failure: str) -> None:
    message = BANK_FAILURES[failure]
    charge |= {"status": "failed", "failure_code": failure, "failure_message": message}
    call.shelf.save(charge)
    call.note("charge_failed", charge)
    call.emit("charge.failed", charge)
    error = {
        "charge": charge["id"],
        "code": failure,
        "message": message,
        "payment_method": method,
        "type": "card_error",
    }
    intent |= {"status": "requires_payment_method", "payment_method": None, "last_payment_error": error}
    call.shelf.save(intent)
    call.emit("payment_intent.payment_failed", intent)
