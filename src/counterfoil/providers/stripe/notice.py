"""Read a webhook: from signed bytes to a Notice that says which object to look at. Payloads of any API version."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NoReturn

import msgspec

from counterfoil.core.facts import Notice
from counterfoil.core.ids import ProviderRef
from counterfoil.providers.port import NoticeUnreadable
from counterfoil.providers.stripe.fields import Doc, Unreadable, child, clean, is_usable, lenient_ref, ref, text, whole
from counterfoil.providers.stripe.signature import check_signature

OF_A_PAYMENT: Final = frozenset({"charge", "refund", "dispute"})
"""Payload objects that are looked at through their payment, when they have one."""

OCCURRED_MAX: Final = 253_402_300_799
"""The last second of the year 9999, after which there are no times."""


def verify(body: bytes, headers: Mapping[str, str], secrets: tuple[str, ...], wall: datetime) -> Notice:
    """Check the signature over the exact bytes, then read the event. Raises NoticeRefused and nothing else."""
    check_signature(body, headers, secrets, wall)
    return read_notice(read_event(body))


def read_event(body: bytes) -> Doc:
    """Read bytes as one JSON object whose texts can all be stored. Raises NoticeUnreadable.

    Stricter than JSON: no byte order mark, no NaN, and no NUL or lone surrogate in any text, escaped or not.
    """
    try:
        event = _parsed(body)
    except RecursionError:
        raise NoticeUnreadable("the body is nested too deeply") from None
    except ValueError as error:
        raise NoticeUnreadable("the body is not JSON in UTF-8") from error
    if not isinstance(event, dict):
        raise NoticeUnreadable("the body is not a JSON object")
    if _may_hide_unusable(body) and not all(map(is_usable, _texts(event))):
        raise NoticeUnreadable("the body has a NUL or half a surrogate pair in a text")
    return event


def _parsed(body: bytes) -> object:
    """Read JSON. What the fast reader refuses, the slow one decides: numbers out of range, halves of surrogates."""
    try:
        return msgspec.json.decode(body)
    except msgspec.MsgspecError:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)


def read_notice(event: Doc) -> Notice:
    """Read an event of the snapshot kind. Raises NoticeUnreadable on thin events and on anything else."""
    if event.get("object") == "v2.core.event":
        raise NoticeUnreadable("this is a thin (v2) event: make the endpoint one for snapshot events of the v1 API")
    if event.get("object") != "event":
        raise NoticeUnreadable("the body is not an event: its `object` is not `event`")
    try:
        return _notice(event)
    except Unreadable as error:
        raise NoticeUnreadable(f"the event can't be read: {error}") from error


def _notice(event: Doc) -> Notice:
    event_ref = _required_ref(event, "id")
    kind = text(event, "type")
    if kind is None:
        raise Unreadable("type is missing")
    payload = child(event, "data").get("object")
    if not isinstance(payload, dict):
        raise Unreadable("data.object is missing")
    subject_kind, subject_ref = _subject(kind, payload, event_ref)
    before = child(child(event, "data"), "previous_attributes")
    return Notice(
        provider_event=event_ref,
        kind=kind,
        subject_kind=subject_kind,
        subject_ref=subject_ref,
        occurred_at=_occurred_at(event),
        livemode=_livemode(event),
        connected_account=ref(event, "account"),
        api_version=text(event, "api_version") or "",
        object_ref=ref(payload, "id") or event_ref,
        customer_ref=_customer_ref(payload) or lenient_ref(before, "customer"),
    )


def _customer_ref(payload: Doc) -> ProviderRef | None:
    """Name the customer that a payload is or belongs to. A detached method only had one before."""
    return lenient_ref(payload, "id" if text(payload, "object") == "customer" else "customer")


def _subject(kind: str, payload: Doc, event_ref: ProviderRef) -> tuple[str, ProviderRef]:
    """Name the object to look at. An object without an id (a balance, an upcoming invoice) goes by its event's id."""
    own = ref(payload, "id") or event_ref
    thing = text(payload, "object") or kind.rpartition(".")[0] or kind
    intent = ref(payload, "payment_intent") if thing in OF_A_PAYMENT else None
    if kind == "charge.refunded":
        # The payload is the charge, the news is the refund.
        thing = "refund"
    if thing == "charge" and intent:
        thing = "payment_intent"
    if thing == "invoice" and own == event_ref:
        # An invoice that is only announced has no id, and can't be looked at.
        thing = "upcoming_invoice"
    if thing == "invoice_payment":
        # What paid which part of it, the invoice's own payments say.
        invoice = ref(payload, "invoice")
        return ("invoice", invoice) if invoice else (thing, own)
    return thing, intent or own


def _required_ref(event: Doc, name: str) -> ProviderRef:
    found = ref(event, name)
    if found is None:
        raise Unreadable(f"{name} is missing")
    return found


def _occurred_at(event: Doc) -> datetime:
    created = whole(event, "created")
    if not 0 <= created <= OCCURRED_MAX:
        raise Unreadable("created is not a time")
    return datetime.fromtimestamp(created, UTC)


def _livemode(event: Doc) -> bool:
    livemode = event.get("livemode")
    if not isinstance(livemode, bool):
        raise Unreadable("livemode is missing")
    return livemode


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _may_hide_unusable(body: bytes) -> bool:
    """Say whether the slow look at each text is needed: both can only come escaped, and that is rare."""
    lowered = body.lower()
    return rb"\u0000" in lowered or rb"\ud" in lowered


def _texts(event: Doc) -> Iterator[str]:
    """Give every key and text, without recursion: the nesting is the sender's choice."""
    left: list[object] = [event]
    while left:
        value = left.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            left.extend(value.keys())
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def raw_event(event: Doc) -> bytes:
    """Write an event from a list as the bytes that are kept of it, with every text storable."""
    return json.dumps(_cleaned(event), separators=(",", ":"), ensure_ascii=False).encode()


def _cleaned(value: object) -> object:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return value
