"""REST: how offerings are answered."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from agentmart.catalog import selectors
from agentmart.catalog.api import offering_bodies as sent
from agentmart.catalog.api.answers import ShownParts, component_answer, offering_answer
from agentmart.catalog.api.fields import BuiltSerializer
from agentmart.catalog.api.plans import PlanSerializer
from agentmart.catalog.models import Offering
from agentmart.catalog.states import OfferingState
from agentmart.identity.permissions import permitted
from agentmart.infra.rest import HexUUIDField

WITH_PARTS = frozenset({"components", "plans", "is_orderable", "billing_type_classification"})
"""Keys of the answer that need the rows below an offering."""


NO_PARTS = ShownParts([], [], (), "limit_only")


class OfferingComponentSerializer(serializers.Serializer[Any]):
    """A component as it is shown."""

    uuid = HexUUIDField(read_only=True)
    offering_uuid = HexUUIDField(read_only=True)
    type = serializers.CharField(read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    measured_unit = serializers.CharField(read_only=True)
    billing_type = serializers.ChoiceField(choices=sent.BILLING_TYPES, read_only=True)
    limit_period = serializers.ChoiceField(choices=sent.LIMIT_PERIODS, read_only=True, allow_null=True)
    limit_amount = serializers.FloatField(read_only=True, allow_null=True)
    min_value = serializers.FloatField(read_only=True, allow_null=True)
    max_value = serializers.FloatField(read_only=True, allow_null=True)
    max_available_limit = serializers.FloatField(read_only=True, allow_null=True)
    default_limit = serializers.FloatField(read_only=True, allow_null=True)
    unit_factor = serializers.IntegerField(read_only=True)
    is_boolean = serializers.BooleanField(read_only=True)
    is_builtin = serializers.BooleanField(read_only=True)
    is_prepaid = serializers.BooleanField(read_only=True)
    article_code = serializers.CharField(read_only=True)

    def to_representation(self, instance: Any) -> dict[str, Any]:
        """Return a component's plain row as it is shown."""
        return component_answer(instance)


class OfferingSerializer(BuiltSerializer):
    """An offering: everybody's view, with more for those who manage it."""

    left_out = frozenset(
        {
            "backend_id_rules",
            "pending_version",
            "pending_details",
            "review_comment",
            "secret_options",
            "service_attributes",
        }
    )

    url = serializers.URLField(read_only=True)
    uuid = HexUUIDField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(read_only=True)
    slug = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    full_description = serializers.CharField(read_only=True)
    vendor_details = serializers.CharField(read_only=True)
    getting_started = serializers.CharField(read_only=True)
    integration_guide = serializers.CharField(read_only=True)
    privacy_policy_link = serializers.CharField(read_only=True)
    helpdesk_url = serializers.CharField(read_only=True)
    documentation_url = serializers.CharField(read_only=True)
    access_url = serializers.CharField(read_only=True)
    type = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=OfferingState.choices, read_only=True)
    review = serializers.CharField(read_only=True)
    paused_reason = serializers.CharField(read_only=True)
    is_orderable = serializers.BooleanField(read_only=True)
    customer = serializers.URLField(read_only=True)
    customer_uuid = HexUUIDField(read_only=True)
    customer_name = serializers.CharField(read_only=True)
    category = serializers.URLField(read_only=True)
    category_uuid = HexUUIDField(read_only=True)
    category_title = serializers.CharField(read_only=True)
    shared = serializers.BooleanField(read_only=True)
    billable = serializers.BooleanField(read_only=True)
    attributes = serializers.DictField(read_only=True)
    options = serializers.DictField(read_only=True)
    resource_options = serializers.DictField(read_only=True)
    plugin_options = serializers.DictField(read_only=True)
    backend_metadata = serializers.DictField(read_only=True)
    backend_id = serializers.CharField(read_only=True)
    components = OfferingComponentSerializer(many=True, read_only=True)
    plans = PlanSerializer(many=True, read_only=True)
    image = serializers.URLField(read_only=True, allow_null=True)
    thumbnail = serializers.URLField(read_only=True, allow_null=True)
    country = serializers.CharField(read_only=True)
    latitude = serializers.FloatField(read_only=True, allow_null=True)
    longitude = serializers.FloatField(read_only=True, allow_null=True)
    screenshots = serializers.ListField(child=serializers.DictField(), read_only=True)
    files = serializers.ListField(child=serializers.DictField(), read_only=True)
    tags = serializers.ListField(child=serializers.DictField(), read_only=True)
    organization_groups = serializers.ListField(child=serializers.DictField(), read_only=True)
    endpoints = serializers.ListField(child=serializers.DictField(), read_only=True)
    quotas = serializers.ListField(child=serializers.DictField(), read_only=True)
    order_count = serializers.IntegerField(read_only=True)
    total_customers = serializers.IntegerField(read_only=True)
    total_cost = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="What final invoices, canceled ones excepted, charge for it, net of tax. For its provider's owners "
        "and operators who see revenue; brought up to date twice an hour.",
    )
    total_cost_estimated = serializers.FloatField(
        read_only=True,
        allow_null=True,
        help_text="What the months not finally invoiced will come to, as far as it is known now.",
    )
    total_cost_currency = serializers.CharField(
        read_only=True, allow_null=True, help_text="That of its first plan; amounts in others are not added."
    )
    billing_type_classification = serializers.CharField(read_only=True)
    agent_uuid = HexUUIDField(read_only=True, allow_null=True)
    flow_version = serializers.IntegerField(read_only=True, allow_null=True)
    custom_code = serializers.BooleanField(read_only=True)
    backend_id_rules = serializers.DictField(read_only=True)
    pending_version = serializers.IntegerField(read_only=True, allow_null=True)
    pending_details = serializers.DictField(read_only=True)
    review_comment = serializers.CharField(read_only=True)
    secret_options = serializers.DictField(read_only=True)
    service_attributes = serializers.DictField(read_only=True)

    def built(self, instance: Offering) -> dict[str, Any]:
        """Return the whole answer."""
        view = self.context["view"]
        needed = not self._cut_to or bool(self._cut_to & WITH_PARTS)
        parts, plans = view.shown_parts(instance) if needed else (NO_PARTS, [])
        return offering_answer(
            instance,
            parts,
            plans,
            view.addresses,
            managed=selectors.manages(view.actor, instance.customer_id),
            secrets=permitted(view.actor, "offering.secrets", provider_id=instance.customer_id),
            money=permitted(view.actor, "stats.own_revenue", provider_id=instance.customer_id),
        )


class StateSerializer(serializers.Serializer[Any]):
    """Where an offering stands after a move."""

    detail = serializers.CharField(read_only=True)
    state = serializers.ChoiceField(choices=OfferingState.choices, read_only=True)
