"""What an error code's entry says: what the code means and what to do about it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. `retryable` says that the same request may succeed later, unchanged."""

    code: str
    means: str
    remedy: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """Codes that belong together."""

    title: str
    entries: tuple[Entry, ...]
