"""REST: offering an agent for sale."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.agents.api import AgentSerializer, AgentViewSet
from agentmart.agents.models import Agent
from agentmart.catalog import services
from agentmart.catalog.api.offering_bodies import PluginOptions
from agentmart.catalog.api.plans import MAX_COUNT, PlanBodySerializer
from agentmart.catalog.models import Category, Offering
from agentmart.identity.permissions import require
from agentmart.infra.rest import Relation
from agentmart.kit.errors import Invalid


class PublishSerializer(serializers.Serializer[Any]):
    """How an agent is offered."""

    version = serializers.IntegerField(required=False, min_value=1, max_value=MAX_COUNT)
    category = Relation(view_name="marketplace-category-detail", queryset=Category.objects, required=False)
    plans = PlanBodySerializer(many=True, required=False)
    name = serializers.CharField(required=False, max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    plugin_options = PluginOptions(required=False)


class PublishedSerializer(serializers.Serializer[Any]):
    """How a publication went: what was handed in, and whether it waits."""

    detail = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)
    review = serializers.CharField(read_only=True)
    offering = serializers.URLField(read_only=True)
    offering_uuid = serializers.CharField(read_only=True)
    version = serializers.IntegerField(read_only=True, allow_null=True)
    live_version = serializers.IntegerField(read_only=True, allow_null=True)


class MovedSerializer(serializers.Serializer[Any]):
    """Where an agent stands."""

    detail = serializers.CharField(read_only=True)
    state = serializers.CharField(read_only=True)


class ProviderAgentSerializer(AgentSerializer):
    """An agent with the offering it is sold as."""

    offering = serializers.SerializerMethodField()
    offering_uuid = serializers.SerializerMethodField()

    def get_offering_uuid(self, agent: Agent) -> str | None:
        """Return the offering's uuid."""
        offering: Offering | None = getattr(agent, "offering", None)
        return offering.uuid if offering else None

    def get_offering(self, agent: Agent) -> str | None:
        """Return the offering's address."""
        uuid = self.get_offering_uuid(agent)
        path = f"/api/marketplace-provider-offerings/{uuid}/"
        return self.context["request"].build_absolute_uri(path) if uuid else None


class ProviderAgentViewSet(AgentViewSet):
    """Agents of a provider, with publishing."""

    queryset = Agent.objects.select_related("customer", "offering")
    serializer_class = ProviderAgentSerializer
    bodies = {**AgentViewSet.bodies, "publish": PublishSerializer, "unpublish": None}
    answers = {**AgentViewSet.answers, "publish": PublishedSerializer, "unpublish": MovedSerializer}

    @action(detail=True, methods=["post"])
    def publish(self, request: Request, **kwargs: Any) -> Response:
        """Offer the agent (or a new version of it) with plans."""
        agent = self.get_object()
        require(self.actor, "agent.write", provider_id=agent.customer_id)
        body = self.body()
        handed_in = self._chosen(agent, body.pop("version", None)) or agent.latest_version
        offering = self.offer(
            agent,
            category=body.pop("category", None),
            plans=body.pop("plans", []),
            version=handed_in,
            **body,
        )
        address = request.build_absolute_uri(f"/api/marketplace-provider-offerings/{offering.uuid}/")
        agent.refresh_from_db(fields=["state"])
        return Response(
            {
                "detail": "Waiting for review." if offering.review == "pending" else "Published.",
                "state": agent.state,
                "review": offering.review,
                "offering": address,
                "offering_uuid": offering.uuid,
                "version": handed_in.version if handed_in else offering.version,
                "live_version": offering.version if offering.state != "Draft" else None,
            }
        )

    def offer(self, agent: Agent, **values: Any) -> Offering:
        """Publish an agent; the view that knows of keys replaces it."""
        return services.publish_agent(agent, actor=self.actor, now=self.now, **values)

    @action(detail=True, methods=["post"])
    def unpublish(self, request: Request, **kwargs: Any) -> Response:
        """Take the agent off sale: its offering pauses, buyers keep what they have."""
        agent = self.get_object()
        services.unpublish_agent(agent, actor=self.actor, now=self.now)
        return Response({"detail": "Taken off sale.", "state": agent.state})

    def _chosen(self, agent: Agent, number: int | None) -> Any:
        """Return the version to publish, None for the newest; raises Invalid for a number that does not exist."""
        if number is None:
            return None
        version = agent.versions.defer("flow").filter(version=number).first()
        if version is None:
            raise Invalid(f"The agent has no version {number}.", field="version")
        return version
