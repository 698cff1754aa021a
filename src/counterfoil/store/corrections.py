"""What was taken back of spends, and which lots paid what wallets owed: read from the journal."""

from counterfoil.core.corrections import Spent
from counterfoil.core.ids import GrantId, SpendId, WalletId
from counterfoil.store.database import Tx
from counterfoil.store.spends import Spend


def spent(tx: Tx, spend: Spend) -> Spent:
    """Give a spend with all that was taken back of it so far. Lock its wallet before."""
    row = tx.one(
        """
        select coalesce(sum(amount) filter (where debit = 'used'), 0) as corrected, count(distinct entry) as corrections
        from posting
        where tenant = %(tenant)s and subject = %(spend)s and entry like 'spend:%%:corrected:%%'
        """,
        spend=spend.id,
    )
    assert row is not None
    owes = any(account.startswith("debt:") for account, _ in spend.draws)
    return Spent(
        id=SpendId(spend.id),
        wallet=WalletId(spend.wallet),
        draws=tuple(spend.draws),
        corrected=int(row["corrected"]),
        corrections=row["corrections"],
        covers=covers(tx, spend.wallet) if owes else (),
    )


def covers(tx: Tx, wallet: str) -> tuple[tuple[GrantId, int], ...]:
    """Give the lots that paid for what a wallet owed and did not get it back, the latest first."""
    rows = tx.rows(
        """
        select lot, sum(amount) as amount
        from (
            select split_part(debit, ':', 2) as lot, amount, position from posting
            where tenant = %(tenant)s and credit = 'debt:' || %(wallet)s and debit like 'grant:%%'
            union all
            select split_part(credit, ':', 2), -amount, 0 from posting
            where tenant = %(tenant)s and debit = 'debt:' || %(wallet)s and credit like 'grant:%%'
        ) as moved
        group by lot
        having sum(amount) > 0
        order by max(position) desc
        """,
        wallet=wallet,
    )
    return tuple((GrantId(row["lot"]), int(row["amount"])) for row in rows)
