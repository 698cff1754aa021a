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
    "pools": {
        "type": "array",
        "maxItems": 4,
        "items": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._:-]{0,63}$"},
        "description": "The plans whose allowances may pay for it, the matching one first, before other credits.",
    },
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
HOLD: Final[Doc] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "key": KEY,
        **WHERE,
        "expires_in_s": {"type": "integer", "minimum": 1, "maximum": 2592000, "default": 3600},
    },
}
SETTLE: Final[Doc] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["amount"],
    "properties": {
        "amount": {"type": "string", "description": "What was used, as a plain decimal string; `0` is nothing."},
        "if_more": {
            "type": "string",
            "enum": ["draw", "refuse"],
            "default": "draw",
            "description": "What happens to more than was held: drawn as a use would be, or refused.",
        },
    },
}
LISTED_TEXT: Final = "A list: the answer of each. With `dry_run=true`: what would happen."
HOLDS_TEXT: Final = (
    "Reserves credits for a use whose size is not known yet, in draw order. Of many who want the last unit one gets "
    "it. What is held expires by itself, and a lot does not expire before a hold on it ends. Lists and keys are as "
    "with spends."
)
SETTLE_TEXT: Final = (
    "Uses what is held and lets the rest go. Settling again with the same amount replays the answer; a hold that "
    "ended otherwise is refused."
)
RELEASE_TEXT: Final = "Lets the held credits go. Releasing again changes nothing."
HOLD_ID: Final[Doc] = {
    "name": "id",
    "in": "path",
    "required": True,
    "description": "The hold: `hold_…`.",
    "schema": {"type": "string"},
    "example": "hold_4xqmz4tv8e9m3fbhx7k2rcw6ya",
}
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

    def errors(*statuses: int) -> Doc:
        return {str(status): {**problem(status), "headers": request_id} for status in statuses}

    once = {**request_id, **replayed}
    spends = _taking_in("create_spends", "Pay for uses from wallets", SPENDS_TEXT)
    spends["requestBody"] = _body(SPEND, "spends", {"key": "message-81", "customer": "ext:user-7012"})
    spends["responses"] = {
        "201": _answer("The use is paid for.", "Spend", once),
        "200": _answer(LISTED_TEXT, "SpendAnswers", request_id),
        **errors(400, 401, 402, 403, 404, 413, 415, 422, 503),
    }
    holds = _taking_in("create_holds", "Hold credits for uses", HOLDS_TEXT)
    holds["requestBody"] = _body(HOLD, "holds", {"key": "message-83", "customer": "ext:user-7012"})
    holds["responses"] = {
        "201": _answer("The credits are held.", "Hold", once),
        "200": _answer(LISTED_TEXT, "HoldAnswers", request_id),
        **errors(400, 401, 402, 403, 404, 413, 415, 422, 503),
    }
    ended = {"200": _answer("The hold as it ended.", "Hold", once), **errors(400, 401, 402, 403, 404, 409, 413, 415)}
    settle = _ending("settle_hold", "Settle a hold", SETTLE_TEXT)
    settle["requestBody"] = _json(SETTLE, {"amount": "3.2"}, required=True)
    settle["responses"] = {**ended, **errors(422, 503)}
    release = _ending("release_hold", "Release a hold", RELEASE_TEXT)
    release["requestBody"] = _json({"type": "object", "additionalProperties": False}, {}, required=False)
    release["responses"] = {**ended, **errors(422, 503)}
    return {
        "/v1/spends": {"post": spends},
        "/v1/holds": {"post": holds},
        "/v1/holds/{id}/settle": {"post": settle},
        "/v1/holds/{id}/release": {"post": release},
    }


def _operation(name: str, summary: str, text: str, parameters: list[Doc]) -> Doc:
    return {
        "tags": ["Spends"],
        "operationId": name,
        "summary": summary,
        "description": text,
        "security": [{"key": []}],
        "x-scope": "spend",
        "parameters": parameters,
    }


def _taking_in(name: str, summary: str, text: str) -> Doc:
    return {**_operation(name, summary, text, [HEADER, DRY_RUN]), "x-moves-money": True}


def _ending(name: str, summary: str, text: str) -> Doc:
    return _operation(name, summary, text, [HOLD_ID])


def _json(schema: Doc, example: Doc, *, required: bool) -> Doc:
    return {"required": required, "content": {"application/json": {"schema": schema, "example": example}}}


def _body(single: Doc, many: str, example: Doc) -> Doc:
    """Describe a body that is one request or a list of them."""
    listed = {"type": "array", "minItems": 1, "maxItems": 1000, "items": single}
    batch = {"type": "object", "additionalProperties": False, "required": [many], "properties": {many: listed}}
    shown = {**example, "unit": "usd-credit", "amount": "12.5"}
    return _json({"anyOf": [single, batch]}, shown, required=True)


def _answer(text: str, name: str, headers: Doc) -> Doc:
    schema: Doc = {"$ref": f"#/components/schemas/{name}"}
    if name.endswith("Answers"):
        schema = {"anyOf": [schema, {"$ref": "#/components/schemas/Preview"}]}
    content = {"application/json": {"schema": schema, "example": EXAMPLES[name]}}
    return {"description": text, "headers": headers, "content": content}
