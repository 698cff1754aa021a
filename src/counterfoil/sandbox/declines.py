"""Why an issuer refuses, and the error a caller then sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import DOC_URL, StripeError


@dataclass(frozen=True, slots=True)
class Decline:
    """A refusal: error code, issuer's reason (None where the code says it all), message, and the parameter at fault."""

    code: str
    decline_code: str | None
    message: str
    param: str | None = None
    advice: str | None = None

    def error_fields(self) -> Doc:
        """The fields that the error body and `last_payment_error` share."""
        fields: Doc = {
            "code": self.code,
            "doc_url": DOC_URL + self.code.replace("_", "-"),
            "message": self.message,
            "type": "card_error",
        }
        if self.decline_code:
            fields["decline_code"] = self.decline_code
        if self.param:
            fields["param"] = self.param
        if self.advice:
            fields["advice_code"] = self.advice
        return fields

    def error(self, **objects: Any) -> StripeError:
        """The 402 that a caller sees; execution had begun, so an idempotency key keeps it."""
        fields = self.error_fields() | objects
        known = {name: fields.pop(name, None) for name in ("message", "code", "param")}
        fields.pop("doc_url")
        return StripeError(
            str(known["message"]),
            status=402,
            stored=True,
            code=known["code"],
            param=known["param"],
            type=fields.pop("type"),
            **fields,
        )


_DECLINED = "Your card was declined."

DECLINES: dict[str, Decline] = {
    "generic_decline": Decline("card_declined", "generic_decline", _DECLINED, advice="try_again_later"),
    "insufficient_funds": Decline(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", advice="try_again_later"
    ),
    "lost_card": Decline("card_declined", "lost_card", _DECLINED, advice="do_not_try_again"),
    "stolen_card": Decline("card_declined", "stolen_card", _DECLINED, advice="do_not_try_again"),
    "fraudulent": Decline("card_declined", "fraudulent", _DECLINED, advice="do_not_try_again"),
    "card_velocity_exceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        advice="try_again_later",
    ),
    "expired_card": Decline("expired_card", "expired_card", "Your card has expired.", "exp_month", "confirm_card_data"),
    "incorrect_cvc": Decline(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "cvc", "confirm_card_data"
    ),
    "processing_error": Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        advice="try_again_later",
    ),
    "authentication_required": Decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
    ),
}

BANK_FAILURES: dict[str, str] = {
    "account_closed": "The customer's bank account has been closed.",
    "no_account": "The customer's bank account could not be located.",
    "debit_not_authorized": "The customer has notified their bank that this payment was unauthorized.",
    "insufficient_funds": "The customer's account has insufficient funds to cover this payment.",
    "invalid_currency": "The bank was unable to process this payment because of its currency.",
}
