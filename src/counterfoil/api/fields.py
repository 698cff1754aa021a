"""The kinds of fields that requests are made of. Each is as strict as money wants it, and says so in the schema."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    WithJsonSchema,
)

from counterfoil.core.money import CURRENCIES, MINOR_MAX

RFC3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
TIME_MIN: Final = datetime(2000, 1, 1, tzinfo=UTC)
TIME_MAX: Final = datetime(2999, 12, 31, tzinfo=UTC)
QUANTITY: Final = r"^[0-9]{1,19}(\.[0-9]{1,12})?$"
FEATURE: Final = r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$"
EXTERNAL_ID: Final = r"^[!-.0-~]{1,255}$"
"""Visible ASCII without the slash, so that every id can stand in a path."""


class Strict(BaseModel):
    """A request body: a field that is not known is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=5000)


def _currency(code: str) -> str:
    if code not in CURRENCIES:
        raise ValueError("must be an upper-case ISO 4217 code that the provider takes")
    return code


def _text_of_time(value: Any) -> Any:
    if not isinstance(value, str) or not RFC3339.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with its offset, such as 2026-06-14T04:04:00Z")
    return value


def _bookable_time(value: datetime) -> datetime:
    if not TIME_MIN <= value <= TIME_MAX:
        raise ValueError("must lie between the years 2000 and 2999")
    return value.astimezone(UTC)


Minor = Annotated[int, Field(strict=True, ge=1, le=MINOR_MAX, description="Minor units, a whole number.")]
MinorOrZero = Annotated[int, Field(strict=True, ge=0, le=MINOR_MAX, description="Minor units, a whole number.")]
Currency = Annotated[
    str,
    AfterValidator(_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217, upper case."}),
]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1, two letters, upper case.")]
Quantity = Annotated[str, Field(pattern=QUANTITY, description="A plain decimal string in the wallet's unit.")]
Instant = Annotated[
    AwareDatetime,
    BeforeValidator(_text_of_time),
    AfterValidator(_bookable_time),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "RFC 3339."}),
]
Flag = StrictBool
ShortText = Annotated[str, Field(min_length=1, max_length=255)]
LongText = Annotated[str, Field(max_length=1000)]
Email = Annotated[str, Field(max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
Locale = Annotated[str, Field(pattern=r"^[a-z]{2}(-[A-Z]{2})?$", description="The language of letters: `en`, `de`.")]
Feature = Annotated[str, Field(pattern=FEATURE, description="What credits are used for, in your words.")]
Pool = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:-]{0,63}$")]
Features = Annotated[list[Feature], Field(max_length=50)]
ExternalId = Annotated[str, Field(pattern=EXTERNAL_ID, description="Your own id of the customer.")]
ProviderText = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$", description="The provider's own id.")]
AnyId = Annotated[str, Field(min_length=1, max_length=300)]
MetadataKey = Annotated[str, Field(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Field(max_length=500)]
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=50)]
