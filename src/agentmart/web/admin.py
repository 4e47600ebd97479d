"""Back office: jobs, hourly sums, and every model that no module shows in a way of its own."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db import models
from django.http import HttpRequest
from procrastinate.contrib.django.models import (
    ProcrastinateEvent,
    ProcrastinateJob,
    ProcrastinatePeriodicDefer,
    ProcrastinateWorker,
)

from agentmart.infra.admin_base import OperatorAdmin
from agentmart.web.models import UsageByHour

OURS = "agentmart."
MOST_COLUMNS = 7


@admin.register(UsageByHour)
class UsageByHourAdmin(OperatorAdmin):
    """Sums by the hour."""

    list_display = (
        "hour",
        "resource_id",
        "customer_id",
        "requests",
        "errors",
        "input_tokens",
        "output_tokens",
    )
    list_filter = ("hour",)
    ordering = ("-hour", "resource_id", "plan_id")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Find a row by the columns behind its name, which are indexed."""
        resource, _, rest = object_id.partition(".")
        try:
            rows = self.get_queryset(request).filter(resource_id=resource, id=object_id)
            return rows.first() if rest else None
        except (ValueError, TypeError):
            return None


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns of a list nobody designed: the short ones, in their order."""
    long = (models.JSONField, models.TextField, models.BinaryField)
    names = [column.name for column in model._meta.concrete_fields if not isinstance(column, long)]
    return tuple(names[:MOST_COLUMNS])


def plain(model: type[models.Model]) -> type[OperatorAdmin]:
    """Return a read-only page for a model: short columns, choices as filters, texts searched."""
    fields = model._meta.concrete_fields
    texts = [c.name for c in fields if isinstance(c, models.CharField | models.TextField) and not c.choices]
    return type(
        f"{model.__name__}Admin",
        (OperatorAdmin,),
        {
            "list_display": columns_of(model),
            "list_filter": tuple(c.name for c in fields if c.choices or isinstance(c, models.BooleanField)),
            "search_fields": tuple(texts[:MOST_COLUMNS]),
        },
    )


def complete() -> None:
    """Give every model of ours that no module registered a plain page, and the jobs' tables too."""
    admin.site.unregister([Group, ProcrastinateJob])  # unused; shown by pages that need no permission rows
    jobs = (ProcrastinateJob, ProcrastinateEvent, ProcrastinatePeriodicDefer, ProcrastinateWorker)
    ours = [model for model in apps.get_models() if model.__module__.startswith(OURS)]
    shown: tuple[type[models.Model], ...] = (*ours, *jobs)
    for model in shown:
        addressable = not isinstance(model._meta.pk, models.CompositePrimaryKey)
        if addressable and not admin.site.is_registered(model):
            admin.site.register(model, plain(model))


complete()
