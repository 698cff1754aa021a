"""Checkout sessions: a page where a customer pays for items, or saves a payment method, once."""

from __future__ import annotations

from counterfoil.sandbox import (
    checkout_fields,
    checkout_invoices,
    checkout_items,
    checkout_subscriptions,
    checkout_sums,
    paying,
    payment_intents,
    setup_intents,
)
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.checkout_fields import CREATE
from counterfoil.sandbox.currencies import check_currency
from counterfoil.sandbox.customers import check_email, create_customer
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import StripeError, invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Choice, Hash, Text
from counterfoil.sandbox.routing import Route

KIND = "checkout.session"
_CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def confirm(call: Call, session: Doc, method: Doc | None, return_url: str | None = None) -> Doc:
    """The customer confirms: pay, or save the method. A refusal raises the 402, and the session stays open.

    `method` may be None only where nothing is due.
    """
    check_open(session)
    if method is None:
        return _confirm_without(call, session)
    _check_type(session, method)
    paying.check_usable(method, session["customer"])
    _meet_customer(call, session, method)
    if session["mode"] == "setup":
        _set_up(call, session, method, return_url)
    elif session["mode"] == "subscription":
        checkout_subscriptions.confirm(call, session, checkout_sums.items_of(call, session), method, return_url)
    elif session["amount_total"] == 0:
        _complete(call, session, method, "no_payment_required")
    else:
        _pay(call, session, method, return_url)
    return session


def _confirm_without(call: Call, session: Doc) -> Doc:
    """The customer confirms without a method, which is enough where nothing is due and none is asked for."""
    if wants_method(session):
        raise invalid("You must provide a payment method to confirm this Checkout Session.", "payment_method")
    if session["mode"] == "subscription":
        _make_customer(call, session, {"email": session["customer_email"]})
        checkout_subscriptions.begin(call, session, checkout_sums.items_of(call, session), None)
    _complete(call, session, None, "no_payment_required")
    return session


def wants_method(session: Doc) -> bool:
    """False where nothing is due and no method is asked for."""
    return bool(session["amount_total"]) or session["payment_method_collection"] == "always"


def check_open(session: Doc) -> None:
    if session["status"] != "open":
        message = f"This Checkout Session is no longer active: it is {session['status']}."
        raise StripeError(message, code="checkout_not_active_session")


def intent_of(call: Call, session: Doc) -> Doc | None:
    """The payment or setup intent of a session; a payment has none until the customer first confirms."""
    if session["mode"] == "subscription":
        return checkout_subscriptions.payment_of(call, session)
    kind = "setup_intent" if session["mode"] == "setup" else "payment_intent"
    return call.shelf.get(kind, session[kind] or "")


def expire_session(call: Call, identifier: str) -> None:
    """A session's time is up."""
    session = call.shelf.get(KIND, identifier)
    if session is not None and session["status"] == "open":
        _expire(call, session)


def payment_succeeded(call: Call, intent: Doc) -> None:
    """The money of a session is there: at once, or days after the session completed."""
    session = _session_of(call, intent)
    if session is None:
        return
    if session["status"] == "open":
        _complete(call, session, _method_of(call, intent), "paid")
        return
    session["payment_status"] = "paid"
    _invoice(call, session)
    call.shelf.save(session)
    if session["_delayed"]:
        call.emit("checkout.session.async_payment_succeeded", session)


def payment_pending(call: Call, intent: Doc) -> None:
    """The customer did what they could: the money comes later, or is captured later."""
    session = _session_of(call, intent)
    if session is not None and session["status"] == "open":
        session["_delayed"] = intent["status"] == "processing"
        _complete(call, session, _method_of(call, intent), "unpaid")


def payment_failed(call: Call, intent: Doc) -> None:
    """A payment that was on its way did not arrive. A refusal before that leaves the session as it is."""
    session = _session_of(call, intent)
    if session is not None and session["status"] == "complete" and session["_delayed"]:
        call.emit("checkout.session.async_payment_failed", session)


