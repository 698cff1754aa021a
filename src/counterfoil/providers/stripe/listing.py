"""The provider's lists of objects, read page by page: what there is, whatever was told of it."""

from datetime import UTC, datetime
from typing import Final

from counterfoil.core.facts import INVOICE_MARK, money_back_ref
from counterfoil.core.ids import ProviderRef
from counterfoil.providers.port import Listed, Listing
from counterfoil.providers.stripe.calls import Caller, Params, path_of
from counterfoil.providers.stripe.fields import Doc, Unreadable, labels, lenient_ref, rows, text, whole
from counterfoil.providers.stripe.instructions import CUSTOMER_MARK
from counterfoil.providers.stripe.lists import PAGE, doc_of

PATHS: Final = {
    "payment_intent": "payment_intents",
    "refund": "refunds",
    "dispute": "disputes",
    "invoice": "invoices",
    "customer": "customers",
}
MARKS: Final = {"invoice": INVOICE_MARK, "customer": CUSTOMER_MARK}
"""Of these there may be many that are nothing of ours: only those that carry a mark of ours are given."""


def made_since(caller: Caller, kind: str, since: datetime | None, after: ProviderRef | None) -> Listing:
    """Give a page of the objects of a kind, newest first. Raises ProviderUnavailable."""
    narrowed: Params = {"created": {"gte": int(since.timestamp())}} if since else {}
    below: Params = {"starting_after": after} if after else {}
    page = doc_of(caller.get(path_of(PATHS[kind]), {"limit": PAGE, **narrowed, **below}))
    found = rows(page, "data")
    items = tuple(item for each in found if (item := _listed(kind, each)) is not None)
    last = lenient_ref(found[-1], "id") if found else None
    return Listing(items, last if page.get("has_more") is True else None)


def _listed(kind: str, doc: Doc) -> Listed | None:
    """Read one object. One that can't be read, and one that is nothing of ours, is passed over."""
    ref = lenient_ref(doc, "id")
    try:
        made_at = datetime.fromtimestamp(whole(doc, "created"), UTC)
    except Unreadable:
        return None
    if ref is None or (kind in MARKS and MARKS[kind] not in labels(doc)):
        return None
    intent = lenient_ref(doc, "payment_intent")
    if kind in ("refund", "dispute"):
        return Listed(ref, text(doc, "status") or "", "money_back", money_back_ref(intent), made_at) if intent else None
    return Listed(ref, text(doc, "status") or "", kind, ref, made_at)
