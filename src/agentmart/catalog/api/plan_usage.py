"""REST: how many resources run under each plan, of how many that may."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import F, QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog import selectors
from agentmart.infra.filters import Filter
from agentmart.infra.rest import ApiViewSet, HexUUIDField, by_exact, by_uuid


class PlanUsageSerializer(serializers.Serializer[Any]):
    """How many resources run under a plan; null where there is no limit."""

    plan_uuid = HexUUIDField(source="pk")
    plan_name = serializers.CharField(source="name")
    limit = serializers.IntegerField(source="max_amount", allow_null=True)
    usage = serializers.IntegerField(source="resources_count")
    remaining = serializers.IntegerField(allow_null=True)
    offering_uuid = HexUUIDField(source="offering_id")
    offering_name = serializers.CharField(source="offering.name")
    customer_provider_uuid = HexUUIDField(source="offering.customer_id")
    customer_provider_name = serializers.CharField(source="offering.service_provider.name")


FILTERS: Mapping[str, Filter] = {
    "offering": by_uuid("offering_id"),
    "offering_uuid": by_uuid("offering_id"),
    "offering_slug": by_exact("offering__slug"),
    "customer_provider_uuid": by_uuid("offering__customer_id"),
}
ORDERS = {"limit": "max_amount", "usage": "resources_count", "remaining": "remaining"}
ORDER = Filter(
    lambda rows, values: rows,
    {"type": "string", "enum": [f"{sign}{name}" for name in ORDERS for sign in ("", "-")]},
    "Sorted by; `-` turns round; repeatable.",
)


class PlanUsageViewSet(ApiViewSet):
    """What plans are used, for those who sell by them."""

    answers: Mapping[str, Any] = {"usage_stats": PlanUsageSerializer(many=True)}
    queries: Mapping[str, Mapping[str, Any]] = {"usage_stats": {**FILTERS, "o": ORDER}}

    @action(detail=False, methods=["get"])
    def usage_stats(self, request: Request) -> Response:
        """List how many resources run under each plan of the offerings one manages, the most used first."""
        rows: QuerySet[Any] = selectors.counted(
            self.visible().filter(offering__in=selectors.managed_offerings(self.actor))
        )
        for name, apply in FILTERS.items():
            values = request.query_params.getlist(name)
            if values:
                rows = self._filtered(rows, name, apply, values)
        rows = rows.annotate(remaining=F("max_amount") - F("resources_count"))
        rows = rows.select_related("offering__service_provider")
        page = self.paginate_queryset(rows.order_by(*self._columns(), "-resources_count", "name", "id"))
        shown = PlanUsageSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(shown.data)

    def _columns(self) -> list[Any]:
        """Return what `o` asks for, plans without a limit last; raises 400."""
        columns = []
        for value in self.request.query_params.getlist("o"):
            name = ORDERS.get(value.removeprefix("-"))
            if name is None:
                message = f"Select a valid choice. {value} is not one of the available choices."
                raise serializers.ValidationError({"o": [message]})
            columns.append(
                F(name).desc(nulls_last=True) if value.startswith("-") else F(name).asc(nulls_last=True)
            )
        return columns
