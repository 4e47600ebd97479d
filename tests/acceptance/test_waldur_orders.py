"""Orders, resources and usage by Waldur's own client (operator-api §8 A)."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.acceptance.waldur import Party
from waldur_api_client.models import OrderState, RequestTypes, ResourceState

PENDING_PROVIDER = OrderState.PENDING_PROVIDER


def state_of(party: Party, order: Any) -> str:
    """An order's state, as the operator sees it."""
    return str(party.staff("marketplace_orders_retrieve", order.uuid).state.value)


def test_an_order_is_approved_by_the_provider_and_done(party: Party) -> None:
    offering = party.offering()
    order = party.order(offering)
    assert (order.state, order.type_) == (PENDING_PROVIDER, RequestTypes.CREATE)
    assert (order.offering_uuid, order.project_uuid) == (offering.uuid, party.project.uuid)
    assert (order.customer_uuid, order.provider_uuid) == (party.buying.uuid, party.selling.uuid)
    assert order.limits.additional_properties == {"seats": 3}
    assert Decimal(order.cost) == Decimal("114.00")  # 99.00 + 3 seats at 5.00

    waiting = "marketplace_orders_list"
    for person in (party.staff, party.provider, party.buyer):
        rows = person.all(waiting, state=[PENDING_PROVIDER], offering_uuid=offering.uuid)
        assert [row.uuid for row in rows] == [order.uuid]
    assert party.stranger.all(waiting) == []
    assert party.stranger.refused("marketplace_orders_retrieve", order.uuid) == 404
    assert party.stranger.refused("marketplace_orders_approve_by_provider", order.uuid, body={}) == 404
    assert party.buyer.refused("marketplace_orders_approve_by_provider", order.uuid, body={}) == 403

    approved = party.provider.answer("marketplace_orders_approve_by_provider", order.uuid, body={})
    assert approved.status_code == 200
    assert (
        party.provider.answer("marketplace_orders_approve_by_provider", order.uuid, body={}).status_code
        == 409
    )
    done = party.finished(order.uuid)
    assert (done.state, done.marketplace_resource_uuid) == (OrderState.DONE, order.marketplace_resource_uuid)

    (resource,) = party.buyer("marketplace_resources_list", offering_uuid=[offering.uuid])
    assert resource.uuid == UUID(str(done.marketplace_resource_uuid))
    one = party.buyer("marketplace_resources_retrieve", resource.uuid)
    assert (one.name, one.state, one.plan_name) == ("My agent", ResourceState.OK, "Professional")
    assert one.limits.additional_properties == {"seats": 3}
    assert party.stranger("marketplace_resources_list") == []
    assert party.stranger.refused("marketplace_resources_retrieve", resource.uuid) == 404


def test_strangers_order_nothing_for_others(party: Party) -> None:
    offering = party.offering()
    status = None
    try:
        party.order(offering, by=party.stranger)
    except Exception as error:
        status = getattr(error, "status_code", None)
    assert status in (400, 403)
    assert party.staff("marketplace_orders_list", offering_uuid=offering.uuid) == []


def test_the_buyer_s_side_approves_and_rejects(party: Party) -> None:
    member = f"pam{party.number}"
    user = party.staff("users_create", body={"username": member, "email": f"{member}@example.com"})
    role = {"role": "PROJECT.MEMBER", "user": user.uuid.hex}
    party.staff("projects_add_user", party.project.uuid, body=role)
    pam = party.site.client(party.staff.ok("POST", f"/api/users/{user.uuid.hex}/refresh_token/")["token"])
    offering = party.offering()
    orders = [party.order(offering, by=pam, name=f"Pam {number}") for number in range(2)]
    assert [order.state for order in orders] == [
        OrderState.PENDING_CONSUMER
    ] * 2  # who may not approve is asked for
    assert party.stranger.refused("marketplace_orders_approve_by_consumer", orders[0].uuid) == 404
    assert pam.refused("marketplace_orders_approve_by_consumer", orders[0].uuid) == 403
    party.buyer("marketplace_orders_approve_by_consumer", orders[0].uuid)
    assert state_of(party, orders[0]) == "pending-provider"
    body = {"consumer_rejection_comment": "Too dear"}
    party.buyer("marketplace_orders_reject_by_consumer", orders[1].uuid, body=body)
    told = party.staff("marketplace_orders_retrieve", orders[1].uuid)
    assert (told.state, told.consumer_rejection_comment) == (OrderState.REJECTED, "Too dear")


