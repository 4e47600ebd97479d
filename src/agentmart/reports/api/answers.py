"""How the reports look: one serializer per answer. Amounts and ratios are text, counts numbers."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.infra.fields import ApiSerializer, HexUUIDField


@extend_schema_field({"type": "number"})
class Number(serializers.Field[Any, Any, Any, Any]):
    """A Decimal as a JSON number: whole where it is."""

    def to_representation(self, value: Decimal | int) -> int | float:
        """Return the number."""
        return int(value) if value == int(value) else float(value)


Counts = serializers.DictField


class Plain(serializers.Field[Any, Any, Any, Any]):
    """Rows of text that are answered as they are: a report may have very many."""

    def to_representation(self, value: Any) -> Any:
        """Return the rows."""
        return value


class RevenueItemSerializer(serializers.Serializer[Any]):
    """A part of a revenue: one month, day, customer …"""

    key = serializers.CharField()
    name = serializers.CharField()
    total = serializers.CharField()
    fixed = serializers.CharField()
    usage = serializers.CharField()
    one_time = serializers.CharField()
    credits = serializers.CharField()
    estimated = serializers.CharField()


@extend_schema_field(RevenueItemSerializer(many=True))
class RevenueItems(Plain):
    """The parts of a revenue."""


class CurrencyRevenueSerializer(serializers.Serializer[Any]):
    """The revenue in one currency."""

    currency = serializers.CharField()
    total = serializers.CharField()
    fixed = serializers.CharField()
    usage = serializers.CharField()
    one_time = serializers.CharField()
    credits = serializers.CharField()
    estimated = serializers.CharField()
    items = RevenueItems()


class ReportSerializer(ApiSerializer):
    """What every report says of itself."""

    start = serializers.DateField()
    end = serializers.DateField()
    definition = serializers.CharField()


class RevenueReportSerializer(ReportSerializer):
    """Revenue by currency."""

    group_by = serializers.CharField()
    currencies = CurrencyRevenueSerializer(many=True)


class UsagePartSerializer(serializers.Serializer[Any]):
    """A part of a component's usage."""

    key = serializers.CharField()
    name = serializers.CharField()
    usage = serializers.CharField()


@extend_schema_field(UsagePartSerializer(many=True))
class UsageParts(Plain):
    """The parts of a component's usage."""


class ComponentUseSerializer(serializers.Serializer[Any]):
    """What was used of one component of an offering."""

    offering_uuid = HexUUIDField()
    offering_name = serializers.CharField()
    type = serializers.CharField()
    name = serializers.CharField()
    measured_unit = serializers.CharField(allow_blank=True)
    usage = serializers.CharField()
    items = UsageParts()


class UsageTotalsSerializer(serializers.Serializer[Any]):
    """What agents are metered by."""

    requests = Number()
    input_tokens = Number()
    output_tokens = Number()


class UsageReportSerializer(ReportSerializer):
    """Usage by component."""

    group_by = serializers.CharField()
    components = ComponentUseSerializer(many=True)
    totals = UsageTotalsSerializer()


class OrdersReportItemSerializer(serializers.Serializer[Any]):
    """A part of the orders."""

    key = serializers.CharField(allow_blank=True)
    name = serializers.CharField(allow_blank=True)
    submitted = serializers.IntegerField()
    done = serializers.IntegerField()
    completion = serializers.CharField(allow_null=True)
    by_state = Counts(child=serializers.IntegerField())
    by_type = Counts(child=serializers.IntegerField())


class OrdersReportSerializer(ReportSerializer):
    """Orders and how long they took."""

    group_by = serializers.CharField()
    submitted = serializers.IntegerField()
    done = serializers.IntegerField()
    completion = serializers.CharField(allow_null=True)
    median_seconds_to_approve = serializers.FloatField(allow_null=True)
    median_seconds_to_provision = serializers.FloatField(allow_null=True)
    by_state = Counts(child=serializers.IntegerField())
    by_type = Counts(child=serializers.IntegerField())
    items = OrdersReportItemSerializer(many=True)


class OrderCostSerializer(serializers.Serializer[Any]):
    """What orders cost in one currency."""

    currency = serializers.CharField()
    total_cost = serializers.CharField()
    total_revenue = serializers.CharField()


class OrderSummarySerializer(serializers.Serializer[Any]):
    """All orders of the range."""

    total = serializers.IntegerField()
    total_cost = serializers.CharField(allow_null=True)
    total_revenue = serializers.CharField(allow_null=True)
    pending = serializers.IntegerField()
    executing = serializers.IntegerField()
    done = serializers.IntegerField()
    erred = serializers.IntegerField()
    canceled = serializers.IntegerField()
    rejected = serializers.IntegerField()


