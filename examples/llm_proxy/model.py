"""A stand-in for a language model: it repeats what it is told, word by word, and takes its time."""

import asyncio
import random
from collections.abc import AsyncIterator
from itertools import cycle, islice

WORDS = "Credits are held before the first word and settled after the last one .".split()


def count(text: str) -> int:
    """Count the tokens of a text; here a token is a word."""
    return max(1, len(text.split()))


async def answer(prompt: str, tokens_max: int) -> AsyncIterator[str]:
    """Stream an answer, never longer than asked, usually shorter."""
    length = random.Random(prompt).randint(1, tokens_max)
    for word in islice(cycle(WORDS), length):
        await asyncio.sleep(0.005)
        yield f"{word} "
