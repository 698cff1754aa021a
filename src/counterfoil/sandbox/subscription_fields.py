"""The parameters that a subscription takes, and what it is when it is new."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from counterfoil.sandbox import discounts, prices
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.errors import StripeError, invalid, parameter_unknown
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.params import Choice, Flag, Given, Hash, Items, Kind, Need, Schema, Text, Whole, uncovered
from counterfoil.sandbox.versions import CLOVER, ENDIVE, since

KIND = "subscription"
FLEXIBLE_SINCE = "2025-06-30"
"""The first version in which a subscription can have flexible billing; since 2025-09-30 it has it unless told."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time, or one of some words for one; the empty string unsets it where `clears` says so."""

    words: tuple[str, ...] = ("now",)
    clears: bool = False

    def read(self, raw: Any, path: str) -> int | str | None:
        if raw == "" and self.clears:
            return None
        return str(raw) if raw in self.words else Whole(least=1).read(raw, path)


@dataclass(frozen=True, slots=True)
class Anchor:
    """How the billing cycle moves: a word before 2026-09-30, `{type}` since; read as the word."""

    words: tuple[str, ...] = ("now", "unchanged")

    def read(self, raw: Any, path: str) -> str:
        named = raw.get("type") if isinstance(raw, dict) and set(raw) == {"type"} else raw
        if named not in self.words:
            raise invalid(f"Invalid {path}: must be one of {' or '.join(self.words)}", path)
        return str(named)


_OFF = Hash({"enabled": Need(Flag())})
PRORATION = Choice(("always_invoice", "create_prorations", "none"), clears=False)
PAYMENT_BEHAVIOR = Choice(
    ("allow_incomplete", "default_incomplete", "error_if_incomplete", "pending_if_incomplete"), clears=False
)
_PRICE_NAMES = ("currency", "tax_behavior", "unit_amount", "unit_amount_decimal")
_ITEM_PRICE: dict[str, Kind] = {
    **{name: prices.INLINE[name] for name in _PRICE_NAMES},
    "product": Need(Text()),
    "recurring": Need(prices.RECURRING),
}
ITEM: dict[str, Kind] = {
    **METADATA,
    "plan": Text(),
    "price": Text(),
    "price_data": Hash(_ITEM_PRICE),
    "quantity": Whole(least=0),
    "discounts": discounts.GIVEN,
    "tax_rates": Items(),
    **uncovered("billing_thresholds", "current_trial", "trial"),
}
CHANGED_ITEM: dict[str, Kind] = {**ITEM, "clear_usage": Flag(), "deleted": Flag(), "id": Text()}
_EXTRA_PRICE: dict[str, Kind] = {
    **{name: prices.INLINE[name] for name in _PRICE_NAMES},
    "product": Need(Text()),
}
_EXTRA_ITEM: dict[str, Kind] = {
    **METADATA,
    "discountable": Flag(),
    "price": Text(),
    "price_data": Hash(_EXTRA_PRICE),
    "quantity": Whole(least=0),
    "discounts": discounts.GIVEN,
    "tax_rates": Items(),
    **uncovered("period"),
}
_PAYMENT_SETTINGS = Hash(
    {
        "payment_method_types": Items(Choice(("card", "us_bank_account"), clears=False)),
        "save_default_payment_method": Choice(("off", "on_subscription"), clears=False),
        "payment_method_options": Hash(
            {"card": Hash({"request_three_d_secure": Choice(("automatic", "any", "challenge"), clears=False)})}
        ),
    }
)
_END_BEHAVIOR = Hash(
    {
        "missing_payment_method": Need(Choice(("cancel", "create_invoice", "pause"), clears=False)),
        **uncovered("billing_cycle_anchor"),
    }
)
TRIAL_SETTINGS = Hash({"end_behavior": Need(_END_BEHAVIOR)})
DETAILS = Hash(
    {
        "comment": Text(),
        "feedback": Choice(
            (
                "customer_service",
                "low_quality",
                "missing_features",
                "other",
                "switched_service",
                "too_complex",
                "too_expensive",
                "unused",
            )
        ),
        **uncovered("feedback_option"),
    }
)
_INVOICE_SETTINGS = Hash(
    {
        "custom_fields": Items(Hash({"name": Need(Text(40)), "value": Need(Text(140))})),
        "description": Text(1500),
        "footer": Text(),
        **uncovered("account_tax_ids", "issuer"),
    }
)
_UNCOVERED = (
    "application_fee_percent",
    "billing_schedules",
    "billing_thresholds",
    "customer_account",
    "default_source",
    "on_behalf_of",
    "pending_invoice_item_interval",
    "transfer_data",
)
_BOTH: dict[str, Kind] = {
    **METADATA,
    "add_invoice_items": Items(Hash(_EXTRA_ITEM)),
    "automatic_tax": _OFF,
    "cancel_at": Moment(("max_period_end", "min_period_end"), clears=True),
    "cancel_at_period_end": Flag(),
    "collection_method": Choice(("charge_automatically", "send_invoice"), clears=False),
    "coupon": Text(),
    "days_until_due": Whole(least=0),
    "default_payment_method": Text(),
    "default_tax_rates": Items(),
    "description": Text(500),
    "discounts": discounts.GIVEN,
    "invoice_settings": _INVOICE_SETTINGS,
    "off_session": Flag(),
    "payment_behavior": PAYMENT_BEHAVIOR,
    "payment_settings": _PAYMENT_SETTINGS,
    "promotion_code": Text(),
    "proration_behavior": PRORATION,
    "trial_end": Moment(),
    "trial_from_plan": Flag(),
    "trial_settings": TRIAL_SETTINGS,
    **uncovered(*_UNCOVERED),
}
CREATE: dict[str, Kind] = {
    **_BOTH,
    "billing_cycle_anchor": Whole(least=1),
    "billing_mode": Hash(
        {
            "type": Need(Choice(("classic", "flexible"), clears=False)),
            "flexible": Hash({"proration_discounts": Choice(("included", "itemized"), clears=False)}),
        }
    ),
    "currency": Text(),
    "customer": Need(Text()),
    "items": Items(Hash(ITEM)),
    "trial_period_days": Whole(least=0, most=730),
    **uncovered("backdate_start_date", "billing_cycle_anchor_config"),
}
UPDATE: dict[str, Kind] = {
    **_BOTH,
    "billing_cycle_anchor": Anchor(),
    "cancellation_details": DETAILS,
    "items": Items(Hash(CHANGED_ITEM)),
    "pause_collection": Hash(
        {
            "behavior": Need(Choice(("keep_as_draft", "mark_uncollectible", "void"), clears=False)),
            "resumes_at": Whole(least=1),
        }
    ),
    "proration_date": Whole(least=1),
}
CANCEL: Schema = {"cancellation_details": DETAILS, "invoice_now": Flag(), "prorate": Flag()}