def test_a_waiting_order_is_changed_rejected_canceled_or_deleted(party: Party) -> None:
    offering = party.offering()
    first = party.order(offering, name="First")
    assert (
        party.stranger.refused("marketplace_orders_partial_update", first.uuid, body={"limits": {"seats": 9}})
        == 404
    )
    changed = party.buyer("marketplace_orders_partial_update", first.uuid, body={"limits": {"seats": 9}})
    assert changed.limits["seats"] == 9
    assert Decimal(party.staff("marketplace_orders_retrieve", first.uuid).cost) == Decimal("144.00")
    body = {"provider_rejection_comment": "Sold out"}
    assert party.buyer.refused("marketplace_orders_reject_by_provider", first.uuid, body=body) == 403
    assert (
        party.provider.answer("marketplace_orders_reject_by_provider", first.uuid, body=body).status_code
        == 200
    )
    told = party.buyer("marketplace_orders_retrieve", first.uuid)
    assert (told.state, told.provider_rejection_comment) == (OrderState.REJECTED, "Sold out")
    assert (
        party.provider.answer("marketplace_orders_reject_by_provider", first.uuid, body=body).status_code
        == 409
    )
    gone = party.staff("marketplace_resources_retrieve", first.marketplace_resource_uuid)
    assert gone.state == ResourceState.TERMINATED

    second = party.order(offering, name="Second")
    assert party.stranger.refused("marketplace_orders_cancel", second.uuid) == 404
    assert party.buyer.answer("marketplace_orders_cancel", second.uuid).status_code == 202
    assert state_of(party, second) == "canceled"

    third = party.order(offering, name="Third")
    assert party.stranger.refused("marketplace_orders_destroy", third.uuid) == 404
    assert party.buyer.answer("marketplace_orders_destroy", third.uuid).status_code == 204
    assert party.staff.refused("marketplace_orders_retrieve", third.uuid) == 404


def test_the_provider_says_how_an_order_ended(party: Party) -> None:
    offering = party.offering(type="Marketplace.Basic", components=PRICED)
    order = party.order(offering)
    party.provider("marketplace_orders_approve_by_provider", order.uuid, body={})
    assert state_of(party, order) == "executing"  # fulfilled by people, who say when it is done
    assert party.buyer.refused("marketplace_orders_set_state_done", order.uuid) == 403
    party.provider("marketplace_orders_set_backend_id", order.uuid, body={"backend_id": "half-made"})
    erred = {"error_message": "No machine left"}
    party.provider("marketplace_orders_set_state_erred", order.uuid, body=erred)
    told = party.staff("marketplace_orders_retrieve", order.uuid)
    assert (told.state, told.error_message) == (OrderState.ERRED, "No machine left")
    assert party.buyer.refused("marketplace_orders_retry", order.uuid) == 403
    assert party.provider.answer("marketplace_orders_retry", order.uuid).status_code == 200
    assert state_of(party, order) == "executing"
    assert party.provider.answer("marketplace_orders_set_state_done", order.uuid).status_code == 200
    assert state_of(party, order) == "done"
    assert party.staff.refused("marketplace_orders_set_state_done", order.uuid) == 409
    resource = party.staff("marketplace_resources_retrieve", order.marketplace_resource_uuid)
    assert resource.state == ResourceState.OK


PRICED = [
    {"type": "seats", "name": "Seats", "measured_unit": "seat", "billing_type": "limit"},
    {"type": "storage", "name": "Storage", "measured_unit": "GB", "billing_type": "usage"},
]


def changed_by(party: Party, resource: Any, told: Any) -> Any:
    """The finished order that a resource's action placed."""
    order = told.order_uuid
    if party.staff("marketplace_orders_retrieve", order).state == PENDING_PROVIDER:
        party.provider("marketplace_orders_approve_by_provider", order, body={})
    done = party.finished(order)
    assert done.state == OrderState.DONE, done.error_message
    assert UUID(str(done.marketplace_resource_uuid)) == resource.uuid
    return done


