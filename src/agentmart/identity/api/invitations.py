"""REST: invitations by e-mail."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity import services
from agentmart.identity.api.fields import RoleField
from agentmart.identity.api.members import by_role
from agentmart.identity.models import Customer, Invitation, Project
from agentmart.identity.permissions import viewer
from agentmart.identity.roles import MEANINGS, ROLE_IDS
from agentmart.identity.services.members import require_member_write
from agentmart.identity.states import InvitationState
from agentmart.infra.actors import Actor
from agentmart.infra.rest import (
    ApiSerializer,
    ApiViewSet,
    HexUUIDField,
    Relation,
    by_choice,
    by_exact,
    by_text,
    by_uuid,
    parse_uuid,
)


@extend_schema_field({"type": "string", "format": "uri"})
class ScopeField(serializers.Field[Any, Any, Any, Any]):
    """A customer or project by URL, path or uuid, among what the actor sees."""

    def to_internal_value(self, data: Any) -> Customer | Project:
        """Return the place."""
        customer = Relation(view_name="customer-detail", queryset=Customer.objects)
        project = Relation(view_name="project-detail", queryset=Project.objects)
        fields = [project, customer] if "/projects/" in str(data) else [customer, project]
        for field in fields:
            field.bind("scope", self.parent)
            try:
                found: Customer | Project = cast(Any, field).to_internal_value(data)
            except serializers.ValidationError as error:
                refused = error
            else:
                return found
        raise refused

    def to_representation(self, value: Any) -> str:
        """Return the absolute URL."""
        name = "project" if isinstance(value, Project) else "customer"
        relation = Relation(view_name=f"{name}-detail", read_only=True)
        relation.bind("scope", self.parent)
        return relation.to_representation(value)


class InvitationSerializer(ApiSerializer):
    """An invitation; the token that accepts it stands in the mail alone."""

    url = serializers.HyperlinkedIdentityField(
        view_name="user-invitation-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    created = serializers.DateTimeField(read_only=True)
    email = serializers.EmailField(max_length=254)
    role = RoleField()
    role_name = serializers.CharField(source="role", read_only=True)
    role_description = serializers.SerializerMethodField()
    scope = ScopeField()
    scope_uuid = serializers.SerializerMethodField()
    scope_name = serializers.SerializerMethodField()
    scope_description = serializers.SerializerMethodField()
    scope_type = serializers.SerializerMethodField()
    customer_uuid = HexUUIDField(source="customer_id", read_only=True)
    customer_name = serializers.CharField(source="customer.name", read_only=True)
    full_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    native_name = serializers.CharField(required=False, allow_blank=True, max_length=150)
    phone_number = serializers.CharField(required=False, allow_blank=True, max_length=255)
    organization = serializers.CharField(required=False, allow_blank=True, max_length=255)
    job_title = serializers.CharField(required=False, allow_blank=True, max_length=150)
    extra_invitation_text = serializers.CharField(required=False, allow_blank=True, max_length=250)
    state = serializers.ChoiceField(choices=InvitationState.choices, read_only=True)
    expires = serializers.DateTimeField(source="expires_at", read_only=True)
    execution_state = serializers.CharField(source="sending", read_only=True)
    error_message = serializers.CharField(read_only=True)
    created_by_full_name = serializers.SerializerMethodField()
    created_by_username = serializers.SerializerMethodField()
    created_by_image = serializers.SerializerMethodField()

    def to_representation(self, instance: Invitation) -> dict[str, Any]:
        """Return the invitation, its place as `scope`, its role as a uuid."""
        vars(instance)["scope"] = instance.project or instance.customer
        shown = super().to_representation(instance)
        if "role" in shown:
            shown["role"] = ROLE_IDS[instance.role].hex
        return shown

    def get_role_description(self, invitation: Invitation) -> str:
        """Return what the role is for."""
        return MEANINGS[invitation.role]

    def get_scope_uuid(self, invitation: Invitation) -> str:
        """Return the place's uuid."""
        return (invitation.project or invitation.customer).uuid

    def get_scope_name(self, invitation: Invitation) -> str:
        """Return the place's name."""
        return (invitation.project or invitation.customer).name

    def get_scope_description(self, invitation: Invitation) -> str:
        """Return what the place is for."""
        return (invitation.project or invitation.customer).description

    def get_scope_type(self, invitation: Invitation) -> str:
        """Return `customer` or `project`."""
        return "project" if invitation.project_id else "customer"

    def get_created_by_full_name(self, invitation: Invitation) -> str:
        """Return who invites."""
        return invitation.created_by.get_full_name() if invitation.created_by else ""

    def get_created_by_username(self, invitation: Invitation) -> str:
        """Return who invites."""
        return invitation.created_by.username if invitation.created_by else ""

    def get_created_by_image(self, invitation: Invitation) -> str | None:
        """Return no picture."""
        return None


