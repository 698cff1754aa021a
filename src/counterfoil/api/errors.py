"""Every error code the product speaks: what it means and what to do about it.

The table is the page that a problem's `type` links to; `docs/errors.md` is made from it too. A code is stable: it is
answered by the API, printed by the command line and stored in decisions.
"""

from html import escape
from typing import Final

from counterfoil.api.entries import Entry, Section
from counterfoil.api.errors_refunds import GOING_BACK

REQUESTS: Final = Section(
    "The request itself",
    (
        Entry("json_invalid", "The body is not JSON, or not one that can be stored.", "Send one JSON object in UTF-8."),
        Entry(
            "content_type_not_json",
            "The body came as something other than JSON.",
            "Send `Content-Type: application/json`.",
        ),
        Entry("body_too_large", "The body is larger than 1 MiB.", "Send less at once; metadata is meant for ids."),
        Entry(
            "invalid_request",
            "A field or parameter has a value that is not accepted, is missing, or is not known. `param` and `errors` "
            "name each of them.",
            "Correct the fields that are named. Amounts are whole numbers of minor units below 2^63, quantities are "
            "decimal strings, currencies upper-case ISO 4217 codes.",
        ),
        Entry(
            "card_number_refused",
            "A text field or a header holds what looks like a card number. Nothing of the request was stored or "
            "logged.",
            "Never send card numbers here. Let the customer enter the card at the provider and send its token.",
        ),
        Entry(
            "cursor_invalid",
            "The cursor is not one that this list gave.",
            "Start without a cursor and follow `next_cursor` as it is.",
        ),
        Entry(
            "not_found",
            "There is no such object, or it belongs to somebody else; the two are never told apart.",
            "Check the id and that the key is of the organization and mode that own it.",
        ),
        Entry("method_not_allowed", "The path exists, the HTTP method does not.", "See the `Allow` header."),
    ),
)

KEYS: Final = Section(
    "Keys and scopes",
    (
        Entry("api_key_missing", "No API key was sent.", "Send `Authorization: Bearer cfk_…`."),
        Entry(
            "api_key_unknown",
            "The API key is mistyped, revoked, or of another installation.",
            "Make one with `counterfoil keys create`.",
        ),
        Entry(
            "scope_missing",
            "The API key is not allowed to do this; `detail` names the scope that it lacks.",
            "Use a key that has the scope.",
        ),
        Entry(
            "scope_unknown",
            "A key was asked for with a scope that does not exist.",
            "Choose among read, spend, write, refund, fix and admin.",
        ),
    ),
)

IDEMPOTENCY: Final = Section(
    "Repeating a request",
    (
        Entry(
            "idempotency_key_missing",
            "Requests that can move money need an `Idempotency-Key`, so that repeating one is safe.",
            "Send a value of your own that names this one intent, such as the id of your order.",
        ),
        Entry(
            "idempotency_key_invalid",
            "The `Idempotency-Key` is empty, longer than 255 characters, or not visible ASCII.",
            "Send up to 255 visible ASCII characters, bare or as a quoted string.",
        ),
        Entry(
            "idempotency_key_reused",
            "This `Idempotency-Key` was used before for another request. Nothing was done.",
            "Use a new key for a new request, and the same body when repeating an old one.",
        ),
    ),
)

