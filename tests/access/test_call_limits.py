"""Limits on what a customer, or all buyers of an offering, may call together reach every key's Grant."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.market import OFFERINGS, ok
from tests.support.shop import Shop

from agentmart.access.models import GrantRow
from agentmart.contracts.grants import Caps, Limits
from agentmart.gateway.grants import _limits
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db
CUSTOMERS = "/api/customers/"
PLANS = "/api/marketplace-plans/"


def published(shop: Shop) -> Limits:
    """What the one key's Grant says, as the gateway reads it."""
    with tenancy.as_system("test"):
        row = GrantRow.objects.extra(select={"text": "limits::text"}).values_list("text", flat=True).get()
    return _limits.decode(row)


def offering(shop: Shop) -> str:
    return f"{OFFERINGS}{shop.sold['offering']}/"


def buyer(shop: Shop) -> str:
    assert shop.world.buyer.customer is not None
    return f"{CUSTOMERS}{shop.world.buyer.customer.uuid}/"


def test_the_operator_limits_a_customer(shop: Shop) -> None:
    caps = {"requests_per_minute": 600, "tokens_per_month": 5_000_000}
    assert published(shop).customer is None
    before = published(shop)
    answer = ok(shop.world.operator.api.patch(buyer(shop), {"call_limits": caps}))
    assert answer["call_limits"] == caps
    assert published(shop).customer == Caps(requests_per_minute=600, tokens_per_month=5_000_000)
    assert ok(shop.world.buyer.api.get(buyer(shop)))["call_limits"] == caps
    ok(shop.world.operator.api.patch(buyer(shop), {"call_limits": {}}))
    assert published(shop) == before


def test_nobody_lifts_their_own(shop: Shop) -> None:
    ok(shop.world.operator.api.patch(buyer(shop), {"call_limits": {"requests_per_minute": 5}}))
    answer = shop.world.buyer.api.patch(buyer(shop), {"call_limits": {}})
    assert answer.status_code == 403
    assert answer.json()["extra"] == {"field": "call_limits"}
    assert published(shop).customer == Caps(requests_per_minute=5)


def test_a_provider_limits_what_all_buyers_may_call_together(shop: Shop) -> None:
    change = {"plugin_options": {"call_limits": {"concurrent_requests": 50, "tokens_per_minute": 90_000}}}
    ok(shop.world.provider.api.post(f"{offering(shop)}update_integration/", change))
    assert published(shop).agent == Caps(concurrent_requests=50, tokens_per_minute=90_000)
    ok(shop.world.provider.api.post(f"{offering(shop)}update_integration/", {"plugin_options": {}}))
    assert published(shop).agent is None


def test_plans_limit_tokens_too(shop: Shop) -> None:
    plan = ok(shop.world.provider.api.get(PLANS))[0]
    limits = {**plan["limits"], "tokens_per_minute": 1000, "tokens_per_month": 20_000}
    ok(shop.world.provider.api.patch(f"{PLANS}{plan['uuid']}/", {"limits": limits}))
    assert (published(shop).tokens_per_minute, published(shop).tokens_per_month) == (1000, 20_000)


@pytest.mark.parametrize(
    ("caps", "at_fault"),
    [
        ({"requests_per_second": 5}, "requests_per_second"),
        ({"requests_per_minute": 0}, "requests_per_minute"),
        ({"requests_per_minute": "5"}, "requests_per_minute"),
        ({"tokens_per_month": True}, "tokens_per_month"),
        ({"tokens_per_month": 2**31}, "tokens_per_month"),
        ([], "object"),
        (None, "null"),
    ],
)
def test_what_is_no_limit_is_refused(shop: Shop, caps: Any, at_fault: str) -> None:
    answer = shop.world.operator.api.patch(buyer(shop), {"call_limits": caps})
    assert answer.status_code == 400
    assert "call_limits" in answer.json()
    assert at_fault in str(answer.json())
    change = {"plugin_options": {"call_limits": caps}}
    answer = shop.world.provider.api.post(f"{offering(shop)}update_integration/", change)
    assert answer.status_code == 400
    assert "call_limits" in str(answer.json())
    assert published(shop).agent is None
