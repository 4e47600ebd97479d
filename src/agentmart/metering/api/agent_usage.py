"""REST: what an agent used, in sums and call by call."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.access.api import KeyedAgentConfigViewSet
from agentmart.identity.permissions import require
from agentmart.infra.rest import HexUUIDField
from agentmart.kit.periods import month_of
from agentmart.metering import selectors
from agentmart.metering.models import UsageEvent

EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)
LONGEST_RANGE = timedelta(days=36 * 31)


class RangeSerializer(serializers.Serializer[Any]):
    """A range of days, both included; default this month."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    granularity = serializers.ChoiceField(choices=selectors.GRANULARITIES, required=False, default="day")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Turn the days into moments and refuse ranges that make no sense."""
        month = month_of(self.context["view"].now)
        for name in ("start", "end"):
            if name in attrs and not EARLIEST <= attrs[name] <= LATEST:
                raise serializers.ValidationError({name: [f"Give a day from {EARLIEST} to {LATEST}."]})
        start = _midnight(attrs["start"]) if "start" in attrs else month.start
        end = _midnight(attrs["end"]) + timedelta(days=1) if "end" in attrs else month.end
        if start >= end:
            raise serializers.ValidationError({"start": ["start must not be after end."]})
        if end - start > LONGEST_RANGE:
            raise serializers.ValidationError({"start": ["At most 36 months at once."]})
        return {**attrs, "start": start, "end": end}


def _midnight(day: Any) -> datetime:
    """Return the start of a day, UTC."""
    return datetime.combine(day, time.min, tzinfo=UTC)


class UsageEventSerializer(serializers.Serializer[Any]):
    """One call as the buyer sees it."""

    uuid = HexUUIDField(source="id")
    occurred_at = serializers.DateTimeField()
    status = serializers.CharField()
    requests = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    tokens_from = serializers.CharField(source="source")
    duration_ms = serializers.IntegerField()
    streamed = serializers.BooleanField()
    error_code = serializers.CharField()
    delivery = serializers.SerializerMethodField()
    key_uuid = HexUUIDField(source="key_id")
    flow_version_uuid = HexUUIDField(source="flow_version_id")

    def get_delivery(self, event: UsageEvent) -> str:
        """Return `undelivered` for a call whose answer may not have arrived, else `delivered`."""
        flags: dict[UUID, str] = self.context["flags"]
        return flags.get(event.id, "delivered")


class UsageSumsSerializer(serializers.Serializer[Any]):
    """Sums over a range, in total and over time."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    totals = serializers.DictField()
    series = serializers.ListField(child=serializers.DictField())


RANGE = {
    "start": {"type": "string", "format": "date"},
    "end": {"type": "string", "format": "date"},
    "granularity": {"type": "string", "enum": list(selectors.GRANULARITIES)},
}


class CustomerAgentConfigViewSet(KeyedAgentConfigViewSet):
    """Settings of one's agents, with their keys and usage."""

    answers: Any = {"usage": UsageSumsSerializer, "calls": UsageEventSerializer(many=True)}
    queries = {"usage": RANGE, "calls": RANGE}

    def _range(self) -> dict[str, Any]:
        """Return the asked range of time; raises 400."""
        serializer = RangeSerializer(data=self.request.query_params, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def _config(self) -> Any:
        """Return the agent whose usage the actor may see."""
        config = self.get_object()
        require(
            self.actor, "usage.see", customer_id=config.customer_id, project_id=config.resource.project_id
        )
        return config

    @action(detail=True, methods=["get"])
    def usage(self, request: Request, **kwargs: Any) -> Response:
        """Sum up requests, errors and tokens, in total and over time."""
        config, asked = self._config(), self._range()
        rows = selectors.hours([config.resource_id], asked["start"], asked["end"], actor=self.actor)
        return Response(
            {
                "start": asked["start"],
                "end": asked["end"],
                "totals": selectors.totals(rows),
                "series": selectors.series(rows, asked["granularity"]),
            }
        )

    @action(detail=True, methods=["get"])
    def calls(self, request: Request, **kwargs: Any) -> Response:
        """List the single calls, oldest first."""
        config, asked = self._config(), self._range()
        rows = selectors.events(config.resource_id, asked["start"], asked["end"], actor=self.actor)
        page = self.page_of(rows)
        flags = selectors.flags([event.id for event in page], actor=self.actor)
        shown = UsageEventSerializer(page, many=True, context={"flags": flags})
        return self.get_paginated_response(shown.data)
