"""Login of a REST request: `Authorization: Token <key>`."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.request import Request

from agentmart.identity import selectors
from agentmart.infra import clock
from agentmart.infra.actors import Actor


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
            raise exceptions.ParseError("Acting as somebody else is not offered; make a token of your own.")
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() != self.keyword:
            return None
        if len(parts) != 2:
            raise exceptions.AuthenticationFailed("Invalid token header.")
        now = clock.now()
        user = selectors.find_user_by_token(parts[1].decode("latin-1"), now=now)
        if user is None:
            raise exceptions.AuthenticationFailed("Invalid token.")
        return user, selectors.actor_of(user, now=now)

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge of a 401."""
        return "Token"