_NULLS = (
    "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at "
    "customer_account days_until_due default_payment_method default_source description discount ended_at "
    "latest_invoice managed_payments next_pending_invoice_item_invoice on_behalf_of pause_collection "
    "pending_invoice_item_interval pending_setup_intent pending_update schedule transfer_data trial_end trial_start "
).split()
_EMPTY = ("billing_schedules default_tax_rates discounts").split()


def blank_subscription(call: Call, customer: Doc, currency: str) -> Doc:
    """A subscription that bills from now on, with every field and without items. It is told to nobody yet."""
    now = call.now
    return {
        "id": call.world.new_id("sub_1"),
        "object": KIND,
        **dict.fromkeys(_NULLS),
        **{name: [] for name in _EMPTY},
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_mode": billing_mode(call),
        "cancel_at_period_end": False,
        "cancellation_details": dict.fromkeys(("comment", "feedback", "feedback_option", "reason")),
        "collection_method": "charge_automatically",
        "created": now,
        "currency": currency,
        "current_period_end": now,
        "current_period_start": now,
        "customer": customer["id"],
        "invoice_settings": {
            "account_tax_ids": None,
            "custom_fields": None,
            "description": None,
            "footer": None,
            "issuer": {"type": "self"},
        },
        "items": {},
        "livemode": call.livemode,
        "metadata": {},
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "start_date": now,
        "status": "incomplete",
        "test_clock": customer["test_clock"],
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "_billed_until": None,
        "_told": False,
        "_upcoming_told": None,
        "_trial_end_told": None,
        "_resumption": None,
    }


def billing_mode(call: Call) -> Doc:
    """How prorations are counted: as asked for, else flexibly from 2025-09-30 on and in the classic way before."""
    asked: Given = call.given.get("billing_mode") or {}
    kind = asked.get("type") or ("flexible" if since(call.version, CLOVER) else "classic")
    if asked and not since(call.version, FLEXIBLE_SINCE):
        raise parameter_unknown(["billing_mode"])
    if kind == "classic":
        return {"flexible": None, "type": "classic"}
    chosen = (asked.get("flexible") or {}).get("proration_discounts") or "included"
    return {"flexible": {"proration_discounts": chosen}, "type": "flexible", "updated_at": call.now}


def check_anchor_dialect(call: Call) -> None:
    """2026-09-30 made a map of what was a word."""
    anchor = call.given.get("billing_cycle_anchor")
    if isinstance(anchor, dict) and not since(call.version, ENDIVE):
        raise invalid("Invalid string: billing_cycle_anchor", "billing_cycle_anchor")


def not_covered(what: str, param: str | None = None) -> StripeError:
    """What Stripe does and the sandbox does not: said, never guessed."""
    return StripeError(f"The sandbox does not cover {what}, which Stripe does.", param=param)
