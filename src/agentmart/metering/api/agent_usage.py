"""REST: what an agent used and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.catalog.selectors import plan_limits
from agentmart.infra.rest import HexUUIDField
from agentmart.kit.money import money_text
from agentmart.kit.periods import month_of
from agentmart.metering import breakdown, costs, selectors
from agentmart.metering.api.payloads import PayloadsViewSet
from agentmart.metering.api.ranges import RANGE, RangeSerializer
from agentmart.metering.limits_used import LimitUsed, Spending, limits_used


class UsageQuestionSerializer(RangeSerializer):
    """A range of days, how finely it is cut, and what it is grouped by."""

    group_by = serializers.ChoiceField(choices=list(breakdown.GROUPS), required=False, allow_null=True)


class SumsSerializer(serializers.Serializer[Any]):
    """Sums of calls."""

    events = serializers.IntegerField(help_text="Calls, failed ones included.")
    errors = serializers.IntegerField()  # type: ignore[assignment]  # a field: the framework takes it out
    requests = serializers.IntegerField(help_text="Calls that are charged.")
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()


class TotalsSerializer(SumsSerializer):
    """Sums of calls, and what the agent cost meanwhile."""

    cost = serializers.CharField(
        allow_null=True,
        help_text="Fees and usage of these days, net of tax: what invoices charge for them. Usage is rated in the "
        "order of time, so tiers begin with the month. null where the plan or the usage cannot be rated.",
    )
    currency = serializers.CharField(
        allow_null=True, help_text="Of the plan; the others stand in other_costs."
    )


class GroupSerializer(SumsSerializer):
    """Sums of the calls with one key, or of one version."""

    key_uuid = HexUUIDField(required=False, allow_null=True)
    key_name = serializers.CharField(required=False)
    key_prefix = serializers.CharField(required=False)
    flow_version_uuid = HexUUIDField(required=False, allow_null=True)
    version = serializers.IntegerField(required=False, allow_null=True)


class SeriesSerializer(GroupSerializer):
    """Sums of one hour, day or month."""

    at = serializers.DateTimeField()


class LimitUsedSerializer(serializers.Serializer[Any]):
    """A limit in force, and what of it is used."""

    name = serializers.CharField()
    used = serializers.JSONField(
        help_text="A number, an amount of money as text, or null for bounds of a single call."
    )
    limit = serializers.JSONField(help_text="A number, or an amount of money as text.")
    resets_at = serializers.DateTimeField(allow_null=True)


class CostSerializer(serializers.Serializer[Any]):
    """An amount in one currency."""

    currency = serializers.CharField()
    cost = serializers.CharField()


class UsageSerializer(serializers.Serializer[Any]):
    """What an agent used in a range: in total, over time, and against its limits."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    totals = TotalsSerializer()
    other_costs = CostSerializer(many=True, help_text="Where plans of other currencies were in force.")
    series = SeriesSerializer(many=True)
    groups = GroupSerializer(many=True, help_text="With group_by: the whole range by key or version.")
    limits = LimitUsedSerializer(many=True)


USAGE: dict[str, Any] = {
    **RANGE,
    "group_by": {
        "type": "string",
        "enum": list(breakdown.GROUPS),
        "description": "Cuts series by key or version.",
    },
}


