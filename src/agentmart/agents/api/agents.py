"""REST: `/api/site-agent/provider-agents/` as far as it needs no catalog (publishing stands in `catalog.api`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.agents import selectors, services
from agentmart.agents.flows import FlowRefused
from agentmart.agents.models import Agent
from agentmart.agents.states import AgentState
from agentmart.contracts.runtimes import kinds as runtime_kinds
from agentmart.identity.models import SELLERS, Customer
from agentmart.identity.permissions import permitted, require, viewer
from agentmart.infra.actors import Actor
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_choice,
    by_exact,
    by_moment,
    by_text,
    by_uuid,
    by_words,
    fold,
)
from agentmart.kit.errors import Invalid, NotFound


class ExposedSerializer(serializers.Serializer[Any]):
    """One field of one node that buyers may set."""

    node = serializers.CharField(max_length=200)
    field = serializers.CharField(max_length=200)


class FlowVersionSerializer(ApiSerializer):
    """A version as its provider sees it in lists."""

    uuid = HexUUIDField(source="id", read_only=True)
    version = serializers.IntegerField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    trust = serializers.CharField(read_only=True)
    langflow_version = serializers.CharField(read_only=True)
    note = serializers.CharField(read_only=True)
    nodes = serializers.JSONField(read_only=True)
    tweakable = serializers.JSONField(read_only=True)
    requires = serializers.JSONField(read_only=True)
    warnings = serializers.JSONField(read_only=True)
    created = serializers.DateTimeField(read_only=True)
    created_by = serializers.CharField(read_only=True)


class FlowVersionDetailSerializer(FlowVersionSerializer):
    """A version, with its cleaned export for those who manage the agent."""

    left_out = frozenset({"flow"})

    flow = serializers.DictField(read_only=True)


class AgentSerializer(ApiSerializer):
    """An agent."""

    url = serializers.HyperlinkedIdentityField(
        view_name="provider-agent-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    name = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects, required=False)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    state = serializers.CharField(read_only=True)
    runtime = serializers.ChoiceField(choices=tuple(runtime_kinds()), required=False)
    tags = serializers.ListField(child=serializers.CharField(max_length=50), required=False, max_length=30)
    exposed = ExposedSerializer(many=True, required=False)
    latest_version = serializers.SerializerMethodField()
    versions_count = serializers.SerializerMethodField()
    tweakable = serializers.SerializerMethodField()
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)

    def get_latest_version(self, agent: Agent) -> int | None:
        """Return the newest version's number."""
        number: int | None = agent.latest_number  # type: ignore[attr-defined]  # selectors.with_versions
        return number

    def get_versions_count(self, agent: Agent) -> int:
        """Return how many versions were imported."""
        return agent.versions_total or 0  # type: ignore[attr-defined]

    def get_tweakable(self, agent: Agent) -> list[dict[str, Any]]:
        """Return the newest version's fields that could be exposed."""
        return agent.latest_tweakable or []  # type: ignore[attr-defined]


class AgentUpdateSerializer(serializers.Serializer[Any]):
    """What can be changed of an agent."""

    name = serializers.CharField(max_length=150)
    description = serializers.CharField(allow_blank=True)
    tags = serializers.ListField(child=serializers.CharField(max_length=50), max_length=30)
    exposed = ExposedSerializer(many=True)


class ImportSerializer(serializers.Serializer[Any]):
    """A flow with a note; the flow itself (`flow`, alias `flow_data`) is read by the importer."""

    flow = serializers.JSONField(required=False, allow_null=True)
    flow_data = serializers.JSONField(required=False, allow_null=True)
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class FlowReportSerializer(serializers.Serializer[Any]):
    """What an import would say of a flow."""

    valid = serializers.BooleanField(read_only=True)
    sha256 = serializers.CharField(read_only=True)
    errors = serializers.ListField(  # type: ignore[assignment]  # the answer's key
        child=serializers.DictField(), read_only=True
    )
    warnings = serializers.ListField(child=serializers.JSONField(), read_only=True)
    nodes = serializers.ListField(child=serializers.DictField(), read_only=True)
    inputs = serializers.ListField(child=serializers.JSONField(), read_only=True)
    outputs = serializers.ListField(child=serializers.JSONField(), read_only=True)
    tweakable = serializers.ListField(child=serializers.DictField(), read_only=True)
    requires = serializers.DictField(read_only=True)


STATE_NAMES = {fold(state.value): (state.value,) for state in AgentState}


