"""The OpenAPI 3.1 document: what the routes say about themselves, and what holds for all of them, said once."""

import json

from fastapi import FastAPI


def document(app: FastAPI) -> str:
    """Write the document."""
    return json.dumps(app.openapi(), indent=2, ensure_ascii=False) + "\n"
