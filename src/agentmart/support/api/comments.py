"""REST: comments; they are written at their issue."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from agentmart.identity.permissions import viewer
from agentmart.infra.actors import Actor
from agentmart.infra.rest import ApiViewSet, Filter, by_flag, by_text, by_uuid
from agentmart.support import services
from agentmart.support.api.answers import CommentSerializer
from agentmart.support.api.issues import by_never, by_person
from agentmart.support.api.requests import CommentUpdateSerializer
from agentmart.support.models import Comment
from agentmart.support.services import rights


class CommentViewSet(ApiViewSet):
    """What was said about issues."""

    queryset = Comment.objects.select_related("issue", "author")
    serializer_class = CommentSerializer
    filters = {
        "issue": by_uuid("issue_id"),
        "issue_uuid": by_uuid("issue_id"),
        "description": by_text("description"),
        "is_public": by_flag("is_public"),
        "author_user": by_uuid("author_id"),
        "author_name": by_person("author"),
        "resource": by_uuid("issue__resource_id"),
        "remote_id_is_set": Filter(by_never, {"type": "boolean"}),
    }
    orderings = {"created": "created", "modified": "modified"}
    bodies = {"partial_update": CommentUpdateSerializer}
    answers = {"destroy": (204, None)}

    def viewer(self) -> Actor:
        """Return the actor; catalog managers see their own issues only."""
        return viewer(self.actor, "issue.see")

    def partial_update(self, request: Request, **kwargs: Any) -> Response:
        """Change a comment."""
        made = self.get_object()
        rights.require_change(self.actor, made)
        changes = self.body(partial=True)
        services.edit_comment(made, changes, actor=self.actor, now=self.now)
        return self.answer(self.get_object())

    def destroy(self, request: Request, **kwargs: Any) -> Response:
        """Remove a comment."""
        services.delete_comment(self.get_object(), actor=self.actor, now=self.now)
        return Response(status=204)
