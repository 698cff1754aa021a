"""Questions for a person: how one is answered, by the person or by what happened since."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from counterfoil.core.books import Case
from counterfoil.core.effects import Act, Change, Decision, Effect, Notify, Reason, Refuse, Skip, Why
from counterfoil.core.ids import ProviderRef
from counterfoil.core.lifecycle import CaseStatus

RESOLVE: Final = "resolve-case@1"


class Resolution(StrEnum):
    """How a question was answered."""

    HANDLED = "handled"
    """A person saw to it, here or at the provider."""
    DISMISSED = "dismissed"
    """A person found that nothing has to be done."""
    CLAIMED = "claimed"
    """The money that it was about was claimed, and settled what it was for."""
    OVER = "over"
    """What it asked about is over: nothing is left to answer."""


ANSWERS: Final = {
    Resolution.HANDLED: "Closes the question: you saw to it, here or at the provider. The books stay as they are.",
    Resolution.DISMISSED: "Closes the question: nothing has to be done. The books stay as they are.",
}
"""What each answer that a person can give will do."""
BY_A_PERSON: Final = (Resolution.HANDLED, Resolution.DISMISSED)


def decide_resolve(case: Case, resolution: Resolution, now: datetime) -> Decision:
    """Take a person's answer. It moves no money: what the answer asks for is a command of its own."""
    about = (case.id, case.subject)
    if case.status is CaseStatus.RESOLVED and case.resolution == resolution:
        return Skip(Why(RESOLVE, Reason.ALREADY_KNOWN, "The question was answered so before.", about))
    if case.status is CaseStatus.RESOLVED:
        sentence = f"The question was answered before: {case.resolution}."
        return Refuse(Why(RESOLVE, Reason.CASE_NOT_OPEN, sentence, about), "resolution")
    sentence = f"A person answered the question about {case.subject}: {resolution}."
    return Act(Why(RESOLVE, Reason.CASE_RESOLVED, sentence, about), resolved(case, resolution, now))


def resolved(case: Case, resolution: Resolution, now: datetime) -> tuple[Effect, ...]:
    """Close a question, and tell so when it is a customer's."""
    closed = Change(case, replace(case, status=CaseStatus.RESOLVED, resolution=resolution, resolved_at=now))
    if case.customer is None:
        return (closed,)
    data: dict[str, str | int] = {"case": case.id, "question": case.question, "resolution": resolution}
    return (closed, Notify(f"case.resolved:{case.id}", "case.resolved", case.customer, case.id, data))


def answered_by_claim(cases: tuple[Case, ...], ref: ProviderRef, now: datetime) -> tuple[Effect, ...]:
    """Close what was asked about money that waited in suspense, now that it is claimed."""
    about = (case for case in cases if case.subject == ref and case.question in ASKED_IN_SUSPENSE)
    return tuple(effect for case in about for effect in resolved(case, Resolution.CLAIMED, now))


ASKED_IN_SUSPENSE: Final = frozenset(
    {Reason.MONEY_UNEXPLAINED, Reason.CUSTOMER_MISMATCH, Reason.CURRENCY_MISMATCH, Reason.AMOUNT_MISMATCH}
    | {Reason.METADATA_UNREADABLE, Reason.METADATA_MISMATCH}
)
"""Questions that are asked about money when it is put into suspense."""
