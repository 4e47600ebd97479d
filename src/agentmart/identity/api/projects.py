"""REST: projects and their members."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import services
from agentmart.identity.api.filters import by_member_of_project
from agentmart.identity.api.teams import ProjectTeamViewSet
from agentmart.identity.estimates import ESTIMATE, shown_estimate, with_estimates
from agentmart.identity.models import Customer, Project, ProjectKind, Role
from agentmart.identity.permissions import permitted, require
from agentmart.infra.rest import (
    ApiSerializer,
    HexUUIDField,
    Relation,
    by_exact,
    by_moment,
    by_text,
    by_uuid,
    by_words,
)

INVOICED = frozenset({Role.CUSTOMER_OWNER, Role.CUSTOMER_MANAGER})
"""Roles that see invoices."""


class ProjectSerializer(ApiSerializer):
    """A project."""

    url = serializers.HyperlinkedIdentityField(
        view_name="project-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True, max_length=5000)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    customer_native_name = serializers.CharField(source="customer.native_name", read_only=True)
    customer_abbreviation = serializers.CharField(source="customer.abbreviation", read_only=True)
    type = serializers.CharField(required=False, allow_blank=True, max_length=150)
    kind = serializers.ChoiceField(choices=ProjectKind.choices, required=False)
    backend_id = serializers.CharField(required=False, allow_blank=True, max_length=255)
    start_date = serializers.DateField(required=False, allow_null=True)
    end_date = serializers.DateField(required=False, allow_null=True)
    is_removed = serializers.SerializerMethodField()
    marketplace_resource_count = serializers.SerializerMethodField()
    billing_price_estimate = serializers.SerializerMethodField()

    def get_is_removed(self, project: Project) -> bool:
        """Return whether the project has been deleted."""
        return project.removed_at is not None

    def get_marketplace_resource_count(self, project: Project) -> dict[str, int]:
        """Return no counts by category; `resources_count` is the sum."""
        return {}

    @extend_schema_field(ESTIMATE)
    def get_billing_price_estimate(self, project: Project) -> dict[str, str]:
        """Return what the running month will come to, tax included, as last calculated."""
        return shown_estimate(project, actor=self.context["view"].actor, customer_id=project.customer_id)


class ProjectViewSet(ProjectTeamViewSet):
    """Parts of organizations."""

    queryset = Project.objects.select_related("customer")
    serializer_class: type[serializers.BaseSerializer[Any]] = ProjectSerializer
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "customer_name": by_text("customer__name"),
        "customer_native_name": by_text("customer__native_name"),
        "customer_abbreviation": by_text("customer__abbreviation"),
        "name": by_text("name"),
        "name_exact": by_exact("name"),
        "description": by_text("description"),
        "backend_id": by_exact("backend_id"),
        "query": by_words("name", "description", "backend_id"),
        "user_uuid": by_member_of_project(),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
        "modified": by_moment("modified"),
        "modified_before": by_moment("modified", "lt"),
    }
    orderings = {
        "created": "created",
        "name": "name",
        "customer_name": "customer__name",
        "customer_native_name": "customer__native_name",
        "customer_abbreviation": "customer__abbreviation",
        "start_date": "start_date",
        "end_date": "end_date",
        "estimated_cost": "estimated_cost",
    }
    see_members, write_members = "member.see_in_project", "member.write_in_project"

    def visible(self) -> QuerySet[Any]:
        """Return the visible projects with what their month will come to."""
        return with_estimates(super().visible(), now=self.now, currency="customer__currency")

    def asked_order(self) -> list[str]:
        """Return the columns that `o` names; who sees no invoices does not learn costs by their order."""
        columns = super().asked_order()
        knows = permitted(self.actor, "invoice.see") or self.actor.customers_as(INVOICED)
        return columns if knows else [name for name in columns if name.lstrip("-") != "estimated_cost"]

    def place(self, row: Project) -> tuple[Customer, Project | None]:
        """Return where the members of this row are."""
        return row.customer, row

    def create(self, request: Request) -> Response:
        """Add a project."""
        customer = self.named(ProjectSerializer, "customer")
        if customer is not None:
            require(self.actor, "project.create", customer_id=customer.id)
            services.require_not_blocked(customer)
        body = self.body(ProjectSerializer)
        project = services.create_project(actor=self.actor, now=self.now, **body)
        return self.answer(self.visible().get(pk=project.pk), status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a project's details; it stays with its customer."""
        project = self.get_object()
        require(self.actor, "project.edit", customer_id=project.customer_id, project_id=project.id)
        changes = self.body(ProjectSerializer, partial=True)
        services.update_project(project, changes, actor=self.actor, now=self.now)
        return self.answer(self.visible().get(pk=project.pk))

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a project in which nothing runs any more."""
        self.remove(self.get_object())
        return Response(status=204)

    def remove(self, project: Project) -> None:
        """Carry a removal out."""
        services.delete_project(project, actor=self.actor, now=self.now)
