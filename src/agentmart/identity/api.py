"""REST: customers, projects, people."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from agentmart.identity import services
from agentmart.identity.models import Customer, Project, Role, User
from agentmart.identity.permissions import require, viewer
from agentmart.infra.actors import Actor, system_actor
from agentmart.infra.rest import ApiSerializer, ApiViewSet, HexUUIDField, Relation, by_flag, by_text, by_uuid
from agentmart.kit.money import CURRENCIES


class CustomerSerializer(ApiSerializer):
    """An organization."""

    url = serializers.HyperlinkedIdentityField(
        view_name="customer-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(max_length=150)
    email = serializers.EmailField(required=False, allow_blank=True)
    country = serializers.RegexField(r"\A([A-Z]{2})?\Z", required=False, allow_blank=True)
    vat_code = serializers.CharField(required=False, allow_blank=True, max_length=20)
    address = serializers.CharField(required=False, allow_blank=True, max_length=300)
    currency = serializers.ChoiceField(choices=sorted(CURRENCIES), required=False)
    custom_code_allowed = serializers.BooleanField(required=False)
    blocked = serializers.BooleanField(read_only=True)
    archived = serializers.BooleanField(read_only=True)
    is_active = serializers.SerializerMethodField()

    def get_is_active(self, customer: Customer) -> bool:
        """Return whether the customer is neither blocked nor archived."""
        return not customer.blocked and not customer.archived


class AddUserSerializer(serializers.Serializer[Any]):
    """A role for a person."""

    user = Relation(view_name="user-detail", queryset=User.objects)
    role = serializers.ChoiceField(choices=Role.choices)
    expiration_time = serializers.DateTimeField(required=False, allow_null=True)


class CustomerViewSet(ApiViewSet):
    """Organizations."""

    queryset = Customer.objects
    serializer_class = CustomerSerializer
    filters = {
        "name": by_text("name"),
        "blocked": by_flag("blocked"),
        "archived": by_flag("archived"),
    }

    def create(self, request: Request) -> Response:
        """Register an organization."""
        require(self.actor, "customer.create")
        body = self.body(CustomerSerializer)
        return self.answer(services.create_customer(actor=self.actor, now=self.now, **body), status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change an organization's details."""
        customer = self.get_object()
        require(self.actor, "customer.edit", customer_id=customer.id)
        changes = self.body(CustomerSerializer, partial=True)
        return self.answer(services.update_customer(customer, changes, actor=self.actor, now=self.now))

    @action(detail=True, methods=["post"])
    def add_user(self, request: Request, **kwargs: Any) -> Response:
        """Give a person a role in the organization."""
        customer = self.get_object()
        require(self.actor, "member.write", customer_id=customer.id)
        return add_member(self, customer=customer)


def add_member(view: ApiViewSet, *, customer: Customer, project: Project | None = None) -> Response:
    """Carry out `add_user` of a customer or project."""
    body = view.body(AddUserSerializer)
    membership = services.add_member(
        actor=view.actor,
        now=view.now,
        user=body["user"],
        role=body["role"],
        customer=customer,
        project=project,
        expires_at=body.get("expiration_time"),
    )
    return Response({"expiration_time": membership.expires_at}, status=201)


class ProjectSerializer(ApiSerializer):
    """A project."""

    url = serializers.HyperlinkedIdentityField(
        view_name="project-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    name = serializers.CharField(max_length=150)
    description = serializers.CharField(required=False, allow_blank=True)
    customer = Relation(view_name="customer-detail", queryset=Customer.objects)
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)


class ProjectViewSet(ApiViewSet):
    """Parts of organizations."""

    queryset = Project.objects.select_related("customer")
    serializer_class = ProjectSerializer
    filters = {
        "customer": by_uuid("customer_id"),
        "customer_uuid": by_uuid("customer_id"),
        "name": by_text("name"),
    }

    def create(self, request: Request) -> Response:
        """Add a project."""
        customer = self.named(ProjectSerializer, "customer")
        if customer is not None:
            require(self.actor, "project.create", customer_id=customer.id)
        body = self.body(ProjectSerializer)
        return self.answer(services.create_project(actor=self.actor, now=self.now, **body), status=201)

    @action(detail=True, methods=["post"])
    def add_user(self, request: Request, **kwargs: Any) -> Response:
        """Give a person a role in the project."""
        project = self.get_object()
        require(self.actor, "member.write_in_project", customer_id=project.customer_id, project_id=project.id)
        return add_member(self, customer=project.customer, project=project)


class UserSerializer(ApiSerializer):
    """A person."""

    url = serializers.HyperlinkedIdentityField(
        view_name="user-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    username = serializers.RegexField(
        r"\A[\w.@+-]+\Z",
        max_length=150,
        validators=[
            UniqueValidator(
                User.objects.visible_to(system_actor("unique")),
                message="A user with this username exists already.",
            )
        ],
    )
    email = serializers.EmailField(required=False, allow_blank=True)
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    password = serializers.CharField(required=False, write_only=True, max_length=256)
    is_active = serializers.BooleanField(required=False)
    is_staff = serializers.BooleanField(required=False)
    is_support = serializers.BooleanField(required=False)
    is_finance = serializers.BooleanField(required=False)
    is_catalog_manager = serializers.BooleanField(required=False)
    date_joined = serializers.DateTimeField(read_only=True)


class UserViewSet(ApiViewSet):
    """People."""

    queryset = User.objects
    serializer_class = UserSerializer
    ordering = ("username", "id")

    def viewer(self) -> Actor:
        """Return the actor; only staff and support see everybody."""
        return viewer(self.actor, "user.see")

    def create(self, request: Request) -> Response:
        """Add a person."""
        require(self.actor, "user.write")
        body = self.body(UserSerializer)
        return self.answer(services.create_user(actor=self.actor, now=self.now, **body), status=201)

    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """Show the caller."""
        return self.answer(self.visible().get(pk=self.actor.user_id))

    @action(detail=True, methods=["post"])
    def refresh_token(self, request: Request, **kwargs: Any) -> Response:
        """Make a new API token, which ends the old one; the only answer that ever holds it."""
        user = self.get_object()
        token = services.refresh_token(user, actor=self.actor, now=self.now)
        return Response({"token": token, "created": self.now, "user_username": user.username})
