"""The permission matrix at the endpoints: every operation that has one, tried by every role on both sides of a sale."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from tests.support.calls import kept_call
from tests.support.market import (
    AGENTS,
    OFFERINGS,
    ORDERS,
    PLAN,
    member,
    operator,
    order_body,
)
from tests.support.shop import Shop
from tests.support.studio import STUDIOS, stored
from tests.support.world import Api, World

from agentmart.identity.models import Role
from agentmart.identity.permissions import MATRIX

pytestmark = pytest.mark.django_db


Attempt = Callable[[Api, Shop], Any]


def open_issue(api: Api, resource: str) -> Any:
    """Ask the support desk about a resource."""
    return api.post("/api/support-issues/", {"summary": "X", "resource": resource})


def buyers_issue(shop: Shop) -> str:
    """The path of an issue of the buyer's owner."""
    return f"/api/support-issues/{open_issue(shop.world.buyer.api, shop.resource).json()['uuid']}/"


def seller(shop: Shop) -> str:
    """The path of the seller's public face."""
    path = "/api/marketplace-service-providers/"
    found = shop.world.operator.api.get(path, customer_uuid=shop.provider).json()
    return f"{path}{found[0]['uuid']}/"


def studio(shop: Shop) -> str:
    """The path of a studio of the provider."""
    return stored(shop.world.provider.customer)


def call_of(shop: Shop) -> str:
    """A call of the buyer's agent whose content is kept."""
    return kept_call(shop.resource).hex


