"""Reads of orders: what they cost, who may decide them, which rule approves them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db.models import Prefetch, Q, QuerySet

from agentmart.catalog.models import Offering, OfferingComponent, Plan
from agentmart.catalog.price_json import price_from_json
from agentmart.identity.models import BUYERS, Customer, Project, Role
from agentmart.identity.permissions import permitted
from agentmart.infra.actors import Actor
from agentmart.ordering.models import ApprovalRule, Order, OrderCallback, OrderComment
from agentmart.ordering.pricing import Cost, PricedComponent, cost_of
from agentmart.ordering.states import OPEN, OrderState, OrderType, Side
from agentmart.resources.models import Resource

SEEN_WITH = ("offering__service_provider", "offering__category", "plan", "old_plan", "resource")
SHOWN_BESIDE = (
    *(
        f"offering__{name}"
        for name in ("name", "description", "type", "shared", "billable", "plugin_options")
    ),
    "offering__service_provider__name",
    "offering__category__title",
    *(f"plan__{name}" for name in ("name", "unit", "description")),
    "old_plan__name",
    "resource__end_date",
)
"""What an order's answer shows of the rows beside it."""
OWN_COLUMNS = tuple(field.name for field in Order._meta.concrete_fields)


def with_all(orders: Any) -> QuerySet[Order]:
    """Return orders with everything their answer shows, in one query."""
    rows: QuerySet[Order] = orders.select_related(*SEEN_WITH)
    return rows


def listed(orders: Any) -> QuerySet[Order]:
    """Return orders with what their answer shows, and no more of the rows beside them."""
    return with_all(orders).only(*OWN_COLUMNS, *SHOWN_BESIDE)


def with_open_order(resources: Any) -> QuerySet[Resource]:
    """Return resources with the order that is not finished yet, in one more query."""
    unfinished = with_all(Order.objects.filter(state__in=OPEN))
    rows: QuerySet[Resource] = resources.prefetch_related(
        Prefetch("orders", queryset=unfinished, to_attr="open_orders")
    )
    return rows


def open_orders_of(resource: Resource) -> list[Order]:
    """Return the order that is not finished yet, as a list of at most one."""
    read: list[Order] | None = getattr(resource, "open_orders", None)
    return list(with_all(resource.orders.filter(state__in=OPEN))) if read is None else read


def creation_order_of(resource: Resource) -> Order | None:
    """Return the order that the resource was born of."""
    return with_all(resource.orders.filter(type=OrderType.CREATE)).order_by("created").first()


def comments_of(order: Order) -> QuerySet[OrderComment]:
    """Return what was said about an order, oldest first."""
    return order.comments.order_by("created", "id")


def callbacks_of(order: Order) -> QuerySet[OrderCallback]:
    """Return the messages to the order's `callback_url`, oldest first."""
    return order.callbacks.order_by("created", "id")


def cost_today(plan: Plan | None, limits: Mapping[str, Any], *, today: date) -> Cost:
    """Return what a plan costs with these limits at today's prices."""
    if plan is None:
        return Cost()
    rows = plan.components.select_related("component")
    priced = [
        PricedComponent(row.component.type, row.component.billing_type, price_from_json(row.price_on(today)))
        for row in rows
    ]
    return cost_of(priced, limits, plan.currency)


def limit_components(offering: Offering) -> dict[str, OfferingComponent]:
    """Return the components of an offering that are ordered by limit, by type."""
    rows = offering.components.filter(billing_type="limit").order_by("type")
    return {row.type: row for row in rows}


def may_approve_as_consumer(actor: Actor, *, customer_id: Any, project_id: Any, shared: bool) -> bool:
    """Return whether the actor may approve an order for the buyer."""
    operation = "order.review_as_consumer" if shared else "order.review_as_consumer_private"
    return permitted(actor, operation, customer_id=customer_id, project_id=project_id)


def approvable_as_consumer(actor: Actor) -> QuerySet[Order]:
    """Return the orders that wait for the buyer and that the actor may approve for it."""
    rows = Order.objects.filter(state=OrderState.PENDING_CONSUMER)
    if permitted(actor, "order.review_as_consumer"):
        return rows
    whole = actor.customers_as({Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER})
    roles = {Role.PROJECT_ADMIN, Role.PROJECT_MANAGER}
    single = {grant.project_id for grant in actor.grants if grant.project_id and grant.role in roles}
    return rows.filter(Q(customer_id__in=whole) | Q(project_id__in=single, offering__shared=False))


def approvable_as_provider(actor: Actor) -> QuerySet[Order]:
    """Return the orders that wait for the provider and that the actor may approve for it."""
    rows = Order.objects.filter(state=OrderState.PENDING_PROVIDER)
    if permitted(actor, "order.review_as_provider"):
        return rows
    sellers = actor.customers_as({Role.CUSTOMER_OWNER, Role.OFFERING_MANAGER})
    return rows.filter(provider_customer_id__in=sellers)


def side_of(actor: Actor, order: Order) -> str:
    """Return for whom the actor speaks about an order: consumer, provider or operator."""
    if actor.is_operator:
        return "operator"
    mine = any(
        grant.customer_id == order.customer_id
        and (grant.project_id == order.project_id if grant.project_id else grant.role in BUYERS)
        for grant in actor.grants
    )
    return Side.CONSUMER if mine else Side.PROVIDER


def consumer_rules(project: Project, offering: Offering, actor: Actor) -> list[ApprovalRule]:
    """Return the buyer's rules that this person's order in this project meets, its cost aside."""
    rules = ApprovalRule.objects.filter(side=Side.CONSUMER, customer_id=project.customer_id, enabled=True)
    rules = rules.filter(Q(project=None) | Q(project_id=project.id))
    roles = {
        grant.role
        for grant in actor.grants
        if grant.customer_id == project.customer_id and grant.project_id in (None, project.id)
    }
    rows = rules.filter(_about(offering)).filter(Q(role="") | Q(role__in=roles))
    return list(rows.order_by("created", "id"))


def provider_rules(customer: Customer, offering: Offering) -> list[ApprovalRule]:
    """Return the provider's rules that an order of this customer meets, its cost aside."""
    rules = ApprovalRule.objects.filter(side=Side.PROVIDER, customer_id=offering.customer_id, enabled=True)
    rows = rules.filter(_about(offering)).filter(Q(buyer_id=None) | Q(buyer_id=customer.id))
    return list(rows.order_by("created", "id"))


def _about(offering: Offering) -> Q:
    """Return the condition that a rule is about this offering."""
    this_one = Q(offering=None) | Q(offering_id=offering.id)
    return this_one & (Q(category=None) | Q(category_id=offering.category_id))
