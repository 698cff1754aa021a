"""The route that most would write: FastAPI, a typed body, one SQL call per spend."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

from fastapi import FastAPI, Header, HTTPException
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

CONNECTIONS: Final = 10
LOCK_WAITERS_MAX_S: Final = 60.0


class Spend(BaseModel):
    """What is to be spent, in the smallest unit."""

    wallet: int
    amount: int = Field(gt=0)


class Spent(BaseModel):
    """What was spent and what is left."""

    key: str
    wallet: int
    amount: int
    balance_after: int


def create(dsn: str) -> FastAPI:
    """Build the application."""
    pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
        dsn, min_size=CONNECTIONS, max_size=CONNECTIONS, open=False, timeout=LOCK_WAITERS_MAX_S
    )

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with pool:
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post("/spends", status_code=201)
    async def spend(wanted: Spend, idempotency_key: Annotated[str, Header()]) -> Spent:
        async with pool.connection() as connection:
            called = await connection.execute(
                "select bench_spend_once(%s, %s, %s)", (idempotency_key, wanted.wallet, wanted.amount)
            )
            row = await called.fetchone()
        assert row
        if row[0] < 0:
            raise HTTPException(402, "insufficient funds")
        return Spent(key=idempotency_key, wallet=wanted.wallet, amount=wanted.amount, balance_after=row[0])

    return app


if __name__ == "__main__":
    from bench.serving import serve

    serve(create(sys.argv[1]), int(sys.argv[2]))