class OrderDaySerializer(serializers.Serializer[Any]):
    """The orders of one day."""

    date = serializers.CharField()
    total = serializers.IntegerField()
    total_cost = serializers.CharField(allow_null=True)
    revenue = serializers.CharField(allow_null=True)
    by_state = Counts(child=serializers.IntegerField())
    by_type = Counts(child=serializers.IntegerField())


class OrderStatsReportSerializer(ReportSerializer):
    """Orders as Waldur's client reads them."""

    summary = OrderSummarySerializer()
    by_state = Counts(child=serializers.IntegerField())
    by_type = Counts(child=serializers.IntegerField())
    daily = OrderDaySerializer(many=True)
    costs = OrderCostSerializer(many=True)


class CustomerMonthSerializer(serializers.Serializer[Any]):
    """The customers of one month."""

    month = serializers.CharField()
    total = serializers.IntegerField()
    new = serializers.IntegerField()
    active = serializers.IntegerField()
    activated = serializers.IntegerField()
    churned = serializers.IntegerField()


class CustomersReportSerializer(ReportSerializer):
    """Customers over the range."""

    as_of = serializers.DateTimeField()
    total_at_start = serializers.IntegerField()
    total_at_end = serializers.IntegerField()
    active_at_start = serializers.IntegerField()
    active_at_end = serializers.IntegerField()
    new = serializers.IntegerField()
    activated = serializers.IntegerField()
    churned = serializers.IntegerField()
    blocked = serializers.IntegerField()
    growth = serializers.CharField(allow_null=True)
    months = CustomerMonthSerializer(many=True)


class MovementSerializer(serializers.Serializer[Any]):
    """Where a change of MRR comes from."""

    new = serializers.CharField()
    expansion = serializers.CharField()
    contraction = serializers.CharField()
    churn = serializers.CharField()
    reactivation = serializers.CharField()
    change = serializers.CharField()


class MrrMonthSerializer(serializers.Serializer[Any]):
    """The recurring revenue of one month."""

    month = serializers.CharField()
    opening = serializers.CharField()
    mrr = serializers.CharField()
    arr = serializers.CharField()
    arpu = serializers.CharField()
    customers = serializers.IntegerField()
    subscriptions = serializers.IntegerField()
    movement = MovementSerializer()


class CurrencyKpisSerializer(serializers.Serializer[Any]):
    """The recurring revenue in one currency."""

    currency = serializers.CharField()
    opening = serializers.CharField()
    mrr = serializers.CharField()
    arr = serializers.CharField()
    arpu = serializers.CharField()
    customers = serializers.IntegerField()
    subscriptions = serializers.IntegerField()
    movement = MovementSerializer()
    months = MrrMonthSerializer(many=True)


class KpisReportSerializer(ApiSerializer):
    """Key figures; mrr, arr, arpu and movement are those of `currency`, the others' are in `currencies`."""

    start = serializers.DateField()
    end = serializers.DateField()
    as_of = serializers.DateTimeField()
    definitions = serializers.DictField(child=serializers.CharField())
    currency = serializers.CharField()
    mrr = serializers.CharField()
    arr = serializers.CharField()
    arpu = serializers.CharField()
    movement = MovementSerializer()
    churn_rate = serializers.CharField(allow_null=True)
    cancelled_subscriptions = serializers.IntegerField()
    subscriptions_before = serializers.IntegerField()
    order_completion = serializers.CharField(allow_null=True)
    orders_submitted = serializers.IntegerField()
    orders_done = serializers.IntegerField()
    currencies = CurrencyKpisSerializer(many=True)


class ComponentUsageStatsSerializer(ApiSerializer):
    """What was used of one component of an offering, as Waldur's client reads it."""

    usage = serializers.CharField()
    offering_uuid = HexUUIDField()
    offering_name = serializers.CharField()
    component_type = serializers.CharField()
    offering_country = serializers.CharField(allow_blank=True)
    organization_group_name = serializers.CharField(allow_blank=True)
    organization_group_uuid = serializers.CharField(allow_blank=True)


class ComponentUsagePerMonthSerializer(ComponentUsageStatsSerializer):
    """The same, of one month."""

    month = serializers.IntegerField()
    year = serializers.IntegerField()


class ProviderRevenueSerializer(ApiSerializer):
    """What a provider's offerings brought in one month and currency."""

    total = Number()
    year = serializers.IntegerField()
    month = serializers.IntegerField()
    currency = serializers.CharField()
    estimated = Number()
    definition = serializers.CharField()