class InvitationTokenSerializer(serializers.Serializer[Any]):
    """The token of the mail."""

    token = serializers.CharField(max_length=200)


class DetailSerializer(serializers.Serializer[Any]):
    """A sentence, and the new state."""

    detail = serializers.CharField()
    state = serializers.ChoiceField(choices=InvitationState.choices)


class InvitationViewSet(ApiViewSet):
    """Invitations to customers and projects, for those who may add people there."""

    queryset = Invitation.objects.select_related("customer", "project", "created_by")
    serializer_class = InvitationSerializer
    filters = {
        "email": by_text("email"),
        "email_exact": by_exact("email"),
        "role_name": by_role(),
        "role_uuid": by_role(),
        "scope_name": by_text("project__name"),
        "customer_uuid": by_uuid("customer_id"),
        "project_uuid": by_uuid("project_id"),
        "state": by_choice("state", {state.value: (state.value,) for state in InvitationState}),
    }
    orderings = {
        "created": "created",
        "created_by": "created_by__username",
        "email": "email",
        "state": "state",
    }
    bodies: Mapping[str, Any] = {
        "accept": InvitationTokenSerializer,
        "reject": InvitationTokenSerializer,
        "cancel": None,
        "send": None,
    }
    answers: Mapping[str, Any] = dict.fromkeys(("accept", "reject", "cancel", "send"), DetailSerializer)

    def viewer(self) -> Actor:
        """Return the actor; of the operators only those who see members see invitations."""
        return viewer(self.actor, "member.see")

    def create(self, request: Request) -> Response:
        """Invite somebody to a role in a customer or project."""
        place = self.named(InvitationSerializer, "scope")
        project = place if isinstance(place, Project) else None
        customer = project.customer if project else place
        role = self.named(InvitationSerializer, "role")
        if customer is not None:
            require_member_write(
                self.actor,
                role=role or "",
                customer_id=customer.id,
                project_id=project.id if project else None,
            )
            services.require_not_blocked(customer)
        body = self.body(InvitationSerializer)
        body.pop("scope")
        invitation = services.invite(
            actor=self.actor, now=self.now, customer=customer, project=project, **body
        )
        return self.answer(invitation, status=201)

    @action(detail=True, methods=["post"])
    def send(self, request: Request, **kwargs: Any) -> Response:
        """Send the mail once more, for another week; the earlier mail's link ends."""
        invitation = services.resend_invitation(self.get_object(), actor=self.actor, now=self.now)
        return self._told(invitation, "is sent again")

    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, **kwargs: Any) -> Response:
        """Take the invitation back."""
        invitation = services.cancel_invitation(self.get_object(), actor=self.actor, now=self.now)
        return self._told(invitation, "is canceled")

    @action(detail=True, methods=["post"])
    def accept(self, request: Request, uuid: str, **kwargs: Any) -> Response:
        """Take the role, as the person whose e-mail the invitation names, with the token of the mail."""
        token = self.body(InvitationTokenSerializer)["token"]
        found = services.find_invited(token, invitation_id=parse_uuid(uuid))
        invitation = services.accept_invitation(found, actor=self.actor, now=self.now)
        return self._told(invitation, "is accepted")

    @action(detail=False, methods=["post"])
    def reject(self, request: Request) -> Response:
        """Decline the role, as the person whose e-mail the invitation names, with the token of the mail."""
        token = self.body(InvitationTokenSerializer)["token"]
        found = services.find_invited(token)
        invitation = services.reject_invitation(found, actor=self.actor, now=self.now)
        return self._told(invitation, "is declined")

    def _told(self, invitation: Invitation, what: str) -> Response:
        """Answer with a sentence and the state."""
        return Response({"detail": f"The invitation {what}.", "state": invitation.state})