class AgentViewSet(ApiViewSet):
    """Agents of a provider."""

    queryset = Agent.objects.select_related("customer")
    serializer_class = AgentSerializer
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "name": by_text("name"),
        "name_exact": by_exact("name"),
        "query": by_words("name", "description"),
        "state": by_choice("state", STATE_NAMES),
        "runtime": by_choice("runtime", {fold(name): (name,) for name in runtime_kinds()}),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {"created": "created", "modified": "modified", "name": "name", "state": "state"}
    bodies = {
        "partial_update": AgentUpdateSerializer,
        "validate_flow": ImportSerializer,
        "import_flow": ImportSerializer,
    }
    answers = {
        "validate_flow": FlowReportSerializer,
        "import_flow": [(201, FlowVersionSerializer), (200, FlowVersionSerializer)],
        "destroy": None,
    }

    def viewer(self) -> Actor:
        """Return the actor; support and finance see no agents."""
        return viewer(self.actor, "agent.see")

    def visible(self) -> QuerySet[Any]:
        """Return visible agents with what their answer says of versions."""
        return selectors.with_versions(super().visible())

    def create(self, request: Request) -> Response:
        """Start an agent; without `customer` it belongs to the caller's only customer."""
        named = self.named(AgentSerializer, "customer")
        if named is not None:
            require(self.actor, "agent.write", provider_id=named.id)
        body = self.body(AgentSerializer)
        customer = body.pop("customer", None) or only_customer(self.actor)
        agent = services.create_agent(actor=self.actor, now=self.now, customer=customer, **body)
        return self.answer(self.visible().get(pk=agent.pk), status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an agent."""
        agent = self.get_object()
        require(self.actor, "agent.write", provider_id=agent.customer_id)
        changes = self.body(AgentUpdateSerializer, partial=True)
        return self.answer(services.update_agent(agent, changes, actor=self.actor, now=self.now))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a draft into which nothing was imported."""
        services.delete_agent(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=True, methods=["post"])
    def validate_flow(self, request: Request, **kwargs: Any) -> Response:
        """Say what an import would say; stores nothing and executes nothing."""
        agent = self.get_object()
        require(self.actor, "agent.see", provider_id=agent.customer_id)
        with _told_as_body():
            report = services.inspect(_flow_of(self.payload))
        return Response(report.as_dict())

    @action(detail=True, methods=["post"])
    def import_flow(self, request: Request, **kwargs: Any) -> Response:
        """Import an export as the next version: 201, or 200 with the old version for the same content."""
        agent = self.get_object()
        require(self.actor, "agent.write", provider_id=agent.customer_id)
        note = self.body(ImportSerializer).get("note", "")
        with _told_as_body():
            version, created = services.import_flow(
                agent, _flow_of(self.payload), note=note, actor=self.actor, now=self.now
            )
        return Response(self._version(version), status=201 if created else 200)

    @extend_schema(responses=FlowVersionSerializer(many=True))
    @action(detail=True, methods=["get"])
    def versions(self, request: Request, **kwargs: Any) -> Response:
        """List the imported versions, newest first."""
        page = self.page_of(self.get_object().versions.defer("flow").order_by("-version"))
        return self.get_paginated_response([self._version(version) for version in page])

    @extend_schema(
        responses=FlowVersionDetailSerializer, operation_id="site_agent_provider_agents_version_retrieve"
    )
    @action(detail=True, methods=["get"], url_path="versions/(?P<number>[0-9]{1,9})")
    def version(self, request: Request, number: str, **kwargs: Any) -> Response:
        """Show one version, with its flow (`flow`) to those who manage the agent."""
        agent = self.get_object()
        version = agent.versions.filter(version=int(number)).first()
        if version is None:
            raise NotFound(f"Agent {agent.name} has no version {number}.")
        source = {"flow": version.flow} if self._manages(agent) else {}
        return Response({**self._version(version), **source})

    def _manages(self, agent: Agent) -> bool:
        """Return whether the actor may read the agent's flows."""
        return permitted(self.actor, "agent.write", provider_id=agent.customer_id)

    def _version(self, version: Any) -> dict[str, Any]:
        """Return a version as JSON."""
        return FlowVersionSerializer(version, context=self.get_serializer_context()).data


def only_customer(actor: Actor) -> Customer:
    """Return the one customer that the caller sells for; raises Invalid where the choice is open."""
    ids = actor.customers_as(SELLERS)
    if len(ids) != 1:
        raise Invalid("Say which customer provides this.", field="customer")
    return Customer.objects.visible_to(actor).get(pk=next(iter(ids)))


@contextmanager
def _told_as_body() -> Iterator[None]:
    """Answer a refused flow (400) with every reason under `errors`, and its sentences under `flow`."""
    try:
        yield
    except FlowRefused as refusal:
        if refusal.status != 400:
            raise
        errors = refusal.extra["errors"]
        told = [error["message"] for error in errors]
        raise serializers.ValidationError({"flow": told, "errors": errors}) from None


def _flow_of(body: Mapping[str, Any]) -> Any:
    """Return the export of the request body (`flow`, alias `flow_data`); raises Invalid where there is none."""
    for name in ("flow", "flow_data"):
        if name in body:
            if not isinstance(body[name], str | Mapping):
                raise Invalid("A Langflow export is one JSON object, or its text.", field=name)
            return body[name]
    raise Invalid("Give the Langflow export: the JSON object itself, or its text.", field="flow")
