"""Tables of categories, service providers, offerings, components and plans."""

from __future__ import annotations

from datetime import date
from typing import Any, TypeVar

from django.db import models
from django.db.models import Func, Value

from agentmart.agents.models import Agent, FlowVersion
from agentmart.catalog.states import OfferingState
from agentmart.contracts.grants import OnDisconnect
from agentmart.identity.models import SELLERS, Customer
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, JsonField, ScopedQuerySet
from agentmart.kit.ids import new_id

AGENT_TYPE = "GSVAgents.Agent"
BASIC_TYPE = "Marketplace.Basic"
TYPES = {"gsvagents.agent": AGENT_TYPE, "agentmart.agent": AGENT_TYPE, "marketplace.basic": BASIC_TYPE}


HELD_STATES = (OfferingState.ACTIVE, OfferingState.PAUSED, OfferingState.UNAVAILABLE)
"""States in which whoever has a resource of an offering sees it, shared or not."""

M = TypeVar("M", bound=models.Model)


class PublicQuerySet(ScopedQuerySet[M]):
    """Rows of the public catalogue."""

    def visible_to(self, actor: Actor) -> PublicQuerySet[M]:
        """Return all rows: everybody may read them."""
        return self


class CategoryGroup(BaseModel):
    """Shelves that stand together."""

    title = models.CharField(max_length=150)
    description = models.TextField(blank=True)

    objects = PublicQuerySet["CategoryGroup"].as_manager()

    class Meta:
        db_table = "catalog_category_group"

    def __str__(self) -> str:
        return self.title


class Category(BaseModel):
    """A shelf of the catalogue."""

    title = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    icon = models.CharField(max_length=500, blank=True)  # the address of a picture
    default_vm_category = models.BooleanField(default=False)
    default_volume_category = models.BooleanField(default=False)
    group = models.ForeignKey(CategoryGroup, on_delete=models.PROTECT, null=True, related_name="categories")

    objects = PublicQuerySet["Category"].as_manager()

    class Meta:
        db_table = "catalog_category"

    def __str__(self) -> str:
        return self.title


class ServiceProvider(BaseModel):
    """The public face of a customer that sells."""

    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="service_provider")
    name = models.CharField(max_length=150)  # the customer's, for readers who do not see the customer
    description = models.TextField(blank=True)
    enable_notifications = models.BooleanField(default=True)  # kept for programs; nothing is mailed here

    objects = PublicQuerySet["ServiceProvider"].as_manager()

    class Meta:
        db_table = "catalog_service_provider"

    def __str__(self) -> str:
        return self.name


class OfferingQuerySet(ScopedQuerySet["Offering"]):
    """Offerings: active ones for everybody, stopped ones for who holds one, the rest for providers and operators."""

    def visible_to(self, actor: Actor) -> OfferingQuerySet:
        """Return the offerings the actor may see."""
        if actor.is_operator:
            return self
        public = models.Q(state=OfferingState.ACTIVE, shared=True)
        mine = models.Q(customer_id__in=actor.customers_as(SELLERS))
        if actor.is_anonymous:
            return self.filter(public)
        held = Offering.objects.filter(
            state__in=HELD_STATES, resources__customer_id__in=actor.customer_ids
        ).values("id")
        return self.filter(public | mine | models.Q(id__in=held))

    def managed_by(self, actor: Actor) -> OfferingQuerySet:
        """Return the offerings the actor runs: all for operators, their own for providers."""
        return self if actor.is_operator else self.filter(customer_id__in=actor.customers_as(SELLERS))


