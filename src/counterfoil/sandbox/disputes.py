"""Disputes: a customer's bank takes a charge back, and may give it up again."""

from __future__ import annotations

from counterfoil.sandbox import balance
from counterfoil.sandbox.call import Call, apply_given
from counterfoil.sandbox.documents import Doc, copy_of
from counterfoil.sandbox.errors import invalid
from counterfoil.sandbox.fields import METADATA
from counterfoil.sandbox.lists import CREATED, PAGING, Page, matches, page_of
from counterfoil.sandbox.params import Flag, Hash, Kind, Text, uncovered
from counterfoil.sandbox.routing import Route

RESPOND_S = 9 * 86_400
"""How long an account has to answer a chargeback; who says nothing has lost."""
INQUIRY_S = 120 * 86_400
"""When an inquiry that never became a chargeback is closed."""
EVIDENCE = (
    "access_activity_log billing_address cancellation_policy "
    "cancellation_policy_disclosure cancellation_rebuttal customer_communication "
    "customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation "
    "duplicate_charge_id product_description receipt refund_policy "
    "refund_policy_disclosure refund_refusal_explanation service_date "
    "service_documentation shipping_address shipping_carrier shipping_date "
    "shipping_documentation shipping_tracking_number uncategorized_file "
    "uncategorized_text"
).split()
_EVIDENCE: dict[str, Kind] = {name: Text(150_000) for name in EVIDENCE}


def open_dispute(call: Call, charge: Doc, kind: str) -> Doc:
    """A bank disputes a charge. `kind` is the reason, or `inquiry`, which takes no money yet.

    A bank debit that is disputed is lost at once: nobody can appeal.
    """
    inquiry = kind == "inquiry"
    dispute = _blank(call, charge, "general" if inquiry else kind, inquiry)
    before = copy_of(charge)
    charge |= {"disputed": True, "dispute": dispute["id"]}
    call.shelf.save(charge)
    if not inquiry:
        _withdraw(call, dispute)
    call.shelf.save(dispute)
    call.schedule(call.now + (INQUIRY_S if inquiry else RESPOND_S), "dispute_overdue", dispute)
    call.note("dispute", dispute)
    call.emit("charge.dispute.created", dispute)
    call.emit("charge.updated", charge, before)
    if not inquiry:
        call.emit("charge.dispute.funds_withdrawn", dispute)
    if charge["payment_method_details"]["type"] == "us_bank_account":
        _close(call, dispute, won=False)
    return dispute


def overdue(call: Call, identifier: str) -> None:
    """Nobody answered a chargeback in time, or an inquiry led to nothing."""
    dispute = call.shelf.get("dispute", identifier)
    if dispute is None or dispute["status"] not in ("needs_response", "warning_needs_response", "warning_under_review"):
        return
    if dispute["status"] == "needs_response" and call.now < dispute["evidence_details"]["due_by"]:
        return
    dispute["evidence_details"]["past_due"] = dispute["status"].endswith("needs_response")
    _close(call, dispute, won=False)


def _retrieve(call: Call) -> Doc:
    return call.find("dispute")


def _update(call: Call) -> Doc:
    dispute = call.find("dispute")
    _check_open(dispute, "updated")
    before = copy_of(dispute)
    apply_given(dispute, call.given, ("metadata",))
    evidence = call.given.get("evidence") or {}
    dispute["evidence"] |= evidence
    if evidence:
        dispute["evidence_details"]["has_evidence"] = True
    submitted = dispute["evidence_details"]["has_evidence"] and call.given.get("submit", bool(evidence))
    if submitted:
        _submit(dispute)
    call.save(dispute, "charge.dispute.updated", before)
    if submitted:
        _decide(call, dispute)
    return dispute


