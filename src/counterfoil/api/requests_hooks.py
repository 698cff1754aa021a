"""What is asked for about webhooks to host applications."""

from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, StrictInt

from counterfoil.api.fields import Strict
from counterfoil.core.deliveries import KIND, Payload


def _kind(text: str) -> str:
    if not KIND.fullmatch(text):
        raise ValueError("must be a kind of event, such as invoice.paid, or all of a noun, such as invoice.*")
    return text


Kinds = Annotated[list[Annotated[str, AfterValidator(_kind)]], Field(max_length=100)]
Url = Annotated[str, Field(min_length=1, max_length=2000)]
Schedule = Literal["standard", "short"]
Description = Annotated[str, Field(max_length=500)]


class NewWebhookEndpoint(Strict):
    """An endpoint to be opened. No `kinds` are all kinds. `payload` thin sends ids only; `schedule` says when what
    failed is tried again: ten times within 75 hours, or five times within half an hour."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://app.example.com/hooks", "kinds": ["invoice.*"]}]}
    )

    url: Url
    kinds: Kinds = []
    payload: Payload = Payload.FULL
    schedule: Schedule = "standard"
    description: Description = ""


class WebhookEndpointChanges(Strict):
    """What is to change of an endpoint; what is left out stays. `paused` keeps what happens until it is `active`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "paused"}]})

    url: Url | None = None
    kinds: Kinds | None = None
    payload: Payload | None = None
    schedule: Schedule | None = None
    status: Literal["active", "paused"] | None = None
    description: Description | None = None


class Rotation(Strict):
    """For how long the secret before stays valid beside the new one: a day unless told, a week at most."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"both_valid_s": 86400}]})

    both_valid_s: Annotated[StrictInt, Field(ge=0, le=7 * 86_400)] = 86_400
