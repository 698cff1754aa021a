"""Stripe's test cards and bank accounts, and how each behaves.

The tokens `pm_card_x` and `tok_x` name the same cards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Challenge: TypeAlias = Literal["never", "if_asked", "always", "until_set_up", "on_session"]


@dataclass(frozen=True, slots=True)
class Card:
    """What a card number does.

    `decline` and `attach_decline` name a refusal of `declines.py`. `challenge`: always = each payment, off session
    too; if_asked = when the merchant asks for it; until_set_up = unless it was set up for off-session use;
    on_session = only when the customer is there.
    """

    number: str
    brand: str = "visa"
    funding: str = "credit"
    country: str = "US"
    decline: str | None = None
    attach_decline: str | None = None
    challenge: Challenge = "never"
    dispute: str | None = None
    refund: Literal["succeeds", "fails", "pends"] = "succeeds"
    available_at_once: bool = False
    risk: Literal["normal", "elevated", "highest"] = "normal"


def _declining(number: str, reason: str) -> Card:
    return Card(number, decline=reason, attach_decline=reason)


CARDS: dict[str, Card] = {
    "visa": Card("4242424242424242"),
    "visa_debit": Card("4000056655665556", funding="debit"),
    "mastercard": Card("5555555555554444", "mastercard"),
    "mastercard_debit": Card("5200828282828210", "mastercard", "debit"),
    "mastercard_prepaid": Card("5105105105105100", "mastercard", "prepaid"),
    "amex": Card("371449635398431", "amex"),
    "discover": Card("6011000990139424", "discover"),
    "diners": Card("3056930009020004", "diners"),
    "jcb": Card("3566002020360505", "jcb", country="JP"),
    "unionpay": Card("6200000000000005", "unionpay", country="CN"),
    "us": Card("4242424242424242"),
    "br": Card("4000000760000002", country="BR"),
    "ca": Card("4000001240000000", country="CA"),
    "mx": Card("4000004840008001", country="MX"),
    "de": Card("4000002760000016", country="DE"),
    "fr": Card("4000002500000003", country="FR"),
    "gb": Card("4000008260000000", country="GB"),
    "gb_debit": Card("4000058260000005", funding="debit", country="GB"),
    "au": Card("4000000360000006", country="AU"),
    "jp": Card("4000003920000003", country="JP"),
    "in": Card("4000003560000008", country="IN"),
    "visa_chargeDeclined": _declining("4000000000000002", "generic_decline"),
    "visa_chargeDeclinedInsufficientFunds": _declining("4000000000009995", "insufficient_funds"),
    "visa_chargeDeclinedLostCard": _declining("4000000000009987", "lost_card"),
    "visa_chargeDeclinedStolenCard": _declining("4000000000009979", "stolen_card"),
    "chargeDeclinedExpiredCard": _declining("4000000000000069", "expired_card"),
    "chargeDeclinedIncorrectCvc": _declining("4000000000000127", "incorrect_cvc"),
    "chargeDeclinedProcessingError": _declining("4000000000000119", "processing_error"),
    "visa_chargeDeclinedVelocityLimitExceeded": _declining("4000000000006975", "card_velocity_exceeded"),
    "chargeDeclinedFraudulent": Card("4100000000000019", decline="fraudulent", risk="highest"),
    "radarBlock": Card("4100000000000019", decline="fraudulent", risk="highest"),
    "chargeCustomerFail": Card("4000000000000341", decline="generic_decline"),
    "riskLevelElevated": Card("4000000000009235", risk="elevated"),
    "riskLevelHighest": Card("4000000000004954", risk="highest"),
    "bypassPending": Card("4000000000000077", available_at_once=True),
    "createDispute": Card("4000000000000259", dispute="fraudulent"),
    "createDisputeProductNotReceived": Card("4000000000002685", dispute="product_not_received"),
    "createDisputeInquiry": Card("4000000000001976", dispute="inquiry"),
    "pendingRefund": Card("4000000000007726", refund="pends"),
    "refundFail": Card("4000000000005126", refund="fails"),
    "authenticationRequired": Card("4000002760003184", challenge="always", country="DE"),
    "authenticationRequiredOnSetup": Card("4000002500003155", challenge="until_set_up", country="FR"),
    "authenticationRequiredSetupForOffSession": Card("4000003800000446", challenge="on_session", country="HR"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        "4000008260003178", challenge="always", decline="insufficient_funds", country="GB"
    ),
    "threeDSecure2Required": Card("4000000000003220", challenge="always"),
    "threeDSecureRequired": Card("4000000000003063", challenge="always"),
    "threeDSecureRequiredChargeDeclined": Card("4000008400001629", challenge="always", decline="generic_decline"),
    "threeDSecureRequiredProcessingError": Card("4000008400001280", challenge="always", decline="processing_error"),
    "threeDSecureOptional": Card("4000000000003055", challenge="if_asked"),
    "amex_threeDSecureNotSupported": Card("378282246310005", "amex"),
}

ALIASES = {
    "chargeDeclined": "visa_chargeDeclined",
    "chargeDeclinedInsufficientFunds": "visa_chargeDeclinedInsufficientFunds",
    "chargeDeclinedLostCard": "visa_chargeDeclinedLostCard",
    "chargeDeclinedStolenCard": "visa_chargeDeclinedStolenCard",
    "chargeDeclinedVelocityLimitExceeded": "visa_chargeDeclinedVelocityLimitExceeded",
    "visa_chargeDeclinedExpiredCard": "chargeDeclinedExpiredCard",
    "visa_chargeDeclinedIncorrectCvc": "chargeDeclinedIncorrectCvc",
    "visa_chargeDeclinedProcessingError": "chargeDeclinedProcessingError",
    "visa_chargeDeclinedFraudulent": "chargeDeclinedFraudulent",
    "visa_chargeCustomerFail": "chargeCustomerFail",
    "visa_createDispute": "createDispute",
    "visa_refundFail": "refundFail",
    "visa_threeDSecure2Required": "threeDSecure2Required",
}

BANK_ACCOUNTS: dict[str, tuple[str, str | None]] = {
    "success": ("000123456789", None),
    "accountClosed": ("000111111113", "account_closed"),
    "noAccount": ("000111111116", "no_account"),
    "debitNotAuthorized": ("000222222227", "debit_not_authorized"),
    "insufficientFunds": ("000333333335", "insufficient_funds"),
    "invalidCurrency": ("000444444440", "invalid_currency"),
    "processing": ("000000000009", "processing"),
    "dispute": ("000777777771", "dispute"),
}
"""US bank accounts by the name in `pm_usBankAccount_x`: number and how a debit ends (None: it settles; processing:
it never does).
"""

_BY_NUMBER = {card.number: card for card in reversed(CARDS.values())}
_PREFIXES = (
    ("34", "amex"),
    ("37", "amex"),
    ("35", "jcb"),
    ("36", "diners"),
    ("38", "diners"),
    ("30", "diners"),
    ("6011", "discover"),
    ("65", "discover"),
)
_LEADING = {"4": "visa", "5": "mastercard", "2": "mastercard", "6": "unionpay"}


def card_token(token: str) -> Card | None:
    """The card behind `pm_card_x` or `tok_x`, None when there is none of that name."""
    name = token.removeprefix("pm_card_") if token.startswith("pm_card_") else token.removeprefix("tok_")
    return CARDS.get(ALIASES.get(name, name)) if name != token else None


def card_numbered(number: str) -> Card:
    """How a card number behaves; one that is not in the table is an ordinary card of its brand."""
    known = _BY_NUMBER.get(number)
    return known or Card(number, brand_of(number))


def brand_of(number: str) -> str:
    prefix = next((brand for start, brand in _PREFIXES if number.startswith(start)), None)
    return prefix or _LEADING.get(number[:1], "unknown")


def is_card_number(number: str) -> bool:
    """True when a text could be a card number: 12 to 19 digits with a right check digit."""
    if not number.isdigit() or not 12 <= len(number) <= 19:
        return False
    doubled = [int(digit) * (1 + position % 2) for position, digit in enumerate(reversed(number))]
    return sum(digit - 9 if digit > 9 else digit for digit in doubled) % 10 == 0
