"""Ids as they come in: each is of its noun or of nothing, and `ext:<your id>` names a customer by the caller's own."""

from typing import Annotated, Final

from fastapi import Path

from counterfoil.api.call import Call
from counterfoil.api.problems import not_found
from counterfoil.core.ids import noun_of
from counterfoil.engine.looks import look
from counterfoil.store import pages

EXTERNAL: Final = "ext:"

CustomerPath = Annotated[
    str,
    Path(
        alias="id",
        description="The customer: `cust_…`, or `ext:` and your own id of it.",
        examples=["ext:user-7012"],
        max_length=300,
    ),
]


def path_of(noun: str, example: str) -> object:
    """Declare an id in a path."""
    return Path(alias="id", description=f"The {noun}: `{example}`.", examples=[example], max_length=300)


InvoicePath = Annotated[str, path_of("invoice", "inv_01h455vb4pex5vsknk084sn02q")]
PaymentPath = Annotated[str, path_of("payment", "pmt_01h455vb4pex5vsknk084sn02q")]
PurchasePath = Annotated[str, path_of("purchase", "prch_01h455vb4pex5vsknk084sn02q")]
PendingLinePath = Annotated[str, path_of("pending line", "pline_01h455vb4pex5vsknk084sn02q")]
WalletPath = Annotated[str, path_of("wallet", "wlt_01h455vb4pex5vsknk084sn02q")]
GrantPath = Annotated[str, path_of("grant", "grant_01h455vb4pex5vsknk084sn02q")]
MethodPath = Annotated[str, path_of("payment method", "pmeth_01h455vb4pex5vsknk084sn02q")]
DisputePath = Annotated[str, path_of("dispute", "dspt_01h455vb4pex5vsknk084sn02q")]
DecisionPath = Annotated[str, path_of("decision", "dec_01h455vb4pex5vsknk084sn02q")]
NoticePath = Annotated[str, path_of("provider event", "pevt_01h455vb4pex5vsknk084sn02q")]
RunPath = Annotated[str, path_of("reconciliation run", "rrun_01h455vb4pex5vsknk084sn02q")]
CasePath = Annotated[str, path_of("case", "case_01h455vb4pex5vsknk084sn02q")]
EndpointPath = Annotated[str, path_of("webhook endpoint", "whep_01h455vb4pex5vsknk084sn02q")]
DeliveryPath = Annotated[str, path_of("delivery", "dlvr_01h455vb4pex5vsknk084sn02q")]
RefundPath = Annotated[str, path_of("refund", "rfnd_01h455vb4pex5vsknk084sn02q")]
CreditNotePath = Annotated[str, path_of("credit note", "cnote_01h455vb4pex5vsknk084sn02q")]
MessagePath = Annotated[str, path_of("message", "msg_01h455vb4pex5vsknk084sn02q")]
AnyPath = Annotated[str, path_of("object", "inv_01h455vb4pex5vsknk084sn02q")]

WORDS: Final = {
    "pending_line": "pending line",
    "method": "payment method",
    "inbox": "provider event",
    "endpoint": "webhook endpoint",
    "run": "run",
    "credit_note": "credit note",
}


def checked(noun: str, text: str, param: str | None = None) -> str:
    """Give an id that is of this noun. Anything else is not found: what it could name is nobody's business."""
    if noun_of(text) != noun:
        raise not_found(WORDS.get(noun, noun), text, param)
    return text


def customer_id(call: Call, text: str, param: str | None = None) -> str:
    """Give our id of a customer who is there, by our id or the caller's own."""
    if not text.startswith(EXTERNAL):
        return checked("customer", text, param)
    found = look(call.house, call.tenant, lambda tx: pages.customer_by_external_id(tx, text[len(EXTERNAL) :]))
    if found is None:
        raise not_found("customer", text, param)
    return found


def customer_filter(call: Call, text: str | None) -> str | None:
    """Give the customer that a list is narrowed to. One who is not there is not found, rather than an empty list."""
    if text is None:
        return None
    customer = customer_id(call, text, "customer")
    if look(call.house, call.tenant, lambda tx: pages.customer(tx, customer)) is None:
        raise not_found("customer", text, "customer")
    return customer
