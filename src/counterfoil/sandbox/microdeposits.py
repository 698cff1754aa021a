"""Micro-deposits: a cent sent to a bank account proves, by the code or the amounts that its owner reads off the
statement, whose account it is.
"""

from __future__ import annotations

from typing import Any

from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import DOC_URL, StripeError, invalid
from counterfoil.sandbox.params import Given

VERIFY_PAGE = "/_sandbox/verify/"
TIMEOUT_S = 10 * 86_400
UNREACHABLE = "000666666661"
"""The test account that no micro-deposit reaches."""

_RIGHT = ((32, 45), "SM11AA")
_TOO_MANY = ((10, 11), "SM33CC")
_TOO_LATE = ((40, 41), "SM44DD")
_TRIES_MAX = {"amounts": 3, "descriptor_code": 10}
_PREFIX = "payment_method_microdeposit_"
_WORDS = {
    "failed": "Microdeposit transfers failed. Please check the account, institution and transit numbers provided.",
    "verification_amounts_mismatch": "The amounts provided do not match those that were sent to the bank account.",
    "verification_descriptor_code_mismatch": (
        "The descriptor code provided does not match the one that was sent to the bank account."
    ),
    "verification_attempts_exceeded": "You have exceeded the number of allowed verification attempts.",
    "verification_timeout": "The microdeposit verification was not completed in time.",
}


def awaited(intent: Doc, method: Doc) -> bool:
    """True when the caller asked for micro-deposits, and the account has not been verified by them before."""
    options = (intent["payment_method_options"] or {}).get("us_bank_account") or {}
    return options.get("verification_method") == "microdeposits" and not method.get("_verified")


def under_way(intent: Doc) -> bool:
    action = intent["next_action"] or {}
    return intent["status"] == "requires_action" and action.get("type") == "verify_with_microdeposits"


def start(call: Call, intent: Doc, method: Doc) -> Doc:
    """Send the deposit: the intent waits for its code, for ten days. Some accounts can't even be sent one."""
    intent["payment_method"] = method["id"]
    if method["_number"] == UNREACHABLE:
        fail(call, intent, method, "failed")
        raise refusal(intent, "failed")
    details = {
        "arrival_date": call.now + 2 * 86_400,
        "hosted_verification_url": f"{call.world.settings.public_url}{VERIFY_PAGE}{intent['id']}",
        "microdeposit_type": "descriptor_code",
    }
    action = {"type": "verify_with_microdeposits", "verify_with_microdeposits": details}
    intent |= {"status": "requires_action", "next_action": action, "_deposit_tries": {}}
    call.shelf.save(intent)
    call.emit(f"{intent['object']}.requires_action", intent)
    call.schedule(call.now + TIMEOUT_S, "microdeposits_timeout", intent)
    return intent


def outcome_of(intent: Doc, given: Given) -> str | None:
    """Judge what the customer read off the statement: None when it is right, else what is wrong with it.

    Counts a wrong one; the last that is allowed, and the test values for it, end the verification.
    """
    kind, answer = _answer_of(given)
    right, too_many, too_late = (pair[kind == "descriptor_code"] for pair in (_RIGHT, _TOO_MANY, _TOO_LATE))
    if answer == right:
        return None
    if answer == too_late:
        return "verification_timeout"
    tries = intent["_deposit_tries"].get(kind, 0) + 1
    intent["_deposit_tries"] = {**intent["_deposit_tries"], kind: tries}
    if answer == too_many or tries >= _TRIES_MAX[kind]:
        return "verification_attempts_exceeded"
    return f"verification_{kind}_mismatch"


def is_final(outcome: str) -> bool:
    return not outcome.endswith("_mismatch")


def fail(call: Call, intent: Doc, method: Doc, outcome: str) -> None:
    """The account could not be verified: another payment method is needed."""
    code = _PREFIX + outcome
    error: Doc = {
        "code": code,
        "doc_url": DOC_URL + code.replace("_", "-"),
        "message": _WORDS[outcome],
        "payment_method": copy_of(method),
        "type": "invalid_request_error",
    }
    is_setup = intent["object"] == "setup_intent"
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent["last_setup_error" if is_setup else "last_payment_error"] = error
    call.shelf.save(intent)
    call.emit("setup_intent.setup_failed" if is_setup else "payment_intent.payment_failed", intent)


def refusal(intent: Doc, outcome: str) -> StripeError:
    code = _PREFIX + outcome
    shown: dict[str, Any] = {intent["object"]: intent}
    return StripeError(_WORDS[outcome], code=code, stored=True, **shown)


def _answer_of(given: Given) -> tuple[str, object]:
    amounts, code = given.get("amounts"), given.get("descriptor_code")
    if bool(amounts) == bool(code):
        raise invalid("You must provide either `amounts` or `descriptor_code`.")
    if code:
        return "descriptor_code", str(code).upper()
    if amounts is None or len(amounts) != 2:
        message = "You must provide exactly two microdeposit amounts."
        raise StripeError(message, code=_PREFIX + "verification_amounts_invalid", param="amounts")
    return "amounts", tuple(sorted(amounts))
