"""Login of a REST request: `Authorization: Token <key>`, or the portal's session."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request

from agentmart.identity import selectors, services
from agentmart.identity.models import TokenScope, User
from agentmart.identity.services import impersonation
from agentmart.infra import clock
from agentmart.infra.actors import Actor
from agentmart.kit.errors import Forbidden


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names this login."""

    target_class = "agentmart.identity.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme: a header with a keyword and the token."""
        told = "`Token <key>`; the key comes from `POST /api/users/{uuid}/refresh_token/`."
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": told}


class TokenAuthentication(BaseAuthentication):
    """Turns a person's API token into `request.user` and `request.auth`, the Actor with all roles."""

    keyword = b"token"

    def authenticate(self, request: Request) -> tuple[Any, Actor] | None:
        """Return (user, actor), None without a header; raises 401 for a bad token.

        A token in the address is refused: addresses end up in logs.
        """
        if "x-auth-token" in request.query_params:
            raise exceptions.AuthenticationFailed(
                "A token in the address is not accepted; use the Authorization header."
            )
        if "X-Impersonated-User-Uuid" in request.headers:
            raise exceptions.ParseError(
                "This header is not read; staff acts as somebody by a token of POST users/{uuid}/impersonate/."
            )
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != self.keyword:
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed("Invalid token header.")
        now = clock.now()
        token = parts[1].decode("latin-1")
        acting = impersonation.find(token, now=now)
        if acting is not None:
            return acting
        login = selectors.find_login(token, now=now)
        if login is None:
            raise exceptions.AuthenticationFailed("Invalid token.")
        found, actor = login
        if found.scope == TokenScope.READ and request.method not in SAFE_METHODS:
            raise Forbidden("This token only reads.", code="scope_missing")
        services.note_token_use(found, now=now)
        return found.user, actor

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Token"


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """How the API's description names the portal's login."""

    target_class = "agentmart.identity.authentication.SessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the scheme: the session's cookie; writes also need the CSRF token in `X-CSRFToken`."""
        told = "The portal's session; writes need the CSRF token in `X-CSRFToken` too."
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": told}


class SessionAuthentication(authentication.SessionAuthentication):
    """Turns the portal's session into `request.user` and the Actor; every write must carry the CSRF token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """Return (user, actor), None without a session; raises 403 for a write without the CSRF token."""
        found = super().authenticate(request)
        if found is None or not isinstance(found[0], User):
            return None
        user = found[0]
        return user, selectors.actor_of(user, now=clock.now())
