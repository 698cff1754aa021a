"""Where letters leave from: the mail server, the addresses that are ours, and the inbox that stands in for both."""

from dataclasses import dataclass, field
from enum import StrEnum

from counterfoil.providers.mail import Mailer


class Channel(StrEnum):
    """How a message reaches somebody."""

    INBOX = "inbox"
    """It is shown in the inbox here, and goes nowhere."""
    SMTP = "smtp"


@dataclass(frozen=True, slots=True)
class PostOffice:
    """What the house needs to write to people. `mailer` None means that no mail server is configured."""

    mailer: Mailer | None = field(default=None, repr=False)
    sender: str = "Billing <billing@localhost.localdomain>"
    operators: str | None = None
    """Where questions for a person are sent to."""
    public_url: str = "http://127.0.0.1:4747"
    """How people outside reach the pages of this house."""

    def channel(self, mode: str, *, stands_in: bool) -> Channel | None:
        """Say how messages of a tenant leave. Of the sandbox's none leaves; None is nowhere to send them to."""
        if mode == "test" and (stands_in or self.mailer is None):
            return Channel.INBOX
        return Channel.SMTP if self.mailer else None

    @property
    def domain(self) -> str:
        """The part of our address after the @, which the ids of letters end with."""
        return self.sender.rpartition("@")[2].rstrip("> ") or "localhost"
