"""Tables of orders, what is said about them, and the rules that approve them by themselves."""

from __future__ import annotations

from django.db import models

from agentmart.catalog.models import BASIC_TYPE, Category, Offering, Plan
from agentmart.identity.models import BUYERS, SELLERS, Customer, Project
from agentmart.infra.actors import Actor
from agentmart.infra.models import BaseModel, JsonField, ScopedQuerySet
from agentmart.ordering.states import OPEN, CallbackState, Change, OrderState, OrderType, Side
from agentmart.resources.models import Resource


def _amount() -> models.DecimalField:  # type: ignore[type-arg]
    """Return a column for an amount of money: any sum that prices and limits can make."""
    return models.DecimalField(max_digits=32, decimal_places=4, default=0)


class OrderQuerySet(ScopedQuerySet["Order"]):
    """Orders, seen by the buyer's people (project roles: their projects) and by the provider."""

    def visible_to(self, actor: Actor) -> OrderQuerySet:
        """Return the orders the actor may see."""
        if actor.is_operator:
            return self
        projects = Project.objects.visible_to(actor).values("id")
        return self.filter(
            models.Q(project_id__in=projects) | models.Q(provider_customer_id__in=actor.customers_as(SELLERS))
        )


class Order(BaseModel):
    """A request to create, change or end a resource. Shared with the provider, so it carries copies of names."""

    type = models.CharField(max_length=20, choices=OrderType.choices)
    subtype = models.CharField(max_length=20, choices=Change.choices, default=Change.NONE, blank=True)
    state = models.CharField(max_length=20, choices=OrderState.choices, db_index=True)
    customer = models.ForeignKey(Customer, on_delete=models.PROTECT, related_name="orders")
    customer_name = models.CharField(max_length=150)
    project = models.ForeignKey(Project, on_delete=models.PROTECT, related_name="orders")
    project_name = models.CharField(max_length=150)
    provider_customer_id = models.UUIDField(db_index=True)
    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="orders")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="orders")
    old_plan = models.ForeignKey(Plan, on_delete=models.PROTECT, null=True, related_name="+")
    resource = models.ForeignKey(Resource, on_delete=models.PROTECT, related_name="orders")
    resource_name = models.CharField(max_length=150)
    attributes = JsonField(default=dict)
    limits = JsonField(default=dict)
    slug = models.CharField(max_length=50, blank=True)
    start_date = models.DateField(null=True)
    callback_url = models.CharField(max_length=500, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    cost = models.DecimalField(max_digits=32, decimal_places=4, null=True)
    fixed_price = _amount()
    activation_price = _amount()
    old_cost_estimate = _amount()
    new_cost_estimate = models.DecimalField(max_digits=32, decimal_places=4, null=True)
    request_comment = models.TextField(blank=True)
    termination_comment = models.TextField(blank=True)
    created_by_id = models.UUIDField(null=True)
    created_by_username = models.CharField(max_length=254, blank=True)
    created_by_full_name = models.CharField(max_length=310, blank=True)
    consumer_reviewed_by = models.CharField(max_length=254, blank=True)
    consumer_reviewed_at = models.DateTimeField(null=True)
    consumer_rejection_comment = models.TextField(blank=True)
    consumer_message = models.TextField(blank=True)
    provider_reviewed_by = models.CharField(max_length=254, blank=True)
    provider_reviewed_at = models.DateTimeField(null=True)
    provider_rejection_comment = models.TextField(blank=True)
    provider_message = models.TextField(blank=True)
    provider_message_url = models.CharField(max_length=500, blank=True)
    auto_approved = models.BooleanField(default=False)
    auto_approved_by_rule_id = models.UUIDField(null=True)
    auto_approved_cost_limit = models.DecimalField(max_digits=32, decimal_places=4, null=True)
    backend_id = models.CharField(max_length=255, blank=True)
    output = models.TextField(blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    error_traceback = models.TextField(blank=True)
    executing_since = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    objects = OrderQuerySet.as_manager()

    class Meta:
        db_table = "ordering_order"
        indexes = (models.Index(fields=["-created", "id"], name="ordering_order_newest"),)
        constraints = (
            models.UniqueConstraint(
                fields=["resource"], condition=models.Q(state__in=OPEN), name="one_open_order_per_resource"
            ),
            models.UniqueConstraint(
                fields=["project", "offering", "resource_name"],
                condition=models.Q(type=OrderType.CREATE, state__in=OPEN),
                name="one_open_create_order_per_name",
            ),
        )

    def __str__(self) -> str:
        return f"{self.type} {self.resource_name} ({self.state})"

    @property
    def fulfilled_outside(self) -> bool:
        """Return whether people carry the order out, and say so, instead of this installation."""
        return self.offering.type == BASIC_TYPE


class OrderCommentQuerySet(ScopedQuerySet["OrderComment"]):
    """Comments, seen by both sides of the order."""

    scope = ("customer_id", "provider_customer_id")


class OrderComment(BaseModel):
    """What one side says to the other about an order; never changed."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="comments")
    customer_id = models.UUIDField(db_index=True)
    provider_customer_id = models.UUIDField()
    side = models.CharField(max_length=10)  # consumer | provider | operator
    author_id = models.UUIDField(null=True)
    author_name = models.CharField(max_length=254)
    text = models.TextField()

    objects = OrderCommentQuerySet.as_manager()

    class Meta:
        db_table = "ordering_order_comment"

    def __str__(self) -> str:
        return f"{self.author_name}: {self.text[:40]}"


class OrderCallbackQuerySet(ScopedQuerySet["OrderCallback"]):
    """Messages to a buyer's address, seen by the buyer."""


class OrderCallback(BaseModel):
    """One message to an order's `callback_url`: waiting to be sent, delivered, or given up."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="callbacks")
    customer_id = models.UUIDField(db_index=True)
    url = models.CharField(max_length=500)
    order_state = models.CharField(max_length=20, choices=OrderState.choices)
    body = models.TextField()  # as it is sent, byte for byte
    state = models.CharField(max_length=10, choices=CallbackState.choices, default=CallbackState.WAITING)
    attempts = models.PositiveIntegerField(default=0)
    last_status = models.PositiveSmallIntegerField(null=True)
    last_error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True)

    objects = OrderCallbackQuerySet.as_manager()

    class Meta:
        db_table = "ordering_callback"

    def __str__(self) -> str:
        return f"{self.order_state} to {self.url}"


class ApprovalRuleQuerySet(ScopedQuerySet["ApprovalRule"]):
    """Rules, seen by those who answer for the customer that made them."""

    def visible_to(self, actor: Actor) -> ApprovalRuleQuerySet:
        """Return the rules the actor may see: a buyer's by its people, a provider's by those who sell."""
        if actor.is_operator:
            return self
        buying = models.Q(side=Side.CONSUMER, customer_id__in=actor.customers_as(BUYERS))
        selling = models.Q(side=Side.PROVIDER, customer_id__in=actor.customers_as(SELLERS))
        return self.filter(buying | selling)


class ApprovalRule(BaseModel):
    """Orders that one side approves beforehand; an empty condition admits everything."""

    side = models.CharField(max_length=10, choices=Side.choices)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")  # whose rule it is
    project = models.ForeignKey(Project, on_delete=models.CASCADE, null=True, related_name="+")
    offering = models.ForeignKey(Offering, on_delete=models.CASCADE, null=True, related_name="+")
    category = models.ForeignKey(Category, on_delete=models.CASCADE, null=True, related_name="+")
    buyer_id = models.UUIDField(null=True)  # a provider's rule: for this customer
    role = models.CharField(max_length=30, blank=True)  # a buyer's rule: placed by somebody of this role
    cost_limit = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    enabled = models.BooleanField(default=True)
    created_by_id = models.UUIDField(null=True)
    created_by_username = models.CharField(max_length=254, blank=True)
    created_by_full_name = models.CharField(max_length=310, blank=True)
    modified_by_id = models.UUIDField(null=True)
    modified_by_username = models.CharField(max_length=254, blank=True)
    modified_by_full_name = models.CharField(max_length=310, blank=True)

    objects = ApprovalRuleQuerySet.as_manager()

    class Meta:
        db_table = "ordering_approval_rule"

    def __str__(self) -> str:
        return f"{self.side} rule of {self.created:%Y-%m-%d}"
