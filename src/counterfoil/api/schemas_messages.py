"""What is answered about messages and dunning."""

from typing import Literal

from counterfoil.api.schemas import Answer, Time


class Words(Answer):
    """The words of a message, twice."""

    text: str
    html: str


class Message(Answer):
    """A letter to a customer or to the operators. `to` and `subject_line` are null before it is written, and erased."""

    id: str
    object: Literal["message"]
    template: str
    version: int
    audience: str
    customer: str | None
    subject: str
    decision: str
    locale: str | None
    status: str
    channel: str | None
    result: str | None
    tries: int
    resends: int
    to: str | None
    subject_line: str | None
    created_at: Time
    sent_at: Time | None


class WrittenMessage(Message):
    """A letter with its words."""

    body: Words | None


class DunningPolicy(Answer):
    """When a refused payment of our own invoice is tried again: hours after the first try, which is hour 0."""

    object: Literal["dunning_policy"]
    version: int
    hours: list[int]
    then: str
