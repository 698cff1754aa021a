"""Render canonical documents for one API version, with the references that the caller asked to expand.

A version is data here: which fields of which object exist from when until when. The handlers know nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.versions import BASIL, CLOVER, since

Fetch: TypeAlias = Callable[[str, str], Doc | None]
"""Get an object by kind and id, None when it does not exist."""
Tree: TypeAlias = dict[str, Any]
"""What to expand, nested: `latest_charge.customer` is `{"latest_charge": {"customer": {}}}`."""

SINCE: dict[str, dict[str, str]] = {
    "customer": {"customer_account": CLOVER},
    "payment_intent": {
        "excluded_payment_method_types": "2025-07-30",
        "customer_account": CLOVER,
        "allowed_payment_method_types": "2026-07-29",
        "managed_payments": "2026-07-29",
        "payment_record": "2026-10-28",
    },
    "setup_intent": {
        "customer_account": CLOVER,
        "excluded_payment_method_types": CLOVER,
        "allowed_payment_method_types": "2026-07-29",
        "managed_payments": "2026-07-29",
    },
    "customer_balance_transaction": {"checkout_session": "2025-05-28", "customer_account": CLOVER},
    "refund": {"customer": "2026-08-26", "customer_account": "2026-08-26", "payment_method": "2026-08-26"},
    "payment_method": {"allow_redisplay": "2024-06-20", "customer_account": CLOVER},
    "balance_transaction": {"balance_type": "2025-06-30"},
    "balance": {"refund_and_dispute_prefunding": "2025-08-27"},
    "dispute": {"enhanced_eligibility_types": "2025-02-24", "intended_submission_method": "2026-10-28"},
}
"""The first version in which a field exists."""

UNTIL: dict[str, dict[str, str]] = {
    "payment_intent": {"invoice": BASIL},
    "charge": {"invoice": BASIL},
}
"""The first version in which a field no longer exists."""

_CARD_SINCE_BASIL = (
    "amount_authorized",
    "authorization_code",
    "capture_before",
    "extended_authorization",
    "incremental_authorization",
    "multicapture",
    "network_transaction_id",
    "overcapture",
    "regulated_status",
)
NESTED_SINCE: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "charge": (
        ("payment_method_details.card", _CARD_SINCE_BASIL, BASIL),
        (
            "payment_method_details.card.three_d_secure",
            ("electronic_commerce_indicator", "exemption_indicator", "transaction_id"),
            BASIL,
        ),
        ("payment_method_details.us_bank_account", ("expected_debit_date", "mandate", "payment_reference"), BASIL),
        ("outcome", ("advice_code", "network_advice_code", "network_decline_code"), BASIL),
        ("billing_details", ("tax_id",), BASIL),
    ),
    "payment_method": (
        ("card", ("display_brand", "regulated_status"), BASIL),
        ("billing_details", ("tax_id",), BASIL),
    ),
    "payment_intent": (("last_payment_error", ("advice_code", "network_decline_code"), BASIL),),
    "setup_intent": (("last_setup_error", ("advice_code", "network_decline_code"), BASIL),),
    "dispute": (
        ("evidence", ("enhanced_evidence",), BASIL),
        ("evidence_details", ("enhanced_eligibility",), BASIL),
        ("payment_method_details.card", ("case_type", "network"), BASIL),
    ),
}
"""Object, path of a nested map, the names in it, and the first version in which these exist."""

EXPANDABLE: dict[str, dict[str, str]] = {
    "customer": {
        "default_source": "source",
        "invoice_settings.default_payment_method": "payment_method",
        "test_clock": "test_clock",
    },
    "payment_method": {"customer": "customer"},
    "payment_intent": {
        "application": "application",
        "customer": "customer",
        "invoice": "invoice",
        "last_payment_error.payment_method": "",
        "latest_charge": "charge",
        "on_behalf_of": "account",
        "payment_method": "payment_method",
        "review": "review",
    },
    "setup_intent": {
        "application": "application",
        "customer": "customer",
        "latest_attempt": "setup_attempt",
        "mandate": "mandate",
        "on_behalf_of": "account",
        "payment_method": "payment_method",
        "single_use_mandate": "mandate",
    },
    "charge": {
        "application": "application",
        "application_fee": "application_fee",
        "balance_transaction": "balance_transaction",
        "customer": "customer",
        "dispute": "dispute",
        "failure_balance_transaction": "balance_transaction",
        "invoice": "invoice",
        "on_behalf_of": "account",
        "payment_intent": "payment_intent",
        "review": "review",
        "source_transfer": "transfer",
        "transfer": "transfer",
    },
    "refund": {
        "balance_transaction": "balance_transaction",
        "charge": "charge",
        "customer": "customer",
        "failure_balance_transaction": "balance_transaction",
        "payment_intent": "payment_intent",
        "payment_method": "payment_method",
        "source_transfer_reversal": "transfer_reversal",
        "transfer_reversal": "transfer_reversal",
    },
    "customer_balance_transaction": {"credit_note": "credit_note", "customer": "customer", "invoice": "invoice"},
    "dispute": {"charge": "charge", "payment_intent": "payment_intent"},
    "balance_transaction": {"source": "*"},
}
"""Which references of an object can be expanded, and to what (`*`: whatever the id is of)."""

INCLUDABLE: dict[str, dict[str, tuple[str, str]]] = {
    "charge": {"refunds": ("refund", "charge")},
    "customer": {"sources": ("", ""), "subscriptions": ("subscription", "customer"), "tax_ids": ("tax_id", "customer")},
}
"""Lists that are absent unless asked for: the kind they hold and the field that points back."""

SOURCES = {"ch": "charge", "py": "charge", "re": "refund", "pyr": "refund", "du": "dispute", "dp": "dispute"}
LEVELS_MAX = 4


def expand_tree(paths: list[Any], of_list: bool) -> Tree:
    """Nest the expand parameter; refuses what Stripe refuses before it looks at any object."""
    tree: Tree = {}
    for path in paths:
        segments = str(path).split(".")
        if len(segments) > LEVELS_MAX:
            raise invalid(f"You cannot expand more than {LEVELS_MAX} levels of a property. Property: {path}", "expand")
        if of_list and segments[0] == "data":
            segments = segments[1:]
        elif of_list and segments != ["total_count"]:
            raise _not_expandable(str(path))
        here = tree
        for segment in segments:
            here = here.setdefault(segment, {})
    return tree


def render(doc: Doc, version: str, tree: Tree, fetch: Fetch, lists: Callable[[str, str, str], list[Doc]]) -> Doc:
    """The document as `version` shows it, with `tree` expanded."""
    shown = plain(doc, version)
    for name, below in tree.items():
        _expand(shown, str(doc["object"]), name, below, version, fetch, lists)
    return shown


def plain(doc: Doc, version: str) -> Doc:
    """The document as `version` shows it, every reference an id."""
    shown: Doc = _public(doc, version)
    return shown


def render_event(event: Doc, version: str) -> Doc:
    """An event with its object, and what changed in it, as `version` shows them."""
    shown = plain(event, version)
    subject = plain(event["_subject"], version)
    shown["api_version"] = version
    shown["data"] = {"object": subject}
    if event["_before"] is not None:
        shown["data"]["previous_attributes"] = difference(plain(event["_before"], version), subject)
    return shown


def difference(before: Doc, after: Doc) -> Doc:
    """The former values of what changed: nested maps hold only their changed keys, lists come whole, new keys were
    null.
    """
    changed: Doc = {}
    for name in [*after, *(name for name in before if name not in after)]:
        old, new = before.get(name), after.get(name)
        if old != new:
            changed[name] = difference(old, new) if isinstance(old, dict) and isinstance(new, dict) else old
    return changed


def _public(value: Any, version: str) -> Any:
    if isinstance(value, list):
        return [_public(item, version) for item in value]
    if not isinstance(value, dict):
        return value
    shown = {
        name: item if name == "metadata" else _public(item, version)
        for name, item in value.items()
        if not name.startswith("_")
    }
    kind = value.get("object")
    return _at_version(shown, kind, version) if isinstance(kind, str) else shown


def _at_version(shown: Doc, kind: str, version: str) -> Doc:
    for name, start in SINCE.get(kind, {}).items():
        if not since(version, start):
            shown.pop(name, None)
    for name, end in UNTIL.get(kind, {}).items():
        if since(version, end):
            shown.pop(name, None)
    for path, names, start in NESTED_SINCE.get(kind, ()):
        nested = _nested(shown, path)
        if nested is not None and not since(version, start):
            for name in names:
                nested.pop(name, None)
    return shown


def _nested(shown: Doc, path: str) -> Doc | None:
    here: Any = shown
    for name in path.split("."):
        here = here.get(name) if isinstance(here, dict) else None
    return here if isinstance(here, dict) else None


def _expand(
    shown: Doc,
    kind: str,
    name: str,
    below: Tree,
    version: str,
    fetch: Fetch,
    lists: Callable[[str, str, str], list[Doc]],
    prefix: str = "",
) -> None:
    """Expand one property of an object, or go down into a map that holds expandable properties."""
    full = prefix + name
    references = EXPANDABLE.get(kind, {})
    if not prefix and name in INCLUDABLE.get(kind, {}):
        shown[name] = _included(shown, kind, name, below, version, fetch, lists)
    elif full in references:
        shown[name] = _referred(shown.get(name), references[full], below, version, fetch, lists)
    elif any(path.startswith(full + ".") for path in references):
        for key, deeper in below.items():
            if isinstance(shown.get(name), dict):
                _expand(shown[name], kind, key, deeper, version, fetch, lists, full + ".")
    elif not (full in shown and isinstance(shown[full], dict | list)):
        raise _not_expandable(full)


def _referred(
    value: Any, kind: str, below: Tree, version: str, fetch: Fetch, lists: Callable[[str, str, str], list[Doc]]
) -> Any:
    if not isinstance(value, str):
        return value
    target = SOURCES.get(value.partition("_")[0], "") if kind == "*" else kind
    found = fetch(target, value)
    return value if found is None else render(found, version, below, fetch, lists)


def _included(
    shown: Doc,
    kind: str,
    name: str,
    below: Tree,
    version: str,
    fetch: Fetch,
    lists: Callable[[str, str, str], list[Doc]],
) -> Doc:
    held, back = INCLUDABLE[kind][name]
    items = lists(held, back, shown["id"]) if held else []
    deeper = below.get("data", {})
    return {
        "object": "list",
        "data": [render(item, version, deeper, fetch, lists) for item in items[:10]],
        "has_more": len(items) > 10,
        "url": f"/v1/{kind}s/{shown['id']}/{name}",
    }


def _not_expandable(path: str) -> Exception:
    return invalid(f"This property cannot be expanded ({path}).", "expand")