def _decide(call: Call, dispute: Doc) -> None:
    """The bank of a test card decides at once, by the words of the evidence."""
    match dispute["evidence"]["uncategorized_text"]:
        case "winning_evidence":
            _close(call, dispute, won=True)
        case "losing_evidence":
            _close(call, dispute, won=False)
        case "escalate_inquiry_evidence" if dispute["status"].startswith("warning"):
            _escalate(call, dispute)


def _escalate(call: Call, dispute: Doc) -> None:
    """An inquiry becomes a chargeback: now the money is taken."""
    before = copy_of(dispute)
    dispute |= {"status": "needs_response", "is_charge_refundable": False}
    dispute["evidence_details"]["due_by"] = call.now + RESPOND_S
    call.schedule(call.now + RESPOND_S, "dispute_overdue", dispute)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    _withdraw(call, dispute)
    call.note("dispute_escalated", dispute)
    call.save(dispute, "charge.dispute.updated", before)
    call.emit("charge.dispute.funds_withdrawn", dispute)


def _accept(call: Call) -> Doc:
    dispute = call.find("dispute")
    _check_open(dispute, "closed")
    _close(call, dispute, won=False)
    return dispute


def _list(call: Call) -> Page:
    return page_of(call, "dispute", matches(call.given, "charge", "payment_intent"))


def _check_open(dispute: Doc, verb: str) -> None:
    if dispute["status"] in ("won", "lost", "warning_closed"):
        raise invalid(f"This dispute is already closed, so it can't be {verb}.")


def _submit(dispute: Doc) -> None:
    dispute["evidence_details"]["submission_count"] += 1
    dispute["status"] = "warning_under_review" if dispute["status"].startswith("warning") else "under_review"


def _close(call: Call, dispute: Doc, won: bool) -> None:
    inquiry = dispute["status"].startswith("warning")
    dispute["status"] = "warning_closed" if inquiry else ("won" if won else "lost")
    if won and not inquiry:
        dispute["is_charge_refundable"] = True
        _reinstate(call, dispute)
    call.shelf.save(dispute)
    call.note("dispute_closed", dispute)
    call.emit("charge.dispute.closed", dispute)
    if won and not inquiry:
        call.emit("charge.dispute.funds_reinstated", dispute)


def _withdraw(call: Call, dispute: Doc) -> None:
    text = f"Chargeback withdrawal for {dispute['charge']}"
    posted = balance.post(call, dispute, "adjustment", -dispute["amount"], balance.DISPUTE_FEE, text)
    dispute["balance_transactions"].append(posted)


def _reinstate(call: Call, dispute: Doc) -> None:
    text = f"Chargeback reversal for {dispute['charge']}"
    posted = balance.post(call, dispute, "adjustment", dispute["amount"], -balance.DISPUTE_FEE, text)
    dispute["balance_transactions"].append(posted)
    call.note("dispute_reversal", dispute)


def _blank(call: Call, charge: Doc, reason: str, inquiry: bool) -> Doc:
    card = charge["payment_method_details"].get("card")
    dispute: Doc = {
        "id": call.world.new_id("du_1"),
        "object": "dispute",
        "amount": charge["amount"] - charge["amount_refunded"],
        "balance_transactions": [],
        "charge": charge["id"],
        "created": call.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + RESPOND_S,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": call.livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    if card:
        details = {
            "brand": card["brand"],
            "case_type": "inquiry" if inquiry else "chargeback",
            "network": card["brand"],
            "network_reason_code": "10.4",
        }
        dispute["payment_method_details"] = {"card": details, "type": "card"}
    return dispute


ROUTES = (
    Route("GET", "/v1/disputes/{id}", _retrieve),
    Route(
        "POST",
        "/v1/disputes/{id}",
        _update,
        {**METADATA, "evidence": Hash(_EVIDENCE), "submit": Flag(), **uncovered("intended_submission_method")},
    ),
    Route("POST", "/v1/disputes/{id}/close", _accept),
    Route("GET", "/v1/disputes", _list, {**PAGING, **CREATED, "charge": Text(), "payment_intent": Text()}),
)
