"""Answers about orders and about what metadata name."""

from typing import Literal

from counterfoil.api.schemas import Answer


class Mapping(Answer):
    """Where and how foreign payments name our invoices. `revision` grows with each change; 0 is none declared."""

    object: Literal["metadata_mapping"]
    revision: int
    version: int
    key: str | None
    forms: list[str]
