"""Papers: invoices and receipts as they were given out, who sells, and the series that number them."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from counterfoil.api import schemas_papers
from counterfoil.api.call import Asking, Call
from counterfoil.api.door import Door, declare, json_response
from counterfoil.api.ids import InvoicePath, PaymentPath, checked, customer_filter
from counterfoil.api.paging import Paged, listed
from counterfoil.api.parties import NewPrefix, NewSeller
from counterfoil.api.problems import not_found
from counterfoil.api.schemas import List
from counterfoil.core.papers import PaperKind
from counterfoil.engine import documents
from counterfoil.engine.looks import look
from counterfoil.store import documents as papers
from counterfoil.store.database import Row

router = APIRouter(prefix="/v1", tags=["Documents"], route_class=Door)

DocumentPath = Annotated[str, Path(alias="id", description="The document: `doc_…`.", max_length=300)]
SeriesPath = Annotated[PaperKind, Path(alias="series", description="The series: `invoice`, `receipt`, `credit_note`.")]
BYTES: Final = {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.3"}
PDF: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The document", "content": {"application/pdf": BYTES}}
}


@router.get(
    "/documents",
    summary="List documents",
    response_model=List[schemas_papers.Document],
    openapi_extra=declare("read", 404),
)
def list_documents(
    call: Asking,
    paging: Paged,
    customer: Annotated[str | None, Query(max_length=300, description="Only this customer's.")] = None,
    kind: Annotated[PaperKind | None, Query(description="Only of this kind.")] = None,
) -> Response:
    """Lists documents without their bytes, the newest first, each with the SHA-256 of its bytes."""
    page, wanted = paging.page("document"), customer_filter(call, customer)
    rows = look(call.house, call.tenant, lambda tx: documents.listed(tx, page, wanted, kind))
    return json_response(listed(rows, paging.limit))


@router.get(
    "/documents/{id}",
    summary="Show a document",
    response_model=schemas_papers.Document,
    openapi_extra=declare("read", 404),
)
def get_document(identity: DocumentPath, call: Asking) -> Response:
    """Shows what a document is, and the SHA-256 of its bytes."""
    return json_response(documents.document_view(_document(call, identity)))


@router.get(
    "/documents/{id}/pdf",
    summary="Download a document",
    response_class=Response,
    responses=PDF,
    openapi_extra=declare("read", 404),
)
def get_document_pdf(identity: DocumentPath, call: Asking) -> Response:
    """Gives the stored bytes: the same ones for ever."""
    return _pdf(_document(call, identity))


@router.get(
    "/invoices/{id}/pdf",
    summary="Download an invoice",
    response_class=Response,
    responses=PDF,
    openapi_extra=declare("read", 404),
)
def get_invoice_pdf(identity: InvoicePath, call: Asking) -> Response:
    """Gives the invoice as it was given out when it was finalized. A draft has none, and one that the provider collects
    has the provider's."""
    return _pdf(_of_subject(call, PaperKind.INVOICE, checked("invoice", identity)))


@router.get(
    "/payments/{id}/receipt.pdf",
    summary="Download a receipt",
    response_class=Response,
    responses=PDF,
    openapi_extra=declare("read", 404),
)
def get_receipt_pdf(identity: PaymentPath, call: Asking) -> Response:
    """Gives the receipt of a payment. It is there a moment after the payment has succeeded."""
    return _pdf(_of_subject(call, PaperKind.RECEIPT, checked("payment", identity)))


@router.get("/seller", summary="Show who sells", response_model=schemas_papers.Seller, openapi_extra=declare("read"))
def get_seller(call: Asking) -> Response:
    """Shows the seller's details that new documents say."""
    return json_response(documents.seller_view(look(call.house, call.tenant, papers.seller)))


@router.put("/seller", summary="Say who sells", response_model=schemas_papers.Seller, openapi_extra=declare("admin"))
def set_seller(body: NewSeller, call: Asking) -> Response:
    """Says who sells, all at once. Documents that were given out keep what they say."""
    return json_response(documents.seller_view(documents.set_seller(call.house, call.tenant, body.seller)))


@router.get(
    "/number-series",
    summary="List number series",
    response_model=List[schemas_papers.NumberSeries],
    openapi_extra=declare("read"),
)
def list_number_series(call: Asking) -> Response:
    """Lists the series, one per kind of document: each without a gap."""
    return json_response({"data": look(call.house, call.tenant, documents.all_series), "next_cursor": None})


@router.put(
    "/number-series/{series}",
    summary="Set a series' prefix",
    response_model=schemas_papers.NumberSeries,
    openapi_extra=declare("admin"),
)
def set_number_series(series: SeriesPath, body: NewPrefix, call: Asking) -> Response:
    """Sets what the numbers to come begin with. Numbers that were given out stay, and the series goes on counting."""
    return json_response(documents.set_prefix(call.house, call.tenant, series, body.prefix))


def _document(call: Call, text: str) -> Row:
    identity = checked("document", text)
    found = look(call.house, call.tenant, lambda tx: papers.by_id(tx, identity))
    if found is None:
        raise not_found("document", text)
    return found


def _of_subject(call: Call, kind: PaperKind, subject: str) -> Row:
    found = look(call.house, call.tenant, lambda tx: papers.of_subject(tx, kind, subject))
    if found is None:
        raise not_found(f"{kind} document of", subject)
    return found


def _pdf(row: Row) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{row["id"]}.pdf"', "ETag": f'"{bytes(row["sha256"]).hex()}"'}
    return Response(bytes(row["bytes"]), media_type="application/pdf", headers=headers)
