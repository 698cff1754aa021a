"""Why a payment was refused, in the five ways that matter to whoever has to do something about it.

The codes are Stripe's decline codes and failure codes (docs.stripe.com/declines/codes). What is not listed is read as
a bank that gives no reason: it may be tried again on the schedule, and the customer is asked to talk to the bank.
"""

from enum import StrEnum
from typing import Final


class DeclineClass(StrEnum):
    """What a refusal asks for."""

    RETRYABLE = "retryable"
    """It may work later with the same card: not enough money, or the bank was not there."""
    AUTHENTICATE = "authenticate"
    """The bank wants to see the customer, who has to confirm. It never works without them."""
    NEW_CARD = "new_card"
    """This card will not work any more, or its data are wrong."""
    TALK_TO_BANK = "talk_to_bank"
    """The bank says no and not why, or wants to be asked."""
    DO_NOT_RETRY = "do_not_retry"
    """The card must not be tried again."""


RETRYABLE: Final = frozenset(
    {
        *("insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded", "approve_with_id"),
        *("issuer_not_available", "processing_error", "reenter_transaction", "try_again_later"),
        *("processing_timeout", "debit_not_available", "rate_limit"),
    }
)
AUTHENTICATE: Final = frozenset(
    {"authentication_required", "payment_intent_authentication_failure", "authentication_not_handled"}
)
NEW_CARD: Final = frozenset(
    {
        *("expired_card", "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_cvc", "incorrect_zip"),
        *("invalid_expiry_month", "invalid_expiry_year", "invalid_account", "card_not_supported", "testmode_decline"),
        *("currency_not_supported", "new_account_information_available", "account_closed", "no_account"),
        *("payment_method_unexpected_state", "payment_method_not_available", "bank_account_unusable"),
        *("incorrect_account_holder_name", "invalid_account_number", "no_payment_method", "method_detached"),
        *("invalid_currency", "bank_account_verification_failed", "payment_method_microdeposit_failed"),
    }
)
DO_NOT_RETRY: Final = frozenset(
    {
        *("lost_card", "stolen_card", "pickup_card", "restricted_card", "fraudulent", "merchant_blacklist"),
        *("revocation_of_all_authorizations", "revocation_of_authorization", "stop_payment_order"),
        *("security_violation", "debit_not_authorized", "no_action_taken"),
    }
)


def class_of(code: str | None) -> DeclineClass:
    """Give what a refusal's code asks for."""
    for codes, found in CLASSES:
        if code in codes:
            return found
    return DeclineClass.TALK_TO_BANK


CLASSES: Final = (
    (AUTHENTICATE, DeclineClass.AUTHENTICATE),
    (RETRYABLE, DeclineClass.RETRYABLE),
    (NEW_CARD, DeclineClass.NEW_CARD),
    (DO_NOT_RETRY, DeclineClass.DO_NOT_RETRY),
)


def may_repeat(found: DeclineClass) -> bool:
    """Say whether the same method may be charged again without the customer, later."""
    return found in (DeclineClass.RETRYABLE, DeclineClass.TALK_TO_BANK)
