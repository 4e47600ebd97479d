"""What the back office shows that is no table: rows whose own keys have several columns, under one name each."""

from __future__ import annotations

from django.db import models


class UsageByHour(models.Model):
    """A view of `metering_usage_hour`: that table's key has three columns, which Django's admin cannot address."""

    id = models.TextField(primary_key=True)  # resource.hour.plan
    resource_id = models.UUIDField()
    hour = models.DateTimeField()
    plan_id = models.UUIDField(null=True)
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    project_id = models.UUIDField()
    offering_id = models.UUIDField()
    events = models.BigIntegerField()
    errors = models.BigIntegerField()
    requests = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()

    class Meta:
        db_table = "web_usage_by_hour"
        managed = False
        verbose_name_plural = "usage by hour"

    def __str__(self) -> str:
        return f"{self.resource_id} {self.hour:%Y-%m-%d %H}h"


class UsageByKey(models.Model):
    """A view of `metering_usage_part`: what keys and versions used, by the hour."""

    id = models.TextField(primary_key=True)  # resource.hour.key.version
    resource_id = models.UUIDField()
    hour = models.DateTimeField()
    key_id = models.UUIDField(null=True)
    flow_version_id = models.UUIDField(null=True)
    customer_id = models.UUIDField()
    provider_customer_id = models.UUIDField()
    events = models.BigIntegerField()
    errors = models.BigIntegerField()
    requests = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()

    class Meta:
        db_table = "web_usage_by_key"
        managed = False
        verbose_name_plural = "usage by key"

    def __str__(self) -> str:
        return f"{self.key_id} {self.hour:%Y-%m-%d %H}h"


class KeyedCall(models.Model):
    """A view of `access_idempotent_call`: calls under an `Idempotency-Key`, without their answers."""

    call_id = models.UUIDField(primary_key=True)
    config_id = models.UUIDField()
    customer_id = models.UUIDField()
    claimed_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    answered = models.BooleanField()

    class Meta:
        db_table = "web_keyed_call"
        managed = False

    def __str__(self) -> str:
        return f"call {self.call_id}"
