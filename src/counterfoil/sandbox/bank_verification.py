"""What a customer does about a micro-deposit: over the API, on the hosted page, or not in time."""

from __future__ import annotations

from typing import Any

from counterfoil.sandbox import microdeposits, paying, setup_intents
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError
from counterfoil.sandbox.pages import alert, form_of, page
from counterfoil.sandbox.params import Given, Items, Kind, Text, Whole
from counterfoil.sandbox.routing import Route
from counterfoil.sandbox.wire import Request, Response

_FORM = """<form method="post">
<label>Code on the statement <input name="descriptor_code" maxlength="6" placeholder="SM11AA"></label>
<fieldset><legend>Or the two amounts, in cents</legend>
<label>First amount <input name="first" inputmode="numeric" placeholder="32"></label>
<label>Second amount <input name="second" inputmode="numeric" placeholder="45"></label>
</fieldset>
<button>Verify</button>
</form>"""
_TEXT = "We sent a small deposit to your account. Enter the code that its line on your statement starts with."


def verify(call: Call, intent: Doc, given: Given) -> Doc:
    """Take what the customer read off the statement; a wrong answer raises the 400 after it is counted."""
    _check_under_way(intent)
    outcome = microdeposits.outcome_of(intent, given)
    call.shelf.save(intent)
    method = call.shelf.find("payment_method", intent["payment_method"], "payment_method")
    if outcome is None:
        return _verified(call, intent, method)
    if microdeposits.is_final(outcome):
        microdeposits.fail(call, intent, method, outcome)
    raise microdeposits.refusal(intent, outcome)


def time_out(call: Call, identifier: str) -> None:
    """Ten days have passed since the deposit."""
    intent = call.shelf.get(_kind_of(identifier), identifier)
    if intent is not None and microdeposits.under_way(intent):
        method = call.shelf.find("payment_method", intent["payment_method"], "payment_method")
        microdeposits.fail(call, intent, method, "verification_timeout")


def answer(call: Call, intent: Doc, request: Request) -> Response:
    """Show the page, or take the customer's answer."""
    if not microdeposits.under_way(intent):
        return page("Nothing to verify", "This bank account does not await any verification.", "")
    if request.method != "POST":
        return page("Verify your bank account", _TEXT, _FORM)
    try:
        verify(call, intent, _given(request))
    except StripeError as error:
        over = not microdeposits.under_way(intent)
        return page("Verify your bank account", _TEXT, alert(str(error)) + ("" if over else _FORM), error.status)
    return page("Thank you", "Your bank account is verified. You can close this window.", "")


def _verified(call: Call, intent: Doc, method: Doc) -> Doc:
    method["_verified"] = True
    call.shelf.save(method)
    intent["next_action"] = None
    if intent["object"] == "setup_intent":
        return setup_intents.confirm_with(call, intent, method)
    return paying.pay(call, intent, method, off_session=False, refuse_challenge=False)


def _given(request: Request) -> Given:
    form = form_of(request)
    given: Given = {"descriptor_code": form.get("descriptor_code")}
    if form.get("first") or form.get("second"):
        texts = (form.get("first", ""), form.get("second", ""))
        given["amounts"] = [int(text) if text.isdecimal() else 0 for text in texts]
    return given


def _check_under_way(intent: Doc) -> None:
    if not microdeposits.under_way(intent):
        kind = intent["object"]
        message = (
            f"This {kind} could not be verified with microdeposits because it has a status of {intent['status']} and "
            "awaits no such verification."
        )
        shown: dict[str, Any] = {kind: intent}
        raise StripeError(message, code=f"{kind}_unexpected_state", stored=True, **shown)


def _kind_of(identifier: str) -> str:
    return "setup_intent" if identifier.startswith("seti_") else "payment_intent"


def _verify_payment(call: Call) -> Doc:
    return verify(call, call.find_intent("payment_intent"), call.given)


def _verify_setup(call: Call) -> Doc:
    return verify(call, call.find_intent("setup_intent"), call.given)


_PARAMS: dict[str, Kind] = {"amounts": Items(Whole(least=1)), "client_secret": Text(), "descriptor_code": Text()}
ROUTES = (
    Route("POST", "/v1/payment_intents/{id}/verify_microdeposits", _verify_payment, _PARAMS, public=True),
    Route("POST", "/v1/setup_intents/{id}/verify_microdeposits", _verify_setup, _PARAMS, public=True),
)
