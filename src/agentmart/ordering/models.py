"""The table of orders."""

from __future__ import annotations

from django.db import models

from agentmart.catalog.models import Offering, Plan
from agentmart.identity.models import SELLERS, Customer, Project
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, ScopedQuerySet
from agentmart.ordering.states import OPEN, OrderState, OrderType
from agentmart.resources.models import Resource


class OrderQuerySet(ScopedQuerySet["Order"]):
    """Orders, seen by the buyer's people (project roles: their projects) and by the provider."""

    def visible_to(self, actor: Actor) -> OrderQuerySet:
        """Return the orders the actor may see."""
        if actor.is_operator:
            return self
        projects = Project.objects.visible_to(actor).values("id")
        return self.filter(
            models.Q(project_id__in=projects) | models.Q(provider_customer_id__in=actor.customers_as(SELLERS))
        )


class Order(BaseModel):
    """A request to create, change or end a resource. Shared with the provider, so it carries copies of names."""

    type = models.CharField(max_length=20, choices=OrderType.choices)
    state = models.CharField(max_length=20, choices=OrderState.choices)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    customer_name = models.CharField(max_length=150)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="orders")
    project_name = models.CharField(max_length=150)
    provider_customer_id = models.UUIDField(db_index=True)
    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="orders")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="orders")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="orders")
    resource_name = models.CharField(max_length=150)
    attributes = models.JSONField(default=dict)
    limits = models.JSONField(default=dict)
    cost = models.DecimalField(max_digits=20, decimal_places=2, null=True)
    request_comment = models.TextField(blank=True)
    created_by_id = models.UUIDField(null=True)
    created_by_username = models.CharField(max_length=254, blank=True)
    consumer_reviewed_by = models.CharField(max_length=254, blank=True)
    consumer_reviewed_at = models.DateTimeField(null=True)
    consumer_rejection_comment = models.TextField(blank=True)
    provider_reviewed_by = models.CharField(max_length=254, blank=True)
    provider_reviewed_at = models.DateTimeField(null=True)
    provider_rejection_comment = models.TextField(blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    completed_at = models.DateTimeField(null=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        db_table = "ordering_order"
        constraints = (
            models.UniqueConstraint(
                fields=["resource"], condition=models.Q(state__in=OPEN), name="one_open_order_per_resource"
            ),
            models.UniqueConstraint(
                fields=["project", "offering", "resource_name"],
                condition=models.Q(type=OrderType.CREATE, state__in=OPEN),
                name="one_open_create_order_per_name",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.resource_name} ({self.state})"
