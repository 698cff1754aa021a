"""The port through which letters leave: what a mail server is handed, and how that went."""

from dataclasses import dataclass
from typing import Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes along."""

    name: str
    media_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter. `message_id` stays the same however often it is handed over, so that a receiver knows it again."""

    message_id: str
    sender: str
    to: str
    subject: str
    text: str
    html: str
    attachments: tuple[Attachment, ...] = ()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took the letter over."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server will not take this letter, now or later. `code` is what it answered."""

    code: str


@dataclass(frozen=True, slots=True)
class NotNow:
    """The server certainly did not take the letter: it was away, busy, or did not let us in."""

    why: str


@dataclass(frozen=True, slots=True)
class MaybeSent:
    """The letter was handed over and the answer never came. It may have been taken; it is handed over again."""

    why: str


Delivery: TypeAlias = Accepted | Rejected | NotNow | MaybeSent


class Mailer(Protocol):
    """Hands letters to a mail server."""

    def send(self, letter: Letter) -> Delivery:
        """Hand one letter over. Never raises for what a server or a network can do."""
