"""Tables of customers, projects, people, roles and API tokens."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models

from agentmart.identity.states import InvitationState, Sending
from agentmart.infra.actors import Actor, RoleGrant
from agentmart.infra.models import BaseModel, JsonField, ScopedQuerySet
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
    native_name = models.CharField(max_length=150, blank=True)
    job_title = models.CharField(max_length=150, blank=True)
    organization = models.CharField(max_length=255, blank=True)
    phone_number = models.CharField(max_length=255, blank=True)
    description = models.TextField(blank=True)
    preferred_language = models.CharField(max_length=10, blank=True)
    notifications_enabled = models.BooleanField(default=True)
    registration_method = models.CharField(max_length=50, default="default")
    token_lifetime = models.PositiveIntegerField(
        null=True
    )  # seconds that a new login token lasts; null: for ever

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


class TokenScope(models.TextChoices):
    """What a token may do of what its person may."""

    ALL = "all"
    READ = "read"  # GET, HEAD and OPTIONS only


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Tokens: everybody's own."""

    def visible_to(self, actor: Actor) -> ApiTokenQuerySet:
        """Return the tokens the actor may see."""
        return self.filter(user_id=actor.user_id) if actor.user_id else self.none()


class ApiToken(BaseModel):
    """A person's token for the REST API; only its SHA-256 is kept.

    `login` tokens are those of `refresh_token`: one per person. The others are made one by one, with a name.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=150, blank=True)
    login = models.BooleanField(default=False)
    scope = models.CharField(max_length=10, choices=TokenScope.choices, default=TokenScope.ALL)
    prefix = models.CharField(max_length=8, blank=True)  # its first digits, to tell it from others
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    expires_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
    use_count = models.PositiveIntegerField(default=0)  # how often `last_used_at` was moved

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "identity_api_token"
        constraints = (
            models.UniqueConstraint(
                fields=["user"], condition=models.Q(login=True), name="one_login_token_per_person"
            ),
        )

    def __str__(self) -> str:
        return f"token {self.prefix}…"


class CustomerQuerySet(ScopedQuerySet["Customer"]):
    """Customers, scoped by themselves."""

    scope = ("id",)


class Customer(BaseModel):
    """An organization: buys, sells, or both; the tenant that every other row belongs to."""

    name = models.CharField(max_length=150)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, blank=True)
    native_name = models.CharField(max_length=160, blank=True)
    abbreviation = models.CharField(max_length=50, blank=True)
    description = models.TextField(blank=True)
    contact_details = models.TextField(blank=True)
    phone_number = models.CharField(max_length=255, blank=True)
    homepage = models.CharField(max_length=255, blank=True)
    registration_code = models.CharField(max_length=160, blank=True)
    agreement_number = models.CharField(max_length=160, blank=True)
    backend_id = models.CharField(max_length=255, blank=True)
    vat_code = models.CharField(max_length=20, blank=True)
    address = models.CharField(max_length=300, blank=True)
    street = models.CharField(max_length=255, blank=True)
    city = models.CharField(max_length=255, blank=True)
    postal = models.CharField(max_length=20, blank=True)
    notification_emails = models.CharField(max_length=1000, blank=True)  # comma separated
    bank_name = models.CharField(max_length=150, blank=True)
    bank_account = models.CharField(max_length=50, blank=True)
    default_tax_percent = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal(0))
    accounting_start_date = models.DateTimeField(null=True)  # null: when it was made
    billing_source = models.CharField(max_length=20, default="direct")  # who collects: us, or a marketplace
    currency = models.CharField(max_length=3, default="USD")
    blocked = models.BooleanField(default=False)
    blocked_reason = models.CharField(max_length=300, blank=True)
    archived = models.BooleanField(default=False)
    is_operator = models.BooleanField(default=False)  # the operator's own customer, made at install
    custom_code_allowed = models.BooleanField(default=False)  # may its flows carry code of their own?
    call_limits = JsonField(default=dict)  # of all its keys together, as contracts.grants.Caps

    objects = CustomerQuerySet.as_manager()

    class Meta:
        db_table = "identity_customer"

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        """Return whether the customer is neither blocked nor archived."""
        return not self.blocked and not self.archived


class QuotaQuerySet(ScopedQuerySet["Quota"]):
    """Quotas, seen with their customer."""

    def open_for(self, customer_id: UUID, names: Iterable[str], *, now: datetime) -> None:
        """Add the customer's missing rows, unlimited and unused."""
        rows = [Quota(customer_id=customer_id, name=name, created=now, modified=now) for name in names]
        self.bulk_create(rows, ignore_conflicts=True)


