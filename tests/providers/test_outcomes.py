"""Every answer to an instruction is exactly one outcome, and only what surely had no effect may be sent anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from behaviours import behaviour
from counterfoil.core.facts import Done, IntentFact, Outcome, Refusal, Refused, Unfinished, Unknown, UnreadableFact
from counterfoil.core.ids import ProviderRef
from counterfoil.core.orders import STORED_ERROR
from counterfoil.providers.stripe.calls import Failure, Reply
from counterfoil.providers.stripe.outcomes import in_words, outcome_of

ASKED = ProviderRef("pi_1")
INTENT = {
    "id": "pi_1",
    "object": "payment_intent",
    "amount": 7000,
    "amount_received": 0,
    "currency": "usd",
    "status": "requires_payment_method",
}
INVALID = {"type": "invalid_request_error", "message": "No."}
API_ERROR = {"type": "api_error", "message": "Sorry."}
NO_ERROR: dict[str, object] = {}


@pytest.mark.parametrize(
    ("failure", "outcome"),
    [
        # The provider looked and said no.
        (Failure(402, {"type": "card_error", "code": "card_declined"}), Refused(Refusal("card_declined"))),
        (Failure(400, INVALID), Refused(Refusal("invalid_request_error", message="No."))),
        (Failure(400, INVALID | {"code": "amount_too_small"}), Refused(Refusal("amount_too_small", message="No."))),
        (Failure(404, INVALID | {"code": "resource_missing"}), Refused(Refusal("resource_missing", message="No."))),
        (Failure(400, {"type": "idempotency_error"}), Refused(Refusal("idempotency_error"))),
        (Failure(405, INVALID), Refused(Refusal("invalid_request_error", message="No."))),
        # It asks for the same call again, later.
        (Failure(409, {"code": "idempotency_key_in_use"}), Unfinished("idempotency_key_in_use", 1)),
        (Failure(409, API_ERROR), Unfinished("conflict", 1)),
        (Failure(429, INVALID | {"code": "rate_limit"}), Unfinished("rate_limit", 1)),
        (Failure(429, INVALID | {"code": "lock_timeout"}), Unfinished("lock_timeout", 1)),
        (Failure(429, NO_ERROR), Unfinished("rate_limit", 1)),
        (Failure(400, INVALID | {"code": "rate_limit"}), Unfinished("rate_limit", 1)),
        (Failure(429, NO_ERROR, {"retry-after": "7"}), Unfinished("rate_limit", 7)),
        (Failure(429, NO_ERROR, {"retry-after": "0"}), Unfinished("rate_limit", 1)),
        (Failure(429, NO_ERROR, {"retry-after": "99999"}), Unfinished("rate_limit", 300)),
        (Failure(429, NO_ERROR, {"retry-after": "9" * 5000}), Unfinished("rate_limit", 1)),
        (Failure(429, NO_ERROR, {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), Unfinished("rate_limit", 1)),
        (Failure(429, NO_ERROR, {"retry-after": "-1"}), Unfinished("rate_limit", 1)),
        (Failure(429, NO_ERROR, {"retry-after": "٧"}), Unfinished("rate_limit", 1)),
        (Failure(is_sent=False), Unfinished("not reachable", 2)),
        # It may have had its effect.
        (Failure(), Unknown("no_reply")),
        (Failure(500, API_ERROR), Unknown(STORED_ERROR)),
        (Failure(500, NO_ERROR), Unknown(STORED_ERROR)),
        (Failure(500, INVALID), Unknown(STORED_ERROR)),
        (Failure(502, NO_ERROR), Unknown("no_reply")),
        (Failure(503, API_ERROR), Unknown("no_reply")),
        (Failure(504, NO_ERROR), Unknown("no_reply")),
        (Failure(503, API_ERROR, {"idempotent-replayed": "true"}), Unknown(STORED_ERROR)),
        (Failure(599, NO_ERROR), Unknown(STORED_ERROR)),
        (Failure(424, API_ERROR), Unknown(STORED_ERROR)),
        (Failure(402, NO_ERROR), Unknown("no_reply")),
        (Failure(400, NO_ERROR), Unknown("no_reply")),
        (Failure(404, NO_ERROR), Unknown("no_reply")),
        (Failure(409, NO_ERROR), Unknown("no_reply")),
        (Failure(302, NO_ERROR), Unknown("no_reply")),
        (Failure(200, NO_ERROR), Unknown("no_reply")),
        (Failure(200, INVALID), Unknown("no_reply")),
    ],
    ids=repr,
)
@behaviour("R-SU-9")
def test_each_failure_is_one_outcome(failure: Failure, outcome: Outcome) -> None:
    assert outcome_of(failure, ASKED) == outcome


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_had_no_effect_and_is_not_asked_again_at_once(status: int) -> None:
    outcome = outcome_of(Failure(status, INVALID), ASKED)

    assert isinstance(outcome, Unfinished)
    assert "misconfigured" in outcome.why
    assert str(status) in outcome.why
    assert outcome.after_s >= 60


def test_a_refusal_brings_the_payment_as_it_is_now() -> None:
    error = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "message": "Your card has insufficient funds.",
        "charge": "ch_1",
        "payment_intent": INTENT,
    }

    outcome = outcome_of(Failure(402, error), ASKED)

    assert isinstance(outcome, Refused)
    assert outcome.refusal == Refusal(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", ProviderRef("ch_1")
    )
    assert isinstance(outcome.fact, IntentFact)
    assert outcome.fact.ref == "pi_1"


def test_a_success_brings_the_object() -> None:
    outcome = outcome_of(Reply(INTENT), ASKED)

    assert isinstance(outcome, Done)
    assert isinstance(outcome.fact, IntentFact)


def test_a_success_with_an_object_that_can_not_be_read_is_still_a_success() -> None:
    """It had its effect: that we can't read what came back is no reason to send it again."""
    outcome = outcome_of(Reply({"object": "payment_intent"}), ASKED)

    assert outcome == Done(UnreadableFact(ASKED, "currency is missing"))


ERRORS = st.dictionaries(
    st.sampled_from(["type", "code", "message", "decline_code", "charge", "payment_intent", "param"]),
    st.sampled_from(["card_error", "api_error", "rate_limit", "idempotency_error", "resource_missing"])
    | st.text(max_size=20)
    | st.none()
    | st.integers()
    | st.just(INTENT)
    | st.lists(st.text(max_size=3), max_size=2),
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "idempotent-replayed", "request-id"]),
    st.sampled_from(["true", "5"]) | st.text(max_size=9),
)


@given(status=st.none() | st.integers(100, 599), error=ERRORS, headers=HEADERS, is_sent=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_failure_is_an_outcome_and_none_is_a_success(
    status: int | None, error: dict[str, object], headers: dict[str, str], is_sent: bool
) -> None:
    failure = Failure(status, error, headers, is_sent=is_sent)

    outcome = outcome_of(failure, ASKED)

    assert isinstance(outcome, Refused | Unfinished | Unknown)
    assert not isinstance(outcome, Refused) or outcome.refusal.code
    assert not isinstance(outcome, Unfinished) or 1 <= outcome.after_s <= 300
    assert in_words(failure)


def test_words_about_a_failure_never_carry_its_body() -> None:
    assert (
        in_words(Failure(402, {"type": "card_error", "message": "card 4242"}))
        == "the provider answered 402 (card_error)"
    )
    assert in_words(Failure()) == "the provider gave no usable reply"
    assert in_words(Failure(is_sent=False)) == "the provider is not reachable"
