"""A row of any model, made of its columns: for tests that walk all models."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.apps import apps
from django.db import models
from tests.support.world import NOW

from agentmart.kit.ids import uuid7

GIVEN: dict[str, dict[str, Any]] = {
    "metering.usageevent": {"status": "ok", "source": "runtime", "duration_ms": 5},
    "metering.componentevent": {"kind": "day"},
    "billing.invoice": {"year": 2026, "month": 2},
}
"""Values that a check constraint asks for."""


def row_of(model: type[models.Model]) -> Any:
    """Return the model's first row, made where there is none."""
    found = model._default_manager.first()
    if found is not None:
        return found
    given = GIVEN.get(model._meta.label_lower, {})
    values = {
        column.attname: _value(column)
        for column in model._meta.concrete_fields
        if column.name not in given and _needs_a_value(column)
    }
    return model._default_manager.create(**values, **given)


def _needs_a_value(column: models.Field[Any, Any]) -> bool:
    if isinstance(column, models.AutoField) or column.null or column.db_default is not models.NOT_PROVIDED:
        return False
    return not column.has_default() and not (column.blank and column.empty_strings_allowed)


def _value(column: models.Field[Any, Any]) -> Any:
    if column.is_relation:
        related: Any = column.related_model
        return row_of(apps.get_model(related._meta.label)).pk
    if column.choices:
        return next(iter(column.choices))[0]
    if column.name == "currency":
        return "USD"
    by_type: list[tuple[type[models.Field[Any, Any]], Any]] = [
        (models.UUIDField, uuid7(NOW)),  # an event's id tells its time
        (models.DateTimeField, NOW),
        (models.DateField, NOW.date()),
        (models.BooleanField, False),
        (models.DecimalField, Decimal(0)),
        (models.FloatField, 0.0),
        (models.IntegerField, 1),
        (models.BinaryField, b"x" * 32),
        (models.JSONField, {}),
    ]
    for kind, value in by_type:
        if isinstance(column, kind):
            return value
    return "x"
