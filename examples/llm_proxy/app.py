"""An LLM proxy that sells its tokens for prepaid credits. docs/tutorials/credits-in-a-fastapi-app.md builds it up.

Every request holds what it may cost before the model runs, and settles what it did cost after the last word. Who can't
pay gets a 402 with the reason and what helps, before the model is asked anything.

    counterfoil up                                                 # prints a key
    COUNTERFOIL_KEY=cfk_test_… uvicorn --app-dir examples/llm_proxy app:app --port 8080
"""

import os
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import model
from fastapi import Depends, FastAPI, Request
from fastapi.responses import FileResponse, StreamingResponse
from pydantic import BaseModel, Field

from counterfoil.client import AsyncBilling, AsyncSpend
from counterfoil.client.fastapi import Billed, closing, held, install

UNIT = "credits"
PRICE = Decimal("0.02")
"""Credits per token, of prompt and answer alike."""
TOKENS_MAX = 100
WELCOME = "5"
PACK = {"code": "pack-1000", "unit": UNIT, "credits": "1000", "prices": [{"amount": 2000, "currency": "USD"}]}
CARD = os.environ.get("CARD", "pm_card_visa")
"""What a browser gets from the provider for the customer's card; here one of the provider's test cards."""

billing = AsyncBilling.from_environment()
app = FastAPI(lifespan=closing(billing))
install(app, billing)


class Question(BaseModel):
    """What the model is asked."""

    prompt: str = Field(min_length=1, max_length=4000)


class Wish(BaseModel):
    """One click on the button: the same wish again buys nothing more."""

    wish: str = Field(min_length=8, max_length=64, pattern="^[!-~]+$")


def customer_of(request: Request) -> str:
    """Say which customer of Counterfoil a request is of. A real application looks at its session."""
    return f"ext:{request.headers.get('user', 'dana')}"


async def worst_case(request: Request) -> Decimal:
    """Say what a request may cost at the most."""
    asked = Question.model_validate(await request.json())
    return PRICE * (model.count(asked.prompt) + TOKENS_MAX)


@app.post("/sign-up")
async def sign_up(request: Request, billing: Billed) -> dict[str, str]:
    """Make a customer with a wallet, something to begin with and a saved card; again is no change."""
    user = customer_of(request).removeprefix("ext:")
    await billing.declare_unit(UNIT, scale=2)
    wallet = await billing.sign_up(user, UNIT)
    await billing.grant(wallet.id, WELCOME, key=f"welcome-{user}")
    await billing.declare_packs([PACK])
    await billing.save_method(f"ext:{user}", CARD, key=f"card-{user}")
    return {"wallet": wallet.id}


@app.post("/chat")
async def chat(
    asked: Question,
    spend: Annotated[AsyncSpend, Depends(held(UNIT, worst_case, customer=customer_of, feature="chat"))],
) -> StreamingResponse:
    """Stream an answer, and settle what it took, also when the caller hangs up in the middle."""

    async def stream() -> AsyncIterator[str]:
        tokens = model.count(asked.prompt)
        try:
            async for word in model.answer(asked.prompt, TOKENS_MAX):
                tokens += 1
                yield word
        finally:
            await spend.settle(PRICE * tokens)

    return StreamingResponse(stream(), media_type="text/plain")


@app.post("/top-up")
async def top_up(request: Request, wanted: Wish, billing: Billed) -> dict[str, Any]:
    """Buy a pack with the saved card."""
    bought = await billing.purchase(customer_of(request), UNIT, str(PACK["code"]), key=wanted.wish)
    return {"purchase": bought.id, "status": bought.status, "failure": bought.failure, "pay_url": bought.pay_url}


@app.get("/credits")
async def credits_left(request: Request, billing: Billed) -> dict[str, str]:
    """Say what can be spent, and what is held by answers under way."""
    wallet = await billing.wallet(customer_of(request), UNIT)
    return {"available": str(wallet.available if wallet else 0), "held": str(wallet.held if wallet else 0)}


@app.get("/")
async def home() -> FileResponse:
    """The page: what is left, a question, and a button to top up."""
    return FileResponse(Path(__file__).with_name("page.html"))
