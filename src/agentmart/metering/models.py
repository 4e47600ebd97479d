"""Tables of calls under way, usage events, hourly sums and flagged calls, and of usage that people report.

The gateway writes the first three; a trigger notes which months of a metered component have usage.
"""

from __future__ import annotations

from typing import Any

from django.db import models

from agentmart.catalog.models import Offering
from agentmart.identity.models import SELLERS, Project
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, M, ScopedQuerySet
from agentmart.kit.ids import new_id
from agentmart.resources.models import AgentConfig, Resource


class SharedQuerySet(ScopedQuerySet[M]):
    """Usage, seen by the buyer and by the provider."""

    scope = ("customer_id", "provider_customer_id")


class CallStarted(models.Model):
    """A call that was let in and whose delivery is not yet known; the row goes once the answer is delivered.

    A row that stays has an event (metered, perhaps not delivered) or none (died before it was metered); the
    sweeper flags both kinds in `CallFlag`.
    """

    call_id = models.UUIDField(primary_key=True)
    gateway_id = models.UUIDField()
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    resource_id = models.UUIDField()
    key_id = models.UUIDField()
    started_at = models.DateTimeField(db_index=True)

    objects = SharedQuerySet["CallStarted"].as_manager()

    class Meta:
        db_table = "metering_call_started"

    def __str__(self) -> str:
        return f"call {self.call_id}"


class UsageEvent(models.Model):
    """One metered call or reported quantity; never changed. Partitioned by month on the id's time prefix."""

    id = models.UUIDField(primary_key=True)
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    project_id = models.UUIDField()
    resource_id = models.UUIDField()
    offering_id = models.UUIDField()
    plan_id = models.UUIDField(null=True)
    key_id = models.UUIDField(null=True)
    flow_version_id = models.UUIDField(null=True)
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    status = models.CharField(max_length=20)
    requests = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    source = models.CharField(max_length=20)
    duration_ms = models.IntegerField()
    streamed = models.BooleanField()
    error_code = models.CharField(max_length=60)
    meters = models.JSONField(default=dict)
    http_status = models.SmallIntegerField(null=True)
    queue_ms = models.IntegerField(null=True)
    runtime_ms = models.IntegerField(null=True)
    first_token_ms = models.IntegerField(null=True)
    bytes_in = models.BigIntegerField(null=True)
    bytes_out = models.BigIntegerField(null=True)
    model = models.CharField(max_length=120, default="")

    objects = SharedQuerySet["UsageEvent"].as_manager()

    class Meta:
        db_table = "metering_usage_event"
        managed = False  # partitioned: created by SQL in the migration

    def __str__(self) -> str:
        return f"usage {self.id}"


class UsageHour(models.Model):
    """Sums of the events of one resource under one plan in one hour (UTC), written with the events."""

    pk = models.CompositePrimaryKey("resource_id", "hour", "plan_key")
    resource_id = models.UUIDField()
    hour = models.DateTimeField()
    plan_key = models.UUIDField()  # the plan, or the nil UUID where there is none
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    project_id = models.UUIDField()
    offering_id = models.UUIDField()
    events = models.BigIntegerField()
    errors = models.BigIntegerField()
    requests = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()

    objects = SharedQuerySet["UsageHour"].as_manager()

    class Meta:
        db_table = "metering_usage_hour"
        managed = False

    def __str__(self) -> str:
        return f"{self.resource_id} {self.hour:%Y-%m-%d %H}h"


class UsagePart(models.Model):
    """Sums of the events of one resource in one hour (UTC) by key and version.

    Made by a job some time after the hour, so that calls cost nothing more; whoever reads them compares them with
    the hourly sums and reads the events of the hours that do not agree (`metering.breakdown`).
    """

    pk = models.CompositePrimaryKey("resource_id", "hour", "key_key", "version_key")
    resource_id = models.UUIDField()
    hour = models.DateTimeField()
    key_key = models.UUIDField()  # the key, or the nil UUID where there is none
    version_key = models.UUIDField()  # the flow version, likewise
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    events = models.BigIntegerField()
    errors = models.BigIntegerField()
    requests = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()

    objects = SharedQuerySet["UsagePart"].as_manager()

    class Meta:
        db_table = "metering_usage_part"
        managed = False

    def __str__(self) -> str:
        return f"{self.resource_id} {self.hour:%Y-%m-%d %H}h {self.key_key}"


class PayloadSetting(models.Model):
    """Whether a buyer has the content of an agent's calls kept, for how long, and what is made unreadable in it."""

    config = models.OneToOneField(
        AgentConfig,
        on_delete=models.CASCADE,
        primary_key=True,
        db_constraint=False,
        related_name="payload_setting",
    )
    customer_id = models.UUIDField(db_index=True)
    enabled = models.BooleanField(default=False)
    retention_days = models.PositiveSmallIntegerField(default=30)
    redact = models.JSONField(default=list)  # as contracts.payloads.Policy.redact
    modified = models.DateTimeField()

    objects = ScopedQuerySet["PayloadSetting"].as_manager()

    class Meta:
        db_table = "metering_payload_setting"
        constraints = (
            models.CheckConstraint(
                condition=models.Q(retention_days__gte=1, retention_days__lte=90),
                name="payload_retention_days",
            ),
        )

    def __str__(self) -> str:
        return f"{self.config}: {'on' if self.enabled else 'off'}"


