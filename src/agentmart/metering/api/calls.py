"""REST: an agent's single calls."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from agentmart.access.api import KeyedAgentConfigViewSet
from agentmart.contracts.usage import CallStatus, UsageSource
from agentmart.identity.permissions import require
from agentmart.infra.filters import BadFilter, read_uuids
from agentmart.infra.renderers import CsvRenderer, JsonRenderer
from agentmart.infra.rest import ApiSerializer, HexUUIDField, fold, parse_uuid
from agentmart.kit import csv_lines
from agentmart.kit.errors import NotFound
from agentmart.metering import selectors
from agentmart.metering.api.ranges import RANGE, RangeSerializer
from agentmart.metering.breakdown import key_names, version_numbers
from agentmart.metering.call_records import Calls, Search, versions_of, with_payload
from agentmart.metering.models import UsageEvent

STATUSES = {fold(status.value): status.value for status in CallStatus}
TOKENS_FROM = {
    UsageSource.RUNTIME: "runtime",
    UsageSource.COUNTED: "tokenizer",
    UsageSource.REPORTED: "report",
}
MOST_IN_CSV = 50_000
CSV_BATCH = 1000
FORMS = ("json", "csv")
HIGHEST_VERSION = 2**31 - 1

_UUIDS = {"type": "array", "items": {"type": "string"}}
SEARCH: dict[str, Any] = {
    "start": RANGE["start"],
    "end": RANGE["end"],
    "status": {"type": "array", "items": {"type": "string", "enum": list(STATUSES)}},
    "key": {**_UUIDS, "description": "Only calls with these keys."},
    "version": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "Only these versions of the agent.",
    },
    "request_id": {**_UUIDS, "description": "Only these calls; without start and end, whenever they were."},
    "before": {"type": "string", "description": "Only calls older than the one of this request_id."},
    "export": {
        "type": "string",
        "enum": list(FORMS),
        "description": "`csv` for a spreadsheet (or `Accept: text/csv`; `format` means the same).",
    },
    "format": {"type": "string", "enum": list(FORMS)},
}
COLUMNS = (
    "request_id",
    "occurred_at",
    "status",
    "http_status",
    "error_code",
    "delivery",
    "requests",
    "input_tokens",
    "output_tokens",
    "tokens_from",
    "queue_ms",
    "runtime_ms",
    "first_token_ms",
    "total_ms",
    "bytes_in",
    "bytes_out",
    "model",
    "streamed",
    "version",
    "key_uuid",
    "key_name",
    "key_prefix",
)


class LatencySerializer(serializers.Serializer[Any]):
    """Where a call's time went, in milliseconds; null where nobody measured it."""

    queue_ms = serializers.IntegerField(
        allow_null=True, help_text="From the request's first byte until the runtime was asked."
    )
    runtime_ms = serializers.IntegerField(allow_null=True, help_text="The runtime's own part.")
    first_token_ms = serializers.IntegerField(
        allow_null=True, help_text="From the request's first byte to the first piece of a streamed answer."
    )
    total_ms = serializers.IntegerField(source="duration_ms", help_text="Until the run had ended.")


