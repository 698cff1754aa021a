"""What the provider's answer to an instruction means. Total: every answer is exactly one Outcome.

Statuses, types and codes decide; the provider's message is for people and never looked at.
"""

from typing import Final

from counterfoil.core.facts import Done, Fact, Outcome, Refused, Unfinished, Unknown
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import STORED_ERROR
from counterfoil.providers.stripe.calls import Answer, Failure, Reply
from counterfoil.providers.stripe.fields import child, text
from counterfoil.providers.stripe.parse import fact_of, refusal_of

NO_REPLY: Final = "no_reply"
RESOURCE_MISSING: Final = "resource_missing"
NOT_REACHABLE_AFTER_S: Final = 2
MISCONFIGURED_AFTER_S: Final = 60
"""A refused key is for a person to mend, so there is no point in asking every second."""
AFTER_MAX_S: Final = 300

MISCONFIGURED: Final = {
    401: "the provider account is misconfigured: its secret key was refused (401)",
    403: "the provider account is misconfigured: its secret key may not do this (403)",
}
BUSY_CODES: Final = frozenset({"rate_limit", "lock_timeout"})
GATEWAY_STATUSES: Final = frozenset({502, 503, 504})
"""Replies of something in front of the provider, which may or may not have passed the request on."""


def outcome_of(answer: Answer, asked: ProviderRef) -> Outcome:
    """Say what became of an instruction. `asked` names the object where the answer does not."""
    if isinstance(answer, Reply):
        return Done(fact_of(answer.doc, asked))
    if not answer.is_sent:
        return Unfinished("not reachable", NOT_REACHABLE_AFTER_S)
    if answer.status is None:
        return Unknown(NO_REPLY)
    return _of_status(answer, answer.status, asked)


def _of_status(failure: Failure, status: int, asked: ProviderRef) -> Outcome:
    """Read a reply that is not a success. First what surely had no effect, last what may have had one."""
    if status in MISCONFIGURED:
        return Unfinished(MISCONFIGURED[status], MISCONFIGURED_AFTER_S)
    if status == 429 or is_busy(failure):
        return Unfinished(text(failure.error, "code") or "rate_limit", retry_after_s(failure))
    if status >= 500:
        return _of_server_error(failure, status)
    if not failure.error or status < 400:
        # Not the provider's words: a proxy's page, or a reply that was cut off.
        return Unknown(NO_REPLY)
    if status == 409:
        return Unfinished(text(failure.error, "code") or "conflict", retry_after_s(failure))
    if is_refusal(failure):
        return Refused(refusal_of(failure.error), _fact_in(failure, asked))
    return Unknown(STORED_ERROR)


def _of_server_error(failure: Failure, status: int) -> Outcome:
    """A 500 is stored under the key, so replaying it is idle; a gateway's error says nothing about the call.

    A replayed error is a stored one, whatever its status.
    """
    is_replayed = failure.headers.get("idempotent-replayed") == "true"
    is_gateways = status in GATEWAY_STATUSES and not is_replayed
    return Unknown(NO_REPLY if is_gateways else STORED_ERROR)


def is_busy(failure: Failure) -> bool:
    """Say whether the provider asks to come back later. Older versions answer 400 with the code of a 429."""
    return text(failure.error, "code") in BUSY_CODES


def is_refusal(failure: Failure) -> bool:
    """Say whether the provider looked at the instruction and said no.

    A 424 (something behind the provider failed) is not a no.
    """
    return failure.status in (400, 402, 404) or text(failure.error, "type") == "invalid_request_error"


def is_missing(failure: Failure) -> bool:
    """Say whether the provider knows no such object; an address that it does not know has no code."""
    return failure.status == 404 and text(failure.error, "code") == RESOURCE_MISSING


def is_not_covered(failure: Failure) -> bool:
    """Say whether the provider knows no such address: its own 404, with a type and no code."""
    return (
        failure.status == 404
        and text(failure.error, "type") == "invalid_request_error"
        and text(failure.error, "code") is None
    )


def retry_after_s(failure: Failure) -> int:
    """Give what the provider asks us to wait: whole seconds, at least one, at most five minutes."""
    asked = failure.headers.get("retry-after", "")
    return min(max(int(asked), 1), AFTER_MAX_S) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 1


def in_words(failure: Failure) -> str:
    """Say for people why there was no answer. No body and no key: it ends in logs."""
    if not failure.is_sent:
        return "the provider is not reachable"
    if failure.status is None:
        return "the provider gave no usable reply"
    code = text(failure.error, "code") or text(failure.error, "type") or "no error object"
    return f"the provider answered {failure.status} ({code[:80]})"


def _fact_in(failure: Failure, asked: ProviderRef) -> Fact | None:
    """Give the payment that came inside the error, as it is after the refusal."""
    intent = child(failure.error, "payment_intent")
    return fact_of(intent, asked) if intent else None
