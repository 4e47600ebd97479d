"""Tables of calls under way, usage events, hourly sums and flagged calls; the gateway writes all but the last."""

from __future__ import annotations

from django.db import models

from agentmart.infra.models import ScopedQuerySet


class SharedQuerySet(ScopedQuerySet[models.Model]):
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

    objects = SharedQuerySet.as_manager()

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

    objects = SharedQuerySet.as_manager()

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

    objects = SharedQuerySet.as_manager()

    class Meta:
        db_table = "metering_usage_hour"
        managed = False

    def __str__(self) -> str:
        return f"{self.resource_id} {self.hour:%Y-%m-%d %H}h"


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

    objects = SharedQuerySet.as_manager()

    class Meta:
        db_table = "metering_call_flag"

    def __str__(self) -> str:
        return f"{self.outcome} {self.call_id}"