class CallSerializer(ApiSerializer):
    """One call as the buyer sees it."""

    uuid = HexUUIDField(source="id")
    request_id = HexUUIDField(source="id")
    occurred_at = serializers.DateTimeField()
    received_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=list(STATUSES.values()))
    http_status = serializers.IntegerField(
        allow_null=True,
        help_text="What the answer began with; null where the caller had left before it began.",
    )
    error_code = serializers.CharField()
    delivery = serializers.SerializerMethodField()
    requests = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    tokens_from = serializers.SerializerMethodField()
    duration_ms = serializers.IntegerField()
    latency = LatencySerializer(source="*")
    bytes_in = serializers.IntegerField(allow_null=True, help_text="Of the request's body.")
    bytes_out = serializers.IntegerField(allow_null=True, help_text="Of the answer's text, in UTF-8.")
    model = serializers.CharField(help_text="As the runtime named it; empty where it did not.")
    streamed = serializers.BooleanField()
    version = serializers.SerializerMethodField()
    flow_version_uuid = HexUUIDField(source="flow_version_id", allow_null=True)
    key_uuid = HexUUIDField(source="key_id", allow_null=True)
    key_name = serializers.SerializerMethodField()
    key_prefix = serializers.SerializerMethodField()
    payload_kept = serializers.SerializerMethodField()

    def get_delivery(self, event: UsageEvent) -> str:
        """Return `undelivered` for a call whose answer may not have arrived, else `delivered`."""
        flags: dict[UUID, str] = self.context["flags"]
        return flags.get(event.id, "delivered")

    def get_tokens_from(self, event: UsageEvent) -> str:
        """Return who counted the tokens: `runtime`, `tokenizer`, `report`, or `none` where there were none to count."""
        return TOKENS_FROM.get(UsageSource(event.source), "none")

    @extend_schema_field({"type": "integer", "nullable": True})
    def get_version(self, event: UsageEvent) -> int | None:
        """Return the number of the version that ran."""
        numbers: dict[Any, int] = self.context["versions"]
        return numbers.get(event.flow_version_id)

    def get_key_name(self, event: UsageEvent) -> str:
        """Return the key's name."""
        return self._key(event).get("name", "")

    def get_key_prefix(self, event: UsageEvent) -> str:
        """Return how the key begins and ends."""
        key = self._key(event)
        return f"{key['prefix']}…{key['last4']}" if key else ""

    def get_payload_kept(self, event: UsageEvent) -> bool:
        """Return whether the call's content is kept (see `payload/`)."""
        return event.id in self.context["payloads"]

    def _key(self, event: UsageEvent) -> dict[str, str]:
        keys: dict[Any, dict[str, str]] = self.context["keys"]
        return keys.get(event.key_id, {})


