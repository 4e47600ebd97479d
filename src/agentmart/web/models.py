"""What the back office shows that is no table: the hourly sums under one name per row."""

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