ATTEMPTS: list[tuple[str, str, Attempt]] = [
    ("category.write", "create", lambda api, s: api.post("/api/marketplace-categories/", {"title": "X"})),
    (
        "offering.create",
        "create",
        lambda api, s: api.post(
            OFFERINGS,
            {"name": "X", "category": s.category, "type": "Marketplace.Basic", "customer": s.provider},
        ),
    ),
    ("offering.activate", "activate", lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/activate/")),
    ("offering.activate", "draft", lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/draft/")),
    ("offering.pause", "unpause", lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/unpause/")),
    (
        "plan.write",
        "create",
        lambda api, s: api.post("/api/marketplace-plans/", {**PLAN, "offering": s.sold["offering"]}),
    ),
    ("offering.edit", "change", lambda api, s: api.patch(f"{OFFERINGS}{s.sold['offering']}/", {"name": "X"})),
    (
        "offering.edit",
        "update_options",
        lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/update_options/", {}),
    ),
    ("offering.create", "delete", lambda api, s: api.delete(f"{OFFERINGS}{s.sold['offering']}/")),
    (
        "offering.secrets",
        "set",
        lambda api, s: api.patch(f"{OFFERINGS}{s.sold['offering']}/", {"secret_options": {}}),
    ),
    (
        "offering.activate",
        "stop",
        lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/make_unavailable/"),
    ),
    (
        "offering.activate",
        "approve",
        lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/approve_revision/"),
    ),
    (
        "plan.write",
        "add a component",
        lambda api, s: api.post(f"{OFFERINGS}{s.sold['offering']}/create_offering_component/", {}),
    ),
    ("plan.write", "delete", lambda api, s: api.delete(f"/api/marketplace-plans/{s.sold['plan']}/")),
    (
        "plan.edit",
        "rename",
        lambda api, s: api.patch(f"/api/marketplace-plans/{s.sold['plan']}/", {"name": "X"}),
    ),
    (
        "plan.price",
        "update_prices",
        lambda api, s: api.post(f"/api/marketplace-plans/{s.sold['plan']}/update_prices/", {}),
    ),
    ("provider.edit", "describe", lambda api, s: api.patch(seller(s), {"description": "X"})),
    ("agent.write", "delete", lambda api, s: api.delete(s.agent)),
    ("agent.write", "unpublish", lambda api, s: api.post(f"{s.agent}unpublish/")),
    (
        "order.place",
        "create",
        lambda api, s: api.post(ORDERS, order_body(s.world, s.sold, attributes={"name": "N"})),
    ),
    ("order.review_as_provider", "approve_by", lambda api, s: api.post(f"{s.order}approve_by_provider/")),
    ("order.review_as_provider", "retry", lambda api, s: api.post(f"{s.order}retry/")),
    ("order.review_as_consumer", "cancel", lambda api, s: api.post(f"{s.order}cancel/")),
    (
        "order.review_as_consumer",
        "approve_by",
        lambda api, s: api.post(f"{s.order}approve_by_consumer/"),
    ),
    ("order.review_as_consumer", "reject_by", lambda api, s: api.post(f"{s.order}reject_by_consumer/")),
    ("order.review_as_consumer", "edit", lambda api, s: api.patch(s.order, {})),
    ("order.review_as_provider", "reject_by", lambda api, s: api.post(f"{s.order}reject_by_provider/")),
    ("order.review_as_provider", "executing", lambda api, s: api.post(f"{s.order}set_state_executing/")),
    ("order.review_as_provider", "done", lambda api, s: api.post(f"{s.order}set_state_done/")),
    ("order.review_as_provider", "erred", lambda api, s: api.post(f"{s.order}set_state_erred/")),
    ("order.review_as_provider", "backend id", lambda api, s: api.post(f"{s.order}set_backend_id/")),
    ("order.review_as_provider", "message", lambda api, s: api.post(f"{s.order}set_provider_info/")),
    ("order.review_as_provider", "restore", lambda api, s: api.post(f"{s.resource}restore/")),
    ("order.place", "message", lambda api, s: api.post(f"{s.order}set_consumer_info/")),
    ("order.place", "switch plan", lambda api, s: api.post(f"{s.resource}switch_plan/")),
    ("order.place", "limits", lambda api, s: api.post(f"{s.resource}update_limits/")),
    ("order.place", "options", lambda api, s: api.post(f"{s.resource}update_options/")),
    ("order.comment", "comment", lambda api, s: api.post(f"{s.order}comments/")),
    (
        "approval_rule.write_as_consumer",
        "create",
        lambda api, s: api.post(
            "/api/marketplace-order-approval-rules/", {"side": "consumer", "customer": s.customer}
        ),
    ),
    (
        "approval_rule.write_as_consumer",
        "of a project",
        lambda api, s: api.post("/api/marketplace-project-order-auto-approvals/", {"project": s.project}),
    ),
    (
        "approval_rule.write_as_provider",
        "create",
        lambda api, s: api.post(
            "/api/marketplace-order-approval-rules/", {"side": "provider", "customer": s.provider}
        ),
    ),
    ("resource.edit", "rename", lambda api, s: api.patch(s.resource, {"name": "X"})),
    ("resource.pause", "pause", lambda api, s: api.post(f"{s.resource}set_paused/", {"paused": False})),
    ("resource.pause", "downscale", lambda api, s: api.post(f"{s.resource}set_downscaled/")),
    ("resource.terminate", "terminate", lambda api, s: api.post(f"{s.resource}terminate/")),
    ("customer.create", "create", lambda api, s: api.post("/api/customers/", {"name": "X"})),
    (
        "customer.create",
        "register as provider",
        lambda api, s: api.post(
            "/api/marketplace-service-providers/",
            {"customer": s.customer} if api.get(s.customer).status_code == 200 else {"customer": s.provider},
        ),
    ),
    ("customer.block", "block", lambda api, s: api.post(f"{s.customer}block/")),
    ("customer.block", "unblock", lambda api, s: api.post(f"{s.customer}unblock/")),
    ("customer.edit", "edit", lambda api, s: api.patch(s.customer, {"address": "1 Road"})),
    ("customer.edit_plain_fields", "rename", lambda api, s: api.patch(s.customer, {"name": uuid4().hex})),
    (
        "customer.edit_staff_fields",
        "allow code",
        lambda api, s: api.patch(s.customer, {"custom_code_allowed": not s.shown()["custom_code_allowed"]}),
    ),
    (
        "customer.edit_tax",
        "tax",
        lambda api, s: api.patch(
            s.customer,
            {"default_tax_percent": str((Decimal(s.shown()["default_tax_percent"]) + 1) % 100)},
        ),
    ),
    ("customer.delete", "delete", lambda api, s: api.delete(s.customer)),
    ("project.edit", "rename", lambda api, s: api.patch(s.project, {"name": "X"})),
    ("project.delete", "delete", lambda api, s: api.delete(s.project)),
    ("member.see", "list_users", lambda api, s: api.get(f"{s.customer}list_users/")),
    ("member.see_in_project", "list_users", lambda api, s: api.get(f"{s.project}list_users/")),
    (
        "project.create",
        "create",
        lambda api, s: api.post("/api/projects/", {"name": "X", "customer": s.customer}),
    ),
    ("member.write", "add_user", lambda api, s: api.post(f"{s.customer}add_user/", {})),
    ("member.write_in_project", "add_user", lambda api, s: api.post(f"{s.project}add_user/", {})),
    ("user.write", "create", lambda api, s: api.post("/api/users/", {"username": ""})),
    (
        "user.impersonate",
        "start",
        lambda api, s: api.post(f"/api/users/{s.world.buyer.user.uuid}/impersonate/", {"reason": ""}),
    ),
    (
        "user.impersonate",
        "end",
        lambda api, s: api.delete(f"/api/users/{s.world.buyer.user.uuid}/impersonate/"),
    ),
    ("audit.see", "see", lambda api, s: api.get(f"/api/audit-log/{_entry(s)}/")),
    (
        "agent.write",
        "create",
        lambda api, s: api.post(AGENTS, {"name": "X", "customer": s.provider}),
    ),
    ("agent.write", "rename", lambda api, s: api.patch(s.agent, {"name": "X"})),
    ("agent.write", "import", lambda api, s: api.post(f"{s.agent}import_flow/", {"flow": "{"})),
    ("agent.write", "publish", lambda api, s: api.post(f"{s.agent}publish/", {})),
    ("agent.see", "version", lambda api, s: api.get(f"{s.agent}versions/1/")),
    ("agent.see", "see", lambda api, s: api.get(s.agent)),
    ("agent.see", "versions", lambda api, s: api.get(f"{s.agent}versions/")),
    ("agent.see", "validate", lambda api, s: api.post(f"{s.agent}validate_flow/", {"flow": "{"})),
    (
        "studio.use",
        "create",
        lambda api, s: api.post(STUDIOS, {"name": "X", "customer": s.provider}),
    ),
    ("studio.use", "see", lambda api, s: api.get(studio(s))),
    ("studio.use", "rename", lambda api, s: api.patch(studio(s), {"name": "X"})),
    ("studio.use", "delete", lambda api, s: api.delete(studio(s))),
    ("studio.use", "check", lambda api, s: api.post(f"{studio(s)}check_connection/")),
    ("studio.use", "look", lambda api, s: api.get(f"{studio(s)}importable_flows/")),
    (
        "studio.use",
        "import",
        lambda api, s: api.post(f"{studio(s)}import_flows/", {"flows": [uuid4().hex]}),
    ),
    ("config.see", "see", lambda api, s: api.get(s.config)),
    ("config.edit", "rename", lambda api, s: api.patch(s.config, {"name": "X"})),
    ("key.see", "list", lambda api, s: api.get(f"{s.config}api-keys/")),
    ("key.write", "issue", lambda api, s: api.post(f"{s.config}api-keys/", {"name": "X"})),
    ("key.see", "detail", lambda api, s: api.get(s.key)),
    ("key.write", "rotate", lambda api, s: api.post(f"{s.key}rotate/", {})),
    ("widget.embed", "embed", lambda api, s: api.get(f"{s.config}widget-embed/")),
    ("key.revoke", "revoke", lambda api, s: api.delete(s.key)),
    ("stats.revenue", "revenue", lambda api, s: api.get("/api/marketplace-stats/revenue/")),
    ("stats.revenue", "kpis", lambda api, s: api.get("/api/marketplace-stats/kpis/")),
    ("stats.usage", "usage", lambda api, s: api.get("/api/marketplace-stats/usage/")),
    ("stats.usage", "orders", lambda api, s: api.get("/api/marketplace-stats/orders/")),
    ("stats.usage", "order_stats", lambda api, s: api.get("/api/marketplace-stats/order_stats/")),
    ("stats.usage", "customers", lambda api, s: api.get("/api/marketplace-stats/customers/")),
    ("stats.usage", "component_usages", lambda api, s: api.get("/api/marketplace-stats/component_usages/")),
    (
        "stats.own_revenue",
        "revenue",
        lambda api, s: api.get(f"/api/marketplace-service-providers/{s.seller()}/revenue/"),
    ),
    (
        "usage.report",
        "a day's",
        lambda api, s: api.post(
            "/api/marketplace-component-usages/",
            {"resource": s.resource, "component": "requests", "usage": "x"},
        ),
    ),
    (
        "usage.report",
        "a month's",
        lambda api, s: api.post("/api/marketplace-component-usages/set_usage/", {"resource": s.resource}),
    ),
    ("usage.see", "sums", lambda api, s: api.get(f"{s.config}usage/")),
    ("usage.see", "calls", lambda api, s: api.get(f"{s.config}calls/")),
    ("usage.see", "one call", lambda api, s: api.get(f"{s.config}calls/{call_of(s)}/")),
    ("payload.see", "read", lambda api, s: api.get(f"{s.config}calls/{call_of(s)}/payload/")),
    ("payload.write", "erase", lambda api, s: api.delete(f"{s.config}calls/{call_of(s)}/payload/")),
    ("payload.write", "erase all", lambda api, s: api.delete(f"{s.config}payloads/")),
    ("issue.open", "about a resource", lambda api, s: open_issue(api, s.resource)),
    ("issue.see", "see", lambda api, s: api.get(buyers_issue(s))),
    ("issue.comment", "comment", lambda api, s: api.post(f"{buyers_issue(s)}comment/", {"description": "X"})),
    ("issue.comment", "reopen", lambda api, s: api.post(f"{buyers_issue(s)}reopen/")),
    ("issue.handle", "assign", lambda api, s: api.patch(buyers_issue(s), {"assignee": None})),
    ("issue.handle", "set_status", lambda api, s: api.post(f"{buyers_issue(s)}set_status/")),
    ("issue.handle", "resolve", lambda api, s: api.post(f"{buyers_issue(s)}resolve/")),
    ("issue.handle", "escalate", lambda api, s: api.post(f"{buyers_issue(s)}escalate/")),
    ("issue.handle", "bulk_update", lambda api, s: api.post("/api/support-issues/bulk_update/")),
    ("issue.delete", "delete", lambda api, s: api.delete(buyers_issue(s))),
    ("sla.write", "see the targets", lambda api, s: api.get("/api/support-sla/")),
]

WITHOUT_ENDPOINT = {
    "issue.moderate": "tests/support_desk/test_comments.py, test_files.py: besides whoever wrote or sent it",
    "offering.activate_own": "tests/catalog/test_review.py: counts only where providers publish directly",
    "order.review_as_consumer_private": "tests/ordering/test_two_sides.py",
    "user.see": "tests/identity/test_people.py",
    "usage.correct": "tests/metering/test_component_usages.py: without it the provider's report is a 409",
    "invoice.see": "tests/billing",
    "invoice.write": "tests/billing",
}
CONFIG_IS_THE_BUYERS = {"usage.see"}  # the provider sees usage elsewhere: settings are not shown to it


def _entry(shop: Shop) -> str:
    """An entry of the log about the buyer's things."""
    customer = shop.customer.rstrip("/").rsplit("/", 1)[-1]
    uuid: str = shop.world.operator.api.get("/api/audit-log/", customer_uuid=customer).json()[0]["uuid"]
    return uuid


def cast(world: World) -> dict[str, Api]:
    """Everybody who may try: the matrix's columns, the same roles on the wrong side, and a stranger."""
    buyer, project, provider = world.buyer.customer, world.buyer.project, world.provider.customer
    seller_project = world.provider.project
    return {
        "St": world.operator.api,
        "Su": operator("is_support"),
        "Fi": operator("is_finance"),
        "Ca": operator("is_catalog_manager"),
        "CO": world.buyer.api,
        "CM": member(buyer, Role.CUSTOMER_MANAGER),
        "CS": member(buyer, Role.CUSTOMER_SUPPORT),
        "PA": member(buyer, Role.PROJECT_ADMIN, project),
        "PM": member(buyer, Role.PROJECT_MANAGER, project),
        "Pm": member(buyer, Role.PROJECT_MEMBER, project),
        "PO": world.provider.api,
        "OM": member(provider, Role.OFFERING_MANAGER),
        "buyer's OM": member(buyer, Role.OFFERING_MANAGER),
        "provider's CM": member(provider, Role.CUSTOMER_MANAGER),
        "provider's CS": member(provider, Role.CUSTOMER_SUPPORT),
        "provider's PA": member(provider, Role.PROJECT_ADMIN, seller_project),
        "stranger": world.stranger.api,
    }


def test_every_operation_is_tried() -> None:
    tried = {operation for operation, _, _ in ATTEMPTS}
    assert tried | set(WITHOUT_ENDPOINT) == set(MATRIX)
    assert tried & set(WITHOUT_ENDPOINT) == set()


@pytest.mark.parametrize(
    ("operation", "attempt"),
    [pytest.param(operation, attempt, id=f"{operation}: {name}") for operation, name, attempt in ATTEMPTS],
)
def test_matrix(shop: Shop, operation: str, attempt: Attempt) -> None:
    """Who the matrix names is let in (whatever comes of it); everybody else gets 403, or 404, or "does not exist"."""
    allowed = set(MATRIX[operation].split())
    if operation in CONFIG_IS_THE_BUYERS:
        allowed -= {"PO", "OM"}
    let_in = set()
    for who, api in cast(shop.world).items():
        answer = attempt(api, shop)
        assert answer.status_code != 401 and answer.status_code < 500, (who, answer.content)
        unseen = answer.status_code == 400 and b"Object does not exist" in answer.content
        if answer.status_code not in (403, 404) and not unseen:
            let_in.add(who)
    assert let_in == allowed


@pytest.mark.parametrize(
    "attempt", [pytest.param(attempt, id=f"{operation}: {name}") for operation, name, attempt in ATTEMPTS]
)
def test_visitors_are_asked_to_log_in(shop: Shop, attempt: Attempt) -> None:
    answer = attempt(shop.world.visitor, shop)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert answer.json() == {"detail": "Authentication credentials were not provided."}
