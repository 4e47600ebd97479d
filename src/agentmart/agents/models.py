"""Tables of agents and flow versions."""

from __future__ import annotations

from typing import TypeVar

from django.db import models

from agentmart.agents.states import AgentState
from agentmart.identity.models import SELLERS, Customer
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, ScopedQuerySet

M = TypeVar("M", bound=models.Model)


class SellersQuerySet(ScopedQuerySet[M]):
    """What a provider builds: seen by those who sell for it, and by operators."""

    def visible_to(self, actor: Actor) -> SellersQuerySet[M]:
        """Return the rows the actor may see."""
        return self if actor.is_operator else self.filter(customer_id__in=actor.customers_as(SELLERS))


class Agent(BaseModel):
    """Something a provider built and may sell."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="agents")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    state = models.CharField(max_length=20, choices=AgentState.choices, default=AgentState.DRAFT)
    runtime = models.CharField(max_length=30, default="embedded")
    tags = models.JSONField(default=list)
    exposed = models.JSONField(default=list)  # [{node, field}]: what buyers may set, chosen by the provider

    objects = SellersQuerySet["Agent"].as_manager()

    class Meta:
        db_table = "agents_agent"

    def __str__(self) -> str:
        return self.name

    @property
    def latest_version(self) -> FlowVersion | None:
        """Return the newest imported version (its flow is read when asked for), or None."""
        return self.versions.defer("flow").order_by("-version").first()


class FlowVersion(models.Model):
    """One imported flow: cleaned of secrets, classed node by node, never changed."""

    id = models.UUIDField(primary_key=True)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, related_name="versions")
    customer_id = models.UUIDField(db_index=True)
    version = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    flow = models.JSONField()
    trust = models.CharField(max_length=10)  # known | custom
    langflow_version = models.CharField(max_length=30, blank=True)
    nodes = models.JSONField(default=list)
    tweakable = models.JSONField(default=list)  # candidates, as contracts.grants.Tweakable
    requires = models.JSONField(default=dict)
    warnings = models.JSONField(default=list)
    note = models.CharField(max_length=300, blank=True)
    created = models.DateTimeField()
    created_by = models.CharField(max_length=254)

    objects = SellersQuerySet["FlowVersion"].as_manager()

    class Meta:
        db_table = "agents_flow_version"
        constraints = (
            models.UniqueConstraint(fields=["agent", "version"], name="flow_version_number_once"),
            models.UniqueConstraint(fields=["agent", "sha256"], name="flow_version_content_once"),
        )

    def __str__(self) -> str:
        return f"version {self.version}"


class Studio(BaseModel):
    """Where a provider builds flows: a Langflow, and the API key it is asked with."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="studios")
    name = models.CharField(max_length=150)
    backend_url = models.CharField(max_length=500)
    key_sealed = models.BinaryField()  # kit.sealing under STORED_SECRETS_KEYS; never answered

    objects = SellersQuerySet["Studio"].as_manager()

    class Meta:
        db_table = "agents_studio"

    def __str__(self) -> str:
        return self.name


class StudioFlow(models.Model):
    """Which agent a studio's flow became, so that importing it again makes a version of the same agent."""

    id = models.UUIDField(primary_key=True)
    customer_id = models.UUIDField(db_index=True)
    studio = models.ForeignKey(Studio, on_delete=models.CASCADE, related_name="flows")
    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="studio_flows")
    backend_id = models.UUIDField()  # the studio's id of the flow
    version = models.PositiveIntegerField()  # the agent's version that its content was found to be
    imported = models.DateTimeField()
    updated = models.DateTimeField(null=True)  # when the studio says it had last been changed then

    objects = SellersQuerySet["StudioFlow"].as_manager()

    class Meta:
        db_table = "agents_studio_flow"
        constraints = (models.UniqueConstraint(fields=["studio", "backend_id"], name="studio_flow_once"),)

    def __str__(self) -> str:
        return f"version {self.version}"