class CallPayload(models.Model):
    """The content of one call, redacted and encrypted; the buyer's alone, gone after its retention."""

    call_id = models.UUIDField(primary_key=True)
    customer_id = models.UUIDField()
    config_id = models.UUIDField()
    occurred_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    sealed = models.BinaryField()

    objects = ScopedQuerySet["CallPayload"].as_manager()

    class Meta:
        db_table = "metering_call_payload"
        indexes = (models.Index(fields=["config_id", "call_id"], name="metering_payload_config"),)

    def __str__(self) -> str:
        return f"content of call {self.call_id}"


class CallFlag(models.Model):
    """A call whose end needs an explanation: `undelivered` (metered, delivery unknown) or `abandoned` (not metered)."""

    call_id = models.UUIDField(primary_key=True)
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    resource_id = models.UUIDField()
    key_id = models.UUIDField()
    started_at = models.DateTimeField()
    flagged_at = models.DateTimeField()
    outcome = models.CharField(max_length=20)

    objects = SharedQuerySet["CallFlag"].as_manager()

    class Meta:
        db_table = "metering_call_flag"

    def __str__(self) -> str:
        return f"{self.outcome} {self.call_id}"


def _amount() -> models.DecimalField[Any, Any]:
    """Return a column for a reported quantity."""
    return models.DecimalField(max_digits=40, decimal_places=10)


class ComponentUsageQuerySet(ScopedQuerySet["ComponentUsage"]):
    """Monthly usage, seen by the buyer's people (project roles: their projects) and by the provider."""

    def visible_to(self, actor: Actor) -> ComponentUsageQuerySet:
        """Return the rows the actor may see."""
        if actor.is_operator:
            return self
        projects = Project.objects.visible_to(actor).values("id")
        return self.filter(
            models.Q(project_id__in=projects) | models.Q(provider_customer_id__in=actor.customers_as(SELLERS))
        )


class ComponentUsage(BaseModel):
    """What a resource used of one component under one plan in one calendar month (UTC).

    `amount` is what was reported, or for components the gateway meters (`metered`) the sum of corrections: their
    usage is `amount` and the hourly sums together (`selectors.with_totals`). Rows of metered components are born
    with the month's first hourly sum.
    """

    resource = models.ForeignKey(
        Resource, on_delete=models.DO_NOTHING, db_constraint=False, related_name="component_usages"
    )
    offering = models.ForeignKey(Offering, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField(db_index=True)
    project_id = models.UUIDField(db_index=True)
    plan_id = models.UUIDField()
    component_type = models.CharField(max_length=60)
    component_name = models.CharField(max_length=150)
    measured_unit = models.CharField(max_length=30, blank=True)
    month = models.DateField(db_index=True)
    metered = models.BooleanField(default=False)
    amount = _amount()
    description = models.TextField(blank=True)
    missing_usage_policy = models.CharField(max_length=10, default="none")  # none | reuse | zero
    reported_for = models.DateTimeField(null=True)
    modified_by = models.CharField(max_length=320, blank=True)

    objects = ComponentUsageQuerySet.as_manager()

    class Meta:
        db_table = "metering_component_usage"
        indexes = (models.Index(fields=["customer_id", "month"], name="metering_component_customer"),)
        constraints = (
            models.UniqueConstraint(
                fields=["resource", "plan_id", "component_type", "month"], name="component_usage_once"
            ),
        )

    def __str__(self) -> str:
        return f"{self.component_type} {self.month:%Y-%m}"


class ComponentEvent(models.Model):
    """One report of usage, as the difference it made; never changed. The sum of a month's is its row's `amount`.

    `total` is the month's usage after it, so that the figure before stays readable.
    """

    id = models.BigAutoField(primary_key=True)  # the order they were booked in
    uuid = models.UUIDField(default=new_id, editable=False)
    usage = models.ForeignKey(ComponentUsage, on_delete=models.PROTECT, related_name="events")
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    resource_id = models.UUIDField()
    plan_id = models.UUIDField()
    component_type = models.CharField(max_length=60)
    month = models.DateField()
    day = models.DateField()
    occurred_at = models.DateTimeField()
    received_at = models.DateTimeField()
    kind = models.CharField(max_length=10)  # month | day | add | reuse
    amount = _amount()
    total = _amount()
    transaction_id = models.CharField(max_length=200, null=True)  # unique where there is one
    payload_sha256 = models.CharField(max_length=64, blank=True)
    description = models.TextField(blank=True)
    reported_by = models.CharField(max_length=320, blank=True)

    objects = SharedQuerySet["ComponentEvent"].as_manager()

    class Meta:
        db_table = "metering_component_event"
        indexes = (models.Index(fields=["usage", "day"], name="metering_component_day"),)
        constraints = (
            models.UniqueConstraint(fields=["resource_id", "transaction_id"], name="component_event_once"),
            models.CheckConstraint(
                condition=models.Q(kind__in=("month", "day", "add", "reuse")), name="component_event_kind"
            ),
        )

    def __str__(self) -> str:
        return f"{self.component_type} {self.amount:+} on {self.day}"


class ComponentUserUsage(BaseModel):
    """What one user of the buyer's had of a month's usage; for information, nothing is billed by it."""

    usage = models.ForeignKey(ComponentUsage, on_delete=models.CASCADE, related_name="user_usages")
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    username = models.CharField(max_length=254)
    amount = _amount()

    objects = SharedQuerySet["ComponentUserUsage"].as_manager()

    class Meta:
        db_table = "metering_component_user_usage"
        constraints = (models.UniqueConstraint(fields=["usage", "username"], name="user_usage_once"),)

    def __str__(self) -> str:
        return f"{self.username} {self.amount}"