REFUSALS: Final = Section(
    "Refused by a rule",
    (
        Entry("invoice_not_draft", "The invoice was finalized before.", "Nothing to do: it is a debt already."),
        Entry(
            "invoice_not_open",
            "Only an open or uncollectible invoice is collected.",
            "Finalize a draft first; a void invoice is never collected.",
        ),
        Entry("invoice_empty", "The invoice bills nothing.", "Write a new one with at least one line."),
        Entry(
            "invoice_has_money",
            "Money was collected for the invoice, so it can't be taken back as it is.",
            "Refund what was collected first.",
        ),
        Entry(
            "collected_by_provider",
            "The provider collects this invoice by one of its own, which ours mirrors.",
            "Pay, void or mark it at the provider; what happens there is followed here.",
        ),
        Entry(
            "reference_taken",
            "A payment with this reference was recorded before; `detail` names it. Nothing was recorded again.",
            "Look at that payment. Another one needs a reference of its own.",
        ),
        Entry("nothing_due", "The invoice is paid already.", "Nothing to do."),
        Entry(
            "payment_in_progress",
            "The invoice is being collected by a payment that may still take money.",
            "Wait for that payment to rest, or cancel it.",
        ),
        Entry(
            "payment_not_open",
            "The payment has come to rest, so there is nothing left to give up.",
            "Look at its status; a succeeded payment is refunded, not canceled.",
        ),
        Entry(
            "return_url_required",
            "A hosted page was asked for without an address to send the customer back to.",
            "Send `return_url` with the request.",
        ),
        Entry(
            "no_payment_method",
            "The customer has no saved payment method and credits do not cover the invoice. Nothing was deducted.",
            "Save a payment method, or launch the payment with `confirm: client`.",
        ),
        Entry(
            "method_not_usable",
            "The payment method was detached, or its customer was deleted at the provider.",
            "Choose another payment method.",
        ),
        Entry(
            "amount_not_chargeable",
            "The provider can't be asked for this amount: it is too large, or not a whole unit of its currency.",
            "Bill an amount that the currency's step allows, or pay invoices apart.",
        ),
        Entry(
            "currencies_differ", "Two currencies were mixed.", "Pay, or state the cost, in one currency; never mix two."
        ),
        Entry(
            "insufficient_credits",
            "The wallet's lots can't pay for this use: they are used up, reserved, expired, or not yet in effect when "
            "it happened. Nothing was drawn.",
            "Let the customer buy credits, then send the same request again; it may keep its key.",
        ),
        Entry(
            "allowance_used_up",
            "The plan's allowance can't pay for this use, and its owner did not agree that other credits may. Nothing "
            "was drawn.",
            "Wait for the next allowance, or ask the customer and set `overflow` on the wallet; then send the same "
            "request again.",
        ),
        Entry(
            "hold_not_found",
            "There is no such hold, or it belongs to somebody else; the two are never told apart.",
            "Check the id; a hold that was refused was never placed.",
        ),
        Entry(
            "hold_not_open",
            "The hold was settled, released, or expired before; `detail` says which.",
            "Send what was used as a spend of its own, under a new key.",
        ),
        Entry(
            "hold_exceeded",
            "More was used than is held, and the request says to refuse that. The hold is still open.",
            "Settle with less, or let the rest be drawn as a use would: `if_more` `draw`.",
        ),
        Entry(
            "wallet_in_debt",
            "More was used of this wallet than was in it, and that is owed before anything else is spent.",
            "Issue a lot into the wallet, or sell one: it covers the debt first.",
        ),
        Entry(
            "wallet_disputed",
            "A payment for credits of this wallet is contested: by your policy nothing is spent until it is decided.",
            "Answer the dispute at the provider; the wallet opens again when it is decided. `GET /v1/disputes` says "
            "which one it is.",
        ),
        Entry("wallet_not_active", "The wallet is suspended or closed.", "Use an active wallet."),
        Entry("wallet_exists", "The customer has a wallet in this unit already.", "Use that wallet."),
        Entry(
            "spend_taken_back",
            "All of this spend was taken back before.",
            "Nothing is to be done; look at the spend's explanation for what came back when.",
        ),
        Entry(
            "wallet_not_empty",
            "A wallet that holds credits can't be closed.",
            "Use them, let them expire, or void their grants; then close it.",
        ),
        Entry(
            "grant_in_use",
            "Credits of this lot are reserved for a payment.",
            "Cancel that payment, or wait for it; then void the lot.",
        ),
        Entry(
            "invalid_option",
            "No pack on sale is what was asked for, in this unit and currency.",
            "Choose one of `GET /v1/packs`.",
        ),
        Entry(
            "invalid_credits",
            "The number of credits is zero, negative, or finer than their unit.",
            "Buy more than zero credits.",
        ),
        Entry(
            "plan_not_eligible",
            "The pack is not sold to customers of this plan.",
            "Change the plan first, or choose another pack.",
        ),
        Entry(
            "stripe_customer_not_configured",
            "The customer has no id at the provider, and your policy asks for one before anything is bought.",
            "Wait until the customer was made at the provider, or name its id.",
        ),
        Entry(
            "unit_mismatch",
            "The pack is in another unit than the wallet.",
            "Buy it into a wallet of the pack's unit.",
        ),
        Entry(
            "selling_stopped",
            "Your policy of purchases has selling switched off. Nothing was made, here or at the provider.",
            "Declare the policy again with `stopped` false when selling may go on.",
        ),
        Entry(
            "customer_flagged",
            "Your application flagged this customer as a risk, so nothing is sold to it.",
            "Look into it; then put the customer's standing again with `risk` null.",
        ),
        Entry(
            "email_not_verified",
            "Your policy sells to customers with a verified address only.",
            "Have the customer verify the address, then put its standing with `email_verified` true.",
        ),
        Entry(
            "purchase_cap_reached",
            "What one customer may buy in 24 hours, by your policy, is used up.",
            "Wait, or raise the cap in the policy. What failed or was canceled does not count.",
        ),
        Entry(
            "purchase_not_settled",
            "Only a purchase that was paid can be voided.",
            "Cancel one that was not paid yet.",
        ),
        Entry(
            "purchase_collected_by_invoice",
            "The purchase is collected by an invoice, so nobody else can tell that it is paid.",
            "Pay its invoice; the purchase follows by itself.",
        ),
        Entry("line_billed", "The line stands on an invoice already.", "Void the invoice that `detail` names."),
        Entry("line_managed", "The line bills a purchase.", "Cancel the purchase; its line goes with it."),
        Entry(
            "catalogue_unreadable",
            "A part of a catalogue does not say what it has to, or says it in another form.",
            "Correct the part that `detail` names; a pack holds more than zero credits, in decimals its unit has.",
        ),
        Entry(
            "pack_differs",
            "A pack's code was given twice in one catalogue, or its unit is not declared.",
            "Name each pack once, in a declared unit.",
        ),
        Entry(
            "purchase_closed",
            "The purchase has come to its end, so this step can't be taken any more.",
            "Look at its status; buy again if more is wanted.",
        ),
        Entry(
            "invalid_threshold",
            "An auto top-up that watches a balance needs a threshold above zero, in the wallet's unit.",
            "Send `trigger.below`; only an `interval` has none.",
        ),
        Entry(
            "invalid_target",
            "The target is not above the threshold, or another trigger has one.",
            "Send a `trigger.target` above `trigger.below`, with the kind `target` only.",
        ),
        Entry(
            "invalid_cap",
            "The limits do not allow what one attempt may cost, fee and tax included.",
            "Raise `limits`, or buy less in one step.",
        ),
        Entry(
            "consent_required",
            "Nothing is charged by itself without consent that was given before now.",
            "Send who agreed, when, and to which version of your text.",
        ),
        Entry(
            "cost_not_allowed", "A free lot was given a cost.", "Leave the cost out, or choose the source `purchase`."
        ),
        Entry(
            "customer_paused",
            "The customer was paused by a person, so nothing is collected.",
            "Resume the customer when the question is settled.",
        ),
        Entry(
            "month_not_over",
            "A month can be closed an hour after its end (UTC), when every clock agrees that it is over.",
            "Close it from the time that the message names on.",
        ),
        Entry(
            "case_not_open",
            "The question was answered before, and otherwise.",
            "Nothing to do: the first answer stays.",
        ),
        Entry(
            "message_on_its_way",
            "The message has not left yet; it is queued, or held back by a pause.",
            "Nothing to do: it goes out by itself. A held one goes out when the pause ends.",
        ),
        Entry(
            "dunning_policy_refused",
            "The schedule of dunning can't be followed.",
            "Begin with hour 0, let each hour be later than the one before, and end within 90 days.",
        ),
        Entry(
            "customer_erased",
            "The customer's personal data were erased, for ever; they are never filled in again.",
            "Create a new customer, under another id of yours.",
        ),
        Entry(
            "provider_ref_taken",
            "This object of the provider belongs to another of our objects already.",
            "Look at the object that `detail` names.",
        ),
        Entry(
            "external_id_taken",
            "A customer with this id of yours is on the books already.",
            "Use that customer: `GET /v1/customers/ext:<your id>`.",
        ),
        Entry(
            "unit_differs",
            "The unit was declared before with another meaning, which is never changed.",
            "Declare a unit under a new code.",
        ),
        Entry(
            "clock_fixed",
            "Business time can be moved in test mode only, forward only, and never while a live account is connected.",
            "Use a test installation.",
        ),
    ),
)

