"""What a credible sandbox has, by priority: the rows of docs/sandbox/coverage.md.

An operation is named as the official Python SDK calls it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One thing to be had: `priority` 0 must be there for anything to be judged, 1 is expected next."""

    id: str
    what: str
    priority: int
    route: str = ""
    """Of an operation: method and path, each id in the path as `{}`."""


_OPERATIONS = {
    0: """
customers /v1/customers: create retrieve update delete list search
customers.balance_transactions /v1/customers/{}/balance_transactions: create retrieve list
customers.payment_methods /v1/customers/{}/payment_methods: list
payment_methods /v1/payment_methods: create retrieve update list attach detach
payment_intents /v1/payment_intents: create retrieve update confirm capture cancel list search
setup_intents /v1/setup_intents: create retrieve update confirm cancel list
charges /v1/charges: retrieve update list
refunds /v1/refunds: create retrieve update cancel list
disputes /v1/disputes: retrieve update close list
products /v1/products: create retrieve update list search
prices /v1/prices: create retrieve update list search
invoice_items /v1/invoiceitems: create retrieve update delete list
invoices /v1/invoices: create retrieve update delete list pay mark_uncollectible attach_payment
invoices /v1/invoices: finalize_invoice=finalize send_invoice=send void_invoice=void
invoices.line_items /v1/invoices/{}/lines: list
invoice_payments /v1/invoice_payments: retrieve list
subscriptions /v1/subscriptions: create retrieve update cancel=DELETE list
subscription_items /v1/subscription_items: create retrieve update delete list
checkout.sessions /v1/checkout/sessions: create retrieve list expire
checkout.sessions.line_items /v1/checkout/sessions/{}/line_items: list
payment_pages /v1/payment_pages: retrieve confirm
test_helpers.test_clocks /v1/test_helpers/test_clocks: create retrieve advance delete list
events /v1/events: retrieve list
webhook_endpoints /v1/webhook_endpoints: create retrieve update delete list
balance /v1/balance: retrieve=ONE
balance_transactions /v1/balance_transactions: retrieve list
accounts /v1/account: retrieve_current=ONE
""",
    1: """
payment_intents /v1/payment_intents: verify_microdeposits
setup_intents /v1/setup_intents: verify_microdeposits
charges /v1/charges: search
products /v1/products: delete
checkout.sessions /v1/checkout/sessions: update
credit_notes /v1/credit_notes: create retrieve update list void_credit_note=void preview=GET
credit_notes.line_items /v1/credit_notes/{}/lines: list
coupons /v1/coupons: create retrieve update delete list
promotion_codes /v1/promotion_codes: create retrieve update list
tax_rates /v1/tax_rates: create retrieve update list
invoices /v1/invoices: search add_lines update_lines remove_lines create_preview=ALL
invoices.line_items /v1/invoices/{}/lines: update
subscriptions /v1/subscriptions: search resume pause
billing_portal.sessions /v1/billing_portal/sessions: create
setup_attempts /v1/setup_attempts: list
payouts /v1/payouts: create retrieve update cancel reverse list
customers /v1/customers: delete_discount=DISCOUNT
subscriptions /v1/subscriptions: delete_discount=DISCOUNT
""",
}
_ROUTES = {
    "create": "POST {path}",
    "retrieve": "GET {path}/{{}}",
    "update": "POST {path}/{{}}",
    "delete": "DELETE {path}/{{}}",
    "list": "GET {path}",
    "search": "GET {path}/search",
    "DELETE": "DELETE {path}/{{}}",
    "DISCOUNT": "DELETE {path}/{{}}/discount",
    "ONE": "GET {path}",
    "GET": "GET {path}/{verb}",
    "ALL": "POST {path}/{verb}",
}

_EVENTS = {
    0: """
customer.created customer.updated customer.deleted
payment_method.attached payment_method.detached payment_method.updated
payment_intent.created payment_intent.requires_action payment_intent.processing
payment_intent.amount_capturable_updated payment_intent.succeeded payment_intent.payment_failed payment_intent.canceled
setup_intent.created setup_intent.requires_action setup_intent.succeeded setup_intent.setup_failed setup_intent.canceled
charge.succeeded charge.failed charge.captured charge.updated charge.refunded
refund.created refund.updated refund.failed charge.refund.updated
charge.dispute.created charge.dispute.updated charge.dispute.closed charge.dispute.funds_withdrawn
charge.dispute.funds_reinstated
invoice.created invoice.updated invoice.finalized invoice.finalization_failed invoice.sent invoice.paid
invoice.payment_succeeded invoice.payment_failed invoice.payment_action_required invoice.payment_attempt_required
invoice.overdue invoice.upcoming invoice.marked_uncollectible invoice.voided invoice.deleted
invoice_payment.paid invoiceitem.created invoiceitem.deleted
customer.subscription.created customer.subscription.updated customer.subscription.deleted customer.subscription.paused
customer.subscription.resumed customer.subscription.trial_will_end
checkout.session.completed checkout.session.expired checkout.session.async_payment_succeeded
checkout.session.async_payment_failed
credit_note.created credit_note.updated credit_note.voided
product.created product.updated price.created price.updated
test_helpers.test_clock.created test_helpers.test_clock.advancing test_helpers.test_clock.ready
test_helpers.test_clock.deleted balance.available
""",
    1: "invoice.overpaid invoice.will_be_due payout.created payout.paid payout.failed coupon.created",
}

