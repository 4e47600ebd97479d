"""REST: service providers, with what they earn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.api import ServiceProviderViewSet as CatalogueServiceProviderViewSet
from agentmart.identity.permissions import require
from agentmart.kit.periods import add_months
from agentmart.reports import definitions
from agentmart.reports.api.answers import ProviderRevenueSerializer
from agentmart.reports.api.parameters import RANGE, read_days
from agentmart.reports.ranges import Range, month_range
from agentmart.reports.selectors.revenue import provider_revenue

SHOWN_MONTHS = 12


class ServiceProviderViewSet(CatalogueServiceProviderViewSet):
    """Customers that sell."""

    answers: dict[str, Any] = {
        **CatalogueServiceProviderViewSet.answers,
        "revenue": ProviderRevenueSerializer(many=True),
    }
    queries: Mapping[str, Mapping[str, Any]] = {**CatalogueServiceProviderViewSet.queries, "revenue": RANGE}

    @action(detail=True, methods=["get"])
    def revenue(self, request: Request, **kwargs: Any) -> Response:
        """Return what the provider's offerings brought, by month and currency; the last 12 months by default."""
        provider = self.get_object()
        require(self.actor, "stats.own_revenue", provider_id=provider.customer_id)
        this_month = month_range(self.now.date())
        default = Range(add_months(this_month.start, 1 - SHOWN_MONTHS), this_month.end)
        asked = read_days(
            request.query_params, self.queries["revenue"], today=self.now.date(), default=default
        )
        found = [
            {
                "total": row.total,
                "year": row.year,
                "month": row.month,
                "currency": row.currency,
                "estimated": row.estimated,
                "definition": definitions.PROVIDER_REVENUE,
            }
            for row in provider_revenue(provider.customer_id, asked)
        ]
        page: Any = self.paginate_queryset(found)
        serializer = ProviderRevenueSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)
