"""Check Stripe-shaped JSON against Stripe's published schemas, with the validator that lies beside this repository."""

import importlib.util
import json
import os
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

Problem = tuple[str, str, str]
AS_RECORDED = frozenset({"unusual on charge.refunded"})
"""Warnings about what recorded events of the real API do."""
NEWER_VALUES = ("'custom' is not one of",)
"""Values that the schemas of older versions do not know, though an object of today is shown to their callers too."""
AS_DOCUMENTED = frozenset({"'hosted' is not one of ['elements', 'embedded_page', 'hosted_page']"})
"""The schemas of one version are used for older ones too: until 2026-03-25 `hosted_page` was called `hosted`."""


BEYOND_SCHEMA = ("lines.total_count",)
"""Fields that every recorded invoice has and the schemas do not know."""
OF_ENDED_DISCOUNTS = frozenset({"$.coupon", "$.source", "$.subscription_item"})
"""The validator has no table of when a deleted discount's fields came and went; a living one's it checks."""


def shared() -> Path:
    """The folder of recorded material: COUNTERFOIL_SHARED, else `../shared` beside the repository."""
    given = os.environ.get("COUNTERFOIL_SHARED")
    folder = Path(given) if given else Path(__file__).parents[3] / "shared"
    assert folder.is_dir(), f"no recorded material at {folder}; set COUNTERFOIL_SHARED to where it is"
    return folder


@cache
def _validator() -> Callable[[Any, str | None], list[Problem]]:
    path = shared() / "stripe-shapes" / "validate.py"
    spec = importlib.util.spec_from_file_location("stripe_shapes_validate", path)
    assert spec is not None, f"cannot load {path}"
    assert spec.loader is not None, f"cannot load {path}"
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        # The validator leaves its data files to the garbage collector; all of them are read here, once.
        warnings.simplefilter("ignore", ResourceWarning)
        spec.loader.exec_module(module)
        for version in module.ORDER:
            module.spec_for(version)
    validate: Callable[[Any, str | None], list[Problem]] = module.validate
    return validate


def problems_of(body: bytes | dict[str, Any], version: str) -> list[str]:
    """Violations and warnings of one response or event at an API version."""
    document = json.loads(body) if isinstance(body, bytes) else body
    return [
        f"{level} {document.get('object', 'error')} {path}: {message} ({version})"
        for level, path, message in _validator()(document, version)
        if "not checked" not in message and message not in AS_RECORDED | AS_DOCUMENTED
        if not (message == "unknown field" and path.endswith(BEYOND_SCHEMA))
        if not message.startswith(NEWER_VALUES)
        if not (_is_ended_discount(document) and path in OF_ENDED_DISCOUNTS)
    ]


def _is_ended_discount(document: dict[str, Any]) -> bool:
    return document.get("object") == "discount" and document.get("deleted") is True
