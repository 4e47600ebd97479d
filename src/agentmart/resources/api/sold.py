"""REST: what orders and resources show alike."""

from __future__ import annotations

from rest_framework import serializers

from agentmart.infra.rest import ApiSerializer, HexUUIDField, Relation


class SoldSerializer(ApiSerializer):
    """What was sold to whom by whom, with the copies of names that both sides may read."""

    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    offering = Relation(view_name="marketplace-offering-detail", read_only=True)
    offering_uuid = HexUUIDField(source="offering_id", read_only=True)
    offering_name = serializers.CharField(source="offering.name", read_only=True)
    offering_type = serializers.CharField(source="offering.type", read_only=True)
    offering_shared = serializers.BooleanField(source="offering.shared", read_only=True)
    offering_billable = serializers.BooleanField(source="offering.billable", read_only=True)
    offering_plugin_options = serializers.JSONField(source="offering.plugin_options", read_only=True)
    provider_uuid = HexUUIDField(source="provider_customer_id", read_only=True)
    provider_name = serializers.CharField(source="offering.service_provider.name", read_only=True)
    category_uuid = HexUUIDField(source="offering.category_id", read_only=True)
    category_title = serializers.CharField(source="offering.category.title", read_only=True)
    plan = Relation(view_name="marketplace-plan-detail", read_only=True)
    plan_uuid = HexUUIDField(source="plan_id", read_only=True)
    plan_name = serializers.CharField(source="plan.name", read_only=True, default=None)
    plan_unit = serializers.CharField(source="plan.unit", read_only=True, default=None)
    plan_description = serializers.CharField(source="plan.description", read_only=True, default=None)
    project = Relation(view_name="project-detail", read_only=True)
    project_uuid = HexUUIDField(source="project_id", read_only=True)
    project_name = serializers.CharField(read_only=True)
    customer = Relation(view_name="customer-detail", read_only=True)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(read_only=True)
    attributes = serializers.JSONField(read_only=True)
    limits = serializers.JSONField(read_only=True)
