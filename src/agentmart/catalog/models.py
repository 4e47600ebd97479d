"""Tables of categories, service providers, offerings, components and plans."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from agentmart.agents.models import Agent, FlowVersion
from agentmart.catalog.states import OfferingState
from agentmart.identity.models import SELLERS, Customer
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, ScopedQuerySet

AGENT_TYPE = "GSVAgents.Agent"
BASIC_TYPE = "Marketplace.Basic"
TYPES = {"gsvagents.agent": AGENT_TYPE, "agentmart.agent": AGENT_TYPE, "marketplace.basic": BASIC_TYPE}


M = TypeVar("M", bound=models.Model)


class PublicQuerySet(ScopedQuerySet[M]):
    """Rows of the public catalogue."""

    def visible_to(self, actor: Actor) -> PublicQuerySet[M]:
        """Return all rows: everybody may read them."""
        return self


class Category(BaseModel):
    """A shelf of the catalogue."""

    title = models.CharField(max_length=150)
    description = models.TextField(blank=True)

    objects = PublicQuerySet["Category"].as_manager()

    class Meta:
        db_table = "catalog_category"

    def __str__(self) -> str:
        return self.title


class ServiceProvider(BaseModel):
    """The public face of a customer that sells."""

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="service_provider")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)

    objects = PublicQuerySet["ServiceProvider"].as_manager()

    class Meta:
        db_table = "catalog_service_provider"

    def __str__(self) -> str:
        return self.name


class OfferingQuerySet(ScopedQuerySet["Offering"]):
    """Offerings: active ones are for everybody, paused ones for holders, the rest for providers and operators."""

    def visible_to(self, actor: Actor) -> OfferingQuerySet:
        """Return the offerings the actor may see."""
        if actor.is_operator:
            return self
        public = models.Q(state=OfferingState.ACTIVE, shared=True)
        mine = models.Q(customer_id__in=actor.customers_as(SELLERS))
        if actor.is_anonymous:
            return self.filter(public)
        held = Offering.objects.filter(
            state=OfferingState.PAUSED, resources__customer_id__in=actor.customer_ids
        ).values("id")
        return self.filter(public | mine | models.Q(id__in=held))

    def managed_by(self, actor: Actor) -> OfferingQuerySet:
        """Return the offerings the actor runs: all for operators, their own for providers."""
        return self if actor.is_operator else self.filter(customer_id__in=actor.customers_as(SELLERS))


class Offering(BaseModel):
    """Something that can be ordered."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="offerings")
    service_provider = models.ForeignKey(ServiceProvider, on_delete=models.PROTECT, related_name="offerings")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="offerings")
    name = models.CharField(max_length=150)
    slug = models.SlugField(max_length=80, unique=True)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=OfferingState.choices, default=OfferingState.DRAFT)
    review = models.CharField(max_length=20, blank=True)  # "pending" while an operator must look at it
    paused_reason = models.CharField(max_length=300, blank=True)
    shared = models.BooleanField(default=True)
    billable = models.BooleanField(default=True)
    plugin_options = models.JSONField(default=dict)
    agent = models.OneToOneField(Agent, on_delete=models.PROTECT, null=True, related_name="offering")
    flow_version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, null=True, related_name="+")
    custom_code = models.BooleanField(default=False)  # of flow_version, which only its provider may read

    objects = OfferingQuerySet.as_manager()

    class Meta:
        db_table = "catalog_offering"

    def __str__(self) -> str:
        return self.name

    @property
    def requires_provider_approval(self) -> bool:
        """Return whether an order waits for the provider (default: only where people fulfil it)."""
        return bool(self.plugin_options.get("require_provider_approval", self.type == BASIC_TYPE))


class CatalogQuerySet(ScopedQuerySet[M]):
    """Parts of offerings, seen with them."""

    def visible_to(self, actor: Actor) -> CatalogQuerySet[M]:
        """Return the parts of the offerings the actor may see."""
        return self.filter(offering__in=Offering.objects.visible_to(actor))


class OfferingComponent(BaseModel):
    """Something an offering measures or charges."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="components")
    type = models.CharField(max_length=60)
    name = models.CharField(max_length=150)
    measured_unit = models.CharField(max_length=30, blank=True)
    billing_type = models.CharField(max_length=10)  # fixed | usage | limit | one | few
    is_builtin = models.BooleanField(default=False)

    objects = CatalogQuerySet["OfferingComponent"].as_manager()

    class Meta:
        db_table = "catalog_offering_component"
        constraints = (
            models.UniqueConstraint(fields=["offering", "type"], name="offering_component_type_once"),
        )

    def __str__(self) -> str:
        return self.type


class Plan(BaseModel):
    """A way to buy an offering: prices per component and limits."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="plans")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    unit = models.CharField(max_length=20, default="month")
    interval_count = models.PositiveSmallIntegerField(default=1)
    currency = models.CharField(max_length=3)
    limits = models.JSONField(default=dict)
    archived = models.BooleanField(default=False)
    max_amount = models.PositiveIntegerField(null=True)

    objects = CatalogQuerySet["Plan"].as_manager()

    class Meta:
        db_table = "catalog_plan"

    def __str__(self) -> str:
        return self.name


class PlanComponent(BaseModel):
    """The price of one component in one plan, in the form of `billing.rating` (`price_to_json`)."""

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="components")
    component = models.ForeignKey(OfferingComponent, on_delete=models.PROTECT, related_name="prices")
    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="+")
    amount = models.PositiveIntegerField(default=0)
    price = models.JSONField(default=dict)

    objects = CatalogQuerySet["PlanComponent"].as_manager()

    class Meta:
        db_table = "catalog_plan_component"
        constraints = (models.UniqueConstraint(fields=["plan", "component"], name="plan_component_once"),)

    def __str__(self) -> str:
        return f"{self.plan_id} {self.component_id}"
