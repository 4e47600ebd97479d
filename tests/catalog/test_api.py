"""The catalogue over REST: who sees what, prices and plans of every wrong kind, publishing."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import echo_flow
from tests.support.market import AGENTS, OFFERINGS, PLAN, agent, category, member, ok, operator, publish
from tests.support.refusals import places
from tests.support.world import World

from agentmart.catalog.models import Offering, OfferingComponent, Plan, PlanComponent, ServiceProvider
from agentmart.identity.models import Role
from agentmart.infra import tenancy
from agentmart.infra.models import AuditEntry

pytestmark = pytest.mark.django_db


def offered(world: World, **changes: Any) -> dict[str, Any]:
    return {"name": "Help", "type": "Marketplace.Basic", "category": category(world), **changes}


def rows() -> list[int]:
    """How much stands in the catalogue."""
    with tenancy.as_system("test"):
        models = (Offering, OfferingComponent, Plan, PlanComponent, ServiceProvider, AuditEntry)
        return [model.objects.count() for model in models]


# --- who sees what -------------------------------------------------------------------------------


def test_visitors_see_the_public_catalogue_and_nothing_else(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    draft = publish(world, agent(world, echo_flow()), activate=False)
    private = ok(world.operator.api.post(OFFERINGS, offered(world, state="Active", shared=False)), 201)[
        "uuid"
    ]
    for family in ("marketplace-offerings", "marketplace-public-offerings"):
        for api in (world.visitor, world.buyer.api, world.stranger.api):
            assert [row["uuid"] for row in ok(api.get(f"/api/{family}/"))] == [sold["offering"]]
            for hidden in (draft["offering"], private):
                assert api.get(f"/api/{family}/{hidden}/").status_code == 404
                assert api.get(f"/api/{family}/{hidden}/plans/").status_code == 404
    assert ok(world.visitor.get(f"{OFFERINGS}{sold['offering']}/plans/"))[0]["uuid"] == sold["plan"]
    assert len(ok(world.provider.api.get(OFFERINGS))) == 2
    assert len(ok(world.operator.api.get(OFFERINGS))) == 3
    for path in ("customers", "users", "marketplace-plans", "marketplace-orders", "marketplace-resources"):
        assert world.visitor.get(f"/api/{path}/").status_code == 401
    assert world.visitor.get("/api/marketplace-provider-offerings/").status_code == 401
    shelves = ok(world.visitor.get("/api/marketplace-categories/"))
    assert sorted(row["offering_count"] for row in shelves) == [0, 0, 1]


def test_the_public_path_is_only_read(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    public = "/api/marketplace-public-offerings/"
    path = f"{public}{sold['offering']}/"
    assert ok(world.operator.api.get(path)) == ok(world.operator.api.get(f"{OFFERINGS}{sold['offering']}/"))
    ok(world.visitor.get(f"{path}plans/{sold['plan']}/"))
    for api in (world.operator.api, world.provider.api):
        for refused in (
            api.post(public, {"name": "New"}),
            api.patch(path, {"name": "New"}),
            api.put(path, {"name": "New"}),
            api.delete(path),
        ):
            assert (refused.status_code, refused.json()["code"]) == (405, "method_not_allowed")
        for action in ("archive", "update_overview", "update_image"):
            assert api.post(f"{path}{action}/", {"name": "New"}).status_code == 404
    assert ok(world.operator.api.get(path))["state"] == "Active"
    assert world.visitor.post(public, {"name": "New"}).status_code == 401


def test_a_closed_catalogue_asks_visitors_to_log_in(world: World, settings: Any) -> None:
    settings.PUBLIC_CATALOG = False
    assert world.visitor.get("/api/marketplace-categories/").status_code == 401
    assert world.visitor.get(OFFERINGS).status_code == 401
    assert world.stranger.api.get(OFFERINGS).status_code == 200


def test_the_provider_view_holds_what_one_sells_for(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    path = "/api/marketplace-provider-offerings/"
    seller, colleague = (
        member(world.provider.customer, role) for role in (Role.OFFERING_MANAGER, Role.CUSTOMER_SUPPORT)
    )
    for api, count in (
        (world.provider.api, 1),
        (seller, 1),
        (colleague, 0),
        (world.buyer.api, 0),
        (world.stranger.api, 0),
        (world.operator.api, 1),
    ):
        assert len(ok(api.get(path))) == count
        status = 200 if count else 404
        assert api.get(f"{path}{sold['offering']}/").status_code == status
        if not count:
            assert api.post(f"{path}{sold['offering']}/pause/").status_code == 404


def test_what_a_stranger_tries_changes_nothing(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    draft = publish(world, agent(world, echo_flow()), activate=False)
    path = f"/api/site-agent/provider-agents/{ok(world.provider.api.get(AGENTS))[0]['uuid']}/"
    body = offered(world)
    before = rows()
    api = world.stranger.api
    for verb in ("pause", "archive", "draft", "activate", "unpause"):
        assert api.post(f"{OFFERINGS}{sold['offering']}/{verb}/").status_code == 403
        assert api.post(f"{OFFERINGS}{draft['offering']}/{verb}/").status_code == 404
    for verb in ("publish", "import_flow", "validate_flow"):
        assert api.post(f"{path}{verb}/", {"flow": echo_flow()}).status_code == 404
    assert api.post("/api/marketplace-plans/", {"offering": sold["offering"]}).status_code == 403
    hidden = api.post("/api/marketplace-plans/", {"offering": draft["offering"], "name": "x"})
    assert hidden.json() == {"offering": ["Invalid hyperlink - Object does not exist."]}
    assert world.provider.customer is not None
    foreign = {**body, "customer": world.provider.customer.uuid}
    answer = api.post(OFFERINGS, foreign)
    assert answer.json() == {"customer": ["Invalid hyperlink - Object does not exist."]}
    answer = api.post(AGENTS, {"name": "x", "customer": world.provider.customer.uuid})
    assert answer.json() == {"customer": ["Invalid hyperlink - Object does not exist."]}
    assert rows() == before


# --- creating ------------------------------------------------------------------------------------


def test_an_offering_without_customer_is_the_caller_s_own(world: World) -> None:
    by_operator = ok(world.operator.api.post(OFFERINGS, offered(world, state="active")), 201)
    assert (by_operator["customer_name"], by_operator["state"]) == ("Operator Inc", "Active")
    by_provider = ok(world.provider.api.post(OFFERINGS, offered(world)), 201)
    assert (by_provider["customer_name"], by_provider["state"]) == ("Provider GmbH", "Draft")
    refused = world.provider.api.post(OFFERINGS, offered(world, state="Active"))
    assert refused.status_code == 403
    nobody = member(world.provider.customer, Role.CUSTOMER_SUPPORT)
    answer = nobody.post(OFFERINGS, offered(world))
    assert answer.json() == {"customer": ["Say which customer provides the offering."]}


@pytest.mark.parametrize("slash", ["", "/"])
def test_relations_are_read_as_url_path_or_uuid(world: World, slash: str) -> None:
    url = category(world)
    uuid = url.rstrip("/").rsplit("/", 1)[-1]
    for form in (url.rstrip("/") + slash, f"/api/marketplace-categories/{uuid}{slash}", uuid):
        shown = ok(world.provider.api.post(OFFERINGS, offered(world, category=form)), 201)
        assert (shown["category_uuid"], shown["category"]) == (uuid, url)
    elsewhere = f"https://other.example/api/marketplace-categories/{uuid}/"
    assert ok(world.provider.api.post(OFFERINGS, offered(world, category=elsewhere)), 201)["category"] == url


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        (
            {"type": "Unknown"},
            {"type": ["Unknown type Unknown; use one of GSVAgents.Agent, Marketplace.Basic."]},
        ),
        ({"state": "Archived"}, {"state": ["An offering is created Draft or Active."]}),
        ({"plugin_options": []}, {"plugin_options": ['Expected a dictionary of items but got type "list".']}),
        (
            {"plugin_options": {"require_provider_approval": "false"}},
            {"plugin_options.require_provider_approval": ["Must be a valid boolean."]},
        ),
        ({"plugin_options": {"x": "y" * 20000}}, {"plugin_options": ["At most 16384 bytes of JSON."]}),
        (
            {"components": [{"type": "a b", "name": "x", "billing_type": "usage"}]},
            {"components[0].type": ["This value does not match the required pattern."]},
        ),
        (
            {"components": [{"type": "a", "name": "x", "billing_type": "usage"}] * 2},
            {"components[1].type": ["The offering has a component a already."]},
        ),
        (
            {
                "type": "Agentmart.Agent",
                "components": [{"type": "requests", "name": "x", "billing_type": "usage"}],
            },
            {"components[0].type": ["The offering has a component requests already."]},
        ),
        (
            {"plans": [{"name": "P", "unit_price": "1"}, {"name": "Q", "components": [{"type": "x"}]}]},
            {"plans[1].components[0].type": ["The offering has no component x; it has base."]},
        ),
        ({"name": "x" * 151}, {"name": ["Ensure this field has no more than 150 characters."]}),
    ],
)
def test_wrong_offerings_are_refused_by_field_and_leave_nothing(
    world: World, changes: dict[str, Any], refusal: dict[str, Any]
) -> None:
    body = offered(world, **changes)
    before = rows()
    answer = world.provider.api.post(OFFERINGS, body)
    assert answer.status_code == 400
    assert places(answer.json()) == refusal
    assert rows() == before


# --- plans ---------------------------------------------------------------------------------------

NOT_NEGATIVE = ["This must not be negative."]


@pytest.mark.parametrize(
    ("plan", "refusal"),
    [
        ({"unit_price": "-1"}, {"unit_price": ["Ensure this value is greater than or equal to 0."]}),
        ({"unit_price": "NaN"}, {"unit_price": ["A valid number is required."]}),
        (
            {"unit_price": "1e3000"},
            {"unit_price": ["Ensure that there are no more than 20 digits in total."]},
        ),
        (
            {"unit_price": "0.00000000001"},
            {"unit_price": ["Ensure that there are no more than 10 decimal places."]},
        ),
        ({"unit": "week"}, {"unit": ['"week" is not a valid choice.']}),
        ({"currency": "ZZZ"}, {"currency": ['"ZZZ" is not a valid choice.']}),
        ({"max_amount": 2**31}, {"max_amount": ["Ensure this value is less than or equal to 2147483647."]}),
        (
            {"limits": {"requests_per_minute": 0}},
            {"limits.requests_per_minute": ["Ensure this value is greater than or equal to 1."]},
        ),
        ({"limits": {"streaming": "x"}}, {"limits.streaming": ["Must be a valid boolean."]}),
        ({"components": [{"type": "requests", "price": "-0.01"}]}, {"components[0].price": NOT_NEGATIVE}),
        (
            {"unit_price": "1", "components": [{"type": "requests", "price": "-0.01"}]},
            {"components[0].price": NOT_NEGATIVE},
        ),
        (
            {"components": [{"type": "requests", "price": "1"}, {"type": "requests", "price": "2"}]},
            {"components[1].type": ["The plan prices requests twice."]},
        ),
        (
            {"unit_price": "1", "components": [{"type": "base", "price": "2"}]},
            {"unit_price": ["Give the base fee once: as unit_price, or as component base."]},
        ),
        (
            {"components": [{"type": "base", "price": "1", "amount": 2**31}]},
            {"components[0].amount": ["The amount may be at most 2147483647."]},
        ),
        (
            {
                "components": [
                    {
                        "type": "requests",
                        "tier_mode": "graduated",
                        "tiers": [{"up_to": 10, "unit_price": 1}, {"up_to": 5, "unit_price": 1}],
                    }
                ]
            },
            {"components[0].tiers[1].up_to": ["Bounds must ascend: this must be above 10."]},
        ),
        (
            {"components": [{"type": "requests", "tier_mode": "graduated", "tiers": []}]},
            {"components[0].tiers": ["Give 1 to 100 tiers, not 0."]},
        ),
    ],
)
def test_wrong_plans_are_refused_by_field_and_leave_nothing(
    world: World, plan: dict[str, Any], refusal: dict[str, Any]
) -> None:
    sold = publish(world, agent(world, echo_flow()))
    before = rows()
    body = {"name": "P", "offering": sold["offering"], **plan}
    answer = world.provider.api.post("/api/marketplace-plans/", body)
    assert (answer.status_code, places(answer.json())) == (400, refusal)
    assert rows() == before


def test_a_plan_reads_as_it_was_written(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()))
    body = {**PLAN, "offering": f"{OFFERINGS}{sold['offering']}/", "currency": "EUR"}
    shown = ok(world.provider.api.post("/api/marketplace-plans/", body), 201)
    assert (shown["unit"], shown["interval_count"], shown["unit_price"]) == ("month", 1, "99.00")
    assert shown["prices"] == {"base": "99.00", "requests": "0.01", "output_tokens": "0.00"}
    assert shown["limits"] == PLAN["limits"]
    tiers = next(row for row in shown["components"] if row["type"] == "output_tokens")["tiers"]
    assert [tier["up_to"] for tier in tiers] == ["100", "500", None]
    assert ok(world.buyer.api.get(shown["url"])) == shown


# --- states --------------------------------------------------------------------------------------


def test_offerings_move_only_as_the_table_says(world: World) -> None:
    sold = publish(world, agent(world, echo_flow()), activate=False)
    path = f"{OFFERINGS}{sold['offering']}/"
    shown = ok(world.provider.api.get(path))
    assert (shown["state"], shown["review"], shown["is_orderable"]) == ("Draft", "pending", False)
    api = world.operator.api
    steps = [
        ("pause", 409, "Draft"),
        ("unpause", 409, "Draft"),
        ("activate", 200, "Active"),
        ("activate", 409, "Active"),
        ("pause", 200, "Paused"),
        ("activate", 409, "Paused"),
        ("unpause", 200, "Active"),
        ("archive", 200, "Archived"),
        ("pause", 409, "Archived"),
        ("draft", 200, "Draft"),
        ("activate", 200, "Active"),
    ]
    for verb, status, state in steps:
        answer = api.post(f"{path}{verb}/", {"paused_reason": "rest"} if verb == "pause" else None)
        assert (verb, answer.status_code) == (verb, status)
        if status == 409:
            assert (answer.json()["code"], answer.json()["extra"]) == ("wrong_state", {"state": state})
        else:
            assert answer.json() == {"detail": f"Offering is {state}.", "state": state}
        now = ok(api.get(path))
        assert now["paused_reason"] == ("rest" if now["state"] == "Paused" else "")
    assert ok(api.get(path))["review"] == ""


# --- publishing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "body", "status", "refusal"),
    [
        (False, {}, 409, {"detail": "Import a flow into Helper first.", "code": "not_publishable"}),
        (True, {}, 400, {"category": ["Say in which category the agent is offered."]}),
        (True, {"category": "0" * 32}, 400, {"category": ["Invalid hyperlink - Object does not exist."]}),
        (True, {"version": 7}, 400, {"version": ["The agent has no version 7."]}),
        (
            True,
            {"plans": "x"},
            400,
            {"plans": {"non_field_errors": ['Expected a list of items but got type "str".']}},
        ),
    ],
)
def test_what_cannot_be_published(
    world: World, flow: bool, body: dict[str, Any], status: int, refusal: dict[str, Any]
) -> None:
    path = agent(world, echo_flow() if flow else None)
    before = rows()
    answer = world.provider.api.post(f"{path}publish/", body)
    assert (answer.status_code, answer.json()) == (status, refusal)
    assert rows() == before


def test_publishing_needs_a_plan_and_a_refused_one_leaves_nothing(world: World) -> None:
    path, shelf = agent(world, echo_flow()), category(world)
    before = rows()
    answer = world.provider.api.post(f"{path}publish/", {"category": shelf})
    assert (answer.status_code, answer.json()["detail"]) == (409, "Give Helper at least one plan.")
    assert rows() == before
    assert ok(world.provider.api.get(path))["state"] == "validated"


def test_publishing_again_offers_the_new_version_once_approved(world: World) -> None:
    path = agent(world, echo_flow())
    sold = publish(world, path)
    ok(world.provider.api.post(f"{path}import_flow/", {"flow": {**echo_flow(), "description": "2"}}), 201)
    again = ok(world.provider.api.post(f"{path}publish/", {"name": "Helper 2"}))
    assert (again["offering_uuid"], again["version"], again["state"]) == (sold["offering"], 2, "published")
    assert (again["review"], again["live_version"]) == ("pending", 1)
    ok(world.operator.api.post(f"{OFFERINGS}{sold['offering']}/approve_revision/"))
    shown = ok(world.buyer.api.get(f"{OFFERINGS}{sold['offering']}/"))
    assert (shown["name"], shown["state"], len(shown["plans"])) == ("Helper 2", "Active", 1)
    assert (shown["flow_version"], shown["review"]) == (2, "")
    of_agent = ok(world.provider.api.get(path))
    assert (of_agent["latest_version"], of_agent["versions_count"]) == (2, 2)
    assert of_agent["offering_uuid"] == sold["offering"]
    with tenancy.as_system("test"):
        told = AuditEntry.objects.filter(action__startswith="offering.")
        assert told.filter(action="offering.published").count() == 1
        assert told.filter(action="offering.revision_handed_in").count() == 1
        assert told.filter(action="offering.revision_approved").count() == 1


def test_a_blocked_provider_publishes_nothing(world: World) -> None:
    path, shelf = agent(world, echo_flow()), category(world)
    assert world.provider.customer is not None
    ok(world.operator.api.post(f"/api/customers/{world.provider.customer.uuid}/block/"))
    before = rows()
    for address, body in (
        (AGENTS, {"name": "X"}),
        (f"{path}import_flow/", {"flow": echo_flow()}),
        (f"{path}publish/", {"category": shelf, "plans": [PLAN]}),
        (OFFERINGS, {"name": "X", "category": shelf, "type": "Marketplace.Basic"}),
    ):
        answer = world.provider.api.post(address, body)
        assert (answer.status_code, answer.json()["code"]) == (409, "customer_blocked")
    assert rows() == before


def test_only_the_provider_reads_the_source(world: World) -> None:
    path = agent(world, echo_flow())
    assert ok(world.provider.api.get(f"{path}versions/1/"))["flow"]["data"]["nodes"]
    assert "flow" not in ok(world.provider.api.get(f"{path}versions/"))[0]
    manager = operator("is_catalog_manager")
    assert ok(manager.get(f"{path}versions/"))[0]["version"] == 1
    whole = ok(world.provider.api.get(f"{path}versions/1/"))
    shown = ok(manager.get(f"{path}versions/1/"))
    assert shown == {name: value for name, value in whole.items() if name != "flow"}
    assert ok(world.operator.api.get(f"{path}versions/1/")) == whole
    for stranger in (world.buyer.api, world.stranger.api, operator("is_support")):
        assert stranger.get(f"{path}versions/1/").status_code == 404
    assert world.provider.api.get(f"{path}versions/2/").json()["detail"] == "Agent Helper has no version 2."
    assert operator("is_finance").get(path).status_code == 404