_BEHAVIOURS = {
    "wire.forms": "Forms nest as `a[b]`, `a[]`, `a[0]`, `expand[0]`",
    "wire.keys": "Keys come as bearer or as basic user; a wrong one is a 401, masked",
    "wire.unknown-parameter": "An unknown parameter is a 400 `parameter_unknown` naming `a[b]`",
    "wire.missing-parameter": "`parameter_missing` names what is missing",
    "wire.invalid-integer": "`parameter_invalid_integer`, `parameter_invalid_empty` and wrong kinds are named",
    "wire.resource-missing": "`resource_missing` with param `id`, the intent's own, or the parameter that named it",
    "wire.invalid-version": "`Invalid Stripe API version` is a 400",
    "wire.envelope": "Errors carry type, code, param, doc_url and request_log_url",
    "wire.headers": "Request-Id, Stripe-Version, Idempotency-Key, Original-Request on every answer",
    "wire.unknown-path": "An unknown path is a 404 that names it",
    "wire.bodies-that-are-no-form": "JSON, multipart and other bodies are refused as Stripe refuses them",
    "wire.head-and-options": "HEAD and OPTIONS are answered",
    "wire.compression": "Long answers are compressed for clients that take it",
    "wire.uncovered": "What is not modelled is refused by name, never ignored",
    "rates.limit": "Rates are limited per account where the settings say so",
    "lists.newest-first": "Lists are newest first and say `has_more`",
    "lists.cursors": "Both cursors work, outlive their object's deletion, and are a 400 together",
    "lists.limit": "`limit` is 1 to 100",
    "lists.created": "`created` filters by exact time and by range",
    "search.grammar": "Search takes AND, OR, `-`, quotes, numbers, metadata, substrings, null",
    "search.pages": "Search pages with a token",
    "search.lag": "The index lags as far as the settings say",
    "expand.four-levels": "Expand goes four levels deep; a fifth is refused",
    "expand.data-prefix": "Lists expand below `data.`, and the refusal says so",
    "expand.not-expandable": "What is no reference can't be expanded",
    "expand.includables": "Includable lists and values are absent unless asked for",
    "metadata.merge": "Metadata merges; an empty value deletes; limits are kept",
    "deleted.stubs": "A deleted object answers 200 with `deleted: true`",
    "idempotency.replay": "Same key and parameters replay status and body",
    "idempotency.other-parameters": "Other parameters or another path under a key are a 400 `idempotency_error`",
    "idempotency.in-use": "A key still in use is a 409 `idempotency_key_in_use`",
    "idempotency.kept": "402s, and 500s after execution began, are kept; validation's 400s are not",
    "idempotency.lifetime": "Keys live for a day, per account",
    "cards.minted": "`pm_card_*` and `tok_*` mint a fresh method on attach, with the recorded brand and last four",
    "cards.declines": "Declines have their decline_code, and the intent in the error",
    "cards.customer-fail": "chargeCustomerFail attaches and then declines; chargeDeclined refuses to be attached",
    "cards.authentication": "3DS: requires_action on session, 402 authentication_required off session",
    "cards.disputes": "createDispute cards; evidence wins or loses",
    "cards.refund-fail": "refundFail fails later; bypassPending is available at once",
    "invoices.balance": "Finalize applies the customer's balance and charges only the remainder",
    "invoices.zero": "A zero remainder is paid at once without an intent",
    "invoices.partial": "Several and partial payments pay one invoice",
    "invoices.out-of-band": "Out-of-band money counts as paid since basil",
    "invoices.declined": "A declined pay is a 402; the invoice stays open",
    "invoices.auto-advance": "Drafts with auto_advance wait an hour",
    "subscriptions.payment-behavior": "default_incomplete, allow_incomplete, error_if_incomplete",
    "subscriptions.incomplete-expired": "An incomplete subscription expires after 23 hours",
    "subscriptions.trials": "Trials end in a charge",
    "subscriptions.ending": "Cancel now or at the end of the period",
    "subscriptions.dunning": "Retries lead to past_due, then canceled or unpaid",
    "subscriptions.billing-mode": "billing_mode is flexible by default since clover",
    "ledger.transactions": "Every charge, refund and dispute has its balance transaction; they sum to the balance",
    "ledger.disputes": "A dispute withdraws funds and a fee; winning brings them back",
    "clocks.asynchronous": "A test clock advances asynchronously",
    "clocks.forward": "Clocks go only forward; a second advance meanwhile is a 429",
    "clocks.time": "Objects of a clock use its time; events keep the wall clock's",
    "webhooks.signed": "Deliveries are signed so that the official SDK accepts them",
    "webhooks.fresh-timestamp": "Each attempt has a fresh timestamp",
    "webhooks.two-signatures": "Two signatures while a secret rolls",
    "webhooks.version": "The endpoint's version decides the rendering",
    "webhooks.filter": "enabled_events filters, `*` takes all; a disabled endpoint gets nothing",
    "webhooks.retries": "Retries follow a compressible schedule: hours in test mode, three days in live mode",
    "webhooks.pending-counts-down": "`pending_webhooks` counts down",
    "webhooks.connect": "A connected account's events reach its platform's endpoint",
    "versions.rendering": "Objects show the shape of 2025-02-24.acacia and of the newest version",
    "versions.default": "Requests without a version get the account's",
    "accounts.isolated": "Accounts, modes and connected accounts never see each other's objects",
}
_PAGES = {
    "pages.checkout": "Checkout: card, bank account, refusals, 3DS on the way",
    "pages.challenge": "The 3DS challenge, passed or failed",
    "pages.bank-verification": "Verification of micro-deposits by code or amounts",
    "pages.invoice": "The hosted invoice, paid by a person",
    "pages.receipt": "The receipt of a charge",
}
_ALONE = {
    "alone.start": "Starts in under a second",
    "alone.speed": "A simple call takes a few milliseconds",
    "alone.snapshot": "Snapshot and restore in milliseconds; the same ids follow",
    "alone.restart": "Survives a kill and a restart",
    "alone.many": "Many accounts at once",
    "alone.board": "A live board: requests, events, deliveries, trouble, clock, accounts",
    "alone.scripts": "The Stripe CLI's own scripts pass with their events",
    "alone.python": "The page for Python applications runs",
    "alone.node": "The smoke suite and the page for Node applications run",
}
_REQUEST_FAULTS = {
    "fault.refuse": "`refuse`: the connection is refused",
    "fault.timeout-before": "`timeout_before`: lost before execution",
    "fault.timeout-after": "`timeout_after`: lost after the commit",
    "fault.reset": "`reset`: broken off in mid-body, after the commit",
    "fault.500-before": "`status` 500 before execution",
    "fault.500-after": "`status` 500, `when: after`: after the commit, kept under its key",
    "fault.503": "`status` 503",
    "fault.429-rate-limit": "`status` 429, code `rate_limit`",
    "fault.429-lock-timeout": "`status` 429, code `lock_timeout`",
    "fault.409-key-in-use": "`status` 409, or a slow request under the same key",
    "fault.slow": "`slow`: the answer comes late",
    "fault.stale-read": "`stale_read`: lists and searches show what was",
    "fault.rules": "Rules match method, path, nth, account; are listed, cleared, journalled, refused when unclear",
}
_WEBHOOK_FAULTS = {
    "webhook-fault.drop": "`drop`: never delivered",
    "webhook-fault.duplicate": "`duplicate`: the same event again",
    "webhook-fault.duplicate-as-new": "`duplicate_as_new`: the same change in a second event",
    "webhook-fault.delay": "`delay`: later by some seconds",
    "webhook-fault.reorder": "`reorder`: overtaken by the window's later ones",
    "webhook-fault.burst": "`hold` or `burst`: all at once after an outage",
    "webhook-fault.wrong-signature": "`forge`: signed with a wrong secret",
    "webhook-fault.stale-timestamp": "`stale`: an old timestamp, rightly signed",
    "webhook-fault.other-api-version": "`api_version`: another version than the endpoint's",
    "webhook-fault.other-livemode": "`livemode`: claims the other mode",
    "webhook-fault.non-json": "`non_json`: a body that is no JSON",
    "webhook-fault.endpoint-too-slow": "An endpoint that answers too late, or `unanswered`: tried again",
}


def _operations() -> tuple[Row, ...]:
    rows = []
    for priority, text in _OPERATIONS.items():
        for line in text.strip().splitlines():
            head, verbs = line.split(": ")
            name, path = head.split()
            for verb in verbs.split():
                call, _, kind = verb.partition("=")
                route = _ROUTES.get(kind or call, f"POST {{path}}/{{{{}}}}/{kind or call}").format(path=path, verb=call)
                rows.append(Row(f"{name}.{call}", f"{name}.{call}", priority, route))
    return tuple(rows)


def _events() -> tuple[Row, ...]:
    return tuple(Row(name, f"`{name}`", priority) for priority, text in _EVENTS.items() for name in text.split())


def _rows(texts: dict[str, str]) -> tuple[Row, ...]:
    return tuple(Row(name, text, 0) for name, text in texts.items())


SECTIONS: dict[str, tuple[Row, ...]] = {
    "Operations": _operations(),
    "Events": _events(),
    "Behaviours": _rows(_BEHAVIOURS),
    "Hosted pages": _rows(_PAGES),
    "Trouble with requests": _rows(_REQUEST_FAULTS),
    "Trouble with webhooks": _rows(_WEBHOOK_FAULTS),
    "Alone": _rows(_ALONE),
}