class CustomerAgentConfigViewSet(PayloadsViewSet):
    """Settings of one's agents, with their keys and usage."""

    answers: Any = {"usage": UsageSerializer}
    queries: Any = {"usage": USAGE}

    @action(detail=True, methods=["get"])
    def usage(self, request: Request, **kwargs: Any) -> Response:
        """Sum up requests, errors, tokens and cost, in total and over time, and show the limits in force."""
        config = self.config_with_usage()
        serializer = UsageQuestionSerializer(data=request.query_params, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        start, end = asked["start"], asked["end"]
        rows = selectors.hours([config.resource_id], start, end, actor=self.actor)
        found = costs.of_resource(config.resource_id, start, end)
        currency = _currency(config, found)
        series, groups = self._series(config, asked, rows)
        body = {
            "start": start,
            "end": end,
            "totals": {**selectors.totals(rows), **_cost(found, currency)},
            "other_costs": _others(found, currency),
            "series": series,
            "groups": groups,
            "limits": [_limit(one) for one in self._limits(config)],
        }
        return Response(body)

    def _series(
        self, config: Any, asked: Mapping[str, Any], rows: Any
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Return the sums over time and, where they are grouped, those of the whole range."""
        group = asked.get("group_by")
        if group is None:
            return selectors.series(rows, asked["granularity"]), []
        series = breakdown.series_by(
            group, config.resource_id, asked["start"], asked["end"], asked["granularity"]
        )
        groups = breakdown.totals_by_part(series)
        named = _key_parts(groups) if group == "key" else _version_parts(groups)
        return [_named(row, named) for row in series], [_named(row, named) for row in groups]

    def _limits(self, config: Any) -> list[LimitUsed]:
        """Return the limits in force with what is used of them now."""
        month = month_of(self.now)
        budget: Spending | None = None
        if config.budget.get("monthly") is not None:
            currency = config.budget.get("currency") or _currency(config, None) or "USD"
            spent = costs.of_resource(config.resource_id, month.start, month.end)
            cost = None if spent is None else spent.get(currency, Decimal(0))
            budget = Spending(Decimal(config.budget["monthly"]), currency, cost)
        limits = plan_limits(config.resource.plan)
        return limits_used(config.resource_id, limits, now=self.now, month=month, budget=budget)


def _currency(config: Any, found: Mapping[str, Decimal] | None) -> str | None:
    """Return the currency the cost is told in: the plan's, else the only one there is."""
    plan = config.resource.plan
    if plan is not None:
        return str(plan.currency)
    return next(iter(sorted(found)), None) if found else None


def _cost(found: Mapping[str, Decimal] | None, currency: str | None) -> dict[str, str | None]:
    """Return the cost as the totals show it."""
    if found is None or currency is None:
        return {"cost": None, "currency": currency}
    return {"cost": money_text(found.get(currency, Decimal(0)), currency), "currency": currency}


def _others(found: Mapping[str, Decimal] | None, currency: str | None) -> list[dict[str, str]]:
    """Return the costs in other currencies."""
    costs_of = sorted((found or {}).items())
    return [{"currency": name, "cost": money_text(cost, name)} for name, cost in costs_of if name != currency]


def _key_parts(groups: list[dict[str, Any]]) -> dict[UUID | None, dict[str, Any]]:
    """Return how each key is shown."""
    ids = {row["part"] for row in groups}
    names = breakdown.key_names(ids)
    shown: dict[UUID | None, dict[str, Any]] = {}
    for uuid in ids:
        key = names.get(uuid, {}) if uuid is not None else {}
        shown[uuid] = {
            "key_uuid": uuid.hex if uuid else None,
            "key_name": key.get("name", ""),
            "key_prefix": f"{key['prefix']}…{key['last4']}" if key else "",
        }
    return shown


def _version_parts(groups: list[dict[str, Any]]) -> dict[UUID | None, dict[str, Any]]:
    """Return how each version is shown."""
    ids = {row["part"] for row in groups}
    numbers = breakdown.version_numbers(ids)
    return {
        uuid: {
            "flow_version_uuid": uuid.hex if uuid else None,
            "version": numbers.get(uuid) if uuid is not None else None,
        }
        for uuid in ids
    }


def _named(row: Mapping[str, Any], named: Mapping[UUID | None, Mapping[str, Any]]) -> dict[str, Any]:
    """Return a row of sums with what it is of."""
    return {**{name: value for name, value in row.items() if name != "part"}, **named[row["part"]]}


def _limit(one: LimitUsed) -> dict[str, Any]:
    resets: datetime | None = one.resets_at
    return {"name": one.name, "used": one.used, "limit": one.limit, "resets_at": resets}
