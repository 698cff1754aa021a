"""The flow of a message: write it down, hand it over, record how that went.

    Write ─→ Send ─→ Record

It begins after the commit of what caused it, and may begin again anywhere. A try is counted before it is made; a
process that dies before Record leaves one whose answer nobody knows, and the letter goes out again under the same
Message-ID. What only the inbox shows is done in one step.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, assert_never

import structlog

from counterfoil.core.lifecycle import MessageStatus
from counterfoil.engine.house import House
from counterfoil.engine.letters import Withheld, Written, compose
from counterfoil.engine.notices import backoff
from counterfoil.engine.phases import Phase
from counterfoil.engine.post import Channel
from counterfoil.providers.mail import Accepted, Delivery, Letter, MaybeSent, NotNow, Rejected
from counterfoil.store import deliveries, listings, messages, work
from counterfoil.store.database import Row, Tx
from counterfoil.store.messages import Content
from counterfoil.store.work import Claim

log = structlog.get_logger("counterfoil.mail")

GATE_PAUSE: Final = timedelta(minutes=1)
"""How long a message that a person or a mode keeps back waits before the gates are asked again."""
TRIES_MAX: Final = 12
UNKNOWN: Final = "unknown"
"""What is said of a letter that was handed over and whose answer never came."""


@dataclass(frozen=True, slots=True)
class Write:
    """Pass the gates, write the letter, and count the try before it is made."""

    claim: Claim
    name = "write"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        return house.transact(self.claim.tenant, lambda tx: self._write(tx, house))

    def _write(self, tx: Tx, house: House) -> Phase | None:
        work.fence(tx, self.claim)
        row = messages.get(tx, self.claim.id, lock=True)
        if row is None or row["status"] not in (MessageStatus.QUEUED, MessageStatus.HELD):
            work.finish(tx, self.claim)
            return None
        now = house.clock.now()
        if _is_kept_back(tx, row):
            messages.settle(tx, row["id"], MessageStatus.HELD, "paused", now)
            work.postpone(tx, self.claim, now + GATE_PAUSE)
            return None
        around = listings.surroundings(tx)
        assert around is not None, "a message without its tenant"
        channel = house.post.channel(around["mode"], stands_in=around["stands_in"])
        if channel is None:
            self._settle(tx, house, MessageStatus.FAILED, "no_mail_server")
            return None
        written = _written(tx, house, {**row, "channel": channel}, around["name"])
        if isinstance(written, Withheld):
            self._withhold(tx, house, row, written)
            return None
        messages.begin(tx, row["id"], written.locale, channel, now)
        messages.put_content(tx, row["id"], written.content, now)
        if channel is Channel.INBOX:
            self._settle(tx, house, MessageStatus.SENT, "shown")
            return None
        return Send(self.claim, _letter(house, row, written.content), row["tries"] + 1)

    def _withhold(self, tx: Tx, house: House, row: Row, withheld: Withheld) -> None:
        """A letter whose answer never came may have been taken; that is what the row says then, and it ends."""
        if row["tries"] and row["result"] in (None, UNKNOWN):
            self._settle(tx, house, MessageStatus.FAILED, UNKNOWN)
        else:
            self._settle(tx, house, MessageStatus.CANCELED, withheld.code)

    def _settle(self, tx: Tx, house: House, status: MessageStatus, result: str) -> None:
        messages.settle(tx, self.claim.id, status, result, house.clock.now())
        work.finish(tx, self.claim)


def _is_kept_back(tx: Tx, row: Row) -> bool:
    """Say whether a person or a mode keeps this message back."""
    person = messages.customer(tx, row["customer"]) if row["customer"] else None
    return bool(person and person["paused"]) or deliveries.is_kept_back(tx, row["customer"])


def _written(tx: Tx, house: House, row: Row, sender: str) -> Written | Withheld:
    """Write the letter, or give the words of the last time when a person wants those sent again."""
    kept = messages.content(tx, row["id"]) if row["resends"] else None
    if kept is None:
        return compose(tx, house, row, sender)
    address = kept["address"]
    if row["customer"]:
        person = messages.customer(tx, row["customer"])
        address = person["email"] if person else None
    if not address:
        return Withheld("no_address")
    return Written(Content(address, kept["subject_line"], kept["body_text"], kept["body_html"]), row["locale"])


def _letter(house: House, row: Row, content: Content) -> Letter:
    return Letter(
        message_id=f"<{row['id']}.{row['resends']}@{house.post.domain}>",
        sender=house.post.sender,
        to=content.address,
        subject=content.subject_line,
        text=content.body_text,
        html=content.body_html,
    )


@dataclass(frozen=True, slots=True)
class Send:
    """Hand the letter to the mail server."""

    claim: Claim
    letter: Letter
    tries: int
    name = "send"

    def run(self, house: House) -> Phase | None:
        """One call, outside any transaction."""
        assert house.post.mailer is not None, "a letter without a mail server"
        return Record(self.claim, house.post.mailer.send(self.letter), self.tries)


@dataclass(frozen=True, slots=True)
class Record:
    """Write down how it went, and when it is tried again."""

    claim: Claim
    delivery: Delivery
    tries: int
    name = "record"

    def run(self, house: House) -> Phase | None:
        """One transaction."""
        house.transact(self.claim.tenant, lambda tx: self._record(tx, house))
        return None

    def _record(self, tx: Tx, house: House) -> None:
        work.fence(tx, self.claim)
        now = house.clock.now()
        match self.delivery:
            case Accepted():
                messages.settle(tx, self.claim.id, MessageStatus.SENT, "accepted", now)
                work.finish(tx, self.claim)
            case Rejected(code):
                messages.settle(tx, self.claim.id, MessageStatus.FAILED, code, now)
                work.finish(tx, self.claim)
            case NotNow(why):
                self._again(tx, house, why)
            case MaybeSent():
                self._again(tx, house, UNKNOWN)
            case _:
                assert_never(self.delivery)
        log.info("message", message=self.claim.id, delivery=type(self.delivery).__name__, tries=self.tries)

    def _again(self, tx: Tx, house: House, why: str) -> None:
        now = house.clock.now()
        if self.tries >= TRIES_MAX:
            messages.settle(tx, self.claim.id, MessageStatus.FAILED, why, now)
            work.finish(tx, self.claim)
            return
        messages.note(tx, self.claim.id, why)
        work.postpone(tx, self.claim, now + backoff(house, self.tries))
