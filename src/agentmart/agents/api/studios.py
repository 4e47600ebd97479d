"""REST: `/api/site-agent/studios/`: where providers build flows, what is found there, and its import."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.adapters.studios import FlowHead
from agentmart.agents import selectors, services
from agentmart.agents.api.agents import only_customer
from agentmart.agents.models import Agent, Studio, StudioFlow
from agentmart.identity.models import Customer
from agentmart.identity.permissions import require, viewer
from agentmart.infra.actors import Actor
from agentmart.infra.outside import OutsideViewSet
from agentmart.infra.rest import (
    FLAGS,
    ApiSerializer,
    HexUUIDField,
    Relation,
    by_exact,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    parse_uuid,
)

MOST_AT_ONCE = 10
LONGEST_KEY = 500


class KeyField(serializers.CharField):
    """An API key: it is read, and never answered."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(write_only=True, max_length=LONGEST_KEY, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        """Return the key; refuses what no header can carry."""
        key: str = super().to_internal_value(data)
        if not all("!" <= character <= "~" for character in key):
            raise serializers.ValidationError(
                "Give the key itself: printable ASCII characters without blanks."
            )
        return key


class StudioSerializer(ApiSerializer):
    """A studio as it is answered; `api_key` is only read."""

    url = serializers.HyperlinkedIdentityField(
        view_name="studio-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(max_length=150)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects, required=False)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    backend_url = serializers.CharField(max_length=500)
    api_key = KeyField()
    has_key = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)

    def get_has_key(self, studio: Studio) -> bool:
        """Return whether a key is stored."""
        return bool(studio.key_sealed)


class StudioUpdateSerializer(serializers.Serializer[Any]):
    """What can be changed of a studio; another `backend_url` needs its `api_key` with it."""

    name = serializers.CharField(max_length=150)
    backend_url = serializers.CharField(max_length=500)
    api_key = KeyField()


class CheckSerializer(serializers.Serializer[Any]):
    """What a studio that answers says of itself."""

    status = serializers.CharField(read_only=True)
    version = serializers.CharField(read_only=True)
    flows_count = serializers.IntegerField(read_only=True)


class ImportableFlowSerializer(ApiSerializer):
    """A flow found in a studio, with the agent that it became."""

    backend_id = HexUUIDField(read_only=True)
    name = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    endpoint_name = serializers.CharField(read_only=True)
    updated = serializers.DateTimeField(read_only=True)
    is_imported = serializers.BooleanField(read_only=True)
    is_changed = serializers.BooleanField(read_only=True)
    agent = Relation(view_name="provider-agent-detail", read_only=True)
    agent_uuid = HexUUIDField(read_only=True)
    agent_name = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    imported = serializers.DateTimeField(read_only=True)


class ImportFlowsSerializer(serializers.Serializer[Any]):
    """The flows that are picked (`backend_id` of each); `agent`: all as versions of this one."""

    flows = serializers.ListField(child=HexUUIDField(), min_length=1, max_length=MOST_AT_ONCE)
    agent = Relation(view_name="provider-agent-detail", queryset=Agent.objects, required=False)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class ImportedFlowSerializer(serializers.Serializer[Any]):
    """What became of one picked flow."""

    backend_id = HexUUIDField(read_only=True)
    outcome = serializers.ChoiceField(
        choices=("created", "new_version", "unchanged", "refused", "failed"), read_only=True
    )
    agent = Relation(view_name="provider-agent-detail", read_only=True)
    agent_uuid = HexUUIDField(read_only=True)
    version = serializers.IntegerField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    warnings = serializers.ListField(child=serializers.JSONField(), read_only=True)
    code = serializers.CharField(read_only=True)
    detail = serializers.CharField(read_only=True)
    errors = serializers.ListField(  # type: ignore[assignment]  # the answer's key
        child=serializers.DictField(), read_only=True
    )


_TEXT = {"type": "array", "items": {"type": "string"}}
FINDING = {
    "name": {**_TEXT, "description": "Part of the name."},
    "query": {**_TEXT, "description": "Part of name, description or endpoint name."},
    "is_imported": {
        "type": "array",
        "items": {"type": "string", "enum": sorted(FLAGS)},
        "description": "Whether the flow became an agent.",
    },
}


class StudioViewSet(OutsideViewSet):
    """Studios of a provider, and the flows in them."""

    queryset = Studio.objects.select_related("customer")
    serializer_class = StudioSerializer
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "name": by_text("name"),
        "name_exact": by_exact("name"),
        "query": by_words("name", "backend_url"),
        "created": by_moment("created"),
        "modified": by_moment("modified"),
    }
    orderings = {"created": "created", "modified": "modified", "name": "name"}
    bodies = {
        "partial_update": StudioUpdateSerializer,
        "check_connection": None,
        "import_flows": ImportFlowsSerializer,
    }
    answers = {
        "check_connection": CheckSerializer,
        "import_flows": ImportedFlowSerializer(many=True),
        "destroy": None,
    }
    queries = {"importable_flows": FINDING}
    asking = frozenset({"check_connection", "importable_flows", "import_flows"})

    def viewer(self) -> Actor:
        """Return the actor; only those who may import flows see studios."""
        return viewer(self.actor, "studio.use")

    def create(self, request: Request) -> Response:
        """Store a studio; without `customer` it belongs to the caller's only customer."""
        named = self.named(StudioSerializer, "customer")
        if named is not None:
            require(self.actor, "studio.use", provider_id=named.id)
        body = self.body(StudioSerializer)
        customer = body.pop("customer", None) or only_customer(self.actor)
        studio = services.create_studio(actor=self.actor, now=self.now, customer=customer, **body)
        return self.answer(studio, status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a studio; a stored key is never sent to another address."""
        studio = self.permitted_object()
        changes = self.body(StudioUpdateSerializer, partial=True)
        return self.answer(services.update_studio(studio, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Forget a studio and its key; what was imported stays."""
        services.delete_studio(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    def permitted_object(self) -> Studio:
        """Return the address's studio; raises NotFound, Forbidden."""
        studio: Studio = self.get_object()
        require(self.actor, "studio.use", provider_id=studio.customer_id)
        return studio

    @action(detail=True, methods=["post"])
    def check_connection(self, request: Request, **kwargs: Any) -> Response:
        """Ask the studio with its key; 409 says what is wrong."""
        asked = services.caller(self.permitted_object())
        found = self.outside(lambda: services.check_studio(asked))
        return Response({"status": "ok", "version": found.version, "flows_count": found.flows})

    @extend_schema(responses=ImportableFlowSerializer(many=True))
    @action(detail=True, methods=["get"])
    def importable_flows(self, request: Request, **kwargs: Any) -> Response:
        """List the flows found in the studio, the last changed first, with the agents they became."""
        studio = self.permitted_object()
        wanted = self._imported_only()
        asked = services.caller(studio)
        heads = self.outside(lambda: services.list_flows(asked))
        links = selectors.agents_of_flows(studio)
        rows = [
            head
            for head in heads
            if self._matches(head) and (wanted is None or (UUID(head.id) in links) is wanted)
        ]
        page = self.page_of(rows)  # type: ignore[arg-type]  # any sequence can be cut into pages
        shown = [_found(head, links.get(UUID(head.id))) for head in page]
        serializer = ImportableFlowSerializer(shown, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    def _imported_only(self) -> bool | None:
        """Return what `is_imported` asks for, None for nothing; raises 400."""
        values = self.request.query_params.getlist("is_imported")
        if not all(value.lower() in FLAGS for value in values):
            raise serializers.ValidationError({"is_imported": ["Must be a valid boolean."]})
        chosen = {FLAGS[value.lower()] for value in values}
        return chosen.pop() if len(chosen) == 1 else None

    def _matches(self, head: FlowHead) -> bool:
        """Return whether a flow is among those that `name` and `query` ask for."""
        names = [text.casefold() for text in self.request.query_params.getlist("name")]
        words = [text.casefold() for text in self.request.query_params.getlist("query")]
        name, all_of_it = (
            head.name.casefold(),
            f"{head.name}\n{head.description}\n{head.endpoint_name}".casefold(),
        )
        return (not names or any(text in name for text in names)) and (
            not words or any(text in all_of_it for text in words)
        )

    @action(detail=True, methods=["post"])
    def import_flows(self, request: Request, **kwargs: Any) -> Response:
        """Import picked flows, each as an agent's next version, and say of each what became of it."""
        studio = self.permitted_object()
        named = self.named(ImportFlowsSerializer, "agent")
        if named is not None:
            require(self.actor, "agent.write", provider_id=named.customer_id)
        body = self.body()
        agent: Agent | None = body.get("agent")
        if agent is not None and agent.customer_id != studio.customer_id:
            raise serializers.ValidationError({"agent": ["It belongs to another customer than the studio."]})
        picked = list(dict.fromkeys(body["flows"]))
        asked = services.caller(studio)
        fetched = self.outside(lambda: services.fetch_flows(asked, picked))
        done = services.import_from_studio(
            studio, fetched, agent=agent, note=body.get("note", ""), actor=self.actor, now=self.now
        )
        shown = [_became(one) for one in done]
        serializer = ImportedFlowSerializer(shown, many=True, context=self.get_serializer_context())
        return Response(serializer.data)


def _found(head: FlowHead, link: StudioFlow | None) -> Mapping[str, Any]:
    """Return a found flow with the agent it became."""
    changed = link is not None and head.updated is not None and head.updated != link.updated
    return {
        "backend_id": parse_uuid(head.id),
        "name": head.name,
        "description": head.description,
        "endpoint_name": head.endpoint_name,
        "updated": head.updated,
        "is_imported": link is not None,
        "is_changed": changed,
        "agent": link.agent if link else None,
        "agent_uuid": link.agent_id if link else None,
        "agent_name": link.agent.name if link else None,
        "version": link.version if link else None,
        "imported": link.imported if link else None,
    }


def _became(one: services.Imported) -> Mapping[str, Any]:
    """Return what became of a flow."""
    version = one.version
    return {
        "backend_id": one.picked.backend_id,
        "outcome": one.outcome,
        "agent": version.agent if version else None,
        "agent_uuid": version.agent_id if version else None,
        "version": version.version if version else None,
        "sha256": version.sha256 if version else None,
        "warnings": version.warnings if version else [],
        "code": one.code,
        "detail": one.detail,
        "errors": one.errors,
    }
