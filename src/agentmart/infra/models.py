"""Base model and the audit log."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

import msgspec
from django.db import models
from django.db.models.fields.json import KeyTransform

from agentmart.infra.actors import Actor
from agentmart.kit.ids import new_id

M = TypeVar("M", bound=models.Model)


class ScopedQuerySet(models.QuerySet[M]):
    """A QuerySet whose reads start at what the actor may see.

    `scope` names the columns that hold the customers a row belongs to; operators see all rows.
    """

    scope: tuple[str, ...] = ("customer_id",)

    def visible_to(self, actor: Actor) -> ScopedQuerySet[M]:
        """Return the rows the actor may see."""
        if actor.is_operator:
            return self
        condition = models.Q()
        for column in self.scope:
            condition |= models.Q(**{f"{column}__in": actor.customer_ids})
        return self.filter(condition)


class JsonField(models.JSONField):
    """A column of JSON, read several times faster: answers hold hundreds of small ones."""

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the column's value as Python objects."""
        if type(value) is str and not isinstance(expression, KeyTransform):
            try:
                return msgspec.json.decode(value)
            except msgspec.MsgspecError:  # what only the standard library reads, such as halves of pairs
                pass
        return super().from_db_value(value, expression, connection)

    def deconstruct(self) -> Any:
        """Be a common JSON column to migrations."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.JSONField", args, kwargs


class BaseModel(models.Model):
    """Every row: a random UUID, when it was made and last changed (both set by services from `now`)."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created = models.DateTimeField(db_index=True)
    modified = models.DateTimeField()

    class Meta:
        abstract = True

    @property
    def uuid(self) -> str:
        """Return the id as the API shows it: 32 hex digits."""
        return UUID(str(self.id)).hex


class AuditEntryQuerySet(ScopedQuerySet["AuditEntry"]):
    """Audit rows, scoped like their objects."""


class AuditEntry(models.Model):
    """One fact of who did what to which row, and the values before and after; never changed or deleted."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    at = models.DateTimeField(db_index=True)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=320)  # "olga as boris" where staff acts as somebody
    impersonator_id = models.UUIDField(null=True)  # the member of staff behind `actor_id`
    action = models.CharField(max_length=100)  # past tense: order.approved
    object_type = models.CharField(max_length=100)
    object_id = models.UUIDField()
    customer_id = models.UUIDField(null=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)

    objects = AuditEntryQuerySet.as_manager()

    class Meta:
        db_table = "infra_audit_entry"
        indexes = (
            models.Index(fields=["object_type", "object_id", "at"], name="infra_audit_object"),
            models.Index(fields=["object_id", "at"], name="infra_audit_object_id"),
            models.Index(fields=["customer_id", "at"], name="infra_audit_customer"),
            models.Index(fields=["actor_id", "at"], name="infra_audit_actor"),
            models.Index(fields=["action", "at"], name="infra_audit_action"),
            models.Index(
                fields=["impersonator_id", "at"],
                name="infra_audit_impersonator",
                condition=models.Q(impersonator_id__isnull=False),
            ),
            models.Index(
                fields=["request_id"], name="infra_audit_request", condition=~models.Q(request_id="")
            ),
        )

    def __str__(self) -> str:
        return f"{self.action} by {self.actor_name} at {self.at:%Y-%m-%d %H:%M:%S}"

    @property
    def uuid(self) -> str:
        """Return the id as the API shows it: 32 hex digits."""
        return self.id.hex


class IdempotentAnswer(models.Model):
    """The answer to a POST with an `Idempotency-Key`, kept for a day; without `status` its request still runs.

    Neither the key nor the request is readable here, and the answer only with both the key and the
    installation's secret (`infra.idempotency`).
    """

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    created = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    actor_id = models.UUIDField()
    impersonator_id = models.UUIDField(null=True)
    path = models.CharField(max_length=500)
    key_sha256 = models.BinaryField(max_length=32)
    body_sha256 = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    sealed = models.BinaryField(default=bytes)  # headers and body, encrypted

    class Meta:
        db_table = "infra_idempotent_answer"
        constraints = (
            models.UniqueConstraint(
                fields=["actor_id", "impersonator_id", "key_sha256"],
                name="idempotent_answer_once",
                nulls_distinct=False,
            ),
        )

    def __str__(self) -> str:
        return f"{self.path} {self.status or 'running'}"


class LoginAttempts(models.Model):
    """How often somebody (a hash of address and name) tried to log in within one minute."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    who_sha256 = models.BinaryField(max_length=32)
    minute = models.DateTimeField(db_index=True)
    attempts = models.PositiveIntegerField()

    class Meta:
        db_table = "infra_login_attempts"
        verbose_name_plural = "login attempts"
        constraints = (models.UniqueConstraint(fields=["who_sha256", "minute"], name="login_attempts_once"),)

    def __str__(self) -> str:
        return f"{self.attempts} at {self.minute:%Y-%m-%d %H:%M}"


def snapshot(row: models.Model, *fields: str) -> dict[str, Any]:
    """Return the named fields of a row as JSON-ready values."""
    values = {name: getattr(row, name) for name in fields}
    plain = (str, int, float, bool, type(None))
    return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}
