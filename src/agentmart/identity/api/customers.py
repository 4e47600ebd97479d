"""REST: customers, their members and limits."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import services
from agentmart.identity.api.fields import CapsField, EmailsField, QuotasField, VatCodeField
from agentmart.identity.api.filters import by_member, is_active_customer, only_checked
from agentmart.identity.api.teams import CustomerTeamViewSet
from agentmart.identity.countries import COUNTRIES
from agentmart.identity.estimates import ESTIMATE, shown_estimate, with_estimates
from agentmart.identity.models import Customer, Project, Role
from agentmart.identity.permissions import require
from agentmart.infra.rest import (
    FLAGS,
    ApiSerializer,
    HexUUIDField,
    by_exact,
    by_flag,
    by_moment,
    by_text,
    by_words,
)
from agentmart.kit.money import CURRENCIES


def text(length: int | None = None) -> serializers.CharField:
    """Return an optional text field."""
    return serializers.CharField(required=False, allow_blank=True, max_length=length)


class CustomerSerializer(ApiSerializer):
    """An organization."""

    url = serializers.HyperlinkedIdentityField(
        view_name="customer-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(max_length=150)
    display_name = serializers.CharField(source="name", read_only=True)
    native_name = text(160)
    abbreviation = text(50)
    description = text(5000)
    contact_details = text(5000)
    email = serializers.EmailField(required=False, allow_blank=True)
    phone_number = text(255)
    homepage = serializers.URLField(required=False, allow_blank=True, max_length=255)
    country = serializers.ChoiceField(choices=list(COUNTRIES.items()), required=False, allow_blank=True)
    country_name = serializers.SerializerMethodField()
    registration_code = text(160)
    vat_code = VatCodeField(required=False, allow_blank=True, max_length=20)
    address = text(300)
    street = text(255)
    city = text(255)
    postal = text(20)
    notification_emails = EmailsField(required=False, allow_blank=True, max_length=1000)
    bank_name = text(150)
    bank_account = text(50)
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    default_tax_percent = serializers.DecimalField(
        max_digits=5, decimal_places=2, min_value=0, max_value=100, required=False
    )
    accounting_start_date = serializers.DateTimeField(required=False)
    agreement_number = text(160)
    backend_id = text(255)
    custom_code_allowed = serializers.BooleanField(required=False)
    call_limits = CapsField(required=False)
    blocked = serializers.BooleanField(required=False)
    blocked_reason = serializers.CharField(read_only=True)
    archived = serializers.BooleanField(required=False)
    is_active = serializers.BooleanField(read_only=True)
    projects_count = serializers.SerializerMethodField()
    users_count = serializers.SerializerMethodField()
    quotas = QuotasField(required=False)
    billing_source = serializers.CharField(read_only=True)
    billing_price_estimate = serializers.SerializerMethodField()
    payment_profiles = serializers.SerializerMethodField()

    def to_representation(self, instance: Customer) -> dict[str, Any]:
        """Return the answer; accounting starts where the customer was made unless somebody said otherwise."""
        if instance.accounting_start_date is None:
            instance.accounting_start_date = instance.created
        return super().to_representation(instance)

    def get_country_name(self, customer: Customer) -> str:
        """Return the country's English name."""
        return COUNTRIES.get(customer.country, "")

    def get_projects_count(self, customer: Customer) -> int:
        """Return how many projects the customer has."""
        return _usage(customer, "nc_project_count")

    def get_users_count(self, customer: Customer) -> int:
        """Return how many people have a role in it."""
        return _usage(customer, "nc_user_count")

    @extend_schema_field(ESTIMATE)
    def get_billing_price_estimate(self, customer: Customer) -> dict[str, str]:
        """Return what the running month will come to, tax included, as last calculated."""
        return shown_estimate(customer, actor=self.context["view"].actor, customer_id=customer.pk)

    def get_payment_profiles(self, customer: Customer) -> list[dict[str, Any]]:
        """Return none: payments need no profile."""
        return []


