"""Finds the lots whose use has earned something that nobody has posted yet."""

from dataclasses import dataclass

from counterfoil.store.database import Tx


@dataclass(frozen=True, slots=True)
class Due:
    """A wallet in which something is to be recognised, and the lots that it is of, used-up ones too."""

    wallet: str
    customer: str
    lots: tuple[str, ...]


def due(tx: Tx, after: str, limit: int) -> list[Due]:
    """Give the wallets of one page, in the order of their ids.

    Only lots whose price is not all recognised are looked at; a spend moves no row of their index.
    """
    rows = tx.rows(
        """
        select g.wallet, w.customer, array_agg(g.id order by g.id) as lots
        from grant_lot g
        join wallet w on w.tenant = g.tenant and w.id = g.wallet
        where g.tenant = %(tenant)s and g.released_minor < g.cost_minor and g.wallet > %(after)s
            and g.released_minor < floor(g.cost_minor::numeric * (g.amount - g.remaining) / g.amount)
        group by g.wallet, w.customer
        order by g.wallet
        limit %(limit)s
        """,
        after=after,
        limit=limit,
    )
    return [Due(row["wallet"], row["customer"], tuple(row["lots"])) for row in rows]
