"""REST: people."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.validators import UniqueValidator

from agentmart.identity import selectors, services
from agentmart.identity.api.filters import by_full_name, by_place
from agentmart.identity.impersonation_api import ImpersonationActions
from agentmart.identity.models import Membership, User
from agentmart.identity.permissions import permitted, require, viewer
from agentmart.identity.roles import ROLE_IDS
from agentmart.infra import throttle
from agentmart.infra.actors import Actor, system_actor
from agentmart.infra.rest import (
    ApiSerializer,
    HexUUIDField,
    by_exact,
    by_flag,
    by_moment,
    by_text,
    by_words,
)
from agentmart.kit.errors import Forbidden, NotFound


def text(length: int) -> serializers.CharField:
    """Return an optional text field."""
    return serializers.CharField(required=False, allow_blank=True, max_length=length)


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
    email = serializers.EmailField(max_length=254)
    first_name = text(150)
    last_name = text(150)
    full_name = serializers.CharField(source="get_full_name", read_only=True)
    native_name = text(150)
    job_title = text(150)
    organization = text(255)
    phone_number = text(255)
    description = text(5000)
    preferred_language = text(10)
    notifications_enabled = serializers.BooleanField(required=False)
    password = serializers.CharField(required=False, write_only=True, max_length=256)
    is_active = serializers.BooleanField(required=False)
    is_staff = serializers.BooleanField(required=False)
    is_support = serializers.BooleanField(required=False)
    is_finance = serializers.BooleanField(required=False)
    is_catalog_manager = serializers.BooleanField(required=False)
    token_lifetime = serializers.IntegerField(
        required=False, allow_null=True, min_value=60, max_value=10 * 366 * 86400
    )
    registration_method = serializers.CharField(read_only=True)
    date_joined = serializers.DateTimeField(read_only=True)
    attribute_sources = serializers.SerializerMethodField()
    details = serializers.SerializerMethodField()

    def get_attribute_sources(self, user: User) -> dict[str, Any]:
        """Return nothing: all values are typed in here."""
        return {}

    def get_details(self, user: User) -> dict[str, Any]:
        """Return nothing further."""
        return {}


COMPLETE = {"is_complete": True, "missing_fields": [], "mandatory_fields": [], "enforcement_enabled": False}


class ProfileSerializer(serializers.Serializer[Any]):
    """What is missing of a person's profile."""

    is_complete = serializers.BooleanField()
    missing_fields = serializers.ListField(child=serializers.CharField())
    mandatory_fields = serializers.ListField(child=serializers.CharField())
    enforcement_enabled = serializers.BooleanField()


class PermissionSerializer(serializers.Serializer[Any]):
    """A role of the caller."""

    role_name = serializers.CharField()
    role_uuid = serializers.CharField()
    scope_type = serializers.ChoiceField(choices=["customer", "project"])
    scope_uuid = serializers.CharField()
    scope_name = serializers.CharField()
    customer_uuid = serializers.CharField()
    customer_name = serializers.CharField()
    project_uuid = serializers.CharField(allow_null=True)
    expiration_time = serializers.DateTimeField(allow_null=True)


class MeSerializer(UserSerializer):
    """The caller, with all roles."""

    permissions = serializers.SerializerMethodField()
    has_usable_password = serializers.BooleanField(read_only=True)
    profile_completeness = serializers.SerializerMethodField()

    def get_permissions(self, user: User) -> list[dict[str, Any]]:
        """Return the roles in force, with the names of their places."""
        rows = selectors.roles_of(user, now=self.context["view"].now)
        return [dict(PermissionSerializer(_permission(row)).data) for row in rows]

    def get_profile_completeness(self, user: User) -> dict[str, Any]:
        """Return that nothing is missing: nothing is demanded."""
        return COMPLETE


def _permission(row: Membership) -> dict[str, Any]:
    """Return a role as `users/me/` lists it."""
    place = row.project or row.customer
    return {
        "role_name": row.role,
        "role_uuid": ROLE_IDS[row.role].hex,
        "scope_type": "project" if row.project else "customer",
        "scope_uuid": place.uuid,
        "scope_name": place.name,
        "customer_uuid": row.customer.uuid,
        "customer_name": row.customer.name,
        "project_uuid": row.project.uuid if row.project else None,
        "expiration_time": row.expires_at,
    }


class TokenSerializer(serializers.Serializer[Any]):
    """What is known of a person's login token after its one showing."""

    created = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    user_first_name = serializers.CharField(source="user.first_name")
    user_last_name = serializers.CharField(source="user.last_name")
    user_username = serializers.CharField(source="user.username")
    user_is_active = serializers.BooleanField(source="user.is_active")
    user_token_lifetime = serializers.IntegerField(source="user.token_lifetime", allow_null=True)


class NewTokenSerializer(TokenSerializer):
    """A new login token: the only answer that ever holds it."""

    token = serializers.CharField()


class PasswordSerializer(serializers.Serializer[Any]):
    """A new password, and one's old one."""

    new_password = serializers.CharField(max_length=256)
    old_password = serializers.CharField(required=False, max_length=256)


