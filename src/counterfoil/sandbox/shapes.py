"""Which fields an object has from which version until which, and which of them can be expanded: versions as data."""

from __future__ import annotations

from counterfoil.sandbox.versions import BASIL, CLOVER, DAHLIA, ENDIVE

SINCE: dict[str, dict[str, str]] = {
    "checkout.session": {
        "adaptive_pricing": "2024-06-20",
        "allowed_payment_method_types": ENDIVE,
        "branding_settings": CLOVER,
        "client_secret": "2023-10-16",
        "collected_information": BASIL,
        "customer_account": CLOVER,
        "discounts": "2024-10-28",
        "integration_identifier": DAHLIA,
        "managed_payments": DAHLIA,
        "optional_items": BASIL,
        "origin_context": BASIL,
        "payment_method_configuration_details": "2023-10-16",
        "permissions": BASIL,
        "saved_payment_method_options": "2024-04-10",
        "ui_mode": "2023-10-16",
        "wallet_options": BASIL,
    },
    "invoice": {
        "amount_overpaid": BASIL,
        "amount_paid_off_stripe": "2026-05-27",
        "automatically_finalizes_at": "2024-09-30",
        "confirmation_secret": BASIL,
        "customer_account": CLOVER,
        "effective_at": "2023-08-16",
        "issuer": "2023-10-16",
        "parent": BASIL,
        "payments": BASIL,
        "rendering": "2023-10-16",
        "status_details": ENDIVE,
        "total_pretax_credit_amounts": "2024-09-30",
        "total_taxes": BASIL,
    },
    "invoiceitem": {
        "customer_account": CLOVER,
        "net_amount": CLOVER,
        "parent": BASIL,
        "pricing": BASIL,
        "quantity_decimal": DAHLIA,
    },
    "item": {"adjustable_quantity": DAHLIA, "metadata": DAHLIA},
    "line_item": {
        "invoice": "2023-10-16",
        "parent": BASIL,
        "pretax_credit_amounts": "2024-09-30",
        "pricing": BASIL,
        "quantity_decimal": DAHLIA,
        "subtotal": CLOVER,
        "taxes": BASIL,
    },
    "product": {"marketing_features": "2024-04-10", "tax_details": ENDIVE},
    "subscription": {
        "billing_cycle_anchor_config": "2023-10-16",
        "billing_mode": "2025-06-30",
        "billing_schedules": DAHLIA,
        "customer_account": CLOVER,
        "discounts": "2024-09-30",
        "invoice_settings": "2023-10-16",
        "managed_payments": DAHLIA,
        "status_details": ENDIVE,
    },
    "subscription_item": {
        "current_period_end": BASIL,
        "current_period_start": BASIL,
        "current_trial": ENDIVE,
        "discounts": "2024-09-30",
    },
    "test_helpers.test_clock": {"status_details": "2024-09-30"},
    "customer": {"customer_account": CLOVER},
    "credit_note": {
        "customer_account": CLOVER,
        "effective_at": "2023-08-16",
        "post_payment_amount": BASIL,
        "pre_payment_amount": BASIL,
        "pretax_credit_amounts": "2024-09-30",
        "refunds": BASIL,
        "total_taxes": BASIL,
    },
    "credit_note_line_item": {"metadata": DAHLIA, "pretax_credit_amounts": BASIL, "taxes": BASIL},
    "discount": {"customer_account": CLOVER, "source": CLOVER, "subscription_item": "2024-04-10"},
    "promotion_code": {"customer_account": CLOVER, "promotion": CLOVER},
    "tax_rate": {
        "effective_percentage": "2023-08-16",
        "flat_amount": "2024-09-30",
        "jurisdiction_level": "2024-04-10",
        "rate_type": "2024-09-30",
    },
    "payment_intent": {
        "excluded_payment_method_types": "2025-07-30",
        "customer_account": CLOVER,
        "allowed_payment_method_types": "2026-07-29",
        "managed_payments": "2026-07-29",
        "payment_details": CLOVER,
        "payment_record": "2026-10-28",
    },
    "setup_intent": {
        "customer_account": CLOVER,
        "excluded_payment_method_types": CLOVER,
        "allowed_payment_method_types": "2026-07-29",
        "managed_payments": "2026-07-29",
    },
    "customer_balance_transaction": {"checkout_session": "2025-05-28", "customer_account": CLOVER},
    "billing_portal.session": {"customer_account": CLOVER},
    "payout": {"payout_method": BASIL, "trace_id": "2024-09-30"},
    "setup_attempt": {"customer_account": CLOVER},
    "refund": {"customer": "2026-08-26", "customer_account": "2026-08-26", "payment_method": "2026-08-26"},
    "payment_method": {"allow_redisplay": "2024-06-20", "custom": CLOVER, "customer_account": CLOVER},
    "balance_transaction": {"balance_type": "2025-06-30"},
    "balance": {"refund_and_dispute_prefunding": "2025-08-27"},
    "dispute": {"enhanced_eligibility_types": "2025-02-24", "intended_submission_method": "2026-10-28"},
}
"""The first version in which a field exists."""

