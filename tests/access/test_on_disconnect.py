"""What a provider says of calls whose caller leaves reaches every key of the offering, however it is said."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.market import OFFERINGS, ok
from tests.support.shop import Shop

from agentmart.access.models import GrantRow
from agentmart.infra import tenancy

pytestmark = pytest.mark.django_db


def said(shop: Shop) -> str:
    """What the one key's Grant says."""
    with tenancy.as_system("test"):
        return GrantRow.objects.values_list("on_disconnect", flat=True).get()


def offering(shop: Shop) -> str:
    return f"{OFFERINGS}{shop.sold['offering']}/"


def test_a_run_is_drained_unless_the_provider_says_otherwise(shop: Shop) -> None:
    assert said(shop) == "drain"
    change = {"plugin_options": {"on_disconnect": "cancel"}}
    ok(shop.world.provider.api.post(f"{offering(shop)}update_integration/", change))
    assert said(shop) == "cancel"
    ok(shop.world.provider.api.post(f"{offering(shop)}update_integration/", {"plugin_options": {}}))
    assert said(shop) == "drain"


@pytest.mark.parametrize("value", ["stop", "", None, 1, ["drain"]])
def test_what_is_no_choice_is_refused(shop: Shop, value: Any) -> None:
    change = {"plugin_options": {"on_disconnect": value}}
    answer = shop.world.provider.api.post(f"{offering(shop)}update_integration/", change)
    assert answer.status_code == 400
    assert "Use one of drain, cancel." in str(answer.json())
    assert said(shop) == "drain"


def test_it_is_published_with_a_revision_once_that_is_approved(shop: Shop) -> None:
    body = {"plans": [], "plugin_options": {"on_disconnect": "cancel"}}
    assert ok(shop.world.provider.api.post(f"{shop.agent}publish/", body))["review"] == "pending"
    assert said(shop) == "drain"
    ok(shop.world.operator.api.post(f"{offering(shop)}approve_revision/"))
    assert said(shop) == "cancel"


def test_a_provider_who_publishes_directly_says_it_at_once(shop: Shop, settings: Any) -> None:
    settings.PROVIDER_PUBLISH = "direct"
    body = {"plans": [], "plugin_options": {"on_disconnect": "cancel"}}
    ok(shop.world.provider.api.post(f"{shop.agent}publish/", body))
    assert said(shop) == "cancel"


def test_a_new_slug_reaches_keys_too(shop: Shop) -> None:
    ok(shop.world.operator.api.patch(offering(shop), {"slug": "another-name"}))
    with tenancy.as_system("test"):
        assert GrantRow.objects.values_list("model", flat=True).get() == "another-name"
