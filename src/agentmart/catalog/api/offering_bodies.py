"""REST: what is sent about offerings."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.catalog import options
from agentmart.catalog.api.fields import BoundField, link, text
from agentmart.catalog.api.plans import MAX_ITEMS, PlanBodySerializer
from agentmart.catalog.models import TYPES, Category
from agentmart.catalog.states import OfferingState
from agentmart.contracts.grants import OnDisconnect
from agentmart.identity import countries
from agentmart.identity.api.fields import CapsField
from agentmart.identity.models import Customer
from agentmart.infra.rest import HexUUIDField, JsonObject, Relation, fold

BILLING_TYPES = ("fixed", "usage", "limit", "one", "few")
LIMIT_PERIODS = ("month", "quarterly", "annual", "total")


class OfferingComponentBody(serializers.Serializer[Any]):
    """A component as it is written."""

    type = serializers.RegexField(r"\A[A-Za-z0-9_\-/:]+\Z", max_length=60)
    name = serializers.CharField(max_length=150)
    billing_type = serializers.ChoiceField(choices=BILLING_TYPES)
    measured_unit = text(max_length=30)
    description = text()
    article_code = text(max_length=30)
    limit_period = serializers.ChoiceField(choices=LIMIT_PERIODS, required=False, allow_null=True)
    limit_amount = BoundField()
    min_value = BoundField()
    max_value = BoundField()
    max_available_limit = BoundField()
    default_limit = BoundField()
    is_boolean = serializers.BooleanField(required=False)

    def validate_limit_period(self, value: str | None) -> str:
        """Read null as none."""
        return value or ""


class OfferingComponentChange(OfferingComponentBody):
    """A change of a named component."""

    uuid = HexUUIDField()


class OfferingComponentChoice(serializers.Serializer[Any]):
    """A component by its uuid."""

    uuid = HexUUIDField()


class PluginOptions(JsonObject):
    """Settings of an offering's type; those we know are checked, others kept."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Return the options; refuses a flag that is no boolean, a choice that is none."""
        value = super().to_internal_value(data)
        if not isinstance(value.get("require_provider_approval", True), bool):
            raise serializers.ValidationError({"require_provider_approval": ["Must be a valid boolean."]})
        if value.get("on_disconnect", OnDisconnect.DRAIN) not in list(OnDisconnect):
            choices = ", ".join(OnDisconnect)
            raise serializers.ValidationError({"on_disconnect": [f"Use one of {choices}."]})
        if "call_limits" in value:
            try:
                CapsField().to_internal_value(value["call_limits"])
            except serializers.ValidationError as error:
                raise serializers.ValidationError({"call_limits": error.detail}) from None
        return value


class OptionsField(JsonObject):
    """What an order, or a change of a resource, says: `{order, options}`."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_bytes=64 * 1024, **kwargs)

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        """Return the checked definition; raises Invalid naming the option at fault."""
        return options.check_definition(super().to_internal_value(data), field=self.field_name or "options")


class Bounds(serializers.Serializer[Any]):
    """The bounds of one component in an offering's `limits`."""

    min = BoundField()
    max = BoundField()
    max_available_limit = BoundField()
    default_limit = BoundField()


class CountryField(serializers.CharField):
    """A country's two letters, or empty."""

    def to_internal_value(self, data: Any) -> str:
        """Return the letters in upper case; refuses what ISO 3166-1 does not know."""
        value: str = super().to_internal_value(data).upper()
        if value and value not in countries.COUNTRIES:
            raise serializers.ValidationError(f'"{value}" is not a valid choice.')
        return value


class TypeField(serializers.CharField):
    """The type of an offering: the registered ones and their aliases, in any case."""

    def to_internal_value(self, data: Any) -> str:
        """Return the registered type; refuses others."""
        value: str = super().to_internal_value(data)
        if value.lower() not in TYPES:
            raise serializers.ValidationError(
                f"Unknown type {value}; use one of {', '.join(sorted(set(TYPES.values())))}."
            )
        return TYPES[value.lower()]


