"""Who may enter a view at all (a file of its own: the framework's defaults name it)."""

from __future__ import annotations

from typing import Any

from rest_framework import permissions
from rest_framework.request import Request

from agentmart.infra.actors import Actor


class LoggedIn(permissions.BasePermission):
    """Only people who are logged in."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether somebody is logged in."""
        return isinstance(request.auth, Actor)


class Anybody(permissions.BasePermission):
    """Visitors too."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return True."""
        return True
