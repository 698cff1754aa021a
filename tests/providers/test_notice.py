"""A signed body becomes a notice that names the object to look at, or is refused as unreadable. It never crashes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counterfoil.core.facts import Notice
from counterfoil.providers.port import NoticeRefused, NoticeUnreadable
from counterfoil.providers.stripe.notice import raw_event, read_event, read_notice, verify
from providers.recorded import NOW, NOW_S, SECRET, recorded_events, signed

RECORDED = {
    "2020-03-02/charge_dispute_closed": ("dispute", "pi_1IqtG9JDPojXS6LNOGnYrIqq"),
    "2020-03-02/charge_dispute_created": ("dispute", "pi_1IqtG9JDPojXS6LNOGnYrIqq"),
    "2020-03-02/charge_failed": ("payment_intent", "pi_3KtoMeJDPojXS6LN0XnGDnI3"),
    "2020-03-02/charge_refunded": ("refund", "pi_3Kl36gJDPojXS6LN02fQVtKR"),
    "2020-03-02/charge_succeeded": ("payment_intent", "pi_3KtQThJDPojXS6LN0H9EfsjV"),
    "2020-03-02/checkout_session_completed": (
        "checkout.session",
        "cs_live_9RBjcHiy2i5p99Tf1MYM90c3SHK1grU0E6Ae6pKWR2KPA4ZiuKiB2X1Y3X",
    ),
    "2020-03-02/credit_note_created": ("credit_note", "cn_1MxvRqLkdIwHu7ixY0xbUcxk"),
    "2020-03-02/invoice_paid": ("invoice", "in_1KJqKBJDPojXS6LNJbvLUgEy"),
    "2020-03-02/invoice_updated": ("invoice", "in_1KJrLsJDPojXS6LN8xJ2QLQt"),
    "2020-03-02/invoice_voided": ("invoice", "in_1KJqKBJDPojXS6LNJbvLUgEy"),
    "2020-03-02/payment_intent_canceled": ("payment_intent", "pi_1IqxJOJDPojXS6LN9uOebAea"),
    "2020-03-02/payment_intent_requires_action": ("payment_intent", "pi_1IqxJOJDPojXS6LN9uOebAea"),
    "2020-03-02/payment_intent_succeeded": ("payment_intent", "pi_1IqxJOJDPojXS6LN9uOebAea"),
    "2020-03-02/refund_created": ("refund", "pi_1GszsK2eZvKYlo2CfhZyoZLp"),
    "2020-03-02/subscription_deleted": ("subscription", "sub_JdIzvfy6o5GZRd"),
    "2023-10-16/invoice_payment_paid": ("invoice", "in_103Q0w2eZvKYlo2C5PYwf6Wf"),
    "2025-04-30.basil/invoice_paid__zulip": ("invoice", "in_1NormalizedZulip01"),
    "2025-04-30.basil/invoice_payment_succeeded__zulip": ("invoice", "in_1NormalizedZulip01"),
}


def event(payload: object, kind: str = "payment_intent.succeeded", **fields: object) -> dict[str, object]:
    return {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": NOW_S,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": payload},
    } | fields


def read(body: bytes) -> Notice:
    return verify(body, signed(body), (SECRET,), NOW)


def test_every_recorded_event_names_the_object_to_look_at() -> None:
    seen = {}
    for path in recorded_events():
        notice = read(path.read_bytes())
        assert notice.api_version == path.parent.name
        seen[f"{path.parent.name}/{path.stem}"] = (notice.subject_kind, notice.subject_ref)

    assert seen == RECORDED


@pytest.mark.parametrize("path", recorded_events(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_event_keeps_its_own_id_time_and_object(path: Path) -> None:
    recorded = json.loads(path.read_bytes())

    notice = read(path.read_bytes())

    assert notice.provider_event == recorded["id"]
    assert notice.kind == recorded["type"]
    assert notice.object_ref == recorded["data"]["object"]["id"]
    assert notice.occurred_at == datetime.fromtimestamp(recorded["created"], UTC)
    assert notice.connected_account is None
    assert notice.livemode is False


@pytest.mark.parametrize(
    ("kind", "payload", "subject"),
    [
        ("payment_intent.created", {"id": "pi_1", "object": "payment_intent"}, ("payment_intent", "pi_1")),
        ("payment_intent.payment_failed", {"id": "pi_1", "object": "payment_intent"}, ("payment_intent", "pi_1")),
        ("charge.succeeded", {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, ("payment_intent", "pi_1")),
        (
            "charge.updated",
            {"id": "ch_1", "object": "charge", "payment_intent": {"id": "pi_1", "object": "payment_intent"}},
            ("payment_intent", "pi_1"),
        ),
        ("charge.succeeded", {"id": "ch_1", "object": "charge", "payment_intent": None}, ("charge", "ch_1")),
        ("charge.succeeded", {"id": "ch_1", "object": "charge"}, ("charge", "ch_1")),
        ("charge.refunded", {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"}, ("refund", "pi_1")),
        ("charge.refunded", {"id": "ch_1", "object": "charge"}, ("refund", "ch_1")),
        ("charge.refund.updated", {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}, ("refund", "pi_1")),
        ("refund.created", {"id": "re_1", "object": "refund", "payment_intent": None}, ("refund", "re_1")),
        ("refund.failed", {"id": "re_1", "object": "refund", "payment_intent": "pi_1"}, ("refund", "pi_1")),
        ("charge.dispute.created", {"id": "dp_1", "object": "dispute", "payment_intent": "pi_1"}, ("dispute", "pi_1")),
        ("charge.dispute.closed", {"id": "dp_1", "object": "dispute"}, ("dispute", "dp_1")),
        ("checkout.session.completed", {"id": "cs_1", "object": "checkout.session"}, ("checkout.session", "cs_1")),
        ("checkout.session.expired", {"id": "cs_1", "object": "checkout.session"}, ("checkout.session", "cs_1")),
        ("customer.created", {"id": "cus_1", "object": "customer"}, ("customer", "cus_1")),
        ("customer.deleted", {"id": "cus_1", "object": "customer", "deleted": True}, ("customer", "cus_1")),
        ("customer.subscription.updated", {"id": "sub_1", "object": "subscription"}, ("subscription", "sub_1")),
        ("payment_method.attached", {"id": "pm_1", "object": "payment_method"}, ("payment_method", "pm_1")),
        ("invoice.paid", {"id": "in_1", "object": "invoice"}, ("invoice", "in_1")),
        ("invoice.upcoming", {"object": "invoice", "id": None}, ("upcoming_invoice", "evt_1")),
        ("invoice.deleted", {"id": "in_1", "object": "invoice"}, ("invoice", "in_1")),
        ("invoice_payment.paid", {"id": "inpay_1", "object": "invoice_payment"}, ("invoice_payment", "inpay_1")),
        (
            "invoice_payment.paid",
            {"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1"},
            ("invoice", "in_1"),
        ),
        ("balance.available", {"object": "balance"}, ("balance", "evt_1")),
        ("tax.settings.updated", {}, ("tax.settings", "evt_1")),
        ("some.future.thing", {"id": "x_1", "object": "future.thing"}, ("future.thing", "x_1")),
    ],
)
def test_news_of_each_kind_names_its_subject(kind: str, payload: dict[str, object], subject: tuple[str, str]) -> None:
    notice = read_notice(event(payload, kind))

    assert (notice.subject_kind, notice.subject_ref) == subject
    assert notice.object_ref == (payload.get("id") or "evt_1")


def test_a_payment_of_before_2022_with_its_charges_inside_is_read() -> None:
    payload = {
        "id": "pi_1",
        "object": "payment_intent",
        "charges": {"object": "list", "data": [{"id": "ch_1", "object": "charge"}], "has_more": False},
        "invoice": "in_1",
    }

    assert read_notice(event(payload, api_version="2022-08-01")).subject_ref == "pi_1"


def test_an_event_of_a_connected_account_says_which_one() -> None:
    notice = read_notice(event({"id": "pi_1", "object": "payment_intent"}, account="acct_1", livemode=True))

    assert (notice.connected_account, notice.livemode) == ("acct_1", True)


def test_an_event_without_a_version_is_read() -> None:
    assert read_notice(event({"id": "pi_1", "object": "payment_intent"}, api_version=None)).api_version == ""


def test_a_thin_event_is_refused_with_the_way_out() -> None:
    thin = {"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.error_report_triggered"}

    with pytest.raises(NoticeUnreadable, match="snapshot events"):
        read(json.dumps(thin).encode())


GOOD = event({"id": "pi_1", "object": "payment_intent"})
TEXT = json.dumps(GOOD).encode()

UNREADABLE: dict[str, bytes] = {
    "nothing": b"",
    "blank": b"  ",
    "a byte order mark": b"\xef\xbb\xbf" + TEXT,
    "UTF-16": TEXT.decode().encode("utf-16"),
    "UTF-32": TEXT.decode().encode("utf-32-le"),
    "Latin-1": TEXT.replace(b"pi_1", b"pi_\xe9"),
    "a raw NUL": TEXT.replace(b"pi_1", b"pi_\x00"),
    "an escaped NUL": TEXT.replace(b"pi_1", rb"pi_\u0000"),
    "an escaped NUL in a text that nobody reads": TEXT.replace(b'"data"', rb'"note": "a\u0000b", "data"'),
    "an escaped NUL in a key": TEXT.replace(b'"data"', rb'"a\u0000b": 1, "data"'),
    "half a surrogate pair": TEXT.replace(b'"data"', rb'"note": "\ud83d", "data"'),
    "half a pair, in upper case, deep in a list": TEXT.replace(b'"data"', rb'"note": [[{"x": "\uDC00"}]], "data"'),
    "an encoded surrogate": TEXT.replace(b"pi_1", b"pi_\xed\xa0\x80"),
    "a list": b"[" + TEXT + b"]",
    "a text": b'"event"',
    "a number": b"1",
    "null": b"null",
    "two objects": TEXT + TEXT,
    "cut off": TEXT[:-5],
    "NaN": TEXT.replace(b"false", b"NaN"),
    "infinity": TEXT.replace(str(NOW_S).encode(), b"-Infinity"),
    "single quotes": TEXT.replace(b'"', b"'"),
    "a comment": b"/* hello */" + TEXT,
    "nested 100,000 lists deep": b"[" * 100_000 + b"]" * 100_000,
    "nested 100,000 objects deep": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "an integer of 5,000 digits": TEXT.replace(str(NOW_S).encode(), b"9" * 5000),
    "an integer of 400 digits as its time": TEXT.replace(str(NOW_S).encode(), b"9" * 400),
    "a time of 2^63": TEXT.replace(str(NOW_S).encode(), str(2**63).encode()),
    "a time after the year 9999": TEXT.replace(str(NOW_S).encode(), b"253402300800"),
    "a time before 1970": TEXT.replace(str(NOW_S).encode(), b"-1"),
    "a fractional time": TEXT.replace(str(NOW_S).encode(), b"1.5"),
    "an exponent as its time": TEXT.replace(str(NOW_S).encode(), b"1e9"),
    "true as its time": TEXT.replace(str(NOW_S).encode(), b"true"),
    "form data": b"id=evt_1&object=event",
    "HTML": b"<html><body>502</body></html>",
}


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_body_that_is_not_an_event_is_refused_as_unreadable(body: bytes) -> None:
    with pytest.raises(NoticeUnreadable):
        read(body)


@pytest.mark.parametrize("name", ["id", "object", "type", "created", "livemode", "data"])
@pytest.mark.parametrize("value", [None, "", 7, [], {}, "\n", True], ids=repr)
def test_an_event_without_a_field_that_every_event_has_is_refused(name: str, value: object) -> None:
    broken = GOOD | {name: value}
    if name == "livemode" and value is True:
        broken.pop(name)
    if name == "created" and value == 7:
        broken.pop(name)
    if name == "type" and value == "\n":
        broken.pop(name)

    with pytest.raises(NoticeUnreadable):
        read(json.dumps(broken).encode())


@pytest.mark.parametrize("odd", [7, ["pi_1"], "", " ", "..", "a b", "x" * 256, True, {"id": 7}], ids=repr)
def test_a_reference_that_can_not_be_an_id_is_refused(odd: object) -> None:
    charge = {"id": "ch_1", "object": "charge", "payment_intent": odd}

    with pytest.raises(NoticeUnreadable):
        read(json.dumps(event(charge, "charge.succeeded")).encode())


def test_a_pair_of_surrogates_and_a_doubled_backslash_are_ordinary_text() -> None:
    body = TEXT.replace(b'"data"', rb'"note": "\ud83d\ude00 \\u0000 \\ud800", "data"')

    assert read(body).provider_event == "evt_1"


def test_an_event_from_a_list_is_kept_as_bytes_that_read_again() -> None:
    listed = event({"id": "pi_1", "object": "payment_intent", "description": "a\0b \ud800 é", "n": [1, None, True]})

    kept = read_event(raw_event(listed))

    assert read_notice(kept) == read_notice(listed)
    assert kept["data"] == {
        "object": {"id": "pi_1", "object": "payment_intent", "description": "a\ufffdb \ufffd é", "n": [1, None, True]}
    }


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
EVENT_LIKE = st.fixed_dictionaries(
    {"object": st.just("event")},
    optional={
        "id": st.just("evt_1") | ANY_JSON,
        "type": st.sampled_from(["charge.refunded", "customer.created", "x"]) | ANY_JSON,
        "created": st.just(NOW_S) | ANY_JSON,
        "livemode": st.booleans() | ANY_JSON,
        "account": ANY_JSON,
        "api_version": ANY_JSON,
        "data": st.fixed_dictionaries(
            {
                "object": st.dictionaries(st.sampled_from(["id", "object", "payment_intent"]), ANY_JSON) | ANY_JSON,
            }
        )
        | ANY_JSON,
    },
)


@given(st.one_of(ANY_JSON, EVENT_LIKE))
@settings(max_examples=150, deadline=None)
def test_any_json_is_a_notice_or_is_refused(value: object) -> None:
    body = json.dumps(value).encode()
    try:
        notice = read(body)
    except NoticeUnreadable:
        return
    assert notice.subject_ref
    assert notice.subject_kind


@given(body=st.binary(max_size=200), header=st.text(max_size=200), secret=st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_bytes_and_any_header_are_refused_without_a_crash(body: bytes, header: str, secret: str) -> None:
    with pytest.raises(NoticeRefused):
        verify(body, {"Stripe-Signature": header}, (secret,), NOW)


@given(body=st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_signed_bytes_are_a_notice_or_are_refused(body: bytes) -> None:
    with pytest.raises(NoticeUnreadable):
        read(body)


@given(at=st.integers(0, len(TEXT) - 1), byte=st.integers(0, 255))
@settings(max_examples=200, deadline=None)
def test_an_event_with_one_byte_changed_is_a_notice_or_is_refused(at: int, byte: int) -> None:
    body = TEXT[:at] + bytes([byte]) + TEXT[at + 1 :]
    try:
        notice = read(body)
    except NoticeUnreadable:
        return
    assert isinstance(notice, Notice)