@extend_schema_field({"type": "string", "description": "A file, or base64 text."})
class PictureField(serializers.Field[Any, Any, Any, Any]):
    """A picture: an uploaded file, or base64 text (a `data:` address too)."""

    def to_internal_value(self, data: Any) -> bytes:
        """Return the bytes; refuses what is neither."""
        if hasattr(data, "read"):
            content: bytes = data.read()
            return content
        if not isinstance(data, str):
            raise serializers.ValidationError("Upload a file, or give it as base64 text.")
        try:
            return base64.b64decode(data.rsplit("base64,", 1)[-1], validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("This is no base64 text.") from None

    def to_representation(self, value: Any) -> Any:
        """Return nothing: pictures are read by their address."""
        return None


class OfferingBody(serializers.Serializer[Any]):
    """What can be said of an offering at any time."""

    name = serializers.CharField(max_length=150)
    category = Relation(view_name="marketplace-category-detail", queryset=Category.objects)
    description = text(max_length=20_000)
    full_description = text(max_length=100_000)
    vendor_details = text(max_length=100_000)
    getting_started = text(max_length=100_000)
    integration_guide = text(max_length=100_000)
    privacy_policy_link = link()
    helpdesk_url = link()
    documentation_url = link()
    access_url = link()
    shared = serializers.BooleanField(required=False)
    billable = serializers.BooleanField(required=False)
    attributes = JsonObject(required=False)
    options = OptionsField(required=False)
    resource_options = OptionsField(required=False)
    plugin_options = PluginOptions(required=False)
    secret_options = JsonObject(required=False)
    service_attributes = JsonObject(required=False)
    backend_metadata = JsonObject(required=False)
    backend_id_rules = JsonObject(required=False)
    backend_id = text(max_length=255)
    country = CountryField(required=False, allow_blank=True)
    latitude = serializers.FloatField(required=False, allow_null=True, min_value=-90, max_value=90)
    longitude = serializers.FloatField(required=False, allow_null=True, min_value=-180, max_value=180)
    tags = serializers.ListField(child=serializers.CharField(max_length=50), required=False, max_length=30)
    image = PictureField(required=False, allow_null=True)
    thumbnail = PictureField(required=False, allow_null=True)


class OfferingUpdateBody(OfferingBody):
    """A change of an offering."""

    slug = serializers.SlugField(required=False, max_length=80)


class OfferingCreateBody(OfferingBody):
    """A new offering."""

    type = TypeField(max_length=40)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects, required=False)
    state = serializers.CharField(required=False)
    components = OfferingComponentBody(many=True, required=False, max_length=MAX_ITEMS)  # type: ignore[call-arg]
    plans = PlanBodySerializer(many=True, required=False, max_length=MAX_ITEMS)  # type: ignore[call-arg]
    limits = serializers.DictField(child=Bounds(), required=False)

    def validate_state(self, value: str) -> str:
        """Accept Draft and Active, in any case."""
        states = {"draft": OfferingState.DRAFT, "active": OfferingState.ACTIVE}
        if fold(value) not in states:
            raise serializers.ValidationError("An offering is created Draft or Active.")
        return states[fold(value)]


class PauseSerializer(serializers.Serializer[Any]):
    """Why an offering pauses."""

    paused_reason = serializers.CharField(required=False, allow_blank=True, max_length=300)


class DescriptionBody(serializers.Serializer[Any]):
    """Where an offering stands, and its short text."""

    category = Relation(view_name="marketplace-category-detail", queryset=Category.objects, required=False)
    description = text(max_length=20_000)


class OverviewBody(serializers.Serializer[Any]):
    """What the offering's page says."""

    name = serializers.CharField(max_length=150)
    description = text(max_length=20_000)
    full_description = text(max_length=100_000)
    privacy_policy_link = link()
    helpdesk_url = link()
    documentation_url = link()
    access_url = link()
    getting_started = text(max_length=100_000)
    integration_guide = text(max_length=100_000)
    vendor_details = text(max_length=100_000)
    slug = serializers.SlugField(required=False, max_length=80)
    backend_id = text(max_length=255)


class OptionsBody(serializers.Serializer[Any]):
    """What an order says."""

    options = OptionsField()


class ResourceOptionsBody(serializers.Serializer[Any]):
    """What a resource can be changed by."""

    resource_options = OptionsField()


class AttributesBody(serializers.Serializer[Any]):
    """Attributes by name: as `attributes`, or as the body itself."""

    attributes = JsonObject(required=False)


class LocationBody(serializers.Serializer[Any]):
    """Where an offering is."""

    latitude = serializers.FloatField(min_value=-90, max_value=90, allow_null=True)
    longitude = serializers.FloatField(min_value=-180, max_value=180, allow_null=True)


class IntegrationBody(serializers.Serializer[Any]):
    """How an offering is connected to what delivers it."""

    secret_options = JsonObject(required=False)
    plugin_options = PluginOptions(required=False)
    service_attributes = JsonObject(required=False)
    backend_id = text(max_length=255)


class BackendMetadataBody(serializers.Serializer[Any]):
    """What the delivering system says of the offering."""

    backend_metadata = JsonObject()


class RejectBody(serializers.Serializer[Any]):
    """Why a revision is refused."""

    comment = text(max_length=500)


class ImageBody(serializers.Serializer[Any]):
    """The large picture of an offering."""

    image = PictureField()


class ThumbnailBody(serializers.Serializer[Any]):
    """The small picture of an offering."""

    thumbnail = PictureField()
