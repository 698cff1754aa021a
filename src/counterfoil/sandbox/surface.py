"""The whole surface as one table of routes, and the timers that objects set."""

from __future__ import annotations

from collections.abc import Callable

from counterfoil.sandbox import (
    account_routes,
    balance,
    billing_portal,
    charges,
    checkout,
    coupons,
    credit_notes,
    customer_balance,
    customers,
    discounts,
    disputes,
    event_routes,
    invoice_collecting,
    invoice_items,
    invoice_lines,
    invoice_payments,
    invoices,
    paying,
    payment_intents,
    payment_methods,
    payment_pages,
    payouts,
    prices,
    products,
    promotion_codes,
    refunds,
    reminders,
    setup_attempts,
    renewals,
    setup_intents,
    subscription_states,
    subscriptions,
    tax_rates,
    test_clocks,
    webhook_endpoints,
)
from counterfoil.sandbox.call import Call
from counterfoil.sandbox.documents import Doc
from counterfoil.sandbox.routing import Route

ROUTES: tuple[Route, ...] = (
    *customers.ROUTES,
    *customer_balance.ROUTES,
    *discounts.ROUTES,
    *payment_methods.ROUTES,
    *payment_intents.ROUTES,
    *setup_intents.ROUTES,
    *setup_attempts.ROUTES,
    *charges.ROUTES,
    *refunds.ROUTES,
    *disputes.ROUTES,
    *balance.ROUTES,
    *payouts.ROUTES,
    *products.ROUTES,
    *prices.ROUTES,
    *coupons.ROUTES,
    *promotion_codes.ROUTES,
    *tax_rates.ROUTES,
    *checkout.ROUTES,
    *payment_pages.ROUTES,
    *invoice_items.ROUTES,
    *invoices.ROUTES,
    *invoice_lines.ROUTES,
    *invoice_payments.ROUTES,
    *credit_notes.ROUTES,
    *subscriptions.ROUTES,
    *test_clocks.ROUTES,
    *billing_portal.ROUTES,
    *event_routes.ROUTES,
    *webhook_endpoints.ROUTES,
    *account_routes.ROUTES,
)

TIMERS: dict[str, Callable[[Call, str], None]] = {
    **renewals.TIMERS,
    **test_clocks.TIMERS,
    "advance_invoice": invoice_collecting.advance_invoice,
    "balance_available": balance.become_available,
    "end_discount": discounts.end_in_time,
    "expire_coupon": coupons.expire_coupon,
    "expire_promotion_code": promotion_codes.expire_code,
    "expire_session": checkout.expire_session,
    "expire_authorization": paying.expire_authorization,
    **payouts.TIMERS,
    **reminders.TIMERS,
    "settle_debit": paying.settle_debit,
    "settle_refund": refunds.settle_refund,
}
"""What a timer does to its subject when its time comes."""

FOLLOWERS: dict[str, tuple[Callable[[Call, Doc], None], ...]] = {
    "customer.deleted": (subscription_states.customer_deleted,),
    "invoice.finalized": (renewals.watch_due, reminders.watch),
    "invoice.marked_uncollectible": (subscription_states.invoice_closed,),
    "invoice.paid": (subscription_states.invoice_paid,),
    "invoice.payment_failed": (subscription_states.invoice_failed,),
    "invoice.voided": (subscription_states.invoice_closed,),
    "payment_intent.amount_capturable_updated": (checkout.payment_pending,),
    "payment_intent.canceled": (invoice_payments.payment_canceled,),
    "payment_intent.payment_failed": (checkout.payment_failed, invoice_payments.payment_failed),
    "payment_intent.processing": (checkout.payment_pending, invoice_payments.payment_processing),
    "payment_intent.requires_action": (invoice_payments.payment_challenged,),
    "payment_intent.succeeded": (checkout.payment_succeeded, invoice_payments.payment_succeeded),
    "setup_intent.succeeded": (checkout.setup_succeeded, subscription_states.setup_succeeded),
}
"""What an event means to other objects than its own."""