UNTIL: dict[str, dict[str, str]] = {
    "checkout.session": {"shipping_details": BASIL},
    "invoice": {
        "application_fee_amount": BASIL,
        "charge": BASIL,
        "discount": BASIL,
        "paid": BASIL,
        "paid_out_of_band": BASIL,
        "payment_intent": BASIL,
        "quote": BASIL,
        "subscription": BASIL,
        "subscription_details": BASIL,
        "subscription_proration_date": BASIL,
        "tax": BASIL,
        "total_tax_amounts": BASIL,
        "transfer_data": BASIL,
    },
    "invoiceitem": {
        "plan": BASIL,
        "price": BASIL,
        "subscription": BASIL,
        "subscription_item": BASIL,
        "unit_amount": BASIL,
        "unit_amount_decimal": BASIL,
    },
    "line_item": {
        "amount_excluding_tax": BASIL,
        "invoice_item": BASIL,
        "plan": BASIL,
        "price": BASIL,
        "proration": BASIL,
        "proration_details": BASIL,
        "subscription_item": BASIL,
        "tax_amounts": BASIL,
        "tax_rates": BASIL,
        "type": BASIL,
        "unit_amount_excluding_tax": BASIL,
    },
    "product": {"attributes": "2024-04-10", "features": BASIL},
    "credit_note": {"refund": BASIL, "tax_amounts": BASIL},
    "credit_note_line_item": {
        "amount_excluding_tax": BASIL,
        "tax_amounts": BASIL,
        "unit_amount_excluding_tax": BASIL,
    },
    "discount": {"coupon": CLOVER},
    "promotion_code": {"coupon": CLOVER},
    "subscription": {"current_period_end": BASIL, "current_period_start": BASIL, "discount": BASIL},
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
    "checkout.session": (
        ("automatic_tax", ("liability", "provider"), BASIL),
        ("custom_text", ("after_submit", "terms_of_service_acceptance"), BASIL),
        ("customer_details", ("business_name", "individual_name"), CLOVER),
        ("invoice_creation.invoice_data", ("issuer",), BASIL),
        ("payment_method_options.card", ("request_three_d_secure",), BASIL),
    ),
    "invoice": (("automatic_tax", ("disabled_reason", "liability", "provider"), BASIL),),
    "price": (("recurring", ("meter",), BASIL),),
    "subscription": (
        ("automatic_tax", ("disabled_reason", "liability"), BASIL),
        ("billing_mode", ("flexible",), CLOVER),
        ("cancellation_details", ("feedback_option",), DAHLIA),
    ),
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

NESTED_UNTIL: dict[str, tuple[tuple[str, tuple[str, ...], str], ...]] = {
    "price": (("recurring", ("aggregate_usage",), BASIL),),
}
"""Object, path of a nested map, the names in it, and the first version in which these no longer exist."""

FORMER: dict[str, dict[str, tuple[str, dict[str, str]]]] = {
    "checkout.session": {"ui_mode": (DAHLIA, {"hosted_page": "hosted"})},
    "credit_note": {"type": (BASIL, {"mixed": "post_payment"})},
}
"""Values that had other names: the version that renamed them, and each value's former name."""

OTHERWISE: dict[str, tuple[str, dict[str, str]]] = {
    "invoice": (BASIL, {"amount_paid": "_on_stripe", "amount_remaining": "_off_stripe_owed"}),
}
"""Fields that meant something else before a version: where that is kept."""

EXPANDABLE: dict[str, dict[str, str]] = {
    "checkout.session": {
        "customer": "customer",
        "invoice": "invoice",
        "payment_intent": "payment_intent",
        "payment_link": "payment_link",
        "setup_intent": "setup_intent",
        "subscription": "subscription",
    },
    "invoice": {
        "application": "application",
        "charge": "charge",
        "customer": "customer",
        "default_payment_method": "payment_method",
        "default_source": "source",
        "discounts": "discount",
        "latest_revision": "invoice",
        "on_behalf_of": "account",
        "parent.subscription_details.subscription": "subscription",
        "payment_intent": "payment_intent",
        "quote": "quote",
        "subscription": "subscription",
        "test_clock": "test_helpers.test_clock",
        "total_discount_amounts.discount": "discount",
        "total_pretax_credit_amounts.discount": "discount",
        "total_tax_amounts.tax_rate": "tax_rate",
        "total_taxes.tax_rate_details.tax_rate": "tax_rate",
    },
    "credit_note": {
        "customer": "customer",
        "customer_balance_transaction": "customer_balance_transaction",
        "discount_amounts.discount": "discount",
        "invoice": "invoice",
        "pretax_credit_amounts.discount": "discount",
        "refund": "refund",
        "refunds.refund": "refund",
        "tax_amounts.tax_rate": "tax_rate",
        "total_taxes.tax_rate_details.tax_rate": "tax_rate",
    },
    "credit_note_line_item": {
        "discount_amounts.discount": "discount",
        "pretax_credit_amounts.discount": "discount",
        "tax_amounts.tax_rate": "tax_rate",
        "taxes.tax_rate_details.tax_rate": "tax_rate",
    },
    "discount": {"customer": "customer", "promotion_code": "promotion_code", "source.coupon": "coupon"},
    "promotion_code": {"customer": "customer", "promotion.coupon": "coupon"},
    "invoice_payment": {
        "invoice": "invoice",
        "payment.charge": "charge",
        "payment.payment_intent": "payment_intent",
        "payment.payment_record": "payment_record",
    },
    "invoiceitem": {
        "customer": "customer",
        "discounts": "discount",
        "invoice": "invoice",
        "pricing.price_details.price": "price",
        "subscription": "subscription",
        "test_clock": "test_helpers.test_clock",
    },
    "line_item": {
        "discount_amounts.discount": "discount",
        "discounts": "discount",
        "pretax_credit_amounts.discount": "discount",
        "pricing.price_details.price": "price",
        "subscription": "subscription",
        "tax_amounts.tax_rate": "tax_rate",
        "taxes.tax_rate_details.tax_rate": "tax_rate",
    },
    "subscription": {
        "application": "application",
        "customer": "customer",
        "default_payment_method": "payment_method",
        "default_source": "source",
        "discounts": "discount",
        "latest_invoice": "invoice",
        "on_behalf_of": "account",
        "pending_setup_intent": "setup_intent",
        "schedule": "subscription_schedule",
        "test_clock": "test_helpers.test_clock",
    },
    "plan": {"product": "product"},
    "subscription_item": {"discounts": "discount"},
    "price": {"product": "product"},
    "product": {"default_price": "price", "tax_code": "tax_code"},
    "customer": {
        "default_source": "source",
        "invoice_settings.default_payment_method": "payment_method",
        "test_clock": "test_helpers.test_clock",
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
    "payout": {
        "balance_transaction": "balance_transaction",
        "destination": "bank_account",
        "failure_balance_transaction": "balance_transaction",
        "original_payout": "payout",
        "reversed_by": "payout",
    },
    "setup_attempt": {"customer": "customer", "payment_method": "payment_method", "setup_intent": "setup_intent"},
    "balance_transaction": {"source": "*"},
}
"""Which references of an object can be expanded, and to what (`*`: whatever the id is of)."""

INCLUDABLE: dict[str, dict[str, tuple[str, str]]] = {
    "checkout.session": {"line_items": ("item", "_session")},
    "invoice": {"payments": ("invoice_payment", "invoice")},
    "charge": {"refunds": ("refund", "charge")},
    "customer": {"sources": ("", ""), "subscriptions": ("subscription", "customer"), "tax_ids": ("tax_id", "customer")},
}
"""Lists that are absent unless asked for: the kind they hold and the field that points back."""

ON_REQUEST: dict[str, dict[str, str]] = {
    "checkout.session": {"total_details.breakdown": "_breakdown"},
    "coupon": {"applies_to": "_applies_to", "currency_options": "_currency_options"},
    "invoice": {"confirmation_secret": "_confirmation_secret"},
    "promotion_code": {"restrictions.currency_options": "_minimums"},
    "item": {"discounts": "_discount_amounts", "taxes": "_tax_amounts"},
}
"""Values that are absent unless asked for: where they are kept."""

PATHS = {"checkout.session": "checkout/sessions"}
"""Where objects are found, when it is not their kind in the plural."""

SOURCES = {
    "po": "payout",
    "ch": "charge",
    "py": "charge",
    "re": "refund",
    "pyr": "refund",
    "du": "dispute",
    "dp": "dispute",
}
