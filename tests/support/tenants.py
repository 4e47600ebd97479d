"""Rows of one tenant in every table, made of the tables' columns: for tests that walk all models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from django.apps import apps
from django.db import models
from tests.support.rows import GIVEN as GIVEN_FIRST
from tests.support.world import NOW

from agentmart.identity.models import Customer, Project, User
from agentmart.kit.ids import uuid7

GIVEN: dict[str, dict[str, Any]] = {**GIVEN_FIRST, "metering.componentevent": {"kind": "day"}}
"""Values that a check constraint asks for."""

NUMBERS = count(1_000_000)
"""For columns that hold no number twice."""

PLAIN: list[tuple[type[models.Field[Any, Any]], Callable[[], Any]]] = [
    (models.UUIDField, lambda: uuid7(NOW)),  # an event's id tells its time
    (models.DateTimeField, lambda: NOW),
    (models.DateField, lambda: NOW.date()),
    (models.BooleanField, lambda: False),
    (models.DecimalField, lambda: Decimal(0)),
    (models.FloatField, lambda: 0.0),
    (models.IntegerField, lambda: 1),
    (models.BinaryField, lambda: uuid4().bytes * 2),
    (models.JSONField, dict),
]


@dataclass
class Tenant:
    """A customer with a project and a person, and one row of each model that belongs to it."""

    customer: Customer
    project: Project
    user: User
    made: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.made |= {row._meta.label: row for row in (self.customer, self.project, self.user)}

    def row(self, model: type[models.Model]) -> Any:
        """Return this tenant's row of a model, made where there is none; rows it points to come first."""
        label = model._meta.label
        if label not in self.made:
            given = GIVEN.get(model._meta.label_lower, {})
            columns = [column for column in model._meta.concrete_fields if column.name not in given]
            values = {column.attname: self._value(column) for column in columns if self._is_filled(column)}
            self.made[label] = model._default_manager.create(**values, **given)
        return self.made[label]

    def _is_filled(self, column: models.Field[Any, Any]) -> bool:
        if column.attname in self._owners():
            return True
        if isinstance(column, models.AutoField) or column.null:
            return False
        if column.db_default is not models.NOT_PROVIDED or column.has_default():
            return False
        return not (column.blank and column.empty_strings_allowed)

    def _owners(self) -> dict[str, UUID]:
        """Return the columns that say whose a row is."""
        customer, user = self.customer.id, self.user.id
        return {
            "customer_id": customer,
            "provider_customer_id": customer,
            "project_id": self.project.id,
            "actor_id": user,
            "user_id": user,
        }

    def _value(self, column: models.Field[Any, Any]) -> Any:
        if column.attname in self._owners():
            return self._owners()[column.attname]
        if column.is_relation:
            related: Any = column.related_model
            return self.row(apps.get_model(related._meta.label)).pk
        if column.choices:
            return next(iter(column.choices))[0]
        if column.name == "currency":
            return "USD"
        if isinstance(column, models.IntegerField) and column.unique:
            return next(NUMBERS)
        for kind, value in PLAIN:
            if isinstance(column, kind):
                return value()
        longest = getattr(column, "max_length", None) or 32
        return uuid4().hex[:longest]
