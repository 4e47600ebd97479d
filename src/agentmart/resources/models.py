"""Tables of resources, the plans they ran under, and the buyer's settings."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from agentmart.agents.models import FlowVersion
from agentmart.catalog.models import Offering, Plan
from agentmart.identity.models import SELLERS, Customer, Project
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, JsonField, ScopedQuerySet
from agentmart.resources.states import ResourceState


class ResourceQuerySet(ScopedQuerySet["Resource"]):
    """Resources, seen by the buyer's people (project roles: their projects) and by the provider."""

    def visible_to(self, actor: Actor) -> ResourceQuerySet:
        """Return the resources the actor may see."""
        if actor.is_operator:
            return self
        projects = Project.objects.visible_to(actor).values("id")
        return self.filter(
            models.Q(project_id__in=projects) | models.Q(provider_customer_id__in=actor.customers_as(SELLERS))
        )


class Resource(BaseModel):
    """A live instance: born of an order, ended by one. Shared with the provider, so it carries copies of names."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="resources")
    customer_name = models.CharField(max_length=150)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="resources")
    project_name = models.CharField(max_length=150)
    provider_customer_id = models.UUIDField(db_index=True)
    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="resources")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="resources")
    flow_version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, null=True, related_name="+")
    version = models.PositiveIntegerField(null=True)  # of flow_version, which only its provider may read
    runtime = models.CharField(max_length=30, blank=True)
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    state = models.CharField(
        max_length=20, choices=ResourceState.choices, default=ResourceState.CREATING, db_index=True
    )
    paused = models.BooleanField(default=False)
    downscaled = models.BooleanField(default=False)
    attributes = JsonField(default=dict)  # what the buyer said when ordering
    limits = JsonField(default=dict)  # component type → ordered quantity
    options = JsonField(default=dict)
    backend_id = models.CharField(max_length=255, blank=True)
    backend_metadata = JsonField(default=dict)  # what the provider's system says of it
    access_points = JsonField(default=list)  # [{name, url}]: where the provider serves it
    report = JsonField(default=list)  # [{header, body}]: what the provider reports of it
    last_sync = models.DateTimeField(null=True)  # when the provider's system last looked at it
    end_date = models.DateField(null=True, db_index=True)  # the last day; its end is ordered after it
    end_date_requested_by = models.CharField(max_length=254, blank=True)
    end_date_updated_at = models.DateTimeField(null=True)
    error_message = models.CharField(max_length=500, blank=True)
    activated_at = models.DateTimeField(null=True)
    terminated_at = models.DateTimeField(null=True)

    objects = ResourceQuerySet.as_manager()

    class Meta:
        db_table = "resources_resource"
        indexes = (models.Index(fields=["-created", "id"], name="resources_resource_newest"),)

    def __str__(self) -> str:
        return self.name

    @property
    def synced_at(self) -> datetime:
        """Return when the provider's system last looked at it: at its birth, where it never did."""
        return self.last_sync or self.created

    @property
    def deployment_id(self) -> str:
        """Return the id under which a runtime knows this instance."""
        return self.id.hex


class PlanPeriodQuerySet(ScopedQuerySet["PlanPeriod"]):
    """Plan periods, seen by buyer and provider."""

    scope = ("customer_id", "provider_customer_id")


class PlanPeriod(BaseModel):
    """The time a resource ran under one plan with the same limits, half-open; what fees are prorated by."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="plan_periods")
    customer_id = models.UUIDField(db_index=True)
    provider_customer_id = models.UUIDField()
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    limits = JsonField(default=dict)  # what was ordered by limit in this time
    start = models.DateTimeField()
    end = models.DateTimeField(null=True)

    objects = PlanPeriodQuerySet.as_manager()

    class Meta:
        db_table = "resources_plan_period"
        indexes = (models.Index(fields=["end"], name="resources_period_end"),)
        constraints = (
            models.UniqueConstraint(
                fields=["resource"], condition=models.Q(end=None), name="one_open_plan_period"
            ),
        )

    def __str__(self) -> str:
        return f"{self.resource} from {self.start:%Y-%m-%d %H:%M}"


class AgentConfigQuerySet(ScopedQuerySet["AgentConfig"]):
    """Settings, seen by the buyer's people only."""

    def visible_to(self, actor: Actor) -> AgentConfigQuerySet:
        """Return the settings the actor may see."""
        if actor.is_operator:
            return self
        projects = Project.objects.visible_to(actor).values("id")
        return self.filter(customer_id__in=actor.customer_ids, resource__project_id__in=projects)


class AgentConfig(BaseModel):
    """A buyer's settings of one resource; born with it."""

    resource = models.OneToOneField(Resource, on_delete=models.CASCADE, related_name="config")
    customer_id = models.UUIDField(db_index=True)
    name = models.CharField(max_length=150)
    tweaks = JsonField(default=dict)
    tweakable = JsonField(default=list)  # what the version exposes, as contracts.grants.Tweakable
    follows_latest = models.BooleanField(default=False)  # take every version the offering moves on to?
    allowed_origins = JsonField(default=list)
    widget = JsonField(default=dict)
    budget = JsonField(default=dict)
    spending = JsonField(default=dict)  # month, what it has cost so far, the steps told; noted by metering

    objects = AgentConfigQuerySet.as_manager()

    class Meta:
        db_table = "resources_agent_config"

    def __str__(self) -> str:
        return self.name
