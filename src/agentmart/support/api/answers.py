"""What the desk answers: an issue with all its keys, none of the texts null."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agentmart.identity.permissions import permitted
from agentmart.infra.actors import Actor
from agentmart.infra.rest import ApiSerializer, HexUUIDField, Relation, actor_of
from agentmart.support import services
from agentmart.support.api.fields import Shown, TextRelation, person_name, uuid_of
from agentmart.support.models import Attachment, Comment, Issue
from agentmart.support.services import rights
from agentmart.support.states import IssueState


class FeedbackSerializer(serializers.Serializer[Any]):
    """How the caller judged it, as the issue shows it."""

    evaluation = serializers.IntegerField()
    evaluation_number = serializers.IntegerField()
    state = serializers.CharField()
    comment = serializers.CharField()


def _order_id(issue: Issue, column: str) -> str | None:
    """Return an id of the issue's order as 32 hex digits, None where there is no order (or it is not visible)."""
    value = getattr(issue.order, column, None)
    return value.hex if value else None


class IssueSerializer(ApiSerializer):
    """An issue."""

    url = serializers.HyperlinkedIdentityField(
        view_name="support-issue-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    key = serializers.CharField(read_only=True)
    type = serializers.CharField(read_only=True)
    backend_id = Shown(lambda issue: "")
    backend_name = Shown(lambda issue: "")
    link = Shown(lambda issue: "")
    summary = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    priority = serializers.CharField(read_only=True)
    status = serializers.CharField(source="state", read_only=True)
    resolution = serializers.CharField(read_only=True)
    resolved = serializers.SerializerMethodField()
    resolved_at = serializers.DateTimeField(read_only=True, allow_null=True)
    is_open = serializers.BooleanField(read_only=True)
    caller = Relation(view_name="user-detail", read_only=True)
    caller_uuid = uuid_of("caller")
    caller_full_name = person_name("caller")
    reporter = Relation(view_name="user-detail", read_only=True)
    reporter_uuid = uuid_of("reporter")
    reporter_name = person_name("reporter")
    assignee = Relation(view_name="support-user-detail", read_only=True, allow_null=True)
    assignee_uuid = uuid_of("assignee")
    assignee_name = person_name("assignee")
    customer = Relation(view_name="customer-detail", read_only=True, allow_null=True)
    customer_uuid = uuid_of("customer")
    customer_name = Shown(lambda issue: issue.customer.name if issue.customer else "")
    project = Relation(view_name="project-detail", read_only=True, allow_null=True)
    project_uuid = uuid_of("project")
    project_name = Shown(lambda issue: issue.project.name if issue.project else "")
    resource = TextRelation(view_name="marketplace-resource-detail", read_only=True)
    resource_uuid = uuid_of("resource")
    resource_type = Shown(lambda issue: "Marketplace.Resource" if issue.resource_id else "")
    resource_name = Shown(lambda issue: issue.resource.name if issue.resource else "")
    order_uuid = serializers.SerializerMethodField()
    order_project_uuid = serializers.SerializerMethodField()
    order_customer_uuid = serializers.SerializerMethodField()
    order_resource_name = Shown(lambda issue: issue.order.resource_name if issue.order else "")
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    first_response_deadline = serializers.DateTimeField(read_only=True)
    resolution_deadline = serializers.DateTimeField(read_only=True)
    first_response_at = serializers.DateTimeField(read_only=True, allow_null=True)
    sla_status = serializers.SerializerMethodField()
    sla_breached = serializers.SerializerMethodField()
    is_escalated = serializers.BooleanField(read_only=True)
    escalated_at = serializers.DateTimeField(read_only=True, allow_null=True)
    escalation_reason = serializers.CharField(read_only=True)
    feedback = serializers.SerializerMethodField()
    available_statuses = serializers.SerializerMethodField()
    update_is_available = serializers.SerializerMethodField()
    destroy_is_available = serializers.SerializerMethodField()
    add_comment_is_available = serializers.SerializerMethodField()
    add_attachment_is_available = serializers.SerializerMethodField()
    parent_issue = Shown(lambda issue: "")
    provider_helpdesk = Shown(lambda issue: "")
    is_routed = serializers.SerializerMethodField()
    provider_ticket_info = serializers.SerializerMethodField()

    @property
    def actor(self) -> Actor:
        """Return who looks."""
        return actor_of(self.context["request"])

    def get_resolved(self, issue: Issue) -> bool:
        """Return whether it came to a good end."""
        return issue.state in (IssueState.RESOLVED, IssueState.CLOSED)

    def get_order_uuid(self, issue: Issue) -> str | None:
        """Return the order the issue is about."""
        return _order_id(issue, "id")

    def get_order_project_uuid(self, issue: Issue) -> str | None:
        """Return the project of that order."""
        return _order_id(issue, "project_id")

    def get_order_customer_uuid(self, issue: Issue) -> str | None:
        """Return the customer of that order."""
        return _order_id(issue, "customer_id")

    @extend_schema_field({"type": "string", "enum": ["ok", "at_risk", "breached", "met"]})
    def get_sla_status(self, issue: Issue) -> str:
        """Return how it stands against what was promised, at this moment."""
        now = self.context["view"].now
        return issue.clocks().status(now, breached_before=issue.sla_breached).value

    def get_sla_breached(self, issue: Issue) -> bool:
        """Return whether a promise was ever broken."""
        return self.get_sla_status(issue) == "breached"

    @extend_schema_field(FeedbackSerializer(allow_null=True))
    def get_feedback(self, issue: Issue) -> dict[str, Any] | None:
        """Return what the caller said in the end."""
        if issue.feedback is None:
            return None
        given = issue.feedback
        return {**given, "evaluation_number": given["evaluation"], "state": "submitted"}

    def get_available_statuses(self, issue: Issue) -> list[str]:
        """Return the states the caller of the API may set."""
        return services.statuses_for(self.actor, issue)

    def get_update_is_available(self, issue: Issue) -> bool:
        """Return whether they may change it."""
        return rights.handles(self.actor)

    def get_destroy_is_available(self, issue: Issue) -> bool:
        """Return whether they may remove it."""
        return permitted(self.actor, "issue.delete")

    def get_add_comment_is_available(self, issue: Issue) -> bool:
        """Return whether they may comment."""
        return rights.may_comment(self.actor, issue)

    def get_add_attachment_is_available(self, issue: Issue) -> bool:
        """Return whether they may attach files."""
        return rights.may_comment(self.actor, issue)

    def get_is_routed(self, issue: Issue) -> bool:
        """Return that the desk is our own."""
        return False

    @extend_schema_field({"type": "object", "nullable": True})
    def get_provider_ticket_info(self, issue: Issue) -> None:
        """Return that there is no outside ticket."""
        return


class CommentSerializer(ApiSerializer):
    """A comment."""

    url = serializers.HyperlinkedIdentityField(
        view_name="support-comment-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    issue = Relation(view_name="support-issue-detail", read_only=True)
    issue_uuid = HexUUIDField(source="issue_id", read_only=True)
    issue_key = serializers.CharField(source="issue.key", read_only=True)
    description = serializers.CharField(read_only=True)
    is_public = serializers.BooleanField(read_only=True)
    author_name = person_name("author")
    author_uuid = HexUUIDField(source="author_id", read_only=True)
    author_user = Relation(source="author", view_name="user-detail", read_only=True)
    author_email = serializers.CharField(source="author.email", read_only=True)
    author_image = Shown(lambda comment: "")
    backend_id = Shown(lambda comment: "")
    created = serializers.DateTimeField(read_only=True)
    modified = serializers.DateTimeField(read_only=True)
    update_is_available = serializers.SerializerMethodField()
    destroy_is_available = serializers.SerializerMethodField()

    def get_update_is_available(self, comment: Comment) -> bool:
        """Return whether the caller of the API may change it."""
        return rights.may_change(actor_of(self.context["request"]), comment)

    def get_destroy_is_available(self, comment: Comment) -> bool:
        """Return whether they may remove it."""
        return self.get_update_is_available(comment)


class AttachmentSerializer(ApiSerializer):
    """A file of an issue; `file` is where its content is."""

    url = serializers.HyperlinkedIdentityField(
        view_name="support-attachment-detail", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    uuid = HexUUIDField(source="id", read_only=True)
    issue = Relation(view_name="support-issue-detail", read_only=True)
    issue_uuid = HexUUIDField(source="issue_id", read_only=True)
    issue_key = serializers.CharField(source="issue.key", read_only=True)
    file = serializers.HyperlinkedIdentityField(
        view_name="support-attachment-file", lookup_field="uuid", lookup_url_kwarg="uuid"
    )
    file_name = serializers.CharField(read_only=True)
    mime_type = serializers.CharField(read_only=True)
    file_size = serializers.IntegerField(read_only=True)
    uploader_uuid = HexUUIDField(source="uploader_id", read_only=True)
    uploader_name = person_name("uploader")
    backend_id = Shown(lambda attachment: "")
    created = serializers.DateTimeField(read_only=True)
    destroy_is_available = serializers.SerializerMethodField()

    def get_destroy_is_available(self, attachment: Attachment) -> bool:
        """Return whether the caller of the API may remove it."""
        return rights.may_change(actor_of(self.context["request"]), attachment)
