"""Tables of customers, projects, people, roles and API tokens."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.models import BaseModel, ScopedQuerySet
from agentmart.kit.ids import new_id


class Role(models.TextChoices):
    """What a person is in a customer or project, by Waldur's names."""

    CUSTOMER_OWNER = "CUSTOMER.OWNER"
    CUSTOMER_MANAGER = "CUSTOMER.MANAGER"
    CUSTOMER_SUPPORT = "CUSTOMER.SUPPORT"
    PROJECT_ADMIN = "PROJECT.ADMIN"
    PROJECT_MANAGER = "PROJECT.MANAGER"
    PROJECT_MEMBER = "PROJECT.MEMBER"
    OFFERING_MANAGER = "OFFERING.MANAGER"


BUYERS = frozenset({Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER, Role.CUSTOMER_SUPPORT})
"""Roles that see all projects of their customer and what it bought."""
SELLERS = frozenset({Role.CUSTOMER_OWNER, Role.OFFERING_MANAGER})
"""Roles that see what their customer sells: agents, drafts, orders of its offerings."""

OPERATOR_FLAGS = {
    "is_staff": "staff",
    "is_support": "support",
    "is_finance": "finance",
    "is_catalog_manager": "catalog",
}


class UserQuerySet(models.QuerySet["User"]):
    """People: oneself and members of shared customers."""

    def visible_to(self, actor: Actor) -> UserQuerySet:
        """Return the people the actor may see."""
        if actor.is_operator:
            return self
        shared = Membership.objects.filter(customer_id__in=actor.customer_ids).values("user_id")
        return self.filter(models.Q(pk=actor.user_id) | models.Q(pk__in=shared))


class PeopleManager(UserManager.from_queryset(UserQuerySet)):  # type: ignore[misc]
    """Django's manager of users (create_user …) with our reads."""

    use_in_migrations = False


class User(AbstractUser):
    """A person who logs in; operators carry flags, everybody else has roles in customers and projects."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    is_support = models.BooleanField(default=False)
    is_finance = models.BooleanField(default=False)
    is_catalog_manager = models.BooleanField(default=False)

    objects: ClassVar[PeopleManager] = PeopleManager()

    class Meta:
        db_table = "identity_user"

    @property
    def uuid(self) -> str:
        """Return the id as the API shows it: 32 hex digits."""
        return self.id.hex

    @property
    def operator_roles(self) -> frozenset[str]:
        """Return the operator roles the person holds."""
        return frozenset(role for flag, role in OPERATOR_FLAGS.items() if getattr(self, flag))


class ApiToken(BaseModel):
    """A person's token for the REST API; only its SHA-256 is kept."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="api_token")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "identity_api_token"

    def __str__(self) -> str:
        return f"token of {self.user_id}"


class CustomerQuerySet(ScopedQuerySet["Customer"]):
    """Customers, scoped by themselves."""

    scope = ("id",)


class Customer(BaseModel):
    """An organization: buys, sells, or both; the tenant that every other row belongs to."""

    name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, blank=True)
    vat_code = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=300, blank=True)
    currency = models.CharField(max_length=3, default="USD")
    blocked = models.BooleanField(default=False)
    blocked_reason = models.CharField(max_length=300, blank=True)
    archived = models.BooleanField(default=False)
    is_operator = models.BooleanField(default=False)  # the operator's own customer, made at install
    custom_code_allowed = models.BooleanField(default=False)  # may its flows carry code of their own?

    objects = CustomerQuerySet.as_manager()

    class Meta:
        db_table = "identity_customer"

    def __str__(self) -> str:
        return self.name


class Quota(BaseModel):
    """How many of one kind a customer may have, and how many it has; changed by `identity.quotas` alone."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="quotas")
    name = models.CharField(max_length=30)
    limit = models.BigIntegerField(default=-1)  # -1: as many as they like
    usage = models.BigIntegerField(default=0)

    objects = ScopedQuerySet["Quota"].as_manager()

    class Meta:
        db_table = "identity_quota"
        constraints = (
            models.UniqueConstraint(fields=["customer", "name"], name="quota_once"),
            models.CheckConstraint(condition=models.Q(limit__gte=-1), name="quota_limit_at_least_minus_one"),
            models.CheckConstraint(condition=models.Q(usage__gte=0), name="quota_usage_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.usage} of {self.limit}"


class ProjectQuerySet(ScopedQuerySet["Project"]):
    """Projects of one's customers; people with project roles only see those projects."""

    def visible_to(self, actor: Actor) -> ProjectQuerySet:
        """Return the projects the actor may see."""
        if actor.is_operator:
            return self
        whole = actor.customers_as(BUYERS)
        single = {grant.project_id for grant in actor.grants if grant.project_id is not None}
        return self.filter(models.Q(customer_id__in=whole) | models.Q(id__in=single))


class Project(BaseModel):
    """A part of a customer that holds resources."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        db_table = "identity_project"

    def __str__(self) -> str:
        return self.name


class Membership(BaseModel):
    """A person's role in a customer, or in one project of it."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="memberships")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="memberships")
    role = models.CharField(max_length=30, choices=Role.choices)
    expires_at = models.DateTimeField(null=True)

    objects = ScopedQuerySet.as_manager()

    class Meta:
        db_table = "identity_membership"
        constraints = (
            models.UniqueConstraint(
                fields=["user", "customer", "project", "role"], name="membership_once", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.user_id} {self.role}"

    def as_grant(self) -> RoleGrant:
        """Return the role as the actor carries it."""
        return RoleGrant(customer_id=self.customer_id, role=self.role, project_id=self.project_id)
