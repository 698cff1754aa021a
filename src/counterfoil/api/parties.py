"""Who sells and who buys, in requests: what papers say of them."""

from typing import Annotated

from pydantic import ConfigDict, Field

from counterfoil.api.fields import Email, Strict
from counterfoil.core.papers import Party, Seller

Lines = Annotated[list[Annotated[str, Field(min_length=1, max_length=120)]], Field(max_length=6)]
Short = Annotated[str, Field(max_length=120)]


class Billing(Strict):
    """What papers say of a buyer. What is left out, name and e-mail, is taken from the customer."""

    name: Short = ""
    address: Lines = []
    tax_id: Annotated[str, Field(max_length=60)] = ""
    email: Email | None = None


class NewSeller(Strict):
    """Who sells, as every paper says it from now on."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Acme GmbH",
                    "address": ["Lange Strasse 12", "10115 Berlin"],
                    "tax_id": "DE123456788",
                    "email": "billing@acme.example",
                    "colour": "#1f4f46",
                    "note": "Acme GmbH, HRB 12345 B",
                }
            ]
        }
    )

    name: Annotated[str, Field(min_length=1, max_length=120)]
    address: Lines = []
    tax_id: Annotated[str, Field(max_length=60)] = ""
    email: Email | None = None
    colour: Annotated[str, Field(pattern=r"^#[0-9a-f]{6}$")] = "#1f4f46"
    note: Annotated[str, Field(max_length=160)] = ""

    @property
    def seller(self) -> Seller:
        """The seller as the books know it."""
        party = Party(self.name, tuple(self.address), self.tax_id, self.email or "")
        return Seller(party, self.colour, self.note)


class NewPrefix(Strict):
    """What the numbers to come begin with. It ends in no digit; the series goes on counting where it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"prefix": "RE-"}]})

    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9 ./_-]{0,19}[A-Za-z ./_-]$")]
