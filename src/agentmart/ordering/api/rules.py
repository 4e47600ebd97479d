"""REST: rules by which a side approves orders beforehand; Waldur's path for a project's, and ours for all."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.models import Category, Offering
from agentmart.identity.models import Customer, Project, Role
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_choice,
    by_flag,
    by_uuid,
    fold,
    parse_uuid,
)
from agentmart.kit.money import money_text
from agentmart.ordering import services
from agentmart.ordering.models import ApprovalRule
from agentmart.ordering.states import Side

ROLES = [str(role) for role in Role if role != Role.OFFERING_MANAGER]
SIDE_NAMES = {fold(side.value): (side.value,) for side in Side}


def cost_field(**options: Any) -> serializers.DecimalField:
    """Return a field for the highest cost of an order that a rule approves."""
    return serializers.DecimalField(max_digits=16, decimal_places=4, min_value=Decimal(0), **options)


class _Signed(ApiSerializer):
    """Who made and last changed a rule."""

    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    created_by_uuid = HexUUIDField(source="created_by_id", read_only=True)
    created_by_username = serializers.CharField(read_only=True)
    created_by_full_name = serializers.CharField(read_only=True)
    modified_by_uuid = HexUUIDField(source="modified_by_id", read_only=True)
    modified_by_username = serializers.CharField(read_only=True)
    modified_by_full_name = serializers.CharField(read_only=True)


class ProjectAutoApprovalSerializer(_Signed):
    """A project's rule: orders up to a cost need no approval of the buyer."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-project-order-auto-approval-detail",
        lookup_field="uuid",
        lookup_url_kwarg="uuid",
    )
    uuid = HexUUIDField(source="id", read_only=True)
    project = Relation(view_name="project-detail", queryset=Project.objects)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(source="project.name", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    monthly_cost_limit = cost_field(source="cost_limit")
    enabled = serializers.BooleanField(required=False)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return the rule with its limit as text."""
        data = super().to_representation(instance)
        if "monthly_cost_limit" in data and instance.cost_limit is not None:
            data["monthly_cost_limit"] = money_text(instance.cost_limit, "USD")
        return data


class ApprovalRuleSerializer(_Signed):
    """A rule of either side."""

    url = serializers.HyperlinkedIdentityField(
        view_name="marketplace-order-approval-rule-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    side = serializers.ChoiceField(choices=Side.choices)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    project = Relation(view_name="project-detail", queryset=Project.objects, required=False, allow_null=True)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    offering = Relation(
        view_name="marketplace-offering-detail", queryset=Offering.objects, required=False, allow_null=True
    )
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    category = Relation(
        view_name="marketplace-category-detail", queryset=Category.objects, required=False, allow_null=True
    )
    category_uuid = HexUUIDField(source="category_id", read_only=True)
    for_customer = HexUUIDField(source="buyer_id", required=False, allow_null=True)
    role = serializers.ChoiceField(choices=[*ROLES, ""], required=False)
    cost_limit = cost_field(required=False, allow_null=True)
    enabled = serializers.BooleanField(required=False)

    def to_internal_value(self, data: Any) -> Any:
        """Return the values; the customer a rule is for may be named by URL too."""
        named = data.get("for_customer")
        uuid = parse_uuid(named) if isinstance(named, str) else None
        return super().to_internal_value({**data, "for_customer": uuid.hex} if uuid else data)


class RuleViewSet(ApiViewSet):
    """What both paths of rules share."""

    queryset = ApprovalRule.objects.select_related("customer", "project")

    def _created(self, side: str, customer: Customer, conditions: dict[str, Any]) -> Response:
        """Add a rule and answer it."""
        rule = services.create_rule(
            actor=self.actor, now=self.now, side=side, customer=customer, **conditions
        )
        return self.answer(rule, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change the rule's conditions, or switch it off."""
        rule = self.get_object()
        services.require_rule(self.actor, rule.side, rule.customer)
        changes = self.body(partial=True)
        for fixed in ("side", "customer"):
            changes.pop(fixed, None)
        return self.answer(services.update_rule(rule, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Delete the rule."""
        services.delete_rule(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)


class ApprovalRuleViewSet(RuleViewSet):
    """Rules of buyers and providers."""

    serializer_class = ApprovalRuleSerializer
    filters = {
        "side": by_choice("side", SIDE_NAMES),
        "customer_uuid": by_uuid("customer_id"),
        "project_uuid": by_uuid("project_id"),
        "offering_uuid": by_uuid("offering_id"),
        "category_uuid": by_uuid("category_id"),
        "enabled": by_flag("enabled"),
    }

    def create(self, request: Request) -> Response:
        """Add a rule."""
        customer = self.named(ApprovalRuleSerializer, "customer")
        side = self.named(ApprovalRuleSerializer, "side")
        if customer is not None and side is not None:
            services.require_rule(self.actor, side, customer)
        body = self.body(ApprovalRuleSerializer)
        return self._created(body.pop("side"), body.pop("customer"), body)


class ProjectAutoApprovalViewSet(RuleViewSet):
    """Rules of buyers about whole projects."""

    serializer_class = ProjectAutoApprovalSerializer
    filters = {
        "customer_uuid": by_uuid("customer_id"),
        "project_uuid": by_uuid("project_id"),
        "enabled": by_flag("enabled"),
    }

    def visible(self) -> QuerySet[Any]:
        """Return the rules about projects that the actor may see."""
        return super().visible().filter(side=Side.CONSUMER, project__isnull=False)

    def create(self, request: Request) -> Response:
        """Add a rule about a project."""
        project = self.named(ProjectAutoApprovalSerializer, "project")
        if project is not None:
            services.require_rule(self.actor, Side.CONSUMER, project.customer)
        body = self.body(ProjectAutoApprovalSerializer)
        return self._created(Side.CONSUMER, body["project"].customer, body)
