"""Credits in a Django project: `request.billing`, a decorator that holds before a view runs, and a 402 that says why.

    MIDDLEWARE = [..., "counterfoil.client.django.BillingMiddleware"]
    COUNTERFOIL = {"api_key": "cfk_…", "base_url": "http://127.0.0.1:4747"}

    @held("credits", "2", customer=lambda request: f"ext:{request.user.pk}")
    def chat(request):
        ...
        request.spend.settle(used)

Django is imported when this module is, and by nothing else of Counterfoil: `pip install 'counterfoil[django]'`.
"""

from collections.abc import Callable, Sequence
from functools import cache, wraps
from typing import Any, TypeVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

from counterfoil.client.answers import MEDIA_TYPE, is_for_callers, problem_of
from counterfoil.client.billing import Billing
from counterfoil.client.errors import CounterfoilError
from counterfoil.client.scripts import IfUnsettled, OnUnavailable
from counterfoil.client.values import Quantity

View = TypeVar("View", bound=Callable[..., Any])
Named = Callable[[HttpRequest], str]
Estimate = Quantity | Callable[[HttpRequest], Quantity]


@cache
def billing() -> Billing:
    """Give the one client of this process, made from the setting COUNTERFOIL."""
    return Billing(**settings.COUNTERFOIL)


class BillingMiddleware:
    """Puts the client on each request, and answers what a view raises: 402 with reason and remedy, or 503."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.billing = billing()
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer what the caller can do something about; everything else is Django's."""
        if not isinstance(error, CounterfoilError) or not is_for_callers(error):
            return None
        status, body, headers = problem_of(error)
        return JsonResponse(body, status=status, headers=headers, content_type=MEDIA_TYPE)


def held(
    unit: str,
    estimate: Estimate,
    *,
    customer: Named,
    feature: str | None = None,
    pools: Sequence[str] = (),
    on_unavailable: OnUnavailable = "fail_closed",
    if_unsettled: IfUnsettled = "settle_estimate",
) -> Callable[[View], View]:
    """Hold the estimate before a view runs, as `request.spend`; the view settles it. An exception releases it.

    It ends when the view returns: a view that streams opens its own `request.billing.spend` in its generator.
    """

    def around(view: View) -> View:
        @wraps(view)
        def spending(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            amount = estimate(request) if callable(estimate) else estimate
            with billing().spend(
                customer(request),
                unit,
                amount,
                feature=feature,
                pools=pools,
                on_unavailable=on_unavailable,
                if_unsettled=if_unsettled,
            ) as spend:
                request.spend = spend
                return view(request, *args, **kwargs)

        return spending  # type: ignore[return-value]

    return around
