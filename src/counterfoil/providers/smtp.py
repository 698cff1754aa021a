"""Letters by SMTP: `smtp://user:password@host:587` with STARTTLS, `smtps://…:465` with TLS from the start.

`?tls=none` speaks in the clear, for a relay on the same machine; no password is ever sent so.
"""

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from counterfoil.providers.mail import Accepted, Delivery, Letter, MaybeSent, NotNow, Rejected

TIMEOUT_S: Final = 20.0
PORTS: Final = {"smtp": 587, "smtps": 465}
TRANSIENT: Final = 400
PERMANENT: Final = 500


class MailServerUnreadable(Exception):
    """The address of the mail server can't be read. Write it as smtp://user:password@host:587 or smtps://host:465."""

    code = "mail_server_unreadable"


@dataclass(frozen=True, slots=True)
class Server:
    """Where letters are handed in. `tls` is `starttls`, `implicit` or `none`."""

    host: str
    port: int
    tls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    context: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


def server_at(url: str) -> Server:
    """Read the address of a mail server. Raises MailServerUnreadable, whose text never shows a password."""
    try:
        parts = urlsplit(url)
        port = parts.port
        wants = parse_qs(parts.query).get("tls", [""])[0]
    except ValueError as error:
        raise MailServerUnreadable(str(MailServerUnreadable.__doc__)) from error
    tls = "implicit" if parts.scheme == "smtps" else wants or "starttls"
    if parts.scheme not in PORTS or not parts.hostname or tls not in ("implicit", "starttls", "none"):
        raise MailServerUnreadable(str(MailServerUnreadable.__doc__))
    if tls == "none" and parts.password:
        raise MailServerUnreadable("A password is never sent in the clear. Leave ?tls=none out, or the password.")
    user, password = (unquote(each) if each else None for each in (parts.username, parts.password))
    return Server(parts.hostname, port or PORTS[parts.scheme], tls, user, password)


class SmtpMailer:
    """Hands each letter over in a connection of its own."""

    def __init__(self, server: Server, timeout_s: float = TIMEOUT_S) -> None:
        self._server = server
        self._timeout_s = timeout_s

    def send(self, letter: Letter) -> Delivery:
        """Hand a letter over, and say how that went."""
        try:
            message = as_message(letter)
        except ValueError:
            return Rejected("unwritable")
        try:
            with self._connected() as smtp:
                return _hand_over(smtp, letter, message)
        except smtplib.SMTPResponseException as error:
            return NotNow(f"smtp_{error.smtp_code}")
        except (smtplib.SMTPException, OSError) as error:
            return NotNow(type(error).__name__)

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        server = self._server
        context = server.context or ssl.create_default_context()
        smtp = (
            smtplib.SMTP_SSL(server.host, server.port, timeout=self._timeout_s, context=context)
            if server.tls == "implicit"
            else smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
        )
        try:
            if server.tls == "starttls":
                smtp.starttls(context=context)
            if server.user:
                smtp.login(server.user, server.password or "")
            yield smtp
        finally:
            # What was answered is known by now; a goodbye that fails changes nothing.
            with suppress(smtplib.SMTPException, OSError):
                smtp.quit()


def _hand_over(smtp: smtplib.SMTP, letter: Letter, message: EmailMessage) -> Delivery:
    """Name sender and receiver, then hand the letter over: only from there on can an answer be missed."""
    smtp.ehlo_or_helo_if_needed()
    for name, (code, _) in (("sender", smtp.mail(_bare(letter.sender))), ("receiver", smtp.rcpt(_bare(letter.to)))):
        if code >= PERMANENT:
            return Rejected(f"{name}_{code}")
        if code >= TRANSIENT:
            return NotNow(f"{name}_{code}")
    try:
        code, _ = smtp.data(message.as_bytes(policy=WIRE))
    except smtplib.SMTPDataError as error:
        # It refused to begin: nothing was handed over.
        return (
            Rejected(f"data_{error.smtp_code}") if error.smtp_code >= PERMANENT else NotNow(f"data_{error.smtp_code}")
        )
    except (smtplib.SMTPException, OSError) as error:
        return MaybeSent(type(error).__name__)
    if code >= PERMANENT:
        return Rejected(f"data_{code}")
    return Accepted() if code < TRANSIENT else NotNow(f"data_{code}")


def as_message(letter: Letter) -> EmailMessage:
    """Write a letter down as it goes over the wire: the same words as text and as HTML, and what goes along."""
    message = EmailMessage()
    message["From"] = letter.sender
    message["To"] = letter.to
    message["Subject"] = letter.subject
    message["Message-ID"] = letter.message_id
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    message.add_alternative(letter.html, subtype="html")
    for each in letter.attachments:
        kind, _, subtype = each.media_type.partition("/")
        message.add_attachment(each.content, maintype=kind, subtype=subtype, filename=each.name)
    return message


def _bare(address: str) -> str:
    """Give the address alone of `Name <address>`."""
    return address.rpartition("<")[2].rstrip(">").strip()
