"""What a wallet's terms say about use that no lot covers, and about spent credits whose price is given back."""

from enum import StrEnum


class Overdraft(StrEnum):
    """What happens to use that no lot covers."""

    REFUSE = "refuse"
    DEBT = "debt"
    """It is owed, up to the wallet's limit; lots that come later cover it first."""
    WRITE_OFF = "write_off"
    """It is given away, and never taken out of a later lot."""


class Shortfall(StrEnum):
    """What happens to spent credits whose price is refunded or lost in a dispute."""

    DEBT = "debt"
    """They are owed, whatever the limit of debt: the balance goes below zero, which blocks spending until covered."""
    FORGIVE = "forgive"
