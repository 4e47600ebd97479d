"""Back office: jobs, hourly sums, and every model that no module shows in a way of its own."""

from __future__ import annotations

import re
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
from agentmart.infra.admin_columns import called_by
from agentmart.web.admin_site import ROOMS
from agentmart.web.models import KeyedCall, UsageByHour, UsageByKey

OURS = "agentmart."
MOST_COLUMNS = 7
ALIKE = ("id", "modified", "created")
ODD_NAMES = {
    "catalog.OfferingPrivate": ("private settings of an offering", "private settings of offerings"),
    "identity.ApiToken": ("API token", "API tokens"),
    "access.ApiKey": ("API key", "API keys"),
    "access.GrantRow": ("grant", "grants"),
    "web.KeyedCall": ("call under an idempotency key", "calls under an idempotency key"),
    "metering.CallStarted": ("call under way", "calls under way"),
    "support.SlaTarget": ("SLA target", "SLA targets"),
    "procrastinate.ProcrastinateJob": ("job", "jobs"),
    "procrastinate.ProcrastinateEvent": ("event of a job", "events of jobs"),
    "procrastinate.ProcrastinatePeriodicDefer": ("periodic job", "periodic jobs"),
    "procrastinate.ProcrastinateWorker": ("worker", "workers"),
}
"""Models whose name is not what people call it: one of them, several."""


class _OfResource(OperatorAdmin):
    """Rows of resources, under names made of what their keys are made of."""

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Find a row by the columns behind its name, which are indexed."""
        resource, _, rest = object_id.partition(".")
        try:
            rows = self.get_queryset(request).filter(resource_id=resource, id=object_id)
            return rows.first() if rest else None
        except (ValueError, TypeError):
            return None


@admin.register(UsageByHour)
class UsageByHourAdmin(_OfResource):
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


@admin.register(UsageByKey)
class UsageByKeyAdmin(_OfResource):
    """Sums by the hour, key and version."""

    list_display = (
        "hour",
        "key_id",
        "resource_id",
        "customer_id",
        "requests",
        "errors",
        "input_tokens",
        "output_tokens",
    )
    list_filter = ("hour",)
    ordering = ("-hour", "resource_id", "id")


@admin.register(KeyedCall)
class KeyedCallAdmin(OperatorAdmin):
    """Calls that are answered again under the same key for a day."""

    list_display = ("call_id", "claimed_at", "expires_at", "answered", "config_id", "customer_id")
    list_filter = ("answered", "claimed_at")
    ordering = ("-claimed_at", "pk")


def columns_of(model: type[models.Model]) -> tuple[str, ...]:
    """Return the columns of a list nobody designed: the short ones, what every row has (its id, its times) last."""
    long = (models.JSONField, models.TextField, models.BinaryField)
    names = [column.name for column in model._meta.concrete_fields if not isinstance(column, long)]
    telling = [name for name in names if name not in ALIKE]
    alike = [name for name in reversed(ALIKE) if name in names and not (name == "id" and telling)]
    return tuple([*telling, *alike][:MOST_COLUMNS])


def searched(model: type[models.Model]) -> tuple[str, ...]:
    """Return what a list nobody designed is searched by: its texts, and the names of what its rows belong to."""
    fields = model._meta.concrete_fields
    texts = [c.name for c in fields if isinstance(c, models.CharField | models.TextField) and not c.choices]
    found = texts[:MOST_COLUMNS]
    for column in fields:
        related = column.related_model
        if isinstance(related, type) and issubclass(related, models.Model):
            called = called_by(related)
            found += [f"{column.name}__{called}"] if called else []
    return tuple(found)


def filtered(model: type[models.Model]) -> tuple[str, ...]:
    """Return what a list nobody designed is filtered by: its choices, its flags and its first time, else its task."""
    fields = model._meta.concrete_fields
    chosen = [c.name for c in fields if c.choices or isinstance(c, models.BooleanField)]
    times = [c.name for c in fields if isinstance(c, models.DateTimeField)]
    found = (*chosen, *(["created"] if "created" in times else times[:1]))
    return found or tuple(column.name for column in fields if column.name == "task_name")


def plain(model: type[models.Model]) -> type[OperatorAdmin]:
    """Return a read-only page for a model: short columns, filters, texts searched."""
    return type(
        f"{model.__name__}Admin",
        (OperatorAdmin,),
        {
            "list_display": columns_of(model),
            "list_filter": filtered(model),
            "search_fields": searched(model),
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


def name_rooms() -> None:
    """Let every page say what the navigation says: modules by their room, models in good English."""
    for label, name in ROOMS.items():
        if apps.is_installed(f"{OURS}{label}") or label == "procrastinate":
            apps.get_app_config(label).verbose_name = name
    for model in admin.site._registry:
        options = model._meta
        one = str(options.verbose_name)
        plural = re.sub(
            r"(?<=[^aeiou])ys$", "ies", str(options.verbose_name_plural)
        )  # Django adds an s alone
        options.verbose_name, options.verbose_name_plural = ODD_NAMES.get(options.label, (one, plural))


complete()
name_rooms()
