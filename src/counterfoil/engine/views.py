"""Our subjects as the outside sees them: one JSON shape per noun, for the API, the CLI, explain and the pages alike.

Money is `{"amount", "currency", "formatted"}` in minor units, never rounded; service units are decimal strings with
their unit; times are RFC 3339 in UTC; ids are ours.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from babel.numbers import format_currency

from counterfoil.core.books import (
    Books,
    Customer,
    Grant,
    Invoice,
    Leg,
    LegKind,
    Line,
    Method,
    Payment,
    Wallet,
    allocations_of,
    legs_of,
)
from counterfoil.core.bought import PendingLine, Purchase, Settlement
from counterfoil.core.catalogue import Pack, PurchasePolicy
from counterfoil.core.lifecycle import LegStatus, PaymentStatus, PurchaseStatus
from counterfoil.core.money import ServiceUnit, exponent, plain
from counterfoil.core.status import reserved_minor
from counterfoil.core.tax import Tax
from counterfoil.store.database import Row

View = dict[str, Any]


def money(minor: int, currency: str, locale: str = "en_US") -> View:
    """Give an amount in minor units, its currency, and both as people write them."""
    return {"amount": minor, "currency": currency, "formatted": formatted(minor, currency, locale)}


def formatted(minor: int, currency: str, locale: str = "en_US") -> str:
    """Write an amount in full, every minor unit of it, with a true minus sign."""
    text = plain(abs(minor), exponent(currency))
    written: str = format_currency(text, currency, locale=locale, currency_digits=False, format=_pattern(currency))
    return f"\u2212{written}" if minor < 0 else written


def _pattern(currency: str) -> str:
    digits = exponent(currency)
    return "\u00a4#,##0" + (f".{'0' * digits}" if digits else "")


def quantity(units: int, unit: ServiceUnit) -> View:
    """Give scaled units as a decimal string with its unit."""
    return {"quantity": plain(units, unit.scale), "unit": unit.code}


def instant(at: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC, to the millisecond."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def customer_view(customer: Customer, person: Row | None) -> View:
    """Show a customer. Personal fields are null once they are erased."""
    return {
        "id": customer.id,
        "object": "customer",
        "external_id": customer.external_id,
        "name": person["name"] if person else None,
        "email": person["email"] if person else None,
        "metadata": person["metadata"] if person else {},
        "locale": person["locale"] if person else "en",
        "billing": (person["billing"] or None) if person else None,
        "provider_account": customer.account,
        "provider_ref": customer.provider_ref,
        "paused": customer.paused,
        "email_verified": customer.email_verified,
        "risk": customer.risk,
        "deleted_at_provider": customer.deleted_at_provider,
        "erased_at": instant(customer.erased_at),
        "created_at": instant(customer.created_at),
    }


def method_view(method: Method) -> View:
    """Show a saved payment method."""
    return {
        "id": method.id,
        "object": "payment_method",
        "customer": method.customer,
        "kind": method.kind,
        "brand": method.brand,
        "last4": method.last4,
        "expires": method.expires,
        "fingerprint": method.fingerprint,
        "country": method.country,
        "default": method.is_default,
        "attached": method.attached,
        "provider_ref": method.provider_ref,
        "created_at": instant(method.created_at),
    }


def wallet_view(wallet: Wallet, grants: Iterable[Grant], now: datetime) -> View:
    """Show a wallet: what its live lots hold less what it owes, and what of that can be spent now."""
    from counterfoil.core.credits import is_live

    live = [grant for grant in grants if grant.wallet == wallet.id and is_live(grant, now)]
    free = sum(grant.free for grant in live)
    return {
        "id": wallet.id,
        "object": "wallet",
        "customer": wallet.customer,
        "unit": wallet.unit.code,
        "status": wallet.status,
        "balance": quantity(sum(grant.remaining for grant in live) - wallet.debt, wallet.unit),
        "held": quantity(sum(grant.held for grant in live), wallet.unit),
        "debt": quantity(wallet.debt, wallet.unit),
        "available": quantity(max(0, free - wallet.debt), wallet.unit),
        "overdraft": wallet.overdraft,
        "debt_limit": None if wallet.debt_limit is None else quantity(wallet.debt_limit, wallet.unit),
        "shortfall": wallet.shortfall,
        "overflow": wallet.overflow,
        "alert_percents": list(wallet.alert_percents),
        "alert_below": [quantity(each, wallet.unit) for each in wallet.alert_levels],
        "created_at": instant(wallet.created_at),
    }


def grant_view(grant: Grant, unit: ServiceUnit) -> View:
    """Show a lot."""
    return {
        "id": grant.id,
        "object": "grant",
        "wallet": grant.wallet,
        "source": grant.source,
        "amount": quantity(grant.amount, unit),
        "remaining": quantity(grant.remaining, unit),
        "used": quantity(grant.used, unit),
        "held": quantity(grant.held, unit),
        "gone": quantity(grant.gone, unit),
        "cost_basis": money(grant.cost_minor, grant.cost_currency),
        "priority": grant.priority,
        "features": list(grant.features),
        "pool": grant.pool or None,
        "effective_at": instant(grant.effective_at),
        "expires_at": instant(grant.expires_at),
        "voided_at": instant(grant.voided_at),
        "purchase": grant.purchase,
        "created_at": instant(grant.created_at),
    }


def taxes_view(taxes: Iterable[Tax], currency: str) -> list[View]:
    """Show taxes as they were given."""
    return [{"name": each.name, "rate": each.rate_text, "amount": money(each.amount_minor, currency)} for each in taxes]


def line_view(line: Line, currency: str) -> View:
    """Show a line of an invoice."""
    return {
        "id": line.id,
        "object": "invoice_line",
        "kind": line.kind,
        "description": line.description,
        "net": money(line.net_minor, currency),
        "tax": money(line.tax_minor, currency),
        "taxes": taxes_view(line.taxes, currency),
        "gross": money(line.gross_minor, currency),
        "purchase": line.purchase,
    }


def invoice_view(books: Books, invoice: Invoice) -> View:
    """Show an invoice: what it bills, what is paid, reserved and still due."""
    lines = sorted((line for line in books.lines if line.invoice == invoice.id), key=lambda line: line.position)
    return {
        "id": invoice.id,
        "object": "invoice",
        "customer": invoice.customer,
        "number": invoice.number,
        "status": invoice.status,
        "payment_status": invoice.payment_status,
        "collector": "counterfoil",
        "currency": invoice.currency,
        "total": money(invoice.total_minor, invoice.currency),
        "amount_paid": money(invoice.paid_minor, invoice.currency),
        "amount_reserved": money(reserved_minor(books, invoice.id), invoice.currency),
        "amount_due": money(invoice.due_minor, invoice.currency),
        "paid_at": instant(invoice.paid_at),
        "paid_with": invoice.paid_with,
        "description": invoice.description,
        "lines": [line_view(line, invoice.currency) for line in lines],
        "due_at": instant(invoice.due_at),
        "collect_at_due": invoice.collect_at_due,
        "finalized_at": instant(invoice.finalized_at),
        "voided_at": instant(invoice.voided_at),
        "void_asked_at": instant(invoice.void_asked_at),
        "created_at": instant(invoice.created_at),
    }


def leg_view(books: Books, leg: Leg) -> View:
    """Show one part of a payment."""
    view: View = {
        "id": leg.id,
        "object": "leg",
        "kind": leg.kind,
        "status": leg.status,
        "amount": money(leg.amount_minor, leg.currency),
        "refunded": money(leg.refunded_minor, leg.currency),
        "invoices": [
            {"invoice": each.invoice, "amount": money(each.minor, leg.currency)}
            for each in allocations_of(books, leg.id)
        ],
        "settled_at": instant(leg.settled_at),
        "created_at": instant(leg.created_at),
    }
    if leg.kind is LegKind.CREDIT:
        unit = next(wallet.unit for wallet in books.wallets if wallet.id == leg.wallet)
        return view | {"wallet": leg.wallet, "drawn": quantity(leg.quantity, unit)}
    if leg.kind is LegKind.EXTERNAL:
        view |= {"means": leg.means, "reference": leg.reference}
    return view | {
        "payment_method": leg.method,
        "received": money(leg.received_minor, leg.currency),
        "provider_ref": leg.provider_ref,
        "charge_ref": leg.charge_ref,
        "refusal": {"code": leg.refusal_code, "message": leg.refusal_text} if leg.refusal_code else None,
    }


def payment_view(books: Books, payment: Payment) -> View:
    """Show a payment with its legs, and what it asks of the customer when it waits for one."""
    legs = legs_of(books, payment.id)
    return {
        "id": payment.id,
        "object": "payment",
        "customer": payment.customer,
        "status": payment.status,
        "amount": money(payment.amount_minor, payment.currency),
        "confirm": payment.confirmation,
        "legs": [leg_view(books, leg) for leg in legs],
        "next_action": _next_action(payment, legs),
        "settled_at": instant(payment.settled_at),
        "created_at": instant(payment.created_at),
    }


def _next_action(payment: Payment, legs: tuple[Leg, ...]) -> View | None:
    if payment.status is not PaymentStatus.REQUIRES_ACTION:
        return None
    waiting = next((leg for leg in legs if leg.status is LegStatus.REQUIRES_ACTION), None)
    action = waiting.action if waiting else None
    return {"kind": ACTIONS.get(action or "", "confirm_payment"), "url": waiting.action_url if waiting else None}


ACTIONS = {"pay": "pay_on_page", "verify_bank": "verify_bank_account"}
"""What a customer is asked to do, as callers are told; anything else confirms the payment."""


AT_REST = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.FAILED, PaymentStatus.CANCELED})
"""Where a payment rests: nothing more happens to it unless somebody acts."""


def http_status(payment: Payment) -> int:
    """Say how a command about a payment is answered: 200 it is paid, 402 refused, 202 not yet."""
    if payment.status is PaymentStatus.SUCCEEDED:
        return 200
    if payment.status is PaymentStatus.FAILED:
        return 402
    return 200 if payment.status is PaymentStatus.CANCELED else 202


def purchase_view(purchase: Purchase, unit: ServiceUnit) -> View:
    """Show a purchase: what is bought, on which terms, and how far its money and its credits are."""
    currency = purchase.currency
    return {
        "id": purchase.id,
        "object": "purchase",
        "customer": purchase.customer,
        "wallet": purchase.wallet,
        "external_id": purchase.external_id,
        "status": purchase.status,
        "settlement": purchase.settlement,
        "collector": purchase.collector,
        "pack": purchase.pack,
        "pack_version": purchase.pack_version,
        "credits": quantity(purchase.quantity, unit),
        "price": money(purchase.net_minor, currency),
        "fee": money(purchase.fee_minor, currency),
        "tax": money(purchase.tax_minor, currency),
        "taxes": taxes_view(purchase.taxes, currency),
        "total": money(purchase.gross_minor, currency),
        "paid": _paid_view(purchase),
        "description": purchase.description,
        "grant_timing": purchase.grant_timing,
        "expires_after_s": purchase.expires_after_s,
        "priority": purchase.priority,
        "features": list(purchase.features),
        "grant": purchase.grant,
        "invoice": purchase.invoice,
        "invoice_line": purchase.line,
        "invoice_at": instant(purchase.invoice_at),
        "payment_method": purchase.method,
        "provider_ref": purchase.provider_ref,
        "failure": _failure_view(purchase),
        "refunded": money(purchase.refunded_minor, currency),
        "taken_back": quantity(purchase.clawed, unit),
        "authorized_at": instant(purchase.authorized_at),
        "settled_at": instant(purchase.settled_at),
        "fulfilled_at": instant(purchase.fulfilled_at),
        "canceled_at": instant(purchase.canceled_at),
        "voided_at": instant(purchase.voided_at),
        "created_at": instant(purchase.created_at),
    }


def _paid_view(purchase: Purchase) -> View:
    """Show of what the payment was composed: the price alone says neither what a card paid nor what a balance did."""
    parts = {
        "balance": purchase.balance_minor,
        "card": purchase.card_minor,
        "external": purchase.external_minor,
        "discount": purchase.discount_minor,
    }
    return {name: money(minor, purchase.currency) for name, minor in parts.items()}


def _failure_view(purchase: Purchase) -> View | None:
    if not purchase.failures:
        return None
    return {"code": purchase.failure_code, "message": purchase.failure_text, "failures": purchase.failures}


PURCHASE_AT_REST = frozenset(
    {
        PurchaseStatus.SETTLED,
        PurchaseStatus.FAILED,
        PurchaseStatus.HELD,
        PurchaseStatus.CANCELED,
        PurchaseStatus.VOIDED,
        PurchaseStatus.SCHEDULED,
    }
)
"""Where a purchase rests, as far as whoever bought is concerned: it is paid, refused, or billed later."""


def purchase_status(purchase: Purchase) -> int:
    """Say how a purchase is answered: 201 it is made, 402 its payment was refused, 202 its money is under way."""
    if purchase.status is PurchaseStatus.FAILED:
        return 402
    is_collected = purchase.settlement is Settlement.INVOICE
    return 202 if is_collected and purchase.status not in PURCHASE_AT_REST else 201


def pending_line_view(line: PendingLine) -> View:
    """Show a line that waits to be billed."""
    return {
        "id": line.id,
        "object": "pending_line",
        "customer": line.customer,
        "status": line.status,
        "description": line.description,
        "net": money(line.net_minor, line.currency),
        "fee": money(line.fee_minor, line.currency),
        "tax": money(line.tax_minor, line.currency),
        "taxes": taxes_view(line.taxes, line.currency),
        "gross": money(line.gross_minor, line.currency),
        "invoice_at": instant(line.invoice_at),
        "invoice_description": line.about,
        "purchase": line.purchase,
        "invoice": line.invoice,
        "invoice_line": line.line,
        "created_at": instant(line.created_at),
    }


def pack_view(pack: Pack, unit: ServiceUnit) -> View:
    """Show one version of a pack."""
    return {
        "code": pack.code,
        "object": "pack",
        "version": pack.version,
        "name": pack.name,
        "credits": quantity(pack.quantity, unit),
        "prices": [money(each.minor, each.currency) for each in pack.prices],
        "fee_bp": pack.fee_bp,
        "expires_after_s": pack.expires_after_s,
        "priority": pack.priority,
        "features": list(pack.features),
        "plans": list(pack.plans),
        "on_sale": pack.on_sale,
    }


def policy_view(policy: PurchasePolicy) -> View:
    """Show what purchases are held to."""
    return {
        "object": "purchase_policy",
        "version": policy.version,
        "custom": [
            {
                "unit": each.unit,
                "price": money(each.price.minor, each.price.currency),
                "least": each.least,
                "most": each.most,
                "fee_bp": each.fee_bp,
                "expires_after_s": each.expires_after_s,
            }
            for each in policy.custom
        ],
        "caps": [money(each.minor, each.currency) for each in policy.caps],
        "needs_provider_customer": policy.needs_provider_customer,
        "stopped": policy.stopped,
        "needs_verified_email": policy.needs_verified_email,
        "gives_up_after_s": policy.gives_up_after_s,
        "home_countries": list(policy.home_countries),
        "foreign_card_bp": policy.foreign_card_bp,
        "blocks_disputed": policy.blocks_disputed,
    }