def setup_succeeded(call: Call, intent: Doc) -> None:
    session = _session_of(call, intent)
    if session is None or session["status"] != "open":
        return
    method = _method_of(call, intent)
    if session["mode"] == "subscription":
        checkout_subscriptions.begin(call, session, checkout_sums.items_of(call, session), method)
    _complete(call, session, method, "no_payment_required")


def _create(call: Call) -> Doc:
    given = call.given
    checkout_fields.check_given(call)
    check_email(given.get("customer_email"), "customer_email")
    expires = checkout_fields.expiry(call)
    customer = call.referred("customer", given["customer"], "customer") if given.get("customer") else None
    currency = check_currency(given) if given.get("currency") else None
    checkout_fields.payment_types(call, currency)
    priced = checkout_items.price_items(call)
    currency = priced[0][0]["currency"] if priced else currency
    session = checkout_fields.blank_session(call, None if given["mode"] == "setup" else currency, expires)
    apply_given(session, given, ("metadata",))
    session["customer_details"] = _details_before(customer, given.get("customer_email"))
    if customer is not None:
        session["customer"] = customer["id"]
    if given["mode"] == "subscription":
        checkout_subscriptions.remember(call, session)
    if priced:
        checkout_items.add_items(call, session, priced)
    else:
        session["setup_intent"] = _open_setup(call, session)["id"]
    call.create(session)
    call.schedule(expires, "expire_session", session)
    return session


def _retrieve(call: Call) -> Doc:
    return call.find(KIND, "session")


def _update(call: Call) -> Doc:
    session = call.find(KIND, "session")
    apply_given(session, call.given, ("metadata",))
    return call.save(session)


def _list(call: Call) -> Page:
    keep = matches(call.given, "customer", "payment_intent", "status", "payment_link", "subscription")
    email = (call.given.get("customer_details") or {}).get("email")
    return page_of(
        call, KIND, lambda session: keep(session) and email in (None, (session["customer_details"] or {}).get("email"))
    )


def _items(call: Call) -> Page:
    session = call.find(KIND, "session")
    return page_of(call, "item", lambda item: bool(item["_session"] == session["id"]))


def _expire_now(call: Call) -> Doc:
    session = call.find(KIND, "session")
    if session["status"] != "open":
        raise invalid(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}."
        )
    return _expire(call, session)


def _expire(call: Call, session: Doc) -> Doc:
    intent = intent_of(call, session)
    session |= {"status": "expired", "url": None}
    call.shelf.save(session)
    if session["mode"] == "subscription":
        checkout_subscriptions.expire(call, session)
    elif intent is not None and intent["status"] in _CANCELABLE:
        cancel = setup_intents.cancel_intent if session["mode"] == "setup" else payment_intents.cancel_intent
        cancel(call, intent, "abandoned" if session["mode"] == "setup" else "automatic")
    call.emit("checkout.session.expired", session)
    return session


def _pay(call: Call, session: Doc, method: Doc, return_url: str | None) -> None:
    intent = intent_of(call, session) or _open_payment(call, session)
    intent |= {"amount": session["amount_total"], "customer": session["customer"]}
    intent |= {"_return_url": return_url, "_authenticated": False}
    paying.pay(call, intent, method, off_session=False, refuse_challenge=False)


def _open_payment(call: Call, session: Doc) -> Doc:
    """The intent of a session comes to exist when the customer first confirms (since 2022-08-01)."""
    data = session["_payment_data"]
    given = {**data, "amount": session["amount_total"], "currency": session["currency"]}
    given |= {"payment_method_types": list(session["payment_method_types"])}
    given["payment_method_options"] = session["payment_method_options"]
    if session["customer"]:
        given["customer"] = session["customer"]
    intent = payment_intents.open_intent(call, given, _session=session["id"])
    session["payment_intent"] = intent["id"]
    call.shelf.save(session)
    return intent


def _open_setup(call: Call, session: Doc) -> Doc:
    given = dict(call.given.get("setup_intent_data") or {})
    given |= {"payment_method_types": list(session["payment_method_types"]), "usage": "off_session"}
    if session["customer"]:
        given["customer"] = session["customer"]
    return setup_intents.open_intent(call, given, _session=session["id"])


