"""REST: the range of days that a question about usage names."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from rest_framework import serializers

from agentmart.kit.periods import month_of
from agentmart.metering.selectors import GRANULARITIES

EARLIEST, LATEST = date(2000, 1, 1), date(2999, 12, 31)
LONGEST_RANGE = timedelta(days=36 * 31)
RANGE = {
    "start": {"type": "string", "format": "date", "description": "First day; default the month's first."},
    "end": {
        "type": "string",
        "format": "date",
        "description": "Last day, included; default the month's last.",
    },
    "granularity": {"type": "string", "enum": list(GRANULARITIES)},
}


class RangeSerializer(serializers.Serializer[Any]):
    """A range of days, both included; default this month."""

    start = serializers.DateField(required=False)
    end = serializers.DateField(required=False)
    granularity = serializers.ChoiceField(choices=GRANULARITIES, required=False, default="day")

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