def _usage(customer: Customer, name: str) -> int:
    """Return the usage of one of the customer's quotas, which are read with it."""
    return next((row.usage for row in customer.quotas.all() if row.name == name), 0)


class CountrySerializer(serializers.Serializer[Any]):
    """A country as a choice."""

    label = serializers.CharField()  # type: ignore[assignment]
    value = serializers.CharField()


class CustomerViewSet(CustomerTeamViewSet):
    """Organizations."""

    queryset = Customer.objects.prefetch_related("quotas")
    serializer_class: type[serializers.BaseSerializer[Any]] = CustomerSerializer
    filters = {
        "name": by_text("name"),
        "name_exact": by_exact("name"),
        "native_name": by_text("native_name"),
        "abbreviation": by_text("abbreviation"),
        "contact_details": by_text("contact_details"),
        "registration_code": by_text("registration_code"),
        "agreement_number": by_text("agreement_number"),
        "backend_id": by_exact("backend_id"),
        "query": by_words("name", "native_name", "abbreviation", "email", "registration_code"),
        "archived": by_flag("archived"),
        "blocked": by_flag("blocked"),
        "is_active": is_active_customer(),
        "owned_by_current_user": only_checked(by_flag("blocked")),
        "user_uuid": by_member("id", "customer_id"),
        "created": by_moment("created"),
        "created_before": by_moment("created", "lt"),
    }
    orderings = {
        "created": "created",
        "name": "name",
        "native_name": "native_name",
        "abbreviation": "abbreviation",
        "registration_code": "registration_code",
        "agreement_number": "agreement_number",
    }
    answers = {**CustomerTeamViewSet.answers, "countries": CountrySerializer(many=True)}
    bodies = CustomerTeamViewSet.bodies
    queries: dict[str, Any] = {**CustomerTeamViewSet.queries, "countries": {}}
    see_members, write_members = "member.see", "member.write"

    def visible(self) -> QuerySet[Any]:
        """Return the visible customers with what their month will come to."""
        return with_estimates(super().visible(), now=self.now, currency="currency")

    def get_queryset(self) -> QuerySet[Any]:
        """Return the visible rows, filtered; `owned_by_current_user` depends on who asks."""
        rows = super().get_queryset()
        owned = self.request.query_params.getlist("owned_by_current_user")
        if self.action == "list" and owned:
            wanted = {FLAGS[value.lower()] for value in owned}
            mine = self.actor.customers_as({Role.CUSTOMER_OWNER})
            if wanted == {True}:
                rows = rows.filter(pk__in=mine)
            elif wanted == {False}:
                rows = rows.exclude(pk__in=mine)
        return rows

    def place(self, row: Customer) -> tuple[Customer, Project | None]:
        """Return where the members of this row are."""
        return row, None

    def create(self, request: Request) -> Response:
        """Register an organization."""
        require(self.actor, "customer.create")
        body = self.body(CustomerSerializer)
        limits = body.pop("quotas", {})
        return self.answer(
            services.create_customer(actor=self.actor, now=self.now, limits=limits, **body), status=201
        )

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an organization's details; a value that this actor may not change is refused by name."""
        customer = self.get_object()
        require(self.actor, "customer.edit", customer_id=customer.id)
        changes = self.body(CustomerSerializer, partial=True)
        limits = changes.pop("quotas", {})
        self.change(customer, changes, limits)
        return self.answer(self.visible().get(pk=customer.pk))

    def change(self, customer: Customer, changes: dict[str, Any], limits: dict[str, int]) -> None:
        """Carry a change out."""
        services.update_customer(customer, changes, limits=limits, actor=self.actor, now=self.now)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove an organization without projects, invoices or anything else of it."""
        services.delete_customer(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=False, methods=["get"])
    def countries(self, request: Request) -> Response:
        """List the countries a customer may be in."""
        rows = [{"label": name, "value": code} for code, name in COUNTRIES.items()]
        return self.get_paginated_response(self.paginate_queryset(rows))