WEBHOOKS: Final = Section(
    "Webhooks",
    (
        Entry("webhook_endpoint_unknown", "No endpoint has this name.", "Check the path; `default` is the first one."),
        Entry("webhook_too_large", "The body is larger than 1 MiB.", "No event of the provider is."),
        Entry(
            "webhook_signature_invalid",
            "The signature is missing, or was not made over these bytes with a secret of this endpoint.",
            "Set `COUNTERFOIL_STRIPE_WEBHOOK_SECRET`, and let nothing in between change the body.",
        ),
        Entry(
            "webhook_signature_expired",
            "The signature's time is more than five minutes away from ours.",
            "Set the clock of this machine; a genuine sender signs again when it retries.",
            retryable=True,
        ),
        Entry(
            "intake_busy",
            "Too many webhooks wait to be stored.",
            "Nothing to do: the provider sends it again.",
            retryable=True,
        ),
        Entry("webhook_not_an_event", "The body is signed but is not an event.", "Send the provider's events only."),
        Entry(
            "webhook_url_refused",
            "Nothing is sent to this address: it is not https, not public, or not written as an address should be.",
            "Give a public https address on port 443 or 8443. In test mode, `COUNTERFOIL_WEBHOOKS_TO_LOOPBACK=true` "
            "allows `http://localhost` with any port.",
        ),
        Entry(
            "webhook_endpoints_full",
            "There are 50 webhook endpoints already.",
            "Delete one that is not needed, or let one application tell the others.",
        ),
        Entry(
            "webhook_endpoint_off",
            "The webhook endpoint is paused or disabled, so nothing is sent to it.",
            "Set its `status` to `active` first.",
        ),
        Entry("webhook_refused", "The webhook was not accepted.", "See `detail`."),
    ),
)