class Offering(BaseModel):
    """Something that can be ordered."""

    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="offerings")
    service_provider = models.ForeignKey(ServiceProvider, on_delete=models.PROTECT, related_name="offerings")
    category = models.ForeignKey(Category, on_delete=models.PROTECT, related_name="offerings")
    name = models.CharField(max_length=150)
    slug = models.SlugField(max_length=80, unique=True)
    description = models.TextField(blank=True)
    type = models.CharField(max_length=40)
    state = models.CharField(max_length=20, choices=OfferingState.choices, default=OfferingState.DRAFT)
    review = models.CharField(max_length=20, blank=True)  # "pending" while an operator must look at it
    paused_reason = models.CharField(max_length=300, blank=True)
    shared = models.BooleanField(default=True)
    billable = models.BooleanField(default=True)
    full_description = models.TextField(blank=True)
    vendor_details = models.TextField(blank=True)
    getting_started = models.TextField(blank=True)
    integration_guide = models.TextField(blank=True)
    privacy_policy_link = models.CharField(max_length=500, blank=True)
    helpdesk_url = models.CharField(max_length=500, blank=True)
    documentation_url = models.CharField(max_length=500, blank=True)
    access_url = models.CharField(max_length=500, blank=True)
    attributes = JsonField(default=dict)
    options = JsonField(default=dict)  # {order, options}: what an order says besides plan and limits
    resource_options = JsonField(default=dict)  # the same for what a resource may be changed by
    plugin_options = JsonField(default=dict)
    backend_metadata = JsonField(default=dict)
    country = models.CharField(max_length=2, blank=True)
    latitude = models.FloatField(null=True)
    longitude = models.FloatField(null=True)
    backend_id = models.CharField(max_length=255, blank=True)
    tags = JsonField(default=list)
    image = models.UUIDField(null=True)  # of OfferingPicture
    thumbnail = models.UUIDField(null=True)
    agent = models.OneToOneField(Agent, on_delete=models.PROTECT, null=True, related_name="offering")
    flow_version = models.ForeignKey(FlowVersion, on_delete=models.PROTECT, null=True, related_name="+")
    version = models.PositiveIntegerField(null=True)  # of flow_version, which only its provider may read
    custom_code = models.BooleanField(default=False)  # of flow_version
    parts_stamp = models.BigIntegerField(
        default=0
    )  # moved by the database with every change of components, plans, prices

    objects = OfferingQuerySet.as_manager()

    class Meta:
        db_table = "catalog_offering"

    def __str__(self) -> str:
        return self.name

    @property
    def requires_provider_approval(self) -> bool:
        """Return whether an order waits for the provider (default: only where people fulfil it)."""
        return bool(self.plugin_options.get("require_provider_approval", self.type == BASIC_TYPE))

    @property
    def call_limits(self) -> dict[str, int]:
        """Return what all who buy it may call together: `plugin_options.call_limits`, as contracts.grants.Caps."""
        return dict(self.plugin_options.get("call_limits") or {})

    @property
    def on_disconnect(self) -> OnDisconnect:
        """Return what becomes of a run whose caller left: `plugin_options.on_disconnect`, else it is drained."""
        wanted = self.plugin_options.get("on_disconnect")
        return OnDisconnect.CANCEL if wanted == OnDisconnect.CANCEL else OnDisconnect.DRAIN


class OfferingPrivate(models.Model):
    """What of an offering only its provider and the operators may read."""

    offering = models.OneToOneField(
        Offering, on_delete=models.CASCADE, primary_key=True, related_name="private"
    )
    customer_id = models.UUIDField(db_index=True)
    secret_options = JsonField(default=dict)
    service_attributes = JsonField(default=dict)
    backend_id_rules = JsonField(default=dict)
    revision = JsonField(default=dict)  # what waits for an operator: version_id, version, details
    review_comment = models.CharField(max_length=500, blank=True)

    objects = ScopedQuerySet["OfferingPrivate"].as_manager()

    class Meta:
        db_table = "catalog_offering_private"

    def __str__(self) -> str:
        return f"private settings of {self.offering}"


class CatalogQuerySet(ScopedQuerySet[M]):
    """Parts of offerings, seen with them."""

    def visible_to(self, actor: Actor) -> CatalogQuerySet[M]:
        """Return the parts of the offerings the actor may see."""
        return self.filter(offering__in=Offering.objects.visible_to(actor))


def _quantity() -> models.DecimalField[Any, Any]:
    """Return a column for an amount of something measured, empty where nothing is said."""
    return models.DecimalField(max_digits=30, decimal_places=10, null=True)


class OfferingComponent(BaseModel):
    """Something an offering measures or charges."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="components")
    type = models.CharField(max_length=60)
    name = models.CharField(max_length=150)
    measured_unit = models.CharField(max_length=30, blank=True)
    billing_type = models.CharField(max_length=10)  # fixed | usage | limit | one | few
    is_builtin = models.BooleanField(default=False)
    description = models.TextField(blank=True)
    article_code = models.CharField(max_length=30, blank=True)
    limit_period = models.CharField(max_length=10, blank=True)  # month | quarterly | annual | total
    limit_amount = _quantity()
    min_value = _quantity()
    max_value = _quantity()
    max_available_limit = _quantity()
    default_limit = _quantity()
    is_boolean = models.BooleanField(default=False)

    objects = CatalogQuerySet["OfferingComponent"].as_manager()

    class Meta:
        db_table = "catalog_offering_component"
        constraints = (
            models.UniqueConstraint(fields=["offering", "type"], name="offering_component_type_once"),
        )

    def __str__(self) -> str:
        return self.type


class PlanQuerySet(CatalogQuerySet["Plan"]):
    """Plans: those that wait for review are seen by the provider and the operators."""

    def visible_to(self, actor: Actor) -> PlanQuerySet:
        """Return the plans the actor may see."""
        if actor.is_operator:
            return self
        seen = self.filter(offering__in=Offering.objects.visible_to(actor))
        return seen.filter(
            models.Q(pending=False) | models.Q(offering__customer_id__in=actor.customers_as(SELLERS))
        )


class Plan(BaseModel):
    """A way to buy an offering: prices per component and limits."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="plans")
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    unit = models.CharField(max_length=20, default="month")
    interval_count = models.PositiveSmallIntegerField(default=1)
    currency = models.CharField(max_length=3)
    limits = JsonField(default=dict)
    archived = models.BooleanField(default=False)
    pending = models.BooleanField(
        default=False
    )  # archived until an operator has approved the revision it is of
    max_amount = models.PositiveIntegerField(null=True)
    article_code = models.CharField(max_length=30, blank=True)
    billing_mode = models.CharField(max_length=10, default="inherit")  # inherit | limit | usage
    backend_id = models.CharField(max_length=255, blank=True)

    objects = PlanQuerySet.as_manager()

    class Meta:
        db_table = "catalog_plan"

    def __str__(self) -> str:
        return self.name


