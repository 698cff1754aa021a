"""Identifiers: TypeIDs with our own prefixes, one NewType per noun.

A TypeID is `<prefix>_<26 characters>`, the characters being a UUIDv7 in Crockford base 32, so that ids sort by the
time they were made (TypeID specification 0.3). The UUID itself comes from the ids port; nothing here is random.
"""

import re
from collections.abc import Callable
from typing import Final, NewType

TenantId = NewType("TenantId", str)
AccountId = NewType("AccountId", str)
"""Our id of a provider account."""
CustomerId = NewType("CustomerId", str)
MethodId = NewType("MethodId", str)
WalletId = NewType("WalletId", str)
GrantId = NewType("GrantId", str)
HoldId = NewType("HoldId", str)
SpendId = NewType("SpendId", str)
InvoiceId = NewType("InvoiceId", str)
LineId = NewType("LineId", str)
PaymentId = NewType("PaymentId", str)
LegId = NewType("LegId", str)
OrderId = NewType("OrderId", str)
InboxId = NewType("InboxId", str)
DecisionId = NewType("DecisionId", str)
CaseId = NewType("CaseId", str)
RunId = NewType("RunId", str)
PurchaseId = NewType("PurchaseId", str)
AutoTopupId = NewType("AutoTopupId", str)
PendingLineId = NewType("PendingLineId", str)
EndpointId = NewType("EndpointId", str)
"""Of where a host application is told of events."""
DeliveryId = NewType("DeliveryId", str)
RefundId = NewType("RefundId", str)
CreditNoteId = NewType("CreditNoteId", str)
MessageId = NewType("MessageId", str)
SalesOrderId = NewType("SalesOrderId", str)
DisputeId = NewType("DisputeId", str)
PayoutId = NewType("PayoutId", str)

ProviderRef = NewType("ProviderRef", str)
"""The provider's own id of one of its objects, such as `pi_…`. Never one of ours."""

PREFIXES: Final = {
    "tenant": "tnt",
    "account": "pacc",
    "customer": "cust",
    "method": "pmeth",
    "wallet": "wlt",
    "grant": "grant",
    "hold": "hold",
    "invoice": "inv",
    "spend": "spnd",
    "flush": "flsh",
    "line": "line",
    "purchase": "prch",
    "auto_topup": "atop",
    "pending_line": "pline",
    "payment": "pmt",
    "leg": "leg",
    "refund": "rfnd",
    "credit_note": "cnote",
    "sales_order": "order",
    "dispute": "dspt",
    "payout": "pout",
    "order": "ordr",
    "inbox": "pevt",
    "decision": "dec",
    "case": "case",
    "run": "rrun",
    "message": "msg",
    "event": "evnt",
    "document": "doc",
    "key": "key",
    "endpoint": "whep",
    "hook_secret": "whsk",
    "delivery": "dlvr",
    "request": "req",
}
"""Noun to prefix. An inbox row is `pevt_…` whatever brought it: news of the provider, a command or a timer."""

NewId = Callable[[str], str]
"""Makes a fresh id for a noun of PREFIXES. The engine passes the ids port; tests pass a counter."""

ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
PAIRS: Final = [first + second for first in ALPHABET for second in ALPHABET]
VALUES: Final = {character: value for value, character in enumerate(ALPHABET)}
SUFFIX_LENGTH: Final = 26
UUID_MAX: Final = 2**128 - 1
HALF: Final = 2**60
QUARTER: Final = 2**30
TYPEID: Final = re.compile(f"(.*)_[0-7][{ALPHABET}]{{{SUFFIX_LENGTH - 1}}}", re.DOTALL)


def typeid(prefix: str, uuid: int) -> str:
    """Write a 128-bit UUID as a TypeID. Raises ValueError when `uuid` is not 128 bits of unsigned integer."""
    if not 0 <= uuid <= UUID_MAX:
        raise ValueError(f"not a 128-bit unsigned integer: {uuid}")
    # In quarters, because a shift of a whole UUID costs more than a look-up: an id is made for every row.
    upper, lower = divmod(uuid, HALF)
    (a, b), (c, d) = divmod(upper, QUARTER), divmod(lower, QUARTER)
    return (
        f"{prefix}_{PAIRS[a >> 30]}{PAIRS[a >> 20 & 1023]}{PAIRS[a >> 10 & 1023]}{PAIRS[a & 1023]}"
        f"{PAIRS[b >> 20]}{PAIRS[b >> 10 & 1023]}{PAIRS[b & 1023]}{PAIRS[c >> 20]}{PAIRS[c >> 10 & 1023]}"
        f"{PAIRS[c & 1023]}{PAIRS[d >> 20]}{PAIRS[d >> 10 & 1023]}{PAIRS[d & 1023]}"
    )


def parse_typeid(text: str) -> tuple[str, int]:
    """Read a TypeID back into prefix and UUID. Raises ValueError on anything that `typeid` would not write."""
    prefix, separator, suffix = text.rpartition("_")
    if not separator or len(suffix) != SUFFIX_LENGTH or suffix[0] > "7":
        raise ValueError(f"not a TypeID: {text!r}")
    uuid = 0
    for character in suffix:
        if character not in VALUES:
            raise ValueError(f"not a TypeID: {text!r}")
        uuid = uuid << 5 | VALUES[character]
    return prefix, uuid


def noun_of(text: str) -> str | None:
    """Say which noun an id names, or None when it is not one of ours."""
    found = TYPEID.fullmatch(text)
    return NOUNS.get(found[1]) if found else None


NOUNS: Final = {prefix: noun for noun, prefix in PREFIXES.items()}