class CallsViewSet(KeyedAgentConfigViewSet):
    """Settings of one's agents, with their keys and calls."""

    answers: Any = {"calls": CallSerializer(many=True), "call": CallSerializer}
    queries: Any = {"calls": SEARCH}

    def get_renderers(self) -> list[Any]:
        """Return how answers may be written: lists of calls as CSV too."""
        return [JsonRenderer(), CsvRenderer()] if self.action == "calls" else super().get_renderers()

    def handle_exception(self, exc: Exception) -> Response:
        """Return the answer of an error, which is JSON whatever was asked for."""
        if isinstance(getattr(self.request, "accepted_renderer", None), CsvRenderer):
            self.request.accepted_renderer = JsonRenderer()
            self.request.accepted_media_type = JsonRenderer.media_type
        return super().handle_exception(exc)

    def config_with_usage(self) -> Any:
        """Return the agent whose usage the actor may see."""
        config = self.get_object()
        require(
            self.actor, "usage.see", customer_id=config.customer_id, project_id=config.resource.project_id
        )
        return config

    def asked_range(self) -> dict[str, Any]:
        """Return the asked range of time; raises 400."""
        serializer = RangeSerializer(data=self.request.query_params, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    @action(detail=True, methods=["get"])
    def calls(self, request: Request, **kwargs: Any) -> HttpResponse:
        """List the single calls, newest first; of very long lists, read on by `before`."""
        config = self.config_with_usage()
        found = Calls(config.resource_id, self._search(config))
        if self._wants_csv():
            return self._csv(found)
        calls: Any = found
        return self.get_paginated_response(self._shown(self.page_of(calls)))

    @action(detail=True, methods=["get"], url_path="calls/(?P<request_id>[0-9a-fA-F-]{32,36})")
    def call(self, request: Request, request_id: str, **kwargs: Any) -> Response:
        """Show one call."""
        event = self.one_call(self.config_with_usage(), request_id)
        return Response(self._shown([event])[0])

    def one_call(self, config: Any, request_id: str) -> UsageEvent:
        """Return the call of an agent by its request id; raises NotFound."""
        uuid = parse_uuid(request_id)
        found = Calls(
            config.resource_id, Search(None, None, request_ids=(uuid,) if uuid else ())
        ).rows.first()
        if uuid is None or found is None:
            raise NotFound("This agent has no such call.")
        return found

    def _search(self, config: Any) -> Search:
        """Return what the address asks for; raises 400 by parameter."""
        asked = self.request.query_params
        days = self.asked_range()
        by_id = "request_id" in asked and "start" not in asked and "end" not in asked
        before = self._uuids("before")
        return Search(
            start=None if by_id else days["start"],
            end=None if by_id else days["end"],
            statuses=self._statuses(),
            key_ids=self._uuids("key"),
            version_ids=self._versions(config),
            request_ids=self._uuids("request_id"),
            before=before[-1] if before else None,
        )

    def _wants_csv(self) -> bool:
        """Return whether a table is asked for; raises 400."""
        wanted = "csv" if isinstance(self.request.accepted_renderer, CsvRenderer) else "json"
        for name in ("format", "export"):
            wanted = self.request.query_params.get(name, wanted)
            if wanted not in FORMS:
                message = f"Select a valid choice. {wanted} is not one of the available choices."
                raise serializers.ValidationError({name: [message]})
        return wanted == "csv"

    def _uuids(self, name: str) -> tuple[UUID, ...]:
        try:
            return tuple(read_uuids(self.request.query_params.getlist(name)))
        except BadFilter as error:
            raise serializers.ValidationError({name: [str(error)]}) from None

    def _statuses(self) -> tuple[str, ...]:
        asked = self.request.query_params.getlist("status")
        for value in asked:
            if fold(value) not in STATUSES:
                message = f"Select a valid choice. {value} is not one of the available choices."
                raise serializers.ValidationError({"status": [message]})
        return tuple(STATUSES[fold(value)] for value in asked)

    def _versions(self, config: Any) -> tuple[UUID, ...] | None:
        asked = self.request.query_params.getlist("version")
        if not asked:
            return None
        for value in asked:
            if not (
                value.isascii() and value.isdigit() and len(value) < 12 and int(value) <= HIGHEST_VERSION
            ):
                raise serializers.ValidationError({"version": ["Give the number of a version."]})
        return versions_of(config.resource, [int(value) for value in asked])

    def _shown(self, events: Sequence[UsageEvent]) -> list[dict[str, Any]]:
        """Return calls as JSON, with what their keys and versions are called: four queries for any number."""
        ids = [event.id for event in events]
        context = {
            **self.get_serializer_context(),
            "flags": selectors.flags(ids, actor=self.actor),
            "keys": key_names({event.key_id for event in events}),
            "versions": version_numbers({event.flow_version_id for event in events}),
            "payloads": with_payload(ids, now=self.now),
        }
        return list(CallSerializer(events, many=True, context=context).data)

    def _csv(self, found: Calls) -> HttpResponse:
        """Return the calls as a table; `Link` says where those beyond the newest fifty thousand are."""
        self._last: UUID | None = None
        text = "".join(csv_lines.lines(COLUMNS, self._csv_rows(found)))
        headers = {"Content-Disposition": 'attachment; filename="calls.csv"'}
        if self._last is not None:
            address = self.request.build_absolute_uri()
            more = replace_query_param(address, "before", self._last.hex).replace(",", "%2C")
            headers["Link"] = f'<{more}>; rel="next"'
        return HttpResponse(text, content_type="text/csv; charset=utf-8", headers=headers)

    def _csv_rows(self, found: Calls) -> Iterator[list[Any]]:
        """Yield the cells of each call; `_last` is the last one where there are more."""
        last: UUID | None = None
        for _ in range(0, MOST_IN_CSV, CSV_BATCH):
            older = found.rows if last is None else found.rows.filter(id__lt=last)
            batch = list(older[:CSV_BATCH])
            for row in self._shown(batch):
                flat = {**row, **row.get("latency", {})}
                yield [flat.get(name) for name in COLUMNS]
            if len(batch) < CSV_BATCH:
                return
            last = batch[-1].id
        self._last = last
