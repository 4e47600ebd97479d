"""The catalogue's answers are what Waldur's own client reads: bare ones, and ones with everything set."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import echo_flow
from tests.support.market import OFFERINGS, agent, category, ok, publish
from tests.support.world import World
from waldur_api_client.models import (
    BaseProviderPlan,
    MarketplaceCategory,
    OfferingComponent,
    PlanComponent,
    ProviderOfferingDetails,
    ProviderPlanDetails,
    PublicOfferingDetails,
    ServiceProvider,
)

pytestmark = pytest.mark.django_db

READERS: list[tuple[Any, str]] = [
    (ProviderOfferingDetails, "/api/marketplace-provider-offerings/"),
    (PublicOfferingDetails, "/api/marketplace-public-offerings/"),
    (ProviderPlanDetails, "/api/marketplace-plans/"),
    (PlanComponent, "/api/marketplace-plan-components/"),
    (MarketplaceCategory, "/api/marketplace-categories/"),
    (ServiceProvider, "/api/marketplace-service-providers/"),
]


@pytest.fixture
def everything(world: World) -> World:
    """An agent's offering, and one with every kind of component and limit period."""
    publish(world, agent(world, echo_flow()))
    components = [
        {"type": kind, "name": kind, "billing_type": kind, "limit_period": period, "max_value": 5.5}
        for kind, period in (
            ("limit", "month"),
            ("usage", "annual"),
            ("one", None),
            ("few", "total"),
            ("fixed", None),
        )
    ]
    options = {"options": {"x": {"type": "integer", "label": "X", "min": 1, "required": True}}}
    body = {
        "name": "All",
        "type": "Marketplace.Basic",
        "category": category(world),
        "components": components,
        "options": options,
        "country": "DE",
        "latitude": 1.5,
        "tags": ["a"],
        "secret_options": {"own": 1},
        "plans": [
            {
                "name": "P",
                "unit_price": "1",
                "components": [{"type": row["type"], "price": "2"} for row in components],
            }
        ],
    }
    row = ok(world.provider.api.post(OFFERINGS, body), 201)
    ok(world.operator.api.post(f"{OFFERINGS}{row['uuid']}/activate/"))
    plan = row["plans"][0]
    ok(world.provider.api.post(f"{plan['url']}update_prices/", {"prices": {"usage": "3"}}))
    ok(
        world.operator.api.post(
            OFFERINGS, {**body, "name": "Bare", "components": [], "plans": [], "options": {}}
        ),
        201,
    )
    return world


@pytest.mark.parametrize(("model", "path"), READERS, ids=[path for _, path in READERS])
def test_every_row_is_read(everything: World, model: Any, path: str) -> None:
    for api in (everything.operator.api, everything.provider.api):
        rows = ok(api.get(path, page_size=300))
        assert rows
        for row in rows:
            read = model.from_dict(row)
            if "uuid" in row and hasattr(read, "uuid"):
                assert read.uuid.hex == row["uuid"]
            assert model.from_dict(read.to_dict()) == read


def test_numbers_and_parts_are_of_the_client_s_types(everything: World) -> None:
    rows = ok(everything.provider.api.get("/api/marketplace-provider-offerings/", name="All"))
    read = ProviderOfferingDetails.from_dict(rows[0])
    (plan,) = read.plans  # type: ignore[union-attr, misc]
    assert isinstance(plan, BaseProviderPlan)
    assert (plan.init_price, plan.switch_price, plan.minimal_price) == (2, 2, "7.00")
    assert [component.billing_type.value for component in plan.components] == [  # type: ignore[union-attr]
        "fixed",
        "few",
        "fixed",
        "limit",
        "one",
        "usage",
    ]
    kinds = {component.type_: component for component in read.components}  # type: ignore[union-attr]
    assert isinstance(kinds["limit"], OfferingComponent)
    assert (kinds["limit"].max_value, str(kinds["limit"].limit_period.value)) == (5.5, "month")  # type: ignore[union-attr]
    assert read.options.options.additional_properties["x"].min_ == 1  # type: ignore[union-attr]