def test_a_resource_is_renamed_switched_resized_and_ended(party: Party) -> None:
    options = {
        "order": ["region"],
        "options": {"region": {"type": "string", "label": "Region"}},
    }
    offering = party.offering(resource_options=options)
    bigger = party.plan(offering, "Bigger", seats="4.00")
    resource = party.resource(offering)

    named = party.buyer("marketplace_resources_partial_update", resource.uuid, body={"name": "Renamed"})
    assert named.name == "Renamed"
    for operation, body in (
        ("marketplace_resources_partial_update", {"name": "X"}),
        ("marketplace_resources_switch_plan", {"plan": bigger.url}),
        ("marketplace_resources_update_limits", {"limits": {"seats": 7}}),
        ("marketplace_resources_update_options", {"options": {"region": "eu"}}),
        ("marketplace_resources_terminate", {}),
    ):
        assert party.stranger.refused(operation, resource.uuid, body=body) == 404
        if operation != "marketplace_resources_terminate":
            assert party.provider.refused(operation, resource.uuid, body=body) == 403

    told = party.buyer("marketplace_resources_switch_plan", resource.uuid, body={"plan": bigger.url})
    switched = changed_by(party, resource, told)
    assert switched.type_ == RequestTypes.UPDATE
    assert (switched.old_plan_name, switched.new_plan_name) == ("Professional", "Bigger")
    assert party.buyer("marketplace_resources_retrieve", resource.uuid).plan_name == "Bigger"

    told = party.buyer("marketplace_resources_update_limits", resource.uuid, body={"limits": {"seats": 7}})
    changed_by(party, resource, told)
    now = party.buyer("marketplace_resources_retrieve", resource.uuid)
    assert now.limits.additional_properties == {"seats": 7}

    answer = party.buyer.answer(
        "marketplace_resources_update_options", resource.uuid, body={"options": {"region": "eu"}}
    )
    assert answer.status_code in (200, 201)
    if answer.status_code == 201:
        changed_by(party, resource, answer.parsed)
    now = party.buyer("marketplace_resources_retrieve", resource.uuid)
    assert now.options.additional_properties == {"region": "eu"}

    periods = party.buyer("marketplace_resources_plan_periods_list", resource.uuid)
    assert {row.plan_name for row in periods} == {"Professional", "Bigger"}
    assert party.stranger.refused("marketplace_resources_plan_periods_list", resource.uuid) == 404

    told = party.buyer("marketplace_resources_terminate", resource.uuid, body={})
    assert party.finished(told.order_uuid).type_ == RequestTypes.TERMINATE
    assert party.buyer("marketplace_resources_retrieve", resource.uuid).state == ResourceState.TERMINATED
    assert party.buyer.refused("marketplace_resources_terminate", resource.uuid, body={}) == 409


def test_usage_is_set_for_the_month_and_listed(party: Party) -> None:
    resource = party.resource(party.offering())
    report = {"resource": resource.uuid.hex, "usages": [{"type": "storage", "amount": "40"}]}
    assert party.stranger.refused("marketplace_component_usages_set_usage", body=report) in (400, 403)
    assert party.buyer.refused("marketplace_component_usages_set_usage", body=report) == 403
    for amount, by in ((40, party.provider), (25, party.provider), (25, party.staff)):
        body = {**report, "usages": [{"type": "storage", "amount": str(amount)}]}
        assert by.answer("marketplace_component_usages_set_usage", body=body).status_code == 201
        (row,) = party.buyer.all("marketplace_component_usages_list", resource_uuid=resource.uuid)
        assert (row.type_, Decimal(str(row.usage)), row.resource_uuid) == ("storage", amount, resource.uuid)
    one = party.buyer("marketplace_component_usages_retrieve", row.uuid)
    assert (one.uuid, one.measured_unit, one.offering_uuid) == (row.uuid, "GB", resource.offering_uuid)
    assert one.billing_period.day == 1
    assert party.stranger.refused("marketplace_component_usages_retrieve", row.uuid) == 404
    assert party.stranger("marketplace_component_usages_list", resource_uuid=resource.uuid) == []
    negative = {**report, "usages": [{"type": "storage", "amount": "-5"}]}
    assert party.provider.refused("marketplace_component_usages_set_usage", body=negative) == 400
    shown = party.buyer("marketplace_resources_retrieve", resource.uuid)
    assert shown.current_usages.additional_properties["storage"] == 25