def _set_up(call: Call, session: Doc, method: Doc, return_url: str | None) -> None:
    intent = call.shelf.find("setup_intent", session["setup_intent"], "setup_intent")
    intent |= {"customer": session["customer"], "payment_method": method["id"], "_return_url": return_url}
    setup_intents.confirm_with(call, intent, method)


def _complete(call: Call, session: Doc, method: Doc | None, payment_status: str) -> None:
    session |= {"status": "complete", "url": None, "payment_status": payment_status}
    session["collected_information"] = {"business_name": None, "individual_name": None, "shipping_details": None}
    session["customer_details"] = _details_after(session, method)
    if session["mode"] == "subscription":
        checkout_subscriptions.show(call, session)
    checkout_sums.count_discounts(call, session)
    if payment_status != "unpaid":
        _invoice(call, session)
    call.shelf.save(session)
    call.emit("checkout.session.completed", session)


def _invoice(call: Call, session: Doc) -> None:
    """Leave an invoice of what was sold, where the session wants one."""
    if session["mode"] == "payment" and checkout_invoices.is_wanted(session):
        if session["customer"] is None:
            _make_customer(call, session, {"email": session["customer_email"]})
        checkout_invoices.issue(call, session, intent_of(call, session))


def _meet_customer(call: Call, session: Doc, method: Doc) -> None:
    """Learn who the customer is: make one where the session asks for it, and note the e-mail of one without."""
    details = method["billing_details"]
    email = session["customer_email"] or details["email"]
    if session["customer"] is None and session["customer_creation"] == "always":
        _make_customer(call, session, {"email": email, "name": details["name"], "phone": details["phone"]})
        return
    customer = call.shelf.get("customer", session["customer"] or "")
    if customer is not None and not customer.get("deleted") and not customer["email"] and email:
        before = copy_of(customer)
        customer["email"] = email
        call.save(customer, "customer.updated", before)


def _make_customer(call: Call, session: Doc, given: Doc) -> None:
    if session["customer"] is None:
        session["customer"] = create_customer(call, {name: text for name, text in given.items() if text})["id"]
        call.shelf.save(session)


def _details_before(customer: Doc | None, email: str | None) -> Doc | None:
    known = customer["email"] if customer else email
    return _details(known, None, None, None, None) if customer or email else None


def _details_after(session: Doc, method: Doc | None) -> Doc:
    billing = method["billing_details"] if method else dict.fromkeys(("address", "email", "name", "phone"))
    known = (session["customer_details"] or {}).get("email")
    address = None if session["mode"] == "setup" else billing["address"]
    return _details(known or billing["email"], billing["name"], billing["phone"], address, [])


def _details(
    email: str | None, name: str | None, phone: str | None, address: Doc | None, tax_ids: list[Doc] | None
) -> Doc:
    return {
        "address": address,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": phone,
        "tax_exempt": "none",
        "tax_ids": tax_ids,
    }


def _check_type(session: Doc, method: Doc) -> None:
    if method["type"] not in session["payment_method_types"]:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this Checkout Session. It takes: "
            f"{', '.join(session['payment_method_types'])}.",
            "payment_method",
        )


def _session_of(call: Call, intent: Doc) -> Doc | None:
    return call.shelf.get(KIND, intent.get("_session") or "")


def _method_of(call: Call, intent: Doc) -> Doc | None:
    return call.shelf.get("payment_method", intent["payment_method"] or "")


_PATH = "/v1/checkout/sessions"
ROUTES = (
    Route("POST", _PATH, _create, CREATE),
    Route("GET", _PATH + "/{id}", _retrieve),
    Route("POST", _PATH + "/{id}", _update, METADATA),
    Route("GET", _PATH + "/{id}/line_items", _items, PAGING),
    Route("POST", _PATH + "/{id}/expire", _expire_now),
    Route(
        "GET",
        _PATH,
        _list,
        {
            **PAGING,
            **CREATED,
            "customer": Text(),
            "customer_details": Hash({"email": Text()}),
            "payment_intent": Text(),
            "payment_link": Text(),
            "status": Choice(("complete", "expired", "open"), clears=False),
            "subscription": Text(),
        },
    ),
)
