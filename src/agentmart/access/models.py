"""Tables of API keys and of the Grants published to the gateway."""

from __future__ import annotations

from datetime import datetime

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q

from agentmart.contracts.grants import GrantState, OnDisconnect
from agentmart.contracts.keys import PUBLISHABLE
from agentmart.infra.models import BaseModel, ScopedQuerySet


class ApiKeyQuerySet(ScopedQuerySet["ApiKey"]):
    """Keys, scoped by the buyer."""

    def counted(self, now: datetime) -> ApiKeyQuerySet:
        """Return the keys that count towards their customer's quota: neither revoked, rotated nor expired."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=now), revoked_at=None)


class ApiKey(BaseModel):
    """What is known of a key after its one showing: everything but the key."""

    customer_id = models.UUIDField(db_index=True)
    project_id = models.UUIDField()
    config_id = models.UUIDField(db_index=True)
    name = models.CharField(max_length=150)
    kind = models.CharField(max_length=20, default="secret")
    environment = models.CharField(max_length=10, default="live")
    scopes = models.JSONField(default=list)
    prefix = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    created_by = models.CharField(max_length=254)
    allowed_origins = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list)
    limits = models.JSONField(
        default=dict
    )  # caps of this key, as contracts.grants.Limits; only those that were set
    public_text = models.TextField(
        blank=True
    )  # of a publishable key, which stands in public pages; else empty
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)  # brought up to date every minute

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        db_table = "access_api_key"
        constraints = (
            models.CheckConstraint(
                condition=Q(kind=PUBLISHABLE) | Q(public_text=""), name="access_no_secret_key_is_kept"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…{self.last4})"


class GrantRowQuerySet(ScopedQuerySet["GrantRow"]):
    """Grants, scoped by the buyer."""


class GrantRow(models.Model):
    """The row behind `contracts.grants.Grant`; the gateway reads it by SQL of its own."""

    key_id = models.UUIDField(primary_key=True)
    key_sha256 = models.BinaryField(max_length=32)
    kind = models.CharField(max_length=20)
    environment = models.CharField(max_length=10)
    state = models.CharField(max_length=30, choices=[(s.value, s.value) for s in GrantState])
    customer_id = models.UUIDField(db_index=True)
    provider_customer_id = models.UUIDField()
    project_id = models.UUIDField()
    resource_id = models.UUIDField(db_index=True)
    config_id = models.UUIDField()
    offering_id = models.UUIDField(db_index=True)
    plan_id = models.UUIDField(null=True)
    flow_version_id = models.UUIDField(null=True)
    runtime = models.CharField(max_length=30)
    deployment_id = models.CharField(max_length=64)
    model = models.CharField(max_length=80, default="")
    scopes = models.JSONField(default=list)
    expires_at = models.DateTimeField(null=True)
    accept_until = models.DateTimeField(null=True)
    limits = models.JSONField(default=dict)
    key_limits = models.JSONField(null=True)
    budget = models.JSONField(null=True)
    allowed_origins = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list)
    tweakable = models.JSONField(default=list)
    tweaks = models.JSONField(default=dict)
    on_disconnect = models.CharField(max_length=10, default=OnDisconnect.DRAIN)
    version = models.BigIntegerField(default=1)

    objects = GrantRowQuerySet.as_manager()

    class Meta:
        db_table = "access_grant"
        indexes = (
            GinIndex(
                fields=["allowed_origins"],
                name="access_grant_origins",
                condition=Q(kind=PUBLISHABLE),
            ),
        )

    def __str__(self) -> str:
        return f"grant {self.key_id} ({self.state})"


class IdempotentCallQuerySet(ScopedQuerySet["IdempotentCall"]):
    """Calls with a key, scoped by the buyer."""


class IdempotentCall(models.Model):
    """A call made with an `Idempotency-Key`: under way while it has no answer, repeated from the answer for a day.

    Written by the gateway, by SQL of its own; the answer in the same transaction as the call's usage.
    """

    pk = models.CompositePrimaryKey("config_id", "key_sha256")
    config_id = models.UUIDField()
    key_sha256 = models.BinaryField(max_length=32)
    customer_id = models.UUIDField()
    fingerprint = models.BinaryField(max_length=32)  # SHA-256 of path and body
    call_id = models.UUIDField(unique=True)
    claimed_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    answer = models.BinaryField(null=True)

    objects = IdempotentCallQuerySet.as_manager()

    class Meta:
        db_table = "access_idempotent_call"

    def __str__(self) -> str:
        return f"call {self.call_id}"
