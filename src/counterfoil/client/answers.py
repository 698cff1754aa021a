"""What an application says to its own caller when a spend was refused, or could not be asked for."""

from collections.abc import Mapping
from typing import Any, Final

from counterfoil.client.errors import (
    CounterfoilError,
    CounterfoilUnavailable,
    CustomerRestricted,
    HoldExceeded,
    InsufficientCredits,
    Refused,
    WalletInDebt,
    WalletNotActive,
)

MEDIA_TYPE: Final = "application/problem+json"
PAYMENT_REQUIRED: Final = 402
UNAVAILABLE: Final = 503
RETRY_AFTER_S: Final = 5

FOR_CALLERS: Final = (InsufficientCredits, CustomerRestricted, WalletInDebt, WalletNotActive, HoldExceeded)
"""Refusals that whoever spends can do something about. Every other one is a fault of the application."""


def is_for_callers(error: CounterfoilError) -> bool:
    """Say whether the caller of the application is to hear of it, rather than those who run it."""
    return isinstance(error, (*FOR_CALLERS, CounterfoilUnavailable))


def problem_of(error: CounterfoilError) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Give status, problem document (RFC 9457, to be sent as MEDIA_TYPE) and headers: the reason, and what would help.

    The reason is the one that Counterfoil gave: a failed payment is never told as an allowance that is used up.
    """
    if isinstance(error, Refused):
        return PAYMENT_REQUIRED, _refused(error), {}
    body = {
        "type": "about:blank",
        "title": "Billing can't be reached",
        "status": UNAVAILABLE,
        "code": "billing_unavailable",
        "detail": "Whether this is paid for can't be checked right now. Nothing was spent.",
        "retryable": True,
    }
    return UNAVAILABLE, body, {"Retry-After": str(RETRY_AFTER_S)}


def _refused(error: Refused) -> dict[str, Any]:
    sums: Mapping[str, Any] = {}
    if isinstance(error, InsufficientCredits):
        sums = {"balance": _text(error.balance), "needed": _text(error.needed)}
    told = {
        "type": error.type or "about:blank",
        "title": str(error.problem.get("title") or "Payment required"),
        "status": PAYMENT_REQUIRED,
        "code": error.code,
        "detail": error.detail,
        "remedy": error.remedy,
        "retryable": False,
        **sums,
    }
    return {name: value for name, value in told.items() if value is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
