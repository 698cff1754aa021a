"""Answers about papers: documents, the seller, and number series."""

from typing import Literal

from counterfoil.api.schemas import Answer, Time


class Document(Answer):
    """A paper as it was given out. `sha256` is the hash of its bytes, in hexadecimal; `size` counts them."""

    id: str
    object: Literal["document"]
    kind: str
    number: str
    subject: str
    customer: str
    language: str
    sha256: str
    size: int
    created_at: Time


class Seller(Answer):
    """Who sells, as new documents say it. Version 0 is nothing said yet."""

    object: Literal["seller"]
    version: int
    name: str
    address: list[str]
    tax_id: str
    email: str | None
    colour: str
    note: str


class NumberSeries(Answer):
    """A series: what its numbers begin with now, and the last place that was given out."""

    object: Literal["number_series"]
    series: str
    prefix: str
    last: int
