"""Questions for a person, and what a person wrote about them: that stands apart, because it may be personal."""

from collections.abc import Iterable, Sequence

from counterfoil.core.books import Case
from counterfoil.store.database import Tx
from counterfoil.store.subjects import from_row


def held(tx: Tx, case: str) -> Case | None:
    """Give a question, and hold it until the transaction ends."""
    row = tx.one("select * from review_case where tenant = %(tenant)s and id = %(id)s for update", id=case)
    return from_row(Case, row) if row else None


def open_about(tx: Tx, subjects: Iterable[str]) -> tuple[Case, ...]:
    """Give the open questions about these subjects, and hold them until the transaction ends."""
    rows = tx.rows(
        """
        select * from review_case
        where tenant = %(tenant)s and subject = any (%(subjects)s) and status = 'open'
        order by id
        for update
        """,
        subjects=list(subjects),
    )
    return tuple(from_row(Case, row) for row in rows)


def notes(tx: Tx, cases: Sequence[str]) -> dict[str, str]:
    """Give what people wrote about these questions."""
    rows = tx.rows(
        "select id, note from review_case where tenant = %(tenant)s and id = any (%(ids)s) and note is not null",
        ids=list(cases),
    )
    return {row["id"]: row["note"] for row in rows}


def put_note(tx: Tx, case: str, note: str) -> None:
    """Keep what a person wrote about a question."""
    tx.run("update review_case set note = %(note)s where tenant = %(tenant)s and id = %(id)s", id=case, note=note)


def release_news(tx: Tx, case: str) -> None:
    """Let the news that waited for the answer be decided: nobody is asked about it any more."""
    tx.run(
        """
        update inbox set status = 'decided'
        where tenant = %(tenant)s and status = 'parked' and id in (
            select d.inbox
            from decision_about a
            join decision d on d.tenant = a.tenant and d.id = a.decision
            where a.tenant = %(tenant)s and a.subject = %(case)s
        )
        """,
        case=case,
    )