class PlanComponentQuerySet(CatalogQuerySet["PlanComponent"]):
    """Prices, seen with their plans."""

    def visible_to(self, actor: Actor) -> PlanComponentQuerySet:
        """Return the prices the actor may see."""
        return self if actor.is_operator else self.filter(plan__in=Plan.objects.visible_to(actor))


class NextNumber(Func):
    """The next number of the plan components' sequence."""

    function = "nextval"
    output_field = models.BigIntegerField()

    def __init__(self, name: str = "catalog_plan_component_number_seq") -> None:
        super().__init__(Value(name))


class PlanComponent(BaseModel):
    """The price of one component in one plan, in the form of `billing.rating` (`price_to_json`).

    `price` is in force until `next_from`, `next_price` from that day on. What was in force when is told by
    `PlanPrice`, which bills are made of.
    """

    plan = models.ForeignKey(Plan, on_delete=models.CASCADE, related_name="components")
    component = models.ForeignKey(OfferingComponent, on_delete=models.PROTECT, related_name="prices")
    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="+")
    number = models.BigIntegerField(unique=True, db_default=NextNumber(), editable=False)
    amount = models.PositiveIntegerField(default=0)
    price = JsonField(default=dict)
    next_amount = models.PositiveIntegerField(null=True)
    next_price = JsonField(null=True)
    next_from = models.DateField(null=True)

    objects = PlanComponentQuerySet.as_manager()

    class Meta:
        db_table = "catalog_plan_component"
        constraints = (models.UniqueConstraint(fields=["plan", "component"], name="plan_component_once"),)

    def __str__(self) -> str:
        return f"{self.component} in {self.plan}"

    def price_on(self, day: date) -> dict[str, Any]:
        """Return the price in force on a day from now on (for days gone by ask `selectors.prices_for`)."""
        changed = self.next_from is not None and day >= self.next_from
        price: dict[str, Any] = self.next_price if changed else self.price
        return price


class PlanPriceQuerySet(ScopedQuerySet["PlanPrice"]):
    """Versions of prices, seen with their plans."""

    def visible_to(self, actor: Actor) -> PlanPriceQuerySet:
        """Return the versions the actor may see."""
        if actor.is_operator:
            return self
        return self.filter(plan_component__in=PlanComponent.objects.visible_to(actor))


class PlanPrice(models.Model):
    """One version of a price: in force from a first of a month on, until a later one is. Never changed.

    Of several for the same day the one written last counts.
    """

    id = models.BigAutoField(primary_key=True)
    plan_component = models.ForeignKey(PlanComponent, on_delete=models.CASCADE, related_name="versions")
    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="+")
    valid_from = models.DateField()
    price = JsonField()
    created = models.DateTimeField()

    objects = PlanPriceQuerySet.as_manager()

    class Meta:
        db_table = "catalog_plan_price"
        indexes = (
            models.Index(fields=["plan_component", "valid_from", "id"], name="catalog_plan_price_in_force"),
        )

    def __str__(self) -> str:
        return f"{self.plan_component} from {self.valid_from}"


class OfferingPicture(models.Model):
    """The picture of an offering."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="pictures")
    kind = models.CharField(max_length=10)  # image | thumbnail
    content_type = models.CharField(max_length=30)
    data = models.BinaryField()
    created = models.DateTimeField()

    objects = CatalogQuerySet["OfferingPicture"].as_manager()

    class Meta:
        db_table = "catalog_offering_picture"
        constraints = (models.UniqueConstraint(fields=["offering", "kind"], name="offering_picture_once"),)

    def __str__(self) -> str:
        return f"{self.kind} of {self.offering}"


class FileKind(models.TextChoices):
    """What a file of an offering is for."""

    SCREENSHOT = "screenshot"
    FILE = "file"


class OfferingFile(BaseModel):
    """A screenshot of an offering, or a file to take away; shown to whoever sees the offering."""

    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, related_name="files")
    kind = models.CharField(max_length=10, choices=FileKind.choices)
    name = models.CharField(max_length=150)
    description = models.TextField(blank=True)
    file_name = models.CharField(max_length=150, blank=True)
    content_type = models.CharField(max_length=100)
    data = models.BinaryField()

    objects = CatalogQuerySet["OfferingFile"].as_manager()

    class Meta:
        db_table = "catalog_offering_file"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
