"""What the bare doors of authenticated callers say about themselves in the OpenAPI document."""

from collections.abc import Callable
from typing import Any, Final

from counterfoil.api.examples import EXAMPLES

Doc = dict[str, Any]

WHERE: Final[Doc] = {
    "customer": {"type": "string", "description": "`cust_…` or `ext:<your id>`; `unit` says which wallet."},
    "unit": {"type": "string"},
    "wallet": {"type": "string", "description": "`wlt_…`, instead of customer and unit."},
    "amount": {"type": "string", "description": "A plain decimal string in the wallet's unit."},
    "feature": {"type": "string", "maxLength": 64, "description": "What it is used for."},
}
KEY: Final[Doc] = {"type": "string", "maxLength": 255, "description": "Names this one; or the Idempotency-Key."}
SPEND: Final[Doc] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "key": KEY,
        **WHERE,
        "occurred_at": {"type": "string", "format": "date-time", "description": "When; now unless told."},
    },
}
SPENDS_TEXT: Final = (
    "Draws a use from the wallet's lots in draw order, or refuses it. A list of up to 1,000 is answered 200 with the "
    "answer of each, in order; each has its own key. An accepted key replays its answer for ever; what was refused is "
    "not kept, and the same key may succeed later."
)
HEADER: Final[Doc] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The key of a single request, unless it is in the body.",
    "schema": {"type": "string"},
    "example": "message-81",
}
DRY_RUN: Final[Doc] = {
    "name": "dry_run",
    "in": "query",
    "required": False,
    "description": "Decide without doing: answers what would happen, and nothing is kept.",
    "schema": {"type": "boolean", "default": False},
    "example": False,
}


def machine_routes(problem: Callable[[int], Doc], request_id: Doc, replayed: Doc) -> Doc:
    """Describe the doors. `problem` describes an error by its status."""
    spends = _taking_in("create_spends", "Pay for uses from wallets", "Spends")
    spends["description"] = SPENDS_TEXT
    spends["requestBody"] = _body(SPEND, "spends", {"key": "message-81", "customer": "ext:user-7012"})
    spends["responses"] = {
        "201": _answer("The use is paid for.", "Spend", {**request_id, **replayed}),
        "200": _answer(
            "A list: the answer of each. With `dry_run=true`: what would happen.", "SpendAnswers", request_id
        ),
        **{
            str(status): {**problem(status), "headers": request_id}
            for status in (400, 401, 402, 403, 404, 413, 415, 422, 503)
        },
    }
    return {"/v1/spends": {"post": spends}}


def _taking_in(name: str, summary: str, tag: str) -> Doc:
    return {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "security": [{"key": []}],
        "x-scope": "spend",
        "x-moves-money": True,
        "parameters": [HEADER, DRY_RUN],
    }


def _body(single: Doc, many: str, example: Doc) -> Doc:
    """Describe a body that is one request or a list of them."""
    listed = {"type": "array", "minItems": 1, "maxItems": 1000, "items": single}
    batch = {"type": "object", "additionalProperties": False, "required": [many], "properties": {many: listed}}
    shown = {**example, "unit": "usd-credit", "amount": "12.5"}
    content = {"application/json": {"schema": {"anyOf": [single, batch]}, "example": shown}}
    return {"required": True, "content": content}


def _answer(text: str, name: str, headers: Doc) -> Doc:
    schema: Doc = {"$ref": f"#/components/schemas/{name}"}
    if name.endswith("Answers"):
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/Preview"}]}
    content = {"application/json": {"schema": schema, "example": EXAMPLES[name]}}
    return {"description": text, "headers": headers, "content": content}