TROUBLE: Final = Section(
    "Trouble on our side",
    (
        Entry(
            "database_unavailable",
            "Postgres can't be reached. Nothing was lost: what was answered is stored, what was not may be repeated.",
            "Repeat the request with the same `Idempotency-Key` after `Retry-After`.",
            retryable=True,
        ),
        Entry(
            "commit_unknown",
            "The connection to Postgres broke while the result was being stored; it may or may not have taken effect.",
            "Repeat the request with the same `Idempotency-Key`: it is done once.",
            retryable=True,
        ),
        Entry(
            "busy",
            "The same objects were being changed by others, again and again.",
            "Repeat the request after `Retry-After`.",
            retryable=True,
        ),
        Entry(
            "internal_error",
            "A fault of ours. It is in the log under the request id, and nothing was changed by halves.",
            "Repeat the request with the same `Idempotency-Key`; report it with its request id if it stays.",
            retryable=True,
        ),
    ),
)

SECTIONS: Final = (REQUESTS, KEYS, IDEMPOTENCY, REFUSALS, GOING_BACK, WEBHOOKS, TROUBLE)
ENTRIES: Final = {each.code: each for section in SECTIONS for each in section.entries}

STYLE: Final = """\
:root { color-scheme: light dark; --paper: #fbfbfa; --ink: #1c1b19; --ink-2: #57544d; --line: #e9e8e4; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #141413; --ink: #eeede9; --ink-2: #b3b0a8; --line: #2c2b28; }
}
body { font: 15px/1.5 Inter, system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  background: var(--paper); color: var(--ink); }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
h3 { font: 600 0.95rem "Geist Mono", monospace; margin: 1.5rem 0 0.3rem; }
p { margin: 0.2rem 0; } .remedy { color: var(--ink-2); }
article { border-top: 1px solid var(--line); } article:target { outline: 2px solid currentColor; outline-offset: 6px; }
code { font-family: "Geist Mono", monospace; font-size: 0.9em; }
"""


def markdown() -> str:
    """Write docs/errors.md."""
    parts = ["# Errors\n", "<!-- Written by docs/generate.py. Do not edit by hand. -->\n", f"{INTRODUCTION}\n"]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n")
        for each in section.entries:
            again = " It may succeed when repeated unchanged." if each.retryable else ""
            parts.append(f"### {each.code}\n\n{each.means}{again}\n\n**What to do.** {each.remedy}\n")
    return "\n".join(parts)


INTRODUCTION: Final = (
    "Every error of the API is a problem document (RFC 9457): `code` is stable, `detail` says what happened to this "
    "request, `param` names the field, `request_id` finds it in the log, `retryable` says whether repeating it "
    "unchanged can help, and `explain`, where there is one, links to the decision behind it."
)


def page() -> str:
    """Write the page that the instance serves at /docs/errors."""
    sections = "".join(
        f"<h2>{escape(section.title)}</h2>" + "".join(_article(each) for each in section.entries)
        for section in SECTIONS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Errors · Counterfoil</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><h1>Errors</h1><p>{_prose(INTRODUCTION)}</p>{sections}</body></html>"
    )


def _article(each: Entry) -> str:
    again = " It may succeed when repeated unchanged." if each.retryable else ""
    return (
        f'<article id="{each.code}"><h3>{each.code}</h3><p>{_prose(each.means + again)}</p>'
        f'<p class="remedy">{_prose(each.remedy)}</p></article>'
    )


def _prose(text: str) -> str:
    """Escape a text, its `code` spans marked up."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if odd % 2 else part for odd, part in enumerate(parts))
