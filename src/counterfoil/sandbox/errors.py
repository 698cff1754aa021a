"""Every refusal of the API as a value that can be raised: status, type, code, param and the words Stripe uses."""

from __future__ import annotations

from typing import Any

DOC_URL = "https://stripe.com/docs/error-codes/"


class StripeError(Exception):
    """The request is refused, with the body that Stripe would answer.

    `stored` says that execution had begun, so that an idempotency key keeps this answer.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        stored: bool = False,
        should_retry: bool | None = None,
        headers: dict[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.stored = stored
        self.should_retry = should_retry
        self.headers = headers or {}
        self.fields = _fields(message, type, code, param) | more


def _fields(message: str, type: str, code: str | None, param: str | None) -> dict[str, Any]:
    fields: dict[str, Any] = {"message": message, "type": type}
    if code:
        fields |= {"code": code, "doc_url": DOC_URL + code.replace("_", "-")}
    if param:
        fields["param"] = param
    return fields


def resource_missing(kind: str, identifier: str, param: str, status: int = 404) -> StripeError:
    return StripeError(f"No such {kind}: '{identifier}'", status=status, code="resource_missing", param=param)


def parameter_missing(param: str) -> StripeError:
    return StripeError(f"Missing required param: {param}.", code="parameter_missing", param=param)


def parameter_unknown(params: list[str], note: str = "") -> StripeError:
    word = "parameter" if len(params) == 1 else "parameters"
    return StripeError(f"Received unknown {word}: {', '.join(params)}{note}", code="parameter_unknown", param=params[0])


def parameter_empty(param: str) -> StripeError:
    message = (
        f"You passed an empty string for '{param}'. We assume empty values are an "
        f"attempt to unset a parameter; however '{param}' cannot be "
        f"unset. You should remove '{param}' from your request or supply a non-empty value."
    )
    return StripeError(message, code="parameter_invalid_empty", param=param)


def invalid_integer(message: str, param: str) -> StripeError:
    return StripeError(message, code="parameter_invalid_integer", param=param)


def invalid(message: str, param: str | None = None, code: str | None = None) -> StripeError:
    return StripeError(message, code=code, param=param)


def unauthorized(message: str, code: str | None = None) -> StripeError:
    return StripeError(message, status=401, code=code)


def secret_key_required() -> StripeError:
    message = (
        "This API call cannot be made with a publishable API key. Please use a secret API key. You can find a list of "
        "your API keys at https://dashboard.stripe.com/account/apikeys."
    )
    return StripeError(message, status=403, code="secret_key_required")


def unknown_path(method: str, path: str) -> StripeError:
    message = (
        f"Unrecognized request URL ({method}: {path}). Please see "
        "https://stripe.com/docs or we can help at https://support.stripe.com/. "
        f"(The sandbox does not cover this path; GET /_sandbox/coverage lists those it does.)"
    )
    return StripeError(message, status=404)
