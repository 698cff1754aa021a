"""Bodies of requests about orders and about what metadata name."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from counterfoil.api.fields import Strict


class NewMapping(Strict):
    """Where and how your application names our invoices: `id` is one id, `list` a JSON list of ids."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"version": 1, "key": "invoice_id", "forms": ["id", "list"]}]}
    )

    version: Literal[1]
    key: Annotated[str, Field(min_length=1, max_length=40, pattern="^[A-Za-z0-9_.-]+$")]
    forms: Annotated[list[Literal["id", "list"]], Field(min_length=1, max_length=2)]