class Quota(BaseModel):
    """How many of one kind a customer may have, and how many it has; changed by `identity.quotas` alone."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="quotas")
    name = models.CharField(max_length=30)
    limit = models.BigIntegerField(default=-1)  # -1: as many as they like
    usage = models.BigIntegerField(default=0)

    objects = QuotaQuerySet.as_manager()

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
        """Return the projects the actor may see; those that were deleted nobody sees."""
        return self.seen_by(actor).filter(removed_at=None)

    def seen_by(self, actor: Actor) -> ProjectQuerySet:
        """Return the same with deleted projects, for reading what was in them."""
        if actor.is_operator:
            return self
        whole = actor.customers_as(BUYERS)
        single = {grant.project_id for grant in actor.grants if grant.project_id is not None}
        return self.filter(models.Q(customer_id__in=whole) | models.Q(id__in=single))


class ProjectKind(models.TextChoices):
    """Waldur's kinds of projects; ours are all alike."""

    DEFAULT = "default"
    COURSE = "course"
    PUBLIC = "public"


class Project(BaseModel):
    """A part of a customer that holds resources."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=150, blank=True)
    kind = models.CharField(max_length=10, choices=ProjectKind.choices, default=ProjectKind.DEFAULT)
    backend_id = models.CharField(max_length=255, blank=True)
    start_date = models.DateField(null=True)
    end_date = models.DateField(null=True)  # the last day; then its resources are terminated by order
    removed_at = models.DateTimeField(null=True)  # deleted, but terminated resources still belong to it

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
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = ScopedQuerySet["Membership"].as_manager()

    class Meta:
        db_table = "identity_membership"
        constraints = (
            models.UniqueConstraint(
                fields=["user", "customer", "project", "role"], name="membership_once", nulls_distinct=False
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} as {self.get_role_display()}"

    def as_grant(self) -> RoleGrant:
        """Return the role as the actor carries it."""
        return RoleGrant(customer_id=self.customer_id, role=self.role, project_id=self.project_id)


class InvitationQuerySet(ScopedQuerySet["Invitation"]):
    """Invitations, seen by those who may add people there."""

    def visible_to(self, actor: Actor) -> InvitationQuerySet:
        """Return the invitations the actor may see."""
        if actor.is_operator:
            return self
        whole = actor.customers_as({Role.CUSTOMER_OWNER})
        single = {grant.project_id for grant in actor.grants if grant.role == Role.PROJECT_MANAGER}
        return self.filter(models.Q(customer_id__in=whole) | models.Q(project_id__in=single))


class Invitation(BaseModel):
    """A role offered to whoever reads an e-mail; the mail's token is made from id and serial, and kept nowhere."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="invitations")
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="invitations")
    role = models.CharField(max_length=30, choices=Role.choices)
    email = models.EmailField()
    full_name = models.CharField(max_length=150, blank=True)
    native_name = models.CharField(max_length=150, blank=True)
    phone_number = models.CharField(max_length=255, blank=True)
    organization = models.CharField(max_length=255, blank=True)
    job_title = models.CharField(max_length=150, blank=True)
    extra_invitation_text = models.CharField(max_length=250, blank=True)
    state = models.CharField(max_length=10, choices=InvitationState.choices, default=InvitationState.PENDING)
    serial = models.PositiveIntegerField(default=1)  # one more with every mail: the last one counts
    expires_at = models.DateTimeField()
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    sending = models.CharField(max_length=10, choices=Sending.choices, default=Sending.SCHEDULED)
    error_message = models.CharField(max_length=500, blank=True)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        db_table = "identity_invitation"

    def __str__(self) -> str:
        return f"{self.role} for {self.email}"


class Impersonation(BaseModel):
    """A short-lived token by which a member of staff acts as somebody; every act of it names both."""

    operator = models.ForeignKey(User, on_delete=models.CASCADE, related_name="impersonations")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="impersonated")
    token_sha256 = models.BinaryField(max_length=32, unique=True)
    reason = models.CharField(max_length=300)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "identity_impersonation"

    def __str__(self) -> str:
        return f"{self.operator} as {self.user}"
