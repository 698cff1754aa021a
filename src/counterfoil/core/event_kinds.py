"""Every kind of event that is told outside: when, and what it says beside the subject. Stable words, once told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EventKind:
    """One kind of event. `data` is an example of what it says; `subject` the noun that it is about."""

    kind: str
    when: str
    subject: str
    data: Mapping[str, str | int]


KINDS: Final[Mapping[str, EventKind]] = {
    each.kind: each
    for each in (
        EventKind("customer.created", "A customer is on the books.", "customer", {"external_id": "user-7012"}),
        EventKind("customer.erased", "A customer's personal data were erased, for ever.", "customer", {}),
        EventKind("invoice.finalized", "An invoice is open.", "invoice", {"total_minor": 10_000, "currency": "USD"}),
        EventKind("invoice.paid", "An invoice is paid, whoever paid it.", "invoice", {"total_minor": 10_000}),
        EventKind("invoice.voided", "An invoice was taken back.", "invoice", {"total_minor": 10_000}),
        EventKind("invoice.written_off", "An invoice was given up as a loss.", "invoice", {"total_minor": 10_000}),
        EventKind("invoice.collection_failed", "A try to collect an invoice was refused.", "invoice", {}),
        EventKind("payment.succeeded", "A payment has all its money.", "payment", {"amount_minor": 10_000}),
        EventKind("purchase.initiated", "Credits are being bought.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.authorized", "The money of a purchase is promised.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.settled", "The money of a purchase is there.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.fulfilled", "The credits of a purchase were given.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.failed", "A purchase was refused; it may be tried again.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.canceled", "A purchase was given up.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.voided", "A paid purchase was taken back.", "purchase", {"quantity": 2_500}),
        EventKind("purchase.refunded", "Money of a purchase went back.", "purchase", {"amount_minor": 1_000}),
        EventKind("grant.issued", "A lot of credits was given.", "grant", {"wallet": "wlt_…"}),
        EventKind("grant.expired", "A lot of credits ended.", "grant", {"wallet": "wlt_…"}),
        EventKind("grant.voided", "A lot of credits was taken back.", "grant", {"wallet": "wlt_…"}),
        EventKind("wallet.low_balance", "Little is left in a wallet: once after each top-up.", "wallet", {}),
        EventKind("wallet.suspended", "A wallet may not be spent from.", "wallet", {}),
        EventKind("wallet.active", "A wallet may be spent from again.", "wallet", {}),
        EventKind("wallet.closed", "A wallet was closed.", "wallet", {}),
        EventKind("wallet.debt_forgiven", "What a wallet owed was forgiven.", "wallet", {}),
        EventKind("spend.corrected", "A use was taken back, whole or in part.", "spend", {}),
        EventKind("auto_topup.set", "A wallet is to fill itself.", "auto_topup", {"wallet": "wlt_…"}),
        EventKind("auto_topup.action_required", "The customer has to confirm a top-up.", "auto_topup", {}),
        EventKind("auto_topup.failed", "A top-up failed; `retry_at` says when it is tried again.", "auto_topup", {}),
        EventKind("auto_topup.capped", "A top-up waits: its limit of the month is reached.", "auto_topup", {}),
        EventKind("auto_topup.switched_off", "A wallet does not fill itself any more.", "auto_topup", {}),
        EventKind("case.resolved", "A person answered a question.", "case", {"resolution": "handled"}),
        EventKind(
            "webhook_endpoint.disabled",
            "A webhook endpoint was switched off: it is gone, or nothing came through for three days.",
            "endpoint",
            {"why": "hook_endpoint_failing"},
        ),
        EventKind("webhook_endpoint.tested", "A person tests this endpoint.", "endpoint", {"url": "https://…"}),
    )
}
"""By kind. More kinds may come; an application answers 2xx to one that it does not know."""