class UserViewSet(ImpersonationActions):
    """People."""

    queryset = User.objects
    serializer_class = UserSerializer
    ordering = ("username", "id")
    filters = {
        "username": by_text("username"),
        "username_list": by_exact("username"),
        "email": by_text("email"),
        "full_name": by_full_name(),
        "native_name": by_text("native_name"),
        "job_title": by_text("job_title"),
        "organization": by_text("organization"),
        "phone_number": by_text("phone_number"),
        "description": by_text("description"),
        "is_active": by_flag("is_active"),
        "is_staff": by_flag("is_staff"),
        "is_support": by_flag("is_support"),
        "date_joined": by_moment("date_joined"),
        "customer_uuid": by_place("customer_id"),
        "project_uuid": by_place("project_id"),
        "query": by_words("username", "first_name", "last_name", "email", "native_name"),
        "user_keyword": by_words("username", "first_name", "last_name", "email", "native_name"),
    }
    orderings = {
        "username": "username",
        "email": "email",
        "full_name": "first_name",
        "native_name": "native_name",
        "description": "description",
        "is_active": "is_active",
        "is_staff": "is_staff",
        "is_support": "is_support",
        "job_title": "job_title",
        "organization": "organization",
        "phone_number": "phone_number",
        "registration_method": "registration_method",
        "date_joined": "date_joined",
    }
    bodies = {**ImpersonationActions.bodies, "refresh_token": None, "change_password": PasswordSerializer}
    answers = {
        **ImpersonationActions.answers,
        "me": MeSerializer,
        "profile_completeness": ProfileSerializer,
        "token": TokenSerializer,
        "refresh_token": NewTokenSerializer,
        "change_password": None,
    }
    queries: dict[str, Any] = {"me": {}, "profile_completeness": {}, "token": {}}

    def viewer(self) -> Actor:
        """Return the actor; only staff and support see everybody."""
        return viewer(self.actor, "user.see")

    def create(self, request: Request) -> Response:
        """Add a person."""
        require(self.actor, "user.write")
        body = self.body(UserSerializer)
        return self.answer(services.create_user(actor=self.actor, now=self.now, **body), status=201)

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a person: oneself name, e-mail, language and the like; the rest is staff's."""
        user = self.get_object()
        self._require_own_or_staff(user)
        # Said before the body is read: whether a name is taken is nobody's to learn who may not take it.
        if self.payload.get("username", user.username) != user.username and not permitted(
            self.actor, "user.write"
        ):
            raise Forbidden("Only staff may change username.", extra={"field": "username"})
        serializer = UserSerializer(
            user, data=self.payload, partial=not self.whole, context=self.get_serializer_context()
        )
        changes = self.checked(serializer)
        return self.answer(services.update_user(user, changes, actor=self.actor, now=self.now))

    def _require_own_or_staff(self, user: User) -> None:
        """Raise Forbidden (403) before the body is read, unless the row is one's own or one is staff."""
        if user.id != self.actor.user_id:
            require(self.actor, "user.write")

    def checked(self, serializer: UserSerializer) -> dict[str, Any]:
        """Return the validated body, noting unknown keys; a name kept as it is does not clash with itself."""
        serializer.is_valid(raise_exception=True)
        writable = {name for name, field in serializer.fields.items() if not field.read_only}
        unknown = [name for name in self.payload if name not in writable]
        self.ignored += [f"Unknown or read-only key ignored: {name}" for name in unknown]
        return dict(serializer.validated_data)

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a person; whoever other rows need is deactivated instead (409)."""
        services.delete_user(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)

    @action(detail=False, methods=["get"])
    def me(self, request: Request) -> Response:
        """Show the caller, with all roles."""
        shown = MeSerializer(request.user, context=self.get_serializer_context()).data
        return Response(shown, headers={"X-Result-Count": "1"})  # some clients count it by HEAD

    @action(detail=False, methods=["get"])
    def profile_completeness(self, request: Request) -> Response:
        """Say what is missing of the caller's profile: nothing is demanded."""
        return Response(ProfileSerializer(COMPLETE).data, headers={"X-Result-Count": "1"})

    @action(detail=True, methods=["get"])
    def token(self, request: Request, **kwargs: Any) -> Response:
        """Show when a person's login token was made; the token itself is kept nowhere."""
        user = self.get_object()
        self._require_own_or_staff(user)
        found = user.api_tokens.filter(login=True).first()
        if found is None:
            raise NotFound(f"{user.username} has no login token; `refresh_token` makes one.")
        found.user = user
        return Response(TokenSerializer(found).data)

    @action(detail=True, methods=["post"])
    def refresh_token(self, request: Request, **kwargs: Any) -> Response:
        """Make a new login token, which ends the old one; the only answer that ever holds it."""
        user = self.get_object()
        token = services.refresh_token(user, actor=self.actor, now=self.now)
        found = user.api_tokens.get(login=True)
        found.user = user
        return Response({**TokenSerializer(found).data, "token": token})

    @action(detail=True, methods=["post"])
    def change_password(self, request: Request, **kwargs: Any) -> Response:
        """Set a password: one's own by naming the old one; staff anybody's. Too many wrong ones must wait (429)."""
        user = self.get_object()
        self._require_own_or_staff(user)
        body = self.body(PasswordSerializer)
        who, old = ("change password", user.uuid), body.get("old_password")
        wait = throttle.attempt(*who, most=throttle.MOST_PASSWORDS, now=self.now) if old is not None else 0
        if wait:
            raise throttle.TooOften(f"Too many wrong passwords; try again in {wait} seconds.", wait=wait)
        try:
            services.change_password(user, body["new_password"], old=old, actor=self.actor, now=self.now)
        except services.WrongPassword as refusal:
            services.note_wrong_password(user, actor=self.actor, now=self.now)
            # Answered, not raised: what is raised undoes the request's transaction, and with it the count.
            return Response({str(refusal.field): [refusal.message]}, status=400)
        throttle.forgive(*who, now=self.now)
        return Response({"detail": f"The password of {user.username} has been changed."})
